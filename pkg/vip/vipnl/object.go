package vipnl

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/vip"
)

// object is something of a wish that the kernel has or has not: placedAddress, placedRoute, placedRule. It can be compared.
type object interface {
	fmt.Stringer
	// id tells it from others: there is one of each id.
	id() any
	stage() int
	// untracked: it is not put back (no_track).
	untracked() bool
	// state compares it with what the kernel has.
	state(t *tables) state
	// add returns the requests that make it so from that state, of which the last one counts. An error says what is missing.
	add(t *tables, from state) ([]message, error)
	// remove returns the request that takes it away, whatever the kernel has made of it.
	remove(t *tables) (message, error)
}

// state is what the kernel has of an object.
type state uint8

const (
	absent  state = iota
	present       // as wished
	similar       // with other attributes that can be changed in place
	other         // with attributes that can't: it has to go first
)

// In this order they come, and in the opposite one they go.
const (
	addressStage = iota
	routeStage
	ruleStage
)

// tag is the number of whoever made an object: keepalived's in /etc/iproute2/rt_protos.
const tag = 18

const (
	ifaProto = 11 // IFA_PROTO, since Linux 5.18
	// compared are the flags of an address that one can wish. With IFA_F_NODAD it has come already, so that it no longer matters.
	compared = unix.IFA_F_HOMEADDRESS | unix.IFA_F_MANAGETEMPADDR | unix.IFA_F_NOPREFIXROUTE | unix.IFA_F_MCAUTOJOIN
)

// placedAddress is an address of a wish.
type placedAddress struct{ vip.Address }

// addressID is what the kernel can have once. An IPv6 address can't be there with two lengths.
type addressID struct {
	dev   string
	local netip.Addr
	mask  int
	net   netip.Prefix
}

func (a placedAddress) id() any {
	id := addressID{dev: a.Dev, local: a.Prefix.Addr()}
	if id.local.Is4() {
		id.mask, id.net = a.network().Bits(), a.network().Masked()
	}
	return id
}

// network is that of the peer, if there is one.
func (a placedAddress) network() netip.Prefix {
	if a.Peer.IsValid() {
		return a.Peer
	}
	return a.Prefix
}

func (a placedAddress) stage() int      { return addressStage }
func (a placedAddress) untracked() bool { return a.NoTrack }

// is returns the kernel's address.
func (a placedAddress) is(t *tables) (address, bool) {
	id := a.id().(addressID)
	index, ok := t.index[a.Dev]
	if !ok {
		return address{}, false
	}
	have, ok := t.addrs[addressKey{index, id.local, id.mask, id.net}]
	return have, ok
}

func (a placedAddress) state(t *tables) state {
	have, ok := a.is(t)
	if !ok {
		return absent
	}
	lifetime := have.forever && (a.PreferredLft == 0) == have.deprecated || a.PreferredLft != 0 && a.PreferredLft != vip.Forever
	flags := have.flags&compared == a.flags()&compared
	if have.local.Is6() {
		switch {
		case have.failed() || have.length != a.network().Bits() || (have.flags^a.flags())&unix.IFA_F_MCAUTOJOIN != 0:
			return other
		case !lifetime || !flags || have.peer != a.network().Addr():
			return similar
		}
		return present
	}
	label := a.Label
	if label == "" {
		label = a.Dev
	}
	switch {
	case !flags || have.scope != uint8(a.Scope) || have.broadcast != a.Broadcast || have.label != label || have.peer != a.network().Addr():
		return other
	case !lifetime:
		return similar
	}
	return present
}

// contested says that another host has the address.
func (a placedAddress) contested(t *tables) bool {
	have, _ := a.is(t)
	return have.failed()
}

func (a placedAddress) flags() uint32 {
	var f uint32
	for _, o := range []struct {
		set  bool
		flag uint32
	}{
		{a.Home, unix.IFA_F_HOMEADDRESS},
		{a.ManageTempAddr, unix.IFA_F_MANAGETEMPADDR},
		{a.NoPrefixRoute, unix.IFA_F_NOPREFIXROUTE},
		{a.AutoJoin, unix.IFA_F_MCAUTOJOIN},
		{a.Prefix.Addr().Is6() && !a.DAD, unix.IFA_F_NODAD},
	} {
		if o.set {
			f |= o.flag
		}
	}
	return f
}

func (a placedAddress) add(t *tables, from state) ([]message, error) {
	b, err := a.header(t)
	if err != nil {
		return nil, err
	}
	var list []message
	if from == other {
		list = append(list, message{kind: unix.RTM_DELADDR, body: b})
		if b, err = a.header(t); err != nil { // a copy
			return nil, err
		}
	}
	b[3] = uint8(a.Scope)
	if a.Broadcast.IsValid() {
		b.addr(unix.IFA_BROADCAST, a.Broadcast)
	}
	if a.Label != "" {
		b.text(unix.IFA_LABEL, a.Label)
	}
	var lifetimes []byte // struct ifa_cacheinfo
	lifetimes = binary.NativeEndian.AppendUint32(lifetimes, a.PreferredLft)
	lifetimes = binary.NativeEndian.AppendUint32(lifetimes, vip.Forever)
	b.attr(unix.IFA_CACHEINFO, append(lifetimes, make([]byte, 8)...))
	b.u32(unix.IFA_FLAGS, a.flags())
	b.u8(ifaProto, tag)
	return append(list, message{kind: unix.RTM_NEWADDR, flags: unix.NLM_F_CREATE | unix.NLM_F_REPLACE, body: b}), nil
}

func (a placedAddress) remove(t *tables) (message, error) {
	b, err := a.header(t)
	return message{kind: unix.RTM_DELADDR, body: b}, err
}

// header is what says which address is meant.
func (a placedAddress) header(t *tables) (body, error) {
	index, err := t.device(a.Dev)
	if err != nil {
		return nil, err
	}
	family, length := uint8(unix.AF_INET), a.network().Bits()
	if a.Prefix.Addr().Is6() {
		family = unix.AF_INET6
		if have, ok := a.is(t); ok {
			length = have.length // it may have come with another one
		}
	}
	b := body{family, uint8(length), 0, 0}
	b = binary.NativeEndian.AppendUint32(b, index)
	b.addr(unix.IFA_LOCAL, a.Prefix.Addr())
	b.addr(unix.IFA_ADDRESS, a.network().Addr())
	return b, nil
}
