package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// claims asks whether somebody else says that a service's address is his: a real server that answers ARP, or another director.
func claims(f *Facts, r *Report) {
	by := map[netip.Addr][]Claim{}
	for _, c := range f.Claims {
		if !slices.ContainsFunc(by[c.Addr], func(o Claim) bool { return o.MAC == c.MAC }) {
			by[c.Addr] = append(by[c.Addr], c)
		}
	}
	for _, vip := range f.Asked {
		list := by[vip]
		ours := f.holder(vip) != nil
		if len(list) == 0 || !ours && len(list) == 1 { // one that isn't here is somewhere else
			continue
		}
		for _, c := range list {
			r.found(f.claimed(c, ours))
		}
	}
	for _, vip := range f.vips() {
		if !slices.Contains(f.Asked, vip) && f.Listened > 0 {
			r.unseen("vip-claimed", "whether anybody else answers for %s: it is on no Ethernet interface's network here", vip)
		}
	}
}

func (f *Facts) claimed(c Claim, ours bool) Finding {
	protocol := "ARP"
	if c.Addr.Is6() {
		protocol = "neighbour discovery"
	}
	var others []string
	server := ""
	for _, n := range f.Neighbours {
		if n.MAC == c.MAC && n.Addr != c.Addr && !n.Addr.IsLinkLocalUnicast() && !slices.Contains(others, n.Addr.String()) {
			others = append(others, n.Addr.String())
			if (server == "" || n.Addr.Is4() == c.Addr.Is4()) && f.serves(n.Addr, ipvs.DR, ipvs.Tun) {
				server = n.Addr.String()
			}
		}
	}
	who := "a machine that is unknown here"
	if len(others) > 0 {
		who = "the one with " + some(others)
	}
	found := Finding{
		ID: "vip-claimed", Severity: Problem, Where: fmt.Sprintf("%s on %s", c.Addr, c.Link),
		What: fmt.Sprintf("%s answers %s for %s: %s.", c.MAC, protocol, c.Addr, who),
		Why:  "Clients and routers send to whoever answered last. Some of them go past this director, to one server, or to another director's connections.",
		Then: "If that is the other director of a pair, both are active: ipvsctl vrrp says why.",
	}
	if !ours {
		found.Why = "Two machines at least claim the address, and neither is this one. " + found.Why
	}
	if server != "" {
		found.What = fmt.Sprintf("The real server %s (%s) answers %s for %s.", server, c.MAC, protocol, c.Addr)
		found.On = server
		method := ipvs.DR
		if !f.serves(netip.MustParseAddr(server), ipvs.DR) {
			method = ipvs.Tun
		}
		found.Mend = []string{prepare(c.Addr, method.String())}
		found.Then = fmt.Sprintf("Neighbours go on with what they were told before until they ask again: \"ip neigh del %s dev INTERFACE\" there makes them.", c.Addr)
		if !strings.HasPrefix(protocol, "ARP") {
			found.Mend = nil
			found.Then = "Move the address there from its interface to lo: for IPv6 nothing else keeps a machine from answering."
		}
	}
	return found
}
