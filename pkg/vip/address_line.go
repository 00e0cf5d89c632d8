package vip

import (
	"encoding/binary"
	"math"
	"net/netip"
)

// ParseAddress reads a line of virtual_ipaddress, virtual_ipaddress_excluded or static_ipaddress as keepalived.conf has them. The
// error is a *LineError.
func ParseAddress(line string) (Address, error) {
	p := &parser{line: line}
	var a Address
	var broadcast string
	var scopeSet bool
	a.PreferredLft = Forever
	for p.next() {
		w := p.word
		switch w {
		case "broadcast":
			w = "brd"
		case "dev", "scope", "brd", "label", "peer", "home", "-nodad", "mngtmpaddr", "noprefixroute", "autojoin", "no_track",
			"preferred_lft", "use_vmac", "track_group":
		default:
			if a.Prefix.IsValid() {
				p.fail("no option of an address (those are dev, scope, brd, label, peer, home, -nodad, mngtmpaddr, noprefixroute, autojoin, " +
					"no_track, preferred_lft, use_vmac and track_group)")
				continue
			}
			p.end = p.at // it is the address
			a.Prefix = p.prefix("the line")
			continue
		}
		p.once(w)
		switch w {
		case "dev":
			a.Dev = p.device(w)
		case "scope":
			a.Scope, scopeSet = p.scope(), true
		case "brd":
			broadcast = p.value(w, "an address, + or -")
			if broadcast != "+" && broadcast != "-" {
				p.end = p.at
				a.Broadcast = p.addr(w)
			}
		case "label":
			a.Label = p.name(w)
			if len(a.Label) > 15 {
				p.fail("a label has up to 15 characters")
			}
		case "peer":
			a.Peer = p.prefix(w)
		case "home":
			a.Home = true
		case "-nodad":
			a.DAD = true
		case "mngtmpaddr":
			a.ManageTempAddr = true
		case "noprefixroute":
			a.NoPrefixRoute = true
		case "autojoin":
			a.AutoJoin = true
		case "no_track":
			a.NoTrack = true
		case "preferred_lft":
			if a.PreferredLft = Forever; !p.skip("forever") {
				a.PreferredLft = uint32(p.number(w, 0, math.MaxUint32))
			}
		case "use_vmac":
			a.UseVMAC = true
		case "track_group":
			a.TrackGroup = p.name(w)
		}
	}
	p.word = ""
	if !a.Prefix.IsValid() {
		p.fail("no address")
	}
	if p.err != nil {
		return Address{}, p.err
	}
	p.checkAddress(&a, scopeSet)
	if broadcast == "+" || broadcast == "-" {
		p.derive(&a, broadcast == "+")
	}
	if p.err != nil {
		return Address{}, p.err
	}
	if a.usuallyDeprecated() && !p.has("preferred_lft") {
		a.PreferredLft = 0
	}
	return a, nil
}

// usuallyDeprecated: an IPv6 address without a network is, lest the kernel take it as the source of connections.
func (a Address) usuallyDeprecated() bool { return a.Prefix.Addr().Is6() && a.Prefix.IsSingleIP() }

// checkAddress says what does not go together.
func (p *parser) checkAddress(a *Address, scopeSet bool) {
	ipv6 := a.Prefix.Addr().Is6()
	for _, o := range []string{"brd", "label"} {
		if ipv6 && p.has(o) {
			p.fail("%s is for IPv4 addresses only", o)
		}
	}
	for _, o := range []string{"home", "-nodad", "mngtmpaddr"} {
		if !ipv6 && p.has(o) {
			p.fail("%s is for IPv6 addresses only", o)
		}
	}
	if ipv6 && scopeSet {
		if want := scopeOf(a.Prefix.Addr()); a.Scope != want {
			p.fail("the scope of an IPv6 address is in the address: this one's is %s", want)
		}
		a.Scope = 0
	}
	if a.Broadcast.IsValid() && !a.Broadcast.Is4() {
		p.fail("brd needs an IPv4 address, + or -")
	}
	if a.Peer.IsValid() {
		switch {
		case a.Peer.Addr().Is6() != ipv6:
			p.fail("the address and its peer are of different families")
		case !a.Prefix.IsSingleIP():
			p.fail("with a peer the length is the peer's: write %s peer %s/%d", a.Prefix.Addr(), a.Peer.Addr(), a.Prefix.Bits())
		}
	}
	if a.Prefix.Addr().IsUnspecified() || a.Prefix.Addr().IsMulticast() && !a.AutoJoin {
		p.fail("%s is no address that an interface can have", a.Prefix.Addr())
	}
}

// scopeOf is what the kernel makes of an IPv6 address.
func scopeOf(a netip.Addr) Scope {
	switch {
	case a.IsLoopback():
		return Scope(scopeNames["host"])
	case a.IsLinkLocalUnicast():
		return Scope(scopeNames["link"])
	case netip.MustParsePrefix("fec0::/10").Contains(a):
		return Scope(scopeNames["site"])
	}
	return 0
}

// derive works out the broadcast address: the network's with all bits of the host one, or zero.
func (p *parser) derive(a *Address, ones bool) {
	net := a.Prefix
	if a.Peer.IsValid() {
		net = a.Peer
	}
	if net.Bits() > 30 {
		p.fail("a network of length /%d has no broadcast address", net.Bits())
		return
	}
	b := net.Masked().Addr().As4()
	if ones {
		binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])|math.MaxUint32>>net.Bits())
	}
	a.Broadcast = netip.AddrFrom4(b)
}

// String returns the line, in the order that keepalived.conf(5) gives the options in. ParseAddress reads it back.
func (a Address) String() string {
	b := new(printer)
	b.add(host(a.Prefix))
	set(b, "dev", a.Dev)
	set(b, "scope", a.Scope)
	set(b, "brd", a.Broadcast)
	set(b, "label", a.Label)
	if a.Peer.IsValid() {
		b.add("peer", host(a.Peer))
	}
	b.flag(a.Home, "home")
	b.flag(a.DAD, "-nodad")
	b.flag(a.ManageTempAddr, "mngtmpaddr")
	b.flag(a.NoPrefixRoute, "noprefixroute")
	b.flag(a.AutoJoin, "autojoin")
	b.flag(a.NoTrack, "no_track")
	switch {
	case a.PreferredLft != Forever && (a.PreferredLft != 0 || !a.usuallyDeprecated()):
		b.add("preferred_lft", a.PreferredLft)
	case a.PreferredLft == Forever && a.usuallyDeprecated():
		b.add("preferred_lft forever")
	}
	b.flag(a.UseVMAC, "use_vmac")
	set(b, "track_group", a.TrackGroup)
	return b.String()
}
