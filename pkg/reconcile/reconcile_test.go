package reconcile_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
	"github.com/ipvsd/ipvsd/pkg/reconcile"
)

var start = time.Unix(0, 0)

// Two services with two servers each.
func twoByTwo() desired.State {
	var state desired.State
	for n := range 2 {
		s := desired.Service{Service: ipvs.Service{ServiceKey: key(n), Scheduler: "rr", Granularity: 32}}
		for m := range 2 {
			s.Destinations = append(s.Destinations, desired.Destination{Destination: ipvs.Destination{Addr: server(m), Weight: 1}})
		}
		state = append(state, s)
	}
	return state
}

// Only what others changed counts as drift: not what a new state asks for, and not what is retried.
func TestDriftIsWhatOthersDid(t *testing.T) {
	k := new(ipvstest.Kernel)
	r := reconcile.New(k)
	if got := try(t, r, start, twoByTwo()); len(got.Taken) != 6 || len(got.Drift) != 0 {
		t.Errorf("programming an empty table: %d steps, %d of them drift", len(got.Taken), len(got.Drift))
	}
	if got := try(t, r, start, twoByTwo()); len(got.Taken)+len(got.Drift) != 0 {
		t.Errorf("a quiet table: %+v", got)
	}

	// Somebody runs ipvsadm -d while a check takes another server out.
	apply(t, k, ipvs.Command{Op: ipvs.DelDestination, Service: ipvs.Service{ServiceKey: key(0)}, Destination: ipvs.Destination{Addr: server(1)}})
	changed := twoByTwo()
	changed[1].Destinations[0].Want = desired.Absent
	got := try(t, r, start, changed)
	if len(got.Taken) != 2 || len(got.Drift) != 1 || got.Drift[0].Op != ipvs.NewDestination || got.Drift[0].Destination.Addr != server(1) {
		t.Errorf("one repair and one change: took %v, drift %v", got.Taken, got.Drift)
	}
	if n := r.Totals().Drift; n != 1 {
		t.Errorf("counted %d", n)
	}
}

// A refused service is one failure, not one for each of its servers; the pauses grow, and the other service is served.
func TestRefusedServiceTakesItsServersAlong(t *testing.T) {
	k := new(ipvstest.Kernel)
	k.Refuse(func(c ipvs.Command) ipvs.Errno {
		if c.Op == ipvs.NewService && c.Service.ServiceKey == key(0) {
			return ipvs.ENOENT
		}
		return 0
	})
	r := reconcile.New(k)
	now := start
	for attempt, pause := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		got := try(t, r, now, twoByTwo())
		if len(got.Refused) != 1 || len(got.Drift) != 0 {
			t.Fatalf("attempt %d: refused %v, drift %v", attempt, got.Refused, got.Drift)
		}
		if f := r.Failures(); len(f) != 1 || f[0].Attempts != attempt+1 || !f[0].Since.Equal(start) {
			t.Errorf("attempt %d: on record: %+v", attempt, f)
		}
		if d := r.Deadline().Sub(now); d != pause*time.Second {
			t.Errorf("attempt %d: the next in %v, want %v s", attempt, d, int(pause))
		}
		if early := try(t, r, r.Deadline().Add(-1), twoByTwo()); len(early.Refused)+len(early.Taken) != 0 {
			t.Errorf("attempt %d: taken before its time: %+v", attempt, early)
		}
		now = r.Deadline()
	}
	if s := snapshot(t, k).Find(key(1)); s == nil || len(s.Destinations) != 2 {
		t.Errorf("the other service: %+v", s)
	}
	k.Refuse(nil)
	if got := try(t, r, now, twoByTwo()); len(got.Taken) != 3 || len(r.Failures()) != 0 {
		t.Errorf("once the kernel agrees: took %v, on record %v", got.Taken, r.Failures())
	}
	holds(t, snapshot(t, k), twoByTwo())
}

// Whatever somebody else changes is found within one sweep, a missing service at once.
func TestSweepFindsDrift(t *testing.T) {
	const parts = 7
	k := new(ipvstest.Kernel)
	state := large(50, 3)
	r := reconcile.New(k)
	try(t, r, start, state)
	for i := range state {
		apply(t, k, ipvs.Command{Op: ipvs.DelDestination, Service: state[i].Service, Destination: state[i].Destinations[i%3].Destination})
		found := 0
		for range parts {
			got, err := r.Round(t.Context(), start, state, parts)
			if err != nil {
				t.Fatal(err)
			}
			found += len(got.Drift)
		}
		if found != 1 {
			t.Errorf("%s: found %d times", state[i].ServiceKey, found)
		}
	}
	apply(t, k, ipvs.Command{Op: ipvs.DelService, Service: state[20].Service})
	if got, err := r.Round(t.Context(), start, state, parts); err != nil || len(got.Drift) != 4 {
		t.Errorf("a missing service: %v %v", err, got.Drift)
	}
	holds(t, snapshot(t, k), state)
	if n := r.Totals().Drift; n != uint64(len(state))+4 {
		t.Errorf("counted %d", n)
	}
}

// A failure of something that is no longer wanted is forgotten.
func TestFailureForgotten(t *testing.T) {
	k := new(ipvstest.Kernel)
	k.RefuseAt(5, ipvs.ENOMEM)
	r := reconcile.New(k)
	if got := try(t, r, start, twoByTwo()); len(got.Refused) != 1 {
		t.Fatal(got.Refused)
	}
	without := twoByTwo()
	without[1].Destinations = without[1].Destinations[:1]
	try(t, r, start, without)
	if len(r.Failures()) != 0 || !r.Deadline().IsZero() {
		t.Errorf("on record: %v", r.Failures())
	}
}

// A server without a verdict is not added, but kept where it is found, at weight 0 if it is found so.
func TestAsFound(t *testing.T) {
	k := new(ipvstest.Kernel)
	state := twoByTwo()[:1]
	state[0].Destinations[1].Weight = 0
	try(t, reconcile.New(k), start, state)

	state = twoByTwo()[:1]
	third := desired.Destination{Destination: ipvs.Destination{Addr: server(2), Weight: 1}}
	state[0].Destinations = append(state[0].Destinations, third)
	for i := range state[0].Destinations {
		state[0].Destinations[i].Want = desired.AsFound
		state[0].Destinations[i].Weight = 9
	}
	got := try(t, reconcile.New(k), start, state)
	if len(got.Taken) != 1 {
		t.Errorf("took %v", got.Taken)
	}
	s := snapshot(t, k)[0]
	if len(s.Destinations) != 2 || s.Destinations[0].Weight != 9 || s.Destinations[1].Weight != 0 {
		t.Errorf("got %+v", s.Destinations)
	}
}

// Where a server with weight 0 would drop its clients, one without a verdict that is found so goes.
func TestAsFoundDropsNoClients(t *testing.T) {
	for scheduler, stays := range map[string]bool{"rr": true, "mh": false} {
		k := new(ipvstest.Kernel)
		state := twoByTwo()[:1]
		state[0].Scheduler = scheduler
		state[0].Destinations[1].Weight = 0
		try(t, reconcile.New(k), start, state)
		state[0].Destinations[1].Weight, state[0].Destinations[1].Want = 9, desired.AsFound
		try(t, reconcile.New(k), start, state)
		if d := snapshot(t, k)[0].Destination(server(1)); (d != nil) != stays {
			t.Errorf("%s: got %+v", scheduler, d)
		}
	}
}

// A table that can't be read is the caller's to know; the next round goes on where the last one stood.
func TestSnapshotFails(t *testing.T) {
	k := new(ipvstest.Kernel)
	k.SetLoaded(false)
	r := reconcile.New(k)
	if _, err := r.Round(t.Context(), start, twoByTwo(), reconcile.Whole); !errors.Is(err, ipvs.ErrUnavailable) {
		t.Fatal(err)
	}
	k.SetLoaded(true)
	try(t, r, start, twoByTwo())
	holds(t, snapshot(t, k), twoByTwo())
}

// The order and the words of a plan.
func TestPlanText(t *testing.T) {
	k := new(ipvstest.Kernel)
	try(t, reconcile.New(k), start, twoByTwo())
	want := twoByTwo()
	want[0].Scheduler = "wlc"
	want[0].Persistence = 300 * time.Second
	want[0].Destinations[0].Weight = 3
	want[0].Destinations[1].Weight = 0
	want[1].Want = desired.Absent
	want = append(want, desired.Service{
		Service:      ipvs.Service{ServiceKey: key(2), Scheduler: "mh", Flags: ipvs.MHPort, Granularity: 32},
		Destinations: []desired.Destination{{Destination: ipvs.Destination{Addr: server(5), Forward: ipvs.DR, Weight: 1, UpperThreshold: 10}}},
	})
	var lines []string
	for _, s := range reconcile.Diff(snapshot(t, k), want).Steps {
		lines = append(lines, s.String())
	}
	const text = `add service tcp 192.0.2.3:80 mh mh-port
add server 198.51.100.6:80 DR weight 1 thresholds 0..10 of tcp 192.0.2.3:80
edit service tcp 192.0.2.1:80: rr -> wlc, persistent 5m0s
edit server 198.51.100.1:80 of tcp 192.0.2.1:80: weight 1 -> weight 3
edit server 198.51.100.2:80 of tcp 192.0.2.1:80: weight 1 -> weight 0
delete service tcp 192.0.2.2:80, with 2 servers`
	if got := strings.Join(lines, "\n"); got != text {
		t.Errorf("got\n%s\nwant\n%s", got, text)
	}
}

// An unchanged table of 10,000 servers gets no command at all.
func TestUnchangedSendsNothing(t *testing.T) {
	k := new(ipvstest.Kernel)
	state := large(500, 20)
	r := reconcile.New(k)
	try(t, r, start, state)
	if programmed := len(k.Commands()); programmed != 500+500*20 {
		t.Fatalf("programmed with %d commands", programmed)
	}
	if got := try(t, r, start, state); !got.Plan.Empty() || len(k.Commands()) != 0 {
		t.Errorf("took %d steps", len(got.Taken))
	}
}

func large(services, servers int) desired.State {
	var state desired.State
	for n := range services {
		s := desired.Service{Service: ipvs.Service{ServiceKey: key(n % 250), Scheduler: "rr", Granularity: 32}}
		s.Addr = netip.AddrPortFrom(s.Addr.Addr(), uint16(1000+n/250))
		for m := range servers {
			s.Destinations = append(s.Destinations, desired.Destination{Destination: ipvs.Destination{Addr: server(m), Weight: 1}})
		}
		state = append(state, s)
	}
	slices.SortFunc(state, func(a, b desired.Service) int { return a.ServiceKey.Compare(b.ServiceKey) })
	return state
}

func BenchmarkDiffUnchanged10000(b *testing.B) {
	k := new(ipvstest.Kernel)
	state := large(500, 20)
	try(b, reconcile.New(k), start, state)
	table := snapshot(b, k)
	b.ReportAllocs()
	for b.Loop() {
		if !reconcile.Diff(table, state).Empty() {
			b.Fatal("not empty")
		}
	}
}

// What is held back is the command that was refused. A corrected one doesn't wait, nor do the servers of its service.
func TestCorrectedStepDoesNotWait(t *testing.T) {
	k := new(ipvstest.Kernel)
	k.Refuse(func(c ipvs.Command) ipvs.Errno {
		if (c.Op == ipvs.NewService || c.Op == ipvs.SetService) && c.Service.Scheduler == "twos" {
			return ipvs.ENOENT
		}
		return 0
	})
	wrong := twoByTwo()
	wrong[0].Scheduler = "twos"
	r := reconcile.New(k)
	if got := try(t, r, start, wrong); len(got.Refused) != 1 || len(got.Taken) != 3 {
		t.Fatalf("refused %v, took %v", got.Refused, got.Taken)
	}
	if got := try(t, r, start, twoByTwo()); len(got.Taken) != 3 || len(r.Failures()) != 0 {
		t.Errorf("corrected: took %v, on record %v", got.Taken, r.Failures())
	}
	if got := try(t, r, start, wrong); len(got.Refused) != 1 {
		t.Errorf("an edit: refused %v", got.Refused)
	}
	none := twoByTwo()
	none[0].Want = desired.Absent
	if got := try(t, r, start, none); len(got.Taken) != 1 || got.Taken[0].Op != ipvs.DelService {
		t.Errorf("a service that is to go: took %v", got.Taken)
	}
}

// Retry doesn't wait for the pause to end, and doesn't shorten the next one.
func TestRetry(t *testing.T) {
	k := new(ipvstest.Kernel)
	k.Refuse(func(c ipvs.Command) ipvs.Errno {
		if c.Op == ipvs.NewService && c.Service.ServiceKey == key(0) {
			return ipvs.ENOMEM
		}
		return 0
	})
	r := reconcile.New(k)
	r.Retry()
	try(t, r, start, twoByTwo())
	for attempt := 2; attempt < 4; attempt++ {
		r.Retry()
		if got := try(t, r, start, twoByTwo()); len(got.Refused) != 1 || r.Failures()[0].Attempts != attempt {
			t.Errorf("attempt %d: refused %v, on record %+v", attempt, got.Refused, r.Failures())
		}
	}
	if d := r.Deadline().Sub(start); d != 4*time.Second {
		t.Errorf("the next in %v", d)
	}
}

// A table that others keep changing can still be read in part: a failed read doesn't ask for more.
func TestInterruptedReadStaysSmall(t *testing.T) {
	k := new(ipvstest.Kernel)
	state := large(50, 3)
	r := reconcile.New(k)
	try(t, r, start, state)
	try(t, r, start, state) // which looks at what the first one did
	k.InterruptSnapshots(1)
	if _, err := r.Round(t.Context(), start, state, reconcile.Whole); err == nil {
		t.Fatal("not interrupted")
	}
	changed := large(50, 3)
	changed[7].Destinations[0].Want = desired.Absent
	got, err := r.Round(t.Context(), start, changed, 10)
	if err != nil || len(got.Taken) != 1 || len(got.Drift) != 0 {
		t.Errorf("%v: took %v, drift %v", err, got.Taken, got.Drift)
	}
	read := 0
	for i := range got.Table {
		if !got.Table[i].Unread {
			read++
		}
	}
	if read > 10 {
		t.Errorf("read the servers of %d services", read)
	}
}

// What a read missed, but the kernel says is there, is not drift.
func TestMissedIsNoDrift(t *testing.T) {
	k := new(ipvstest.Kernel)
	r := reconcile.New(k)
	try(t, r, start, twoByTwo())
	for n := range 2 {
		apply(t, k, ipvs.Command{Op: ipvs.DelDestination, Service: ipvs.Service{ServiceKey: key(n)}, Destination: ipvs.Destination{Addr: server(1)}})
	}
	k.Refuse(func(c ipvs.Command) ipvs.Errno {
		if c.Service.ServiceKey == key(0) {
			return ipvs.EEXIST
		}
		return 0
	})
	if got := try(t, r, start, twoByTwo()); len(got.Drift) != 1 || got.Drift[0].Service.ServiceKey != key(1) || r.Totals().Drift != 1 {
		t.Errorf("drift %v, counted %d", got.Drift, r.Totals().Drift)
	}
}
