package vrrp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// rig is a router, a clock that moves when the test says so, and a record of all that the router did.
type rig struct {
	t       *testing.T
	r       *Router
	start   time.Time
	now     time.Time
	trace   []string
	whys    []string // reasons of the transitions
	planned bool     // the last transition
	slow    bool     // addresses are not placed
}

var (
	us    = netip.MustParseAddr("192.0.2.5")
	lower = netip.MustParseAddr("192.0.2.4") // address than ours
	upper = netip.MustParseAddr("192.0.2.6")
)

// instance is one as they are used by most tests; change alters it.
func instance(name string, change ...func(*Instance)) Instance {
	in := Instance{
		Name: name, VRID: 51, Version: 3, Interface: name, Priority: 100, Initial: Backup,
		AdvertInterval: time.Second, DownTimerAdverts: 3, Preempt: true, Source: us,
	}
	for _, f := range change {
		f(&in)
	}
	return in
}

func newRig(t *testing.T, in ...Instance) *rig {
	return newGroupRig(t, nil, in...)
}

func newGroupRig(t *testing.T, groups []Group, in ...Instance) *rig {
	t.Helper()
	start := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	g := &rig{t: t, r: NewRouter(), start: start, now: start}
	g.record(g.r.Change(g.now, in, groups))
	return g
}

// started is a rig whose instances have got their Startup.
func started(t *testing.T, in ...Instance) *rig {
	t.Helper()
	g := newRig(t, in...)
	g.startAll()
	return g
}

func (g *rig) startAll() {
	for _, m := range g.r.ordered {
		g.step(Startup{m.Name, g.start})
	}
}

// active is a rig with one instance that has become active.
func active(t *testing.T, change ...func(*Instance)) *rig {
	t.Helper()
	g := started(t, instance("VI", change...))
	g.pass(time.Minute)
	g.is("VI", Active)
	g.forget()
	return g
}

func (g *rig) step(ev Event) { g.record(g.r.Step(g.now, ev)) }

func (g *rig) hear(name string, from netip.Addr, priority uint8) {
	g.hearEvery(name, from, priority, time.Second)
}

func (g *rig) hearEvery(name string, from netip.Addr, priority uint8, interval time.Duration) {
	g.step(Received{name, from, Advert{Version: 3, VRID: 51, Priority: priority, Interval: interval}})
}

func (g *rig) observe(o Object, up bool) { g.step(Observed{o, Reading{Known: true, Up: up}}) }

// pass lets time go by, with a Tick at each deadline.
func (g *rig) pass(d time.Duration) {
	g.t.Helper()
	end := g.now.Add(d)
	for n := 0; ; n++ {
		due := g.r.Deadline()
		if due.IsZero() || due.After(end) {
			break
		}
		if n == 100000 {
			g.t.Fatal("the deadline does not move on")
		}
		if due.After(g.now) {
			g.now = due
		}
		g.step(Tick{})
	}
	g.now = end
}

// stall lets time go by without a Tick before its end.
func (g *rig) stall(d time.Duration) {
	g.now = g.now.Add(d)
	g.step(Tick{})
}

// record notes what was done. Unless it is slow, the addresses of who takes over are there at once.
func (g *rig) record(actions []Action) {
	var entering []string
	for _, a := range actions {
		if _, heard := a.(Heard); heard {
			continue // TestHeard
		}
		g.trace = append(g.trace, fmt.Sprintf("%v %s", g.now.Sub(g.start), describe(a)))
		if b, ok := a.(Became); ok {
			g.whys, g.planned = append(g.whys, b.Reason), b.Planned
			if b.Planned && !g.slow {
				entering = append(entering, b.Instance)
			}
		}
	}
	for _, name := range entering {
		g.step(Placed{name})
	}
}

func describe(a Action) string {
	switch a := a.(type) {
	case Send:
		return fmt.Sprintf("%s sends %d every %v", a.Instance, a.Priority, a.Interval)
	case Became:
		return fmt.Sprintf("%s %v to %v", a.Instance, a.From, a.To)
	case GroupBecame:
		return fmt.Sprintf("group %s %v to %v", a.Group, a.From, a.To)
	case Reannounce:
		return a.Instance + " announces again"
	case Noticed:
		return fmt.Sprintf("%s notices %s at %d", a.Instance,
			[...]string{"a lower priority", "another priority of its own", "that it is relieved", "that it is not relieved"}[a.What], a.Priority)
	}
	return fmt.Sprintf("unknown action %T", a)
}

func (g *rig) forget() { g.trace, g.whys = nil, nil }

// did compares what has been done since the last call with what should have been.
func (g *rig) did(want ...string) {
	g.t.Helper()
	if !slices.Equal(g.trace, want) {
		g.t.Errorf("it did\n\t%s\ninstead of\n\t%s", strings.Join(g.trace, "\n\t"), strings.Join(want, "\n\t"))
	}
	g.trace = nil
}

// because compares the reason of the latest transition.
func (g *rig) because(want string) {
	g.t.Helper()
	if len(g.whys) == 0 || g.whys[len(g.whys)-1] != want {
		g.t.Errorf("the reason is %q instead of %q", g.whys, want)
	}
}

func (g *rig) status(name string) Status {
	g.t.Helper()
	all, _ := g.r.Status()
	for _, s := range all {
		if s.Name == name {
			return s
		}
	}
	g.t.Fatalf("there is no %s", name)
	return Status{}
}

func (g *rig) is(name string, want State) {
	g.t.Helper()
	if s := g.status(name); s.State != want {
		g.t.Errorf("%s is %v instead of %v: %s", name, s.State, want, s.Reason)
	}
}

// dueIn compares when the next Tick is due.
func (g *rig) dueIn(want time.Duration) {
	g.t.Helper()
	if got := g.r.Deadline().Sub(g.now); got != want {
		g.t.Errorf("the timer ends in %v instead of %v", got, want)
	}
}

func priority(p uint8) func(*Instance) { return func(in *Instance) { in.Priority = p } }

func owner(in *Instance) { in.Priority, in.Initial = 255, Active }

func version2(in *Instance) { in.Version = 2 }

func noPreempt(in *Instance) { in.Preempt = false }

func interval(d time.Duration) func(*Instance) {
	return func(in *Instance) { in.AdvertInterval = d }
}

func tracks(t ...Track) func(*Instance) { return func(in *Instance) { in.Tracks = t } }

// What an instance needs may come a moment after it: there is no fault in between. What does not come is one soon.
func TestStartWaitsForWhatIsMade(t *testing.T) {
	route := Object{TrackRoute, "static"}
	needs := func(in *Instance) {
		in.Grace = 2 * time.Second
		in.Tracks = []Track{{Object: route}}
	}
	for _, c := range []struct {
		name string
		then func(g *rig)
		want []string
	}{
		{"it comes", func(g *rig) { g.pass(time.Second); g.observe(route, true) }, []string{"1s VI INIT to BACKUP"}},
		{"it does not", func(g *rig) { g.pass(3 * time.Second) }, []string{"2s VI INIT to FAULT"}},
		{"it comes late", func(g *rig) { g.pass(3 * time.Second); g.observe(route, true) }, []string{"2s VI INIT to FAULT", "3s VI FAULT to BACKUP"}},
		{"it goes again", func(g *rig) { g.observe(route, true); g.observe(route, false) }, []string{"0s VI INIT to BACKUP", "0s VI BACKUP to FAULT"}},
		{"it ends before", func(g *rig) { g.step(Shutdown{"VI"}); g.pass(time.Hour) }, nil},
		{"it is removed before", func(g *rig) { g.record(g.r.Change(g.now, nil, nil)); g.pass(time.Hour) }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newRig(t, instance("VI", needs))
			g.observe(route, false)
			g.startAll()
			if s := g.status("VI"); s.Waits != "what it needs" || s.Deadline != g.start.Add(2*time.Second) {
				t.Errorf("it waits for %q until %v", s.Waits, s.Deadline)
			}
			c.then(g)
			g.did(c.want...)
		})
	}
}

// The first priority is with the processes that run and the numbers in files, whatever their weight.
func TestStartWaitsForProcessesAndFiles(t *testing.T) {
	process, file := Object{TrackProcess, "it"}, Object{TrackFile, "it"}
	g := started(t, instance("VI", tracks(Track{Object: process, Weight: 5}, Track{Object: file, Weight: 1})))
	g.pass(time.Minute)
	g.step(Observed{file, Reading{Known: true, Value: 3}})
	g.did()
	g.observe(process, true)
	g.did("1m0s VI INIT to BACKUP")
	if s := g.status("VI"); s.Effective != 108 {
		t.Errorf("its priority is %d", s.Effective)
	}
}
