package vrrp

import (
	"net/netip"
	"reflect"
	"testing"
	"time"
)

func TestStatusOfPeers(t *testing.T) {
	g := started(t, instance("VI"))
	addr := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}) }
	for i := range 40 {
		g.pass(10 * time.Millisecond)
		g.hear("VI", addr(i), 150)
	}
	g.hear("VI", addr(30), 120)
	peers := g.status("VI").Peers
	want := PeerStatus{Addr: addr(30), Priority: 120, Interval: time.Second, Last: g.now, Adverts: 2}
	if len(peers) != MaxPeers || peers[0] != want || peers[1].Addr != addr(39) || peers[MaxPeers-1].Addr != addr(24) {
		t.Errorf("%+v", peers)
	}
}

func TestStatusOfTransitions(t *testing.T) {
	link := Object{TrackInterface, "eth0"}
	g := newRig(t, instance("VI", tracks(Track{Object: link})))
	g.startAll()
	for i := range 50 {
		g.pass(time.Second)
		g.observe(link, i%2 == 0)
	}
	got := g.status("VI").Transitions
	want := Transition{At: g.now, From: Backup, To: Fault, Reason: "interface eth0 is down"}
	if len(got) != MaxTransitions || got[0] != want || got[1].To != Backup {
		t.Errorf("%+v", got)
	}
}

func TestStatusIsACopy(t *testing.T) {
	g := started(t, instance("VI", tracks(Track{Object: Object{TrackScript, "chk"}, Weight: 1})))
	g.hear("VI", upper, 150)
	s := g.status("VI")
	s.Peers[0].Priority, s.Transitions[0].Reason, s.Contribs[0].Adds = 1, "", 7
	if s := g.status("VI"); s.Peers[0].Priority != 150 || s.Transitions[0].Reason == "" || s.Contribs[0].Adds != 0 {
		t.Errorf("%+v", s)
	}
}

func TestCounters(t *testing.T) {
	addrs := []netip.Addr{netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("198.51.100.2")}
	g := started(t, instance("VI", func(in *Instance) { in.Addresses = addrs }))
	hear := func(priority uint8, interval time.Duration, addrs ...netip.Addr) {
		g.step(Received{"VI", upper, Advert{Version: 3, VRID: 51, Priority: priority, Interval: interval, Addrs: addrs}})
	}
	hear(150, time.Second, addrs...)
	hear(150, time.Second, addrs[1], addrs[0])
	hear(150, time.Second, addrs[0])
	hear(150, time.Second, addrs[0], addrs[0])
	hear(150, 2*time.Second, addrs...)
	g.step(Received{"VI", upper, Advert{Version: 3, VRID: 51, Priority: 150, Interval: time.Second, Addrs: addrs, Unauthenticated: true}})
	hear(0, time.Second, addrs...)
	g.pass(time.Minute)
	hear(50, time.Second, addrs...)
	g.step(Shutdown{"VI"})
	got := g.status("VI").Counters
	want := Counters{
		Sent: got.Sent, Received: 8, BecameActive: 1, LeftIt: 1, PriorityZeroSent: 1, PriorityZeroReceived: 1, LowerWhileActive: 1,
		Mismatched: 2, IntervalMismatched: 1, Unauthenticated: 1,
	}
	if !reflect.DeepEqual(got, want) || got.Sent < 60 || got.Sent > 62 {
		t.Errorf("%+v instead of %+v", got, want)
	}
}

// skip_check_adv_addr: what the known active router says of addresses is not compared again.
func TestSkipCheckAddresses(t *testing.T) {
	g := started(t, instance("VI", func(in *Instance) { in.SkipCheckAddresses = true }))
	for range 3 {
		g.step(Received{"VI", upper, Advert{Version: 3, VRID: 51, Priority: 150, Interval: time.Second, Addrs: []netip.Addr{us}}})
	}
	if s := g.status("VI"); s.Counters.Mismatched != 1 || !s.Peers[0].Mismatched {
		t.Errorf("counted %d, %+v", s.Counters.Mismatched, s.Peers[0])
	}
}

// Whoever lists other addresses is marked until its adverts list ours.
func TestMismatchedPeer(t *testing.T) {
	g := started(t, instance("VI", func(in *Instance) { in.Addresses = []netip.Addr{us} }))
	for _, other := range []bool{true, false} {
		addrs := []netip.Addr{us}
		if other {
			addrs = []netip.Addr{upper}
		}
		g.step(Received{"VI", upper, Advert{Version: 3, VRID: 51, Priority: 150, Interval: time.Second, Addrs: addrs}})
		if p := g.status("VI").Peers[0]; p.Mismatched != other {
			t.Errorf("%v heard: %+v", addrs, p)
		}
	}
}

// A Tick before anything is due does nothing, nor does an event of an instance that is not there.
func TestStrayEvents(t *testing.T) {
	g := started(t, instance("VI"))
	due := g.r.Deadline()
	g.forget()
	for _, ev := range []Event{Tick{}, Startup{"VI", g.now}, Startup{"X", g.now}, Shutdown{"X"}, Sourced{Instance: "X", Addr: us}, Received{Instance: "X"},
		Observed{Object: Object{TrackScript, "x"}}, Switchover{"X"}} {
		g.step(ev)
	}
	g.did()
	if g.r.Deadline() != due {
		t.Error("the deadline moved")
	}
}

// The three hundredth advert is due three hundred intervals after the first, however late the Ticks come.
func TestAdvertsDoNotDrift(t *testing.T) {
	g := active(t, interval(100*time.Millisecond))
	first := g.r.Deadline()
	for range 300 {
		g.now = g.r.Deadline().Add(30 * time.Millisecond)
		g.step(Tick{})
	}
	if got := g.r.Deadline().Sub(first); got != 30*time.Second {
		t.Errorf("%v", got)
	}
}
