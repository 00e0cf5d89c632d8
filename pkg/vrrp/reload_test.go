package vrrp

import (
	"testing"
	"time"
)

func (g *rig) change(groups []Group, in ...Instance) {
	g.record(g.r.Change(g.now, in, groups))
}

// An instance is the same if VRID, family and interface are: it keeps its state under its new name. As active router it sends an
// advert at once.
func TestReloadKeepsState(t *testing.T) {
	g := active(t)
	g.pass(100 * time.Millisecond)
	g.forget()
	renamed := instance("VI", interval(500*time.Millisecond), priority(120))
	renamed.Name = "NEW"
	g.change(nil, renamed)
	g.did("1m0.1s NEW notices another priority of its own at 120", "1m0.1s NEW sends 120 every 500ms")
	g.dueIn(500 * time.Millisecond)
	s := g.status("NEW")
	if s.State != Active || s.Counters.BecameActive != 1 || len(s.Transitions) != 2 {
		t.Errorf("%+v", s)
	}
	g.step(Shutdown{"VI"})
	g.is("NEW", Active)
}

// As a backup its timer moves by what the new one differs.
func TestReloadMovesTimer(t *testing.T) {
	g := started(t, instance("VI"))
	g.pass(time.Second)
	g.forget()
	g.change(nil, instance("VI", interval(2*time.Second), func(in *Instance) { in.DownTimerAdverts = 2 }))
	g.dueIn(3*time.Second + 2*skew100)
	g.change(nil, instance("VI"), instance("NEW", func(in *Instance) { in.VRID = 52 }))
	g.dueIn(2*time.Second + skew100)
	g.did()
	g.is("NEW", Initialize)
}

func TestReloadRemoves(t *testing.T) {
	g := started(t, instance("VI"), instance("OTHER"))
	g.pass(time.Minute)
	g.forget()
	g.change(nil, instance("OTHER"))
	g.did("1m0s VI sends 0 every 1s", "1m0s VI MASTER to INIT", "1m0s OTHER sends 100 every 1s")
	g.because("removed from the configuration")
	g.pass(time.Second)
	g.did("1m1s OTHER sends 100 every 1s")
	g.change(nil)
	g.did("1m1s OTHER sends 0 every 1s", "1m1s OTHER MASTER to INIT")
	if !g.r.Deadline().IsZero() {
		t.Error("something is due without instances")
	}
}

// What was observed before somebody tracked it is known, and what nobody tracked for a while is not.
func TestReloadReadings(t *testing.T) {
	link := Object{TrackInterface, "eth0"}
	tracking := instance("VI", tracks(Track{Object: link}))
	g := started(t, instance("VI"))
	g.observe(link, false)
	g.change(nil, tracking)
	g.is("VI", Fault)
	g.change(nil, instance("VI"))
	g.is("VI", Backup)
	g.change(nil, tracking)
	if s := g.status("VI"); s.Contribs[0].Reading.Known || s.State != Backup {
		t.Errorf("%+v", s)
	}
}

// A new member of an active group becomes active with it, and until then ends nothing.
func TestReloadGroupGrows(t *testing.T) {
	g := activePair(t)
	third := func(in *Instance) { in.VRID = 53 }
	groups := []Group{{Name: "G", Members: []string{"E", "I", "X"}}}
	g.change(groups, instance("E"), instance("I"), instance("X", third))
	g.did("1m0s E sends 100 every 1s", "1m0s I sends 100 every 1s")
	g.step(Startup{"X", g.start})
	g.did("1m0s X sends 100 every 1s", "1m0s X INIT to MASTER")
}

// Instances that were not together before: none stays active.
func TestReloadNewGroup(t *testing.T) {
	g := started(t, instance("E"), instance("I", priority(1)))
	g.pass(down100)
	g.is("E", Active)
	g.is("I", Backup)
	g.forget()
	g.change([]Group{{Name: "G", Members: []string{"E", "I"}}}, instance("E"), instance("I"))
	g.did("3.609375s E sends 0 every 1s", "3.609375s E MASTER to BACKUP", "3.609375s group G INIT to BACKUP",
		"3.609375s I notices another priority of its own at 100")
	g.pass(time.Minute)
	g.is("E", Active)
	g.is("I", Active)
	g.forget()
	g.change(nil, instance("E"), instance("I"))
	g.did("1m3.609375s E sends 100 every 1s", "1m3.609375s I sends 100 every 1s")
}

// One at fault joins: the group is at fault; the fault of a former group is none of the next one.
func TestReloadFaultAndGroup(t *testing.T) {
	link := Object{TrackInterface, "eth0"}
	e, i := instance("E", tracks(Track{Object: link})), instance("I")
	groups := []Group{{Name: "G", Members: []string{"E", "I"}}}
	g := newRig(t, e, i)
	g.observe(link, false)
	g.startAll()
	g.pass(time.Minute)
	g.forget()
	g.change(groups, e, i)
	g.did("1m0s I sends 0 every 1s", "1m0s I MASTER to BACKUP", "1m0s group G INIT to BACKUP",
		"1m0s I BACKUP to FAULT", "1m0s group G BACKUP to FAULT")
	g.change(nil, e, i)
	g.did("1m0s I FAULT to BACKUP")
}

// A member that joins while the group is handed over goes with it.
func TestReloadDuringSwitchover(t *testing.T) {
	g := activePair(t)
	g.step(Switchover{"G"})
	groups := []Group{{Name: "G", Members: []string{"E", "I", "X"}}}
	g.change(groups, instance("E"), instance("I"), instance("X", func(in *Instance) { in.VRID = 53 }))
	g.step(Startup{"X", g.start})
	g.forget()
	g.hear("E", lower, 50)
	g.hear("I", lower, 50)
	for _, name := range []string{"E", "I", "X"} {
		g.is(name, Backup)
		if s := g.status(name); s.Reason != "handed over to 192.0.2.4" || !s.Yielded {
			t.Errorf("%+v", s)
		}
	}
	g.change(groups, instance("E"), instance("I"), instance("X", func(in *Instance) { in.VRID = 53 }))
	if s := g.status("E"); !s.Yielded {
		t.Error("a reload ended that it yielded")
	}
}

// A member that waited for the others of its group, willing to be active, is so as soon as it needs not wait any more.
func TestReloadEndsWaiting(t *testing.T) {
	for _, c := range []struct {
		what   string
		groups []Group
		stays  []Instance
	}{
		{"without the group", nil, []Instance{instance("E"), instance("I")}},
		{"without the other one", []Group{{Name: "G", Members: []string{"I"}}}, []Instance{instance("I")}},
	} {
		t.Run(c.what, func(t *testing.T) {
			g := pair(t)
			g.startAll()
			for range 10 {
				g.pass(time.Second)
				g.hear("E", upper, 150)
			}
			if s := g.status("I"); s.Waits != "group" {
				t.Fatalf("I waits for %q", s.Waits)
			}
			g.change(c.groups, c.stays...)
			g.pass(down100)
			g.is("I", Active)
		})
	}
}

// A group whose members take no part here is nothing.
func TestReloadEmptyGroup(t *testing.T) {
	g := activePair(t)
	g.change([]Group{{Name: "G", Members: []string{"E", "I"}}})
	g.did("1m0s E sends 0 every 1s", "1m0s E MASTER to INIT", "1m0s I sends 0 every 1s", "1m0s I MASTER to INIT", "1m0s group G MASTER to INIT")
	g.pass(time.Minute)
	g.did()
}
