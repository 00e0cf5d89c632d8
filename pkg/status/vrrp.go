package status

import (
	"net/netip"
	"time"

	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// VRRP is everything about the virtual routers of this host at one moment.
type VRRP struct {
	At        time.Time       `json:"at"`
	Instances []VirtualRouter `json:"instances"`        // in the order of the file
	Groups    []SyncGroup     `json:"groups,omitempty"` // in the order of the file
	Objects   []Tracked       `json:"tracked,omitempty"`
	Sessions  []BFDSession    `json:"bfd,omitempty"`    // by name
	Static    *Held           `json:"static,omitempty"` // static_ipaddress, static_routes, static_rules; absent: there are none
	Thread    Thread          `json:"thread"`
	Error     string          `json:"error,omitempty"`  // why nothing of it runs, although it should
	Events    []Event         `json:"events,omitempty"` // the latest first, at most MaxEvents
}

// MaxEvents bounds VRRP.Events.
const MaxEvents = 100

// VirtualRouter is a vrrp_instance.
type VirtualRouter struct {
	Name      string `json:"name"`
	VRID      uint8  `json:"vrid"`
	Version   uint8  `json:"version"`
	IPv6      bool   `json:"ipv6,omitempty"`
	Interface string `json:"interface"`
	Parent    string `json:"parent,omitempty"` // interface that Interface was made on: use_vmac, use_ipvlan
	Group     string `json:"group,omitempty"`

	State       string    `json:"state"` // INIT, BACKUP, MASTER, FAULT
	Since       time.Time `json:"since,omitzero"`
	Reason      string    `json:"reason,omitempty"`
	Faults      []string  `json:"faults,omitempty"`
	HandingOver bool      `json:"handing_over,omitempty"` // a switchover is under way
	Yielded     bool      `json:"yielded,omitempty"`      // it was switched over, and does not preempt until the other router is gone

	Priority     uint8         `json:"priority"`
	Effective    uint8         `json:"effective_priority"`
	Contribs     []Contributes `json:"contributions,omitempty"`
	Preempt      bool          `json:"preempt"`
	PreemptDelay time.Duration `json:"preempt_delay,omitempty"`
	DownAdverts  int           `json:"down_timer_adverts"`

	Source         netip.Addr    `json:"source,omitzero"`
	Interval       time.Duration `json:"advert_interval"`
	Learned        time.Duration `json:"learned_interval,omitempty"` // the active router's
	Skew           time.Duration `json:"skew"`
	ActiveDown     time.Duration `json:"active_down"` // the whole timer
	Waits          string        `json:"waits_for,omitempty"`
	Deadline       time.Time     `json:"deadline,omitzero"`
	ActiveRouter   netip.Addr    `json:"active_router,omitzero"` // another one; absent: this one, or none is known
	ActivePriority uint8         `json:"active_priority,omitempty"`

	Peers       []PeerRouter       `json:"peers,omitempty"` // all that were heard, the latest first
	Counters    RouterCounters     `json:"counters"`
	Transitions []RouterTransition `json:"transitions,omitempty"` // the latest first

	Addresses []netip.Prefix `json:"addresses,omitempty"` // that it serves while it is active, the excluded ones too
	Held      Held           `json:"held"`
}

// SyncGroup is a vrrp_sync_group.
type SyncGroup struct {
	Name    string    `json:"name"`
	State   string    `json:"state"`
	Since   time.Time `json:"since,omitzero"`
	Reason  string    `json:"reason,omitempty"`
	Members []string  `json:"members"`
}

// Object names what is tracked: the kind is the word of the configuration.
type Object struct {
	Kind string `json:"kind"` // interface, script, file, process, bfd, route, virtual_server, address
	Name string `json:"name"`
}

// Tracked is an object with the latest that is known of it.
type Tracked struct {
	Object
	Known  bool      `json:"known"` // it has been looked at
	Up     bool      `json:"up"`
	Value  int       `json:"value,omitempty"` // of a file
	Reason string    `json:"reason,omitempty"`
	Since  time.Time `json:"since,omitzero"` // when it last changed
}

// Contributes is what one object adds to the priority of one instance.
type Contributes struct {
	Object
	Weight  int    `json:"weight"`
	Reverse bool   `json:"reverse,omitempty"`
	Known   bool   `json:"known"`
	Up      bool   `json:"up"`
	Value   int    `json:"value,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Adds    int    `json:"adds"`
	Fault   bool   `json:"fault,omitempty"`   // it keeps the instance at fault
	Ignored bool   `json:"ignored,omitempty"` // its weight may not change this priority: an owner's, or in a group without sync_group_tracking_weight
}

// PeerRouter is another router of the same VRID.
type PeerRouter struct {
	Addr     netip.Addr    `json:"address"`
	Priority uint8         `json:"priority"` // the last one but 0, which it says when it gives up; 0: it never said another
	Interval time.Duration `json:"advert_interval"`
	Last     time.Time     `json:"last"`
	Adverts  uint64        `json:"adverts"`
	// Mismatched: its last advert listed other addresses than this router has.
	Mismatched bool `json:"addresses_mismatched,omitempty"`
}

// Rejection is an advert that was not believed.
type Rejection struct {
	At   time.Time  `json:"at"`
	From netip.Addr `json:"from"`
	Why  string     `json:"why"`
}

// RouterCounters count since the instance was configured.
type RouterCounters struct {
	Sent                 uint64            `json:"adverts_sent"`
	Received             uint64            `json:"adverts_received"` // those that passed all checks
	Rejected             map[string]uint64 `json:"rejected,omitempty"`
	LastRejected         *Rejection        `json:"last_rejected,omitempty"`
	BecameActive         uint64            `json:"became_master"`
	LeftActive           uint64            `json:"left_master"`
	PriorityZeroSent     uint64            `json:"priority_zero_sent"`
	PriorityZeroReceived uint64            `json:"priority_zero_received"`
	LowerWhileActive     uint64            `json:"lower_priority_received"` // while active
	SendErrors           uint64            `json:"send_errors"`
	LastSendError        string            `json:"last_send_error,omitempty"`
	Late                 uint64            `json:"late_adverts"` // that left later than a third of the interval
	Latest               time.Duration     `json:"latest_advert"`
	SteppedDown          uint64            `json:"stepped_down"` // because the host did not run for too long
	PutBack              uint64            `json:"put_back"`     // addresses, routes, rules that somebody else removed
	Mismatched           uint64            `json:"addresses_mismatched"`
	IntervalMismatched   uint64            `json:"interval_mismatched"`
	Unauthenticated      uint64            `json:"unauthenticated"`
}

// RouterTransition is one change of state.
type RouterTransition struct {
	At     time.Time `json:"at"`
	From   string    `json:"from"`
	To     string    `json:"to"`
	Reason string    `json:"reason,omitempty"`
}

// Held is what is on this host of what one owner wishes there. What is neither there nor failed is being put there.
type Held struct {
	Wished  int      `json:"wished"` // addresses, routes and rules
	Present int      `json:"present"`
	PutBack []string `json:"put_back,omitempty"` // lines of those that somebody else removed, the latest first
	// Failed are those that the kernel refuses, each as a line with the reason; tried again and again.
	Failed    []string `json:"failed,omitempty"`
	Conflicts []string `json:"conflicts,omitempty"` // another host says an address is its own: line and who
}

// Thread is how the thread is that sends the adverts.
type Thread struct {
	Realtime     int      `json:"realtime_priority"` // of SCHED_RR, as granted; 0: SCHED_OTHER
	MemoryLocked bool     `json:"memory_locked"`
	CPUs         []int    `json:"cpus,omitempty"`   // it is bound to; absent: to none
	Denied       []string `json:"denied,omitempty"` // what was asked for and not granted, with the reason
}

// Event is something that happened to an instance or a group, or to a virtual server or one of its servers.
type Event struct {
	Seq      uint64    `json:"seq"` // counts from 1 at the start of the daemon, without gaps
	At       time.Time `json:"at"`
	Instance string    `json:"instance,omitempty"`
	Group    string    `json:"group,omitempty"`
	Service  string    `json:"service,omitempty"` // a virtual server, by its name
	Server   string    `json:"server,omitempty"`  // its real or sorry server; absent: it is about the quorum
	// Kind: MASTER, BACKUP, FAULT, STOP, DELETED, MASTER_RX_LOWER_PRI, MASTER_PRIORITY, BACKUP_PRIORITY as in the FIFO; besides
	// HANDED_OVER, NOT_HANDED_OVER, PUT_BACK, CONFLICT, REFUSED. Of servers and quorums, which only webhooks hear of: UP, DOWN.
	// Of what the operator wants of servers, likewise: DRAIN, DISABLE, WEIGHT, WISH_OVER, DRAIN_DEADLINE.
	Kind     string `json:"event"`
	From     string `json:"from,omitempty"` // of a transition
	Priority uint8  `json:"priority,omitempty"`
	Reason   string `json:"reason,omitempty"`
}

// VirtualRouterOf returns what the configuration and the protocol know of an instance. What is on the host is the caller's to add.
func VirtualRouterOf(c *vrrp.Instance, s *vrrp.Status) VirtualRouter {
	v := VirtualRouter{
		Name: s.Name, VRID: c.VRID, Version: c.Version, IPv6: c.IPv6, Interface: c.Interface, Parent: c.Parent, Group: s.Group,
		State: s.State.String(), Since: s.Since, Reason: s.Reason, Faults: s.Faults, HandingOver: s.HandingOver, Yielded: s.Yielded,
		Priority: s.Base, Effective: s.Effective, Preempt: c.Preempt, PreemptDelay: c.PreemptDelay, DownAdverts: c.DownTimerAdverts,
		Source: s.Source, Interval: s.Interval, Learned: s.Learned, Skew: s.Skew, ActiveDown: s.ActiveDown, Waits: s.Waits, Deadline: s.Deadline,
		ActiveRouter: s.Heard, ActivePriority: s.HeardPrio, Counters: routerCountersOf(&s.Counters),
	}
	for _, k := range s.Contribs {
		if k.Track.Kind == vrrp.TrackChecks && k.Reading.Known {
			continue // that was at the start
		}
		v.Contribs = append(v.Contribs, Contributes{
			Object: ObjectOf(k.Track.Object), Weight: k.Track.Weight, Reverse: k.Track.Reverse,
			Known: k.Reading.Known, Up: k.Reading.Up, Value: k.Reading.Value, Reason: k.Reading.Reason, Adds: k.Adds, Fault: k.Fault, Ignored: k.Ignored,
		})
	}
	for _, p := range s.Peers {
		v.Peers = append(v.Peers, PeerRouter(p))
	}
	for _, t := range s.Transitions {
		v.Transitions = append(v.Transitions, RouterTransition{t.At, t.From.String(), t.To.String(), t.Reason})
	}
	return v
}

func routerCountersOf(c *vrrp.Counters) RouterCounters {
	r := RouterCounters{
		Sent: c.Sent, Received: c.Received, BecameActive: c.BecameActive, LeftActive: c.LeftIt, PriorityZeroSent: c.PriorityZeroSent,
		PriorityZeroReceived: c.PriorityZeroReceived, LowerWhileActive: c.LowerWhileActive, SendErrors: c.SendErrors, LastSendError: c.LastSendError,
		Late: c.Late, Latest: c.Latest, SteppedDown: c.SteppedDown, PutBack: c.PutBack, Mismatched: c.Mismatched,
		IntervalMismatched: c.IntervalMismatched, Unauthenticated: c.Unauthenticated,
	}
	for why, n := range c.Rejected {
		if r.Rejected == nil {
			r.Rejected = make(map[string]uint64, len(c.Rejected))
		}
		r.Rejected[why.String()] += n
	}
	if l := c.LastRejected; !l.At.IsZero() {
		r.LastRejected = &Rejection{l.At, l.From, l.Why.String()}
	}
	return r
}

// SyncGroupOf returns a group's JSON form.
func SyncGroupOf(s *vrrp.GroupStatus) SyncGroup {
	return SyncGroup{s.Name, s.State.String(), s.Since, s.Reason, s.Members}
}

// ObjectOf returns an object's JSON form.
func ObjectOf(o vrrp.Object) Object { return Object{o.Kind.String(), o.Name} }

// TrackedOf returns the JSON form of what is known of an object since a moment.
func TrackedOf(o vrrp.Object, r vrrp.Reading, since time.Time) Tracked {
	return Tracked{ObjectOf(o), r.Known, r.Up, r.Value, r.Reason, since}
}
