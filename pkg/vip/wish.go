package vip

import (
	"net/netip"
	"time"
)

// Wish is everything that one owner wants to be on this host: a virtual router, by its name and role, or the static tables of the
// file. Who carries it out makes it so in the order of the fields, and takes away in the opposite one what an earlier wish of the
// same owner had and this one lacks.
type Wish struct {
	Owner  string       // name of the vrrp_instance; empty: the static tables
	Denied []netip.Addr // no_accept: packets to them are dropped, but for neighbour discovery
	// Silent are places at the addresses where connections that are not known here are not reset: another router is still to tell of
	// them. TCP; what somebody listens at is not silenced.
	Silent    []netip.AddrPort
	Addresses []Address // each with its Dev
	Routes    []Route
	Rules     []Rule
	// Announce says how the neighbours are told of the addresses: at once, when they come. Nil: not at all, which is for addresses
	// that must stay unknown (on lo, of a director that is also a real server).
	Announce *Announce
	// Stays says that it remains when who carries it out ends: a director that is also a real server has to serve the other
	// director's clients while its own daemon is stopped.
	Stays bool
	// Undecided says that the owner does not know yet what it will wish: what of its own an earlier process has left stays as it is,
	// and nobody is told of it. It goes at once when the next wish lacks it.
	Undecided bool
	// Repeat makes the neighbours be told once more whenever it differs from before: another router had said that the addresses
	// were its own.
	Repeat uint64
}

// Announce is how gratuitous ARPs (RFC 5227) and unsolicited neighbour advertisements (RFC 4861) are sent.
type Announce struct {
	Repeat        int           // garp_master_repeat: rounds over all addresses at once
	Delay         time.Duration // garp_master_delay: until the second burst; 0: there is none
	Refresh       time.Duration // garp_master_refresh: and again and again; 0: not
	RefreshRepeat int           // rounds of each refresh
	LowerRepeat   int           // garp_lower_prio_repeat: rounds because of Wish.Repeat
	LowerDelay    time.Duration // garp_lower_prio_delay: second burst after those
	ExtraEvery    time.Duration // garp_extra_if: refresh of the addresses on other interfaces than the instance's; 0: not
	ExtraAll      bool          // garp_extra_if all: of those on the instance's, too
	Source        string        // the instance's interface, or the one made for it
}

// Pacing is the least time between two of the frames that leave by an interface, which is shared by those of a garp_group.
type Pacing struct {
	ARP, NA time.Duration
	Group   string // of interfaces that share it; empty: none but this one
}

// Link is an interface that the daemon makes for an instance and removes at the end: use_vmac, use_ipvlan.
type Link struct {
	Name string
	Base string // interface that it is made on
	Kind LinkKind
	Mode LinkMode
	MAC  [6]byte // of a macvlan; zero: the kernel's choice
	// Addr is the ipvlan's own, source of its adverts; of an IPv6 macvlan, its link-local one. Zero: none.
	Addr    netip.Prefix
	Group   uint32 // link group; the base's if GroupSet is false
	IPv6    bool   // its instance is IPv6
	Both    bool   // it has addresses of the other family, too; if not, an IPv4 instance's knows no IPv6
	Private bool   // adverts leave by the base (vmac_xmit_base): this interface sends none itself

	GroupSet bool
}

// LinkKind is what kind of interface is made.
type LinkKind uint8

// The kinds.
const (
	MACVLAN LinkKind = iota // use_vmac
	IPVLAN                  // use_ipvlan
)

// LinkMode is how interfaces on one base reach each other.
type LinkMode uint8

// The modes.
const (
	Private LinkMode = iota // a macvlan's, always
	Bridge
	VEPA
)

// Interface is what is known of an interface of this host.
type Interface struct {
	Name      string
	Index     int
	Up        bool // administratively, and it has a carrier
	MTU       int
	MAC       [6]byte
	NoARP     bool
	Multicast bool
	Addrs     []netip.Prefix // as the kernel lists them, but of IPv6, too, the oldest first; none that failed duplicate address detection
}
