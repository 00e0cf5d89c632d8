package vrrp

import (
	"testing"
	"time"
)

// pair is a rig with two instances, E and I, in a group G.
func pair(t *testing.T, change ...func(*Instance)) *rig {
	t.Helper()
	e, i := instance("E", change...), instance("I", change...)
	e.Group, i.Group = "G", "G"
	return newGroupRig(t, []Group{{Name: "G", Members: []string{"E", "I"}}}, e, i)
}

// activePair is one that has become active.
func activePair(t *testing.T) *rig {
	t.Helper()
	g := pair(t)
	g.startAll()
	g.pass(time.Minute)
	g.is("E", Active)
	g.is("I", Active)
	g.forget()
	return g
}

// The group begins when all members can.
func TestGroupBegins(t *testing.T) {
	g := pair(t)
	g.step(Startup{"E", g.start})
	g.pass(time.Hour)
	g.did()
	g.step(Startup{"I", g.start})
	g.did("1h0m0s group G INIT to BACKUP", "1h0m0s E INIT to BACKUP", "1h0m0s I INIT to BACKUP")
	g.pass(down100)
	g.did("1h0m3.609375s E sends 100 every 1s", "1h0m3.609375s E BACKUP to MASTER",
		"1h0m3.609375s I sends 100 every 1s", "1h0m3.609375s I BACKUP to MASTER", "1h0m3.609375s group G BACKUP to MASTER")
}

// A member whose network is cut waits as long as another one hears the active router.
func TestGroupWaitsForAllMembers(t *testing.T) {
	g := pair(t)
	g.startAll()
	g.forget()
	for range 10 {
		g.pass(time.Second)
		g.hear("E", upper, 150)
	}
	g.did()
	g.is("I", Backup)
	if s := g.status("I"); s.Waits != "group" {
		t.Errorf("I waits for %q", s.Waits)
	}
	g.pass(down100)
	g.did("13.609375s E sends 100 every 1s", "13.609375s E BACKUP to MASTER",
		"13.609375s I sends 100 every 1s", "13.609375s I BACKUP to MASTER", "13.609375s group G BACKUP to MASTER")
	g.because("no other router is active")
}

// Members disagree for a moment: nothing happens.
func TestGroupDoesNotFlap(t *testing.T) {
	g := pair(t)
	g.startAll()
	g.pass(3 * time.Second)
	g.hear("E", upper, 150)
	g.hear("I", upper, 150)
	g.forget()
	g.pass(time.Second)
	g.hear("E", upper, 150)
	g.pass(down100 - time.Second) // I lost some adverts
	g.hear("I", upper, 150)
	g.pass(down100 - 1)
	g.hear("I", upper, 150)
	g.pass(1) // now E did
	g.did()
	g.hear("E", upper, 150)
	g.pass(down100 - 2)
	g.did()
}

// A member that hears a better router ends the role of all; nobody sends priority 0. The other network being cut, the group does not
// take the role back: the member there waits.
func TestGroupYields(t *testing.T) {
	g := activePair(t)
	g.hear("E", upper, 150)
	g.did("1m0s E MASTER to BACKUP", "1m0s I MASTER to BACKUP", "1m0s group G MASTER to BACKUP")
	g.because("E of its sync group: 192.0.2.6 has priority 150, ours is 100")
	for range 100 {
		g.pass(time.Second)
		g.hear("E", upper, 150)
	}
	g.did()
	if _, groups := g.r.Status(); groups[0].State != Backup || groups[0].Reason != "E: 192.0.2.6 has priority 150, ours is 100" {
		t.Errorf("%+v", groups)
	}
}

// A fault of one member is one of all.
func TestGroupFault(t *testing.T) {
	e, i := Object{TrackInterface, "eth0"}, Object{TrackInterface, "eth1"}
	g := pair(t)
	g.record(g.r.Change(g.now, []Instance{
		instance("E", tracks(Track{Object: e})), instance("I", tracks(Track{Object: i})),
	}, []Group{{Name: "G", Members: []string{"E", "I"}}}))
	g.observe(e, true)
	g.startAll()
	g.did() // one waits, so both do
	g.observe(i, true)
	g.pass(time.Minute)
	g.forget()
	g.observe(i, false)
	g.did("1m0s E sends 0 every 1s", "1m0s E MASTER to FAULT", "1m0s I sends 0 every 1s", "1m0s I MASTER to FAULT",
		"1m0s group G MASTER to FAULT")
	g.observe(e, false)
	g.observe(i, true)
	g.did() // it goes on as long as one has a fault
	g.observe(e, true)
	g.did("1m0s E FAULT to BACKUP", "1m0s I FAULT to BACKUP", "1m0s group G FAULT to BACKUP")
}

// A clean stop of one is one of all, and everybody hears of it.
func TestGroupShutdown(t *testing.T) {
	g := activePair(t)
	g.step(Shutdown{"I"})
	g.did("1m0s E sends 0 every 1s", "1m0s E MASTER to INIT", "1m0s I sends 0 every 1s", "1m0s I MASTER to INIT",
		"1m0s group G MASTER to INIT")
	g.step(Shutdown{"E"})
	g.did()
}

// What members track does not change their priorities, unless sync_group_tracking_weight says so; what the group tracks changes those of
// all members (seen in keepalived 2.2.7).
func TestGroupWeights(t *testing.T) {
	own, common := Object{TrackScript, "own"}, Object{TrackScript, "common"}
	for weights, want := range map[bool][2]uint8{false: {60, 60}, true: {30, 60}} {
		g := newGroupRig(t, []Group{{
			Name: "G", Members: []string{"E", "I"}, Weights: weights, Tracks: []Track{{Object: common, Weight: -40}},
		}}, instance("E", tracks(Track{Object: own, Weight: -30})), instance("I"))
		g.startAll()
		g.observe(own, false)
		g.observe(common, false)
		if e, i := g.status("E"), g.status("I"); e.Effective != want[0] || i.Effective != want[1] || e.State != Backup {
			t.Errorf("weights %v: E has %d, I has %d", weights, e.Effective, i.Effective)
		}
	}
}

func TestGroupOfOwners(t *testing.T) {
	g := pair(t, owner)
	g.startAll()
	g.did("0s E sends 255 every 1s", "0s E INIT to MASTER", "0s I sends 255 every 1s", "0s I INIT to MASTER", "0s group G INIT to MASTER")
}

// A host that did not run for long: all members step down, not only the one whose timer was looked at first.
func TestGroupStepsDown(t *testing.T) {
	g := activePair(t)
	g.stall(time.Minute)
	g.is("E", Backup)
	g.is("I", Backup)
	if c := g.status("I").Counters; c.SteppedDown != 1 {
		t.Errorf("counted %d", c.SteppedDown)
	}
}

// Another router that is active, too, may have misled neighbours in all networks of the group.
func TestGroupAnnouncesAgain(t *testing.T) {
	g := activePair(t)
	g.hear("I", lower, 50)
	g.did("1m0s I sends 100 every 1s", "1m0s I notices a lower priority at 100", "1m0s E announces again", "1m0s I announces again")
}
