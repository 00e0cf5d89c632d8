package config

import (
	"strconv"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/member"
)

// standing returns a virtual server without those that sources name, and the servers that its tables of members stand for.
func standing(vs *VirtualServer) (_ *VirtualServer, templates []RealServer) {
	if len(vs.Members) == 0 {
		return vs, nil
	}
	alone := *vs
	alone.RealServers = nil
	for _, rs := range vs.RealServers {
		if rs.From == "" {
			alone.RealServers = append(alone.RealServers, rs)
		}
	}
	for i := range vs.Members {
		templates = append(templates, vs.Members[i].Server)
	}
	return &alone, templates
}

// source writes where members come from.
func (p *printer) source(m *Members) {
	var names []string
	for _, s := range m.Sources {
		names = append(names, s.Name)
	}
	s := m.Sources[0]
	switch s.Kind {
	case member.DNS, member.SRV:
		p.set(s.Kind.String(), names)
		differs(p, "name_server", s.At, "")
	case member.Directory:
		p.set("directory", names)
	case member.Etcd:
		p.etcd(&s, defaultPrefix)
	case member.Consul:
		p.set("consul", s.At)
		p.set("service", s.Name)
		differs(p, "token_file", s.Secret, "")
	}
	p.certificates(&s.Access)
	if m.Tags != nil {
		p.set("tags", m.Tags)
	}
	differs(p, "port", int64(m.Port), 0)
	if m.Minimum != defaultOf("minimum").(health.Share) {
		if m.Minimum.Percent > 0 {
			p.set("minimum", strconv.Itoa(m.Minimum.Percent)+"%")
		} else {
			p.set("minimum", int64(m.Minimum.Count))
		}
	}
}

// etcd writes where keys of an etcd are.
func (p *printer) etcd(s *member.Source, prefix string) {
	p.set("etcd", strings.Split(s.At, ","))
	differs(p, "prefix", s.Name, prefix)
	differs(p, "user", s.User, "")
	differs(p, "password_file", s.Secret, "")
}

// certificates writes whose are trusted, and which one is shown.
func (p *printer) certificates(a *member.Access) {
	differs(p, "ca", a.CA, "")
	differs(p, "certificate", a.Certificate, "")
	if a.Key != a.Certificate {
		p.set("key", a.Key)
	}
}

// wishes writes the etcd where directors meet.
func (p *printer) wishes(s member.Source) {
	if s == (member.Source{}) {
		return
	}
	p.table("", "[global_defs.wishes]")
	p.etcd(&s, wishesPrefix)
	p.certificates(&s.Access)
}
