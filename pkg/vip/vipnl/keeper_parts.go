package vipnl

import (
	"net/netip"

	"github.com/ipvsd/ipvsd/pkg/vip"
)

// The parts of a Keeper that are no rtnetlink objects. It calls their methods in the goroutine of its Run, one at a time: what they
// open there belongs to the network namespace of that thread. None may block for longer than its system calls take.

// Firewall makes the host deaf to addresses: no_accept.
type Firewall interface {
	// Deny makes packets to these addresses be dropped, but for neighbour discovery, and to no others. It is so when it returns. None:
	// nothing of ours is left in the kernel, which is also the last call.
	Deny(addrs []netip.Addr) error
}

// Silencer keeps the host from resetting connections that it does not know.
type Silencer interface {
	// Silence drops packets to these addresses and TCP ports that neither IPVS nor anybody else takes, and to no others. It is so when it
	// returns.
	Silence(at []netip.AddrPort) error
}

// Announcer tells the neighbours where addresses are, with the pacing and the bursts of vip.Announce, in a goroutine of its own.
type Announcer interface {
	// Announce says how it is with an owner now, in place of what was said before.
	Announce(owner string, now Announcement)
	// Pace sets the pacing by interface; "" is for the others.
	Pace(pacing map[string]vip.Pacing)
	// Close drops what is queued, and returns when nothing of it runs any more.
	Close() error
}

// Announcement is what an Announcer is told.
type Announcement = vip.Announcement

// Place is where an address is.
type Place = vip.Place

// Links makes the interfaces of instances.
type Links interface {
	// Make makes the interfaces that are missing, changes those that differ, and removes those that an earlier call made and this one
	// lacks. It does what it can, and joins what went wrong. None: all of ours go, which is also the last call. Keeper calls it again
	// after an error, and when interfaces come or go. The last call may have those that are to stay.
	Make(links []vip.Link) error
}
