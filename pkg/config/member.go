package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/member"
)

// Members is a table of members: where real servers come from that are not in the file, and what they become.
type Members struct {
	member.Rule
	Port       uint16 // of those whose source says none; 0: the service's
	IPv4, IPv6 bool   // the families that can be servers here
	// Server is what each becomes. It has no address, and its checks go to the unspecified one; port 0 is the server's.
	Server RealServer
}

// nowhere is the server of a table of members, and the target of its checks.
var nowhere = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)

// unspoken are the sources, and what of the other keywords works with them.
var unspoken = []struct {
	source string
	kind   member.Kind
	others []string
}{
	{"dns", member.DNS, []string{"name_server"}},
	{"srv", member.SRV, []string{"name_server"}},
	{"directory", member.Directory, nil},
	{"etcd", member.Etcd, []string{"prefix", "user", "password_file", "ca", "certificate", "key"}},
	{"consul", member.Consul, []string{"service", "token_file", "ca", "certificate", "key"}},
}

// members resolves the tables of members of a virtual server.
func (r *resolver) members(vs *block, s *ipvs.Service, sv *served) (list []Members) {
	for _, b := range vs.members {
		m := Members{Port: uint16(given[int64]("port", b))}
		m.Tags = given[[]string]("tags", b)
		m.Minimum, _ = lookup[health.Share]("minimum", b)
		how, _ := r.method(vs, b)
		if sv != nil {
			m.IPv4, m.IPv6 = r.admits(ipvs.IPv4, sv, how.Forward), r.admits(ipvs.IPv6, sv, how.Forward)
			if i := slices.IndexFunc(sv.ports, func(p uint16) bool { return p != m.Port }); m.Port != 0 && how.Forward != ipvs.NAT && i >= 0 {
				r.fail(b.value("port").at, `leave it out, or use lb_kind = "NAT"`, "under %s a server has the service's port %d, not %d: packets are not changed",
					how.Forward, sv.ports[i], m.Port)
			}
		}
		m.Server, _ = r.settings(vs, b, s)
		m.Server.Destination.Addr = nowhere
		m.Server.Checks = r.checks(vs, b, nowhere)
		r.verdict(vs, b, &m.Server)
		m.Sources = r.sources(b, &m)
		list = append(list, m)
	}
	return list
}

// admits says whether servers of a family can have clients of the services: what families reports.
func (r *resolver) admits(f ipvs.Family, sv *served, how ipvs.Forward) bool {
	other := ipvs.IPv4
	if f == ipvs.IPv4 {
		other = ipvs.IPv6
	}
	if how != ipvs.Tun {
		return sv.has(f)
	}
	return !sv.has(other) || !r.syncs()
}

// sources returns where the members of a table come from.
func (r *resolver) sources(b *block, m *Members) (list []member.Source) {
	var kind member.Kind
	var first *value
	allowed := make(map[string]bool)
	for _, k := range unspoken {
		v := b.value(k.source)
		switch {
		case v == nil:
			continue
		case first != nil:
			r.fail(v.key, "make two tables [[virtual_server.members]] of it", "%s and %s are two sources", first.keyword.name, k.source)
			return nil
		}
		first, kind = v, k.kind
		for _, name := range k.others {
			allowed[name] = true
		}
	}
	if first == nil {
		if b.lacks("dns", "srv", "directory", "etcd", "consul") {
			r.fail(b.at(), `write dns = "web.example.org", or srv, directory, etcd or consul`, "members come from nowhere")
		}
		return nil
	}
	for _, k := range unspoken {
		for _, name := range k.others {
			if v := b.value(name); v != nil && !allowed[name] {
				r.fail(v.key, "leave it out", "%s means nothing with %s", name, first.keyword.name)
				allowed[name] = true
			}
		}
	}
	source := member.Source{Kind: kind, Access: r.access(b)}
	switch kind {
	case member.Etcd:
		return []member.Source{r.etcd(b, defaultPrefix)}
	case member.Consul:
		source.At, source.Name = given[string]("consul", b), given[string]("service", b)
		if b.lacks("service") {
			r.fail(first.key, `add service = "web"`, "consul names no service")
		}
		return []member.Source{source}
	case member.DNS, member.SRV:
		source.IPv4, source.IPv6 = m.IPv4, m.IPv6
		if at := given[endpoint]("name_server", b); at.addr.IsValid() {
			source.At = netip.AddrPortFrom(at.addr, cmp.Or(at.port, 53)).String()
		}
	case member.Directory:
	}
	for name := range items[string](b, first.keyword.name) {
		source.Name = name
		list = append(list, source)
	}
	if len(list) == 0 && first.data != nil {
		r.fail(first.at, "name one", "%s is an empty list", first.keyword.name)
	}
	return list
}

// etcd returns where keys of an etcd are.
func (r *report) etcd(b *block, prefix string) member.Source {
	var endpoints []string
	for e := range items[string](b, "etcd") {
		endpoints = append(endpoints, e)
	}
	if v := b.value("etcd"); len(endpoints) == 0 && v != nil && v.data != nil {
		r.fail(v.at, `write etcd = ["http://10.0.0.5:2379"]`, "etcd names no endpoint")
	}
	return member.Source{
		Kind: member.Etcd, Name: cmp.Or(given[string]("prefix", b), prefix), At: strings.Join(endpoints, ","), Access: r.access(b),
	}
}

// access returns how etcd or Consul is told who asks.
func (r *report) access(b *block) member.Access {
	a := member.Access{
		CA: given[string]("ca", b), Certificate: given[string]("certificate", b), Key: given[string]("key", b),
		User: given[string]("user", b), Secret: cmp.Or(given[string]("password_file", b), given[string]("token_file", b)),
	}
	for _, pair := range [][2]string{{"key", "certificate"}, {"password_file", "user"}, {"user", "password_file"}} {
		if v := b.value(pair[0]); v != nil && b.lacks(pair[1]) {
			r.fail(v.key, "add "+pair[1], "%s works only with %s", pair[0], pair[1])
		}
	}
	if a.Key == "" {
		a.Key = a.Certificate
	}
	return a
}

// Unfit is a member that can't be a server, and why.
type Unfit struct {
	member.Pooled
	Why string
}

// Join returns the virtual server with the members of pools, one for each of its tables. Those that can't be servers of it are
// left out. A server of the file stays as it is there.
func (vs *VirtualServer) Join(pools []member.Pool) (*VirtualServer, []Unfit) {
	joined := *vs
	joined.RealServers = slices.Clone(vs.RealServers)
	seen := make(map[netip.AddrPort]bool)
	for rs := range vs.Servers() {
		seen[rs.Destination.Addr] = true
	}
	var unfit []Unfit
	for i := range vs.Members {
		for _, p := range pools[i].Members {
			rs, err := vs.Members[i].become(vs, &p)
			switch {
			case err != nil:
				unfit = append(unfit, Unfit{p, err.Error()})
			case !seen[rs.Destination.Addr]:
				seen[rs.Destination.Addr] = true
				joined.RealServers = append(joined.RealServers, rs)
			}
		}
	}
	return &joined, unfit
}

// become returns the real server that a member is.
func (m *Members) become(vs *VirtualServer, p *member.Pooled) (RealServer, error) {
	rs := m.Server
	how := rs.Destination.Forward
	if f := ipvs.FamilyOf(p.Addr); f == ipvs.IPv4 && !m.IPv4 || f == ipvs.IPv6 && !m.IPv6 {
		return rs, fmt.Errorf("it is %s, and the service is not", ipName(f))
	}
	common := vs.port()
	port := cmp.Or(p.Port, m.Port, common)
	if how != ipvs.NAT && port != 0 {
		for i := range vs.Services {
			if k := vs.Services[i].ServiceKey; k.FWMark == 0 && k.Addr.Port() != port {
				return rs, fmt.Errorf("under %s a server has the service's port %d, not %d: packets are not changed", how, k.Addr.Port(), port)
			}
		}
	}
	rs.Destination.Addr = netip.AddrPortFrom(p.Addr, port)
	if p.Weight != nil {
		rs.Destination.Weight = *p.Weight
	}
	rs.Name, rs.Tags, rs.From = p.Name, p.Tags, p.From
	rs.Checks = make([]health.ID, 0, len(m.Server.Checks))
	for _, id := range m.Server.Checks {
		c, err := aimed(id.Check(), rs.Destination.Addr)
		if err != nil {
			return rs, err
		}
		if id := c.ID(); !slices.Contains(rs.Checks, id) {
			rs.Checks = append(rs.Checks, id)
		}
	}
	return rs, nil
}

// port returns the port that all services have, 0 if there is none.
func (vs *VirtualServer) port() uint16 {
	var port uint16
	for i := range vs.Services {
		k := &vs.Services[i].ServiceKey
		if k.FWMark != 0 || i > 0 && k.Addr.Port() != port {
			return 0
		}
		port = k.Addr.Port()
	}
	return port
}

// aimed points a check of a table of members at a server: what aimAt does.
func aimed(c health.Check, server netip.AddrPort) (health.Check, error) {
	t := typeNamed[c.Type]
	ip, port := c.Target.Addr(), c.Target.Port()
	if ip == nowhere.Addr() {
		ip = server.Addr()
	}
	if port == 0 && t.aim != atHost {
		if port = server.Port(); port == 0 {
			port = t.home(modeOf(c.Spec))
		}
	}
	c.Target = netip.AddrPortFrom(ip, port)
	switch source := c.Source.Addr(); {
	case t.aim == atPort && port == 0:
		return c, fmt.Errorf("it has no port that %s could connect to", c.Type)
	case source.IsUnspecified() && ip.Is6():
		c.Source = netip.AddrPortFrom(netip.IPv6Unspecified(), c.Source.Port())
	case source.IsUnspecified():
		c.Source = netip.AddrPortFrom(netip.IPv4Unspecified(), c.Source.Port())
	case source.IsValid() && source.Is4() != ip.Is4():
		return c, fmt.Errorf("bindto of %s is of the other family", c.Type)
	}
	if ip.Is6() && ip.IsLinkLocalUnicast() && c.Interface == "" && t.in&inNetwork != 0 {
		return c, fmt.Errorf("%s needs bind_if for a link-local address", c.Type)
	}
	return c, nil
}
