package vrrp

import (
	"net/netip"
	"time"
)

// Status is all that is known of one instance, a value of its own.
type Status struct {
	Name  string
	State State
	Since time.Time
	// Reason is why it is in this state, for people: "192.0.2.7 has priority 150", "interface eth1 is down".
	Reason    string
	Faults    []string // all that keep it in Fault, each for people; also what it still waits to know
	Base      uint8    // configured priority
	Effective uint8
	Contribs  []Contribution // why the effective priority is not the base

	Source   netip.Addr // of its adverts; zero: none
	Interval time.Duration
	// Learned is the interval that the active router says; zero: none heard.
	Learned    time.Duration
	Skew       time.Duration
	ActiveDown time.Duration // the whole timer
	Deadline   time.Time     // of what runs now: next advert, active down, preempt delay, startup delay, handover, what it needs; zero: nothing
	// Waits is what Deadline is of: "advert", "active down", "preempt delay", "startup delay", "handover", "what it needs". It is "group" if the instance
	// would be active, and other members of its group would not; empty: nothing.
	Waits string

	Heard       netip.Addr // active router, as a backup; zero: none
	HeardPrio   uint8
	Peers       []PeerStatus // all that were ever heard, the latest first; at most MaxPeers
	Counters    Counters
	Transitions []Transition // the latest first; at most MaxTransitions
	HandingOver bool         // a switchover is under way
	Yielded     bool         // it was switched over and does not preempt until the other router is gone
	Group       string
}

// Bounds of the lists in a Status.
const (
	MaxPeers       = 16
	MaxTransitions = 20
)

// Contribution is what one tracked object adds to the priority.
type Contribution struct {
	Track   Track
	Reading Reading
	Adds    int
	Fault   bool // it keeps the instance at fault
	Ignored bool // it has a weight, which may not change this priority: an owner's, or in a group without Weights
}

// PeerStatus is another router of the same VRID.
type PeerStatus struct {
	Addr     netip.Addr
	Priority uint8 // the last one but 0, which it says when it gives up; 0: it never said another
	Interval time.Duration
	Last     time.Time
	Adverts  uint64
	// Mismatched says that the last advert listed other addresses than ours.
	Mismatched bool
}

// Transition is one change of state.
type Transition struct {
	At       time.Time
	From, To State
	Reason   string
}

// GroupStatus is all that is known of a sync group.
type GroupStatus struct {
	Name    string
	State   State
	Since   time.Time
	Reason  string
	Members []string
}

// Rejection is an advert that was not believed.
type Rejection struct {
	At   time.Time
	From netip.Addr
	Why  Reject
}

// Counters are of one instance since it was configured.
type Counters struct {
	Sent, Received       uint64 // adverts; those received passed all checks
	BecameActive, LeftIt uint64
	PriorityZeroSent     uint64
	PriorityZeroReceived uint64
	LowerWhileActive     uint64 // adverts of lower priority heard while active
	SendErrors           uint64
	LastSendError        string
	Late                 uint64        // adverts that left later than a third of the interval after they were due
	Latest               time.Duration // the worst
	SteppedDown          uint64        // because this host did not run for too long
	PutBack              uint64        // addresses, routes and rules that somebody else removed
	Rejected             map[Reject]uint64
	LastRejected         Rejection // zero: none
	Mismatched           uint64    // adverts with other addresses than ours; they count all the same
	IntervalMismatched   uint64    // version 3 only; they count all the same
	Unauthenticated      uint64    // permissive auth_hmac: no trailer
}
