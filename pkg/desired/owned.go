package desired

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Owned records which services and servers are ours, because the kernel can't: IPVS has no room for an owner's name. It
// outlives the process, so that what a configuration dropped while the daemon was not running is still cleared away,
// and what others put into the table never is. Its JSON form is {"tcp 192.0.2.1:80": ["192.0.2.10:80"]}.
type Owned map[ipvs.ServiceKey][]netip.AddrPort

// Of returns what a configuration puts, or may put, into the kernel.
func Of(cfg *config.Config) Owned {
	o := make(Owned, len(cfg.VirtualServers))
	for _, vs := range cfg.VirtualServers {
		for i := range vs.Services {
			o[vs.Services[i].ServiceKey] = servers(vs, &vs.Services[i])
		}
	}
	return o
}

// servers returns the addresses of all servers that a service may have, sorted.
func servers(vs *config.VirtualServer, s *ipvs.Service) []netip.AddrPort {
	addrs := make([]netip.AddrPort, 0, len(vs.RealServers)+len(vs.SorryServers))
	for rs := range vs.Servers() {
		if d, reaches := rs.For(s); reaches {
			addrs = append(addrs, d.Addr)
		}
	}
	slices.SortFunc(addrs, netip.AddrPort.Compare)
	return slices.Compact(addrs)
}

// Union returns all that is in o or in p. Neither is changed, but the result may share lists with them.
func (o Owned) Union(p Owned) Owned {
	u := maps.Clone(o)
	if u == nil {
		u = make(Owned, len(p))
	}
	for key, servers := range p {
		if !slices.Equal(u[key], servers) || u[key] == nil {
			all := slices.Concat(u[key], servers)
			slices.SortFunc(all, netip.AddrPort.Compare)
			u[key] = slices.Compact(all)
		}
	}
	return u
}

// Equal says whether both record the same.
func (o Owned) Equal(p Owned) bool {
	if len(o) != len(p) {
		return false
	}
	for key, servers := range o {
		other, ok := p[key]
		if !ok || !slices.Equal(servers, other) {
			return false
		}
	}
	return true
}
