package vrrp

import (
	"slices"
	"testing"
	"time"
)

// heards are the instances that told of a router that they heard.
func heards(actions []Action) (names []string) {
	for _, a := range actions {
		if h, is := a.(Heard); is {
			names = append(names, h.Instance)
		}
	}
	return names
}

// The first advert of an active router decides for a whole group whose the addresses are, also while it waits for what it tracks, or does
// not listen yet; one of priority 0 does not, and nothing is said twice, or by who is active.
func TestHeard(t *testing.T) {
	advert := func(name string, priority uint8) Received {
		return Received{name, upper, Advert{Version: 3, VRID: 51, Priority: priority, Interval: time.Second}}
	}
	missing := Object{Kind: TrackChecks}
	both := []Group{{Name: "G", Members: []string{"A", "B"}}}
	for _, c := range []struct {
		name   string
		change func(*Instance)
		start  bool
		want   []string
	}{
		{"listening", func(*Instance) {}, true, []string{"A", "B"}},
		{"not started", func(*Instance) {}, false, nil},
		{"waiting", func(in *Instance) { in.Grace, in.Tracks = time.Minute, []Track{{Object: missing}} }, true, []string{"A", "B"}},
		{"deaf", func(in *Instance) { in.StartupDelay = time.Minute }, true, []string{"A", "B"}},
		{"no preemption", func(in *Instance) { in.Preempt = false }, true, []string{"A", "B"}},
		{"owner", func(in *Instance) { in.Priority, in.Initial = 255, Active }, true, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGroupRig(t, both, instance("A", c.change, member("G")), instance("B", c.change, member("G")))
			if c.start {
				g.startAll()
			}
			if got := heards(g.r.Step(g.now, advert("A", 0))); got != nil {
				t.Errorf("priority 0: %v", got)
			}
			if got := heards(g.r.Step(g.now, advert("B", 50))); !slices.Equal(got, c.want) {
				t.Errorf("the first: %v, want %v", got, c.want)
			}
			if got := heards(g.r.Step(g.now, advert("A", 200))); got != nil {
				t.Errorf("the second: %v", got)
			}
		})
	}
}

func member(group string) func(*Instance) { return func(in *Instance) { in.Group = group } }
