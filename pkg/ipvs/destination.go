package ipvs

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Destination is what an operator decides of a real server of a service. Its family may differ from the service's when
// Forward is Tunnel.
type Destination struct {
	Addr    netip.AddrPort
	Forward Forward
	Weight  int32 // 0 to 2147483647; 0 takes no new connections
	// UpperThreshold closes the server to new connections from that many on, until they fall below LowerThreshold
	// (or to three quarters of the upper one if that is 0). 0: no limit.
	UpperThreshold, LowerThreshold uint32
	Tunnel                         Tunnel // zero unless Forward is Tunnel
}

// Forward is how packets get to a destination (IP_VS_CONN_F_FWD_MASK).
type Forward uint32

// The forwarding methods. Local and Bypass are never configured; the kernel reports them.
const (
	NAT Forward = iota
	Local
	Tun
	DR
	Bypass
)

// ParseForward reads keepalived's words NAT, DR and TUN in any case.
func ParseForward(s string) (Forward, error) {
	switch strings.ToUpper(s) {
	case "NAT":
		return NAT, nil
	case "DR":
		return DR, nil
	case "TUN":
		return Tun, nil
	}
	return 0, fmt.Errorf("%q is not NAT, DR or TUN", s)
}

func (f Forward) String() string {
	switch f {
	case NAT:
		return "NAT"
	case Local:
		return "LOCAL"
	case Tun:
		return "TUN"
	case DR:
		return "DR"
	case Bypass:
		return "BYPASS"
	}
	return "forward " + strconv.Itoa(int(f))
}

// Tunnel is the encapsulation towards a destination with Forward Tun. The zero value is IPIP.
type Tunnel struct {
	Type  TunnelType
	Port  uint16 // GUE only: the UDP port, required there
	Flags TunnelFlags
}

// TunnelType is the kind of a tunnel (IP_VS_CONN_F_TUNNEL_TYPE_).
type TunnelType uint8

// The tunnels of Linux 5.3 and later.
const (
	IPIP TunnelType = iota
	GUE
	GRE
)

func (t TunnelType) String() string {
	switch t {
	case IPIP:
		return "ipip"
	case GUE:
		return "gue"
	case GRE:
		return "gre"
	}
	return "tunnel " + strconv.Itoa(int(t))
}

// TunnelFlags is how a GUE or GRE tunnel protects its packets (IP_VS_TUNNEL_ENCAP_FLAG_).
type TunnelFlags uint16

// The checksum modes; zero is none.
const (
	NoCsum  TunnelFlags = 0
	Csum    TunnelFlags = 1 << 0
	RemCsum TunnelFlags = 1 << 1 // GUE only: remote checksum offload
)

// String returns keepalived's words after lvs_method TUN: "type gue port 6080 csum"; empty for plain IPIP.
func (t Tunnel) String() string {
	if t == (Tunnel{}) {
		return ""
	}
	s := "type " + t.Type.String()
	if t.Port != 0 {
		s += " port " + strconv.Itoa(int(t.Port))
	}
	if t.Flags&Csum != 0 {
		s += " csum"
	}
	if t.Flags&RemCsum != 0 {
		s += " remcsum"
	}
	return s
}

// String describes the destination in one line: "192.0.2.10:80 NAT weight 1".
func (d Destination) String() string {
	return d.Addr.String() + " " + strings.Join(d.Options(), " ")
}

// Options returns what the destination is set to besides its address, a word or two each.
func (d Destination) Options() []string {
	o := []string{d.Forward.String()}
	if t := d.Tunnel.String(); t != "" {
		o = append(o, t)
	}
	o = append(o, "weight "+strconv.Itoa(int(d.Weight)))
	if d.UpperThreshold != 0 || d.LowerThreshold != 0 {
		o = append(o, fmt.Sprintf("thresholds %d..%d", d.LowerThreshold, d.UpperThreshold))
	}
	return o
}
