package ipvstest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Client is what ipvsnl.Client and Kernel have in common.
type Client interface {
	Snapshot(context.Context) (ipvs.Table, error)
	Read(context.Context, map[ipvs.ServiceKey]bool) (ipvs.Table, error)
	ReadServices(context.Context, []ipvs.ServiceKey) (ipvs.Table, error)
	Apply(context.Context, []ipvs.Command) ([]*ipvs.Error, error)
	Timeouts(context.Context) (ipvs.Timeouts, error)
	SetTimeouts(context.Context, ipvs.Timeouts) error
	Info(context.Context) (ipvs.Info, error)
	SyncDaemons(context.Context) (master, backup ipvs.SyncDaemon, err error)
	StartSyncDaemon(context.Context, ipvs.SyncRole, ipvs.SyncDaemon) error
	StopSyncDaemon(context.Context, ipvs.SyncRole) error
}

// Subject is what Conformance tests.
type Subject struct {
	Client // of an empty table, without sync daemons
	// Interface is up, with an MTU of 1500. There is none called "absent".
	Interface string
	// Traffic makes a UDP service hand datagrams to its only server and waits until both have counted some.
	Traffic func(t *testing.T, service ipvs.ServiceKey, server netip.AddrPort)
}

// Conformance tests what everything above relies on when it talks to a kernel. Each case gets a Subject of its own.
func Conformance(t *testing.T, open func(t *testing.T) Subject) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Subject)
	}{
		{"an empty table is no error", testEmpty},
		{"every field comes back as it was written", testRoundTrip},
		{"a part of the table has all services and some servers", testRead},
		{"services are read one by one", testReadServices},
		{"an edit replaces every field", testEdit},
		{"a refusal has the kernel's number and changes nothing", testErrno},
		{"commands after a refused one are done", testRefusedBetween},
		{"a large batch keeps count of what was refused", testLargeBatch},
		{"a deleted service takes its servers with it", testDeleteService},
		{"counters survive edits and nothing else", testCounters},
		{"timeouts", testTimeouts},
		{"the order of servers", testRank},
		{"sync daemons", testSyncDaemons},
		{"refused sync daemons", testSyncErrno},
		{"sync daemons or mixed families", testSyncOrMixed},
		{"info", testInfo},
		{"a canceled context", testCanceled},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

func testEmpty(t *testing.T, s Subject) {
	wantTable(t, s, ipvs.Table{})
	wantRefused(t, s, nil)
}

func testRoundTrip(t *testing.T, s Subject) {
	want := EveryField()
	wantRefused(t, s, Fill(want))
	want.Sort()
	wantTable(t, s, want)
}

func testRead(t *testing.T, s Subject) {
	whole := EveryField()
	wantRefused(t, s, Fill(whole))
	whole.Sort()
	of := map[ipvs.ServiceKey]bool{ipvs.FWMarkKey(4242, ipvs.IPv4): true} // and one that isn't there
	for i := range whole {
		if i%2 == 0 {
			of[whole[i].ServiceKey] = true
		} else {
			whole[i].Destinations, whole[i].Unread = nil, true
		}
	}
	got, err := s.Read(t.Context(), of)
	if err != nil {
		t.Fatal(err)
	}
	if d := Diff(whole, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// testReadServices reads some services, and one that doesn't exist.
func testReadServices(t *testing.T, s Subject) {
	whole := EveryField()
	wantRefused(t, s, Fill(whole))
	whole.Sort()
	keys := []ipvs.ServiceKey{whole[len(whole)-1].ServiceKey, ipvs.AddressKey(ipvs.TCP, netip.MustParseAddrPort("192.0.2.250:9")), whole[0].ServiceKey}
	got, err := s.ReadServices(t.Context(), keys)
	if err != nil {
		t.Fatal(err)
	}
	if d := Diff(ipvs.Table{whole[0], whole[len(whole)-1]}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got, err := s.ReadServices(t.Context(), nil); len(got) > 0 || err != nil {
		t.Errorf("of no key: %v, %v", got, err)
	}
}

// testEdit moves the fields of EveryField around: each service gets the options of the next of its family, and each
// server those of another of its service.
func testEdit(t *testing.T, s Subject) {
	table := EveryField()
	wantRefused(t, s, Fill(table))
	var edits []ipvs.Command
	for i := range table {
		next := table[(i+1)%len(table)]
		for j := range table {
			if k := (i + 1 + j) % len(table); table[k].Family == table[i].Family {
				next = table[k]
				break
			}
		}
		edited := next.Service
		edited.ServiceKey = table[i].ServiceKey
		edits = append(edits, ipvs.Command{Op: ipvs.SetService, Service: edited})
	}
	for i := range table {
		d := table[i].Destinations
		for j := range d {
			edited := d[(j+1)%len(d)].Destination
			if ipvs.FamilyOf(edited.Addr.Addr()) != ipvs.FamilyOf(d[j].Addr.Addr()) {
				edited = d[j].Destination
				edited.Weight++
			}
			edited.Addr = d[j].Addr
			edits = append(edits, ipvs.Command{
				Op: ipvs.SetDestination, Service: table[i].Service, Destination: edited,
			})
		}
	}
	wantRefused(t, s, edits)

	for _, c := range edits {
		for i := range table {
			if table[i].ServiceKey != c.Service.ServiceKey {
				continue
			}
			if c.Op == ipvs.SetService {
				table[i].Service = c.Service
			}
			for j := range table[i].Destinations {
				if c.Op == ipvs.SetDestination && table[i].Destinations[j].Addr == c.Destination.Addr {
					table[i].Destinations[j].Destination = c.Destination
				}
			}
		}
	}
	table.Sort()
	wantTable(t, s, table)

	// The engine is there exactly as long as each edit names it.
	sip := Service("udp 192.0.2.9:5060", "rr")
	sip.Persistence, sip.Engine = time.Minute, "sip"
	wantRefused(t, s, []ipvs.Command{{Op: ipvs.NewService, Service: sip}})
	sip.Persistence = 2 * time.Minute
	for _, engine := range []string{"sip", ""} {
		sip.Engine = engine
		wantRefused(t, s, []ipvs.Command{{Op: ipvs.SetService, Service: sip}})
		if got := find(t, s, sip.ServiceKey).Service; got != sip {
			t.Errorf("after an edit the service is\n%+v, want\n%+v", got, sip)
		}
	}
}

func testRefusedBetween(t *testing.T, s Subject) {
	web, dns := Service("tcp 192.0.2.1:80", "rr"), Service("udp 192.0.2.1:53", "rr")
	first, second := NAT("198.51.100.1:80"), NAT("198.51.100.2:80")
	wantRefused(t, s, []ipvs.Command{
		{Op: ipvs.NewService, Service: web},
		{Op: ipvs.NewService, Service: web}, // exists
		{Op: ipvs.NewDestination, Service: web, Destination: first},
		{Op: ipvs.NewDestination, Service: dns, Destination: first}, // no such service yet
		{Op: ipvs.DelDestination, Service: web, Destination: second},
		{Op: ipvs.NewService, Service: dns},
		{Op: ipvs.NewDestination, Service: web, Destination: second},
		{Op: ipvs.DelService, Service: Service("tcp 192.0.2.2:80", "rr")}, // none; the last, which is acknowledged
	}, refusal{1, ipvs.EEXIST}, refusal{3, ipvs.ESRCH}, refusal{4, ipvs.ENOENT}, refusal{7, ipvs.ESRCH})
	wantTable(t, s, ipvs.Table{
		{Service: dns},
		{Service: web, Destinations: []ipvs.DestinationStatus{{Destination: first}, {Destination: second}}},
	})
}

func testLargeBatch(t *testing.T, s Subject) {
	const services, servers = 500, 20
	var (
		want     ipvs.Table
		commands []ipvs.Command
		refused  []refusal
	)
	for i := range services {
		service := Service(fmt.Sprintf("tcp 192.0.%d.%d:80", i/250, 1+i%250), "wlc")
		status := ipvs.ServiceStatus{Service: service}
		commands = append(commands, ipvs.Command{Op: ipvs.NewService, Service: service})
		for j := range servers {
			d := NAT(fmt.Sprintf("198.51.100.%d:80", 1+j))
			commands = append(commands, ipvs.Command{Op: ipvs.NewDestination, Service: service, Destination: d})
			status.Destinations = append(status.Destinations, ipvs.DestinationStatus{Destination: d})
			if (i*servers+j)%7 == 0 {
				commands = append(commands, commands[len(commands)-1])
				refused = append(refused, refusal{len(commands) - 1, ipvs.EEXIST})
			}
		}
		want = append(want, status)
	}
	wantRefused(t, s, commands, refused...)
	want.Sort()
	wantTable(t, s, want)

	// All refused: the answers to one send must not outgrow the receive buffer.
	refused = refused[:0]
	for i := range commands {
		refused = append(refused, refusal{i, ipvs.EEXIST})
	}
	wantRefused(t, s, commands, refused...)
}

func testDeleteService(t *testing.T, s Subject) {
	web := Service("tcp 192.0.2.1:80", "rr")
	add := ipvs.Command{Op: ipvs.NewService, Service: web}
	wantRefused(t, s, []ipvs.Command{
		add,
		{Op: ipvs.NewDestination, Service: web, Destination: NAT("198.51.100.1:80")},
		{Op: ipvs.DelService, Service: ipvs.Service{ServiceKey: web.ServiceKey}},
		add,
	})
	wantTable(t, s, ipvs.Table{{Service: web}})
}

func testCounters(t *testing.T, s Subject) {
	dns, server := Service("udp 127.0.0.53:53", "rr"), NAT("127.0.0.2:5353")
	add := []ipvs.Command{
		{Op: ipvs.NewService, Service: dns},
		{Op: ipvs.NewDestination, Service: dns, Destination: server},
	}
	count := func() (service, destination uint64) {
		status := find(t, s, dns.ServiceKey)
		return status.Stats.InPackets, status.Destinations[0].Stats.InPackets
	}
	wantRefused(t, s, add)
	s.Traffic(t, dns.ServiceKey, server.Addr)
	service, destination := count()
	if service == 0 || destination == 0 {
		t.Fatalf("counted %d and %d packets after traffic", service, destination)
	}

	edited, heavier := dns, server
	edited.Scheduler, edited.Persistence = "wlc", time.Minute
	heavier.Weight = 7
	wantRefused(t, s, []ipvs.Command{
		{Op: ipvs.SetService, Service: edited},
		{Op: ipvs.SetDestination, Service: dns, Destination: heavier},
	})
	if s, d := count(); s != service || d != destination {
		t.Errorf("after an edit counters are %d and %d, want %d and %d", s, d, service, destination)
	}

	wantRefused(t, s, []ipvs.Command{{Op: ipvs.DelDestination, Service: dns, Destination: server}, add[1]})
	if s, d := count(); s != service || d != destination {
		t.Errorf("after deleting and adding the server counters are %d and %d, want %d and %d", s, d, service, destination)
	}

	wantRefused(t, s, []ipvs.Command{{Op: ipvs.DelService, Service: dns}, add[0], add[1]})
	if s, d := count(); s != 0 || d != 0 {
		t.Errorf("after deleting and adding the service counters are %d and %d, want 0", s, d)
	}
}

func testTimeouts(t *testing.T, s Subject) {
	ctx := t.Context()
	before, err := s.Timeouts(ctx)
	if err != nil || before != bootTimeouts {
		t.Fatalf("timeouts are %+v, %v; want %+v", before, err, bootTimeouts)
	}
	if err := s.SetTimeouts(ctx, ipvs.Timeouts{TCPFin: 17 * time.Second}); err != nil {
		t.Fatal(err)
	}
	want := before
	want.TCPFin = 17 * time.Second
	for _, bad := range []time.Duration{-time.Second, time.Millisecond, 1 << 31 * time.Second} {
		if err := s.SetTimeouts(ctx, ipvs.Timeouts{TCP: time.Hour, UDP: bad}); !errors.Is(err, ipvs.EINVAL) {
			t.Errorf("setting a timeout of %v: %v, want EINVAL", bad, err)
		}
	}
	if got, err := s.Timeouts(ctx); err != nil || got != want {
		t.Errorf("timeouts are %+v, %v; want %+v", got, err, want)
	}
}

func testInfo(t *testing.T, s Subject) {
	i, err := s.Info(t.Context())
	if err != nil || i.Version.String() != "1.2.1" || i.ConnTableSize == 0 {
		t.Errorf("info is %+v, %v; want version 1.2.1 and a size", i, err)
	}
}

func testCanceled(t *testing.T, s Subject) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	add := []ipvs.Command{{Op: ipvs.NewService, Service: Service("tcp 192.0.2.1:80", "rr")}}
	if refused, err := s.Apply(ctx, add); !errors.Is(err, context.Canceled) || len(refused) > 0 {
		t.Errorf("apply: %v, refused %v; want canceled", err, refused)
	}
	if _, err := s.Snapshot(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("snapshot: %v, want canceled", err)
	}
	wantTable(t, s, ipvs.Table{})
}

// refusal is what a test expects of an ipvs.Error.
type refusal struct {
	index int
	errno ipvs.Errno
}

// wantRefused applies commands and checks which were refused.
func wantRefused(t *testing.T, s Subject, commands []ipvs.Command, want ...refusal) {
	t.Helper()
	refused, err := s.Apply(t.Context(), commands)
	if err != nil {
		t.Fatalf("apply %d commands: %v", len(commands), err)
	}
	got := make([]refusal, 0, len(refused))
	for _, e := range refused {
		got = append(got, refusal{e.Index, e.Errno})
		if e.Command != commands[e.Index] {
			t.Errorf("refusal of command %d has the command %v, want %v", e.Index, e.Command, commands[e.Index])
		}
	}
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Fatalf("command %d (%v) was done, want %v", want[i].index, commands[want[i].index], want[i].errno)
		case i >= len(want) || got[i] != want[i]:
			t.Fatalf("command %d: %v; want of all: %v", got[i].index, refused[i], want)
		}
	}
}

// wantTable checks what a Snapshot returns, connections and counters included.
func wantTable(t *testing.T, s Subject, want ipvs.Table) {
	t.Helper()
	got, err := s.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := Diff(got, want); d != "" {
		t.Errorf("wrong table:\n%s", d)
	}
}

func find(t *testing.T, s Subject, k ipvs.ServiceKey) ipvs.ServiceStatus {
	t.Helper()
	table, err := s.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	status := table.Find(k)
	if status == nil {
		t.Fatalf("no service %v in the table", k)
	}
	return *status
}
