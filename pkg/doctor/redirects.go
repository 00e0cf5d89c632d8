package doctor

import (
	"fmt"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// redirects asks whether this director tells servers on its own network to pass it by. Under NAT the answers go out by the interface
// that they came in by; under DR that is so only of what a server sends through a director that is also its router.
func redirects(f *Facts, r *Report) {
	forward, _ := f.sysctl("net/ipv4/ip_forward")
	for _, link := range f.Links {
		on, known := f.strongest(link.Name, "send_redirects")
		if !known || on == 0 || forward == 0 {
			continue
		}
		severity, service := f.oneArmed(link.Name)
		if severity == "" {
			continue
		}
		found := Finding{
			ID: "send-redirects", Severity: severity, Where: link.Name,
			What: fmt.Sprintf("%s has its address and its servers on this interface's network, and the kernel sends ICMP redirects there.", service),
			Why:  "The redirects tell the servers to send their answers past this director, with the wrong address: connections break after a while.",
			Then: kept,
		}
		if severity == Note {
			found.Why = "Servers that have this director as their router are told to use another one. If they have another router, it does not matter."
		}
		for _, name := range []string{"all", link.Name} {
			path := "net/ipv4/conf/" + name + "/send_redirects"
			if on, _ := f.sysctl(path); on != 0 {
				found.Mend = append(found.Mend, set(path, 0))
			}
		}
		r.found(found)
	}
}

// oneArmed returns how bad redirects on a link are, with a service: one whose address is on the link's network as its servers are.
func (f *Facts) oneArmed(link string) (worst Severity, service string) {
	for _, s := range f.services() {
		holder := f.holder(s.Key.Addr.Addr())
		if s.Key.Family != ipvs.IPv4 || holder == nil || holder.Name != link {
			continue
		}
		for i := range s.Servers {
			way := f.route(s.Servers[i].Addr.Addr())
			if way == nil || way.Local || way.Link != link || way.Gateway.IsValid() {
				continue
			}
			if forwards(&s.Servers[i], ipvs.NAT) {
				return Warning, s.Key.String()
			}
			if forwards(&s.Servers[i], ipvs.DR) && worst == "" {
				worst, service = Note, s.Key.String()
			}
		}
	}
	return worst, service
}
