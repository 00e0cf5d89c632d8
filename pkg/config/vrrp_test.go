package config

import (
	"fmt"
	"net/netip"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

var addresses = cmpopts.EquateComparable(netip.AddrPort{}, netip.Addr{}, netip.Prefix{}, health.ID{})

// plainInstance is one without surprises, which tests add lines to.
const plainInstance = `[vrrp_instance.VI_1]
interface = "eth0"
virtual_router_id = 51
virtual_ipaddress = ["192.0.2.200/24"]
`

// oneInstance loads plainInstance with more lines.
func oneInstance(t *testing.T, more string, warnings ...string) *Instance {
	t.Helper()
	return accept(t, plainInstance+more, warnings...).VRRP.Instances[0]
}

func TestPlainInstance(t *testing.T) {
	i := oneInstance(t, "")
	addr := netip.MustParseAddr("192.0.2.200")
	want := &Instance{
		Instance: vrrp.Instance{
			Name: "VI_1", VRID: 51, Version: 2, Interface: "eth0", Priority: 100, Initial: vrrp.Backup, AdvertInterval: time.Second,
			DownTimerAdverts: 3, Preempt: true, HigherPrioSendAdvert: true, Multicast: netip.MustParseAddr("224.0.0.18"), Addresses: []netip.Addr{addr},
			Tracks: []vrrp.Track{{Object: vrrp.Object{Kind: vrrp.TrackInterface, Name: "eth0"}}},
		},
		Active: vip.Wish{
			Owner:     "VI_1",
			Addresses: []vip.Address{{Prefix: netip.PrefixFrom(addr, 24), Dev: "eth0", PreferredLft: vip.Forever}},
			Announce:  &vip.Announce{Repeat: 5, Delay: 5 * time.Second, RefreshRepeat: 1, LowerRepeat: 5, LowerDelay: 5 * time.Second, Source: "eth0"},
		},
		Idle: vip.Wish{Owner: "VI_1"},
	}
	if diff := cmp.Diff(want, i, addresses); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if v := accept(t, plainInstance).VRRP; v.Realtime.Priority != 50 || !v.Realtime.NoSwap {
		t.Errorf("%+v", v.Realtime)
	}
}

func TestEveryFieldOfAnInstance(t *testing.T) {
	c := accept(t, `
[global_defs]
script_user = "nobody"
vrrp_startup_delay = 5.5
vrrp_delay_after_boot = 30
[vrrp_instance.VI_1]
interface = "eth0"
virtual_router_id = 7
priority = 120
version = 3
advert_int = 0.25
nopreempt = true
timer_expired_backup = 200
down_timer_adverts = 5
lower_prio_no_advert = true
higher_prio_send_advert = false
owner_ignore_adverts = true
skip_check_adv_addr = true
v3_checksum_as_v2 = true
old_unicast_checksum = true
mcast_src_ip = "192.0.2.9"
track_src_ip = true
unicast_peer = ["192.0.2.2", "192.0.2.3 max_ttl 64"]
unicast_ttl = 63
kernel_rx_buf_size = 4096
auth_hmac = { key = { 9 = "hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", 3 = "file:/etc/k" }, mode = "permissive" }
virtual_ipaddress = ["192.0.2.200/24"]
virtual_ipaddress_excluded = ["2001:db8::1/64 dev eth1 -nodad", "192.0.2.201 no_track dev eth2"]
virtual_routes = ["198.51.100.0/24 via 192.0.2.1 dev eth0"]
virtual_rules = ["from 192.0.2.200 table 7"]
release_to_lo = true
no_accept = true
promote_secondaries = true
garp_master_repeat = 2
garp_master_delay = 3
garp_master_refresh = 60
garp_master_refresh_repeat = 4
garp_lower_prio_repeat = 0
garp_lower_prio_delay = 1
garp_extra_if = "all 90"
notify = ["/bin/n a", "u", "g"]
notify_master = "/bin/m"
notify_backup = "/bin/b"
notify_fault = "/bin/f"
notify_stop = "/bin/s"
notify_deleted = "/bin/d"
notify_master_rx_lower_pri = "/bin/l"
notify_priority_changes = true
track_interface = ["eth7", "eth8 weight -20 reverse"]
`)
	addr, prefix := netip.MustParseAddr, netip.MustParsePrefix
	run := func(argv ...string) *Script { return &Script{Argv: argv, User: "nobody"} }
	track := func(k vrrp.ObjectKind, name string) vrrp.Track {
		return vrrp.Track{Object: vrrp.Object{Kind: k, Name: name}}
	}
	var key [32]byte
	for i := range key {
		key[i] = byte(i)
	}
	route, _ := vip.ParseRoute("198.51.100.0/24 via 192.0.2.1 dev eth0")
	rule, _ := vip.ParseRule("from 192.0.2.200 table 7")
	lo := func(s string) vip.Address {
		return vip.Address{Prefix: prefix(s), Dev: "lo", PreferredLft: vip.Forever}
	}
	want := &Instance{
		Instance: vrrp.Instance{
			Name: "VI_1", VRID: 7, Version: 3, Interface: "eth0", Priority: 120, Initial: vrrp.Backup,
			AdvertInterval: 250 * time.Millisecond, DownTimerAdverts: 5, TimerExpiredBackup: 200,
			StartupDelay: 5500 * time.Millisecond, AfterBoot: 30 * time.Second,
			LowerPrioNoAdvert: true, OwnerIgnoreAdverts: true,
			SkipCheckAddresses: true, ChecksumAsV2: true, OldUnicastChecksum: true,
			Source: addr("192.0.2.9"), TrackSource: true, TTL: 63, CheckSource: true, ReceiveBuffer: 4096,
			Peers:     []vrrp.Peer{{Addr: addr("192.0.2.2"), MaxTTL: 255}, {Addr: addr("192.0.2.3"), MaxTTL: 64}},
			Addresses: []netip.Addr{addr("192.0.2.200")},
			HMAC:      &vrrp.HMAC{Keys: map[uint8][]byte{9: key[:]}, Active: 3, TimeWindow: 5 * time.Second, Mode: vrrp.Permissive},
			Tracks: []vrrp.Track{track(vrrp.TrackInterface, "eth0"), track(vrrp.TrackInterface, "eth1"), track(vrrp.TrackInterface, "eth7"),
				{Object: vrrp.Object{Kind: vrrp.TrackInterface, Name: "eth8"}, Weight: -20, Reverse: true}, track(vrrp.TrackAddress, "192.0.2.9")},
		},
		KeyFiles: map[uint8]string{3: "/etc/k"},
		Active: vip.Wish{
			Owner:  "VI_1",
			Denied: []netip.Addr{addr("192.0.2.200"), addr("2001:db8::1"), addr("192.0.2.201")},
			Addresses: []vip.Address{
				{Prefix: prefix("192.0.2.200/24"), Dev: "eth0", PreferredLft: vip.Forever},
				{Prefix: prefix("2001:db8::1/64"), Dev: "eth1", DAD: true, PreferredLft: vip.Forever},
				{Prefix: prefix("192.0.2.201/32"), Dev: "eth2", NoTrack: true, PreferredLft: vip.Forever},
			},
			Routes: []vip.Route{route}, Rules: []vip.Rule{rule},
			Announce: &vip.Announce{
				Repeat: 2, Delay: 3 * time.Second, Refresh: time.Minute, RefreshRepeat: 4, LowerDelay: time.Second,
				ExtraEvery: 90 * time.Second, ExtraAll: true, Source: "eth0",
			},
		},
		Idle: vip.Wish{Owner: "VI_1", Addresses: []vip.Address{lo("192.0.2.200/32"), lo("2001:db8::1/128"), lo("192.0.2.201/32")}},
		Notify: Notify{
			Master: run("/bin/m"), Backup: run("/bin/b"), Fault: run("/bin/f"), Stop: run("/bin/s"), Deleted: run("/bin/d"),
			Any: &Script{Argv: []string{"/bin/n", "a"}, User: "u", Group: "g"}, RxLowerPri: run("/bin/l"), PriorityChanges: true, TellDeleted: true,
		},
		PromoteSecondaries: true,
	}
	if diff := cmp.Diff(want, c.VRRP.Instances[0], addresses); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The two directors of scenario 1 differ in nothing but who comes first.
func TestTwoDirectors(t *testing.T) {
	var files [2]string
	var configs [2]*Config
	for n, which := range []string{"master", "backup"} {
		file := "../../examples/two-directors-" + which + ".toml"
		text := string(read(t, file))
		c, found := Load(file, []byte(text))
		if c == nil || len(found) > 0 {
			t.Fatalf("%s", found.Format([]byte(text)))
		}
		configs[n] = c
		files[n] = regexp.MustCompile(`(?m)^(state|priority) = .*|^#.*`).ReplaceAllString(text, "")
	}
	if diff := cmp.Diff(files[0], files[1]); diff != "" {
		t.Errorf("(-master +backup):\n%s", diff)
	}
	master, backup := configs[0].VRRP, configs[1].VRRP
	for n, i := range master.Instances {
		j := backup.Instances[n]
		if i.Initial != vrrp.Active || i.Priority != 150 || j.Initial != vrrp.Backup || j.Priority != 100 || i.Group != "VG1" ||
			string(i.Auth.Password[:]) != "mypasswd" || i.Auth.Type != vrrp.AuthPASS || i.VRID != uint8(51+n) {
			t.Errorf("%+v\n%+v", i, j)
		}
	}
	if len(master.Groups) != 1 || !reflect.DeepEqual(master.Groups[0].Members, []string{"VI_E", "VI_I"}) || master.SyncRole != "VI_E" {
		t.Errorf("%+v", master)
	}
	if d := configs[0].GlobalDefs.LVSSyncDaemon; d.Master != d.Backup || d.Master.SyncID != 51 || d.Master.Interface != "eth1" {
		t.Errorf("%+v", d)
	}
	if got := master.Interfaces(); !reflect.DeepEqual(got, []string{"eth0", "eth1"}) {
		t.Errorf("%q", got)
	}
}

// What keepalived rounds, we round, and say so; 3.3 of the notes.
func TestAdvertInterval(t *testing.T) {
	for _, tt := range []struct {
		version int
		written string
		want    time.Duration
		warning string
	}{
		{2, "1", time.Second, ""},
		{2, "255", 255 * time.Second, ""},
		{2, "0.2", time.Second, "advert_int 0.2 is 1: version 2 of VRRP counts in steps of 1 s"},
		{2, "1.5", 2 * time.Second, "advert_int 1.5 is 2: version 2 of VRRP counts in steps of 1 s"},
		{2, "2.4", 2 * time.Second, "advert_int 2.4 is 2: version 2 of VRRP counts in steps of 1 s"},
		{3, "0.01", 10 * time.Millisecond, ""},
		{3, `"40.95s"`, 40950 * time.Millisecond, ""},
		{3, "0.125", 130 * time.Millisecond, "advert_int 0.125 is 0.13: version 3 of VRRP counts in steps of 0.01 s"},
	} {
		var warnings []string
		if tt.warning != "" {
			warnings = []string{"6:14 warning: " + tt.warning}
		}
		i := oneInstance(t, fmt.Sprintf("version = %d\nadvert_int = %s\n", tt.version, tt.written), warnings...)
		if i.AdvertInterval != tt.want {
			t.Errorf("version %d, %s: %v, want %v", tt.version, tt.written, i.AdvertInterval, tt.want)
		}
	}
}

func TestVRRPWarnings(t *testing.T) {
	const second = "[vrrp_instance.VI_2]\ninterface = \"eth0\"\nvirtual_router_id = 52\n"
	for _, tt := range []struct{ name, text, warning string }{
		{"no address", "[vrrp_instance.VI_1]\ninterface = \"eth0\"\nvirtual_router_id = 51\n",
			"1:1 warning: the instance has no virtual_ipaddress"},
		{"one address in two instances", plainInstance + second + `virtual_ipaddress = ["192.0.2.200"]`,
			"5:1 warning: VI_1 and VI_2 have the same address 192.0.2.200 on eth0"},
		{"a group of one", plainInstance + "[vrrp_sync_group.G]\ngroup = [\"VI_1\"]\n", "6:9 warning: the sync group has one instance only"},
		{"AH and MASTER", plainInstance + "state = \"MASTER\"\npriority = 150\nauthentication = { auth_type = \"AH\", auth_pass = \"x\" }\n",
			"7:32 warning: with auth_type AH it begins as BACKUP: it must hear first how far the others have counted"},
		{"delay without preemption", plainInstance + "nopreempt = true\npreempt_delay = 60\n",
			"6:1 warning: preempt_delay has no effect with nopreempt"},
		{"sources without peers", plainInstance + "check_unicast_src = true\n",
			"5:1 warning: check_unicast_src has no effect without unicast_peer"},
		{"weights of an owner", plainInstance + "priority = 255\ntrack_interface = [\"eth1\", \"eth2 weight 5\"]\n",
			"6:28 warning: the weight of eth2 has no effect: priority 255 never changes"},
		{"weights in a group", plainInstance + "track_interface = [\"eth2 weight 5\"]\n" + second + "virtual_ipaddress = [\"192.0.2.201\"]\n" +
			"[vrrp_sync_group.G]\ngroup = [\"VI_1\", \"VI_2\"]\n",
			"5:20 warning: the weight of eth2 counts as 0, a FAULT: members of a sync group keep their priorities"},
		{"a script's weight in a group", plainInstance + "track_script = [\"s weight 5\"]\n" + second + "virtual_ipaddress = [\"192.0.2.201\"]\n" +
			"[vrrp_sync_group.G]\ngroup = [\"VI_1\", \"VI_2\"]\ntrack_script = [\"s weight 7\"]\n[vrrp_script.s]\nscript = \"/bin/s\"\n",
			"5:17 warning: the weight of s has no effect: members of a sync group keep their priorities"},
		{"its own interface", plainInstance + "track_interface = [\"eth1\", \"eth0 weight 5\"]\n",
			"5:28 warning: eth0 has no effect here: it is the instance's own interface, and dont_track_primary says whether its link matters"},
		{"a file of an owner", plainInstance + "priority = 255\ntrack_file = [\"f\"]\n[track_file.f]\nfile = \"/f\"\n",
			"6:15 warning: the weight of f counts as 0, a FAULT: priority 255 never changes"},
		{"a static rule", "static_rules = [\"from 192.0.2.1 table 7 track_group G\"]\n" + plainInstance + "[track_group.G]\ngroup = [\"VI_1\"]\n",
			"1:17 warning: track_group has no effect: a static rule that goes is put back at once"},
	} {
		t.Run(tt.name, func(t *testing.T) { accept(t, tt.text, tt.warning) })
	}
}

// An advert has room for so many addresses; the rest are there, but not in it.
func TestTooManyAddresses(t *testing.T) {
	for _, tt := range []struct {
		form, more string
		number     int
		want       int
	}{
		{`"10.0.%d.%d"`, "", 300, 255},
		{`"10.0.%d.%d"`, "", 255, 255},
		{`"2001:db8::%d:%d"`, "", 100, 90},
		{`"2001:db8::%d:%d"`, "auth_hmac = { key = { 1 = \"file:/k\" } }\n", 100, 89},
	} {
		var list []string
		for n := range tt.number {
			list = append(list, fmt.Sprintf(tt.form, n>>8, n&255))
		}
		text := strings.Replace(plainInstance, `"192.0.2.200/24"`, "\n"+strings.Join(list, ",\n"), 1) + tt.more
		var warnings []string
		if tt.number > tt.want {
			warnings = append(warnings, fmt.Sprintf("%d:1 warning: an advert has room for %d addresses, not %d: the others are excluded from it",
				tt.want+5, tt.want, tt.number))
		}
		i := accept(t, text, warnings...).VRRP.Instances[0]
		if len(i.Addresses) != tt.want || len(i.Active.Addresses) != tt.number {
			t.Errorf("%d of %d in the advert", len(i.Addresses), len(i.Active.Addresses))
		}
	}
}

// What an instance does not say, global_defs say.
func TestGlobalDefaultsOfInstances(t *testing.T) {
	const global = `[global_defs]
vrrp_version = 3
vrrp_mcast_group4 = "224.0.0.99"
vrrp_garp_master_delay = 7
vrrp_garp_master_repeat = 3
vrrp_down_timer_adverts = 4
vrrp_lower_prio_no_advert = true
vrrp_rx_bufs_policy = "ADVERT"
vrrp_notify_priority_changes = true
`
	i := accept(t, global+plainInstance).VRRP.Instances[0]
	if a := i.Active.Announce; i.Version != 3 || i.Multicast != netip.MustParseAddr("224.0.0.99") || i.DownTimerAdverts != 4 ||
		!i.LowerPrioNoAdvert || i.ReceiveBuffer != 3*(20+8+4) || !i.Notify.PriorityChanges || a.Delay != 7*time.Second || a.LowerDelay != a.Delay ||
		a.Repeat != 3 || a.LowerRepeat != 3 {
		t.Errorf("%+v\n%+v", i, a)
	}
	i = accept(t, global+plainInstance+`version = 2
mcast_dst_ip = "224.0.0.100"
garp_master_delay = 0
garp_lower_prio_repeat = 1
down_timer_adverts = 2
lower_prio_no_advert = false
notify_priority_changes = false
`).VRRP.Instances[0]
	if a := i.Active.Announce; i.Version != 2 || i.Multicast != netip.MustParseAddr("224.0.0.100") || i.DownTimerAdverts != 2 ||
		i.LowerPrioNoAdvert || i.Notify.PriorityChanges || a.Delay != 0 || a.LowerRepeat != 1 {
		t.Errorf("%+v\n%+v", i, a)
	}
	a := accept(t, "[global_defs]\nvrrp_min_garp = true\n"+plainInstance).VRRP.Instances[0].Active.Announce
	if want := (vip.Announce{Repeat: 1, RefreshRepeat: 1, LowerRepeat: 1, Source: "eth0"}); *a != want {
		t.Errorf("%+v", a)
	}
	for _, text := range []string{"[global_defs]\nvrrp_strict = true\n" + plainInstance, plainInstance + "strict_mode = true\n"} {
		i := accept(t, text).VRRP.Instances[0]
		if !i.Strict || !i.LowerPrioNoAdvert || i.HigherPrioSendAdvert || !i.OwnerIgnoreAdverts || len(i.Active.Denied) != 1 || i.Active.Announce.LowerRepeat != 0 {
			t.Errorf("%+v", i)
		}
	}
	for _, text := range []string{
		"[global_defs]\nvrrp_strict = true\nvrrp_higher_prio_send_advert = true\n" + plainInstance,
		plainInstance + "strict_mode = true\nhigher_prio_send_advert = true\n",
	} {
		if i := accept(t, text).VRRP.Instances[0]; !i.HigherPrioSendAdvert {
			t.Errorf("%+v", i)
		}
	}
	i = accept(t, "[global_defs]\nvrrp_strict = true\n"+plainInstance+"priority = 255\n").VRRP.Instances[0]
	if i.Initial != vrrp.Active || len(i.Active.Denied) != 0 {
		t.Errorf("%+v", i)
	}
}

func TestMadeInterfaces(t *testing.T) {
	mac := func(last byte) [6]byte { return [6]byte{0, 0, 0x5e, 0, 1, last} }
	for _, tt := range []struct {
		more string
		want vip.Link
	}{
		{"use_vmac = true", vip.Link{Name: "vrrp.51", Base: "eth0", MAC: mac(51)}},
		{`use_vmac = "v1"` + "\nvmac_xmit_base = true", vip.Link{Name: "v1", Base: "eth0", MAC: mac(51), Private: true}},
		{`use_vmac = "v1 00:11:22:33:44 netlink_notify_msg group 7"`,
			vip.Link{Name: "v1", Base: "eth0", MAC: [6]byte{0, 0x11, 0x22, 0x33, 0x44, 51}, Group: 7, GroupSet: true}},
		{`use_vmac = { interface = "eth5", mac = "00:11:22:33:44:55" }`,
			vip.Link{Name: "vrrp.51", Base: "eth5", MAC: [6]byte{0, 0x11, 0x22, 0x33, 0x44, 0x55}}},
		{`use_ipvlan = "v1 192.0.2.9/24 vepa"`,
			vip.Link{Name: "v1", Base: "eth0", Kind: vip.IPVLAN, Mode: vip.VEPA, Addr: netip.MustParsePrefix("192.0.2.9/24")}},
		{`use_ipvlan = { address = "192.0.2.9" }`,
			vip.Link{Name: "vrrp.51", Base: "eth0", Kind: vip.IPVLAN, Mode: vip.Bridge, Addr: netip.MustParsePrefix("192.0.2.9/32")}},
	} {
		i := oneInstance(t, tt.more+"\n")
		if diff := cmp.Diff(&tt.want, i.Link, addresses); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.more, diff)
		}
		if i.Interface != tt.want.Name || i.Parent != tt.want.Base || i.Active.Addresses[0].Dev != tt.want.Name || i.Active.Announce.Source != tt.want.Name ||
			tt.want.Private != (i.Base == tt.want.Base) || i.Tracks[0].Name != tt.want.Base || tt.want.Kind == vip.IPVLAN && i.Source != tt.want.Addr.Addr() {
			t.Errorf("%s: %+v", tt.more, i)
		}
	}
	c := accept(t, plainInstance+`virtual_ipaddress_excluded = ["2001:db8::1/64", "10.0.0.1 dev eth1", "10.0.0.2 dev eth2", "10.0.0.3 dev eth2"]
use_vmac = true
use_vmac_addr = true
`)
	var devs []string
	for _, a := range c.VRRP.Instances[0].Active.Addresses {
		devs = append(devs, a.Dev)
	}
	var links []string
	for _, l := range c.VRRP.Instances[0].MoreLinks {
		links = append(links, fmt.Sprintf("%s on %s %x", l.Name, l.Base, l.MAC))
	}
	if got := fmt.Sprint(devs, links, c.VRRP.Interfaces()); got != "[vrrp.51 vrrp6.51 vrrp1.51 vrrp2.51 vrrp2.51] "+
		"[vrrp6.51 on eth0 00005e000233 vrrp1.51 on eth1 00005e000133 vrrp2.51 on eth2 00005e000133] [eth0 eth1 eth2]" {
		t.Error(got)
	}
}

func TestSettingsOfVRRP(t *testing.T) {
	v := accept(t, `linkbeat_interfaces = ["eth5", "eth6 mii"]
interface_up_down_delays = { eth0 = 2, eth1 = { down = 0.5, up = "3s" } }
[global_defs]
dynamic_interfaces = "allow_if_changes"
disable_local_igmp = true
log_unknown_vrids = true
fifo_write_vrrp_states_on_reload = true
notify_fifo = ["/run/a", "u", "g"]
vrrp_notify_fifo = "/run/b"
vrrp_notify_fifo_script = "/bin/r x"
vrrp_garp_interval = 0.001
vrrp_rt_priority = 0
vrrp_priority = -10
vrrp_no_swap = false
vrrp_cpu_affinity = "0 4-6,2"
lvs_sync_daemon = { interface = "eth1", instance = "VI_1", backup_only = true }
[garp_group.SLOW]
garp_interval = 0.1
gna_interval = 0.2
interfaces = ["eth0", "eth1"]
`+plainInstance).VRRP
	v.Instances = nil
	slow := vip.Pacing{ARP: 100 * time.Millisecond, NA: 200 * time.Millisecond, Group: "SLOW"}
	want := VRRP{
		Linkbeat: map[string]string{"eth5": "", "eth6": "MII"}, UpDelay: map[string]LinkDelay{"eth0": {2 * time.Second, 2 * time.Second}, "eth1": {3 * time.Second, time.Second / 2}},
		DynamicIfs: true, NoReports: true, LogUnknown: true, AllStates: true,
		Pacing:   map[string]vip.Pacing{"": {ARP: time.Millisecond}, "eth0": slow, "eth1": slow},
		Realtime: Realtime{Nice: -10, CPUs: []int{0, 2, 4, 5, 6}}, SyncRole: "VI_1", BackupOnly: true, WaitForChecks: 5 * time.Second,
	}
	if diff := cmp.Diff(want, v, addresses); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// keepalived's line of the sync daemon has the instance as a word, and its number as the default of id.
func TestSyncDaemonFollowsAnInstance(t *testing.T) {
	for line, id := range map[string]uint8{`"eth1 VI_1"`: 51, `"eth1 inst VI_1 id 7"`: 7, `{ interface = "eth1", instance = "VI_1" }`: 51} {
		c := accept(t, "[global_defs]\nlvs_sync_daemon = "+line+"\n"+plainInstance)
		d := c.GlobalDefs.LVSSyncDaemon
		want := ipvs.SyncDaemon{Interface: "eth1", SyncID: id, Group: ipvs.SyncGroup, Port: ipvs.SyncPort, TTL: ipvs.SyncTTL}
		if c.VRRP.SyncRole != "VI_1" || d.Master != want || d.Backup != want {
			t.Errorf("%s: %+v %+v", line, c.VRRP.SyncRole, d)
		}
	}
}

// Each interface that is made has a name of its own; none but those for IPv6 look like them.
func TestNamesOfMadeInterfaces(t *testing.T) {
	var text strings.Builder
	for n := range 8 {
		fmt.Fprintf(&text, "[vrrp_instance.VI_%d]\ninterface = \"eth%d\"\nvirtual_router_id = 51\nvirtual_ipaddress = [\"192.0.2.%d\"]\nuse_vmac = %s\n",
			n, n, n, map[bool]string{true: "true", false: `"vrrp2.51"`}[n != 4])
	}
	var got []string
	for _, i := range accept(t, text.String()).VRRP.Instances {
		got = append(got, i.Link.Name)
	}
	if s := strings.Join(got, " "); s != "vrrp.51 vrrp1.51 vrrp3.51 vrrp4.51 vrrp2.51 vrrp5.51 vrrp7.51 vrrp8.51" {
		t.Error(s)
	}
}
