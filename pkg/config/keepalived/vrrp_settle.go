package keepalived

import (
	"slices"
	"strings"
)

// settle ends an instance: what keepalived makes of keywords that go together, it makes of them when it has them all.
func (t *translation) settle(n *Node) {
	if t.has("no_virtual_ipaddress") && len(t.items("virtual_ipaddress")) > 0 {
		t.unset("no_virtual_ipaddress", "leave it out", "there is a virtual_ipaddress")
	}
	if !t.has("virtual_ipaddress") && !t.has("no_virtual_ipaddress") {
		t.Odd() // package config tells of it, too
	}
	if v, _ := t.value("advert_int").(float64); t.settled() == 2 && v != float64(int64(v)) {
		t.Odd()
	}
	strict := t.strict()
	version := t.settled()
	if version == 3 {
		if v, _ := t.value("advert_int").(float64); v > 40.95 {
			at := t.node("advert_int")
			t.Assume(at.Args[0].At, "write 40.95 or less", "version 3 of VRRP has no advert_int above 40.95 s, which keepalived takes instead")
			t.put(at, "advert_int", 40.95)
		}
	}
	if strict {
		t.comply(version)
	}
	t.election(n)
	t.unicast()
	if t.vrrp.router.auth != nil {
		switch at := t.block(n, "authentication"); {
		case version == 3:
			t.Assume(at.At, "leave it out, or write version 2 on all directors", "version 3 of VRRP has no authentication: keepalived takes no notice of it")
		case strict:
			t.Assume(at.At, "leave it out, or write strict_mode off", "the RFC has no authentication, and the instance is strict: keepalived takes no notice of it")
		default:
			t.vrrp.router.auth()
		}
	}
}

// block returns the last block of a name.
func (t *translation) block(n *Node, name string) (found *Node) {
	for _, k := range n.Block {
		if k.Text == name {
			found = k
		}
	}
	return found
}

// unset takes back a keyword that keepalived takes no notice of.
func (t *translation) unset(key, hint, why string, args ...any) {
	if n := t.drop(key); n != nil {
		t.ignored(n.Word, hint, key+": "+why, args...)
	}
}

// global returns what a keyword of global_defs is set to.
func (t *translation) global(key string) any { return t.vrrp.settings[key] }

func (t *translation) strict() bool {
	if on, ok := t.value("strict_mode").(bool); ok {
		return on
	}
	on, _ := t.global("vrrp_strict").(bool)
	return on
}

// settled returns the version of VRRP, and keeps it from contradicting the family.
func (t *translation) settled() int64 {
	version, written := t.value("version").(int64)
	if !written {
		if version, written = t.global("vrrp_version").(int64); !written {
			version = 2
		}
	}
	if t.vrrp.router.ipv6 {
		if t.value("version") == int64(2) {
			t.unset("version", "write 3, or leave it out", "the instance is IPv6, which version 2 hasn't")
		}
		version = 3
	}
	return version
}

// election settles state, priority and preemption.
func (t *translation) election(n *Node) {
	state, _ := t.value("state").(string)
	priority, written := t.value("priority").(int64)
	if state == "MASTER" && !written {
		at := t.block(n, "state")
		t.Warn(at.At, "write a priority such as 150", "state MASTER without a priority is priority 255 with keepalived 2.2.7: no other director can take over while this one is there")
		t.put(nil, "priority", int64(255))
		priority = 255
	}
	const begins = "write state BACKUP: it is only what an instance begins as, and the priority decides"
	switch {
	case priority == 255:
		t.unset("nopreempt", "leave it out, or write a lower priority", "priority 255 owns the addresses, and always takes them")
	case state == "MASTER":
		t.unset("nopreempt", begins, "an instance that begins as MASTER takes over")
	}
	switch {
	case state == "MASTER":
		t.unset("preempt_delay", begins, "an instance that begins as MASTER does not wait")
	case priority == 255 && t.has("preempt_delay"):
		t.unset("preempt_delay", "leave it out, or write a lower priority", "priority 255 owns the addresses, and takes them at once")
	}
	if t.has("timer_expired_backup") && !t.has("nopreempt") {
		t.unset("timer_expired_backup", "add nopreempt", "it works with nopreempt only")
	}
}

// unicast settles where adverts go.
func (t *translation) unicast() {
	peers := len(t.items("unicast_peer")) > 0
	if !peers && !t.has("unicast_fault_no_peer") {
		t.unset("unicast_ttl", "write it with unicast_peer", "there is no unicast_peer, and multicast has TTL 255")
		t.unset("check_unicast_src", "write it with unicast_peer", "there is no unicast_peer")
	}
	if !peers && t.has("old_unicast_checksum") {
		t.Assume(t.node("old_unicast_checksum").At, "write it with unicast_peer", "old_unicast_checksum has no effect: there is no unicast_peer")
	}
	if t.value("unicast_ttl") == int64(0) {
		at := t.drop("unicast_ttl")
		t.Warn(at.Args[0].At, "write 255, or leave it out", "packets with TTL 0 reach nobody: it is left out")
	}
	if peers {
		t.unset("mcast_dst_ip", "leave one of them out", "there is a unicast_peer")
		if t.has("use_vmac") && !t.has("vmac_xmit_base") && !t.strict() {
			at := t.node("use_vmac")
			t.Assume(at.At, "write vmac_xmit_base", "use_vmac with unicast_peer needs vmac_xmit_base, which keepalived adds")
			t.put(nil, "vmac_xmit_base", true)
		}
	} else if source := t.value("unicast_src_ip"); source != nil {
		n := t.drop("unicast_src_ip")
		t.Assume(n.At, "write mcast_src_ip, or add unicast_peer", "without unicast_peer adverts go by multicast; unicast_src_ip is their source")
		t.put(n, "mcast_src_ip", source)
	}
	if !t.has("mcast_src_ip") && !t.has("unicast_src_ip") {
		if n := t.drop("track_src_ip"); n != nil {
			t.skipped(n.Word, "add mcast_src_ip or unicast_src_ip", "track_src_ip: there is no address to look at")
		}
	}
	if t.has("interface") {
		t.unset("vrf", "leave one of them out", "there is an interface, which says where adverts go")
	}
	if !t.has("use_vmac") && !t.has("use_ipvlan") {
		t.unset("vmac_xmit_base", "write use_vmac with it", "there is no use_vmac")
	} else if t.has("use_vmac") {
		t.unset("use_ipvlan", "leave one of them out", "there is a use_vmac")
	}
}

// comply takes back what an instance that is strict can't have, as keepalived does.
func (t *translation) comply(version int64) {
	const hint = "leave it out, or write strict_mode off"
	priority, _ := t.value("priority").(int64)
	switch state := t.value("state"); {
	case state == "MASTER" && priority != 255 && t.has("priority"):
		at := t.node("state")
		t.Assume(at.At, "write state BACKUP", "the instance is strict, and MASTER is for priority 255: keepalived takes BACKUP")
		t.put(at, "state", "BACKUP")
	case state == "BACKUP" && priority == 255:
		at := t.node("state")
		t.Assume(at.At, "write state MASTER", "the instance is strict, and priority 255 is MASTER")
		t.put(at, "state", "MASTER")
	}
	for _, key := range []string{"preempt_delay", "vmac_xmit_base", "timer_expired_backup", "no_virtual_ipaddress", "garp_lower_prio_repeat", "garp_lower_prio_delay"} {
		t.unset(key, hint, "the RFC has none, and the instance is strict")
	}
	if v, _ := t.value("down_timer_adverts").(int64); v != 3 {
		t.unset("down_timer_adverts", hint, "it is 3 in the RFC, and the instance is strict")
	}
	for key, kept := range map[string]bool{"lower_prio_no_advert": true, "owner_ignore_adverts": true} {
		if t.has(key) && t.value(key) != kept {
			t.unset(key, hint, "the instance is strict")
		}
	}
	if version == 2 && priority != 255 {
		t.unset("accept", hint, "version 2 leaves the addresses to their owner, and the instance is strict")
	}
	if v, ok := t.value("use_vmac").(string); ok && strings.Count(v, ":") >= 4 {
		t.Warn(t.node("use_vmac").At, hint, "the MAC address is the RFC's, since the instance is strict: keepalived takes no notice of another one")
		words := slices.DeleteFunc(strings.Fields(v), func(w string) bool { return strings.Count(w, ":") >= 4 })
		var value any = true
		if len(words) > 0 {
			value = strings.Join(words, " ")
		}
		t.put(t.node("use_vmac"), "use_vmac", value)
	}
	if len(t.items("unicast_peer")) > 0 {
		t.lenient(priority)
	}
}

// lenient writes what strict_mode comes to for an instance with unicast peers, which keepalived has and ipvsd, as the RFC, has not.
func (t *translation) lenient(priority int64) {
	at := t.node("unicast_peer")
	t.Warn(at.At, "write strict_mode off", "unicast_peer contradicts strict_mode: the RFC has none; what else strict_mode means is written out")
	t.put(nil, "strict_mode", false)
	if !t.has("accept") && !t.has("no_accept") && priority != 255 {
		t.put(nil, "no_accept", true)
	}
	t.put(nil, "lower_prio_no_advert", true)
	t.put(nil, "garp_lower_prio_repeat", 0)
	t.put(nil, "garp_lower_prio_delay", 0)
}
