package vrrp

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestSwitchover(t *testing.T) {
	g := active(t)
	if err := g.r.Switchable("VI"); err != nil {
		t.Fatal(err)
	}
	g.step(Switchover{"VI"})
	g.did("1m0s VI sends 0 every 1s")
	if s := g.status("VI"); s.State != Active || !s.HandingOver || s.Waits != "handover" {
		t.Errorf("%+v", s)
	}
	g.pass(time.Second)
	g.hear("VI", lower, 0) // nobody's role
	g.did()                // it serves, and sends nothing
	g.hear("VI", lower, 50)
	g.did("1m1s VI MASTER to BACKUP", "1m1s VI notices that it is relieved at 100")
	g.because("handed over to 192.0.2.4")
	for range 10 { // it does not preempt
		g.pass(time.Second)
		g.hear("VI", lower, 50)
	}
	g.did()
	if s := g.status("VI"); !s.Yielded || s.HandingOver {
		t.Errorf("%+v", s)
	}
	g.pass(down100) // the other one is gone
	g.is("VI", Active)
	if s := g.status("VI"); s.Yielded {
		t.Error("it stays yielded")
	}
}

// It preempts again once the router that it handed over to has given up.
func TestSwitchoverAndBack(t *testing.T) {
	g := active(t)
	g.step(Switchover{"VI"})
	g.hear("VI", lower, 50)
	g.hear("VI", lower, 0)
	g.dueIn(skew100)
	g.pass(skew100)
	g.is("VI", Active)
}

func TestSwitchoverToNobody(t *testing.T) {
	g := active(t)
	g.step(Switchover{"VI"})
	g.forget()
	g.dueIn(3*time.Second + 2*time.Second*255/256)
	g.pass(5 * time.Second)
	g.did("1m4.9921875s VI sends 100 every 1s", "1m4.9921875s VI notices that it is not relieved at 100", "1m4.9921875s VI announces again")
	g.dueIn(992187500 * time.Nanosecond)
	g.is("VI", Active)
}

// All members of a group yield together, when all have heard the other router, or none does.
func TestSwitchoverOfGroup(t *testing.T) {
	for _, name := range []string{"G", "I"} {
		g := activePair(t)
		g.step(Switchover{name})
		g.did("1m0s E sends 0 every 1s", "1m0s I sends 0 every 1s")
		g.hear("E", lower, 50)
		g.did()
		g.hear("I", lower, 50)
		g.did("1m0s E MASTER to BACKUP", "1m0s E notices that it is relieved at 100",
			"1m0s I MASTER to BACKUP", "1m0s I notices that it is relieved at 100", "1m0s group G MASTER to BACKUP")
	}
	g := activePair(t)
	g.step(Switchover{"G"})
	g.hear("E", lower, 50)
	g.forget()
	g.pass(time.Second + skew100)
	g.did("1m1.609375s E sends 100 every 1s", "1m1.609375s E notices that it is not relieved at 100",
		"1m1.609375s I sends 100 every 1s", "1m1.609375s I notices that it is not relieved at 100",
		"1m1.609375s E announces again", "1m1.609375s I announces again")
}

// Of two routers that take over at the same moment it names the better one, to which the other one yields, whichever was heard first or last, and
// in which network.
func TestSwitchoverOfGroupNamesTheBetterOne(t *testing.T) {
	type heard struct {
		member   string
		from     netip.Addr
		priority uint8
	}
	for _, order := range [][]heard{
		{{"E", upper, 75}, {"I", lower, 50}},
		{{"E", lower, 50}, {"I", upper, 75}},
		{{"I", upper, 75}, {"E", lower, 50}},
		{{"E", upper, 75}, {"E", lower, 50}, {"I", lower, 50}},
		{{"E", lower, 50}, {"E", upper, 75}, {"I", lower, 50}},
	} {
		g := activePair(t)
		g.step(Switchover{"G"})
		for _, h := range order {
			g.hear(h.member, h.from, h.priority)
		}
		g.because("handed over to " + upper.String())
		if s := g.status(order[0].member); order[0].from == upper && s.Heard != upper {
			t.Errorf("%v: heard %v of %s last", order, s.Heard, order[0].member)
		}
	}
}

// The router that it handed over to gives up. Priority 0 was lost in one network, and counts for all members.
func TestSwitchoverOfGroupAndBack(t *testing.T) {
	g := activePair(t)
	g.step(Switchover{"G"})
	g.hear("E", lower, 50)
	g.hear("I", lower, 50)
	g.hear("I", lower, 0)
	for range 5 {
		g.pass(time.Second)
		g.hear("E", lower, 40) // a third router
		g.hear("I", lower, 40)
	}
	g.is("E", Active)
	g.is("I", Active)
}

// A fault ends it.
func TestSwitchoverFault(t *testing.T) {
	link := Object{TrackInterface, "eth0"}
	g := newRig(t, instance("VI", tracks(Track{Object: link})))
	g.observe(link, true)
	g.startAll()
	g.pass(time.Minute)
	g.step(Switchover{"VI"})
	g.forget()
	g.observe(link, false)
	g.did("1m0s VI sends 0 every 1s", "1m0s VI notices that it is not relieved at 100", "1m0s VI MASTER to FAULT")
}

func TestSwitchable(t *testing.T) {
	g := started(t, instance("VI"))
	for name, want := range map[string]string{"VI": "VI is BACKUP here", "": "no vrrp_instance", "other": `the name "other"`} {
		if err := g.r.Switchable(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", name, err)
		}
		g.forget()
		g.step(Switchover{name})
		g.did()
	}
	g.pass(time.Minute)
	g.step(Switchover{"VI"})
	if err := g.r.Switchable("VI"); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("%v", err)
	}
}

// A takeover is planned where the other router is alive, and only there.
func TestPlanned(t *testing.T) {
	hears := func(priority uint8, seconds int) func(*rig) {
		return func(g *rig) {
			for range seconds {
				g.hear("VI", lower, priority)
				g.pass(time.Second)
			}
		}
	}
	for _, tt := range []struct {
		name   string
		change func(*Instance)
		happen func(*rig)
		want   bool
	}{
		{"nobody is there", nil, func(*rig) {}, false},
		{"gives up", nil, func(g *rig) { hears(150, 3)(g); g.hear("VI", lower, 0) }, true},
		{"has a lower priority", nil, hears(50, 5), true},
		{"has the higher priority, and falls silent", nil, hears(150, 3), false},
		{"has a lower priority, and falls silent", func(in *Instance) { in.Preempt = false }, hears(50, 5), false},
	} {
		change := tt.change
		if change == nil {
			change = func(*Instance) {}
		}
		g := started(t, instance("VI", change))
		tt.happen(g)
		g.pass(time.Minute)
		g.is("VI", Active)
		if g.planned != tt.want {
			t.Errorf("the other router %s: planned %v", tt.name, g.planned)
		}
	}
}

// A router that takes the role from one that is alive says so when its addresses are there: until then the other one serves, and what that
// one says of itself is nothing new.
func TestEntry(t *testing.T) {
	g := started(t, instance("VI"))
	g.slow = true
	for range 3 {
		g.hear("VI", lower, 50)
		g.pass(time.Second)
	}
	g.hear("VI", lower, 50)
	g.forget()
	g.pass(skew100)
	g.did("3.609375s VI BACKUP to MASTER")
	for range 2 {
		g.pass(time.Second)
		g.hear("VI", lower, 50)
	}
	g.did()
	g.step(Placed{"VI"})
	g.did("5.609375s VI sends 100 every 1s")
	g.dueIn(time.Second)
	g.step(Placed{"VI"})
	g.did()
	g.hear("VI", lower, 50) // its last word
	g.did()
	g.pass(time.Second)
	g.forget()
	g.hear("VI", lower, 50)
	g.did("6.609375s VI sends 100 every 1s", "6.609375s VI notices a lower priority at 100", "6.609375s VI announces again")
}

// The last word is that of the router that was relieved, of nobody else.
func TestLastWordOfAnother(t *testing.T) {
	g := started(t, instance("VI"))
	for range 4 {
		g.hear("VI", lower, 50)
		g.pass(time.Second)
	}
	g.is("VI", Active)
	g.forget()
	g.hear("VI", netip.MustParseAddr("192.0.2.9"), 40)
	g.did("4s VI sends 100 every 1s", "4s VI notices a lower priority at 100", "4s VI announces again")
}

// It does not wait for ever, but for as long as a router would that hears nothing; and not at all where the other one gave up the role: a
// third one would take it too.
func TestEntryLimit(t *testing.T) {
	g := started(t, instance("VI"))
	g.slow = true
	g.hear("VI", lower, 0)
	g.pass(skew100)
	g.did("0s VI INIT to BACKUP", "609.375ms VI sends 100 every 1s", "609.375ms VI BACKUP to MASTER")
	g = started(t, instance("VI"))
	g.slow = true
	for range 4 {
		g.hear("VI", lower, 50)
		g.pass(time.Second)
	}
	g.is("VI", Active)
	g.forget()
	g.pass(down100)
	if len(g.trace) == 0 || !strings.Contains(g.trace[0], "VI sends 100") {
		t.Errorf("%q", g.trace)
	}
}

// Nor does it wait where the other one gives up the role meanwhile.
func TestEntryAlone(t *testing.T) {
	g := started(t, instance("VI"))
	g.slow = true
	for range 4 {
		g.hear("VI", lower, 50)
		g.pass(time.Second)
	}
	g.is("VI", Active)
	g.forget()
	g.hear("VI", lower, 0)
	g.did("4s VI sends 100 every 1s")
}

// Until then a better router is one, a switchover is possible, and a fault says so.
func TestEntryEnds(t *testing.T) {
	take := func(change ...func(*Instance)) *rig {
		g := started(t, instance("VI", change...))
		g.slow = true
		for range 4 {
			g.hear("VI", lower, 50)
			g.pass(time.Second)
		}
		g.is("VI", Active)
		g.forget()
		return g
	}
	g := take()
	g.hear("VI", upper, 200)
	g.did("4s VI MASTER to BACKUP")
	g.step(Placed{"VI"})
	g.did()
	g = take()
	g.step(Switchover{"VI"})
	g.did("4s VI sends 0 every 1s")
	g.step(Placed{"VI"})
	g.did()
	g = take()
	g.step(Shutdown{"VI"})
	g.did("4s VI sends 0 every 1s", "4s VI MASTER to INIT")
}
