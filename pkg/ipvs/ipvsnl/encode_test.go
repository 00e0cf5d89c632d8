package ipvsnl

import (
	"encoding/hex"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/golden"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
)

// The bytes of every kind of command, as a little-endian kernel takes them.
func TestEncodeGolden(t *testing.T) {
	web := ipvstest.Service("tcp 192.0.2.1:80", "wlc")
	sip := ipvstest.Service("udp [2001:db8::80]:5060", "mh")
	sip.Flags = ipvs.OnePacket | ipvs.MHPort | ipvs.Hashed // the last is not for us to set
	sip.Persistence, sip.Granularity, sip.Engine = 6*time.Minute, 64, "sip"
	mark := ipvstest.Service("fwmark 7 inet6", "rr")
	subnet := web
	subnet.Persistence, subnet.Granularity = 90*time.Second+999*time.Millisecond, 23
	nat := ipvstest.NAT("198.51.100.1:8080")
	nat.Weight, nat.UpperThreshold, nat.LowerThreshold = 70000, 2000, 1000
	nat.Tunnel = ipvs.Tunnel{Type: ipvs.GRE} // without a meaning unless Forward is Tun
	tun := ipvs.Destination{
		Addr: netip.MustParseAddrPort("[2001:db8::1]:80"), Forward: ipvs.Tun,
		Tunnel: ipvs.Tunnel{Type: ipvs.GUE, Port: 6080, Flags: ipvs.Csum},
	}
	var text strings.Builder
	for _, c := range []ipvs.Command{
		{Op: ipvs.NewService, Service: web},
		{Op: ipvs.NewService, Service: sip},
		{Op: ipvs.SetService, Service: subnet},
		{Op: ipvs.SetService, Service: mark},
		{Op: ipvs.DelService, Service: web},
		{Op: ipvs.DelService, Service: mark},
		{Op: ipvs.NewDestination, Service: web, Destination: nat},
		{Op: ipvs.SetDestination, Service: web, Destination: tun},
		{Op: ipvs.DelDestination, Service: mark, Destination: tun},
	} {
		var w builder
		w.command(testFamily, 7, c)
		fmt.Fprintf(&text, "%v\n", c)
		show(&text, w.b)
	}
	golden.Check(t, "testdata/commands.golden", []byte(text.String()))
}

// show writes a message with a line for its headers and one for each attribute.
func show(text *strings.Builder, b []byte) {
	fmt.Fprintf(text, "  %s\n", hex.EncodeToString(b[:headerLen+genlLen]))
	nested := attributes{rest: b[headerLen+genlLen:]}
	for nested.next() {
		fmt.Fprintf(text, "    attribute %d\n", nested.typ)
		a := attributes{rest: nested.data}
		for a.next() {
			fmt.Fprintf(text, "      %2d %s\n", a.typ, hex.EncodeToString(a.data))
		}
		if a.err != nil {
			fmt.Fprintln(text, a.err)
		}
	}
	if nested.err != nil {
		fmt.Fprintln(text, nested.err)
	}
}

func TestMaxCommandLen(t *testing.T) {
	s := ipvstest.Service("udp [2001:db8::80]:5060", strings.Repeat("x", 16))
	s.Engine = s.Scheduler
	d := ipvs.Destination{Addr: netip.MustParseAddrPort("[2001:db8::1]:80"), Forward: ipvs.Tun}
	for op := ipvs.NewService; op <= ipvs.DelDestination; op++ {
		var w builder
		w.command(testFamily, 7, ipvs.Command{Op: op, Service: s, Destination: d})
		if len(w.b) > maxCommandLen {
			t.Errorf("%v takes %d bytes, more than %d", op, len(w.b), maxCommandLen)
		}
	}
}

// What is encoded for the kernel and decoded from the kernel's notation is the same, for any values.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte{192, 0, 2, 1}, uint16(80), uint32(0), uint16(6), "wlc", "", uint32(0), uint32(0), uint8(32),
		[]byte{198, 51, 100, 1}, uint16(8080), uint32(0), int32(70000), uint32(0), uint32(0), uint8(0), uint16(0), uint16(0))
	f.Add(netip.MustParseAddr("2001:db8::80").AsSlice(), uint16(53), uint32(0), uint16(17), "mh", "sip", uint32(0x3c),
		uint32(360), uint8(64), netip.MustParseAddr("2001:db8::1").AsSlice(), uint16(0), uint32(2), int32(math.MaxInt32),
		uint32(1), uint32(2), uint8(1), uint16(6080), uint16(1))
	f.Add([]byte{0, 0, 0, 0}, uint16(0), uint32(math.MaxUint32), uint16(0), "rr", "", uint32(4), uint32(1), uint8(0),
		[]byte{198, 51, 100, 1}, uint16(8080), uint32(3), int32(-1), uint32(1), uint32(0), uint8(0), uint16(0), uint16(0))
	f.Fuzz(func(t *testing.T, vip []byte, vport uint16, mark uint32, protocol uint16, scheduler, engine string,
		flags, seconds uint32, granularity uint8, rip []byte, rport uint16, forward uint32, weight int32, l, u uint32,
		tunnel uint8, tunnelPort, tunnelFlags uint16,
	) {
		vaddr, ok1 := netip.AddrFromSlice(vip)
		raddr, ok2 := netip.AddrFromSlice(rip)
		if !ok1 || !ok2 || strings.ContainsRune(scheduler+engine, 0) || len(scheduler)+len(engine) > 1000 {
			return
		}
		s := ipvs.ServiceStatus{Service: ipvs.Service{
			ServiceKey: ipvs.AddressKey(ipvs.Protocol(protocol), netip.AddrPortFrom(vaddr, vport)),
			Scheduler:  scheduler, Engine: engine, Flags: ipvs.ServiceFlags(flags) & ipvs.Settable,
			Persistence: time.Duration(seconds) * time.Second,
		}}
		if mark != 0 {
			s.ServiceKey = ipvs.FWMarkKey(mark, s.Family)
		}
		s.Granularity = min(granularity, s.Family.Bits())
		d := ipvs.DestinationStatus{Destination: ipvs.Destination{
			Addr: netip.AddrPortFrom(raddr, rport), Forward: ipvs.Forward(forward & forwardMask), Weight: weight,
			LowerThreshold: l, UpperThreshold: u,
		}}
		if d.Forward == ipvs.Tun {
			d.Tunnel = ipvs.Tunnel{
				Type: ipvs.TunnelType(tunnel), Port: tunnelPort, Flags: ipvs.TunnelFlags(tunnelFlags),
			}
		}

		var w builder
		w.command(testFamily, 1, ipvs.Command{Op: ipvs.NewService, Service: s.Service})
		w.command(testFamily, 2, ipvs.Command{Op: ipvs.NewDestination, Service: s.Service, Destination: d.Destination})
		first, rest, err := cut(w.b)
		if err != nil {
			t.Fatal(err)
		}
		second, _, err := cut(rest)
		if err != nil {
			t.Fatal(err)
		}
		if c, _ := parseRequest(first); c.Service != s.Service {
			t.Errorf("the kernel reads %+v, not %+v", c.Service, s.Service)
		}
		c, _ := parseRequest(second)
		if c.Service.ServiceKey != s.ServiceKey || c.Destination != d.Destination {
			t.Errorf("the kernel reads %+v of %v, not %+v of %v", c.Destination, c.Service, d.Destination, s.ServiceKey)
		}

		w.b = w.b[:0]
		w.serviceStatus(s, false)
		if got, err := decodeService(w.b); err != nil || got.Service != s.Service {
			t.Errorf("read back: %+v, %v; want %+v", got, err, s)
		}
		w.b = w.b[:0]
		w.destinationStatus(d, false)
		if got, err := decodeDestination(w.b, s.Family); err != nil || got != d {
			t.Errorf("read back: %+v, %v; want %+v", got, err, d)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	commands := ipvstest.Fill(ipvstest.EveryField())
	var w builder
	b.ReportAllocs()
	for b.Loop() {
		w.b = w.b[:0]
		for i, c := range commands {
			w.command(testFamily, uint32(i), c)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(commands)), "ns/command")
}
