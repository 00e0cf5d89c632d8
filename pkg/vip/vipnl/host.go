package vipnl

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/vip"
)

// link is an interface as the kernel has it.
type link struct {
	index int
	name  string
	flags uint32
	mtu   int
	mac   [6]byte
	table uint32 // of a VRF
}

// up says that packets can pass. The carrier's flag comes with every piece of news; the operational state, which knows more, may
// come a second later.
func (l link) up() bool {
	const all = unix.IFF_UP | unix.IFF_RUNNING | unix.IFF_LOWER_UP
	return l.flags&all == all
}

// address is an address as the kernel has it.
type address struct {
	addressKey
	length     int // of the network, also in the key of an IPv4 address
	peer       netip.Addr
	scope      uint8
	broadcast  netip.Addr
	label      string
	flags      uint32
	forever    bool // it is valid without end
	deprecated bool
}

// addressKey tells the addresses of the kernel apart.
type addressKey struct {
	index int
	local netip.Addr
	mask  int          // IPv4: the same address may be there with several
	net   netip.Prefix // IPv4: of the peer
}

// host is what is known of the interfaces and addresses of a network namespace.
type host struct {
	links map[int]link
	index map[string]int
	addrs map[addressKey]address
	// of are the addresses of an interface, with numbers in the order in which they came.
	of     map[int]map[addressKey]int
	serial int
}

// change is what a piece of news changed.
type change uint8

const (
	linkChange     change = 1 << iota // an interface came, went, or has other properties
	stateChange                       // one came, went, was renamed, or was switched on or off
	addressChange                     // an address came or changed
	addressRemoval                    // an address went
	routeChange                       // somebody else changed a route or a rule
)

// load reads everything. If that fails, all is known as before.
func (h *host) load(r rtnetlink) error {
	fresh := host{links: map[int]link{}, index: map[string]int{}, addrs: map[addressKey]address{}, of: map[int]map[addressKey]int{}}
	for _, q := range []struct {
		what    string
		request message
	}{
		{"interfaces", message{kind: unix.RTM_GETLINK, body: make([]byte, unix.SizeofIfInfomsg)}},
		{"addresses", message{kind: unix.RTM_GETADDR, body: make([]byte, unix.SizeofIfAddrmsg)}},
	} {
		list, err := r.list(q.request)
		if err != nil {
			return fmt.Errorf("read the %s: %w", q.what, err)
		}
		// The kernel has the newest of IPv6 first, of IPv4 last.
		slices.SortStableFunc(list, func(a, b message) int { return cmp.Compare(a.family(), b.family()) })
		if i := slices.IndexFunc(list, func(m message) bool { return m.family() == unix.AF_INET6 }); i >= 0 {
			slices.Reverse(list[i:])
		}
		for _, m := range list {
			fresh.apply(m)
		}
	}
	*h = fresh
	return nil
}

// apply takes a message of the kernel in. It returns what that changed, and the address that it is about, if any.
func (h *host) apply(m message) (change, address) {
	switch m.kind {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		return h.applyLink(m), address{}
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		a, ok := decodeAddress(m.body)
		if !ok {
			break
		}
		old, had := h.addrs[a.addressKey]
		if m.kind == unix.RTM_DELADDR {
			delete(h.addrs, a.addressKey)
			delete(h.of[a.index], a.addressKey)
			if had {
				return addressRemoval, a
			}
			return 0, a
		}
		if a.label == "" && a.local.Is4() {
			a.label = h.links[a.index].name
		}
		h.addrs[a.addressKey] = a
		if h.of[a.index] == nil {
			h.of[a.index] = map[addressKey]int{}
		}
		if h.serial++; !had {
			h.of[a.index][a.addressKey] = h.serial
		}
		if !had || old != a {
			return addressChange, a
		}
		return 0, a
	}
	return 0, address{}
}

func (h *host) applyLink(m message) change {
	l, ok := decodeLink(m.body)
	if !ok {
		return 0
	}
	old, had := h.links[l.index]
	if h.index[old.name] == l.index {
		delete(h.index, old.name)
	}
	if m.kind == unix.RTM_DELLINK {
		delete(h.links, l.index)
		for k := range h.of[l.index] {
			delete(h.addrs, k)
		}
		delete(h.of, l.index)
		if had {
			return linkChange | stateChange
		}
		return 0
	}
	h.links[l.index], h.index[l.name] = l, l.index
	switch {
	case !had || old.name != l.name || (old.flags^l.flags)&(unix.IFF_UP|unix.IFF_LOWER_UP) != 0 || old.table != l.table:
		return linkChange | stateChange
	case old != l:
		return linkChange
	}
	return 0
}

// decodeLink reads a struct ifinfomsg. A bridge's news of its ports is not about interfaces.
func decodeLink(b []byte) (link, bool) {
	if len(b) < unix.SizeofIfInfomsg || b[0] != unix.AF_UNSPEC {
		return link{}, false
	}
	attrs := attributes(b[unix.SizeofIfInfomsg:])
	l := link{
		index: int(binary.NativeEndian.Uint32(b[4:])),
		flags: binary.NativeEndian.Uint32(b[8:]),
		name:  text(attrs[unix.IFLA_IFNAME]),
		mtu:   int(number(attrs, unix.IFLA_MTU)),
	}
	if mac := attrs[unix.IFLA_ADDRESS]; len(mac) == len(l.mac) {
		copy(l.mac[:], mac)
	}
	if info := attributes(attrs[unix.IFLA_LINKINFO]); text(info[unix.IFLA_INFO_KIND]) == "vrf" {
		l.table = number(attributes(info[unix.IFLA_INFO_DATA]), unix.IFLA_VRF_TABLE)
	}
	return l, l.name != ""
}

// decodeAddress reads a struct ifaddrmsg.
func decodeAddress(b []byte) (address, bool) {
	if len(b) < unix.SizeofIfAddrmsg {
		return address{}, false
	}
	a := address{length: int(b[1]), scope: b[3], flags: uint32(b[2]), forever: true}
	a.index = int(binary.NativeEndian.Uint32(b[4:]))
	var lifetimes []byte // struct ifa_cacheinfo
	for kind, v := range each(b[unix.SizeofIfAddrmsg:]) {
		switch kind {
		case unix.IFA_LOCAL:
			a.local = addrOf(v)
		case unix.IFA_ADDRESS:
			a.peer = addrOf(v)
		case unix.IFA_BROADCAST:
			a.broadcast = addrOf(v)
		case unix.IFA_LABEL:
			a.label = text(v)
		case unix.IFA_FLAGS:
			if len(v) == 4 {
				a.flags = binary.NativeEndian.Uint32(v)
			}
		case unix.IFA_CACHEINFO:
			lifetimes = v
		}
	}
	if !a.local.IsValid() {
		a.local = a.peer
	}
	if !a.peer.IsValid() {
		a.peer = a.local
	}
	if a.local.Is4() {
		a.mask, a.net = a.length, netip.PrefixFrom(a.peer, a.length).Masked()
	}
	a.deprecated = a.flags&unix.IFA_F_DEPRECATED != 0
	if len(lifetimes) >= 8 {
		a.forever = binary.NativeEndian.Uint32(lifetimes[4:]) == vip.Forever
		a.deprecated = a.deprecated || binary.NativeEndian.Uint32(lifetimes) == 0
	}
	const transient = unix.IFA_F_PERMANENT | unix.IFA_F_DEPRECATED
	a.flags &^= transient
	return a, a.local.IsValid()
}

// failed says that duplicate address detection found another host with it.
func (a address) failed() bool { return a.flags&unix.IFA_F_DADFAILED != 0 }

// ready says that it can be used already.
func (a address) ready() bool {
	return a.flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_NODAD) != unix.IFA_F_TENTATIVE
}
