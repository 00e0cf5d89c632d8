package config

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// instance resolves one vrrp_instance, but for what it tracks.
func (r *routers) instance(b *block) *Instance {
	i := &Instance{}
	i.Name = b.called()
	if !plainName(i.Name) {
		r.fail(b.at(), "scripts get it as one word", "the name of a vrrp_instance has no blanks and quotes")
	}
	r.identity(b, i)
	r.election(b, i)
	r.unicast(b, i)
	r.source(b, i)
	r.link(b, i)
	r.authentication(b, i)
	i.StartupDelay, _ = lookup[time.Duration]("vrrp_startup_delay", r.global)
	i.AfterBoot, _ = lookup[time.Duration]("vrrp_delay_after_boot", r.global)
	i.LowerPrioNoAdvert, _ = inherited[bool](r.global, b, "lower_prio_no_advert", "vrrp_lower_prio_no_advert")
	i.HigherPrioSendAdvert, _ = inherited[bool](r.global, b, "higher_prio_send_advert", "vrrp_higher_prio_send_advert")
	i.OwnerIgnoreAdverts, _ = inherited[bool](r.global, b, "owner_ignore_adverts", "vrrp_owner_ignore_adverts")
	i.SkipCheckAddresses, _ = inherited[bool](r.global, b, "skip_check_adv_addr", "vrrp_skip_check_adv_addr")
	i.ChecksumAsV2, _ = inherited[bool](r.global, b, "v3_checksum_as_v2", "v3_checksum_as_v2")
	i.OldUnicastChecksum, _ = lookup[bool]("old_unicast_checksum", b) // "never" is what holds anyway
	i.PromoteSecondaries, _ = lookup[bool]("promote_secondaries", b)
	r.strict(b, i)
	r.wishes(b, i)
	i.ReceiveBuffer = r.receiveBuffer(b, i)
	i.Notify = r.notify(b)
	i.Notify.PriorityChanges, _ = inherited[bool](r.global, b, "notify_priority_changes", "vrrp_notify_priority_changes")
	return i
}

// inherited returns what a keyword of an instance is set to, or else the global one.
func inherited[T any](global, b *block, name, above string) (T, *value) {
	if v := b.value(name); v != nil {
		if data, ok := v.data.(T); ok {
			return data, v
		}
	}
	data, _ := lookup[T](above, global)
	return data, b.value(name)
}

// identity resolves what the other directors must have alike: number, family, version, interval.
func (r *routers) identity(b *block, i *Instance) {
	i.Interface, _ = lookup[string]("interface", b)
	if b.lacks("interface", "unicast_peer") {
		r.fail(b.at(), `write interface = "eth0"`, "the instance has no interface")
	}
	vrid, _ := lookup[int64]("virtual_router_id", b)
	if i.VRID = uint8(vrid); b.lacks("virtual_router_id") {
		r.fail(b.at(), "write virtual_router_id = 51, the same on all directors", "the instance has no virtual_router_id")
	}
	i.IPv6 = r.family(b)
	version, versioned := inherited[int64](r.global, b, "version", "vrrp_version")
	i.Version = uint8(version)
	if i.IPv6 {
		if versioned != nil && version == 2 {
			r.fail(versioned.at, "write version = 3, or leave it out", "version 2 of VRRP has no IPv6")
		}
		i.Version = 3
	}
	r.interval(b, i)
}

// family returns whether the instance is IPv6: its addresses say so, or else who it talks to. All must agree.
func (r *routers) family(b *block) (ipv6 bool) {
	known, first := false, ""
	say := func(v *value, six bool, what, hint string) {
		if !known {
			known, ipv6, first = true, six, what
			return
		}
		if six != ipv6 {
			r.fail(v.at, hint, "%s is %s, but %s is %s", what, familyName(six), first, familyName(ipv6))
		}
	}
	for n, v := range items[vip.Address](b, "virtual_ipaddress") {
		a := n.Prefix.Addr()
		say(v, a.Is6(), a.String(), "put it into virtual_ipaddress_excluded, or make an instance of its own for that family")
	}
	const hint = "an instance is of one family: that of its virtual_ipaddress"
	if six, v := lookup[bool]("native_ipv6", b); six {
		say(v, true, "native_ipv6", hint)
	}
	if a, v := lookup[netip.Addr]("mcast_src_ip", b); a.IsValid() {
		say(v, a.Is6(), v.keyword.name, hint)
	}
	for n, v := range items[neighbour](b, "unicast_peer") {
		say(v, n.addr.Is6(), "the peer "+n.addr.String(), hint)
	}
	if a, v := lookup[netip.Addr]("mcast_dst_ip", b); a.IsValid() {
		say(v, a.Is6(), v.keyword.name, hint)
	}
	return ipv6
}

func familyName(ipv6 bool) string {
	if ipv6 {
		return "IPv6"
	}
	return "IPv4"
}

// interval resolves advert_int to what the version can say in its packets.
func (r *routers) interval(b *block, i *Instance) {
	d, v := lookup[time.Duration]("advert_int", b)
	unit, most := time.Second, 255*time.Second
	if i.Version == 3 {
		unit, most = 10*time.Millisecond, 4095*10*time.Millisecond
	}
	if d > most {
		r.fail(v.at, fmt.Sprintf("write %s or less", plain(most)), "version %d of VRRP has no advert_int of %s s", i.Version, plain(d))
	}
	i.AdvertInterval = max(d.Round(unit), unit)
	if i.AdvertInterval != d && d <= most {
		hint := "write " + plain(i.AdvertInterval)
		if i.Version == 2 {
			hint += ", or version = 3 on all directors, which counts hundredths of a second"
		}
		r.warn(v.at, hint, "advert_int %s is %s: version %d of VRRP counts in steps of %s s", plain(d), plain(i.AdvertInterval), i.Version, plain(unit))
	}
}

// election resolves who becomes active.
func (r *routers) election(b *block, i *Instance) {
	priority, prioritized := lookup[int64]("priority", b)
	i.Priority, i.Initial = uint8(priority), vrrp.Backup
	state, stated := lookup[string]("state", b)
	if state == stateMaster || stated == nil && priority == 255 {
		i.Initial = vrrp.Active
	}
	if state == stateMaster && prioritized == nil {
		r.fail(stated.at, "write priority = 150, say; or 255, which keepalived would take, if the addresses are this host's own",
			"state MASTER needs a priority")
	}
	i.DownTimerAdverts = 3
	if n, _ := inherited[int64](r.global, b, "down_timer_adverts", "vrrp_down_timer_adverts"); n > 0 {
		i.DownTimerAdverts = int(n)
	}
	preempt, yes := lookup[bool]("preempt", b)
	not, no := lookup[bool]("nopreempt", b)
	i.Preempt = preempt && !not
	delay, delayed := lookup[time.Duration]("preempt_delay", b)
	i.PreemptDelay = delay
	expired, expires := lookup[int64]("timer_expired_backup", b)
	i.TimerExpiredBackup = uint8(expired)
	keeps := no // the keyword that says so
	if keeps == nil {
		keeps = yes
	}
	const master = `write state = "BACKUP": it is only what an instance begins as, and the priority decides`
	switch {
	case yes != nil && no != nil && preempt == not && yes.data != nil && no.data != nil:
		r.fail(no.key, "write one of them", "nopreempt contradicts preempt")
	case !i.Preempt && state == stateMaster:
		r.fail(keeps.key, master, "nopreempt contradicts state MASTER, which takes over at its start")
	case !i.Preempt && priority == 255:
		r.fail(keeps.key, "leave it out, or write a lower priority", "nopreempt contradicts priority 255: the owner of the addresses always takes them")
	}
	if delay > 0 {
		switch {
		case state == stateMaster:
			r.fail(delayed.key, master, "preempt_delay contradicts state MASTER, which takes over at its start")
		case priority == 255:
			r.fail(delayed.key, "leave it out, or write a lower priority", "preempt_delay contradicts priority 255: the owner of the addresses takes them at once")
		case !i.Preempt:
			r.warn(delayed.key, "leave one of them out", "preempt_delay has no effect with nopreempt")
		}
	}
	if expired > 0 && i.Preempt {
		r.fail(expires.key, "add nopreempt = true", "timer_expired_backup works only with nopreempt")
	}
}

// unicast resolves where adverts go.
func (r *routers) unicast(b *block, i *Instance) {
	for n, v := range items[neighbour](b, "unicast_peer") {
		for _, p := range i.Peers {
			if p.Addr == n.addr {
				r.fail(v.at, "leave one of them out", "the peer %s is there twice", n.addr)
			}
		}
		if n.addr.IsLinkLocalUnicast() && n.addr.Is6() && b.lacks("interface") {
			r.fail(v.at, `write interface = "eth0"`, "a link-local peer needs an interface")
		}
		i.Peers = append(i.Peers, vrrp.Peer{Addr: n.addr, MinTTL: n.low, MaxTTL: n.high})
		i.CheckSource = i.CheckSource || n.limited
	}
	unreadable := b.value("unicast_peer") != nil && b.value("unicast_peer").data == nil
	alone := len(i.Peers) == 0 && !unreadable
	if none, _ := lookup[bool]("unicast_fault_no_peer", b); none && alone {
		i.FaultWithoutPeers = true
		alone = false
	}
	if check, v := inherited[bool](r.global, b, "check_unicast_src", "vrrp_check_unicast_src"); check && !alone {
		i.CheckSource = true
	} else if check && v != nil {
		r.warn(v.key, "leave it out", "check_unicast_src has no effect without unicast_peer")
	}
	ttl, v := lookup[int64]("unicast_ttl", b)
	if v != nil && v.data != nil {
		i.TTL = uint8(ttl)
		if alone {
			r.fail(v.key, "add unicast_peer, or leave it out: keepalived would send multicast adverts with TTL 0, which reach nobody",
				"unicast_ttl works only with unicast_peer")
		}
	}
	group, grouped := lookup[netip.Addr]("mcast_dst_ip", b)
	switch {
	case len(i.Peers) > 0 && grouped != nil:
		r.fail(grouped.key, "leave one of them out", "mcast_dst_ip contradicts unicast_peer")
	case i.FaultWithoutPeers, len(i.Peers) > 0, unreadable:
	case grouped != nil:
		i.Multicast = group
		if group.Is6() && !group.IsLinkLocalMulticast() {
			r.fail(grouped.at, `write an address that begins with ff02, as in "ff02::12"`, "%s is no multicast address of one link", group)
		}
	case i.IPv6:
		i.Multicast, _ = lookup[netip.Addr]("vrrp_mcast_group6", r.global)
	default:
		i.Multicast, _ = lookup[netip.Addr]("vrrp_mcast_group4", r.global)
	}
	if domain, v := lookup[string]("vrf", b); v != nil {
		i.VRF = domain
		if i.Interface != "" || len(i.Peers) == 0 && !unreadable {
			r.fail(v.key, "leave it out: the interface says which it is", "vrf works only with unicast_peer and without interface")
		}
	}
}

// source resolves the source address of adverts.
func (r *routers) source(b *block, i *Instance) {
	i.Source, _ = lookup[netip.Addr]("mcast_src_ip", b)
	track, v := lookup[bool]("track_src_ip", b)
	if i.TrackSource = track; track && b.lacks("mcast_src_ip") {
		r.fail(v.key, "add mcast_src_ip", "track_src_ip works only with mcast_src_ip or unicast_src_ip")
	}
}

// receiveBuffer resolves the size of the receive buffer. The MTU is that of most links: a file knows no interfaces.
func (r *routers) receiveBuffer(b *block, i *Instance) int {
	if n, v := lookup[int64]("kernel_rx_buf_size", b); v != nil {
		return int(n)
	}
	policy, v := lookup[any]("vrrp_rx_bufs_policy", r.global)
	factor, _ := lookup[int64]("vrrp_rx_bufs_multiplier", r.global)
	switch {
	case v == nil:
		return 0
	case policy == policyMTU:
		return int(factor) * usualMTU
	case policy == policyAdvert:
		return int(factor) * (i.overhead() + len(i.Addresses)*addressSize(i.IPv6))
	}
	n, _ := policy.(int64)
	return int(n)
}
