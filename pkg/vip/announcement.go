package vip

import (
	"net/netip"
	"slices"
	"time"
)

// Place is where an address is.
type Place struct {
	Addr  netip.Addr
	Dev   string
	Index int // of the interface
}

// Announcement is what is to be said for one owner, in place of what was said before.
type Announcement struct {
	How    *Announce // nil: nothing, and what is queued is dropped
	Repeat uint64    // Wish.Repeat
	Places []Place   // all that are on the host now, in the order of the wish
	Fresh  []Place   // those of them that have just come, or come back: they are told at once
}

// Notice is a frame to be sent: the address is here.
type Notice struct {
	Owner string
	Place
}

// Conflict is news of another host that says that an address of ours is its own.
type Conflict struct {
	Notice
	MAC  [6]byte // of the other
	Over bool    // it has been quiet for a while; the neighbours are told again
}

const (
	// resend is when a frame that could not be sent is tried again.
	resend = time.Second
	// handover is how long another router may say what we are about to stop saying.
	handover = 500 * time.Millisecond
	// quiet is how long after the last claim a conflict is over.
	quiet = 2 * time.Second
	// defend is the least time between two defences of an address: DEFEND_INTERVAL of RFC 5227, lest two that do the same never end.
	defend = 10 * time.Second
)

// Announcements is when which frame is to be sent: bursts when addresses come and once more a while later, refreshes, the least time
// between two frames. Whoever runs it tells what happens, asks Step until there is nothing more, and again at Deadline.
type Announcements struct {
	owners    map[string]*announced
	bursts    bursts
	free      lane // of frames without pacing
	lanes     map[laneKey]*lane
	paced     []*lane // those of lanes with something in them, in the order that this came to be
	pacing    map[string]Pacing
	spots     map[spot]Notice // who announces what
	conflicts map[Notice]*conflict
	news      []Conflict
	counter   uint64
}

// announced is an owner that has something to say.
type announced struct {
	name      string
	how       Announce
	repeat    uint64
	places    []Place
	has       map[Place]bool
	refresh   *burst // the next one; nil: none
	extra     *burst
	lower     *burst // second burst because of Repeat
	forgotten bool
}

// spot is what a neighbour can claim.
type spot struct {
	addr  netip.Addr
	index int
}

func (p Place) spot() spot { return spot{p.Addr.WithZone(""), p.Index} }

type conflict struct {
	mac    [6]byte
	tell   time.Time // when it is no handover any more; zero: told
	over   time.Time // zero: it is
	defend time.Time // not before
}

// NewAnnouncements returns one that has nothing to say.
func NewAnnouncements() *Announcements {
	return &Announcements{
		owners: make(map[string]*announced), lanes: make(map[laneKey]*lane),
		spots: make(map[spot]Notice), conflicts: make(map[Notice]*conflict),
	}
}

// Announce says how it is with an owner from now on.
func (m *Announcements) Announce(now time.Time, owner string, a Announcement) {
	o := m.owners[owner]
	if a.How == nil || len(a.Places) == 0 {
		if o != nil {
			o.forgotten = true
			delete(m.owners, owner)
			m.drop(func(n Notice) bool { return n.Owner == owner })
		}
		return
	}
	if o == nil {
		o = &announced{name: owner, repeat: a.Repeat}
		m.owners[owner] = o
	}
	before := o.has
	o.places, o.has = a.Places, make(map[Place]bool, len(a.Places))
	for _, p := range a.Places {
		o.has[p] = true
	}
	for _, p := range a.Places {
		m.spots[p.spot()] = Notice{owner, p}
	}
	for p := range before {
		if !o.has[p] {
			m.drop(func(n Notice) bool { return n.Owner == owner && !o.has[n.Place] })
			break
		}
	}
	m.reschedule(now, o, *a.How)
	m.twice(now, o, a.Fresh)
	if o.repeat != a.Repeat {
		o.repeat, o.lower = a.Repeat, nil
		if o.how.LowerRepeat > 0 {
			m.push(&burst{at: now, of: o, rounds: o.how.LowerRepeat})
			if o.how.LowerDelay > 0 {
				o.lower = m.push(&burst{at: now.Add(o.how.LowerDelay), of: o, rounds: o.how.LowerRepeat, kind: lower})
			}
		}
	}
}

// reschedule sets what comes again and again.
func (m *Announcements) reschedule(now time.Time, o *announced, how Announce) {
	was := o.how
	o.how = how
	if how.Refresh != was.Refresh {
		o.refresh = nil
		if how.Refresh > 0 {
			o.refresh = m.push(&burst{at: now.Add(how.Refresh), of: o, kind: refresh})
		}
	}
	if how.ExtraEvery != was.ExtraEvery {
		o.extra = nil
		if how.ExtraEvery > 0 {
			o.extra = m.push(&burst{at: now.Add(how.ExtraEvery), of: o, kind: extra})
		}
	}
}

// twice tells of places now and a while later: some switches and hosts miss what comes while they are busy with the change.
func (m *Announcements) twice(now time.Time, o *announced, places []Place) {
	if len(places) == 0 {
		return
	}
	m.push(&burst{at: now, of: o, rounds: o.how.Repeat, places: places})
	if o.how.Delay > 0 {
		m.push(&burst{at: now.Add(o.how.Delay), of: o, rounds: o.how.Repeat, places: places})
	}
}

// Up says that an interface has a carrier again, or another MAC: frames until then went nowhere.
func (m *Announcements) Up(now time.Time, index int) {
	for _, o := range m.sorted() {
		var here []Place
		for _, p := range o.places {
			if p.Index == index {
				here = append(here, p)
			}
		}
		m.twice(now, o, here)
	}
}

// Failed says that a frame of Step could not be sent.
func (m *Announcements) Failed(now time.Time, n Notice) {
	if o := m.owners[n.Owner]; o != nil {
		m.push(&burst{at: now.Add(resend), of: o, rounds: 1, places: []Place{n.Place}})
	}
}

// Claimed says that a frame with a claim came in by an interface. The claims of this host itself must be left out.
func (m *Announcements) Claimed(now time.Time, index int, c Claim) {
	n, ok := m.spots[spot{c.Addr, index}]
	if !ok {
		return
	}
	k := m.conflicts[n]
	if k == nil {
		k = &conflict{}
		m.conflicts[n] = k
	}
	if k.over.IsZero() {
		k.tell = now.Add(handover)
	}
	k.mac, k.over = c.MAC, later(now.Add(quiet), k.defend)
}

// Conflicts returns the news since it was last called.
func (m *Announcements) Conflicts() []Conflict {
	news := m.news
	m.news = nil
	return news
}

// Addresses returns those that are announced, in order.
func (m *Announcements) Addresses() []netip.Addr {
	all := make([]netip.Addr, 0, len(m.spots))
	for s := range m.spots {
		all = append(all, s.addr)
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return slices.Compact(all)
}
