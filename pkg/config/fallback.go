package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Schedulers that hash send a client to one server. When that one has weight 0, or is full, sh and mh go on to another one
// with their fallback flag; without it, and under dh always, the kernel drops the client's packets. So the flag is set where
// it is needed, unless the file says no: then, and under dh, servers with weight 0 are not in the table (package desired).

// isFallback says whether a word is the flag of a scheduler that lets a client pass over a server that takes none.
func isFallback(name string) bool { return name == "sh-fallback" || name == "mh-fallback" }

// inhibits is inhibit_on_failure when it is not written. Where a server with weight 0 would be removed all the same it has no
// place to keep.
func inhibits(s *ipvs.Service) bool {
	return !s.DropsClients() && defaultUnder(s.Scheduler, "inhibit_on_failure").(bool)
}

// fallback returns the flag that the services need in addition, and says what becomes of servers that take no clients.
func (r *resolver) fallback(b *block, vs *VirtualServer, s *ipvs.Service) ipvs.ServiceFlags {
	name := s.Scheduler + "-fallback"
	hashes := s.Scheduler == "dh" || isFallback(name)
	decided := b.value(name)
	if decided == nil && isFallback(name) {
		decided = b.value("flag-1")
	}
	if !hashes || decided != nil && (decided.data == nil || !s.DropsClients()) {
		return 0
	}
	empty, full := r.takesNone(b, vs)
	why := make([]string, 0, 2)
	if len(empty) > 0 {
		why = append(why, "a server may have weight 0 ("+words(empty)+")")
	}
	if len(full) > 0 {
		why = append(why, "a server may be full ("+words(full)+")")
	}
	causes := slices.Concat(empty, full)
	switch reason := strings.Join(why, ", and "); {
	case len(causes) == 0:
		return 0
	case isFallback(name) && decided == nil:
		r.warn(causes[0].at, fmt.Sprintf("write %s = true; with false such servers are removed instead", name),
			"%s is set: %s, and without it %s drops the clients that hash to it", name, reason, s.Scheduler)
		return ipvs.SHFallback
	case len(empty) > 0:
		r.warn(causes[0].at, r.fallbackHint(name), "%s drops the clients that hash to a server that takes none: %s; "+
			"one with weight 0 is removed instead", s.Scheduler, reason)
	default:
		r.warn(causes[0].at, r.fallbackHint(name), "%s drops the clients that hash to a server that takes none: %s",
			s.Scheduler, reason)
	}
	return 0
}

func (r *resolver) fallbackHint(name string) string {
	if isFallback(name) {
		return fmt.Sprintf("with %s = true they go to other servers", name)
	}
	return "dh has no fallback; sh and mh have one"
}

// mayTakeNone says whether a server may come to take no clients, for which takesNone returns the reasons.
func mayTakeNone(vs *VirtualServer) bool {
	if vs.DrainTimeout > 0 || vs.SorryInhibit && len(vs.SorryServers) > 0 {
		return true
	}
	list := slices.Collect(vs.Servers())
	for i := range vs.Members {
		list = append(list, &vs.Members[i].Server)
	}
	for _, rs := range list {
		if rs.Destination.Weight == 0 || rs.Destination.UpperThreshold > 0 || rs.InhibitOnFailure && len(rs.Checks) > 0 ||
			slices.ContainsFunc(rs.Checks, advises) {
			return true
		}
	}
	return false
}

// takesNone returns what is written that makes servers have weight 0, and what makes them full.
func (r *resolver) takesNone(b *block, vs *VirtualServer) (empty, full []*value) {
	add := func(list *[]*value, v *value, holds bool) {
		if holds && v != nil && v.data != nil && !slices.Contains(*list, v) {
			*list = append(*list, v)
		}
	}
	list := slices.Concat(b.reals, b.members)
	for i, real := range list {
		rs := &RealServer{}
		if i < len(b.reals) {
			rs = &vs.RealServers[i]
		} else {
			rs = &vs.Members[i-len(b.reals)].Server
		}
		add(&empty, written("weight", real, b), rs.Destination.Weight == 0)
		add(&empty, written("inhibit_on_failure", real, b), rs.InhibitOnFailure && len(rs.Checks) > 0)
		add(&empty, r.advises(b, real, rs), true)
		add(&full, written("uthreshold", real, b), rs.Destination.UpperThreshold > 0)
	}
	for i, sorry := range b.sorry {
		add(&full, written("uthreshold", sorry), vs.SorryServers[i].Destination.UpperThreshold > 0)
	}
	add(&empty, b.value("sorry_server_inhibit"), vs.SorryInhibit && len(vs.SorryServers) > 0)
	add(&empty, b.value("drain_timeout"), vs.DrainTimeout > 0)
	return empty, full
}

// advises says whether a check may give its server another weight, and thus 0.
func advises(id health.ID) bool {
	switch s := id.Check().Spec.(type) {
	case health.Agent:
		return true
	case health.HTTP:
		return s.Weight != ""
	case health.Misc:
		return s.Dynamic || s.Plugin
	case health.File:
		return s.Weighed
	}
	return false
}

// advises returns where a server has a check that may give it another weight, nil if it has none.
func (r *resolver) advises(vs, real *block, rs *RealServer) *value {
	i := slices.IndexFunc(rs.Checks, advises)
	if i < 0 {
		return nil
	}
	t := typeNamed[rs.Checks[i].Check().Type]
	for _, b := range slices.Concat(real.checks, vs.checks) {
		if b.in == t.in {
			return &value{keyword: keywordsIn[inVirtual][t.name], data: true, at: b.at()}
		}
	}
	return nil
}

// written returns what is written for a keyword in the first block that has it, nil if nothing is.
func written(name string, from ...*block) *value {
	for _, b := range from {
		if b == nil {
			continue
		}
		if v := b.value(name); v != nil {
			return v
		}
	}
	return nil
}

// words lists the keywords of values, each once.
func words(values []*value) string {
	var list []string
	for _, v := range values {
		if !slices.Contains(list, v.keyword.name) {
			list = append(list, v.keyword.name)
		}
	}
	return strings.Join(list, ", ")
}
