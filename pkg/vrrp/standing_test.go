package vrrp

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// arrived is a standing as another process reads it.
func arrived(t *testing.T, s Standing) (got Standing) {
	t.Helper()
	text, err := json.Marshal(s)
	if err == nil {
		err = json.Unmarshal(text, &got)
	}
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// upgrade has another router go on for the host's.
func (h *host) upgrade() {
	if !h.running || h.w.now.Before(h.awake) {
		return
	}
	h.w.say("host %d is upgraded", h.id)
	s := arrived(h.w.t, h.router.Standing(h.clock()))
	h.router = NewRouter()
	h.router.Change(h.clock(), h.instances, h.w.groups()) // nothing has been started
	actions, resumed := h.router.Resume(h.clock(), s)
	h.do(actions)
	known := make(map[string]bool)
	for _, name := range resumed {
		known[name] = true
	}
	for _, in := range h.instances {
		if !known[in.Name] {
			h.do(h.router.Step(h.clock(), Startup{in.Name, h.w.start}))
		}
	}
	h.observe()
}

// However often routers are upgraded, in the middle of whatever happens, all is well after it; and when nothing happens, an upgrade of all
// hosts at any moment changes nothing.
func TestUpgradeSimulation(t *testing.T) {
	for seed := range *seeds / 6 {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			w := newWorld(t, uint64(seed))
			for range 100 {
				w.after(time.Duration(w.rng.Int64N(int64(100*w.interval))), func() { w.hosts[w.rng.IntN(len(w.hosts))].upgrade() })
			}
			w.chaos()
			w.quieten()
			w.pass(max(w.bound(), 100*w.interval))
			w.pass(w.bound())
			w.settled("after the chaos")
			before := w.changes
			for range 20 {
				w.pass(time.Duration(w.rng.Int64N(int64(4 * w.interval))))
				w.hosts[w.rng.IntN(len(w.hosts))].upgrade()
			}
			w.pass(20 * w.interval)
			if w.changes != before {
				w.fail("an upgrade has changed a state")
			}
			w.settled("after upgrades")
			w.handOver()
			w.end()
			if t.Failed() {
				t.Logf("%s\t%s", w.describe(), strings.Join(w.log[max(0, len(w.log)-100):], "\n\t"))
			}
		})
	}
}

// An active router that is upgraded between two adverts says at once that it is still there, and tells nobody of a transition. What is known of it stays.
func TestResumeActive(t *testing.T) {
	g := active(t)
	g.pass(700 * time.Millisecond)
	was := g.status("VI")
	s := arrived(t, g.r.Standing(g.now))
	g.r = NewRouter()
	g.r.Change(g.now, []Instance{instance("VI")}, nil)
	g.forget()
	g.now = g.now.Add(5 * time.Millisecond)
	actions, resumed := g.r.Resume(g.now, s)
	if len(actions) != 1 || len(resumed) != 1 {
		t.Errorf("%v, %v go on", actions, resumed)
	}
	if a, ok := actions[0].(Send); !ok || a.Priority != 100 {
		t.Errorf("%v", actions)
	}
	g.dueIn(time.Second)
	is := g.status("VI")
	if is.State != Active || !is.Since.Equal(was.Since) || is.Reason != was.Reason || is.Counters.BecameActive != 1 || is.Counters.Sent != was.Counters.Sent+1 ||
		fmt.Sprint(is.Transitions) != fmt.Sprint(was.Transitions) {
		t.Errorf("%+v, was\n%+v", is, was)
	}
}

// A backup waits for as long as it would have.
func TestResumeBackup(t *testing.T) {
	g := started(t, instance("VI"))
	g.pass(time.Second)
	s := arrived(t, g.r.Standing(g.now))
	g.r = NewRouter()
	g.r.Change(g.now, []Instance{instance("VI")}, nil)
	g.pass(time.Second)
	g.r.Resume(g.now, s)
	g.dueIn(3*time.Second + skew100 - 2*time.Second)
}

// What tells replayed packets goes on where it was.
func TestResumeCodec(t *testing.T) {
	in := signed3
	hmac := *in.HMAC
	hmac.Monotonic = true
	in.HMAC = &hmac
	ours, theirs, heir := NewCodec(&in), NewCodec(&in), NewCodec(&in)
	packet := func(c *Codec, at time.Time) Packet {
		return received(t, append([]byte{}, c.Encode(advertOf(in, 200), wireFrom4, in.Multicast, at)...), false, wireFrom4, in.Multicast)
	}
	if err := decoded(theirs, packet(ours, wireTime), wireTime); err != nil {
		t.Fatal(err)
	}
	before := wireTime.Add(-time.Minute) // the clock was put back
	if err := decoded(theirs, packet(heir, before), before); err == nil {
		t.Error("who does not know what was sent is believed")
	}
	heir.Resume(ours.Standing())
	if err := decoded(theirs, packet(heir, before), before); err != nil {
		t.Errorf("the first packet after the upgrade: %v", err)
	}
}
