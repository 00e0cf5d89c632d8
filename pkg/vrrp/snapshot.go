package vrrp

import (
	"maps"
	"net/netip"
	"slices"
)

// Status returns what is known of all instances and sync groups, in the order of the file. Nothing of it is shared with the router.
// Of the counters, those of what the router does not see are zero: errors, lateness, rejects but for RejectState, what was put back.
func (r *Router) Status() ([]Status, []GroupStatus) {
	return r.StatusPart(0, len(r.ordered)), r.GroupStatus()
}

// StatusPart is Status for some instances only, from one of the file on. It is for who has no time to do it all at once.
func (r *Router) StatusPart(from, most int) []Status {
	part := r.ordered[min(from, len(r.ordered)):]
	part = part[:min(most, len(part))]
	all := make([]Status, 0, len(part))
	for _, m := range part {
		all = append(all, m.status())
	}
	return all
}

// GroupStatus is Status for the sync groups only.
func (r *Router) GroupStatus() []GroupStatus {
	var groups []GroupStatus
	for _, u := range r.units {
		if u.Name != "" {
			groups = append(groups, GroupStatus{u.Name, u.state, u.since, u.reason, slices.Clone(u.Members)})
		}
	}
	return groups
}

func (m *machine) status() Status {
	s := Status{
		Name: m.Name, State: m.state, Since: m.since, Reason: m.reason, Faults: m.faults(),
		Base: m.Priority, Effective: m.effective, Contribs: slices.Clone(m.contribs),
		Source: m.own(), Interval: m.AdvertInterval, Learned: m.learned, Skew: m.skew(), ActiveDown: m.activeDown(),
		Deadline: m.deadline, Waits: m.waitsFor(), Heard: m.heard, HeardPrio: m.heardPrio,
		Peers: slices.Clone(m.peers), Counters: m.counters, Transitions: slices.Clone(m.transitions),
		HandingOver: m.handing, Yielded: m.unit.yielded, Group: m.unit.Name,
	}
	switch s.Waits {
	case "startup delay":
		s.Deadline = m.deaf
	case "preempt delay":
		s.Deadline = m.preemption
	}
	s.Counters.Rejected = maps.Clone(m.counters.Rejected)
	if m.ignored > 0 {
		s.Counters.Rejected = map[Reject]uint64{RejectState: m.ignored}
	}
	return s
}

// waitsFor is the word of Status.Waits.
func (m *machine) waitsFor() string {
	switch {
	case m.willing != "":
		return "group"
	case m.deadline.IsZero():
		return ""
	case m.state == Initialize:
		return "what it needs"
	case m.handing:
		return "handover"
	case m.state == Active:
		return "advert"
	case m.deaf.After(m.router.now):
		return "startup delay"
	case m.preemption.After(m.router.now):
		return "preempt delay"
	}
	return "active down"
}

// meet remembers another router, the one heard last in front.
func (m *machine) meet(from netip.Addr, a Advert) {
	i := slices.IndexFunc(m.peers, func(p PeerStatus) bool { return p.Addr == from })
	switch {
	case i >= 0:
	case len(m.peers) < MaxPeers:
		i = len(m.peers)
		m.peers = append(m.peers, PeerStatus{})
	default:
		i = MaxPeers - 1
		m.peers[i] = PeerStatus{}
	}
	p := PeerStatus{
		Addr: from, Priority: a.Priority, Interval: a.Interval, Last: m.router.now, Adverts: m.peers[i].Adverts + 1,
		Mismatched: m.mismatched(from, a),
	}
	if a.Priority == 0 {
		p.Priority = m.peers[i].Priority
	}
	if m.SkipCheckAddresses && from == m.heard {
		p.Mismatched = m.peers[i].Mismatched // it is not looked at again
	}
	copy(m.peers[1:], m.peers[:i])
	m.peers[0] = p
}

// count counts an advert that is believed.
func (m *machine) count(from netip.Addr, a Advert) {
	m.counters.Received++
	if a.Priority == 0 {
		m.counters.PriorityZeroReceived++
	}
	if a.Unauthenticated {
		m.counters.Unauthenticated++
	}
	if a.Interval != m.AdvertInterval {
		m.counters.IntervalMismatched++
	}
	if m.mismatched(from, a) {
		m.counters.Mismatched++
	}
}

// mismatched says that an advert lists other addresses than ours.
func (m *machine) mismatched(from netip.Addr, a Advert) bool {
	return !(m.SkipCheckAddresses && from == m.heard) && !sameAddrs(a.Addrs, m.Addresses)
}

// sameAddrs compares two lists, whose order does not matter.
func sameAddrs(a, b []netip.Addr) bool {
	if slices.Equal(a, b) {
		return true
	}
	if len(a) != len(b) {
		return false
	}
	a, b = slices.Clone(a), slices.Clone(b)
	slices.SortFunc(a, netip.Addr.Compare)
	slices.SortFunc(b, netip.Addr.Compare)
	return slices.Equal(a, b)
}

// remember keeps a transition, the latest in front.
func (m *machine) remember(t Transition) {
	if len(m.transitions) == MaxTransitions {
		m.transitions = m.transitions[:MaxTransitions-1]
	}
	m.transitions = slices.Insert(m.transitions, 0, t)
}
