package vip

import "net/netip"

// Route is one line of virtual_routes or static_routes. Zero fields are the kernel's business.
type Route struct {
	IPv6        bool
	Type        string // unicast, blackhole, unreachable, prohibit, local, ... as ip route has them; empty: unicast
	Destination netip.Prefix
	Source      netip.Addr // preferred
	From        netip.Prefix
	TOS         uint8
	Table       uint32
	Protocol    uint8
	Scope       Scope
	ScopeSet    bool
	Metric      uint32
	Via         netip.Addr
	Dev         string
	OnLink      bool
	Expires     uint32 // seconds
	Metrics     string // mtu, hoplimit, advmss and so on, "name [lock] value" each, sorted; empty: none
	Realms      string
	Pref        string // low, medium, high
	Encap       string // of this route or, in NextHops, of a hop: as ip route writes it
	NextHops    string // several: as ip route writes them, "nexthop via ... dev ... weight ..."; empty: none
	VRF         string
	Mode        string // add: only if there is none to the same destination; append: behind those; empty: before them, as in keepalived
	NoTrack     bool
	TrackGroup  string
}

// Rule is one line of virtual_rules or static_rules. Zero fields match everything.
type Rule struct {
	IPv6       bool
	Not        bool
	From, To   netip.Prefix
	Priority   uint32
	TOS        uint8
	FWMark     uint32
	FWMask     uint32
	Realms     string
	IIF, OIF   string
	Tunnel     uint64
	UIDs       [2]uint32 // first, last
	UIDsSet    bool
	L3MDev     bool
	Protocol   uint8
	IPProto    uint8
	SPort      [2]uint16 // first, last
	DPort      [2]uint16
	Table      uint32
	Goto       uint32
	Action     string // nop, blackhole, unreachable, prohibit; empty: table or goto
	NoPrefix   int    // suppress_prefixlength; -1: not
	NoGroup    int    // suppress_ifgroup; -1: not
	NoTrack    bool
	TrackGroup string
}
