package lab

import (
	"net/netip"
	"strconv"
)

// Tunnel is what Decapsulate has to expect.
type Tunnel struct {
	Type     string // ipip, gue or gre
	Port     uint16 // of gue
	Checksum bool   // of gre, which takes either packets with a checksum or those without
	IPv6     bool   // whether the packets inside are IPv6
}

// Decapsulate has the host unwrap the packets that come through a tunnel to one of its addresses, from wherever, until the
// returned function is called. Nothing is sent back through the tunnel.
func (h *Host) Decapsulate(at netip.Addr, t Tunnel) (stop func()) {
	h.tb.Helper()
	family := "-4"
	if at.Is6() {
		family = "-6"
	}
	var device []string
	switch {
	case t.Type == "gre" && at.Is6():
		device = []string{"ip6gre"}
	case t.Type == "gre":
		device = []string{"gre"}
	case at.Is6(): // in gue is what ipip has, too
		device = []string{"ip6tnl", "mode", "any"}
	case t.IPv6:
		device = []string{"sit"}
	default:
		device = []string{"ipip"}
	}
	if t.Checksum && t.Type == "gre" {
		device = append(device, "icsum")
	}
	h.Run(append([]string{"ip", family, "link", "add", "tunnel", "type"}, append(device, "local", at.String(), "remote", "any")...)...)
	h.LinkUp("tunnel")
	if t.Type != "gue" {
		return func() { h.Run("ip", "link", "delete", "tunnel") }
	}
	h.Run("modprobe", "-a", "fou", "fou6") // ip does not ask for them
	port := strconv.Itoa(int(t.Port))
	h.Run("ip", family, "fou", "add", "port", port, "gue")
	return func() {
		h.Run("ip", family, "fou", "del", "port", port)
		h.Run("ip", "link", "delete", "tunnel")
	}
}
