package config

import (
	"iter"
	"net/netip"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// For returns the server as a destination of one of the services of its virtual server, and false if that service can't
// reach it: a group may have services of both families, and only a tunnel leads from one to the other.
func (rs *RealServer) For(s *ipvs.Service) (ipvs.Destination, bool) {
	d := rs.Destination
	if d.Addr.Port() == 0 {
		d.Addr = netip.AddrPortFrom(d.Addr.Addr(), s.Addr.Port())
	}
	return d, d.Forward == ipvs.Tun || ipvs.FamilyOf(d.Addr.Addr()) == s.Family
}

// Checks returns every check of every server, the same one as often as it is there.
func (c *Config) Checks() iter.Seq[health.ID] {
	return func(yield func(health.ID) bool) {
		for _, vs := range c.VirtualServers {
			for rs := range vs.Servers() {
				for _, check := range rs.Checks {
					if !yield(check) {
						return
					}
				}
			}
		}
	}
}

// Servers returns the real servers, then the sorry servers.
func (vs *VirtualServer) Servers() iter.Seq[*RealServer] {
	return func(yield func(*RealServer) bool) {
		for _, list := range [][]RealServer{vs.RealServers, vs.SorryServers} {
			for i := range list {
				if !yield(&list[i]) {
					return
				}
			}
		}
	}
}
