package ipvstest

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Service returns a service from what ServiceKey.String prints, with all else as plain as it gets. If it isn't a key the
// service has none, and any kernel refuses it.
func Service(key, scheduler string) ipvs.Service {
	k, _ := ipvs.ParseServiceKey(key)
	return ipvs.Service{ServiceKey: k, Scheduler: scheduler, Granularity: k.Family.Bits()}
}

// NAT returns a destination of weight 1. It panics if the address is wrong.
func NAT(addr string) ipvs.Destination {
	return ipvs.Destination{Addr: netip.MustParseAddrPort(addr), Weight: 1}
}

// Fill returns the commands that make a table out of an empty one.
func Fill(t ipvs.Table) []ipvs.Command {
	var c []ipvs.Command
	for _, s := range t {
		c = append(c, ipvs.Command{Op: ipvs.NewService, Service: s.Service})
		for _, d := range s.Destinations {
			c = append(c, ipvs.Command{Op: ipvs.NewDestination, Service: s.Service, Destination: d.Destination})
		}
	}
	return c
}

// EveryField returns a table in which every field of services and destinations has every kind of value. It is not
// sorted.
func EveryField() ipvs.Table {
	service := func(key, scheduler string, d ...ipvs.Destination) ipvs.ServiceStatus {
		s := ipvs.ServiceStatus{Service: Service(key, scheduler)}
		for _, d := range d {
			s.Destinations = append(s.Destinations, ipvs.DestinationStatus{Destination: d})
		}
		return s
	}
	destination := func(addr string, f ipvs.Forward, weight int32) ipvs.Destination {
		return ipvs.Destination{Addr: netip.MustParseAddrPort(addr), Forward: f, Weight: weight}
	}
	tunnel := func(addr string, t ipvs.Tunnel) ipvs.Destination {
		d := destination(addr, ipvs.Tun, 1)
		d.Tunnel = t
		return d
	}
	limited := func(d ipvs.Destination, lower, upper uint32) ipvs.Destination {
		d.LowerThreshold, d.UpperThreshold = lower, upper
		return d
	}
	persistent := func(s ipvs.ServiceStatus, d time.Duration, granularity uint8) ipvs.ServiceStatus {
		s.Persistence, s.Granularity = d, granularity
		return s
	}
	flags := func(s ipvs.ServiceStatus, f ipvs.ServiceFlags) ipvs.ServiceStatus {
		s.Flags = f
		return s
	}
	sip := persistent(service("udp 192.0.2.3:5060", "rr", NAT("198.51.100.9:5060")), 90*time.Second, 32)
	sip.Engine = "sip"
	return ipvs.Table{
		service("tcp 192.0.2.1:80", "wlc",
			NAT("198.51.100.1:8080"),
			destination("198.51.100.2:8080", ipvs.NAT, 0),
			destination("198.51.100.3:8080", ipvs.NAT, 70000),
			destination("198.51.100.4:8080", ipvs.NAT, 2147483647),
			limited(NAT("198.51.100.5:8080"), 0, 1000),
			limited(NAT("198.51.100.6:8080"), 70000, 80000),
			limited(NAT("198.51.100.7:8080"), 4294967295, 4294967295),
			NAT("198.51.100.1:8081"),
			NAT("127.0.0.1:8080"),
			NAT("240.0.0.1:8080"),
		),
		service("tcp 192.0.2.1:443", "rr",
			destination("198.51.100.1:443", ipvs.DR, 1),
			destination("198.51.100.2:443", ipvs.Tun, 1),
			destination("198.51.100.3:443", ipvs.Local, 1),
			destination("198.51.100.4:443", ipvs.Bypass, 1),
			tunnel("198.51.100.5:443", ipvs.Tunnel{Type: ipvs.GUE, Port: 6080}),
			tunnel("198.51.100.6:443", ipvs.Tunnel{Type: ipvs.GUE, Port: 6081, Flags: ipvs.Csum}),
			tunnel("198.51.100.7:443", ipvs.Tunnel{Type: ipvs.GUE, Port: 65535, Flags: ipvs.RemCsum}),
			tunnel("198.51.100.8:443", ipvs.Tunnel{Type: ipvs.GRE}),
			tunnel("198.51.100.9:443", ipvs.Tunnel{Type: ipvs.GRE, Flags: ipvs.Csum}),
			destination("[2001:db8::1]:443", ipvs.Tun, 1),
			tunnel("[2001:db8::2]:443", ipvs.Tunnel{Type: ipvs.GUE, Port: 6080}),
		),
		service("sctp 192.0.2.1:80", "lc", NAT("198.51.100.1:80")),
		flags(service("udp 192.0.2.1:53", "rr", NAT("198.51.100.1:53")), ipvs.OnePacket),
		sip,
		persistent(service("tcp 192.0.2.4:0", "wrr", destination("198.51.100.1:0", ipvs.DR, 1)), time.Hour, 24),
		service("tcp 192.0.2.5:0", "wrr"),
		persistent(service("tcp 192.0.2.6:25", "sed", NAT("198.51.100.1:25")), time.Second, 1),
		persistent(service("tcp 192.0.2.7:25", "nq"), 100*time.Hour, 0),
		flags(service("tcp 192.0.2.8:80", "sh", NAT("198.51.100.1:80")), ipvs.SHFallback|ipvs.SHPort),
		flags(service("tcp 192.0.2.9:80", "mh", NAT("198.51.100.1:80")), ipvs.MHPort),
		flags(service("tcp 192.0.2.10:80", "mh"), ipvs.MHFallback|ipvs.Scheduler3),
		service("tcp 192.0.2.11:80", "none"),
		service("fwmark 7", "lblc", NAT("198.51.100.1:0"), destination("[2001:db8::1]:0", ipvs.Tun, 1)),
		service("fwmark 7 inet6", "lblcr", NAT("[2001:db8::1]:0")),
		flags(service("fwmark 4294967295", "dh"), ipvs.OnePacket),
		service("tcp [2001:db8::80]:80", "fo",
			NAT("[2001:db8::1]:80"),
			limited(destination("[2001:db8::2]:80", ipvs.DR, 70000), 1, 2),
			tunnel("[2001:db8::3]:80", ipvs.Tunnel{Type: ipvs.GRE, Flags: ipvs.Csum}),
			destination("198.51.100.1:80", ipvs.Tun, 1),
			NAT("[::1]:80"),
		),
		persistent(service("udp [2001:db8::80]:53", "ovf", NAT("[2001:db8::1]:53")), 6*time.Minute, 64),
		persistent(service("sctp [2001:db8::80]:0", "rr"), 6*time.Minute, 1),
	}
}

// Diff says how a table differs from the one that was wanted, in any field but Rank; it is empty if they are equal.
func Diff(got, want ipvs.Table) string {
	g, w := lines(got), lines(want)
	if slices.Equal(g, w) {
		return ""
	}
	var d []string
	for _, l := range w {
		if !slices.Contains(g, l) {
			d = append(d, "missing:    "+l)
		}
	}
	for _, l := range g {
		if !slices.Contains(w, l) {
			d = append(d, "unexpected: "+l)
		}
	}
	if d == nil {
		d = append([]string{"wrong order, or something twice:"}, g...)
	}
	return strings.Join(d, "\n")
}

// lines shows what Diff compares.
func lines(t ipvs.Table) []string {
	var l []string
	for _, s := range t {
		l = append(l, fmt.Sprintf("%s, family %d: scheduler %q flags %#x persistence %v/%d engine %q, %+v", s.ServiceKey,
			s.Family, s.Scheduler, uint32(s.Flags), s.Persistence, s.Granularity, s.Engine, s.Stats))
		for _, d := range s.Destinations {
			l = append(l, fmt.Sprintf("%s -> %s: forward %d weight %d thresholds %d..%d tunnel %d:%d:%#x conns %d %d %d, %+v",
				s.ServiceKey, d.Addr, d.Forward, d.Weight, d.LowerThreshold, d.UpperThreshold,
				d.Tunnel.Type, d.Tunnel.Port, uint16(d.Tunnel.Flags),
				d.ActiveConns, d.InactiveConns, d.PersistentConns, d.Stats))
		}
	}
	return l
}
