package vip

import "net/netip"

// Address is one line of virtual_ipaddress, virtual_ipaddress_excluded or static_ipaddress.
type Address struct {
	Prefix    netip.Prefix // the address and the length of its network; with a Peer the length is the address's own
	Dev       string       // interface; empty: the instance's, or default_interface of static addresses
	Scope     Scope        // IPv4 only
	Broadcast netip.Addr   // IPv4 only; what + and - stand for is worked out; zero: none
	Label     string       // IPv4 only
	Peer      netip.Prefix // of a point-to-point link; zero: none

	Home, ManageTempAddr, NoPrefixRoute, AutoJoin bool

	DAD          bool   // -nodad: duplicate address detection runs; without it an IPv6 address is used at once
	PreferredLft uint32 // seconds that new connections may start from it; Forever, or 0: never
	NoTrack      bool   // what becomes of it does not matter to the instance
	UseVMAC      bool   // on the instance's own interface even if Dev differs
	TrackGroup   string // of static addresses: these instances can't do without it
}

// Forever is a lifetime without end.
const Forever = ^uint32(0)

// Scope is the kernel's rtm_scope: how far an address or a route reaches.
type Scope uint8
