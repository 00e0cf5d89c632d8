package config

import (
	"strings"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// settings are what a virtual server may say for all its servers.
type settings struct {
	how                  forwarding
	weight, upper, lower int64
	inhibit              bool
}

func settingsOf(rs *RealServer) settings {
	d := &rs.Destination
	return settings{forwarding{d.Forward, d.Tunnel}, int64(d.Weight), int64(d.UpperThreshold), int64(d.LowerThreshold),
		rs.InhibitOnFailure}
}

// defaultSettings are those of a server of which nothing is written.
func defaultSettings(s *ipvs.Service) settings {
	return settings{defaultOf("lb_kind").(forwarding), defaultOf("weight").(int64), defaultOf("uthreshold").(int64),
		defaultOf("lthreshold").(int64), inhibits(s)}
}

// write writes the settings that differ from what would hold anyway.
func (s settings) write(p *printer, anyway settings) {
	differs(p, "lb_kind", s.how, anyway.how)
	differs(p, "weight", s.weight, anyway.weight)
	differs(p, "uthreshold", s.upper, anyway.upper)
	differs(p, "lthreshold", s.lower, anyway.lower)
	differs(p, "inhibit_on_failure", s.inhibit, anyway.inhibit)
}

// servers writes the servers of a virtual server, and before them what they share.
func (p *printer) servers(vs *VirtualServer) {
	anyway := defaultSettings(&vs.Services[0])
	shared := anyway
	if len(vs.RealServers) > 0 {
		shared = common(vs.RealServers, anyway)
	}
	shared.write(p, anyway)
	checks, alike := sharedChecks(vs)
	if alike && len(vs.RealServers)+len(vs.SorryServers) > 0 {
		p.set("TCP_CHECK", checks)
	}
	own := func(rs *RealServer) (word checkWord, needed bool) {
		word = checksOf(rs)
		return word, !alike && len(word) > 0 || alike && word.String() != checks.String()
	}

	sorry := shared // of sorry servers only the way to them is shared
	sorry.weight, sorry.upper, sorry.lower, sorry.inhibit = anyway.weight, anyway.upper, anyway.lower, false
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
			if _, checked := own(rs); checked || settingsOf(rs) != anyway || rs.NotifyUp != nil || rs.NotifyDown != nil {
				break
			}
			addrs = append(addrs, hostAndPort(rs.Destination.Addr))
		}
		return addrs
	}
	write := func(list []RealServer, header string, anyway settings) {
		for i := range list {
			rs := &list[i]
			p.table("  ", header)
			p.set("address", hostAndPort(rs.Destination.Addr))
			settingsOf(rs).write(p, anyway)
			p.script("notify_up", rs.NotifyUp)
			p.script("notify_down", rs.NotifyDown)
			if word, needed := own(rs); needed {
				p.set("TCP_CHECK", word)
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
	write(vs.RealServers[len(short):], "[[virtual_server.real_server]]", shared)
	write(sorries, "[[virtual_server.sorry_server]]", sorry)
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
	}
	return s
}

// checkWord is the value of TCP_CHECK: a table for each check.
type checkWord []inline

func (w checkWord) String() string {
	switch {
	case len(w) == 0:
		return "false"
	case len(w) == 1 && w[0].String() == "{}":
		return "true"
	case len(w) == 1:
		return w[0].String()
	}
	list := make([]string, len(w))
	for i := range w {
		list[i] = w[i].String()
	}
	return "[" + strings.Join(list, ", ") + "]"
}

// checksOf returns the checks of a server as they are written.
func checksOf(rs *RealServer) checkWord {
	w := make(checkWord, 0, len(rs.Checks))
	for _, id := range rs.Checks {
		c := id.Check()
		w = append(w, inlineCheck(&c, rs))
	}
	return w
}

func inlineCheck(c *health.Check, rs *RealServer) inline {
	server := rs.Destination.Addr
	t := inline{
		{"connect_ip", c.Target.Addr(), server.Addr()},
		{"connect_port", int64(c.Target.Port()), int64(server.Port())},
		{"bind_port", int64(c.Source.Port()), int64(0)},
		{"bind_if", c.Interface, ""},
		{"fwmark", int64(c.FWMark), int64(0)},
		{"connect_timeout", c.Timeout, defaultOf("connect_timeout")},
		{"delay_loop", c.DelayLoop, defaultOf("delay_loop")},
		{"retry", int64(c.Retry), defaultOf("retry")},
		{"delay_before_retry", c.DelayBeforeRetry, defaultOf("delay_before_retry")},
		{"warmup", c.Warmup, defaultOf("warmup")},
		{"alpha", c.Alpha, defaultOf("alpha")},
		{"log_all_failures", c.LogAllFailures, defaultOf("log_all_failures")},
	}
	if source := c.Source.Addr(); source.IsValid() && !source.IsUnspecified() {
		t = append(inline{{"bindto", source, nil}}, t...)
	}
	return t
}

// sharedChecks returns the checks that stand with the virtual server, and whether they may: all servers with checks have the
// same, or some have one with the defaults, which says nothing for others to inherit.
func sharedChecks(vs *VirtualServer) (checks checkWord, may bool) {
	alike, plain := true, false
	for rs := range vs.Servers() {
		w := checksOf(rs)
		if len(w) == 0 {
			continue
		}
		if checks == nil {
			checks = w
		}
		alike = alike && w.String() == checks.String()
		if w.String() == "true" && !plain {
			plain, checks = true, w
		}
	}
	return checks, alike || plain
}
