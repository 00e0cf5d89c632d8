package lab

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Bridge is an Ethernet switch. It lies in a namespace of its own, so that no host sees the other's traffic pass.
type Bridge struct {
	on    *Host
	name  string
	mtu   int
	ports int
	of    map[*Host]string // interface of the switch, by the host at its other end: the last one
}

// NewBridge makes a switch for frames of mtu bytes. It forwards at once and floods multicast.
func NewBridge(tb TB, name string, mtu int) *Bridge {
	tb.Helper()
	b := &Bridge{on: NewHost(tb, name), name: "br0", mtu: mtu, of: make(map[*Host]string)}
	b.on.Run("ip", "link", "add", b.name, "mtu", strconv.Itoa(mtu), "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
	b.on.LinkUp(b.name)
	return b
}

// Connect gives the host an interface on the bridge, up, with addresses such as "10.0.100.2/24".
func (h *Host) Connect(b *Bridge, ifname string, prefixes ...string) {
	h.tb.Helper()
	b.ports++
	port := fmt.Sprintf("port%d", b.ports)
	b.of[h] = port
	err := b.on.Do(func() error {
		bridge, err := netlink.LinkByName(b.name)
		if err != nil {
			return fmt.Errorf("bridge: %w", err)
		}
		veth := &netlink.Veth{
			LinkAttrs:     netlink.LinkAttrs{Name: port, MTU: b.mtu, MasterIndex: bridge.Attrs().Index},
			PeerName:      ifname,
			PeerNamespace: netlink.NsFd(h.handle),
		}
		if err := netlink.LinkAdd(veth); err != nil {
			return fmt.Errorf("add veth: %w", err)
		}
		return linkUp(port)
	})
	if err == nil {
		err = h.Do(func() error {
			link, err := netlink.LinkByName(ifname)
			if err != nil {
				return err
			}
			if err := netlink.LinkSetMTU(link, b.mtu); err != nil {
				return fmt.Errorf("mtu %d: %w", b.mtu, err)
			}
			return linkUp(ifname)
		})
	}
	if err != nil {
		h.tb.Fatalf("connect %s of %s to %s: %v", ifname, h.Name, b.on.Name, err)
	}
	for _, p := range prefixes {
		h.AddAddress(ifname, p)
	}
}

// Unplug pulls the host's cable out of the switch: its interface loses the carrier.
func (b *Bridge) Unplug(h *Host) { b.on.LinkDown(b.of[h]) }

// Plug puts it in again.
func (b *Bridge) Plug(h *Host) { b.on.LinkUp(b.of[h]) }

// Silence has the switch drop all that comes from the host and goes to it, which the host can't know: the carrier stays.
func (b *Bridge) Silence(h *Host) {
	b.on.Run("bridge", "link", "set", "dev", b.of[h], "state", "disabled")
}

// Deafen has the switch drop all that goes to the host, whose own frames pass.
func (b *Bridge) Deafen(h *Host) {
	b.on.Run("tc", "qdisc", "add", "dev", b.of[h], "root", "netem", "loss", "100%")
}

// Hear ends a Silence.
func (b *Bridge) Hear(h *Host) {
	b.on.Run("bridge", "link", "set", "dev", b.of[h], "state", "forwarding")
}

// Impair has the switch treat what goes to the host as netem(8) says: "loss", "5%".
func (b *Bridge) Impair(h *Host, how ...string) { b.on.Impair(b.of[h], how...) }

// Mend ends that, and a Deafen.
func (b *Bridge) Mend(h *Host) { b.on.Mend(b.of[h]) }

// Impair treats what the host sends by an interface as netem(8) says.
func (h *Host) Impair(ifname string, how ...string) {
	h.tb.Helper()
	h.Run(append([]string{"tc", "qdisc", "replace", "dev", ifname, "root", "netem"}, how...)...)
}

// Mend ends that.
func (h *Host) Mend(ifname string) {
	h.tb.Helper()
	h.Run("tc", "qdisc", "delete", "dev", ifname, "root")
}

// AddAddress adds an address such as "10.0.100.2/24". IPv6 ones can be used at once, without duplicate detection. Those
// with all 128 bits, which are VIPs, are nobody's source: the kernel would take them for the nearest to their neighbours.
func (h *Host) AddAddress(ifname, prefix string) {
	h.tb.Helper()
	h.changeAddress(ifname, prefix, netlink.AddrAdd)
}

// DeleteAddress takes it away again.
func (h *Host) DeleteAddress(ifname, prefix string) {
	h.tb.Helper()
	h.changeAddress(ifname, prefix, netlink.AddrDel)
}

func (h *Host) changeAddress(ifname, prefix string, change func(netlink.Link, *netlink.Addr) error) {
	h.tb.Helper()
	err := h.Do(func() error {
		addr, err := netlink.ParseAddr(prefix)
		if err != nil {
			return err
		}
		if addr.IP.To4() == nil {
			addr.Flags = unix.IFA_F_NODAD
			if ones, bits := addr.Mask.Size(); ones == bits {
				addr.ValidLft, addr.PreferedLft = math.MaxUint32, 0 // for ever, for ever deprecated
			}
		}
		link, err := netlink.LinkByName(ifname)
		if err != nil {
			return err
		}
		return change(link, addr)
	})
	if err != nil {
		h.tb.Fatalf("address %s on %s of %s: %v", prefix, ifname, h.Name, err)
	}
}

// DefaultRoute sends what is not for a neighbour to the gateway.
func (h *Host) DefaultRoute(gateway netip.Addr) {
	h.tb.Helper()
	all := net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}
	if gateway.Is6() {
		all = net.IPNet{IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)}
	}
	err := h.Do(func() error { return netlink.RouteAdd(&netlink.Route{Dst: &all, Gw: gateway.AsSlice()}) })
	if err != nil {
		h.tb.Fatalf("default route of %s via %s: %v", h.Name, gateway, err)
	}
}

// MAC returns the Ethernet address of an interface.
func (h *Host) MAC(ifname string) (address string) {
	h.tb.Helper()
	err := h.Do(func() error {
		link, err := netlink.LinkByName(ifname)
		if err == nil {
			address = link.Attrs().HardwareAddr.String()
		}
		return err
	})
	if err != nil {
		h.tb.Fatalf("link %s of %s: %v", ifname, h.Name, err)
	}
	return address
}

// LinkUp brings an interface up.
func (h *Host) LinkUp(ifname string) {
	h.tb.Helper()
	if err := h.Do(func() error { return linkUp(ifname) }); err != nil {
		h.tb.Fatalf("host %s: %v", h.Name, err)
	}
}

// LinkDown takes an interface down. Its routes go away, its IPv4 addresses stay.
func (h *Host) LinkDown(ifname string) {
	h.tb.Helper()
	err := h.Do(func() error {
		link, err := netlink.LinkByName(ifname)
		if err != nil {
			return err
		}
		return netlink.LinkSetDown(link)
	})
	if err != nil {
		h.tb.Fatalf("link %s of %s down: %v", ifname, h.Name, err)
	}
}

// Sysctl sets a variable of the host's network, such as "net.ipv4.ip_forward". An interface name with a dot in it can't
// be part of it.
func (h *Host) Sysctl(key, value string) {
	h.tb.Helper()
	path := "/proc/sys/" + strings.ReplaceAll(key, ".", "/")
	if err := h.Do(func() error { return os.WriteFile(path, []byte(value), 0o644) }); err != nil {
		h.tb.Fatalf("sysctl %s=%s on %s: %v", key, value, h.Name, err)
	}
}
