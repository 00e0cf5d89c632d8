package vrrp

import (
	"testing"
	"time"
)

// One test for each clause of RFC 9568, section 6.4. The text of that RFC has no numbers any more; those in the names are the ones of
// RFC 5798, whose steps are the same. What concerns link layers and addresses (steps 305 to 340 and 605 to 650) hangs on Became.

const (
	skew100 = time.Second * 156 / 256
	down100 = 3*time.Second + skew100
)

// (105) If the Priority = 255 (110) send an ADVERTISEMENT (140) set the Adver_Timer to Advertisement_Interval
// (145) transition to Active.
func TestRFC9568_6_4_1_Step105(t *testing.T) {
	g := newRig(t, instance("VI", owner))
	g.pass(time.Hour)
	g.did() // nothing before the Startup event (100)
	g.start = g.now
	g.startAll()
	g.did("0s VI sends 255 every 1s", "0s VI INIT to MASTER")
	g.dueIn(time.Second)
	g.because("owner of the addresses")
}

// (150) else (155) set Active_Adver_Interval to Advertisement_Interval (160) set the Active_Down_Timer to Active_Down_Interval
// (165) transition to Backup.
func TestRFC9568_6_4_1_Step150(t *testing.T) {
	g := started(t, instance("VI"))
	g.did("0s VI INIT to BACKUP")
	g.dueIn(down100)
	g.because("started, and listens for another router")
	if s := g.status("VI"); s.Skew != skew100 || s.ActiveDown != down100 || s.Learned != 0 {
		t.Errorf("skew %v, down %v, learned %v", s.Skew, s.ActiveDown, s.Learned)
	}
}

// (345) Shutdown: (350) cancel the Active_Down_Timer (355) transition to Initialize.
func TestRFC9568_6_4_2_Step345(t *testing.T) {
	g := started(t, instance("VI"))
	g.forget()
	g.step(Shutdown{"VI"})
	g.did("0s VI BACKUP to INIT")
	g.pass(time.Hour)
	g.did()
	g.is("VI", Initialize)
}

// (365) The Active_Down_Timer fires: (370) send an ADVERTISEMENT (405) set the Adver_Timer to Advertisement_Interval
// (410) transition to Active.
func TestRFC9568_6_4_2_Step365(t *testing.T) {
	g := started(t, instance("VI"))
	g.forget()
	g.pass(down100 - 1)
	g.did()
	g.pass(1)
	g.did("3.609375s VI sends 100 every 1s", "3.609375s VI BACKUP to MASTER")
	g.dueIn(time.Second)
	g.because("no other router is active")
}

// (425) The Priority is 0: (430) set the Active_Down_Timer to Skew_Time.
func TestRFC9568_6_4_2_Step425(t *testing.T) {
	g := started(t, instance("VI"))
	g.hear("VI", upper, 200)
	g.forget()
	g.hear("VI", upper, 0)
	g.dueIn(skew100)
	g.pass(skew100)
	g.did("609.375ms VI sends 100 every 1s", "609.375ms VI BACKUP to MASTER")
	g.because("192.0.2.6 gave up the role")
}

// A second one does not delay it.
func TestRFC9568_6_4_2_Step425_Again(t *testing.T) {
	g := started(t, instance("VI"))
	g.hear("VI", upper, 0)
	g.pass(500 * time.Millisecond)
	g.hear("VI", upper, 0)
	g.dueIn(skew100 - 500*time.Millisecond)
}

// (425) The skew is that of the interval learned before (RFC 9568, section 6.1).
func TestRFC9568_6_4_2_Step430(t *testing.T) {
	g := started(t, instance("VI"))
	g.hearEvery("VI", upper, 200, 2*time.Second)
	g.hearEvery("VI", upper, 0, 2*time.Second)
	g.dueIn(2 * skew100)
}

// (445) Preempt_Mode is False, or the Priority is not less than the local one: (450) set Active_Adver_Interval to the advert's
// (455) recompute Skew_Time and Active_Down_Interval (460) reset the Active_Down_Timer.
func TestRFC9568_6_4_2_Step445(t *testing.T) {
	for _, c := range []struct {
		name     string
		change   func(*Instance)
		priority uint8
	}{
		{"greater", func(*Instance) {}, 101},
		{"equal", func(*Instance) {}, 100},
		{"less without preempt", noPreempt, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := started(t, instance("VI", c.change))
			g.forget()
			g.pass(2 * time.Second)
			g.hear("VI", lower, c.priority)
			g.dueIn(down100)
			g.pass(2 * time.Second)
			g.hearEvery("VI", lower, c.priority, 500*time.Millisecond)
			g.dueIn(down100 / 2)
			s := g.status("VI")
			if s.Learned != 500*time.Millisecond || s.Skew != skew100/2 || s.ActiveDown != down100/2 {
				t.Errorf("learned %v, skew %v, down %v", s.Learned, s.Skew, s.ActiveDown)
			}
			if s.Heard != lower || s.HeardPrio != c.priority {
				t.Errorf("heard %v with %d", s.Heard, s.HeardPrio)
			}
			g.did()
		})
	}
}

// (465) else (470) discard the ADVERTISEMENT.
func TestRFC9568_6_4_2_Step465(t *testing.T) {
	g := started(t, instance("VI"))
	g.forget()
	for range 3 {
		g.pass(time.Second)
		g.hearEvery("VI", upper, 99, 5*time.Second)
	}
	g.dueIn(skew100)
	if s := g.status("VI"); s.Learned != 0 {
		t.Errorf("learned %v of an advert that is to be discarded", s.Learned)
	}
	g.pass(skew100)
	g.did("3.609375s VI BACKUP to MASTER", "3.609375s VI sends 100 every 1s")
	g.because("192.0.2.6 has only priority 99, ours is 100")
}

// (655) Shutdown: (660) cancel the Adver_Timer (665) send an ADVERTISEMENT with Priority = 0 (670) transition to Initialize.
func TestRFC9568_6_4_3_Step655(t *testing.T) {
	g := active(t)
	g.step(Shutdown{"VI"})
	g.did("1m0s VI sends 0 every 1s", "1m0s VI MASTER to INIT")
	g.pass(time.Hour)
	g.did()
}

// (680) The Adver_Timer fires: (685) send an ADVERTISEMENT (690) reset the Adver_Timer to Advertisement_Interval.
func TestRFC9568_6_4_3_Step680(t *testing.T) {
	g := active(t, interval(10*time.Second))
	first := g.r.Deadline().Sub(g.now)
	g.pass(first - 1)
	g.did()
	g.pass(1)
	g.did("1m6.09375s VI sends 100 every 10s")
	g.dueIn(10 * time.Second)
	g.pass(10 * time.Second)
	g.did("1m16.09375s VI sends 100 every 10s")
}

// (705) The Priority is 0: (710) send an ADVERTISEMENT (715) reset the Adver_Timer to Advertisement_Interval.
func TestRFC9568_6_4_3_Step705(t *testing.T) {
	g := active(t)
	g.pass(100 * time.Millisecond)
	g.forget()
	g.hear("VI", upper, 0)
	g.did("1m0.1s VI sends 100 every 1s")
	g.dueIn(time.Second)
}

// (725) The Priority is greater than the local one, (735) or equal, and the address of the sender is greater:
// (740) cancel Adver_Timer (745) set Active_Adver_Interval to the advert's (750) recompute Skew_Time
// (755) and Active_Down_Interval (760) set Active_Down_Timer (765) transition to Backup.
func TestRFC9568_6_4_3_Step725(t *testing.T) {
	g := active(t)
	g.hearEvery("VI", lower, 101, 100*time.Millisecond)
	g.did("1m0s VI MASTER to BACKUP")
	g.dueIn(down100 / 10)
	g.because("192.0.2.4 has priority 101, ours is 100")
}

func TestRFC9568_6_4_3_Step735(t *testing.T) {
	g := active(t)
	g.hearEvery("VI", upper, 100, 100*time.Millisecond)
	g.did("1m0s VI MASTER to BACKUP")
	g.dueIn(down100 / 10)
	g.because("192.0.2.6 has the same priority 100 and the higher address")
}

// (770) else (775) discard the ADVERTISEMENT, and, new in RFC 9568, send one immediately.
func TestRFC9568_6_4_3_Step770(t *testing.T) {
	for _, c := range []struct {
		name     string
		priority uint8
	}{{"less", 99}, {"equal and the lower address", 100}} {
		t.Run(c.name, func(t *testing.T) {
			g := active(t)
			g.hear("VI", lower, c.priority)
			g.did("1m0s VI sends 100 every 1s", "1m0s VI notices a lower priority at 100", "1m0s VI announces again")
			g.is("VI", Active)
			if s := g.status("VI"); s.Learned != 0 || s.Heard.IsValid() {
				t.Errorf("it learned %v of %v", s.Learned, s.Heard)
			}
		})
	}
}

// Section 6.1: the intervals, and section 5.2.7: the one that a router advertises is its own, whatever it learned as a backup.
func TestRFC9568_6_1_OwnInterval(t *testing.T) {
	g := started(t, instance("VI", interval(200*time.Millisecond)))
	g.hearEvery("VI", upper, 200, 2*time.Second)
	g.forget()
	g.pass(2 * down100)
	g.did("7.21875s VI sends 100 every 200ms", "7.21875s VI BACKUP to MASTER")
	g.dueIn(200 * time.Millisecond)
	if s := g.status("VI"); s.Learned != 0 {
		t.Errorf("it keeps the interval %v that it learned", s.Learned)
	}
}

// Section 6.1: Preempt_Mode has no effect on the owner of the addresses, which is always active.
func TestRFC9568_6_1_OwnerPreempts(t *testing.T) {
	g := active(t, owner, noPreempt)
	g.hear("VI", upper, 254)
	g.is("VI", Active)
	g.step(Shutdown{"VI"})
	g.startAll()
	g.is("VI", Active)
}
