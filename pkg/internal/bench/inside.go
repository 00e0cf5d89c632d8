package main

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvsnl"
	"github.com/ipvsd/ipvsd/pkg/reconcile"
)

// sweep is the number of rounds in which the daemon reads the whole table once.
const sweep = 20

// inside is what was measured of the reconciler without the program around it.
type inside struct {
	program time.Duration   // an empty table
	quiet   []time.Duration // rounds when nothing changed
	whole   time.Duration   // such a round that reads everything

	snapshot, ipvsadm time.Duration // of the same table
	sent              int           // commands, in all rounds when nothing changed
}

func measureInside(b *bench, z size) (in inside) {
	host := lab.NewHost(b, "director")
	kernel := open(b, host)
	want := state(z)
	r := reconcile.New(kernel)
	round := func(parts int) (int, time.Duration) {
		began := time.Now()
		got, err := r.Round(context.Background(), began, want, parts)
		b.Must(err)
		return len(got.Taken), time.Since(began)
	}
	n, took := round(reconcile.Whole)
	if n != z.services+z.destinations() {
		b.Fatalf("programming took %d commands", n)
	}
	in.program = took
	for range 20 {
		n, took = round(sweep)
		in.sent += n
		in.quiet = append(in.quiet, took)
	}
	n, in.whole = round(reconcile.Whole)
	in.sent += n

	began := time.Now()
	table, err := kernel.Snapshot(context.Background())
	in.snapshot = time.Since(began)
	b.Must(err)
	if _, n := table.Len(); n != z.destinations() {
		b.Fatalf("a snapshot has %d servers", n)
	}
	began = time.Now()
	host.Run("ipvsadm", "-Sn")
	in.ipvsadm = time.Since(began)
	return in
}

// open returns a client of the host's table.
func open(b *bench, host *lab.Host) (kernel *ipvsnl.Client) {
	b.Must(host.Do(func() (err error) {
		kernel, err = ipvsnl.Open()
		return err
	}))
	b.Cleanup(func() { _ = kernel.Close() })
	return kernel
}

func at(addr string) netip.AddrPort { return netip.MustParseAddrPort(addr + ":80") }

// state is the table that the contenders make, too.
func state(z size) desired.State {
	var want desired.State
	for n := range z.services {
		s := desired.Service{Service: ipvs.Service{ServiceKey: ipvs.AddressKey(ipvs.TCP, at(vip(n))), Scheduler: "wrr", Granularity: 32}}
		for m := range z.servers {
			s.Destinations = append(s.Destinations, desired.Destination{Destination: ipvs.Destination{Addr: at(rip(m)), Weight: 1}})
		}
		slices.SortFunc(s.Destinations, func(a, b desired.Destination) int { return a.Addr.Compare(b.Addr) })
		want = append(want, s)
	}
	slices.SortFunc(want, func(a, b desired.Service) int { return a.ServiceKey.Compare(b.ServiceKey) })
	return want
}
