package config

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// frame is what all virtual servers of a file have in common.
type frame struct {
	global *block
	defs   GlobalDefs

	// Of a frame that was read by itself:
	text  string
	tree  map[string]any
	found Diagnostics
}

func newFrame(r *report, global *block) *frame {
	f := &frame{global: global}
	f.defs.RouterID, _ = lookup[string]("router_id", global)
	f.defs.LVSTimeouts, _ = lookup[ipvs.Timeouts]("lvs_timeouts", global)
	if v := global.value("lvs_flush_on_stop"); v != nil {
		f.defs.LVSFlushOnStop = v.data == true || v.data == "VS"
	}
	return f
}

// resolve turns the blocks of virtual servers into what they mean. That no service is there twice is only seen of these.
func (f *frame) resolve(r *report, virtuals []*block) []*VirtualServer {
	if len(virtuals) == 0 && f.global.parent.lacks("virtual_server") {
		r.warn(spot{}, `write [[virtual_server]] with an address, a protocol and real_servers`,
			"there is no virtual_server: nothing is balanced")
	}
	res := resolver{report: r, frame: f, services: make(map[ipvs.ServiceKey]*block, len(virtuals))}
	list := make([]*VirtualServer, 0, len(virtuals))
	for _, b := range virtuals {
		list = append(list, res.virtualServer(b))
	}
	return list
}

// resolver turns blocks into virtual servers and reports what breaks a rule between keywords. A rule is silent when a keyword
// it needs could not be read: that has been reported.
type resolver struct {
	*report
	*frame
	services map[ipvs.ServiceKey]*block
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

func (r *resolver) virtualServer(b *block) *VirtualServer {
	vs := &VirtualServer{Quorum: health.Quorum{Needed: 1}}
	var s ipvs.Service
	known := r.key(b, &s)
	s.Scheduler, _ = lookup[string]("lb_algo", b)
	s.Flags = r.flags(b, s, known)
	r.persistence(b, &s, known)
	if known {
		if first := r.services[s.ServiceKey]; first != nil {
			r.fail(r.keyed(b), r.firstAt(first), "the service %s is there twice", s.ServiceKey)
		} else {
			r.services[s.ServiceKey] = b
		}
	}
	vs.Name, vs.Services = s.ServiceKey.String(), []ipvs.Service{s}
	r.servers(b, vs, known)
	return vs
}

// keyed is where a virtual server says what it serves.
func (r *resolver) keyed(b *block) spot {
	for _, name := range []string{"address", "fwmark"} {
		if v := b.value(name); v != nil {
			return v.at
		}
	}
	return b.at()
}

func (r *resolver) firstAt(b *block) string {
	return fmt.Sprintf("the first one is on line %d", r.lines.position(r.keyed(b).from).Line)
}

// key finds out what the service is known by, and says whether it could.
func (r *resolver) key(b *block, s *ipvs.Service) (known bool) {
	at, addressed := lookup[endpoint]("address", b)
	mark, marked := lookup[int64]("fwmark", b)
	proto, protocol := lookup[string]("protocol", b)
	word, family := lookup[string]("ip_family", b)
	switch {
	case addressed != nil && marked != nil:
		r.fail(marked.key, "make two virtual servers of it", "a virtual server has an address or a fwmark, not both")
		return false
	case addressed == nil && marked == nil:
		if b.lacks("address", "fwmark") {
			r.fail(b.at(), `write address = "192.0.2.1:80", or fwmark = 7`, "the virtual server has no address")
		}
		return false
	case marked != nil:
		if protocol != nil {
			r.warn(protocol.key, "", "protocol has no effect: a fwmark covers all protocols")
		}
		s.ServiceKey = ipvs.FWMarkKey(uint32(mark), r.markFamily(b, word))
		return marked.data != nil && (family == nil || family.data != nil)
	}
	if b.lacks("protocol") {
		r.fail(addressed.at, `write protocol = "TCP" (keepalived would silently take UDP)`,
			"the virtual server has no protocol")
	}
	if addressed.data == nil || protocol == nil || protocol.data == nil {
		return false
	}
	p, _ := ipvs.ParseProtocol(proto)
	s.ServiceKey = ipvs.AddressKey(p, netip.AddrPortFrom(at.addr, at.port))
	if family != nil && family.data != nil && word != s.Family.String() {
		r.fail(family.at, "leave it out: the address says it",
			"ip_family is %s, but the address is %s", word, ipName(s.Family))
	}
	return true
}

// markFamily returns the family of a service with a mark: what is written, else that of its servers, else IPv4.
func (r *resolver) markFamily(b *block, word string) ipvs.Family {
	if word != "" {
		if word == ipvs.IPv6.String() {
			return ipvs.IPv6
		}
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
			r.fail(r.keyed(b), `write ip_family = "inet" or "inet6"`,
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

// flags collects the service's flags. Whether a flag fits the scheduler does not depend on the order of the keywords.
func (r *resolver) flags(b *block, s ipvs.Service, known bool) (flags ipvs.ServiceFlags) {
	_, scheduled := lookup[string]("lb_algo", b)
	for _, f := range ipvs.FlagNames {
		on, v := lookup[bool](f.Name, b)
		if !on {
			continue
		}
		flags |= f.Flag
		switch {
		case f.Scheduler != "" && f.Scheduler != s.Scheduler && (scheduled == nil || scheduled.data != nil):
			r.fail(v.key, fmt.Sprintf("write lb_algo = %q, or leave %s out", f.Scheduler, f.Name),
				"%s works only with lb_algo %s, not %s", f.Name, f.Scheduler, s.Scheduler)
		case f.Flag == ipvs.OnePacket && known && s.FWMark == 0 && s.Protocol != ipvs.UDP:
			r.fail(v.key, "leave it out", "ops works only with UDP or a fwmark, not %s",
				strings.ToUpper(s.Protocol.String()))
		}
	}
	return flags
}

// persistence fills in the service's persistence and what depends on it.
func (r *resolver) persistence(b *block, s *ipvs.Service, known bool) {
	timeout, timed := lookup[time.Duration]("persistence_timeout", b)
	bits, narrowed := lookup[uint8]("persistence_granularity", b)
	engine, engined := lookup[string]("persistence_engine", b)
	switch {
	case timed == nil && narrowed != nil, timed != nil && timed.data == nil: // unreadable: rules should not miss it
		timeout = bareTimeout
	case timed != nil && timeout == 0 && narrowed != nil:
		r.warn(narrowed.key, "", "persistence_granularity has no effect: persistence_timeout is false")
	}
	s.Persistence = timeout
	s.Granularity, s.Engine = bits, engine
	if engined != nil && engined.data != nil && s.Persistence == 0 {
		r.fail(engined.key, "add persistence_timeout = true", "persistence_engine works only with persistence")
	}
	if !known {
		return
	}
	if s.Granularity == 0 {
		s.Granularity = s.Family.Bits()
	}
	if s.Granularity > s.Family.Bits() {
		r.fail(narrowed.at, "IPv4 addresses have 32 bits", "persistence_granularity must be 1 to 32 for IPv4, not %d", bits)
	}
	if engine != "" && s.FWMark == 0 && s.Protocol != ipvs.UDP {
		r.fail(engined.at, "leave it out", "the engine %s works only with UDP", engine)
	}
	if s.FWMark == 0 && s.Addr.Port() == 0 && s.Persistence == 0 {
		r.fail(r.keyed(b), fmt.Sprintf("write the port, as in %q, or add persistence_timeout = true",
			netip.AddrPortFrom(s.Addr.Addr(), 80)), "a service on all ports needs persistence")
	}
}
