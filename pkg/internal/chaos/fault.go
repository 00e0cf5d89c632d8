package chaos

import (
	"fmt"
	"time"
)

// Kind is what happens to something.
type Kind string

// The kinds of faults, and of what operators do. Those of the first group happen to a director, those of the second to a real server,
// those of the third to all directors.
const (
	Kill         Kind = "kill -9"       // and started again at the end
	Stop         Kind = "clean stop"    // the same
	Freeze       Kind = "freeze"        // SIGSTOP, and SIGCONT at the end
	Cut          Kind = "links cut"     // both, the carrier goes
	CutOne       Kind = "one link cut"  // the first or the second
	Silence      Kind = "partition"     // the switches drop all, the carrier stays
	Deafen       Kind = "deaf"          // the switches drop all that goes to it
	Loss         Kind = "packet loss"   // a part of what goes to it and comes from it
	Delay        Kind = "delay"         // of that, and it comes in another order
	Duplicate    Kind = "duplicates"    // of that
	Broken       Kind = "broken reload" // a file that is refused
	Switchover   Kind = "switchover"    // from whoever is active, and back at the end
	Upgrade      Kind = "upgrade"       // in place
	UpgradeTop   Kind = "upgrade of the active director"
	DropService  Kind = "ipvsadm -D"        // by hand
	DropServer   Kind = "ipvsadm -d"        // by hand
	Reweigh      Kind = "ipvsadm -e"        // by hand
	Clear        Kind = "ipvsadm -C"        // by hand
	DropAddress  Kind = "ip address delete" // by hand, of an address that the director has
	ServerKill   Kind = "server killed"
	ServerFreeze Kind = "server frozen"
	ServerCut    Kind = "server's link cut"
	ServerLoss   Kind = "server's packet loss"
	ServerDelay  Kind = "server's delay"
	Reload       Kind = "reload" // with another configuration
	Drain        Kind = "drain"  // of a real server
	ClockJump    Kind = "clock jump"
	Stall        Kind = "stall" // of the machine that the lab is on; nobody asks for it
)

// Fault is something that happens, at a time, and for how long.
type Fault struct {
	At, For time.Duration // For is 0 for what is done in a moment
	Kind    Kind
	Target  string // a director or a server; empty: all directors
	Server  string // with Drain and drift: whose row
	Number  int    // of the variant (Reload), the percentage (Loss), milliseconds (Delay), the network (CutOne: 0 or 1), hours (ClockJump)
}

// End is when it is over.
func (f Fault) End() time.Duration { return f.At + f.For }

// String is the fault in a line, without its time.
func (f Fault) String() string {
	s := string(f.Kind)
	switch f.Kind {
	case Reload:
		s += fmt.Sprintf(" with variant %d", f.Number)
	case Loss, ServerLoss:
		s += fmt.Sprintf(" of %d %%", f.Number)
	case Delay, ServerDelay:
		s += fmt.Sprintf(" of %d ms", f.Number)
	case CutOne:
		s += fmt.Sprintf(" (eth%d)", f.Number)
	case ClockJump:
		s += fmt.Sprintf(" of %+d h", f.Number)
	default: // Number says nothing
	}
	if f.Server != "" {
		s += " of " + f.Server
	}
	if f.Target != "" {
		s += ": " + f.Target
	}
	if f.For > 0 {
		s += fmt.Sprintf(", for %v", f.For)
	}
	return s
}

// nature is what a kind is like.
type nature struct {
	kind   Kind
	odds   int // of 100 or so, how often it is drawn
	of     target
	lasts  [2]time.Duration // it lasts between these
	number [2]int           // Number is between these
	server bool             // it has a Server
	roles  period           // for how long who is active may be wrong, after the end
	table  period           // the same of the director's table
	loss   loss             // which requests may be lost
	absent bool             // the director takes no part while it lasts: others do without
}

type target int

const (
	aDirector target = iota
	aServer
	everyDirector
)

// loss is when requests may fail.
type loss int

const (
	never     loss = iota
	ifActive       // while it lasts and as long afterwards as roles or table may be wrong, if it happened to the active director
	always         // the same, whoever is active
	detecting      // until the server's failure is detected
	during         // while it lasts
)

// period is a time that follows from the bounds. Not: it is not felt at all.
type period int

const (
	not period = iota
	restart
	rejoin
	takeover
	recovery
	resync
	repair
)

var natures = []nature{
	{kind: Kill, odds: 8, lasts: seconds(0.3, 7), roles: restart, table: restart, loss: ifActive, absent: true},
	{kind: Stop, odds: 5, lasts: seconds(1, 5), roles: restart, table: restart, absent: true},
	{kind: Freeze, odds: 8, lasts: seconds(0.5, 6), roles: rejoin, table: rejoin, loss: ifActive, absent: true},
	{kind: Cut, odds: 5, lasts: seconds(0.5, 7), roles: rejoin, table: rejoin, loss: ifActive, absent: true},
	{kind: CutOne, odds: 5, lasts: seconds(0.5, 7), number: [2]int{0, 1}, roles: rejoin, table: rejoin, loss: ifActive, absent: true},
	{kind: Silence, odds: 4, lasts: seconds(1, 7), roles: rejoin, table: rejoin, loss: always},
	{kind: Deafen, odds: 3, lasts: seconds(1, 7), roles: rejoin, table: rejoin, loss: always},
	{kind: Loss, odds: 4, lasts: seconds(2, 7), number: [2]int{5, 30}, roles: rejoin, table: rejoin, loss: always},
	{kind: Delay, odds: 4, lasts: seconds(2, 7), number: [2]int{5, 40}},
	{kind: Duplicate, odds: 3, lasts: seconds(2, 7)},
	{kind: Broken, odds: 4},
	{kind: Switchover, odds: 6, of: everyDirector, lasts: seconds(1, 8), roles: takeover},
	{kind: Upgrade, odds: 3},
	{kind: UpgradeTop, odds: 4, of: everyDirector},
	{kind: DropService, odds: 3, server: true, table: resync, loss: ifActive},
	{kind: DropServer, odds: 3, server: true, table: resync},
	{kind: Reweigh, odds: 3, server: true, table: resync},
	{kind: Clear, odds: 2, table: resync, loss: ifActive},
	{kind: DropAddress, odds: 4, roles: repair, loss: ifActive},
	{kind: ServerKill, odds: 6, of: aServer, lasts: seconds(1, 12), loss: detecting},
	{kind: ServerFreeze, odds: 5, of: aServer, lasts: seconds(1, 12), loss: detecting},
	{kind: ServerCut, odds: 4, of: aServer, lasts: seconds(1, 12), loss: detecting},
	{kind: ServerLoss, odds: 3, of: aServer, lasts: seconds(2, 7), number: [2]int{5, 30}, loss: during},
	{kind: ServerDelay, odds: 3, of: aServer, lasts: seconds(2, 7), number: [2]int{5, 40}},
	{kind: Reload, odds: 8, of: everyDirector, table: recovery},
	{kind: Drain, odds: 6, of: everyDirector, lasts: seconds(2, 9), server: true},
	{kind: ClockJump, odds: 3, of: everyDirector, lasts: seconds(1, 6), number: [2]int{-2, 30}},
}

func seconds(from, to float64) [2]time.Duration {
	return [2]time.Duration{time.Duration(from * float64(time.Second)), time.Duration(to * float64(time.Second))}
}

func (f Fault) nature() nature {
	for _, n := range natures {
		if n.kind == f.Kind {
			return n
		}
	}
	return nature{}
}
