package vrrp

import (
	"net/netip"
	"time"
)

// machine is one virtual router (RFC 9568, section 6.4). Members of a sync group move together, so it only finds out what it would
// do alone; its unit decides. An instance without a group is a unit of one.
//
//	                            Startup, and it waits for what it tracks
//	                                     .----.
//	                                     |    v
//	 Startup: address owner          Initialize <-------------- Shutdown ---.
//	.-----------------------------------' |  |                              |
//	|                          Startup    |  | something tracked fails      | (from all states)
//	|                        .------------'  v                              |
//	|                        |             Fault <--- something fails --. --'
//	|                        |    all well   |        (from all states) |
//	|                        v   .-----------'                          |
//	|                      Backup                                       |
//	|                       ^  |  Active_Down_Timer, in all members     |
//	|  better router heard, |  |                                        |
//	|  handed over, slept   |  v                                        |
//	'-------------------> Active ---------------------------------------'
//
// Its one timer is, in
//
//	Initialize  when what it needs has to be there, if something is missing that is being made.
//	Backup  Active_Down_Timer: full after an advert that was accepted, the skew after one of priority 0. It does not run once it has
//	        fired and other members of the group still hear an active router: the machine is willing.
//	Active  Adver_Timer; while it is entering, when it says that it is active whether its addresses are there or not; while it is
//	        handing over, when it gives up to wait for another router.
type machine struct {
	Instance
	router *Router
	unit   *unit
	order  int    // of the instances in the file
	place  int    // in the heap of timers
	mark   uint64 // of its configuration

	state    State
	since    time.Time
	reason   string
	started  bool
	met      bool      // it, or a member of its group, has heard an active router
	deadline time.Time // of the timer; zero: it does not run
	deaf     time.Time // when the startup delay ends
	grace    time.Time // when what it needs has to be there

	source     netip.Addr // if the configuration names none
	sourceless string     // why there is none to be found, or used; empty: there is

	effective uint8
	contribs  []Contribution

	// As backup.
	willing    string        // why it would be active now; empty: it wouldn't
	doubted    bool          // the end of the Active_Down_Timer, because this host was late
	learned    time.Duration // advert interval of the active router; 0: it is ours
	heard      netip.Addr
	heardPrio  uint8
	heardAt    time.Time
	preemption time.Time // when preempt_delay ends; zero: it does not run
	disowned   bool      // an address owner that found a stronger one

	// As active.
	wentOn   time.Time // see Recover; zero: it has become active in this process
	entering bool      // it takes the role from a router that is alive, which serves until it hears that its addresses are here
	handing  bool      // switchover: it is to be relieved
	relieved bool      // and has been: it waits for the members of its group to be
	former   former
	clash    clash

	ignored     uint64 // adverts, because of the state
	counters    Counters
	peers       []PeerStatus
	transitions []Transition
	advert      Send // the last one,
	boxed       Action
}

// former is the router from which this one took the role although it was alive. It knows of this one: an advert that it still sends then is
// its last word, or has crossed ours.
type former struct {
	addr  netip.Addr // zero: the other one was not heard any more, or gave up
	until time.Time  // who goes on is no former one
}

// clash is that another router is active, too.
type clash struct {
	last      time.Time     // advert of the other; zero: there is none
	interval  time.Duration // of the other's adverts
	announced time.Time     // our addresses, because of it
	owners    time.Time     // when an owner gives way to another one that goes on; zero: the other is none
}

// startup is the Startup event.
func (m *machine) startup(boot time.Time) {
	if m.started {
		return
	}
	m.started = true
	m.deaf = m.router.now.Add(m.StartupDelay)
	if end := boot.Add(m.AfterBoot); m.AfterBoot > 0 && end.After(m.deaf) {
		m.deaf = end
	}
	m.grace = m.router.now.Add(m.Grace)
	m.unit.settle()
}

// receive takes an advert of another router.
func (m *machine) receive(from netip.Addr, a Advert) {
	m.meet(from, a)
	if m.started && !m.met && a.Priority != 0 {
		m.unit.hear()
	}
	if m.state == Initialize || m.state == Fault || m.router.now.Before(m.deaf) && m.state == Backup {
		m.ignored++
		return
	}
	m.count(from, a)
	if m.state == Active && m.overdue(0) {
		m.unit.stepDown(m)
	}
	if m.state == Backup {
		m.stepBackup(from, a)
	} else {
		m.stepActive(from, a)
	}
}

// stepBackup is RFC 9568, section 6.4.2, an advert received.
func (m *machine) stepBackup(from netip.Addr, a Advert) {
	m.heard, m.heardPrio, m.heardAt = from, a.Priority, m.router.now
	switch {
	case a.Priority == 0:
		m.unit.yielded = false
		if end := m.router.now.Add(m.skew()); m.willing == "" && end.Before(m.deadline) {
			m.arm(end) // many such adverts don't delay it
		}
		return
	case a.Priority >= m.effective:
		m.preemption = time.Time{}
	case m.preempts():
		return // and go on to wait for the end of the timer
	}
	if m.Version == 3 {
		m.learned = a.Interval
	}
	m.listen(m.activeDown())
}

// preempts tells whether it would take the role from a router of lower priority now. The first time it is asked that, the
// preempt_delay begins.
func (m *machine) preempts() bool {
	if m.unit.yielded || !m.Preempt && m.Priority != ownersPriority {
		return false
	}
	if m.preemption.IsZero() {
		m.preemption = m.router.now.Add(m.PreemptDelay)
	}
	return !m.preemption.After(m.router.now)
}

// stepActive is RFC 9568, section 6.4.3, an advert received.
func (m *machine) stepActive(from netip.Addr, a Advert) {
	switch {
	case m.entering && a.Priority == 0:
		m.announce() // a third router may be about to take what is given up
	case m.entering && a.Priority < m.effective: // the one that it relieves
	case m.handing:
		if a.Priority != 0 && (!m.relieved || a.Priority >= m.heardPrio) { // not one that yields to who has relieved it
			m.follow(from, a)
			m.relieved = true
			m.unit.handedOver()
		}
	case a.Priority == 0:
		m.advertise()
		m.arm(m.router.now.Add(m.AdvertInterval))
	case a.Priority > m.effective, a.Priority == m.effective && unzoned(from).Compare(unzoned(m.own())) > 0:
		m.giveWay(from, a)
	case from == m.former.addr && m.router.now.Before(m.former.until):
	default:
		m.assert(from, a)
	}
}

// giveWay ends the active role because of a better router. That one may have been active all the time, cut off from this one, which took over: then
// the neighbours believe this one, and the better one has to hear of it to announce its addresses again.
func (m *machine) giveWay(from netip.Addr, a Advert) {
	if m.HigherPrioSendAdvert {
		m.advertise()
	}
	m.follow(from, a)
	m.unit.yield(m, m.whyYield())
}

// follow takes a router for the active one.
func (m *machine) follow(from netip.Addr, a Advert) {
	m.heard, m.heardPrio, m.heardAt = from, a.Priority, m.router.now
	if m.Version == 3 {
		m.learned = a.Interval
	}
}

// assert answers a router that is active, too, and should not be.
func (m *machine) assert(from netip.Addr, a Advert) {
	now := m.router.now
	m.counters.LowerWhileActive++
	m.clash.last, m.clash.interval = now, a.Interval
	if a.Priority == ownersPriority && m.disown(from, a) {
		return
	}
	if !m.LowerPrioNoAdvert && !m.Strict {
		m.advertise()
		m.arm(now.Add(m.AdvertInterval))
	}
	if m.clash.announced.IsZero() || now.Sub(m.clash.announced) >= clashPace {
		m.clash.announced = now
		m.router.emit(Noticed{m.Name, RxLowerPriority, m.effective})
		m.unit.reannounce()
	}
}

// clashPace is how often neighbours are told again as long as another router is active, too.
const clashPace = time.Second

// disown deals with a second address owner, although ours is the higher address. Who does not give way to two adverts never will:
// addresses on two hosts are worse than being the one who gives way. True: it did.
func (m *machine) disown(from netip.Addr, a Advert) bool {
	now := m.router.now
	if m.clash.owners.IsZero() {
		m.clash.owners = now.Add(max(m.AdvertInterval, a.Interval) * 6 / 5)
		m.advertise()
		return false
	}
	if now.Before(m.clash.owners) {
		return false
	}
	m.disowned = true
	m.weigh()
	m.giveWay(from, a)
	return true
}

// expire is the end of the timer.
func (m *machine) expire() {
	due := m.deadline
	switch {
	case m.state == Initialize:
		m.disarm()
		m.unit.settle()
	case m.state == Backup && m.doubts():
		m.doubted = true
		m.arm(m.router.now.Add(m.doubt()))
	case m.state == Backup:
		m.disarm()
		m.willing = m.whyWilling()
		m.unit.elect(m.willing)
	case m.overdue(0):
		m.unit.stepDown(m)
	case m.entering:
		m.announce()
	case m.handing:
		m.unit.takeBack()
	default:
		m.send(m.effective, due)
		next := due.Add(m.AdvertInterval)
		if !next.After(m.router.now) {
			next = m.router.now.Add(m.AdvertInterval)
		}
		m.arm(next)
		m.endClash()
	}
}

// endClash notices that no other router says any more that it is active.
func (m *machine) endClash() {
	quiet := time.Duration(m.DownTimerAdverts) * max(m.AdvertInterval, m.clash.interval)
	if !m.clash.last.IsZero() && m.router.now.Sub(m.clash.last) > quiet {
		m.clash = clash{}
		m.unit.reannounce()
	}
}

// overdue tells whether an active router did nothing for so long that another one may have taken over. Besides what the clock
// says, it slept for a time. Nobody takes over from an address owner.
func (m *machine) overdue(slept time.Duration) bool {
	return m.effective != ownersPriority && m.router.now.Add(slept).Sub(m.deadline) > m.patience()
}

// doubts tells whether the Active_Down_Timer ended so late that this host was too busy to hear anybody: the other router may have been
// as late for the same reason, or its adverts are about to be read.
func (m *machine) doubts() bool {
	return !m.doubted && m.router.now.Sub(m.deadline) > m.doubt()/3
}

// weigh computes the priority anew. Because of it, the running Active_Down_Timer gets another skew.
func (m *machine) weigh() {
	before, down := m.effective, m.activeDown()
	m.contribs = m.contribs[:0]
	owner := m.Priority == ownersPriority
	for _, t := range m.Tracks {
		m.contribs = append(m.contribs, contribution(t, m.router.objects[t.Object].Reading, !owner && m.unit.weighs()))
	}
	for _, t := range m.unit.Tracks {
		m.contribs = append(m.contribs, contribution(t, m.router.objects[t.Object].Reading, !owner))
	}
	m.effective = EffectivePriority(m.Priority, m.contribs)
	if m.disowned {
		m.effective--
	}
	if m.effective == before || m.state != Backup && m.state != Active {
		return
	}
	m.shift(m.activeDown() - down)
	m.router.emit(Noticed{m.Name, PriorityChanged, m.effective})
}

// shift moves the Active_Down_Timer, if it runs.
func (m *machine) shift(by time.Duration) {
	if m.state == Backup && !m.deadline.IsZero() {
		m.arm(m.deadline.Add(by))
	}
}

// sourced takes the address that adverts come from.
func (m *machine) sourced(addr netip.Addr, why string) {
	m.source, m.sourceless = addr, ""
	if !addr.IsValid() {
		m.sourceless = either(why, "interface "+m.Interface+" has no address to send adverts from")
	}
	m.unit.settle()
}

// own is the address that adverts come from.
func (m *machine) own() netip.Addr {
	if m.Source.IsValid() {
		return m.Source
	}
	return m.source
}

// atFault tells whether something is missing that it can't do without.
func (m *machine) atFault() bool {
	if m.sourceless != "" || m.FaultWithoutPeers && len(m.Peers) == 0 {
		return true
	}
	for _, c := range m.contribs {
		if c.Fault {
			return true
		}
	}
	return false
}

// ready tells whether it can take part.
func (m *machine) ready() bool {
	for _, c := range m.contribs {
		if c.waits() {
			return false
		}
	}
	return m.started && !m.atFault()
}

// owns tells whether it is active without asking.
func (m *machine) owns() bool { return m.Priority == ownersPriority && m.Initial == Active }

// patienceAtStart is how long it listens before it is active.
func (m *machine) patienceAtStart() time.Duration {
	switch {
	case m.owns():
		return 0
	case m.state == Initialize && m.Initial == Active:
		return m.AdvertInterval + SkewTime(m.Version, ownersPriority, m.AdvertInterval)
	}
	return m.activeDown()
}

// listen begins the Active_Down_Timer anew.
func (m *machine) listen(wait time.Duration) {
	start := m.router.now
	if m.deaf.After(start) {
		start = m.deaf
	}
	m.willing, m.doubted = "", false
	m.arm(start.Add(wait))
}

func (m *machine) becomeInitialize(reason string) {
	m.disarm()
	m.forget()
	m.enter(Initialize, reason)
}

func (m *machine) becomeFault(reason string) {
	m.disarm()
	m.forget()
	m.enter(Fault, reason)
}

func (m *machine) becomeBackup(wait time.Duration, reason string) {
	m.enter(Backup, reason)
	m.listen(wait)
}

func (m *machine) becomeActive(reason string) {
	planned, givenUp, relieved, entry := m.relieves(), m.heardPrio == 0, m.heard, m.entry()
	m.forget()
	m.counters.BecameActive++
	m.wentOn = time.Time{}
	if planned && !givenUp {
		m.entering, m.former.addr = true, relieved
		m.arm(m.router.now.Add(entry))
	} else {
		m.announce()
	}
	m.enterAs(Became{m.Name, m.state, Active, m.effective, reason, planned})
}

// announce says that it is active.
func (m *machine) announce() {
	m.entering, m.former.until = false, m.router.now.Add(m.AdvertInterval)
	m.advertise()
	m.arm(m.former.until)
}

// placed is that its addresses are on the host.
func (m *machine) placed() {
	if m.entering {
		m.announce()
	}
}

// entry is how long a router that takes the role from one of lower priority may need to place its addresses before it says that it is
// active (RFC 9568 has it say so at once): until it does, the other one serves. Where the role was given up nothing waits: a third
// router, which waits a 256th of the interval longer for each step of its priority, would take it too.
func (m *machine) entry() time.Duration { return min(m.activeDown(), 3*time.Second) }

// relieves tells whether the router that it would take the role from is alive: it gave up the role, or has a lower priority.
func (m *machine) relieves() bool {
	return m.heard.IsValid() && (m.heardPrio == 0 || m.heardPrio < m.effective) && m.router.now.Sub(m.heardAt) < m.activeDown()
}

// forget loses what it knows of the active router.
func (m *machine) forget() {
	m.willing, m.learned = "", 0
	m.heard, m.heardPrio, m.heardAt = netip.Addr{}, 0, time.Time{}
	m.preemption = time.Time{}
	if m.disowned {
		m.disowned = false
		m.weigh()
	}
}

// enter changes the state.
func (m *machine) enter(to State, reason string) {
	m.enterAs(Became{m.Name, m.state, to, m.effective, reason, false})
}

func (m *machine) enterAs(b Became) {
	from, to, reason := b.From, b.To, b.Reason
	if from == Active {
		m.counters.LeftIt++
		m.clash, m.former = clash{}, former{}
		if m.handing {
			m.router.emit(Noticed{m.Name, NotHandedOver, m.effective})
		}
		m.entering, m.handing, m.relieved = false, false, false
	}
	m.state, m.since, m.reason = to, m.router.now, reason
	m.remember(Transition{m.since, from, to, reason})
	m.router.emit(b)
}

// advertise sends an advert.
func (m *machine) advertise() { m.send(m.effective, m.router.now) }

// resign tells the other routers that one of them is to take over now.
func (m *machine) resign() {
	m.counters.PriorityZeroSent++
	m.send(0, m.router.now)
}

// send sends an advert, that it has boxed before: who is in a hurry had better make no work for the garbage collector.
func (m *machine) send(priority uint8, due time.Time) {
	m.counters.Sent++
	if s := (Send{m.Name, priority, m.AdvertInterval}); s != m.advert || m.boxed == nil {
		m.advert, m.boxed = s, s
	}
	m.router.emitDue(m.boxed, due)
}
