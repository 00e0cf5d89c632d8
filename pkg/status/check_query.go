package status

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// CheckQuery says in words which checks are meant. An empty word says nothing.
type CheckQuery struct {
	Server  string // address of a real server, with or without port
	Service string // as it is printed: "tcp 192.0.2.1:80", "group WEB tcp"
	Type    string // HTTP_GET
	State   string // up, down or unchecked
}

// CheckFilter is a CheckQuery that was understood.
type CheckFilter struct {
	server  netip.AddrPort // port 0: any
	service ipvs.ServiceKey
	group   string
	kind    string
	state   health.State
	q       CheckQuery
}

// Filter reads the words.
func (q CheckQuery) Filter() (*CheckFilter, error) {
	f := &CheckFilter{q: q, kind: q.Type}
	if q.Server != "" {
		at, err := netip.ParseAddrPort(q.Server)
		if err != nil {
			var addr netip.Addr
			if addr, err = netip.ParseAddr(strings.Trim(q.Server, "[]")); err != nil {
				return nil, fmt.Errorf("server %q is no address, with or without a port", q.Server)
			}
			at = netip.AddrPortFrom(addr, 0)
		}
		f.server = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	}
	if strings.HasPrefix(q.Service, "group ") {
		f.group = q.Service
	} else if q.Service != "" {
		var err error
		if f.service, err = ipvs.ParseServiceKey(q.Service); err != nil {
			return nil, err
		}
	}
	if q.State != "" {
		if err := f.state.UnmarshalText([]byte(q.State)); err != nil {
			return nil, fmt.Errorf("state %w", err)
		}
	}
	return f, nil
}

// Serves says whether a server is meant, as far as the query is about servers.
func (f *CheckFilter) Serves(s CheckedBy) bool {
	switch {
	case f.q.Server != "" && (s.Server.Addr() != f.server.Addr() || f.server.Port() != 0 && s.Server.Port() != f.server.Port()):
		return false
	case f.group != "":
		return s.Group == f.group
	}
	return f.q.Service == "" || s.Service == f.service
}

// Match says whether a check is meant, as far as the query is about checks.
func (f *CheckFilter) Match(c *Check) bool {
	return c.Type == cmp.Or(f.kind, c.Type) && (f.q.State == "" || c.State == f.state)
}
