package ipvsadm

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// serviceOptions reads the options of -A and -E.
func (r *reader) serviceOptions(c command, key ipvs.ServiceKey, at word) ipvs.Service {
	s := ipvs.Service{ServiceKey: key, Scheduler: defaultScheduler, Granularity: key.Family.Bits()}
	if g, given := c.options["scheduler"]; given {
		s.Scheduler = g.value.text
		if !ipvs.KnownScheduler(s.Scheduler) {
			r.fail(g.value, "schedulers are "+strings.Join(ipvs.Schedulers, ", "), "the kernel has no scheduler %q", s.Scheduler)
		}
	}
	persistent, persists := c.options["persistent"]
	if persists {
		s.Persistence = defaultPersistence
		if persistent.value.text != "" {
			s.Persistence = time.Duration(r.number(c, "persistent", 1, maxPersistence, 1)) * time.Second
		}
	}
	if g, given := c.options["netmask"]; given {
		if bits, ok := r.netmask(g.value, key.Family); ok && persists {
			s.Granularity = bits
		} else if ok {
			r.warn(g.at, "add -p", "a netmask has no effect without persistence")
		}
	}
	if g, given := c.options["pe"]; given {
		s.Engine = g.value.text
		if s.Engine != "sip" {
			r.fail(g.value, "the kernel has sip", "there is no persistence engine %q", s.Engine)
		}
	}
	if g, given := c.options["ops"]; given {
		s.Flags |= ipvs.OnePacket
		if key.FWMark == 0 && key.Protocol != ipvs.UDP {
			r.fail(g.at, "leave it out", "%s works only with UDP or a fwmark", g.at.text)
		}
	}
	s.Flags |= r.schedFlags(c, s.Scheduler)
	if key.FWMark == 0 && key.Addr.Port() == 0 && !persists {
		r.fail(at, "write the port, or add -p", "a service on all ports needs persistence")
	}
	return s
}

// netmask reads the value of -M: a mask for IPv4, the length of a prefix for IPv6.
func (r *reader) netmask(w word, family ipvs.Family) (uint8, bool) {
	if family == ipvs.IPv6 {
		n, err := strconv.ParseUint(w.text, 10, 8)
		if err != nil || n < 1 || n > 128 {
			r.fail(w, "", "a netmask of IPv6 is the length of a prefix from 1 to 128, not %q", w.text)
			return 0, false
		}
		return uint8(n), true
	}
	mask, err := netip.ParseAddr(w.text)
	if err != nil || !mask.Is4() {
		hint := ""
		if n, err := strconv.ParseUint(strings.TrimPrefix(w.text, "/"), 10, 8); err == nil && n >= 1 && n <= 32 {
			m := uint32(math.MaxUint32) << (32 - n)
			hint = fmt.Sprintf("write %d.%d.%d.%d", byte(m>>24), byte(m>>16), byte(m>>8), byte(m))
		}
		r.fail(w, hint, "a netmask of IPv4 is like 255.255.255.0, not %q", w.text)
		return 0, false
	}
	bits, ok := prefix(mask)
	if !ok || bits == 0 {
		r.fail(w, "only masks that are a prefix, such as 255.255.255.0, can be kept", "the netmask %s is not one of a network", mask)
		return 0, false
	}
	return bits, true
}

// schedFlags reads the value of -b.
func (r *reader) schedFlags(c command, scheduler string) (flags ipvs.ServiceFlags) {
	g, given := c.options["sched-flags"]
	if !given {
		return 0
	}
	if g.value.text == "" {
		// What ipvsadm -S prints of an mh or sh whose only flag is flag-3.
		r.warn(g.at, "ipvsadm -S leaves out flag-3 of sh and mh", "%s without a flag has no effect", g.at.text)
		return 0
	}
next:
	for name := range strings.SplitSeq(g.value.text, ",") {
		for _, f := range ipvs.FlagNames {
			if f.Name != name || f.Flag == ipvs.OnePacket {
				continue
			}
			flags |= f.Flag
			if f.Scheduler != "" && f.Scheduler != scheduler {
				r.fail(g.value, "", "%s is a flag of the scheduler %s, not of %s", name, f.Scheduler, scheduler)
			}
			continue next
		}
		r.fail(g.value, "flags are sh-fallback, sh-port, mh-fallback, mh-port and flag-1 to flag-3", "there is no scheduler flag %q", name)
	}
	return flags
}

func (r *reader) onServer(c command, letter byte) {
	key, at, ok := r.key(c)
	g, given := c.options["real-server"]
	if !given {
		r.fail(c.at, "add -r ADDRESS[:PORT]", "--%s needs a server", c.name)
		return
	}
	addr, hasPort, good := r.address(g.value, "server")
	d := r.serverOptions(c)
	if !ok || !good || !r.defined(r.services[key], key, at) {
		return
	}
	s := r.services[key]
	switch port := key.Addr.Port(); {
	case !hasPort:
		addr = netip.AddrPortFrom(addr.Addr(), port)
	case key.FWMark == 0 && d.Forward != ipvs.NAT && addr.Port() != port && letter != 'd':
		r.warn(g.value, "", "under %s a server has the service's port: taken as %d, as ipvsadm does", d.Forward, port)
		addr = netip.AddrPortFrom(addr.Addr(), port)
	case key.FWMark == 0 && addr.Port() == 0 && port != 0:
		r.warn(g.value, "", "port 0 of a server stands for the service's: taken as %d", port)
		addr = netip.AddrPortFrom(addr.Addr(), port)
	}
	d.Addr = addr
	if letter != 'd' && ipvs.FamilyOf(addr.Addr()) != key.Family && d.Forward != ipvs.Tun {
		r.fail(g.value, "only a tunnel (-i) leads from one family to the other", "the server is of another family than the service")
	}
	place, there := s.place[addr]
	servers := &s.virtual.RealServers
	switch {
	case letter == 'a' && there:
		r.fail(g.value, "", "the server %s of %s is there already", addr, key)
	case letter == 'a':
		s.place[addr] = len(*servers)
		*servers = append(*servers, config.RealServer{Destination: d})
	case !there:
		r.fail(g.value, "add it with -a on a line above", "there is no server %s of %s", addr, key)
	case letter == 'e':
		(*servers)[place].Destination = d
	default:
		last := len(*servers) - 1
		(*servers)[place] = (*servers)[last]
		s.place[(*servers)[place].Destination.Addr] = place
		*servers = (*servers)[:last]
		delete(s.place, addr)
	}
}

// serverOptions reads the options of -a and -e.
func (r *reader) serverOptions(c command) ipvs.Destination {
	d := ipvs.Destination{
		Forward:        ipvs.DR,
		Weight:         int32(r.number(c, "weight", 0, math.MaxInt32, 1)),
		UpperThreshold: uint32(r.number(c, "u-threshold", 0, math.MaxInt32, 0)),
		LowerThreshold: uint32(r.number(c, "l-threshold", 0, math.MaxInt32, 0)),
	}
	if d.LowerThreshold > d.UpperThreshold {
		r.fail(c.options["l-threshold"].value, "", "the lower threshold %d is above the upper one %d", d.LowerThreshold, d.UpperThreshold)
	}
	ways := 0
	for _, way := range []struct {
		name string
		ipvs.Forward
	}{{"gatewaying", ipvs.DR}, {"ipip", ipvs.Tun}, {"masquerading", ipvs.NAT}} {
		if g, given := c.options[way.name]; given {
			d.Forward = way.Forward
			if ways++; ways > 1 {
				r.fail(g.at, "", "-g, -i and -m exclude each other")
			}
		}
	}
	d.Tunnel = r.tunnel(c, d.Forward)
	return d
}

var tunnelTypes = []ipvs.TunnelType{ipvs.IPIP, ipvs.GUE, ipvs.GRE}

// tunnel reads the options of a tunnel, and holds them to the rules of ipvsadm.
func (r *reader) tunnel(c command, forward ipvs.Forward) (t ipvs.Tunnel) {
	if g, given := c.options["tun-type"]; given {
		known := false
		for _, typ := range tunnelTypes {
			if typ.String() == g.value.text {
				t.Type, known = typ, true
			}
		}
		if !known {
			r.fail(g.value, "", "a tunnel is ipip, gue or gre, not %q", g.value.text)
			return t
		}
		if t.Type == ipvs.GUE && c.options["tun-port"].at.text == "" {
			r.fail(g.value, "add --tun-port PORT", "a gue tunnel needs its UDP port")
		}
	}
	t.Port = uint16(r.number(c, "tun-port", 1, math.MaxUint16, 0))
	sums := 0
	for _, o := range []struct {
		name string
		flag ipvs.TunnelFlags
		only string
	}{
		{"tun-type", 0, "ipip gue gre"}, {"tun-port", 0, "gue"}, {"tun-nocsum", ipvs.NoCsum, "gue gre"},
		{"tun-csum", ipvs.Csum, "gue gre"}, {"tun-remcsum", ipvs.RemCsum, "gue"},
	} {
		g, given := c.options[o.name]
		if !given {
			continue
		}
		t.Flags |= o.flag
		if strings.HasSuffix(o.name, "csum") {
			sums++
		}
		switch {
		case forward != ipvs.Tun:
			r.fail(g.at, "add -i", "--%s works only with a tunnel", o.name)
		case !strings.Contains(o.only, t.Type.String()):
			r.fail(g.at, "", "--%s does not go with a tunnel of type %s", o.name, t.Type)
		case sums > 1:
			r.fail(g.at, "", "--tun-nocsum, --tun-csum and --tun-remcsum exclude each other")
		}
	}
	return t
}
