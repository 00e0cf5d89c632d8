package config

import (
	"net/netip"
	"slices"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// checks resolves the checks of a server; real is nil for a virtual server without any. The server's own tables count, and
// what they leave open comes from the server, from the virtual server's table if that is the only one, from the virtual
// server, and from the defaults, in this order. A server without tables has the virtual server's.
func (r *resolver) checks(vs, real *block, server netip.AddrPort) []health.ID {
	var shared *block
	if len(vs.checks) == 1 {
		shared = vs.checks[0]
	}
	own := vs.checks
	if real != nil {
		switch {
		case real.off:
			return nil
		case len(real.checks) > 0:
			own = real.checks
		}
	}
	var checks []health.ID
	for _, b := range own {
		c, ok := r.tcpCheck(server, b, real, shared, vs)
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
	return checks
}

// tcpCheck resolves one check, and says whether its target is known.
func (r *resolver) tcpCheck(server netip.AddrPort, b, real, shared, vs *block) (c health.Check, ok bool) {
	c.Type, c.Spec = "TCP_CHECK", health.TCP{}
	c.Timeout, _ = lookup[time.Duration]("connect_timeout", b, real, shared, vs)
	c.DelayLoop, _ = lookup[time.Duration]("delay_loop", b, real, shared, vs)
	c.DelayBeforeRetry, _ = lookup[time.Duration]("delay_before_retry", b, real, shared, vs)
	c.Warmup, _ = lookup[time.Duration]("warmup", b, real, shared, vs)
	c.Alpha, _ = lookup[bool]("alpha", b, real, shared, vs)
	retry, _ := lookup[int64]("retry", b, real, shared, vs)
	c.Retry = int(retry)

	// These stand in checks only; a virtual server's fwmark is something else.
	mark, _ := lookup[int64]("fwmark", b, shared)
	c.FWMark = uint32(mark)
	c.Interface, _ = lookup[string]("bind_if", b, shared)
	var logs *value
	if c.LogAllFailures, logs = lookup[bool]("log_all_failures", b, shared); logs == nil {
		c.LogAllFailures, _ = lookup[bool]("checker_log_all_failures", r.global)
	}
	ip, to := lookup[netip.Addr]("connect_ip", b, shared)
	port, through := lookup[int64]("connect_port", b, shared)
	source, bound := lookup[netip.Addr]("bindto", b, shared)
	sourcePort, _ := lookup[int64]("bind_port", b, shared)
	if to == nil {
		ip = server.Addr()
	}
	if through == nil {
		port = int64(server.Port())
	}
	c.Target = netip.AddrPortFrom(ip, uint16(port))
	if !ip.IsValid() || through == nil && !server.IsValid() { // could not be read
		return c, false
	}
	if port == 0 && through == nil {
		r.fail(b.at(), "add connect_port", "the server has no port that TCP_CHECK could connect to")
	}
	if source.IsValid() && source.Is4() != ip.Is4() {
		r.fail(bound.at, "both must be of one family", "bindto is %s, but what is checked is %s",
			ipName(ipvs.FamilyOf(source)), ipName(ipvs.FamilyOf(ip)))
	}
	if ip.IsLinkLocalUnicast() && ip.Is6() && c.Interface == "" {
		r.fail(b.at(), `add bind_if = "eth0"`, "the link-local address %s needs the interface that it is on", ip)
	}
	if !source.IsValid() && sourcePort != 0 {
		source = netip.IPv4Unspecified()
		if ip.Is6() {
			source = netip.IPv6Unspecified()
		}
	}
	if source.IsValid() {
		c.Source = netip.AddrPortFrom(source, uint16(sourcePort))
	}
	return c, true
}
