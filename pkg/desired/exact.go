package desired

import (
	"net/netip"
	"slices"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Exact returns the state in which every real server is as it is configured, whatever checks and quorums would say of it.
// Sorry servers are not there, or have weight 0 if they are to stay inhibited. What is owned and not configured is to go.
func Exact(cfg *config.Config, owned Owned) State {
	outcomes := make([]Outcome, len(cfg.VirtualServers))
	for i, vs := range cfg.VirtualServers {
		for _, s := range vs.Services {
			var servers []Destination
			for j := range vs.RealServers {
				if d, reaches := vs.RealServers[j].For(&s); reaches {
					servers = append(servers, Destination{Destination: d})
				}
			}
			for j := range vs.SorryServers {
				if d, reaches := vs.SorryServers[j].For(&s); reaches && vs.SorryInhibit {
					d.Weight = 0
					servers = append(servers, Destination{Destination: d})
				}
			}
			configured := make(map[netip.AddrPort]bool, len(servers))
			for _, d := range servers {
				configured[d.Addr] = true
			}
			for _, addr := range owned[s.ServiceKey] {
				if !configured[addr] {
					servers = append(servers, Destination{Destination: ipvs.Destination{Addr: addr}, Want: Absent})
				}
			}
			slices.SortFunc(servers, compare)
			outcomes[i].Services = append(outcomes[i].Services, Service{Service: s, Destinations: servers})
		}
	}
	return Assemble(outcomes, owned)
}

// Everything returns a record by which all of a table is ours.
func Everything(t ipvs.Table) Owned {
	o := make(Owned, len(t))
	for i := range t {
		addrs := make([]netip.AddrPort, len(t[i].Destinations))
		for j := range t[i].Destinations {
			addrs[j] = t[i].Destinations[j].Addr
		}
		o[t[i].ServiceKey] = addrs
	}
	return o
}
