package vrrp

import (
	"net/netip"
	"time"
)

// Instance is the configuration of one virtual router, as it takes part in the protocol: checked, defaults filled in, the
// interval rounded to what the version can say.
type Instance struct {
	Name      string
	VRID      uint8
	Version   uint8 // 2 or 3
	IPv6      bool  // its family; version 3 only
	Interface string
	// Base is the interface that adverts leave by and come in by, if that is another one: vmac_xmit_base.
	Base string
	// Parent is the interface that Interface was made on (use_vmac, use_ipvlan); its first address is the source of adverts if
	// nothing else is said, since a VMAC has none before it is active. Empty: Interface is as the host has it.
	Parent string
	VRF    string // that unicast sockets belong to; empty: none

	Priority         uint8 // base, 1 to 255; 255 is the address owner's
	Initial          State // Active or Backup
	AdvertInterval   time.Duration
	DownTimerAdverts int // so many missed adverts and the skew are the end of the active router
	Preempt          bool
	PreemptDelay     time.Duration
	StartupDelay     time.Duration // vrrp_startup_delay
	AfterBoot        time.Duration // vrrp_delay_after_boot: the same, from the boot of the machine
	Grace            time.Duration // how long from its start it waits, without a fault, for what it needs: that is being made

	LowerPrioNoAdvert    bool // while active, don't answer an advert of lower priority
	HigherPrioSendAdvert bool // a last advert before yielding to a higher priority
	OwnerIgnoreAdverts   bool
	Strict               bool
	TimerExpiredBackup   uint8 // yield if an advert is so late that a router of this priority may have taken over; 0: of 254

	Source      netip.Addr // of adverts; zero: the first address of the interface (IPv6: its link-local one)
	TrackSource bool       // track_src_ip: without it the instance is at fault
	Multicast   netip.Addr // group that adverts go to; zero with unicast peers
	Peers       []Peer     // unicast_peer; empty: multicast
	TTL         uint8      // of unicast adverts; 0: the default
	CheckSource bool       // check_unicast_src: from peers only
	// FaultWithoutPeers is unicast_fault_no_peer.
	FaultWithoutPeers bool

	Addresses          []netip.Addr // that adverts carry, in this order
	SkipCheckAddresses bool         // skip_check_adv_addr: believe the list of the known active router
	ChecksumAsV2       bool         // v3_checksum_as_v2: without the pseudo header
	OldUnicastChecksum bool         // accept what keepalived 1.3.6 sent

	Auth Auth
	HMAC *HMAC // auth_hmac; nil: none

	ReceiveBuffer int // bytes; 0: the kernel's

	Tracks []Track // own interface and source included
	Group  string  // sync group; empty: none
}

// Peer is a line of unicast_peer.
type Peer struct {
	Addr           netip.Addr
	MinTTL, MaxTTL uint8 // of its packets; MaxTTL 0: any
}

// Auth is the authentication of version 2.
type Auth struct {
	Type     AuthType
	Password [8]byte // never logged
}

// AuthType is the byte in the header.
type AuthType uint8

// What RFC 2338 knew.
const (
	NoAuth   AuthType = 0
	AuthPASS AuthType = 1
	AuthAH   AuthType = 2
)

// HMAC is keepalived's auth_hmac: a trailer behind the message that proves who sent it, and when.
type HMAC struct {
	Keys       map[uint8][]byte // by ID; never logged
	Active     uint8            // key that adverts are sent with
	Monotonic  bool             // anti_replay monotonic: replay is told by counters, not by clocks
	TimeWindow time.Duration    // how far clocks may be apart
	Mode       HMACMode
}

// HMACMode is how strictly the trailer is demanded, for a rollout.
type HMACMode uint8

// As keepalived has them.
const (
	Enforce     HMACMode = iota
	Permissive           // a missing trailer is accepted
	ReceiveOnly          // none is sent, a missing one is accepted
)

// Group is the configuration of a sync group: its members are active together or not at all.
type Group struct {
	Name    string
	Members []string // names of instances, in the order of the file
	Tracks  []Track  // of all members; they may change the priorities
	Weights bool     // sync_group_tracking_weight: what members track themselves may change theirs, too
}

// State is a virtual router's, and a sync group's.
type State uint8

// Of RFC 9568, section 6.4, and keepalived's Fault.
const (
	Initialize State = iota
	Backup
	Active
	Fault
)

// String returns keepalived's word, which scripts and users know.
func (s State) String() string {
	return [...]string{Initialize: "INIT", Backup: "BACKUP", Active: "MASTER", Fault: "FAULT"}[s]
}
