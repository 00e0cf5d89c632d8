package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
	"github.com/ipvsd/ipvsd/pkg/reconcile"
)

// The laws of design.md section 7. The same bodies run on the fake kernel here and on a real one in kernel_test.go.
func TestLaws(t *testing.T) {
	laws(t, 100, func(testing.TB) reconcile.Kernel { return new(ipvstest.Kernel) })
}

// laws checks every law for so many pairs of random tables, on kernels that open returns empty.
func laws(t *testing.T, pairs int, open func(testing.TB) reconcile.Kernel) {
	each := func(name string, law func(testing.TB, reconcile.Kernel, *universe)) {
		t.Run(name, func(t *testing.T) {
			for seed := range pairs {
				k := open(t)
				empty(t, k)
				u := &universe{rand.New(rand.NewPCG(uint64(seed), 1))}
				put(t, k, u, seed)
				law(t, k, u)
				if t.Failed() {
					t.Fatalf("with seed %d", seed)
				}
			}
		})
	}
	each("second plan is empty", secondPlanIsEmpty)
	each("fail at every step", failAtEveryStep)
	each("lost answer at every step", lostAnswerAtEveryStep)
	each("foreign objects untouched", foreignUntouched)
	each("never zero servers", neverZeroServers)
	each("kept counters", unchangedNotWritten)
	each("a part is enough", partIsEnough)
}

func secondPlanIsEmpty(t testing.TB, k reconcile.Kernel, u *universe) {
	want := u.state()
	r := reconcile.New(k)
	round(t, r, want)
	for _, s := range reconcile.Diff(snapshot(t, k), want).Steps {
		if s.Reason != reconcile.Drained { // which only a look after the weight went can tell
			t.Errorf("the second plan has a step: %v", s)
		}
	}
	if got := round(t, r, want); len(got.Drift) != 0 {
		t.Errorf("our own doing counts as drift: %v", got.Drift)
	}
	if plan := reconcile.Diff(snapshot(t, k), want); !plan.Empty() {
		t.Errorf("the third plan has steps: %v", plan.Steps)
	}
	holds(t, snapshot(t, k), want)
}

// failAtEveryStep has the kernel refuse step k, for every k; later rounds must still get there.
func failAtEveryStep(t testing.TB, k reconcile.Kernel, u *universe) {
	start, want := snapshot(t, k), u.state()
	for step := range reconcile.Diff(start, want).Steps {
		restore(t, k, start)
		f := &faulty{Kernel: k, refuse: step}
		r := reconcile.New(f)
		now := time.Unix(0, 0)
		got := try(t, r, now, want)
		if len(got.Refused) == 0 || r.Deadline().IsZero() {
			t.Errorf("step %d was refused but not recorded", step)
		}
		if again := try(t, r, now.Add(time.Millisecond), want); len(again.Refused) != 0 {
			t.Errorf("step %d is tried again at once", step)
		}
		for i := 0; i < 3 && !r.Deadline().IsZero(); i++ {
			now = r.Deadline()
			try(t, r, now, want)
		}
		if len(r.Failures()) != 0 {
			t.Errorf("step %d: failures stay on record: %v", step, r.Failures())
		}
		for range 2 { // what waited for the failure to end, such as to get into order; and what has drained since
			if got := round(t, r, want); len(got.Drift) != 0 {
				t.Errorf("step %d: our own doing counts as drift: %v", step, got.Drift)
			}
		}
		if n := r.Totals().Drift; n != 0 {
			t.Errorf("step %d: counted %d as drift", step, n)
		}
		holds(t, snapshot(t, k), want)
	}
}

// lostAnswerAtEveryStep has the answer to a batch get lost after k commands took effect.
func lostAnswerAtEveryStep(t testing.TB, k reconcile.Kernel, u *universe) {
	start, want := snapshot(t, k), u.state()
	for step := range reconcile.Diff(start, want).Steps {
		restore(t, k, start)
		f := &faulty{Kernel: k, refuse: -1, lose: true, loseAt: step}
		r := reconcile.New(f)
		if _, err := r.Round(t.Context(), time.Unix(0, 0), want, reconcile.Whole); !errors.Is(err, errLost) {
			t.Fatalf("step %d: got %v", step, err)
		}
		if got := try(t, r, time.Unix(1, 0), want); len(got.Drift) != 0 {
			t.Errorf("our own doing counts as drift: %v", got.Drift)
		}
		holds(t, snapshot(t, k), want)
	}
}

// foreignUntouched has everything that the state doesn't mention reported, and left exactly as it was.
func foreignUntouched(t testing.TB, k reconcile.Kernel, u *universe) {
	want := u.state()
	mentioned := make(map[reconcile.Foreign]bool) // in the terms of a report
	for _, s := range want {
		mentioned[reconcile.Foreign{Service: s.ServiceKey}] = true
		for _, d := range s.Destinations {
			mentioned[reconcile.Foreign{Service: s.ServiceKey, Server: d.Addr}] = true
		}
	}
	before := snapshot(t, k)
	reported := make(map[reconcile.Foreign]bool)
	for _, f := range round(t, reconcile.New(k), want).Plan.Foreign {
		reported[f] = true
	}
	after := snapshot(t, k)
	for _, s := range before {
		whole := reconcile.Foreign{Service: s.ServiceKey}
		found := after.Find(s.ServiceKey)
		if !mentioned[whole] {
			if !reported[whole] || !cmp.Equal(found, &s, comparable) {
				t.Errorf("%v: reported %t, was %v, is %v", whole, reported[whole], s, found)
			}
			continue
		}
		for _, d := range s.Destinations {
			f := reconcile.Foreign{Service: s.ServiceKey, Server: d.Addr}
			if mentioned[f] || found == nil { // a service of ours that goes takes all its servers along
				continue
			}
			got := found.Destination(d.Addr)
			if got != nil {
				got.Rank = d.Rank // changes whenever another one comes or goes
			}
			if !reported[f] || got == nil || *got != d {
				t.Errorf("%v: reported %t, was %v, is %v", f, reported[f], d, got)
			}
		}
	}
}

var comparable = cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })

// neverZeroServers looks at the table after every single command: a service with servers that take clients before and
// after must have some all the time.
func neverZeroServers(t testing.TB, k reconcile.Kernel, u *universe) {
	want := u.state()
	before := serving(snapshot(t, k))
	w := &watched{Kernel: k}
	round(t, reconcile.New(w), want)
	after := serving(snapshot(t, k))
	for i, table := range w.tables {
		between := serving(table)
		for key := range before {
			if after[key] > 0 && before[key] > 0 && between[key] == 0 {
				t.Errorf("%s has no server after step %d", key, i+1)
			}
		}
	}
}

// unchangedNotWritten proves that an object that is as it should be is the subject of no command: its counters live on.
func unchangedNotWritten(t testing.TB, k reconcile.Kernel, u *universe) {
	want := u.state()
	table := snapshot(t, k)
	for _, step := range reconcile.Diff(table, want).Steps {
		s := table.Find(step.Service.ServiceKey)
		switch step.Op {
		case ipvs.SetService:
			if s.Service == *step.Service {
				t.Errorf("%v changes nothing", step)
			}
		case ipvs.SetDestination:
			if s.Destination(step.Destination.Addr).Destination == *step.Destination {
				t.Errorf("%v changes nothing", step)
			}
		case ipvs.NewService, ipvs.NewDestination, ipvs.DelService, ipvs.DelDestination:
		}
	}
}

// partIsEnough has rounds read only a part of the table: what changes in the desired state is done all the same, at once. Of
// so many services, those that change are read one by one.
func partIsEnough(t testing.TB, k reconcile.Kernel, u *universe) {
	var others desired.State
	for n := range 100 {
		others = append(others, desired.Service{
			Service:      ipvs.Service{ServiceKey: key(5 + n), Scheduler: "rr", Granularity: 32},
			Destinations: []desired.Destination{{Destination: ipvs.Destination{Addr: server(0), Weight: 1}}},
		})
	}
	r := reconcile.New(k)
	round(t, r, append(u.state(), others...))
	for range 6 {
		want := append(u.state(), others...)
		got, err := r.Round(t.Context(), time.Unix(0, 0), want, pick(u, 100, reconcile.Changes))
		if err != nil || len(got.Refused) != 0 || len(got.Drift) != 0 {
			t.Fatal(err, got.Refused, got.Drift)
		}
		holds(t, snapshot(t, k), want)
	}
}

// universe makes random states over few services and servers, so that they overlap.
type universe struct{ *rand.Rand }

func (u *universe) state() desired.State {
	var state desired.State
	for n := range 5 {
		if u.IntN(5) == 0 {
			continue
		}
		s := desired.Service{Service: ipvs.Service{
			ServiceKey: key(n), Scheduler: pick(u, "rr", "wlc", "sh", "mh", "dh"), Granularity: 32,
			Persistence: pick[time.Duration](u, 0, 0, 50*time.Second), Flags: pick[ipvs.ServiceFlags](u, 0, ipvs.Scheduler1),
		}}
		if u.IntN(8) == 0 {
			s.Want = desired.Absent
		}
		for m := range 4 {
			if u.IntN(3) == 0 {
				continue
			}
			s.Destinations = append(s.Destinations, desired.Destination{
				Destination: ipvs.Destination{
					Addr: server(m), Weight: pick[int32](u, 0, 1, 70000), Forward: pick(u, ipvs.NAT, ipvs.DR),
					UpperThreshold: pick[uint32](u, 0, 100),
				},
				Want: pick(u, desired.Present, desired.Present, desired.Present, desired.Present, desired.Present, desired.Absent,
					desired.AsFound, desired.Kept, desired.Draining),
			})
		}
		state = append(state, s)
	}
	return state
}

func pick[T any](u *universe, of ...T) T { return of[u.IntN(len(of))] }

func key(n int) ipvs.ServiceKey {
	return ipvs.AddressKey(ipvs.TCP, netip.MustParseAddrPort(fmt.Sprintf("192.0.2.%d:80", n+1)))
}

func server(n int) netip.AddrPort {
	return netip.MustParseAddrPort(fmt.Sprintf("198.51.100.%d:80", n+1))
}

// put makes the kernel hold one state, or for a third of the seeds none; with its servers in any order.
func put(t testing.TB, k reconcile.Kernel, u *universe, seed int) {
	t.Helper()
	state := u.state()
	if seed%3 == 0 {
		return
	}
	round(t, reconcile.New(k), state)
	table := snapshot(t, k)
	for i := range table {
		u.Shuffle(len(table[i].Destinations), func(a, b int) {
			d := table[i].Destinations
			d[a].Rank, d[b].Rank = d[b].Rank, d[a].Rank
		})
	}
	restore(t, k, table)
}

// empty clears the table.
func empty(t testing.TB, k reconcile.Kernel) {
	t.Helper()
	var cmds []ipvs.Command
	for _, s := range snapshot(t, k) {
		cmds = append(cmds, ipvs.Command{Op: ipvs.DelService, Service: s.Service})
	}
	apply(t, k, cmds...)
}

// restore makes the table what it was in a snapshot.
func restore(t testing.TB, k reconcile.Kernel, table ipvs.Table) {
	t.Helper()
	empty(t, k)
	var cmds []ipvs.Command
	for _, s := range table {
		cmds = append(cmds, ipvs.Command{Op: ipvs.NewService, Service: s.Service})
		for _, d := range byRank(s.Destinations) {
			cmds = append(cmds, ipvs.Command{Op: ipvs.NewDestination, Service: s.Service, Destination: d.Destination})
		}
	}
	apply(t, k, cmds...)
}

// byRank returns servers in the order in which they were added.
func byRank(servers []ipvs.DestinationStatus) []ipvs.DestinationStatus {
	return slices.SortedFunc(slices.Values(servers), func(a, b ipvs.DestinationStatus) int { return b.Rank - a.Rank })
}

func apply(t testing.TB, k reconcile.Kernel, cmds ...ipvs.Command) {
	t.Helper()
	if len(cmds) == 0 {
		return
	}
	refused, err := k.Apply(t.Context(), cmds)
	if err != nil || len(refused) > 0 {
		t.Fatal(refused, err)
	}
}

func snapshot(t testing.TB, k reconcile.Kernel) ipvs.Table {
	t.Helper()
	table, err := k.Read(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func try(t testing.TB, r *reconcile.Reconciler, now time.Time, want desired.State) reconcile.Round {
	t.Helper()
	got, err := r.Round(t.Context(), now, want, reconcile.Whole)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// round runs one round in which nothing may go wrong.
func round(t testing.TB, r *reconcile.Reconciler, want desired.State) reconcile.Round {
	t.Helper()
	got := try(t, r, time.Unix(0, 0), want)
	if len(got.Refused) > 0 {
		t.Fatal(got.Refused)
	}
	return got
}

// holds checks the table against the state by a way of its own, not by Diff.
func holds(t testing.TB, table ipvs.Table, want desired.State) {
	t.Helper()
	for _, s := range want {
		found := table.Find(s.ServiceKey)
		if s.Want == desired.Absent {
			if found != nil {
				t.Errorf("%s is still there", s.ServiceKey)
			}
			continue
		}
		if found == nil || found.Service != s.Service {
			t.Errorf("service: want %v, got %v", s.Service, found)
			continue
		}
		for _, d := range s.Destinations {
			got := found.Destination(d.Addr)
			switch {
			case d.Want == desired.Absent && got != nil:
				t.Errorf("%s of %s is still there", d.Addr, s.ServiceKey)
			case d.Want == desired.Present && (got == nil || got.Destination != d.Destination):
				t.Errorf("server of %s: want %v, got %v", s.ServiceKey, d.Destination, got)
			case d.Want == desired.Draining && got != nil && got.Weight != 0:
				t.Errorf("%s of %s has weight %d and is to drain", d.Addr, s.ServiceKey, got.Weight)
			}
		}
		if slices.Contains([]string{"mh", "sh", "dh"}, s.Scheduler) {
			ordered(t, found, s)
		}
	}
}

// ordered checks that our servers were added from the lowest to the highest address. Where all clients have one and the same
// server anyway, that is not required.
func ordered(t testing.TB, found *ipvs.ServiceStatus, want desired.Service) {
	t.Helper()
	serving := 0
	var ours []netip.AddrPort
	for _, d := range byRank(found.Destinations) {
		if d.Weight > 0 {
			serving++
		}
		if slices.ContainsFunc(want.Destinations, func(w desired.Destination) bool { return w.Addr == d.Addr }) {
			ours = append(ours, d.Addr)
		}
	}
	if serving != 1 && !slices.IsSortedFunc(ours, netip.AddrPort.Compare) {
		t.Errorf("%s %s: added in the order %v", want.Scheduler, want.ServiceKey, ours)
	}
}

func serving(table ipvs.Table) map[ipvs.ServiceKey]int {
	n := make(map[ipvs.ServiceKey]int)
	for _, s := range table {
		for _, d := range s.Destinations {
			if d.Weight > 0 {
				n[s.ServiceKey]++
			}
		}
	}
	return n
}

var errLost = errors.New("the answer got lost")

// faulty is a kernel that once refuses a command, or once loses the answer after some.
type faulty struct {
	reconcile.Kernel
	refuse int
	lose   bool
	loseAt int
}

func (f *faulty) Apply(ctx context.Context, cmds []ipvs.Command) ([]*ipvs.Error, error) {
	if f.lose {
		f.lose = false
		_, err := f.Kernel.Apply(ctx, cmds[:f.loseAt])
		return nil, errors.Join(errLost, err)
	}
	at := f.refuse
	if f.refuse = -1; at < 0 {
		return f.Kernel.Apply(ctx, cmds)
	}
	refused, err := f.Kernel.Apply(ctx, cmds[:at])
	refused = append(refused, &ipvs.Error{Command: cmds[at], Index: at, Errno: ipvs.ENOMEM})
	if err != nil || at+1 == len(cmds) {
		return refused, err
	}
	more, err := f.Kernel.Apply(ctx, cmds[at+1:])
	for _, e := range more {
		e.Index += at + 1
	}
	return append(refused, more...), err
}

// watched is a kernel that takes one command at a time and looks at the table after each.
type watched struct {
	reconcile.Kernel
	tables []ipvs.Table
}

func (w *watched) Apply(ctx context.Context, cmds []ipvs.Command) (refused []*ipvs.Error, err error) {
	for i := range cmds {
		r, err := w.Kernel.Apply(ctx, cmds[i:i+1])
		if err != nil {
			return refused, err
		}
		for _, e := range r {
			e.Index = i
			refused = append(refused, e)
		}
		table, err := w.Read(ctx, nil)
		if err != nil {
			return refused, err
		}
		w.tables = append(w.tables, table)
	}
	return refused, nil
}
