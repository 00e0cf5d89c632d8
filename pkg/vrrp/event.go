package vrrp

import (
	"net/netip"
	"time"
)

// Event is what happens to a Router. What the time alone brings is not an event: Router.Step takes the time.
type Event interface{ event() }

// Startup begins the protocol for an instance that a configuration added. It may come before the interface exists: that is a fault.
// A sync group begins when all its members have been started. Boot is when the machine booted.
type Startup struct {
	Instance string
	Boot     time.Time
}

// Shutdown ends it, and its sync group with it: an active instance says so with priority 0.
type Shutdown struct{ Instance string }

// Received is an advert that passed all checks of the codec.
type Received struct {
	Instance string
	From     netip.Addr
	Advert   Advert
}

// Observed is news of a tracked object.
type Observed struct {
	Object  Object
	Reading Reading
}

// Sourced tells which address the adverts of an instance come from now: where the file names none it is the first of the interface.
// Zero: there is none, or adverts can't leave from the one that the file names, which is a fault. It breaks ties.
type Sourced struct {
	Instance string
	Addr     netip.Addr
	Why      string // there is none, for people
}

// Switchover asks the active instance, or its group with it, to hand over to another router. It goes on to serve until it hears that
// one, and takes the role back if it hears none.
type Switchover struct{ Name string } // of an instance or of a group

// Placed says that the addresses of an instance are where its state wants them.
type Placed struct{ Instance string }

// Slept says that this host did not run for a while, and that nobody could tell by the clock: a suspended machine.
type Slept struct{ For time.Duration }

// Tick is for what is due by the time alone.
type Tick struct{}

func (Startup) event()    {}
func (Shutdown) event()   {}
func (Received) event()   {}
func (Observed) event()   {}
func (Sourced) event()    {}
func (Switchover) event() {}
func (Placed) event()     {}
func (Slept) event()      {}
func (Tick) event()       {}

// Advert is the content of an advertisement.
type Advert struct {
	Version  uint8
	VRID     uint8
	Priority uint8
	Interval time.Duration // Max Advertise Interval
	Addrs    []netip.Addr
	// Unauthenticated: it came without the trailer of auth_hmac, whose mode permits that.
	Unauthenticated bool
}

// Action is what is to be done, in the order that Router.Step returns them.
type Action interface{ action() }

// Send is an advert that is to leave now, to all peers of a unicast instance.
type Send struct {
	Instance string
	Priority uint8
	// Interval is what the advert says.
	Interval time.Duration
}

// Became tells of a transition of an instance. On Active: serve its addresses; on all others: don't.
type Became struct {
	Instance string
	From, To State
	Priority uint8 // effective
	Reason   string
	// Planned says of a new active router that another one was alive, and gives up the role: what is under way there goes on here. If
	// that one has a lower priority, its first advert waits for Placed, though not for long.
	Planned bool
}

// GroupBecame tells of a transition of a sync group, after those of its members; from Initialize to Backup before them.
type GroupBecame struct {
	Group    string
	From, To State
	Reason   string
}

// Reannounce is due when another router said that the addresses were its own: the neighbours must hear again that they are ours.
type Reannounce struct{ Instance string }

// Noticed is for notifications that are no transitions.
type Noticed struct {
	Instance string
	What     Notice
	Priority uint8 // effective
}

// Notice is what was noticed.
type Notice uint8

const (
	// RxLowerPriority is keepalived's MASTER_RX_LOWER_PRI: this router is active, and heard another one that thinks it is.
	RxLowerPriority Notice = iota
	// PriorityChanged is MASTER_PRIORITY and BACKUP_PRIORITY.
	PriorityChanged
	// HandedOver is the end of a Switchover: another router is active.
	HandedOver
	// NotHandedOver is its other end: no other router took over, or this one can't be active any more.
	NotHandedOver
)

// Heard tells of an instance that is not active, once: it, or a member of its sync group, has heard an active router since its start. What a
// process before has left for its clients is that one's now.
type Heard struct{ Instance string }

// WentOn tells of an instance that is active as it was when the process before was killed, Silent after its last advert. It is no transition.
type WentOn struct {
	Instance string
	Priority uint8 // effective
	Silent   time.Duration
}

func (Send) action()        {}
func (Heard) action()       {}
func (WentOn) action()      {}
func (Became) action()      {}
func (GroupBecame) action() {}
func (Reannounce) action()  {}
func (Noticed) action()     {}
