package vrrp

import (
	"maps"
	"net/netip"
	"slices"
	"time"
)

// Standing is what another process needs of a Router to go on with it: the roles, and what the next steps depend on. Times are the wall
// clock's of one moment: whoever reads it soon reads the same clock.
type Standing struct {
	Instances []InstanceStanding
	Groups    []GroupStanding
	Objects   []Observed // that somebody tracks
}

// InstanceStanding is that of an instance.
type InstanceStanding struct {
	VRID  uint8
	IPv6  bool
	Where string // see Identity
	Codec CodecStanding

	State    State
	Since    time.Time
	Reason   string
	Deadline time.Time
	Deaf     time.Time
	Source   netip.Addr

	Willing    string
	Learned    time.Duration
	Heard      netip.Addr
	HeardPrio  uint8
	HeardAt    time.Time
	Preemption time.Time
	Disowned   bool
	Handing    bool
	Yielded    bool
	Met        bool

	Ignored     uint64
	Counters    Counters
	Peers       []PeerStatus
	Transitions []Transition
}

// GroupStanding is that of a sync group.
type GroupStanding struct {
	Name   string
	State  State
	Since  time.Time
	Reason string
}

// CodecStanding is what the next packet of an instance depends on. It tells no secret.
type CodecStanding struct {
	ID       uint16 // of IP
	Sequence uint32 // of the authentication header
	Stamp    uint64 // of the trailer
}

// Standing returns that of a codec.
func (c *Codec) Standing() CodecStanding {
	return CodecStanding{ID: c.id, Sequence: c.ah.sequence, Stamp: uint64(c.hmac.sent)}
}

// Resume has the packets of a codec come after those of another one.
func (c *Codec) Resume(s CodecStanding) {
	c.id, c.ah.sequence, c.hmac.sent = s.ID, s.Sequence, stamp(s.Stamp)
}

// Standing returns that of a router, but for its codecs.
func (r *Router) Standing(now time.Time) Standing {
	at := func(t time.Time) time.Time {
		if t.IsZero() {
			return t
		}
		return now.Round(0).Add(t.Sub(now)) // the clock may have been set since
	}
	var s Standing
	for _, m := range r.ordered {
		id := m.Identity()
		i := InstanceStanding{
			VRID: id.vrid, IPv6: id.ipv6, Where: id.where,
			State: m.state, Since: at(m.since), Reason: m.reason, Deadline: at(m.deadline), Deaf: at(m.deaf), Source: m.source,
			Willing: m.willing, Learned: m.learned, Heard: m.heard, HeardPrio: m.heardPrio, HeardAt: at(m.heardAt),
			Preemption: at(m.preemption), Disowned: m.disowned, Handing: m.handing, Yielded: m.unit.yielded, Met: m.met,
			Ignored: m.ignored, Counters: m.counters, Peers: slices.Clone(m.peers), Transitions: slices.Clone(m.transitions),
		}
		i.Counters.Rejected = maps.Clone(m.counters.Rejected)
		for n := range i.Peers {
			i.Peers[n].Last = at(i.Peers[n].Last)
		}
		for n := range i.Transitions {
			i.Transitions[n].At = at(i.Transitions[n].At)
		}
		s.Instances = append(s.Instances, i)
	}
	for _, u := range r.units {
		if u.Name != "" {
			s.Groups = append(s.Groups, GroupStanding{u.Name, u.state, at(u.since), u.reason})
		}
	}
	for o, known := range r.objects {
		s.Objects = append(s.Objects, Observed{o, known.Reading})
	}
	return s
}

// Identity returns that of the instance.
func (s *InstanceStanding) Identity() Identity { return Identity{s.VRID, s.IPv6, s.Where} }

// resumable tells whether an instance in that state goes on without a start.
func (s *InstanceStanding) resumable() bool {
	return s.State == Backup || s.State == Active || s.State == Fault
}

// Resume has instances that have not been started go on as others did until now, in another process, and returns which of them do: the
// others need their Startup. An active one says so at once. All else is as if the configuration were new: where it is another
// one than it was there, the same holds as after Change. It must come after Change with the configuration.
func (r *Router) Resume(now time.Time, s Standing) (actions []Action, resumed []string) {
	at := func(t time.Time) time.Time {
		if t.IsZero() {
			return t
		}
		return now.Add(t.Sub(now.Round(0)))
	}
	r.begin(now)
	for _, o := range s.Objects {
		if known := r.objects[o.Object]; known != nil && !known.Known {
			known.Reading = o.Reading
		}
	}
	before := make(map[Identity]*InstanceStanding, len(s.Instances))
	for i := range s.Instances {
		before[s.Instances[i].Identity()] = &s.Instances[i]
	}
	for _, m := range r.ordered {
		i := before[m.Identity()]
		if i == nil || m.started || !i.resumable() {
			continue
		}
		resumed = append(resumed, m.Name)
		m.started = true
		m.state, m.since, m.reason = i.State, at(i.Since), i.Reason
		m.source, m.sourceless = i.Source, ""
		m.ignored, m.counters, m.peers, m.transitions = i.Ignored, i.Counters, i.Peers[:min(len(i.Peers), MaxPeers)], i.Transitions[:min(len(i.Transitions), MaxTransitions)]
		m.deaf, m.learned = at(i.Deaf), max(i.Learned, 0)
		m.heard, m.heardPrio, m.heardAt = i.Heard, i.HeardPrio, at(i.HeardAt)
		m.preemption, m.disowned, m.unit.yielded = at(i.Preemption), i.Disowned, i.Yielded
		m.handing, m.met = i.Handing && m.state == Active, i.Met
		m.effective = EffectivePriority(m.Priority, nil)
		m.weigh()
		switch deadline := at(i.Deadline); {
		case m.state == Backup && i.Willing != "":
			m.willing = i.Willing
		case m.state == Fault:
		case deadline.IsZero() || deadline.After(now.Add(m.handover()+m.activeDown()+max(m.deaf.Sub(now), 0))):
			m.arm(now.Add(m.activeDown())) // it can't be true
		default:
			m.arm(deadline)
		}
	}
	for _, g := range s.Groups {
		for _, u := range r.units {
			if u.Name == g.Name && u.Name != "" && g.State <= Fault {
				u.state, u.since, u.reason = g.State, at(g.Since), g.Reason
			}
		}
	}
	instances, groups := make([]Instance, 0, len(r.ordered)), make([]Group, 0, len(r.units))
	for _, m := range r.ordered {
		instances = append(instances, m.Instance)
	}
	for _, u := range r.units {
		if u.Name == "" {
			u.state = u.members[0].state
			continue
		}
		groups = append(groups, u.Group)
	}
	return r.Change(now, instances, groups), resumed
}
