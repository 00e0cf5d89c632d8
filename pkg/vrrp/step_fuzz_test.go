package vrrp

import (
	"net/netip"
	"testing"
	"time"
)

// FuzzStep lets anything happen in any order. Nothing may panic, and after each step the invariants hold.
func FuzzStep(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 0, 0, 0, 2, 0, 7, 4, 0, 2, 1, 90, 2, 1, 110})
	f.Add([]byte{9, 3, 0, 0, 0, 1, 0, 2, 7, 255, 6, 0, 2, 0, 50, 2, 1, 50, 7, 255})
	f.Fuzz(func(t *testing.T, data []byte) {
		next := func(n int) int {
			if len(data) == 0 {
				return 0
			}
			b := data[0]
			data = data[1:]
			return int(b) % n
		}
		now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
		names := []string{"A", "B", "C", "D", "G", "nobody"}
		c := check{t: t, r: NewRouter(), states: map[string]State{}}
		configure := func(v int) {
			instances, groups := variant(v)
			c.r.Change(now, instances, groups)
			c.change()
		}
		configure(0)
		for len(data) > 0 {
			name := names[next(len(names))]
			switch next(12) {
			case 0:
				c.did(c.r.Step(now, Startup{name, now.Add(-time.Second * time.Duration(next(100)))}))
			case 1:
				c.did(c.r.Step(now, Shutdown{name}))
			case 2, 3:
				c.did(c.r.Step(now, Received{name, netip.AddrFrom4([4]byte{192, 0, 2, byte(next(10))}), Advert{
					Version: 3, VRID: 51, Priority: uint8(next(256)), Interval: time.Duration(next(256)) * 10 * time.Millisecond,
				}}))
			case 4:
				object := Object{ObjectKind(next(8)), "it"}
				c.did(c.r.Step(now, Observed{object, Reading{Known: next(4) > 0, Up: next(2) > 0, Value: next(256) - 128}}))
			case 5:
				addr := us
				if next(2) == 0 {
					addr = netip.Addr{}
				}
				c.did(c.r.Step(now, Sourced{Instance: name, Addr: addr}))
			case 6:
				c.did(c.r.Step(now, Switchover{name}))
			case 7:
				now = now.Add(time.Duration(next(256)) * 20 * time.Millisecond)
				c.did(c.r.Step(now, Tick{}))
				if due := c.r.Deadline(); !due.IsZero() && !due.After(now) {
					t.Fatalf("%v after a Tick at %v, another one is due at %v", now, now, due)
				}
			case 8:
				c.did(c.r.Step(now, Slept{time.Duration(next(256)) * 20 * time.Millisecond}))
			case 9:
				configure(next(256))
			case 10:
				c.did(c.r.Step(now, Placed{name}))
			case 11:
				instances, groups := variant(next(256))
				s := arrived(t, c.r.Standing(now))
				c.r = NewRouter()
				c.r.Change(now, instances, groups)
				c.r.Resume(now, s)
				c.change()
			}
		}
	})
}

// variant is one of many configurations of four instances, of which some are in a group.
func variant(v int) ([]Instance, []Group) {
	in := []Instance{instance("A"), instance("B", version2), instance("C", noPreempt, tracks(Track{Object: Object{TrackScript, "it"}})),
		instance("D", owner, tracks(Track{Object: Object{TrackFile, "it"}, Weight: 3}))}
	if v&1 != 0 {
		in[0].Tracks = []Track{{Object: Object{TrackFile, "it"}, Weight: 2}, {Object: Object{TrackBFD, "it"}, Weight: -254, Reverse: true}}
	}
	if v&2 != 0 {
		in[0].Name, in[1].Name = in[1].Name, in[0].Name
	}
	if v&4 != 0 {
		in = in[1:]
	}
	if v&8 != 0 {
		in[0].AdvertInterval, in[0].PreemptDelay, in[0].StartupDelay = 100*time.Millisecond, time.Second, time.Second
	}
	if v&16 != 0 {
		in[1].Source, in[1].Grace = netip.Addr{}, time.Second
	}
	switch v >> 5 {
	case 0, 1:
		return in, nil
	case 2, 3:
		return in, []Group{{Name: "G", Members: []string{"A", "B"}}}
	case 4:
		return in, []Group{{Name: "G", Members: []string{"A", "B", "D"}, Weights: true}}
	}
	return in, []Group{{Name: "G", Members: []string{"C", "B"}, Tracks: []Track{{Object: Object{TrackRoute, "it"}, Weight: -50}}}}
}

// check follows a router and compares.
type check struct {
	t      *testing.T
	r      *Router
	states map[string]State // as the actions told them
}

// change follows a reload, by which instances change their names.
func (c *check) change() {
	clear(c.states)
	for _, m := range c.r.ordered {
		c.states[m.Name] = m.state
	}
	c.did(nil)
}

func (c *check) did(actions []Action) {
	c.t.Helper()
	for _, a := range actions {
		if b, ok := a.(Became); ok {
			if c.states[b.Instance] != b.From || b.From == b.To || b.Reason == "" {
				c.t.Fatalf("%+v of an instance that was %v", b, c.states[b.Instance])
			}
			c.states[b.Instance] = b.To
		}
	}
	for _, m := range c.r.ordered {
		if c.states[m.Name] != m.state {
			c.t.Fatalf("%s is %v, and the actions said %v", m.Name, m.state, c.states[m.Name])
		}
		c.machine(m)
	}
	for _, u := range c.r.units {
		for _, m := range u.members {
			waits := m.state == Initialize || m.state == Fault && !m.ready()
			if m.state != u.state && !waits || m.unit != u {
				c.t.Fatalf("%s is %v in a unit that is %v", m.Name, m.state, u.state)
			}
		}
	}
	for i, m := range c.r.timers {
		if m.place != i || i > 0 && m.deadline.Before(c.r.timers[(i-1)/2].deadline) {
			c.t.Fatal("the timers are out of order")
		}
	}
	c.r.Status()
}

func (c *check) machine(m *machine) {
	c.t.Helper()
	runs := !m.deadline.IsZero()
	if grace := m.state == Initialize && !m.grace.IsZero(); !grace && runs != (m.state == Active || m.state == Backup && m.willing == "") {
		c.t.Fatalf("%s is %v, and its timer runs: %v; willing %q", m.Name, m.state, runs, m.willing)
	}
	if runs != (m.place < len(c.r.timers) && c.r.timers[m.place] == m) {
		c.t.Fatalf("%s is not where it should be among the timers", m.Name)
	}
	if m.effective == 0 || m.effective == ownersPriority && m.Priority != ownersPriority {
		c.t.Fatalf("%s has priority %d", m.Name, m.effective)
	}
	if m.handing && m.state != Active || m.disowned && m.state != Backup || m.unit.yielded && m.state == Active {
		c.t.Fatalf("%s is %v: handing %v, disowned %v, yielded %v", m.Name, m.state, m.handing, m.disowned, m.unit.yielded)
	}
}
