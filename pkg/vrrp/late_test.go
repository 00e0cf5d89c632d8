package vrrp

import (
	"testing"
	"time"
)

// An advert every 10 ms that is late by a few intervals is sent: on a busy host it happens, and to listen would cost clients more.
func TestHiccup(t *testing.T) {
	g := active(t, interval(10*time.Millisecond))
	late := hiccup
	g.stall(g.r.Deadline().Add(late).Sub(g.now))
	g.is("VI", Active)
	g.dueIn(10 * time.Millisecond)
	g.stall(g.r.Deadline().Add(late + 1).Sub(g.now))
	g.is("VI", Backup)
	g = active(t, interval(10*time.Millisecond), func(in *Instance) { in.TimerExpiredBackup = 254 }) // as was asked for
	g.stall(g.r.Deadline().Add(late).Sub(g.now))
	g.is("VI", Backup)
}

// A backup whose timer is late gives the other router a moment: once, and no moment to one that is not heard in time.
func TestLateBackup(t *testing.T) {
	const every = 10 * time.Millisecond
	begin := func() *rig {
		g := started(t, instance("VI", interval(every)))
		g.hearEvery("VI", lower, 200, every)
		return g
	}
	g := begin()
	g.stall(g.r.Deadline().Sub(g.now) + every/3)
	g.is("VI", Active)

	g = begin()
	g.stall(g.r.Deadline().Sub(g.now) + every/3 + 1)
	g.is("VI", Backup)
	g.dueIn(every)
	g.stall(2 * every) // it is late again
	g.is("VI", Active)

	g = begin()
	g.stall(10 * every)
	g.hearEvery("VI", lower, 200, every)
	g.is("VI", Backup)
	g.stall(10 * every) // and doubts anew
	g.is("VI", Backup)
	g.dueIn(every)

	g = started(t, instance("VI")) // with long intervals it is a moment, too
	g.stall(10 * time.Second)
	g.is("VI", Backup)
	g.dueIn(20 * time.Millisecond)
}
