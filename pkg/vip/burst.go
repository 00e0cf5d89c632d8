package vip

import (
	"cmp"
	"container/heap"
	"maps"
	"slices"
	"time"
)

// burst is some rounds over places of an owner, in the future.
type burst struct {
	at     time.Time
	number uint64 // of those at the same time the first made comes first
	of     *announced
	kind   kind
	rounds int
	places []Place // nil: all
}

type kind uint8

const (
	once kind = iota
	lower
	refresh
	extra
)

// bursts is a heap.
type bursts []*burst

func (b bursts) Len() int { return len(b) }
func (b bursts) Less(i, j int) bool {
	return cmp.Or(b[i].at.Compare(b[j].at), cmp.Compare(b[i].number, b[j].number)) < 0
}
func (b bursts) Swap(i, j int) { b[i], b[j] = b[j], b[i] }
func (b *bursts) Push(x any)   { *b = append(*b, x.(*burst)) }
func (b *bursts) Pop() any {
	last := len(*b) - 1
	x := (*b)[last]
	(*b)[last] = nil
	*b = (*b)[:last]
	return x
}

func (m *Announcements) push(b *burst) *burst {
	m.counter++
	b.number = m.counter
	heap.Push(&m.bursts, b)
	return b
}

// fire puts the frames of a burst into their lanes, and sets the next one of its kind.
func (m *Announcements) fire(now time.Time, b *burst) {
	o := b.of
	switch b.kind {
	case lower:
		if o.lower == b {
			m.enqueue(o, o.places, b.rounds)
		}
	case refresh:
		if o.refresh == b {
			m.enqueue(o, o.places, o.how.RefreshRepeat)
			o.refresh = m.push(&burst{at: now.Add(o.how.Refresh), of: o, kind: refresh})
		}
	case extra:
		if o.extra == b {
			var places []Place
			for _, p := range o.places {
				if o.how.ExtraAll || p.Dev != o.how.Source {
					places = append(places, p)
				}
			}
			m.enqueue(o, places, 1)
			o.extra = m.push(&burst{at: now.Add(o.how.ExtraEvery), of: o, kind: extra})
		}
	case once:
		if b.places == nil {
			b.places = o.places
		}
		m.enqueue(o, b.places, b.rounds)
	}
}

// enqueue sees to it that so many frames for each place are on their way, round by round. Those that still wait count: otherwise bursts
// that come faster than the pacing allows would pile up.
func (m *Announcements) enqueue(o *announced, places []Place, rounds int) {
	for range rounds {
		for _, p := range places {
			n := Notice{o.name, p}
			if l := m.lane(p); o.has[p] && l.waiting[n] < rounds {
				m.put(l, n)
			}
		}
	}
}

// lane is a queue of frames with the least time between two of them.
type lane struct {
	key     laneKey
	every   time.Duration
	next    time.Time
	queue   []Notice
	waiting map[Notice]int // how often each is in it
}

// laneKey is what frames must have in common to wait for each other.
type laneKey struct {
	group, dev string
	ipv6       bool
}

// lane returns the one that frames about a place go by.
func (m *Announcements) lane(p Place) *lane {
	pacing, ok := m.pacing[p.Dev]
	if !ok {
		pacing = m.pacing[""]
		pacing.Group = "" // the others share numbers, not a queue
	}
	every := pacing.ARP
	if p.Addr.Is6() {
		every = pacing.NA
	}
	if every <= 0 {
		return &m.free
	}
	key := laneKey{group: pacing.Group, ipv6: p.Addr.Is6()}
	if key.group == "" {
		key.dev = p.Dev
	}
	l := m.lanes[key]
	if l == nil {
		l = &lane{key: key}
		m.lanes[key] = l
	}
	l.every = every
	return l
}

func (m *Announcements) put(l *lane, n Notice) {
	if l.waiting == nil {
		l.waiting = make(map[Notice]int)
	}
	if l != &m.free && len(l.queue) == 0 {
		m.paced = append(m.paced, l)
	}
	l.queue = append(l.queue, n)
	l.waiting[n]++
}

func (l *lane) take() Notice {
	n := l.queue[0]
	if l.queue = l.queue[1:]; len(l.queue) == 0 {
		l.queue = nil
	}
	if l.waiting[n]--; l.waiting[n] == 0 {
		delete(l.waiting, n)
	}
	return n
}

// drop takes frames out of all queues, and forgets what neighbours could say of them.
func (m *Announcements) drop(gone func(Notice) bool) {
	for _, l := range append(m.paced, &m.free) {
		l.queue = slices.DeleteFunc(l.queue, gone)
		maps.DeleteFunc(l.waiting, func(n Notice, _ int) bool { return gone(n) })
	}
	m.paced = slices.DeleteFunc(m.paced, func(l *lane) bool { return len(l.queue) == 0 })
	maps.DeleteFunc(m.spots, func(_ spot, n Notice) bool { return gone(n) })
	maps.DeleteFunc(m.conflicts, func(n Notice, _ *conflict) bool { return gone(n) })
}

// Pace sets the pacing by interface; "" is for each of the others. What waits goes on waiting, as the new pacing says.
func (m *Announcements) Pace(pacing map[string]Pacing) {
	m.pacing = maps.Clone(pacing)
	var waiting []Notice
	for _, l := range append([]*lane{&m.free}, m.paced...) {
		waiting = append(waiting, l.queue...)
		l.queue, l.waiting = nil, nil
	}
	m.paced = nil
	for _, n := range waiting {
		m.put(m.lane(n.Place), n)
	}
}

// Inherit gives interfaces that are made the pacing of their bases, as keepalived does: their frames leave by the same wire, so they
// take turns.
func Inherit(pacing map[string]Pacing, links []Link) map[string]Pacing {
	all := maps.Clone(pacing)
	for _, l := range links {
		p, ok := all[l.Base]
		if !ok {
			if p, ok = all[""]; !ok {
				continue
			}
		}
		if p.Group == "" {
			p.Group = "interface " + l.Base // no name of a garp_group has a blank
		}
		if _, own := all[l.Name]; !own {
			all[l.Base], all[l.Name] = p, p
		}
	}
	return all
}

// Step returns a frame that is due; false: there is none until Deadline.
func (m *Announcements) Step(now time.Time) (n Notice, due bool) {
	for len(m.bursts) > 0 && !m.bursts[0].at.After(now) {
		if b := heap.Pop(&m.bursts).(*burst); !b.of.forgotten {
			m.fire(now, b)
		}
	}
	m.judge(now)
	if len(m.free.queue) > 0 {
		return m.free.take(), true
	}
	for i, l := range m.paced {
		if l.next.After(now) {
			continue
		}
		n = l.take()
		l.next = now.Add(l.every)
		if len(l.queue) == 0 {
			m.paced = slices.Delete(m.paced, i, i+1)
		}
		return n, true
	}
	return n, false
}

// judge tells of conflicts that last, and defends the addresses of those that are over.
func (m *Announcements) judge(now time.Time) {
	for _, n := range slices.SortedFunc(maps.Keys(m.conflicts), Notice.compare) {
		c := m.conflicts[n]
		if !c.tell.IsZero() && !c.tell.After(now) {
			c.tell = time.Time{}
			m.news = append(m.news, Conflict{Notice: n, MAC: c.mac})
		}
		if c.over.IsZero() {
			if !c.defend.After(now) {
				delete(m.conflicts, n)
			}
			continue
		}
		if !c.over.After(now) {
			c.over, c.defend = time.Time{}, now.Add(defend)
			m.news = append(m.news, Conflict{Notice: n, MAC: c.mac, Over: true})
			o := m.owners[n.Owner]
			m.enqueue(o, []Place{n.Place}, o.how.Repeat)
		}
	}
}

func (n Notice) compare(o Notice) int {
	return cmp.Or(cmp.Compare(n.Owner, o.Owner), n.Addr.Compare(o.Addr), cmp.Compare(n.Index, o.Index))
}

// Deadline is when Step has something to do; zero: never.
func (m *Announcements) Deadline() (at time.Time) {
	earliest := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	if len(m.bursts) > 0 {
		earliest(m.bursts[0].at)
	}
	for _, l := range m.paced {
		earliest(l.next)
	}
	for _, c := range m.conflicts {
		earliest(c.tell)
		if earliest(c.over); c.over.IsZero() {
			earliest(c.defend)
		}
	}
	return at
}

// sorted returns the owners by name: what happens to several at once happens in an order.
func (m *Announcements) sorted() []*announced {
	return slices.SortedFunc(maps.Values(m.owners), func(a, b *announced) int { return cmp.Compare(a.name, b.name) })
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
