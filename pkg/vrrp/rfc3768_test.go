package vrrp

import (
	"testing"
	"time"
)

// RFC 3768, section 6.4, where it differs from RFC 9568: the skew is a part of a second whatever the interval, and there is none
// to learn.

// Section 6.1: Skew_Time is (256 - Priority) / 256 seconds.
func TestRFC3768_6_1_SkewTime(t *testing.T) {
	g := started(t, instance("VI", version2, interval(5*time.Second)))
	g.dueIn(15*time.Second + skew100)
}

// Section 6.4.1: an owner is active at once.
func TestRFC3768_6_4_1_Owner(t *testing.T) {
	g := started(t, instance("VI", version2, owner))
	g.did("0s VI sends 255 every 1s", "0s VI INIT to MASTER")
}

// Section 6.4.2: the Master_Down_Timer is set to Skew_Time by priority 0.
func TestRFC3768_6_4_2_PriorityZero(t *testing.T) {
	g := started(t, instance("VI", version2, interval(5*time.Second)))
	g.hearEvery("VI", upper, 200, 5*time.Second)
	g.hearEvery("VI", upper, 0, 5*time.Second)
	g.dueIn(skew100)
}

// Section 6.4.2: an advert that counts resets the timer; the interval in it is ours, or the codec would have dropped it.
func TestRFC3768_6_4_2_Reset(t *testing.T) {
	g := started(t, instance("VI", version2))
	g.pass(3 * time.Second)
	g.hear("VI", upper, 100)
	g.dueIn(down100)
	if s := g.status("VI"); s.Learned != 0 {
		t.Errorf("version 2 learned an interval: %v", s.Learned)
	}
	g.forget()
	g.pass(3 * time.Second)
	g.hear("VI", upper, 99)
	g.dueIn(skew100)
}

// Section 6.4.3: a greater priority, or an equal one from a greater address, ends the role. The timer is one of ours.
func TestRFC3768_6_4_3_Yields(t *testing.T) {
	g := active(t, version2)
	g.hear("VI", upper, 100)
	g.did("1m0s VI MASTER to BACKUP")
	g.dueIn(down100)
}
