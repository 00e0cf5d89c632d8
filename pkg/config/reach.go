package config

import (
	"iter"
	"net/netip"
	"strconv"

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

// Subjects returns each check once, and what it is in words that other versions have, too: of which server, of which virtual server, and the
// how manieth of its type there. Of one that many servers share the first counts.
func (c *Config) Subjects() iter.Seq2[health.ID, string] {
	return func(yield func(health.ID, string) bool) {
		seen := make(map[health.ID]bool)
		for _, vs := range c.VirtualServers {
			equals := make(map[string]int)
			for rs := range vs.Servers() {
				for _, id := range rs.Checks {
					subject := vs.Name + ", " + rs.Destination.Addr.String() + ", " + id.Check().Type
					equals[subject]++
					if seen[id] {
						continue
					}
					seen[id] = true
					if !yield(id, subject+" "+strconv.Itoa(equals[subject])) {
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
