package config

import (
	"net/netip"
	"time"

	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// usualMTU is what an interface carries as far as a file can tell.
const usualMTU = 1500

// wishes resolves what the instance has while it is active, and while it is not.
func (r *routers) wishes(b *block, i *Instance) {
	w := &i.Active
	w.Owner, i.Idle.Owner = i.Name, i.Name
	var listed []*value
	seen := make(map[seat]bool)
	for a, v := range items[vip.Address](b, "virtual_ipaddress") {
		if a.Prefix.Addr().Is6() == i.IPv6 { // the others have been reported
			r.address(b, i, a, v, seen)
			listed = append(listed, v)
			i.Addresses = append(i.Addresses, a.Prefix.Addr())
		}
	}
	r.listed(b, i, listed)
	for a, v := range items[vip.Address](b, "virtual_ipaddress_excluded") {
		r.address(b, i, a, v, seen)
	}
	for rt, v := range items[vip.Route](b, "virtual_routes") {
		if rt.TrackGroup != "" {
			r.fail(v.at, "leave it out: the instance itself depends on its routes", "track_group is for static routes")
		}
		w.Routes = append(w.Routes, rt)
	}
	for rule, v := range items[vip.Rule](b, "virtual_rules") {
		if rule.TrackGroup != "" {
			r.fail(v.at, "leave it out: the instance itself depends on its rules", "track_group is for static rules")
		}
		w.Rules = append(w.Rules, rule)
	}
	if !r.accepts(b, i) {
		for _, a := range w.Addresses {
			w.Denied = append(w.Denied, a.Prefix.Addr())
		}
	}
	w.Announce = r.announce(b, i)
	if lo, _ := lookup[bool]("release_to_lo", b); lo {
		for _, a := range w.Addresses {
			i.Idle.Addresses = append(i.Idle.Addresses, vip.Address{
				Prefix: netip.PrefixFrom(a.Prefix.Addr(), a.Prefix.Addr().BitLen()), Dev: "lo", PreferredLft: vip.Forever,
			})
		}
	}
}

// address adds one address to what the active router has.
func (r *routers) address(b *block, i *Instance, a vip.Address, v *value, seen map[seat]bool) {
	all, _ := lookup[bool]("use_vmac_addr", b)
	ipv6 := a.Prefix.Addr().Is6()
	switch {
	case a.Dev == "" && i.Interface == "":
		if a.Dev, _ = lookup[string]("default_interface", r.global); a.Dev == "" && b.lacks("interface") && !b.lacks("unicast_peer") {
			r.fail(v.at, `write "`+a.String()+` dev eth0", or default_interface in [global_defs]`, "the address has no interface")
		}
	case a.Dev == "", a.Dev == i.home():
		// An interface with a MAC address of its own is for one family.
		own := i.macvlan() && ipv6 == i.IPv6
		if a.Dev = i.Interface; (a.UseVMAC || all && i.macvlan()) && !own {
			a.UseVMAC = true
			a.Dev = r.moreLink(i, i.home(), ipv6)
		} else {
			a.UseVMAC = false
		}
	default:
		r.mention(a.Dev, v.at)
		if a.UseVMAC = a.UseVMAC || all; a.UseVMAC {
			a.Dev = r.moreLink(i, a.Dev, ipv6)
		}
	}
	if a.TrackGroup != "" {
		r.fail(v.at, "leave it out: the instance itself depends on its addresses", "track_group is for static addresses")
	}
	at := seat{a.Dev, a.Prefix.Addr()}
	if seen[at] {
		r.fail(v.at, "leave one of them out", "the address %s is there twice", at.addr)
	}
	seen[at] = true
	i.Active.Addresses = append(i.Active.Addresses, a)
}

// overhead is how long an advert is without addresses.
func (i *Instance) overhead() int {
	n := 20 + 8 // IPv4 and VRRP
	if i.IPv6 {
		n = 40 + 8
	}
	if i.Version == 2 {
		n += 8
	}
	if i.Auth.Type == vrrp.AuthAH {
		n += 24
	}
	if i.HMAC != nil {
		n += 28
	}
	return n
}

func addressSize(ipv6 bool) int {
	if ipv6 {
		return 16
	}
	return 4
}

// listed keeps the addresses of adverts to those that fit, and reports it if there are none.
func (r *routers) listed(b *block, i *Instance, where []*value) {
	most := min(255, (usualMTU-i.overhead())/addressSize(i.IPv6))
	if n := len(i.Addresses); n > most {
		i.Addresses = i.Addresses[:most]
		r.warn(where[most].at, "put the rest into virtual_ipaddress_excluded, on all directors alike",
			"an advert has room for %d addresses, not %d: the others are excluded from it", most, n)
	}
	none, v := lookup[bool]("no_virtual_ipaddress", b)
	switch {
	case unreadable(b, "virtual_ipaddress"):
	case len(i.Addresses) > 0 && none:
		r.fail(v.key, "leave one of them out", "no_virtual_ipaddress contradicts virtual_ipaddress")
	case len(i.Addresses) > 0 || none:
	case !b.lacks("virtual_ipaddress") && b.value("virtual_ipaddress") == nil: // misspelt
	case i.Version == 3:
		r.fail(b.at(), `write virtual_ipaddress = ["192.0.2.200/24"], or no_virtual_ipaddress = true if that is meant`,
			"version 3 of VRRP needs an address in virtual_ipaddress")
	default:
		r.warn(b.at(), "write no_virtual_ipaddress = true if that is meant", "the instance has no virtual_ipaddress")
	}
}

// accepts says whether the active router takes packets to the addresses.
func (r *routers) accepts(b *block, i *Instance) bool {
	yes, accept := lookup[bool]("accept", b)
	no, deny := lookup[bool]("no_accept", b)
	if accept != nil && deny != nil && accept.data != nil && deny.data != nil && yes == no {
		r.fail(deny.key, "write one of them", "no_accept contradicts accept")
	}
	switch {
	case i.Priority == 255:
		return true
	case deny != nil:
		return !no
	case accept != nil:
		return yes
	}
	return !i.Strict
}

// announce resolves how the neighbours are told of the addresses.
func (r *routers) announce(b *block, i *Instance) *vip.Announce {
	least, _ := lookup[bool]("vrrp_min_garp", r.global)
	a := &vip.Announce{Source: i.Interface}
	count := func(name string, usual, least1 int) int {
		v := b.value(name)
		if v == nil {
			v = r.global.value("vrrp_" + name)
		}
		if v != nil {
			if n, ok := v.data.(int64); ok {
				return int(n)
			}
		} else if least {
			return least1
		}
		return usual
	}
	wait := func(name string, usual time.Duration) time.Duration {
		v := b.value(name)
		if v == nil {
			v = r.global.value("vrrp_" + name)
		}
		if v != nil {
			if d, ok := v.data.(time.Duration); ok {
				return d
			}
		} else if least {
			return 0
		}
		return usual
	}
	usual := func(name string) int { return int(defaultOf("vrrp_" + name).(int64)) }
	a.Repeat = max(1, count("garp_master_repeat", usual("garp_master_repeat"), 1))
	a.Delay = wait("garp_master_delay", defaultOf("vrrp_garp_master_delay").(time.Duration))
	a.Refresh = wait("garp_master_refresh", defaultOf("vrrp_garp_master_refresh").(time.Duration))
	a.RefreshRepeat = count("garp_master_refresh_repeat", usual("garp_master_refresh_repeat"), 1)
	a.LowerRepeat = count("garp_lower_prio_repeat", a.Repeat, a.Repeat)
	a.LowerDelay = wait("garp_lower_prio_delay", a.Delay)
	if i.Strict {
		a.LowerRepeat, a.LowerDelay = 0, 0 // the RFC has none
	}
	e, _ := inherited[extra](r.global, b, "garp_extra_if", "vrrp_garp_extra_if")
	a.ExtraEvery, a.ExtraAll = e.every, e.all
	return a
}

// strict resolves whether the RFC counts to the letter, and reports what contradicts that.
func (r *routers) strict(b *block, i *Instance) {
	if i.Strict = r.isStrict(b); !i.Strict {
		return
	}
	const hint = "leave it out, or write strict_mode = false"
	refuse := func(v *value, why string) {
		r.fail(v.key, hint, "%s contradicts strict_mode: %s", v.keyword.name, why)
	}
	if v := b.value("state"); v != nil && v.data != nil && (v.data == stateMaster) != (i.Priority == 255) {
		refuse(v, "MASTER is for priority 255, and for no other")
	}
	for _, part := range b.parts {
		r.fail(part.at(), hint, "%s contradicts strict_mode: the RFC has none", part.name)
	}
	for _, name := range []string{"unicast_peer", "vmac_xmit_base", "preempt_delay", "timer_expired_backup"} {
		if v := b.value(name); v != nil && v.data != nil && v.data != false {
			refuse(v, "the RFC has none")
		}
	}
	if n, v := lookup[int64]("down_timer_adverts", b); v != nil && n != 3 {
		refuse(v, "it is 3")
	}
	if l, v := lookup[madeLink]("use_vmac", b); l.octets > 0 {
		refuse(v, "the MAC address is the one of the virtual_router_id")
	}
	for name, yes := range map[string]bool{"accept": true, "no_accept": false} {
		if v := b.value(name); v != nil && v.data == yes && i.Version == 2 && i.Priority != 255 {
			refuse(v, "version 2 leaves the addresses to their owner")
		}
	}
	for _, name := range []string{"garp_lower_prio_repeat", "garp_lower_prio_delay"} {
		if v := b.value(name); v != nil && v.data != nil && v.data != int64(0) && v.data != time.Duration(0) {
			refuse(v, "there is no burst for lower priorities")
		}
	}
	if v := b.value("lower_prio_no_advert"); v != nil && v.data == false {
		refuse(v, "lower priorities get no answer")
	}
	if v := b.value("owner_ignore_adverts"); v != nil && v.data == false {
		refuse(v, "the owner listens to nobody")
	}
	if none, v := lookup[bool]("no_virtual_ipaddress", b); none {
		refuse(v, "an instance has addresses")
	}
	if b.value("higher_prio_send_advert") == nil && r.global.value("vrrp_higher_prio_send_advert") == nil {
		i.HigherPrioSendAdvert = false
	}
	i.DownTimerAdverts, i.LowerPrioNoAdvert, i.OwnerIgnoreAdverts = 3, true, true
}

func (r *routers) isStrict(b *block) bool {
	strict, _ := inherited[bool](r.global, b, "strict_mode", "vrrp_strict")
	return strict
}
