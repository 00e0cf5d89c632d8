package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// arpOfServers asks, on a real server of DR or TUN, whether it keeps silent about the service's address that it has on lo.
func arpOfServers(f *Facts, r *Report) {
	held := f.heldForOthers()
	if len(held) == 0 {
		return
	}
	for _, s := range []struct {
		id, name string
		least    int
		why      string
	}{
		{"arp-ignore", "arp_ignore", 1, "This machine answers ARP for the address: clients and routers then send to it directly, past the director."},
		{"arp-announce", "arp_announce", 2, "This machine asks its neighbours in the name of the address, by which they learn that it is here: " +
			"clients and routers then send to it directly, past the director."},
	} {
		var open []string
		for _, l := range f.Links {
			if v, known := f.strongest(l.Name, s.name); l.Ethernet && l.Up && known && v < s.least {
				open = append(open, l.Name)
			}
		}
		if len(open) == 0 {
			continue
		}
		path := "net/ipv4/conf/all/" + s.name
		r.found(Finding{
			ID: s.id, Severity: Problem, Where: strings.Join(open, ", "),
			What: fmt.Sprintf("%s is on lo, as on a real server of DR or TUN, and %s is less than %d.", some(names(held)), s.name, s.least),
			Why:  s.why, Mend: []string{set(path, s.least)},
			Then: "Or all of it, with what undoes it: ipvsctl realserver prepare --vip " + held[0].String() + ". " + kept,
		})
	}
}

// heldForOthers returns the IPv4 addresses on lo that neighbours may ask for and that this machine doesn't balance itself.
func (f *Facts) heldForOthers() (list []netip.Addr) {
	for _, own := range f.Addresses {
		l, a := f.link(own.Link), own.Prefix.Addr()
		if l == nil || !l.Loopback || !a.Is4() || a.IsLoopback() || slices.Contains(f.vips(), a) || slices.Contains(list, a) {
			continue
		}
		near := slices.ContainsFunc(f.Links, func(o Link) bool { return o.Ethernet && f.network(o.Name, a).IsValid() })
		if near || slices.ContainsFunc(f.Prepared, func(p Prepared) bool { return p.Addr == a }) {
			list = append(list, a)
		}
	}
	return list
}

// prepare is the command that makes a machine a real server; with a method that is not the director's the kernel drops what that sends.
func prepare(vip netip.Addr, method string) string {
	command := "ipvsctl realserver prepare --vip " + vip.String()
	if method == ipvs.Tun.String() {
		command += " --method TUN"
	}
	return command
}

// directMethods are those whose servers answer past the director.
var directMethods = []ipvs.Forward{ipvs.DR, ipvs.Tun}

// vipOfServers asks, on a real server, whether the addresses that it was prepared for are still there; on a director it can't be known.
func vipOfServers(f *Facts, r *Report) {
	for _, p := range f.Prepared {
		a := p.Addr
		if f.holder(a) != nil {
			continue
		}
		command := prepare(a, p.Method)
		if p.Method == ipvs.DR.String() && p.Link != "lo" {
			command += " --interface " + word(p.Link)
		}
		r.found(Finding{
			ID: "vip-missing", Severity: Problem, Where: a.String(),
			What: "This machine was prepared as a real server for the address, and hasn't got it any more.",
			Why:  "It drops, or sends on, what the director sends it.",
			Mend: []string{command},
		})
	}
	var away []string
	for _, s := range f.services() {
		for i := range s.Servers {
			a := s.Servers[i].Addr.Addr()
			if way := f.route(a); forwards(&s.Servers[i], directMethods...) && (way == nil || !way.Local) && !slices.Contains(away, a.String()) {
				away = append(away, a.String())
			}
		}
	}
	if len(away) > 0 {
		r.unseen("vip-missing", "whether %s have the services' addresses, under DR and TUN. On each of them: ipvsctl realserver verify --vip ADDRESS", some(away))
	}
}
