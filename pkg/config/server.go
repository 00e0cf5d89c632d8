package config

import (
	"fmt"
	"net/netip"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// servers fills in the real servers of a virtual server.
func (r *resolver) servers(b *block, vs *VirtualServer, known bool) {
	if len(b.reals) == 0 {
		if b.lacks("real_server", "real_servers") {
			r.warn(b.at(), `write real_servers = ["10.0.100.2:80"]`, "the virtual server has no real servers")
		}
		r.checks(b, nil, netip.AddrPort{}) // its checks should be right all the same
		return
	}
	seen := make(map[netip.AddrPort]*block, len(b.reals))
	unchecked := 0
	vs.RealServers = make([]RealServer, 0, len(b.reals))
	for _, real := range b.reals {
		rs, ok := r.realServer(b, real, vs.Services[0], known)
		if ok && known {
			if first := seen[rs.Destination.Addr]; first != nil {
				r.fail(r.keyed(real), r.firstAt(first), "the server %s is there twice", rs.Destination.Addr)
			} else {
				seen[rs.Destination.Addr] = real
			}
		}
		if unwatched(b) && unwatched(real) {
			unchecked++
		}
		vs.RealServers = append(vs.RealServers, rs)
	}
	if unchecked > 0 {
		r.warn(b.at(), "add TCP_CHECK = true, or TCP_CHECK = false if that is meant",
			"%d of %d real servers have no check: they get clients even when they are dead", unchecked, len(b.reals))
	}
}

// unwatched says whether a virtual or real server says nothing about checks, not even that there is none.
func unwatched(b *block) bool { return len(b.checks) == 0 && !b.off && b.lacks("TCP_CHECK") }

// realServer resolves one server and says whether its address is known.
func (r *resolver) realServer(vs, b *block, service ipvs.Service, known bool) (rs RealServer, ok bool) {
	inhibit, inhibited := lookup[bool]("inhibit_on_failure", b, vs)
	rs.InhibitOnFailure = inhibit
	d := &rs.Destination
	weight, weighed := lookup[int64]("weight", b, vs)
	upper, _ := lookup[int64]("uthreshold", b, vs)
	lower, lowered := lookup[int64]("lthreshold", b, vs)
	how, by := lookup[forwarding]("lb_kind", b, vs)
	d.Weight, d.UpperThreshold, d.LowerThreshold = int32(weight), uint32(upper), uint32(lower)
	d.Forward, d.Tunnel = how.Forward, how.Tunnel
	if lower > upper {
		r.threshold(lowered, b.value("uthreshold"), vs.value("uthreshold"), lower, upper)
	}
	if hint := hashingHint(service); hint != "" {
		if weight == 0 && weighed.data != nil {
			r.warn(weighed.at, hint, "%s drops the clients that hash to a server with weight 0", service.Scheduler)
		}
		if inhibit {
			r.warn(inhibited.key, hint,
				"a failed server keeps its place with weight 0: %s drops the clients that hash to it",
				service.Scheduler)
		}
	}

	at, addressed := lookup[endpoint]("address", b)
	if b.lacks("address") {
		r.fail(b.at(), `write address = "10.0.100.2:80"`, "the real server has no address")
	}
	readable := addressed != nil && addressed.data != nil && known && (by == nil || by.data != nil)
	if readable {
		d.Addr = netip.AddrPortFrom(at.addr, r.port(at, service, how.Forward, addressed.at))
		if f := ipvs.FamilyOf(at.addr); f != service.Family && how.Forward != ipvs.Tun {
			r.fail(addressed.at, `only lb_kind = "TUN" leads from one family to the other`,
				"the server is %s, but the service is %s", ipName(f), ipName(service.Family))
		}
	}
	rs.Checks = r.checks(vs, b, d.Addr)
	return rs, readable
}

// port returns the port of a server; without one of its own it has the service's.
func (r *resolver) port(at endpoint, service ipvs.Service, how ipvs.Forward, where spot) uint16 {
	if !at.hasPort {
		return service.Addr.Port()
	}
	if service.FWMark == 0 && how != ipvs.NAT && at.port != service.Addr.Port() {
		r.fail(where, fmt.Sprintf("write %q, or use lb_kind = \"NAT\"", netip.AddrPortFrom(at.addr, service.Addr.Port())),
			"under %s a server has the service's port %d, not %d: packets are not changed",
			how, service.Addr.Port(), at.port)
	}
	return at.port
}

// threshold reports a lower threshold above the upper one, unless one of them could not be read.
func (r *resolver) threshold(lowered, own, inherited *value, lower, upper int64) {
	uppered := own
	if uppered == nil {
		uppered = inherited
	}
	if lowered.data == nil || uppered != nil && uppered.data == nil {
		return
	}
	if upper == 0 {
		r.fail(lowered.at, "add uthreshold", "lthreshold works only with uthreshold")
		return
	}
	r.fail(lowered.at, "a server that uthreshold closed opens again below lthreshold", "lthreshold %d is above uthreshold %d", lower, upper)
}

// hashingHint says what to do about a scheduler that sends clients nowhere else while the server that they hash to has
// weight 0. It is empty for other schedulers.
func hashingHint(service ipvs.Service) string {
	if service.Flags&ipvs.SHFallback != 0 { // mh's is the same bit
		return ""
	}
	switch service.Scheduler {
	case "sh", "mh":
		return "add " + service.Scheduler + "-fallback = true"
	case "dh":
		return "dh has no fallback; mh has one"
	}
	return ""
}
