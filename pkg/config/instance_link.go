package config

import (
	"fmt"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/vip"
)

// link resolves the interface that is made for the instance. From then on Interface is that one.
func (r *routers) link(b *block, i *Instance) {
	mac, v := lookup[madeLink]("use_vmac", b)
	ip, ipv := lookup[madeLink]("use_ipvlan", b)
	xmit, based := lookup[bool]("vmac_xmit_base", b)
	l, at := mac, v
	switch {
	case mac.on && ip.on:
		r.fail(ipv.key, "leave one of them out", "use_ipvlan contradicts use_vmac")
	case ip.on:
		l, at = ip, ipv
	case !mac.on:
		if xmit && v == nil {
			r.fail(based.key, "add use_vmac = true", "vmac_xmit_base works only with use_vmac")
		}
		if all, v := lookup[bool]("use_vmac_addr", b); all && i.Interface == "" && len(i.Peers) == 0 {
			r.fail(v.key, "add interface", "use_vmac_addr works only with an interface")
		}
		return
	}
	base := l.base
	if base == "" {
		base = i.Interface
	}
	if base == "" {
		if b.lacks("interface") {
			r.fail(at.key, `add interface = "eth0"`, "%s works only with an interface", at.keyword.name)
		}
		return
	}
	made := vip.Link{Name: l.name, Base: base, IPv6: i.IPv6, Private: xmit}
	if made.Name == "" {
		made.Name = r.free("vmac_prefix", i.VRID, i.IPv6)
	}
	if made.Name == base {
		r.fail(at.at, "give it a name of its own", "the interface %s can't be made on itself", base)
	}
	if l.group >= 0 {
		made.Group, made.GroupSet = uint32(l.group), true
	}
	if mac.on {
		made.MAC = virtualMAC(i.VRID, i.IPv6)
		if copy(made.MAC[:], l.mac[:l.octets]); l.octets == 5 {
			made.MAC[5] = i.VRID
		}
		if len(i.Peers) > 0 && !xmit {
			r.fail(at.key, "add vmac_xmit_base = true", "use_vmac works with unicast_peer only with vmac_xmit_base")
		}
	} else {
		made.Kind, made.Mode, made.Addr = vip.IPVLAN, l.mode, l.addr
		switch {
		case !l.addr.IsValid() && !i.IPv6:
			r.fail(at.at, `write use_ipvlan = { address = "192.0.2.9/24" }`, "an ipvlan needs an address of its own, which its adverts come from")
		case l.addr.IsValid() && l.addr.Addr().Is6() != i.IPv6:
			r.fail(at.at, "its adverts come from it", "the address of the ipvlan is %s, but the instance is %s",
				familyName(l.addr.Addr().Is6()), familyName(i.IPv6))
		}
		if l.addr.IsValid() && !i.Source.IsValid() {
			i.Source = l.addr.Addr()
		}
	}
	i.Link, i.Interface, i.Parent = &made, made.Name, base
	if xmit {
		i.Base = base
	}
}

// free returns a name for an interface that is made, as keepalived 2.2.7 has it: vrrp.51, vrrp6.51 for IPv6, or else vrrp1.51 and so on.
func (r *routers) free(keyword string, vrid uint8, ipv6 bool) string {
	prefix, _ := lookup[string](keyword, r.global)
	name := fmt.Sprintf("%s.%d", prefix, vrid)
	if ipv6 {
		name = fmt.Sprintf("%s6.%d", prefix, vrid)
	}
	for n := 1; r.made[name]; n++ {
		if n != 6 { // would look like IPv6
			name = fmt.Sprintf("%s%d.%d", prefix, n, vrid)
		}
	}
	r.made[name] = true
	return name
}

// namedLinks returns the names that instances give their interfaces.
func (r *routers) namedLinks() map[string]bool {
	names := make(map[string]bool)
	for _, b := range r.doc.routers[inInstance] {
		for _, keyword := range []string{"use_vmac", "use_ipvlan"} {
			if l, _ := lookup[madeLink](keyword, b); l.name != "" {
				names[l.name] = true
			}
		}
	}
	return names
}

// virtualMAC is the one that RFC 9568 section 7.3 gives a virtual router.
func virtualMAC(vrid uint8, ipv6 bool) [6]byte {
	if ipv6 {
		return [6]byte{0x00, 0x00, 0x5e, 0x00, 0x02, vrid}
	}
	return [6]byte{0x00, 0x00, 0x5e, 0x00, 0x01, vrid}
}

// hardware returns a MAC address as people write it.
func hardware(mac [6]byte) string { return strings.ReplaceAll(fmt.Sprintf("% x", mac[:]), " ", ":") }

// macvlan says whether the instance has an interface with a MAC address of its own.
func (i *Instance) macvlan() bool { return i.Link != nil && i.Link.Kind == vip.MACVLAN }

// moreLink returns the name of the interface for addresses on another one, which is made for all of them together.
func (r *routers) moreLink(i *Instance, base string, ipv6 bool) string {
	for _, l := range i.MoreLinks {
		if l.Base == base && l.IPv6 == ipv6 {
			return l.Name
		}
	}
	l := vip.Link{
		Name: r.free("vmac_addr_prefix", i.VRID, ipv6), Base: base, IPv6: ipv6, MAC: virtualMAC(i.VRID, ipv6), Private: true,
	}
	i.MoreLinks = append(i.MoreLinks, l)
	return l.Name
}
