package piranha

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/config/document"
)

// instance is the name of the virtual router that pulse becomes.
const instance = "LVS"

// router writes what is for all services: the daemon's settings, and who has the addresses.
func (t *translation) router(top *block, virtuals []*block) {
	addresses := t.addresses(virtuals)
	excluded := t.natRouter(top)
	pair := top.number("heartbeat", 1) == 1 && top.number("backup_active", 0) == 1 && top.values["backup"] != nil
	all := slices.Concat(addresses, excluded)
	if !pair && len(all) > 0 {
		t.List(all[0].At, "static_ipaddress", all)
	}
	t.Table(top.from("serial_no"), "global_defs", false, 0, t.unsaid(top)...)
	t.Set(top.from("serial_no"), "lvs_flush_on_stop", true) // as pulse does
	var timeouts []string
	at := top.at
	for _, name := range []string{"tcp", "tcpfin", "udp"} {
		if l := top.values[name+"_timeout"]; l != nil && l.value != "0" {
			timeouts, at = append(timeouts, name, l.value), l.from
		}
	}
	if len(timeouts) > 0 {
		t.Set(at, "lvs_timeouts", strings.Join(timeouts, " "))
	}
	if l := top.values["syncdaemon"]; l != nil && l.value == "1" {
		t.syncDaemon(top, l, pair && len(all) > 0, all)
	}
	if !pair {
		for _, name := range []string{"active_cmd", "inactive_cmd"} {
			if l := top.values[name]; l != nil {
				t.Warn(l.at, "", "%s has no effect: without a backup that is active, this router is always", name)
			}
		}
		return
	}
	if len(all) > 0 {
		t.pulse(top, addresses, excluded)
	}
}

// unsaid returns the comments of directives for all services.
func (t *translation) unsaid(top *block) (list []string) {
	for _, l := range top.lines {
		list = append(list, l.before...)
		l.before = nil
	}
	return list
}

func (t *translation) syncDaemon(top *block, l *line, paired bool, addresses []document.Item) {
	device := top.text("syncd_iface", "")
	if device == "" && len(addresses) > 0 {
		device = deviceOf(addresses[0])
	}
	t.Table(l.at, "global_defs.lvs_sync_daemon", false, 0)
	if device == "" {
		device = "eth0"
		t.Warn(l.at, "write syncd_iface = INTERFACE", "the sync daemon has no interface, and takes eth0")
	}
	t.Set(top.from("syncd_iface"), "interface", device)
	if paired {
		t.Set(l.from, "instance", instance)
	}
	if id := top.values["syncd_id"]; id != nil {
		t.set(id, "id", top.number("syncd_id", 0))
	}
}

// addresses returns those of services, in keepalived's words.
func (t *translation) addresses(virtuals []*block) (list []document.Item) {
	for _, b := range virtuals {
		l := b.values["address"]
		text, ok := t.vip(l, b.values["vip_nmask"])
		if ok && !slices.ContainsFunc(list, func(i document.Item) bool { return i.Value == text }) {
			list = append(list, document.Item{At: l.from, Value: text})
		}
	}
	return list
}

func (t *translation) natRouter(top *block) []document.Item {
	l := top.values["nat_router"]
	if l == nil || top.text("network", "nat") != "nat" {
		return nil
	}
	text, ok := t.vip(l, top.values["nat_nmask"])
	if !ok {
		return nil
	}
	return []document.Item{{At: l.from, Value: text}}
}

// vip reads "192.0.2.1 eth0:1" and a netmask.
func (t *translation) vip(l, mask *line) (string, bool) {
	words := strings.Fields(l.value)
	if len(words) != 2 {
		t.Error(l.from, "write ADDRESS INTERFACE, as in 192.0.2.1 eth0:1", "%s has to have an address and an interface", l.key)
		return "", false
	}
	a, err := netip.ParseAddr(words[0])
	if err != nil || !a.Is4() {
		t.Error(l.from, "", "%s is no address of IPv4", words[0])
		return "", false
	}
	length := 32
	if mask != nil {
		m, err := netip.ParseAddr(mask.value)
		if err != nil || !m.Is4() {
			t.Error(mask.from, "write it as in 255.255.255.0", "%s is no netmask", mask.value)
			return "", false
		}
		hosts := ^binary.BigEndian.Uint32(m.AsSlice())
		if length = bits.LeadingZeros32(hosts); bits.Len32(hosts) != bits.OnesCount32(hosts) {
			t.Error(mask.from, "", "the netmask %s has a hole", m)
			return "", false
		}
	}
	device, _, labelled := strings.Cut(words[1], ":")
	text := fmt.Sprintf("%s/%d dev %s", a, length, device)
	if labelled {
		text += " label " + words[1]
	}
	return text, true
}

// deviceOf returns the interface of an address that vip has returned.
func deviceOf(i document.Item) string { return strings.Fields(i.Value.(string))[2] }

// pulse writes the virtual router that has the addresses on one of the two routers.
func (t *translation) pulse(top *block, addresses, excluded []document.Item) {
	backup := top.values["backup"]
	t.Warn(backup.at, "change both routers at the same time, the backup first",
		"pulse's heartbeats become VRRP, which Piranha doesn't understand: virtual_router_id is 51, which nobody else on this network may have")
	t.Table(backup.at, document.Header("vrrp_instance", instance), false, 0)
	first := slices.Concat(addresses, excluded)[0]
	t.Set(first.At, "interface", deviceOf(first))
	t.Set(backup.from, "virtual_router_id", 51)
	t.priority(top)
	if l := top.values["deadtime"]; l != nil {
		t.Set(l.from, "advert_int", min(max(top.number("deadtime", 18)/3, 1), 255))
	} else {
		t.Set(backup.from, "advert_int", 6)
	}
	if len(addresses) == 0 {
		addresses, excluded = excluded, nil
	}
	t.List(first.At, "virtual_ipaddress", addresses)
	if len(excluded) > 0 {
		t.List(excluded[0].At, "virtual_ipaddress_excluded", excluded)
	}
	for _, name := range []string{"active_cmd", "inactive_cmd"} {
		l := top.values[name]
		if l == nil {
			continue
		}
		key := "notify_master"
		if name != "active_cmd" {
			key = "notify_backup"
		}
		t.Set(l.from, key, l.value)
	}
}

// priority says which of the two routers this is.
func (t *translation) priority(top *block) {
	own := []string{t.host.Hostname()}
	if list, err := t.host.LookupHost(own[0]); err == nil {
		own = append(own, list...)
	}
	switch backup := top.values["backup"]; {
	case slices.Contains(own, top.text("primary", "")):
		t.Set(top.from("primary"), "priority", 150)
	case slices.Contains(own, backup.value):
		t.Set(backup.from, "priority", 100)
	default:
		t.Warn(top.from("primary"), "let the host's name be known with that address, in /etc/hosts; or write priority into the file that ipvsctl convert makes, 150 for the primary",
			"neither primary nor backup is an address that this host's name, %s, has: its priority is 100, as if it were the backup", own[0])
		t.Set(top.from("primary"), "priority", 100)
	}
}
