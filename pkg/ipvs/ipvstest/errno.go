package ipvstest

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// testErrno tries every way of being refused. Where two things are wrong with a command the number says which of them
// the kernel sees first.
func testErrno(t *testing.T, s Subject) {
	web, web6 := Service("tcp 192.0.2.1:80", "rr"), Service("tcp [2001:db8::80]:80", "rr")
	mark := Service("fwmark 7", "rr")
	here, absent := NAT("198.51.100.1:80"), NAT("198.51.100.2:80")
	here6 := NAT("[2001:db8::1]:80")
	table := ipvs.Table{
		{Service: web, Destinations: []ipvs.DestinationStatus{{Destination: here}}},
		{Service: web6, Destinations: []ipvs.DestinationStatus{{Destination: here6}}},
		{Service: mark},
	}
	wantRefused(t, s, Fill(table))

	service := func(s ipvs.Service, change func(*ipvs.Service)) ipvs.Service {
		change(&s)
		return s
	}
	destination := func(d ipvs.Destination, change func(*ipvs.Destination)) ipvs.Destination {
		change(&d)
		return d
	}
	other := Service("tcp 192.0.2.2:80", "rr")
	other6 := Service("tcp [2001:db8::2]:80", "rr")
	unknownScheduler := func(s *ipvs.Service) { s.Scheduler = "absent" }
	unknownEngine := func(s *ipvs.Service) { s.Engine = "absent" }
	granularity := func(n uint8) func(*ipvs.Service) { return func(s *ipvs.Service) { s.Granularity = n } }
	light := func(d *ipvs.Destination) { d.Weight = -1 }
	forward := func(f ipvs.Forward) func(*ipvs.Destination) { return func(d *ipvs.Destination) { d.Forward = f } }
	thresholds := func(l, u uint32) func(*ipvs.Destination) {
		return func(d *ipvs.Destination) { d.LowerThreshold, d.UpperThreshold = l, u }
	}
	at := func(a string) func(*ipvs.Destination) {
		return func(d *ipvs.Destination) { d.Addr = netip.MustParseAddrPort(a) }
	}
	gueWithoutPort := func(d *ipvs.Destination) { d.Forward, d.Tunnel.Type = ipvs.Tun, ipvs.GUE }
	long := strings.Repeat("x", 16)

	for _, c := range []struct {
		name string
		op   ipvs.Op
		s    ipvs.Service
		d    ipvs.Destination
		want ipvs.Errno
	}{
		{"no operation", 0, web, here, ipvs.EOPNOTSUPP},

		{"existing service", ipvs.NewService, web, none, ipvs.EEXIST},
		{"existing mark", ipvs.NewService, mark, none, ipvs.EEXIST},
		{"existing service, unknown scheduler", ipvs.NewService, service(web, unknownScheduler), none, ipvs.EEXIST},
		{"unknown scheduler", ipvs.NewService, service(other, unknownScheduler), none, ipvs.ENOENT},
		{"no scheduler", ipvs.NewService, service(other, func(s *ipvs.Service) { s.Scheduler = "" }), none, ipvs.ENOENT},
		{"long scheduler", ipvs.NewService, service(other, func(s *ipvs.Service) { s.Scheduler = long }), none, ipvs.EINVAL},
		{"unknown engine", ipvs.NewService, service(other, unknownEngine), none, ipvs.ENOENT},
		{"long engine", ipvs.NewService, service(other, func(s *ipvs.Service) { s.Engine = long + "x" }), none, ipvs.EINVAL},
		{"granularity 0", ipvs.NewService, service(other6, granularity(0)), none, ipvs.EINVAL},
		{"granularity 129", ipvs.NewService, service(other6, granularity(129)), none, ipvs.EINVAL},
		{"no family", ipvs.NewService, ipvs.Service{Scheduler: "rr"}, none, ipvs.EAFNOSUPPORT},

		{"edit of no service", ipvs.SetService, other, none, ipvs.ESRCH},
		{"edit, mark of other family", ipvs.SetService, Service("fwmark 7 inet6", "rr"), none, ipvs.ESRCH},
		{"edit, unknown scheduler", ipvs.SetService, service(web, unknownScheduler), none, ipvs.ENOENT},
		{"edit, unknown engine", ipvs.SetService, service(web, unknownEngine), none, ipvs.ENOENT},
		{"edit, granularity 0", ipvs.SetService, service(web6, granularity(0)), none, ipvs.EINVAL},
		{"delete of no service", ipvs.DelService, other, none, ipvs.ESRCH},

		{"server of no service", ipvs.NewDestination, other, here, ipvs.ESRCH},
		{"server of no service, weight -1", ipvs.NewDestination, other, destination(here, light), ipvs.ESRCH},
		{"existing server", ipvs.NewDestination, web, here, ipvs.EEXIST},
		{"existing server, weight -1", ipvs.NewDestination, web, destination(here, light), ipvs.ERANGE},
		{"weight -1", ipvs.NewDestination, web, destination(absent, light), ipvs.ERANGE},
		{"lower threshold above upper", ipvs.NewDestination, web, destination(absent, thresholds(3, 2)), ipvs.ERANGE},
		{"lower threshold only", ipvs.NewDestination, web, destination(absent, thresholds(1, 0)), ipvs.ERANGE},
		{"IPv6 by NAT to IPv4", ipvs.NewDestination, web, here6, ipvs.EINVAL},
		{"IPv6 by DR to IPv4", ipvs.NewDestination, web, destination(here6, forward(ipvs.DR)), ipvs.EINVAL},
		{"IPv4 by NAT to IPv6", ipvs.NewDestination, web6, here, ipvs.EINVAL},
		{"IPv6 by NAT to mark", ipvs.NewDestination, mark, here6, ipvs.EINVAL},
		{"gue without port", ipvs.NewDestination, web, destination(absent, gueWithoutPort), ipvs.EINVAL},
		{"unspecified", ipvs.NewDestination, web, destination(here, at("0.0.0.0:80")), ipvs.EINVAL},
		{"multicast", ipvs.NewDestination, web, destination(here, at("224.0.0.1:80")), ipvs.EINVAL},
		{"broadcast", ipvs.NewDestination, web, destination(here, at("255.255.255.255:80")), ipvs.EINVAL},
		{"IPv6 unspecified", ipvs.NewDestination, web6, destination(here, at("[::]:80")), ipvs.EINVAL},
		{"IPv6 multicast", ipvs.NewDestination, web6, destination(here, at("[ff02::1]:80")), ipvs.EINVAL},
		{"IPv6 link-local", ipvs.NewDestination, web6, destination(here, at("[fe80::1]:80")), ipvs.EINVAL},
		{"IPv4 in IPv6", ipvs.NewDestination, web6, destination(here, at("[::ffff:198.51.100.1]:80")), ipvs.EINVAL},
		{"no address", ipvs.NewDestination, web6, none, ipvs.EINVAL},

		{"edit of server of no service", ipvs.SetDestination, other, here, ipvs.ESRCH},
		{"edit of no server", ipvs.SetDestination, web, absent, ipvs.ENOENT},
		{"edit of no server, weight -1", ipvs.SetDestination, web, destination(absent, light), ipvs.ERANGE},
		{"edit, weight -1", ipvs.SetDestination, web, destination(here, light), ipvs.ERANGE},
		{"edit, lower threshold above upper", ipvs.SetDestination, web, destination(here, thresholds(3, 2)), ipvs.ERANGE},
		{"edit, other family by NAT", ipvs.SetDestination, web, here6, ipvs.EINVAL},
		{"edit, other family by TUN", ipvs.SetDestination, web, destination(here6, forward(ipvs.Tun)), ipvs.ENOENT},
		{"edit, gue without port", ipvs.SetDestination, web, destination(here, gueWithoutPort), ipvs.EINVAL},
		{"delete of server of no service", ipvs.DelDestination, other, here, ipvs.ESRCH},
		{"delete of no server", ipvs.DelDestination, web, absent, ipvs.ENOENT},
		{"delete of no server of other family", ipvs.DelDestination, web, here6, ipvs.ENOENT},
	} {
		t.Run(c.name, func(t *testing.T) {
			command := ipvs.Command{Op: c.op, Service: c.s, Destination: c.d}
			refused, err := s.Apply(t.Context(), []ipvs.Command{command})
			if err != nil {
				t.Fatal(err)
			}
			if len(refused) == 0 {
				t.Fatalf("%v was done, want: %v", command, c.want)
			}
			if got := refused[0].Errno; got != c.want {
				t.Errorf("%v: errno %d (%v), want %d", command, uint16(got), got, uint16(c.want))
			}
		})
	}
	table.Sort()
	wantTable(t, s, table)
}

// none is the destination of commands on services.
var none ipvs.Destination
