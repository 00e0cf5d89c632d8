package config

import (
	"net/netip"
	"slices"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// checks resolves the checks of a server; real is nil for a virtual server without any. The server's own tables count, and
// what they leave open comes from the server, from the virtual server's table of that type if it is the only one, from the
// virtual server, and from the defaults, in this order. A server without tables has the virtual server's, but for those of
// types that it has set to false.
func (r *resolver) checks(vs, real *block, server netip.AddrPort) []health.ID {
	own, off := vs.checks, scope(0)
	if real != nil {
		switch {
		case len(real.checks) > 0:
			own = real.checks
		case real.off&inTCP != 0, real.value("checks") != nil:
			return nil
		default:
			off = real.off
		}
	}
	var checks []health.ID
	for _, b := range own {
		if b.in&off != 0 {
			continue
		}
		for _, p := range r.prepare(vs, real, b) {
			c, ok := r.aimAt(server, &p)
			if !ok {
				continue
			}
			id := c.ID()
			if slices.Contains(checks, id) {
				r.warn(b.at(), "", "the server has this check already")
				continue
			}
			checks = append(checks, id)
		}
	}
	return checks
}

// prepared is a check that knows everything but its server.
type prepared struct {
	check health.Check
	kind  *checkType
	at    spot

	ip         netip.Addr
	port, home uint16 // as written, and of the protocol
	through    *value // connect_port
	to         *value // connect_ip
	source     netip.Addr
	sourcePort uint16
	bound      *value // bindto
}

// prepare resolves a table of a check. It is one check, or one for each host.
func (r *resolver) prepare(vs, real, b *block) []prepared {
	if real != nil && !real.tunes && b.parent == vs {
		real = nil // nothing of it counts
	}
	shares := real == nil && b.parent == vs
	if shares {
		if list, done := r.prepared[b]; done {
			return list
		}
	}
	var list []prepared
	for _, host := range b.parts {
		if host.in == inHost {
			list = append(list, r.prepareOne(vs, real, b, host))
		}
	}
	if list == nil {
		list = []prepared{r.prepareOne(vs, real, b, nil)}
	}
	if shares {
		r.prepared[b] = list
	}
	return list
}

func (r *resolver) prepareOne(vs, real, b, host *block) prepared {
	p := prepared{kind: b.in.checkType(), at: b.at()}
	c := &chain{resolver: r, kind: p.kind, block: b, virtual: vs}
	for _, shared := range vs.checks {
		if shared.in != b.in {
			continue
		}
		if c.shared != nil {
			c.shared = nil
			break
		}
		c.shared = shared
	}
	c.all = [...]*block{host, b, real, c.shared, vs}
	c.own = [...]*block{host, b, c.shared}

	k := &p.check
	k.Type = p.kind.name
	k.Timeout, _ = setting[time.Duration](c, "connect_timeout")
	c.policy(&k.Policy)
	mark, _ := own[int64](c, "fwmark")
	k.FWMark = uint32(mark)
	k.Interface, _ = own[string](c, "bind_if")
	var logs *value
	if k.LogAllFailures, logs = own[bool](c, "log_all_failures"); logs == nil {
		k.LogAllFailures, _ = lookup[bool]("checker_log_all_failures", r.global)
	}
	p.ip, p.to = own[netip.Addr](c, "connect_ip")
	through, v := own[int64](c, "connect_port")
	p.port, p.through = uint16(through), v
	p.source, p.bound = own[netip.Addr](c, "bindto")
	sourcePort, _ := own[int64](c, "bind_port")
	p.sourcePort = uint16(sourcePort)
	p.kind.read(c, k)
	p.home = p.kind.home(modeOf(k.Spec))
	return p
}

// aimAt points a check at a server, and says whether its target is known.
func (r *resolver) aimAt(server netip.AddrPort, p *prepared) (c health.Check, ok bool) {
	c = p.check
	ip, port := p.ip, p.port
	if p.to == nil {
		ip = server.Addr()
	}
	if p.through == nil {
		port = server.Port()
		if port == 0 && server != nowhere {
			port = p.home
		}
	}
	if p.kind.aim == atHost {
		port = 0
	}
	c.Target = netip.AddrPortFrom(ip, port)
	if !ip.IsValid() || p.through == nil && p.kind.aim == atPort && !server.IsValid() { // could not be read
		return c, false
	}
	switch {
	case p.through != nil:
	case p.kind.aim == elsewhere:
		r.fail(p.at, "add connect_port", "%s needs the port of the agent, which is not the server's", c.Type)
	case p.kind.aim == atPort && port == 0 && server != nowhere:
		r.fail(p.at, "add connect_port", "the server has no port that %s could connect to", c.Type)
	}
	if p.source.IsValid() && p.source.Is4() != ip.Is4() && ip != nowhere.Addr() {
		r.fail(p.bound.at, "both must be of one family", "bindto is %s, but what is checked is %s",
			ipName(ipvs.FamilyOf(p.source)), ipName(ipvs.FamilyOf(ip)))
	}
	if ip.IsLinkLocalUnicast() && ip.Is6() && c.Interface == "" && p.kind.in&inNetwork != 0 {
		r.fail(p.at, `add bind_if = "eth0"`, "the link-local address %s needs the interface that it is on", ip)
	}
	source := p.source
	if !source.IsValid() && p.sourcePort != 0 {
		source = netip.IPv4Unspecified()
		if ip.Is6() {
			source = netip.IPv6Unspecified()
		}
	}
	if source.IsValid() {
		c.Source = netip.AddrPortFrom(source, p.sourcePort)
	}
	return c, true
}

// chain is where the settings of a check may stand.
type chain struct {
	*resolver
	kind    *checkType
	block   *block    // its own table
	shared  *block    // the virtual server's, which it takes from; nil: none
	virtual *block    // the virtual server
	all     [5]*block // tables of checks and servers, the nearest first, nil where there is none
	own     [3]*block // of these, the tables of checks
}

// setting returns what a keyword is set to, in the tables of the check and of its servers.
func setting[T any](c *chain, name string) (T, *value) {
	data, v := lookup[T](name, c.all[:]...)
	if v == nil {
		data, _ = c.kind.usual(name).(T)
	}
	return data, v
}

// own returns what a keyword is set to, in the tables of the check.
func own[T any](c *chain, name string) (T, *value) { return lookup[T](name, c.own[:]...) }

// nearest returns which of several keywords that exclude each other is written, in the first block that has one; nil if none is.
func (c *chain) nearest(from []*block, names ...string) (found *value) {
	for _, b := range from {
		if b == nil {
			continue
		}
		for _, name := range names {
			v := b.value(name)
			if v != nil && found != nil {
				c.fail(v.key, "write one of them", "%s contradicts %s", v.keyword.name, found.keyword.name)
			} else if v != nil {
				found = v
			}
		}
		if found != nil {
			return found
		}
	}
	return nil
}

// idle reports keywords that mean nothing without another one; of that, the value that is written is given. Where a nearer
// table has switched something off, what it would have inherited is no mistake.
func (c *chain) idle(without string, needed *value, hint string, names ...string) {
	if needed != nil && needed.data == nil {
		return
	}
	for _, name := range names {
		v := written(name, c.own[:]...)
		if v == nil || v.data == nil || needed != nil && needed.at.block != v.at.block {
			continue
		}
		c.fail(v.key, hint, "%s works only with %s", v.keyword.name, without)
	}
}

// missing reports that a check lacks keywords of which it needs one.
func (c *chain) missing(hint string, names ...string) {
	for _, b := range c.own {
		if b != nil && !b.lacks(names...) {
			return
		}
	}
	c.fail(c.block.at(), hint, "%s has no %s", c.kind.name, names[0])
}

// policy fills in when the check runs, and what its results come to.
func (c *chain) policy(p *health.Policy) {
	p.DelayLoop, _ = setting[time.Duration](c, "delay_loop")
	pause, paused := setting[time.Duration](c, "delay_before_retry")
	if paused == nil {
		pause = pauseBeforeRetry(p.DelayLoop)
	}
	p.DelayBeforeRetry = pause
	p.Warmup, _ = setting[time.Duration](c, "warmup")
	p.Alpha, _ = setting[bool](c, "alpha")
	retry, _ := setting[int64](c, "retry")
	p.Retry = int(retry)
	if v := c.nearest(c.all[:], "retry", "fall"); v != nil && v.keyword.name == "fall" {
		if n, ok := v.data.(int64); ok {
			p.Retry = int(n) - 1
		}
	}
	if rise, _ := setting[int64](c, "rise"); rise > 1 {
		p.Rise = int(rise)
	}
	fast, quickened := setting[time.Duration](c, "fast_interval")
	if p.FastInterval = fast; fast > 0 && fast >= p.DelayLoop {
		c.fail(quickened.at, "it is how often a server is checked whose state may be about to change",
			"fast_interval %v must be less than delay_loop, which is %v", fast, p.DelayLoop)
	}
	hold, held := setting[time.Duration](c, "hold_down")
	most, limited := setting[time.Duration](c, "hold_down_max")
	switch {
	case hold == 0 && limited != nil && held == nil:
		c.fail(limited.key, "add hold_down", "hold_down_max works only with hold_down")
	case hold == 0:
	case limited == nil:
		p.HoldDown, p.HoldDownMax = hold, c.kind.longestHold(hold)
	case most < hold && limited.data != nil:
		c.fail(limited.at, "it is what hold_down grows to", "hold_down_max %v is less than hold_down, which is %v", most, hold)
	default:
		p.HoldDown, p.HoldDownMax = hold, most
	}
}
