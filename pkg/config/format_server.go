package config

import (
	"slices"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// settings are what a virtual server may say for all its servers.
type settings struct {
	how                  forwarding
	weight, upper, lower int64
	inhibit              bool
	needed               int64
	slowStart            time.Duration
	off                  bool
}

func settingsOf(rs *RealServer) settings {
	d := &rs.Destination
	return settings{forwarding{d.Forward, d.Tunnel}, int64(d.Weight), int64(d.UpperThreshold), int64(d.LowerThreshold),
		rs.InhibitOnFailure, int64(rs.Needed), rs.SlowStart, rs.Off}
}

// defaultSettings are those of a server of which nothing is written.
func defaultSettings(s *ipvs.Service) settings {
	return settings{defaultOf("lb_kind").(forwarding), defaultOf("weight").(int64), defaultOf("uthreshold").(int64),
		defaultOf("lthreshold").(int64), inhibits(s), defaultOf("checks_needed").(int64), defaultOf("slow_start").(time.Duration), false}
}

// write writes the settings that differ from what would hold anyway.
func (s settings) write(p *printer, anyway settings) {
	differs(p, "lb_kind", s.how, anyway.how)
	differs(p, "weight", s.weight, anyway.weight)
	differs(p, "uthreshold", s.upper, anyway.upper)
	differs(p, "lthreshold", s.lower, anyway.lower)
	differs(p, "inhibit_on_failure", s.inhibit, anyway.inhibit)
	if s.needed != anyway.needed {
		var words any = s.needed
		switch s.needed {
		case 0:
			words = "all"
		case 1:
			words = "any"
		}
		p.set("checks_needed", words)
	}
	differs(p, "slow_start", s.slowStart, anyway.slowStart)
	if s.off != anyway.off {
		p.set("checks", "off")
	}
}

// servers writes the servers of a virtual server, and before them what they share.
func (p *printer) servers(vs *VirtualServer) {
	vs, templates := standing(vs)
	all := *vs
	all.RealServers = slices.Concat(vs.RealServers, templates)
	anyway := defaultSettings(&vs.Services[0])
	shared := anyway
	if len(all.RealServers) > 0 {
		shared = common(all.RealServers, anyway)
	}
	shared.off = false
	shared.needed = neededOf(&all)
	shared.write(p, anyway)
	checks, alike := p.sharedChecks(&all)
	if alike && len(all.RealServers)+len(vs.SorryServers) > 0 {
		checks.write(p)
	}
	own := func(rs *RealServer) (words checkWords, needed bool) {
		words = p.checksOf(rs)
		return words, !rs.Off && (!alike && len(words) > 0 || alike && words.String() != checks.String())
	}

	sorry := shared // of sorry servers only the way to them is shared
	sorry.weight, sorry.upper, sorry.lower, sorry.inhibit, sorry.slowStart = anyway.weight, anyway.upper, anyway.lower, false, 0
	if len(vs.SorryServers) > 0 {
		if how := common(vs.SorryServers, sorry).how; how != sorry.how {
			p.set("sorry_server_lvs_method", how)
			sorry.how = how
		}
	}
	differs(p, "sorry_server_inhibit", vs.SorryInhibit, false)
	simple := func(list []RealServer, anyway settings) (addrs []string) {
		for i := range list {
			rs := &list[i]
			if _, checked := own(rs); checked || settingsOf(rs).under(anyway, rs) != anyway || rs.Name != "" || rs.Tags != nil || rs.NotifyUp != nil || rs.NotifyDown != nil || rs.NoMail == p.mails {
				break
			}
			addrs = append(addrs, hostAndPort(rs.Destination.Addr))
		}
		return addrs
	}
	write := func(list []RealServer, table string, anyway settings) {
		for i := range list {
			rs := &list[i]
			p.table("  ", "[["+table+"]]")
			if rs.Destination.Addr == nowhere {
				p.source(&vs.Members[i])
			} else {
				p.set("address", hostAndPort(rs.Destination.Addr))
			}
			settingsOf(rs).under(anyway, rs).write(p, anyway)
			differs(p, "name", rs.Name, "")
			if rs.Tags != nil {
				p.set("tags", rs.Tags)
			}
			p.script("notify_up", rs.NotifyUp)
			p.script("notify_down", rs.NotifyDown)
			differs(p, "smtp_alert", !rs.NoMail, p.mails)
			if words, needed := own(rs); needed {
				words.write(p)
				words.writeTables(p, "    ", table)
			}
		}
	}
	sorries := vs.SorryServers
	switch short := simple(sorries, sorry); {
	case len(short) == 1 && len(sorries) == 1:
		p.set("sorry_server", short[0])
		sorries = nil
	case len(short) > 0 && len(short) == len(sorries):
		p.set("sorry_server", short)
		sorries = nil
	}
	short := simple(vs.RealServers, shared)
	if len(short) > 0 {
		p.set("real_servers", short)
	}
	if alike {
		checks.writeTables(p, "  ", "virtual_server")
	}
	write(vs.RealServers[len(short):], "virtual_server.real_server", shared)
	write(templates, "virtual_server.members", shared)
	write(sorries, "virtual_server.sorry_server", sorry)
}

// under returns the settings of a server where others would hold anyway: without checks it doesn't matter how many must pass.
func (s settings) under(anyway settings, rs *RealServer) settings {
	if len(rs.Checks) == 0 {
		s.needed = anyway.needed
	}
	return s
}

// neededOf returns checks_needed of all servers with checks, sorry servers too, and the default where they differ.
func neededOf(vs *VirtualServer) int64 {
	needed, known := defaultOf("checks_needed").(int64), false
	for rs := range vs.Servers() {
		switch {
		case len(rs.Checks) == 0:
		case !known:
			needed, known = int64(rs.Needed), true
		case int64(rs.Needed) != needed:
			return defaultOf("checks_needed").(int64)
		}
	}
	return needed
}

// common returns the settings that all servers share, and the given ones where they differ.
func common(list []RealServer, otherwise settings) settings {
	s := settingsOf(&list[0])
	for i := range list[1:] {
		o := settingsOf(&list[i+1])
		if o.how != s.how {
			s.how = otherwise.how
		}
		if o.weight != s.weight {
			s.weight = otherwise.weight
		}
		if o.upper != s.upper || o.lower != s.lower {
			s.upper, s.lower = otherwise.upper, otherwise.lower
		}
		if o.inhibit != s.inhibit {
			s.inhibit = otherwise.inhibit
		}
		if o.slowStart != s.slowStart {
			s.slowStart = otherwise.slowStart
		}
	}
	return s
}
