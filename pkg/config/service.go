package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// resolve turns the blocks of virtual servers into what they mean. That no service is there twice is only seen of these.
func (f *frame) resolve(r *report, virtuals []*block) []*VirtualServer {
	if len(virtuals) == 0 && f.global.parent.lacks("virtual_server") && len(f.vrrp.Instances) == 0 {
		r.warn(spot{}, `write [[virtual_server]] with an address, a protocol and real_servers`,
			"there is no virtual_server: nothing is balanced")
	}
	res := resolver{r, f, make(map[*block][]prepared)}
	list := make([]*VirtualServer, 0, len(virtuals))
	claims := make([]claim, 0, len(virtuals))
	for _, b := range virtuals {
		vs, sv := res.virtualServer(b)
		list = append(list, vs)
		if sv != nil {
			claims = append(claims, sv.claims...)
		}
	}
	r.duplicates(claims)
	return list
}

// resolver turns blocks into virtual servers and reports what breaks a rule between keywords. A rule is silent when a keyword
// it needs could not be read: that has been reported.
type resolver struct {
	*report
	*frame
	prepared map[*block][]prepared // checks of virtual servers, for all servers that take them as they are
}

// lookup returns what a keyword is set to in the first block that has it, or its default. The value is nil for the
// default; its data is nil where the default stands in for something that could not be read.
func lookup[T any](name string, from ...*block) (T, *value) {
	for _, b := range from {
		if b == nil {
			continue
		}
		if v := b.value(name); v != nil {
			if data, ok := v.data.(T); ok {
				return data, v
			}
			data, _ := defaultOf(name).(T)
			return data, v
		}
	}
	data, _ := defaultOf(name).(T)
	return data, nil
}

// virtualServer resolves one virtual server, and returns what it serves: nil if that could not be read.
func (r *resolver) virtualServer(b *block) (*VirtualServer, *served) {
	vs := &VirtualServer{}
	vs.Group, _ = lookup[string]("group", b)
	sv := r.serves(b)
	var s ipvs.Service
	s.Scheduler, _ = lookup[string]("lb_algo", b)
	s.Flags = r.flags(b, s.Scheduler, sv)
	bits := r.persistence(b, &s, sv)
	vs.DrainTimeout, _ = lookup[time.Duration]("drain_timeout", b)
	vs.SorryInhibit, _ = lookup[bool]("sorry_server_inhibit", b)
	r.servers(b, vs, &s, sv)
	s.Flags |= r.fallback(b, vs, &s)
	r.onePacket(b, vs, &s, sv)
	r.quorum(b, vs)
	vs.Omega, _ = lookup[bool]("omega", b)
	if vs.OnStop = r.defs.OnStop; b.value("on_stop") != nil {
		vs.OnStop, _ = lookup[string]("on_stop", b)
	}
	suspend, suspended := lookup[bool]("ha_suspend", b)
	if vs.HASuspend = suspend; suspend && sv != nil && sv.protocol == 0 {
		r.warn(suspended.key, "leave it out", "ha_suspend has no effect: a fwmark has no address")
	}
	vs.QuorumUp, vs.QuorumDown = r.command("quorum_up", b), r.command("quorum_down", b)
	vs.Mail = r.serviceMail(b)
	if sv == nil {
		return vs, nil
	}
	vs.Name, vs.Services = sv.name, make([]ipvs.Service, len(sv.keys))
	for i, key := range sv.keys {
		s.ServiceKey, s.Granularity = key, bits
		if bits == 0 {
			s.Granularity = key.Family.Bits()
		}
		vs.Services[i] = s
	}
	return vs, sv
}

// keyed is where a virtual server or a server says what it is.
func keyed(b *block) spot {
	for _, name := range []string{"group", "address", "fwmark"} {
		if v := b.value(name); v != nil {
			return v.at
		}
	}
	return b.at()
}

// serves finds out what the virtual server serves; nil if it can't.
func (r *resolver) serves(b *block) *served {
	at, addressed := lookup[endpoint]("address", b)
	mark, marked := lookup[int64]("fwmark", b)
	_, grouped := lookup[string]("group", b)
	word, family := lookup[string]("ip_family", b)
	var named []*value
	for _, v := range []*value{addressed, marked, grouped} {
		if v != nil {
			named = append(named, v)
		}
	}
	switch {
	case len(named) > 1:
		r.fail(named[len(named)-1].key, "make two virtual servers of it", "a virtual server has an address, a fwmark or a group, one of them")
		return nil
	case grouped != nil:
		return r.servesGroup(b, grouped)
	case len(named) == 0:
		if b.lacks("address", "fwmark", "group") {
			r.fail(b.at(), `write address = "192.0.2.1:80", or fwmark = 7`, "the virtual server has no address")
		}
		return nil
	case marked != nil:
		if v := b.value("protocol"); v != nil {
			r.warn(v.key, "", "protocol has no effect: a fwmark covers all protocols")
		}
		if marked.data == nil || family != nil && family.data == nil {
			return nil
		}
		f := r.markFamily(b, word)
		return serveOne(claim{entry: entry{mark: uint32(mark), family: f}, at: marked.at, block: b})
	}
	p, ok := r.protocol(b, addressed.at)
	if addressed.data == nil || !ok {
		return nil
	}
	sv := serveOne(claim{entry: entry{from: at.addr, to: at.addr, port: at.port}, protocol: p, at: addressed.at, block: b})
	if f := sv.keys[0].Family; family != nil && family.data != nil && word != f.String() {
		r.fail(family.at, "leave it out: the address says it", "ip_family is %s, but the address is %s", word, ipName(f))
	}
	return sv
}

// serveOne returns what a virtual server without a group serves.
func serveOne(c claim) *served {
	sv := &served{name: c.service().String(), keys: []ipvs.ServiceKey{c.service()}, claims: []claim{c}}
	sv.survey()
	return sv
}

// servesGroup finds out what a virtual server with a group serves.
func (r *resolver) servesGroup(b *block, grouped *value) *served {
	name, ok := grouped.data.(string)
	if !ok {
		return nil
	}
	g := r.groups[name]
	if g == nil {
		hint := "write [virtual_server_group." + bare(name) + "] with its addresses"
		if near := closest(name, sortedKeys(r.groups)); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		r.fail(grouped.at, hint, "there is no virtual_server_group %q", name)
		return nil
	}
	addressed, open := false, false
	for i := range g.entries {
		addressed = addressed || g.entries[i].mark == 0
		open = open || g.entries[i].mark != 0 && g.entries[i].family == 0
	}
	var p ipvs.Protocol
	if v := b.value("protocol"); addressed {
		if p, ok = r.protocol(b, grouped.at); !ok {
			return nil
		}
	} else if v != nil && !g.broken {
		r.warn(v.key, "", "protocol has no effect: a fwmark covers all protocols")
	}
	word, family := lookup[string]("ip_family", b)
	if g.broken || family != nil && family.data == nil {
		return nil
	}
	f := ipvs.IPv4
	if open {
		f = r.markFamily(b, word)
	} else if family != nil {
		r.warn(family.key, "", "ip_family has no effect: the group says the family of all that is in it")
	}
	return g.serve(b, grouped.at, p, f)
}

// protocol returns the protocol of addresses, and says whether there is one.
func (r *resolver) protocol(b *block, at spot) (ipvs.Protocol, bool) {
	if b.lacks("protocol") {
		r.fail(at, `write protocol = "TCP" (keepalived would silently take UDP)`, "the virtual server has no protocol")
	}
	word, v := lookup[string]("protocol", b)
	if v == nil || v.data == nil {
		return 0, false
	}
	p, err := ipvs.ParseProtocol(word)
	return p, err == nil
}

// markFamily returns the family of a service with a mark: what is written, else that of its servers, else IPv4.
func (r *resolver) markFamily(b *block, word string) ipvs.Family {
	if word != "" {
		if word == ipvs.IPv6.String() {
			return ipvs.IPv6
		}
		return ipvs.IPv4
	}
	if len(b.members) > 0 {
		r.fail(keyed(b), `write ip_family = "inet" or "inet6"; in a group a fwmark may say it, too: "7 inet6"`,
			"members don't say which family the fwmark is for")
		return ipvs.IPv4
	}
	family := ipvs.IPv4
	for i, real := range b.reals {
		at, v := lookup[endpoint]("address", real)
		if v == nil || v.data == nil {
			continue
		}
		switch f := ipvs.FamilyOf(at.addr); {
		case i == 0:
			family = f
		case f != family:
			r.fail(keyed(b), `write ip_family = "inet" or "inet6"; in a group a fwmark may say it, too: "7 inet6"`,
				"servers of both families don't say which the fwmark is for")
			return family
		}
	}
	return family
}

// ipName is how messages call a family.
func ipName(f ipvs.Family) string {
	if f == ipvs.IPv6 {
		return "IPv6"
	}
	return "IPv4"
}

// flags collects the services' flags. Whether a flag fits the scheduler does not depend on the order of the keywords.
func (r *resolver) flags(b *block, scheduler string, sv *served) (flags ipvs.ServiceFlags) {
	_, scheduled := lookup[string]("lb_algo", b)
	for _, f := range ipvs.FlagNames {
		on, v := lookup[bool](f.Name, b)
		switch {
		case v == nil && f.Scheduler == scheduler && b.value("flag-1") == nil && defaultUnder(scheduler, f.Name) == true:
			flags |= f.Flag
			continue
		case !on:
			continue
		}
		flags |= f.Flag
		switch {
		case f.Scheduler != "" && f.Scheduler != scheduler && (scheduled == nil || scheduled.data != nil):
			r.fail(v.key, fmt.Sprintf("write lb_algo = %q, or leave %s out", f.Scheduler, f.Name),
				"%s works only with lb_algo %s, not %s", f.Name, f.Scheduler, scheduler)
		case f.Flag == ipvs.OnePacket && sv != nil && sv.protocol != 0 && sv.protocol != ipvs.UDP:
			r.fail(v.key, "leave it out", "ops works only with UDP or a fwmark, not %s",
				strings.ToUpper(sv.protocol.String()))
		}
	}
	return flags
}

// onePacket warns of servers whose replies the kernel would not give the service's address: it keeps no connection to know them by.
func (r *resolver) onePacket(b *block, vs *VirtualServer, s *ipvs.Service, sv *served) {
	if s.Flags&ipvs.OnePacket == 0 || sv != nil && sv.protocol != 0 && sv.protocol != ipvs.UDP {
		return
	}
	list := slices.Collect(vs.Servers())
	for i := range vs.Members {
		list = append(list, &vs.Members[i].Server)
	}
	for _, rs := range list {
		if rs.Destination.Forward == ipvs.NAT {
			r.warn(b.value("ops").key, `write lb_kind = "DR" or "TUN", or leave ops out`,
				"with ops clients get no replies from servers under NAT, since the kernel does not rewrite them")
			return
		}
	}
}

// persistence fills in the services' persistence and what depends on it, and returns how many bits of a client's address
// count; 0: all.
func (r *resolver) persistence(b *block, s *ipvs.Service, sv *served) uint8 {
	timeout, timed := lookup[time.Duration]("persistence_timeout", b)
	bits, narrowed := lookup[uint8]("persistence_granularity", b)
	engine, engined := lookup[string]("persistence_engine", b)
	switch {
	case timed == nil && narrowed != nil, timed != nil && timed.data == nil: // unreadable: rules should not miss it
		timeout = bareTimeout
	case timed != nil && timeout == 0 && narrowed != nil:
		r.warn(narrowed.key, "", "persistence_granularity has no effect: persistence_timeout is false")
		bits = 0
	}
	s.Persistence, s.Engine = timeout, engine
	if engined != nil && engined.data != nil && timeout == 0 {
		r.fail(engined.key, "add persistence_timeout = true", "persistence_engine works only with persistence")
	}
	if sv == nil {
		return bits
	}
	if sv.v4 && bits > ipvs.IPv4.Bits() {
		r.fail(narrowed.at, "IPv4 addresses have 32 bits", "persistence_granularity must be 1 to 32 for IPv4, not %d", bits)
	}
	if engine != "" && sv.protocol != 0 && sv.protocol != ipvs.UDP {
		r.fail(engined.at, "leave it out", "the engine %s works only with UDP", engine)
	}
	if slices.Contains(sv.ports, 0) && timeout == 0 {
		hint := "write the port of each address of the group, or add persistence_timeout = true"
		if b.value("group") == nil {
			hint = fmt.Sprintf("write the port, as in %q, or add persistence_timeout = true",
				netip.AddrPortFrom(sv.keys[0].Addr.Addr(), 80))
		}
		r.fail(keyed(b), hint, "a service on all ports needs persistence")
	}
	return bits
}
