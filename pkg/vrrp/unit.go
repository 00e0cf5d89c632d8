package vrrp

import "time"

// unit is a sync group, or an instance without one: what is active as a whole or not at all. The state of its members is its own,
// but for those that can't begin yet: they are still in Initialize, or after a reload in Fault.
//
// It does not flap when members disagree: it becomes active when no member hears a router that it would not replace, so one member on
// a network that is cut waits, willing, as long as another one hears the active router. It stops being active as soon as one member
// hears a better one; the others then wait for a whole Active_Down_Interval again. An active unit only hears a better
// router where that has become active in all networks, or where the members have other priorities than there.
type unit struct {
	Group   // no name: an instance without one
	router  *Router
	members []*machine
	state   State
	since   time.Time
	reason  string
	yielded bool // by a switchover: it does not preempt before another router gives up the role
}

// weighs tells whether what members track themselves may change their priorities: those of a group must stay the same. What the
// whole group tracks may change them (seen in keepalived 2.2.7).
func (u *unit) weighs() bool { return u.Name == "" || u.Weights }

// settle makes the state what the tracked objects and the starts of the members allow.
func (u *unit) settle() {
	for _, m := range u.members {
		if !m.started || !m.atFault() {
			continue
		}
		if m.state == Initialize && u.router.now.Before(m.grace) {
			m.arm(m.grace)
			continue
		}
		u.fail(m)
		return
	}
	switch u.state {
	case Initialize, Fault:
		u.begin()
	case Backup, Active:
		u.join()
	}
}

// fail is that a member can't go on.
func (u *unit) fail(cause *machine) {
	reason := cause.whyFault()
	for _, m := range u.members {
		if !m.started || m.state == Fault {
			continue
		}
		if m.state == Active {
			m.resign()
		}
		m.becomeFault(u.whyOf(m, cause, reason))
	}
	u.enter(Fault, u.why(cause, reason))
}

// begin leaves Initialize or Fault when all members can.
func (u *unit) begin() {
	if len(u.members) == 0 {
		return // none takes part
	}
	owners := true
	for _, m := range u.members {
		if !m.ready() {
			return
		}
		owners = owners && m.owns() && !m.deaf.After(u.router.now)
	}
	reason := "started, and listens for another router"
	if u.state == Fault {
		reason = "all that it needs is well again"
	}
	if owners {
		u.activate("owner of the addresses")
		return
	}
	if u.state == Initialize { // the only transition that keepalived tells of a group before its members
		u.enter(Backup, reason)
	}
	for _, m := range u.members {
		m.becomeBackup(m.patienceAtStart(), reason)
	}
	u.enter(Backup, reason)
}

// join lets members begin that came later than the others, be it into the group.
func (u *unit) join() {
	for _, m := range u.members {
		switch {
		case m.state != Initialize && m.state != Fault, !m.ready():
		case u.state == Active:
			m.becomeActive("its sync group is active here")
		default:
			m.becomeBackup(m.patienceAtStart(), "started, and listens for another router")
		}
	}
}

// hear is that a member has heard an active router, be it one that it does not listen to yet, or would relieve.
func (u *unit) hear() {
	for _, m := range u.members {
		if !m.met && m.state != Active {
			u.router.emit(Heard{m.Name})
		}
		m.met = true
	}
}

// elect makes the unit active if all members would be.
func (u *unit) elect(reason string) {
	for _, m := range u.members {
		if m.willing == "" {
			return
		}
	}
	u.activate(reason)
}

func (u *unit) activate(reason string) {
	for _, m := range u.members {
		m.becomeActive(either(m.willing, reason))
	}
	u.enter(Active, reason)
}

// yield is that a member found a better router. Nobody sends priority 0: the better one need not hurry.
func (u *unit) yield(cause *machine, reason string) {
	for _, m := range u.members {
		if m.state == Active {
			m.becomeBackup(m.activeDown(), u.whyOf(m, cause, reason))
		}
	}
	u.enter(Backup, u.why(cause, reason))
}

// slept is that this host did not run for a time that the clock does not know of.
func (u *unit) slept(gap time.Duration) {
	if u.state != Active {
		return
	}
	for _, m := range u.members {
		if m.state == Active && m.overdue(gap) {
			u.stepDown(m)
			return
		}
	}
}

// stepDown is that a member was silent for so long that another router may be active. The unit listens for as long as that one
// would take to be heard.
func (u *unit) stepDown(cause *machine) {
	for _, m := range u.members {
		if m.state == Active {
			m.counters.SteppedDown++
			m.becomeBackup(m.AdvertInterval+m.skew(), u.whyOf(m, cause, whyStepDown))
		}
	}
	u.enter(Backup, u.why(cause, whyStepDown))
}

// shutdown ends all members.
func (u *unit) shutdown(reason string) {
	for _, m := range u.members {
		m.quit(reason)
	}
	u.enter(Initialize, reason)
}

// quit ends an instance.
func (m *machine) quit(reason string) {
	m.started = false
	if m.state == Active {
		m.resign()
	}
	if m.state != Initialize {
		m.becomeInitialize(reason)
	}
	m.disarm()
}

// handOver begins a switchover: other routers are asked to take over, and until one has, this one serves.
func (u *unit) handOver() {
	for _, m := range u.members {
		if m.state == Active {
			m.resign()
			m.entering, m.handing = false, true
			m.arm(u.router.now.Add(m.handover()))
		}
	}
}

// handedOver ends it when all members have been relieved. From the first on, the others should not take longer than an advert does. Two
// routers may have taken over at the same moment, and each network heard another one of them first: the better one is named, to which
// the other one yields.
func (u *unit) handedOver() {
	waits, reason, best := false, "", uint8(0)
	for _, m := range u.members {
		switch {
		case m.relieved:
			if m.heardPrio > best {
				reason, best = "handed over to "+m.heard.String(), m.heardPrio
			}
		case m.handing:
			waits = true
			if soon := u.router.now.Add(m.AdvertInterval + m.skew()); soon.Before(m.deadline) {
				m.arm(soon)
			}
		}
	}
	if waits {
		return
	}
	for _, m := range u.members {
		if m.state == Active {
			m.handing = false
			m.becomeBackup(m.activeDown(), reason)
			u.router.emit(Noticed{m.Name, HandedOver, m.effective})
		}
	}
	u.enter(Backup, reason)
	u.yielded = true
}

// takeBack ends a switchover because nobody took over, or not everywhere.
func (u *unit) takeBack() {
	for _, m := range u.members {
		if m.handing {
			m.handing, m.relieved = false, false
			m.learned = 0
			m.advertise()
			m.arm(u.router.now.Add(m.AdvertInterval))
			u.router.emit(Noticed{m.Name, NotHandedOver, m.effective})
		}
	}
	u.reannounce()
}

// reannounce has the neighbours told of the addresses of all members.
func (u *unit) reannounce() {
	for _, m := range u.members {
		if m.state == Active {
			u.router.emit(Reannounce{m.Name})
		}
	}
}

// enter changes the state of the unit.
func (u *unit) enter(to State, reason string) {
	if u.state == to {
		return
	}
	from := u.state
	u.state, u.since, u.reason = to, u.router.now, reason
	u.yielded = false
	if u.Name != "" {
		u.router.emit(GroupBecame{u.Name, from, to, reason})
	}
}
