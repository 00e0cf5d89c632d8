package vrrp

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

// The options of an instance, one after the other, as keepalived has them.

func TestSkewTime(t *testing.T) {
	for _, c := range []struct {
		version, priority uint8
		interval          time.Duration
		want              time.Duration
	}{
		{2, 100, time.Second, 609375 * time.Microsecond},
		{2, 100, 10 * time.Second, 609375 * time.Microsecond},
		{2, 255, time.Second, 3906250},
		{2, 1, time.Second, 996093750},
		{3, 100, time.Second, 609375 * time.Microsecond},
		{3, 100, 10 * time.Millisecond, 6093750},
		{3, 254, 10 * time.Millisecond, 78125},
		{3, 1, 40950 * time.Millisecond, 40950 * time.Millisecond * 255 / 256},
		{3, 128, 19 * time.Millisecond, 5 * time.Millisecond}, // whole centiseconds count
	} {
		if got := SkewTime(c.version, c.priority, c.interval); got != c.want {
			t.Errorf("version %d, priority %d, %v: %v instead of %v", c.version, c.priority, c.interval, got, c.want)
		}
	}
}

func TestDownTimerAdverts(t *testing.T) {
	g := started(t, instance("VI", func(in *Instance) { in.DownTimerAdverts = 7 }))
	g.dueIn(7*time.Second + skew100)
}

// state MASTER of one that does not own the addresses: it listens for one interval, and the skew of an owner.
func TestInitialMaster(t *testing.T) {
	master := func(in *Instance) { in.Initial = Active }
	g := started(t, instance("VI", master))
	g.did("0s VI INIT to BACKUP")
	g.dueIn(time.Second + time.Second/256)
	g.hear("VI", upper, 150)
	g.dueIn(down100)

	g = started(t, instance("VI", master))
	g.hear("VI", upper, 50)
	g.dueIn(time.Second + time.Second/256)
}

// After a fault it listens as every other one does.
func TestInitialMasterAfterFault(t *testing.T) {
	link := Object{TrackInterface, "eth0"}
	g := started(t, instance("VI", func(in *Instance) { in.Initial = Active }, tracks(Track{Object: link})))
	g.observe(link, false)
	g.forget()
	g.observe(link, true)
	g.did("0s VI FAULT to BACKUP")
	g.dueIn(down100)
}

// state BACKUP of an address owner: keepalived 2.2.7 waits 3 s and the skew of 255 (seen).
func TestOwnerWithStateBackup(t *testing.T) {
	g := started(t, instance("VI", priority(255)))
	g.dueIn(3*time.Second + time.Second/256)
}

func TestPreemptDelay(t *testing.T) {
	g := started(t, instance("VI", func(in *Instance) { in.PreemptDelay = 5 * time.Second }))
	g.forget()
	for range 5 { // at 1 s to 5 s: from the first advert the delay runs, and they all are accepted
		g.pass(time.Second)
		g.hear("VI", lower, 50)
		g.dueIn(down100)
	}
	if s := g.status("VI"); s.Waits != "preempt delay" || s.Deadline != g.start.Add(6*time.Second) {
		t.Errorf("it waits for %s until %v", s.Waits, s.Deadline.Sub(g.start))
	}
	for range 3 { // 6 s to 8 s: none is
		g.pass(time.Second)
		g.hear("VI", lower, 50)
	}
	g.did()
	g.pass(skew100)
	g.did("8.609375s VI BACKUP to MASTER", "8.609375s VI sends 100 every 1s")
}

func TestPreemptDelayIsCancelled(t *testing.T) {
	g := started(t, instance("VI", func(in *Instance) { in.PreemptDelay = 5 * time.Second }))
	g.hear("VI", lower, 50)
	g.pass(3 * time.Second)
	g.hear("VI", upper, 100)
	g.pass(3 * time.Second)
	g.hear("VI", lower, 50) // the delay begins here
	g.dueIn(down100)
	g.pass(3 * time.Second)
	g.hear("VI", lower, 50)
	g.dueIn(down100)
}

// The delay is for preemption, not for taking over from nobody.
func TestPreemptDelayEndsWithTheActiveRouter(t *testing.T) {
	delayed := func(in *Instance) { in.PreemptDelay = time.Hour }
	g := started(t, instance("VI", delayed))
	g.hear("VI", lower, 50)
	g.pass(down100)
	g.is("VI", Active)

	g = started(t, instance("VI", delayed))
	g.hear("VI", lower, 50)
	g.hear("VI", lower, 0)
	g.dueIn(skew100)
}

func TestStartupDelay(t *testing.T) {
	link := Object{TrackInterface, "eth0"}
	g := newRig(t, instance("VI", func(in *Instance) { in.StartupDelay = 10 * time.Second }, tracks(Track{Object: link})))
	g.observe(link, true)
	g.startAll()
	g.did("0s VI INIT to BACKUP")
	g.dueIn(10*time.Second + down100)
	g.hear("VI", upper, 200)
	g.hear("VI", upper, 0)
	g.dueIn(10*time.Second + down100)
	s := g.status("VI")
	if s.Waits != "startup delay" || s.Deadline != g.start.Add(10*time.Second) || s.Counters.Rejected[RejectState] != 2 || s.Counters.Received != 0 {
		t.Errorf("%+v", s)
	}
	g.pass(2 * time.Second)
	g.observe(link, false) // a fault during the delay
	g.did("2s VI BACKUP to FAULT")
	g.observe(link, true)
	g.dueIn(8*time.Second + down100)
	g.pass(8 * time.Second)
	g.hear("VI", upper, 0)
	g.dueIn(skew100)
}

func TestStartupDelayOfMaster(t *testing.T) {
	delayed := func(in *Instance) { in.StartupDelay, in.Initial = 10*time.Second, Active }
	g := started(t, instance("VI", delayed))
	g.dueIn(11*time.Second + time.Second/256)
	g = started(t, instance("VI", owner, delayed))
	g.dueIn(10 * time.Second)
	g.pass(10 * time.Second)
	g.is("VI", Active)
}

// The delay after the boot of the machine, or that of the start, whichever ends later.
func TestDelayAfterBoot(t *testing.T) {
	for _, c := range []struct{ startup, afterBoot, booted, want time.Duration }{
		{0, 30 * time.Second, 10 * time.Second, 20 * time.Second},
		{0, 30 * time.Second, time.Minute, 0},
		{25 * time.Second, 30 * time.Second, 10 * time.Second, 25 * time.Second},
	} {
		g := newRig(t, instance("VI", func(in *Instance) { in.StartupDelay, in.AfterBoot = c.startup, c.afterBoot }))
		g.step(Startup{"VI", g.now.Add(-c.booted)})
		g.dueIn(c.want + down100)
	}
}

func TestLowerPrioNoAdvert(t *testing.T) {
	for _, option := range []func(*Instance){
		func(in *Instance) { in.LowerPrioNoAdvert = true },
		func(in *Instance) { in.Strict = true },
	} {
		g := active(t, option)
		g.hear("VI", lower, 50)
		g.did("1m0s VI notices a lower priority at 100", "1m0s VI announces again")
	}
}

func TestHigherPrioSendAdvert(t *testing.T) {
	g := active(t, func(in *Instance) { in.HigherPrioSendAdvert = true })
	g.hear("VI", lower, 150)
	g.did("1m0s VI sends 100 every 1s", "1m0s VI MASTER to BACKUP")
}

// Another router that is active, too, is answered each time; the neighbours and the notifications hear of it once a second,
// and once more when it is over.
func TestClash(t *testing.T) {
	g := active(t, interval(10*time.Second), version2)
	told := []string{"1m0s VI sends 100 every 10s", "1m0s VI notices a lower priority at 100", "1m0s VI announces again"}
	g.hearEvery("VI", lower, 50, 10*time.Second)
	g.did(told...)
	g.pass(500 * time.Millisecond)
	g.hearEvery("VI", lower, 50, 10*time.Second)
	g.did("1m0.5s VI sends 100 every 10s")
	g.pass(30 * time.Second)
	g.did("1m10.5s VI sends 100 every 10s", "1m20.5s VI sends 100 every 10s", "1m30.5s VI sends 100 every 10s")
	g.pass(20 * time.Second)
	g.did("1m40.5s VI sends 100 every 10s", "1m40.5s VI announces again", "1m50.5s VI sends 100 every 10s")
	if c := g.status("VI").Counters; c.LowerWhileActive != 2 {
		t.Errorf("counted %d", c.LowerWhileActive)
	}
}

// Two address owners: the one with the lower address gives way at once.
func TestTwoOwnersLower(t *testing.T) {
	g := active(t, owner)
	g.hear("VI", upper, 255)
	g.did("1m0s VI MASTER to BACKUP")
	g.pass(2 * time.Second)
	g.hear("VI", upper, 255)
	g.dueIn(3*time.Second + time.Second/256)
}

// The other one says two times that it is there. If that has no effect for 1.2 intervals, it gives way, because it is the one that can.
func TestTwoOwnersUpper(t *testing.T) {
	g := active(t, owner)
	g.hear("VI", lower, 255)
	g.did("1m0s VI sends 255 every 1s", "1m0s VI sends 255 every 1s", "1m0s VI notices a lower priority at 255", "1m0s VI announces again")
	g.pass(time.Second)
	g.forget()
	g.hear("VI", lower, 255)
	g.did("1m1s VI sends 255 every 1s", "1m1s VI notices a lower priority at 255", "1m1s VI announces again")
	g.pass(time.Second)
	g.forget()
	g.hear("VI", lower, 255)
	g.is("VI", Backup)
	g.because("192.0.2.4 has priority 255, ours is 254")
	if s := g.status("VI"); s.Effective != 254 {
		t.Errorf("the effective priority is %d", s.Effective)
	}
	g.pass(time.Minute) // the other one is gone
	g.is("VI", Active)
	if s := g.status("VI"); s.Effective != 255 {
		t.Errorf("the effective priority is %d", s.Effective)
	}
}

// timer_expired_backup, and without it: an advert that is so late that another router may have taken over is not sent.
func TestLateAdvert(t *testing.T) {
	for rival, skew := range map[uint8]time.Duration{0: time.Second * 2 / 256, 50: time.Second * 206 / 256} {
		limit := 2*time.Second + skew
		g := active(t, func(in *Instance) { in.TimerExpiredBackup = rival })
		left := g.r.Deadline().Sub(g.now)
		g.stall(left + limit)
		g.is("VI", Active)
		g.did(g.now.Sub(g.start).String() + " VI sends 100 every 1s")
		g.dueIn(time.Second)
		g.stall(time.Second + limit + 1)
		g.is("VI", Backup)
		g.because("this host did not run for so long that another router may be active")
		g.dueIn(time.Second + skew100)
		if c := g.status("VI").Counters; c.SteppedDown != 1 {
			t.Errorf("counted %d", c.SteppedDown)
		}
	}
}

// What was received while the host did not run is from a router that took over. It is not fought.
func TestLateAdvertReceived(t *testing.T) {
	g := active(t)
	g.now = g.now.Add(10 * time.Second)
	g.hear("VI", lower, 50)
	g.did("1m10s VI MASTER to BACKUP")
	g.step(Tick{})
	g.did()
}

func TestSlept(t *testing.T) {
	g := active(t)
	g.step(Slept{time.Second})
	g.is("VI", Active)
	g.step(Slept{4 * time.Second})
	g.is("VI", Backup)
	g = active(t, owner) // nobody takes over from it
	g.step(Slept{time.Hour})
	g.stall(time.Hour)
	g.is("VI", Active)
	g = started(t, instance("VI"))
	g.forget()
	g.step(Slept{time.Hour})
	g.did()
	g.dueIn(down100)
}

// The priority changes: as a backup the running timer gets the skew of the new one, as active router only the next advert tells of it.
func TestPriorityChange(t *testing.T) {
	script := Object{TrackScript, "chk"}
	g := started(t, instance("VI", tracks(Track{Object: script, Weight: -40})))
	g.pass(time.Second)
	g.forget()
	g.observe(script, false)
	g.did("1s VI notices another priority of its own at 60")
	g.dueIn(down100 - time.Second + 40*time.Second/256)
	g.observe(script, true)
	g.dueIn(down100 - time.Second)
	g.pass(time.Minute)
	g.forget()
	due := g.r.Deadline()
	g.observe(script, false)
	g.did("1m1s VI notices another priority of its own at 60")
	if g.r.Deadline() != due {
		t.Error("the next advert moved")
	}
	g.pass(due.Sub(g.now))
	g.did("1m1.609375s VI sends 60 every 1s")
	s := g.status("VI")
	if s.Base != 100 || s.Effective != 60 || len(s.Contribs) != 1 || s.Contribs[0].Adds != -40 || s.Contribs[0].Track.Name != "chk" {
		t.Errorf("%+v", s)
	}
}

// What is tracked with weight 0 and has not been looked at yet keeps an instance from beginning, silently (seen in keepalived 2.2.7).
func TestWaitsForReadings(t *testing.T) {
	script, other := Object{TrackScript, "chk"}, Object{TrackScript, "weighted"}
	g := started(t, instance("VI", tracks(Track{Object: script}, Track{Object: other, Weight: 10})))
	g.pass(time.Hour)
	g.did()
	if s := g.status("VI"); !slices.Equal(s.Faults, []string{"script chk has not been looked at yet"}) {
		t.Errorf("faults %q", s.Faults)
	}
	g.observe(script, true)
	g.did("1h0m0s VI INIT to BACKUP")
}

func TestFault(t *testing.T) {
	link := Object{TrackInterface, "eth0"}
	g := started(t, instance("VI", tracks(Track{Object: link})))
	g.observe(link, true)
	g.pass(time.Minute)
	g.forget()
	g.step(Observed{link, Reading{Known: true, Reason: "no carrier"}})
	g.did("1m0s VI sends 0 every 1s", "1m0s VI MASTER to FAULT")
	g.because("interface eth0 is down: no carrier")
	g.step(Sourced{Instance: "VI", Why: "there is no interface eth0"})
	g.step(Observed{link, Reading{Known: true, Reason: "there is no interface eth0"}})
	if got := g.status("VI").Faults; len(got) != 1 || got[0] != "there is no interface eth0" {
		t.Errorf("what is missing is told as %q", got)
	}
	g.step(Sourced{Instance: "VI", Addr: us})
	g.forget()
	g.hear("VI", upper, 50)
	g.pass(time.Minute)
	g.did()
	g.observe(link, true)
	g.did("2m0s VI FAULT to BACKUP")
	g.because("all that it needs is well again")
	g.dueIn(down100)
}

func TestFaultsWithoutTracks(t *testing.T) {
	g := started(t, instance("VI", func(in *Instance) { in.FaultWithoutPeers = true }))
	g.did("0s VI INIT to FAULT")
	g.because("there is no unicast_peer")

	g = started(t, instance("VI", func(in *Instance) { in.Source = netip.Addr{} }))
	g.forget()
	g.step(Sourced{Instance: "VI"})
	g.did("0s VI BACKUP to FAULT")
	g.because("interface VI has no address to send adverts from")
	g.step(Sourced{Instance: "VI", Addr: us})
	g.did("0s VI FAULT to BACKUP")
	if s := g.status("VI"); s.Source != us {
		t.Errorf("source %v", s.Source)
	}
}

// The owner's priority is never changed by what it tracks.
func TestOwnerTracks(t *testing.T) {
	script, link := Object{TrackScript, "chk"}, Object{TrackInterface, "eth0"}
	g := newRig(t, instance("VI", owner, tracks(Track{Object: script, Weight: -40}, Track{Object: link})))
	g.observe(link, true)
	g.startAll()
	g.observe(script, false)
	if s := g.status("VI"); s.Effective != 255 || s.Contribs[0].Adds != 0 {
		t.Errorf("%+v", s)
	}
	g.observe(link, false)
	g.is("VI", Fault)
	g.observe(link, true)
	g.is("VI", Active)
}

func TestReverse(t *testing.T) {
	bfd := Object{TrackBFD, "peer"}
	g := newRig(t, instance("VI", tracks(Track{Object: bfd, Reverse: true})))
	g.observe(bfd, true)
	g.startAll()
	g.is("VI", Fault)
	g.because("bfd peer is well, which is a fault in reverse")
	g.observe(bfd, false)
	g.is("VI", Backup)
}
