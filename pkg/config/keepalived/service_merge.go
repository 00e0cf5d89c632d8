package keepalived

import (
	"fmt"
	"net/netip"
)

// key is what a virtual server serves, in one text.
func (s *service) key() string {
	switch {
	case s.group != nil && s.marked():
		return "group " + s.name + " " + s.text("ip_family")
	case s.group != nil:
		return "group " + s.name + " " + s.text("protocol")
	case s.mark != 0:
		v6 := s.text("ip_family") == "inet6" || s.text("ip_family") == "" && s.servers[0].addr.Is6()
		return fmt.Sprint("fwmark ", s.mark, v6)
	}
	return fmt.Sprint(s.addr, s.text("protocol"))
}

// inherited are the keywords of a virtual server that hold for its servers. A service that is there twice has the servers of both,
// each with what its own virtual server says; of the rest what the first one says.
var inherited = []string{"lb_kind", "weight", "alpha", "inhibit_on_failure", "delay_loop", "connect_timeout", "retry",
	"delay_before_retry", "warmup", "virtualhost"}

// standard is what holds for servers where a virtual server says nothing.
var standard = map[string]any{"lb_kind": "NAT", "weight": int64(1), "alpha": false, "inhibit_on_failure": false, "delay_loop": 60.0, "connect_timeout": 5.0}

// merge makes one virtual server of those that serve the same.
func (t *translation) merge() {
	first := make(map[string]*service)
	for _, s := range t.ipvs.services {
		if s.dropped {
			continue
		}
		key := s.key()
		to := first[key]
		if to == nil {
			first[key] = s
			continue
		}
		s.dropped = true
		known := make(map[netip.AddrPort]bool)
		for _, r := range to.servers {
			known[netip.AddrPortFrom(r.addr, r.at(to))] = true
		}
		added := 0
		for _, r := range s.servers {
			if known[netip.AddrPortFrom(r.addr, r.at(s))] {
				continue
			}
			added++
			t.take(to, s, r)
		}
		t.Warn(s.at, "make one virtual_server of them", "the virtual server is there twice: keepalived runs both on one service, which has what the first one says, and the servers of both; %d of %d servers are new here",
			added, len(s.servers))
	}
}

// take moves a server from one virtual server to another, with what it had from the first.
func (t *translation) take(to, from *service, r *server) {
	for _, key := range inherited {
		if r.find(key) != nil {
			continue
		}
		had, has := from.find(key), to.find(key)
		value, already := standard[key], standard[key]
		if had != nil {
			value = had.value
		}
		if has != nil {
			already = has.value
		}
		switch {
		case value == already:
		case value != nil:
			r.set(nil, key, value)
		default:
			for _, c := range r.checks {
				if usual := c.standard(key, c.loop(from, r)); usual != nil && c.find(key) == nil {
					c.set(nil, key, usual)
				}
			}
		}
	}
	to.servers = append(to.servers, r)
}
