package config

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// Whatever keywords of VRRP come together, what Load accepts is printed and loaded again, and is sound.
func TestFormatOfAnyRouter(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 71))
	some := func(b *strings.Builder, odds int, lines ...string) { // each line for itself, or one of several alternatives
		for _, l := range lines {
			if alternatives := strings.Split(l, "|"); r.IntN(odds) == 0 {
				b.WriteString(alternatives[r.IntN(len(alternatives))] + "\n")
			}
		}
	}
	tracks := []string{
		`track_interface = ["eth7"]|track_interface = ["eth0 weight -5", { name = "eth1" }]|track_interface = "eth2 reverse"`,
		`track_script = ["s"]|track_script = ["s weight 0", "q weight 3 reverse"]`, `track_file = ["f"]|track_file = ["f weight 0", "g"]`,
		`track_process = ["p"]|track_process = { name = "p", weight = -254, reverse = true }`, `track_bfd = ["d", "e weight 9"]`, `track_route = ["r", "o"]`,
		`track_virtual_server = "fwmark 7"|track_virtual_server = [{ name = "fwmark 7", weight = 3 }]`,
		`notify = "/bin/n"|notify = ["/bin/n x", "u", "g"]`, `notify_master = "/bin/m"`, `notify_stop = "/bin/s"`,
		"notify_priority_changes = true|notify_priority_changes = false",
	}
	accepted := 0
	for range 3000 {
		var b strings.Builder
		some(&b, 9, `static_ipaddress = ["192.0.9.1/24 dev eth9", "2001:db8:9::1/64 dev eth9 track_group T"]`,
			`static_routes = ["198.51.100.0/24 via 192.0.9.254 dev eth9 track_group T"]`, `static_rules = ["from 192.0.9.1 table 9"]`,
			`linkbeat_interfaces = ["eth0", "eth1 IOCTL"]`, `interface_up_down_delays = { eth0 = 1 }|interface_up_down_delays = { eth0 = { up = "1.5s" } }`)
		b.WriteString("[global_defs]\n")
		some(&b, 9, "vrrp_version = 3", "vrrp_strict = true", `vrrp_mcast_group4 = "224.0.0.99"`, "vrrp_garp_master_delay = 0", "vrrp_garp_master_repeat = 1",
			"vrrp_min_garp = true", "vrrp_garp_lower_prio_delay = 9", "vrrp_garp_interval = 0.5", "vrrp_startup_delay = 0.1",
			`vrrp_check_unicast_src = true`, "vrrp_rt_priority = 0", "vrrp_no_swap = false", "vrrp_cpu_affinity = 3", `default_interface = "eth8"`,
			`notify_fifo = "/run/a"`, `vrrp_notify_fifo = ["/run/b", "u"]`, `vmac_prefix = "m"`, `vmac_addr_prefix = "x"`, "vrrp_rx_bufs_policy = 9",
			`lvs_sync_daemon = "eth1 VI_0"|lvs_sync_daemon = { interface = "eth1", instance = "VI_1", backup_only = true, id = 0 }`,
			"vrrp_down_timer_adverts = 1", "vrrp_lower_prio_no_advert = true", "vrrp_notify_priority_changes = true", "vrrp_garp_extra_if = \"all 5\"")
		b.WriteString("[[virtual_server]]\nfwmark = 7\n")
		b.WriteString("[track_file.f]\nfile = \"/f\"\n[vrrp_track_file.g]\nfile = \"/g\"\nweight = 0\n")
		some(&b, 3, "init_file = true|init_file = 4|init_file = \"overwrite\"|init_file = false", "reverse = true")
		b.WriteString("[vrrp_script.s]\nscript = \"/bin/s\"\n[vrrp_script.q]\nscript = [\"/bin/q 'a b'\", \"u\"]\n")
		some(&b, 3, "interval = 0.25", "timeout = 9", "weight = 5|weight = \"-5 reverse\"", "rise = 2", "fall = 2", "init_fail = true", "reverse = true|reverse = false")
		b.WriteString("[vrrp_track_process.p]\nprocess = \"p 'x y'\"\n")
		some(&b, 3, "quorum = 0|quorum = 3", "quorum_max = 0|quorum_max = 3", "delay = 1", "fork_delay = 0", `param_match = "partial"|param_match = false|param_match = true`)
		b.WriteString("[bfd_instance.d]\nneighbor_ip = \"192.0.2.1\"\n[bfd_instance.e]\nneighbor_ip = \"2001:db8::1\"\n")
		some(&b, 3, "min_rx = 0.5|min_rx = 1000|min_rx = \"3s\"", "multiplier = 1", "max_hops = -1", "passive = true", "weight = 3", "hoplimit = 3", "multihop = true")
		b.WriteString("[track_route.r]\nroute = \"default\"\n[track_route.o]\ngateway = \"192.0.2.1\"\n")
		some(&b, 3, `dev = "eth0"`, "weight = 7", "reverse = true")
		some(&b, 4, "[garp_group.x]\ngarp_interval = 1\ninterface = \"eth0\"|[garp_group.y]\ngna_interval = 1\ninterfaces = [\"eth0\", \"eth1\"]")
		number := 1 + r.IntN(3)
		for i := range number {
			fmt.Fprintf(&b, "[vrrp_instance.VI_%d]\ninterface = \"eth%d\"\nvirtual_router_id = %d\n", i, r.IntN(2), 50+i)
			if r.IntN(4) == 0 {
				fmt.Fprintf(&b, "virtual_ipaddress = [\"fe80::%d\", \"2001:db8::%d/64 dev eth3 use_vmac\"]\n", i, i)
			} else {
				fmt.Fprintf(&b, "virtual_ipaddress = [\"192.0.2.%d/24 brd + label eth0:1\", \"192.0.3.%d dev eth3\"]\n", i, i)
			}
			if r.IntN(5) == 0 {
				fmt.Fprintf(&b, "virtual_ipaddress_excluded = [\"192.0.4.%d/24 no_track dev eth4\", \"2001:db8:4::%d/64 preferred_lft 7 use_vmac\"]\n", i, i)
			}
			some(&b, 3, "priority = 255|priority = 150|priority = 1", "advert_int = 3|advert_int = 0.02")
			some(&b, 6, "state = \"MASTER\"|state = \"BACKUP\"", "version = 3|version = 2", "nopreempt = true|preempt = false", "preempt_delay = 5",
				"use_vmac = true|use_vmac = \"a\"|use_vmac = { mac = \"02:00:00:00:00:01\", group = 0 }|use_ipvlan = \"i 192.0.2.99/24\"")
			some(&b, 12, "use_vmac_addr = true", "vmac_xmit_base = true", "promote_secondaries = true", "release_to_lo = true",
				`mcast_src_ip = "192.0.2.99"`, "track_src_ip = true", `mcast_dst_ip = "224.0.0.98"`, `unicast_peer = ["192.0.2.1", "192.0.2.2 min_ttl 5"]`,
				"unicast_ttl = 9", "check_unicast_src = true", "unicast_fault_no_peer = true", "accept = true|accept = false", "no_accept = true|no_accept = false",
				"strict_mode = true|strict_mode = false", "timer_expired_backup = true|timer_expired_backup = 9", "down_timer_adverts = 9",
				"garp_master_repeat = 0", "garp_master_delay = 1", "garp_master_refresh = 0.5", "garp_lower_prio_repeat = 0", "garp_lower_prio_delay = 0",
				"garp_extra_if = 5|garp_extra_if = \"all 1h\"", "lower_prio_no_advert = true", "owner_ignore_adverts = true", "kernel_rx_buf_size = 1",
				`authentication = { auth_type = "PASS", auth_pass = "\"\\# ü" }|authentication = { auth_type = "AH", auth_pass = "x" }`,
				`auth_hmac = { key = "7 0123456789abcdef0123456789abcdef", time_window = 9, anti_replay = "monotonic" }|auth_hmac = { key = { 1 = "file:/k", 200 = "file:/l" } }`,
				"dont_track_primary = true", `virtual_routes = ["blackhole 198.51.100.9", "default via 192.0.2.9 dev eth0 table 9"]`,
				`virtual_rules = ["to 198.51.100.9 table 9", "iif eth0 blackhole no_track"]`, "notify_deleted = true|notify_deleted = \"/bin/d\"|notify_deleted = false")
			some(&b, 12, tracks...)
		}
		some(&b, 2, "[vrrp_sync_group.G]\ngroup = [\"VI_0\", \"VI_1\"]\nsync_group_tracking_weight = true|[vrrp_sync_group.G]\ngroup = [\"VI_1\", \"VI_0\"]")
		if strings.Contains(b.String(), "[vrrp_sync_group.G]") {
			some(&b, 6, tracks...)
		}
		b.WriteString("[track_group.T]\ngroup = [\"VI_0\"]\n")
		if c, _ := Load("t.toml", []byte(b.String())); c != nil {
			accepted++
			soundRouters(t, &c.VRRP)
			reloads(t, c)
		}
	}
	if accepted < 300 {
		t.Errorf("only %d were accepted", accepted)
	}
}
