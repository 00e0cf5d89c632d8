package config

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// instance writes a vrrp_instance. Its group is nil if it has none.
func (p *printer) instance(i *Instance, group *Group) {
	p.table("", "[vrrp_instance."+bare(i.Name)+"]")
	p.identity(i)
	p.addresses(i)
	p.link(i)
	p.election(i)
	p.announce(i)
	p.signature(i)
	own := slices.ContainsFunc(i.Tracks, func(t vrrp.Track) bool { return t.Kind == vrrp.TrackInterface && t.Name == i.home() })
	differs(p, "dont_track_primary", !own && i.home() != "", false)
	devs := append(i.addressDevs(), i.home())
	p.tracks(i.Tracks, func(t vrrp.Track) bool {
		return t.Weight == 0 && !t.Reverse && t.Kind == vrrp.TrackInterface && slices.Contains(devs, t.Name) ||
			t.Kind == vrrp.TrackRoute && !plainName(t.Name) // of static_routes
	})
	p.notify(&i.Notify)
	differs(p, "notify_priority_changes", i.Notify.PriorityChanges, group != nil && group.Notify.PriorityChanges)
}

func (p *printer) identity(i *Instance) {
	usual := vrrp.Backup
	if i.Priority == 255 {
		usual = vrrp.Active
	}
	if i.Initial != usual {
		p.set("state", i.Initial.String())
	}
	differs(p, "interface", i.home(), "")
	p.set("virtual_router_id", int64(i.VRID))
	if i.Initial == vrrp.Active && p.objects == nil {
		p.set("priority", int64(i.Priority))
	} else {
		differs(p, "priority", int64(i.Priority), fallback[int64]("priority"))
	}
	if i.Version == 3 && !i.IPv6 {
		p.set("version", int64(3))
	}
	differs(p, "advert_int", i.AdvertInterval, fallback[time.Duration]("advert_int"))
	differs(p, "native_ipv6", i.IPv6 && len(i.Addresses) == 0, false)
	differs(p, "vrf", i.VRF, "")
	if i.Link == nil || i.Source != i.Link.Addr.Addr() {
		differs(p, "mcast_src_ip", i.Source, netip.Addr{})
	}
	differs(p, "track_src_ip", i.TrackSource, false)
	group := fallback[netip.Addr]("vrrp_mcast_group4")
	if i.IPv6 {
		group = fallback[netip.Addr]("vrrp_mcast_group6")
	}
	if i.Multicast.IsValid() {
		differs(p, "mcast_dst_ip", i.Multicast, group)
	}
	var peers []any
	limited := false
	for _, peer := range i.Peers {
		if peer.MinTTL == 0 && peer.MaxTTL == 255 {
			peers = append(peers, peer.Addr)
			continue
		}
		limited = true
		peers = append(peers, inline{{"address", peer.Addr, nil}, {"min_ttl", int64(peer.MinTTL), int64(0)}, {"max_ttl", int64(peer.MaxTTL), int64(255)}})
	}
	if len(peers) > 0 {
		p.set("unicast_peer", peers)
	}
	differs(p, "unicast_fault_no_peer", i.FaultWithoutPeers, false)
	differs(p, "unicast_ttl", int64(i.TTL), 0)
	differs(p, "check_unicast_src", i.CheckSource && !limited, false)
	differs(p, "old_unicast_checksum", i.OldUnicastChecksum, false)
	differs(p, "v3_checksum_as_v2", i.ChecksumAsV2, false)
	differs(p, "skip_check_adv_addr", i.SkipCheckAddresses, false)
	differs(p, "kernel_rx_buf_size", int64(i.ReceiveBuffer), 0)
}

// addresses writes what the instance has while it is active.
func (p *printer) addresses(i *Instance) {
	written := make([]string, len(i.Active.Addresses))
	for n, a := range i.Active.Addresses {
		for _, l := range i.MoreLinks {
			if l.Name == a.Dev {
				a.Dev = l.Base
			}
		}
		if a.Dev == i.Interface || a.Dev == i.home() {
			a.Dev = ""
		}
		written[n] = a.String()
	}
	listed := len(i.Addresses)
	p.list("virtual_ipaddress", written[:listed])
	differs(p, "no_virtual_ipaddress", listed == 0, false)
	p.list("virtual_ipaddress_excluded", written[listed:])
	p.list("virtual_routes", printedLines(i.Active.Routes))
	p.list("virtual_rules", printedLines(i.Active.Rules))
	differs(p, "promote_secondaries", i.PromoteSecondaries, false)
	differs(p, "release_to_lo", len(i.Idle.Addresses) > 0, false)
	if len(written) > 0 && i.Priority != 255 {
		accepts := len(i.Active.Denied) == 0
		differs(p, "no_accept", !accepts && !i.Strict, false)
		differs(p, "accept", accepts && i.Strict, false)
	}
}

func (p *printer) link(i *Instance) {
	l := i.Link
	if l == nil {
		return
	}
	prefix := fallback[string]("vmac_prefix")
	if l.IPv6 {
		prefix += "6"
	}
	words := inline{{"name", l.Name, fmt.Sprintf("%s.%d", prefix, i.VRID)}}
	keyword := "use_vmac"
	if l.Kind == vip.MACVLAN {
		words = append(words, field{"mac", hardware(l.MAC), hardware(virtualMAC(i.VRID, i.IPv6))})
	} else {
		keyword = "use_ipvlan"
		if l.Addr.IsValid() {
			words = append(words, field{"address", l.Addr.String(), nil})
		}
		words = append(words, field{"mode", linkModes[l.Mode], linkModes[vip.Bridge]})
	}
	if l.GroupSet {
		words = append(words, field{"group", int64(l.Group), nil})
	}
	if words.String() == (inline{}).String() {
		p.set(keyword, true)
	} else {
		p.set(keyword, words)
	}
	differs(p, "vmac_xmit_base", i.Base != "", false)
}

func (p *printer) election(i *Instance) {
	differs(p, "strict_mode", i.Strict, false)
	differs(p, "nopreempt", !i.Preempt, false)
	differs(p, "preempt_delay", i.PreemptDelay, 0)
	differs(p, "down_timer_adverts", int64(i.DownTimerAdverts), fallback[int64]("vrrp_down_timer_adverts"))
	differs(p, "timer_expired_backup", int64(i.TimerExpiredBackup), 0)
	differs(p, "lower_prio_no_advert", i.LowerPrioNoAdvert, i.Strict)
	differs(p, "higher_prio_send_advert", i.HigherPrioSendAdvert, !i.Strict)
	differs(p, "owner_ignore_adverts", i.OwnerIgnoreAdverts, i.Strict)
}

func (p *printer) announce(i *Instance) {
	a := i.Active.Announce
	differs(p, "garp_master_delay", a.Delay, fallback[time.Duration]("vrrp_garp_master_delay"))
	differs(p, "garp_master_repeat", int64(a.Repeat), fallback[int64]("vrrp_garp_master_repeat"))
	differs(p, "garp_master_refresh", a.Refresh, fallback[time.Duration]("vrrp_garp_master_refresh"))
	differs(p, "garp_master_refresh_repeat", int64(a.RefreshRepeat), fallback[int64]("vrrp_garp_master_refresh_repeat"))
	if !i.Strict {
		differs(p, "garp_lower_prio_delay", a.LowerDelay, a.Delay)
		differs(p, "garp_lower_prio_repeat", int64(a.LowerRepeat), int64(a.Repeat))
	}
	switch {
	case a.ExtraAll:
		p.set("garp_extra_if", "all "+a.ExtraEvery.String())
	case a.ExtraEvery > 0:
		p.set("garp_extra_if", a.ExtraEvery)
	}
}

// signature writes how adverts prove who sent them. A file that is loaded again needs the secrets.
func (p *printer) signature(i *Instance) {
	if i.Auth.Type != vrrp.NoAuth {
		kind := "PASS"
		if i.Auth.Type == vrrp.AuthAH {
			kind = "AH"
		}
		p.set("authentication", inline{{"auth_type", kind, nil}, {"auth_pass", strings.TrimRight(string(i.Auth.Password[:]), "\x00"), ""},
			{"auth_pass_file", i.PasswordFile, ""}})
	}
	h := i.HMAC
	if h == nil {
		return
	}
	keys := make(map[uint8]string)
	for id, key := range h.Keys {
		keys[id] = "hex:" + hex.EncodeToString(key)
	}
	for id, file := range i.KeyFiles {
		keys[id] = "file:" + file
	}
	var list table
	var ids []uint8
	for id := range keys {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		list = append(list, field{fmt.Sprint(id), keys[id], nil})
	}
	replay := "time"
	if h.Monotonic {
		replay = "monotonic"
	}
	p.set("auth_hmac", inline{
		{"key", list, nil}, {"active_key", int64(h.Active), int64(ids[0])}, {"anti_replay", replay, "time"},
		{"time_window", h.TimeWindow, i.timeWindow()},
		{"mode", [...]string{vrrp.Enforce: "enforce", vrrp.Permissive: "permissive", vrrp.ReceiveOnly: "receive-only"}[h.Mode], "enforce"},
	})
}
