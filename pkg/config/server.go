package config

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// servers fills in the real servers and the sorry servers of a virtual server. What it serves is nil if it isn't known.
func (r *resolver) servers(b *block, vs *VirtualServer, s *ipvs.Service, sv *served) {
	seen := make(map[netip.AddrPort]*block, len(b.reals))
	vs.RealServers = r.list(b, b.reals, s, sv, seen)
	vs.SorryServers = r.list(b, b.sorry, s, sv, seen)
	vs.Members = r.members(b, s, sv)
	if len(b.reals)+len(b.members) == 0 {
		if b.lacks("real_server", "real_servers") {
			r.warn(b.at(), `write real_servers = ["10.0.100.2:80"]`, "the virtual server has no real servers")
		}
		r.checks(b, nil, netip.AddrPort{}) // its checks should be right all the same
	}
	unchecked := 0
	for _, real := range b.reals {
		if unwatched(b) && unwatched(real) {
			unchecked++
		}
	}
	for _, members := range b.members {
		if unwatched(b) && unwatched(members) {
			r.warn(members.at(), "add TCP_CHECK = true to the virtual server, or TCP_CHECK = false if that is meant",
				"the members have no check: they get clients as soon as they are named, dead or alive")
		}
	}
	if unchecked > 0 {
		r.warn(b.at(), "add TCP_CHECK = true, or TCP_CHECK = false if that is meant",
			"%d of %d real servers have no check: they get clients even when they are dead", unchecked, len(b.reals))
	}
	if sv == nil || !sv.v4 || !sv.v6 {
		return
	}
	for _, f := range []ipvs.Family{ipvs.IPv4, ipvs.IPv6} {
		if len(vs.RealServers) > 0 && len(b.members) == 0 && !slices.ContainsFunc(vs.RealServers, reaches(f)) {
			r.fail(keyed(b), "add servers of that family, or make groups and virtual servers of one family each",
				"the group has %s services, but no real server is %s", ipName(f), ipName(f))
		}
		if len(vs.SorryServers) > 0 && !slices.ContainsFunc(vs.SorryServers, reaches(f)) {
			r.warn(b.sorry[0].at(), "add one of that family", "the group has %s services, but no sorry server is %s",
				ipName(f), ipName(f))
		}
	}
}

// reaches says of a server whether services of a family can send clients to it.
func reaches(f ipvs.Family) func(RealServer) bool {
	return func(rs RealServer) bool {
		_, ok := rs.For(&ipvs.Service{ServiceKey: ipvs.ServiceKey{Family: f}})
		return ok || !rs.Destination.Addr.IsValid() // could not be read
	}
}

// unwatched says whether a virtual or real server says nothing about checks, not even that there is none.
func unwatched(b *block) bool {
	return len(b.checks) == 0 && b.off == 0 && b.lacks("TCP_CHECK", "checks")
}

// list resolves servers. That none of them is there twice is seen of all lists together.
func (r *resolver) list(vs *block, blocks []*block, s *ipvs.Service, sv *served, seen map[netip.AddrPort]*block) []RealServer {
	if len(blocks) == 0 {
		return nil
	}
	list := make([]RealServer, 0, len(blocks))
	for _, b := range blocks {
		rs, ok := r.server(vs, b, s, sv)
		list = append(list, rs)
		if !ok || sv == nil {
			continue
		}
		ports := []uint16{rs.Destination.Addr.Port()}
		if ports[0] == 0 && len(sv.ports) > 1 {
			ports = sv.ports // of each service its own
		}
		twice := false
		for _, port := range ports {
			addr := netip.AddrPortFrom(rs.Destination.Addr.Addr(), port)
			first := seen[addr]
			switch {
			case first == nil:
				seen[addr] = b
			case twice:
			case first.in != b.in:
				r.fail(keyed(b), "it is a real server on line "+fmt.Sprint(r.lines.position(keyed(first).from).Line),
					"the sorry server %s is a real server as well", addr)
				twice = true
			default:
				r.fail(keyed(b), r.firstAt(keyed(first)), "the server %s is there twice", addr)
				twice = true
			}
		}
	}
	return list
}

// server resolves one server and says whether its address is known. A sorry server has of the virtual server's settings only
// how packets get to it: weights and thresholds are about sharing the load with others.
func (r *resolver) server(vs, b *block, s *ipvs.Service, sv *served) (rs RealServer, ok bool) {
	rs, by := r.settings(vs, b, s)
	rs.Name, rs.Tags = given[string]("name", b), given[[]string]("tags", b)

	at, addressed := lookup[endpoint]("address", b)
	if b.lacks("address") {
		what := "real"
		if b.in == inSorry {
			what = "sorry"
		}
		r.fail(b.at(), `write address = "10.0.100.2:80"`, "the %s server has no address", what)
	}
	d := &rs.Destination
	readable := addressed != nil && addressed.data != nil && sv != nil && (by == nil || by.data != nil)
	if readable {
		d.Addr = netip.AddrPortFrom(at.addr, r.port(at, sv, d.Forward, addressed.at))
		r.families(ipvs.FamilyOf(at.addr), sv, d.Forward, addressed.at)
	}
	rs.Checks = r.checks(vs, b, d.Addr)
	r.verdict(vs, b, &rs)
	return rs, readable
}

// settings resolves what a server or a table of members says beyond addresses and checks, and returns where it is written how packets
// get there.
func (r *resolver) settings(vs, b *block, s *ipvs.Service) (rs RealServer, by *value) {
	from := vs
	if b.in == inSorry {
		from = nil
	}
	d := &rs.Destination
	weight, weighed := lookup[int64]("weight", b, from)
	upper, _ := lookup[int64]("uthreshold", b, from)
	lower, lowered := lookup[int64]("lthreshold", b, from)
	how, by := r.method(vs, b)
	d.Weight, d.UpperThreshold, d.LowerThreshold = int32(weight), uint32(upper), uint32(lower)
	d.Forward, d.Tunnel = how.Forward, how.Tunnel
	if lower > upper {
		r.threshold(lowered, written("uthreshold", b, from), lower, upper)
	}
	if b.in != inSorry {
		inhibit, v := lookup[bool]("inhibit_on_failure", b, vs)
		if v == nil || v.data == nil {
			inhibit = inhibits(s)
		}
		rs.InhibitOnFailure = inhibit
	} else if weight == 0 && weighed.data != nil {
		r.fail(weighed.at, "leave it out", "a sorry server with weight 0 would get no clients")
	}
	rs.NotifyUp, rs.NotifyDown = r.command("notify_up", b), r.command("notify_down", b)
	rs.NoMail = !alerts(true, b, r.global, "smtp_alert_checker")
	return rs, by
}

// verdict fills in what a server's checks come to.
func (r *resolver) verdict(vs, b *block, rs *RealServer) {
	if b.in != inSorry { // which has all the clients at once
		rs.SlowStart, _ = lookup[time.Duration]("slow_start", b, vs)
	}
	for _, at := range []*block{b, vs} {
		if v := at.value("checks"); v != nil && len(at.checks) > 0 {
			r.fail(v.key, "leave one of them out", `checks = "on" or "off" contradicts %s`, at.checks[0].name)
		}
	}
	state, v := lookup[string]("checks", b, vs)
	rs.Off = state == "off" && (v.at.block == b || len(b.checks) == 0)
	needed, wanted := lookup[int64]("checks_needed", b, vs)
	switch n := len(rs.Checks); {
	case n == 0 && wanted != nil && wanted.at.block == b && !rs.Off && unwatched(b) && unwatched(vs):
		r.fail(wanted.key, "add TCP_CHECK = true, or leave it out", "checks_needed works only with checks")
	case n == 0:
	case needed > int64(n):
		r.fail(wanted.at, `write "all"`, "checks_needed is %d, but the server has %d", needed, n)
	default:
		rs.Needed = int(needed)
	}
}

// method returns how packets get to a server, and where that is written.
func (r *resolver) method(vs, b *block) (forwarding, *value) {
	if b.in == inSorry && b.value("lb_kind") == nil {
		if how, v := lookup[forwarding]("sorry_server_lvs_method", vs); v != nil {
			return how, v
		}
	}
	return lookup[forwarding]("lb_kind", b, vs)
}

// families reports a server that services of another family are to send their clients to, where the kernel can't.
func (r *resolver) families(f ipvs.Family, sv *served, how ipvs.Forward, where spot) {
	other := ipvs.IPv4
	if f == ipvs.IPv4 {
		other = ipvs.IPv6
	}
	switch {
	case how != ipvs.Tun && !sv.has(f):
		r.fail(where, `only lb_kind = "TUN" leads from one family to the other`,
			"the server is %s, but the service is %s", ipName(f), ipName(other))
	case how == ipvs.Tun && sv.has(other) && r.syncs():
		r.fail(where, "leave lvs_sync_daemon out, or keep to one family",
			"the server is %s, but the service is %s: the kernel refuses that while a sync daemon runs, and a sync daemon while there is one",
			ipName(f), ipName(other))
	}
}

// port returns the port of a server; without one of its own it has that of each service, 0 if they have several.
func (r *resolver) port(at endpoint, sv *served, how ipvs.Forward, where spot) uint16 {
	if at.port == 0 {
		return sv.port()
	}
	if how == ipvs.NAT || len(sv.ports) == 0 {
		return at.port
	}
	if i := slices.IndexFunc(sv.ports, func(p uint16) bool { return p != at.port }); i >= 0 {
		r.fail(where, fmt.Sprintf("write %q, or use lb_kind = \"NAT\"", hostAndPort(netip.AddrPortFrom(at.addr, sv.port()))),
			"under %s a server has the service's port %d, not %d: packets are not changed", how, sv.ports[i], at.port)
	}
	return at.port
}

// threshold reports a lower threshold above the upper one, unless one of them could not be read.
func (r *resolver) threshold(lowered, uppered *value, lower, upper int64) {
	if lowered.data == nil || uppered != nil && uppered.data == nil {
		return
	}
	if upper == 0 {
		r.fail(lowered.at, "add uthreshold", "lthreshold works only with uthreshold")
		return
	}
	r.fail(lowered.at, "a server that uthreshold closed opens again below lthreshold", "lthreshold %d is above uthreshold %d", lower, upper)
}
