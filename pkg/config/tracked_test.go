package config

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ipvsd/ipvsd/pkg/bfd"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

func TestTrackedObjects(t *testing.T) {
	c := accept(t, `static_ipaddress = ["192.0.2.9/24 dev eth9 track_group TG"]
static_routes = ["198.51.100.0/24 via 192.0.2.1 dev eth9 track_group TG"]
[vrrp_script.a]
script = ["/bin/a b", "u"]
interval = 0.5
timeout = 0.2
rise = 2
fall = 3
weight = "-20 reverse"
init_fail = true
[vrrp_script.b]
script = "/bin/b"
[track_file.f]
file = "/run/f"
[vrrp_track_file.g]
file = "/run/g"
weight = 0
init_file = "5 overwrite"
[track_file.unused]
file = "/run/u"
[vrrp_track_process.p]
process = "\"/tmp/a b\" -x"
param_match = true
quorum = 2
quorum_max = 4
delay = 1
fork_delay = 0.5
full_command = true
weight = 7
[vrrp_track_process.none]
process = "p"
quorum_max = 0
[bfd_instance.b]
neighbor_ip = "192.0.2.254"
min_rx = 12.5
min_tx = "1s"
multiplier = 3
hoplimit = 9
weight = 3
reverse = true
[track_route.r]
gateway = "fe80::1"
dev = "eth0"
[track_group.TG]
group = ["VI_1"]
`+plainInstance+`
track_script = ["a", "b weight 5", { name = "b2", weight = -3, reverse = true }]
track_file = ["f", "g"]
track_process = ["p", "none noreverse"]
track_bfd = ["b weight -1 noreverse"]
track_route = ["r"]
track_virtual_server = ["fwmark 7", { name = "group W tcp", weight = -50 }]
[vrrp_script.b2]
script = "/bin/b"
[virtual_server_group.W]
address = "192.0.2.200:80"
[[virtual_server]]
fwmark = 7
real_servers = ["10.0.0.2:80"]
TCP_CHECK = true
[[virtual_server]]
group = "W"
protocol = "TCP"
real_servers = ["10.0.0.2:80"]
TCP_CHECK = true
`)
	v := c.VRRP
	var got []string
	for _, x := range v.Instances[0].Tracks {
		got = append(got, fmt.Sprintf("%s %s %d %t", x.Kind, x.Name, x.Weight, x.Reverse))
	}
	want := []string{
		"interface eth0 0 false", "script a -20 true", "script b 5 false", "script b2 -3 true", "file f 1 false", "file g 0 false",
		"process none 0 false", "process p 7 false", "bfd b -1 false", "route r 0 false",
		"route static 198.51.100.0/24 via 192.0.2.1 dev eth9 track_group TG 0 false",
		"virtual_server fwmark 7 0 false", "virtual_server group W tcp -50 false", "address 192.0.2.9 0 false",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tracks (-want +got):\n%s", diff)
	}
	script := health.Check{
		Type: "vrrp_script", Timeout: 200 * time.Millisecond, Spec: health.Misc{Argv: health.ListOf("/bin/a", "b"), User: "u"},
		Policy: health.Policy{DelayLoop: time.Second / 2, FastInterval: time.Second / 2, DelayBeforeRetry: time.Second / 2, Retry: 2, Rise: 2, Alpha: true},
	}
	if got := v.Scripts["a"].Check(); got != script {
		t.Errorf("%+v", got)
	}
	if v.Scripts["b"] != v.Scripts["b2"] || v.Scripts["b"].Check().Timeout != time.Second {
		t.Errorf("%+v", v.Scripts["b"].Check())
	}
	for _, x := range []struct{ got, want any }{
		{v.Files, map[string]TrackFile{"f": {Path: "/run/f"}, "g": {Path: "/run/g", Init: true, Value: 5, Overwrite: true}}},
		{v.Processes, map[string]Process{
			"p": {Argv: []string{"/tmp/a b", "-x"}, Match: "exact", FullCommand: true, Quorum: 2, QuorumMax: 4,
				ForkDelay: time.Second / 2, TerminateDelay: time.Second},
			"none": {Argv: []string{"p"}},
		}},
		{v.BFD, map[string]*bfd.Config{"b": {Name: "b", Neighbor: netip.MustParseAddr("192.0.2.254"), MinRx: 12500 * time.Microsecond,
			MinTx: time.Second, IdleTx: time.Second, Multiplier: 3, TTL: 9}}},
		{v.Routes, map[string]TrackRoute{
			"r": {Gateway: "fe80::1", Dev: "eth0"},
			"static 198.51.100.0/24 via 192.0.2.1 dev eth9 track_group TG": {Route: "198.51.100.0/24", Dev: "eth9"},
		}},
		{v.Tracked, map[string][]string{"TG": {"VI_1"}}},
	} {
		if diff := cmp.Diff(x.want, x.got, addresses); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// Members of a group tell changes of priorities as the group says, unless they say it themselves.
func TestSyncGroup(t *testing.T) {
	const three = plainInstance + `notify_priority_changes = false
[vrrp_instance.VI_2]
interface = "eth1"
virtual_router_id = 52
virtual_ipaddress = ["192.0.3.200/24"]
track_interface = ["eth2 weight 5"]
[vrrp_instance.VI_3]
interface = "eth1"
virtual_router_id = 53
virtual_ipaddress = ["192.0.3.201/24"]
[vrrp_sync_group.G]
group = ["VI_2", "VI_1"]
notify = "/bin/g"
notify_priority_changes = true
sync_group_tracking_weight = true
track_interface = ["eth3 weight 9"]
`
	v := accept(t, three).VRRP
	g := v.Groups[0]
	want := &Group{
		Group: vrrp.Group{Name: "G", Members: []string{"VI_2", "VI_1"}, Weights: true,
			Tracks: []vrrp.Track{{Object: vrrp.Object{Kind: vrrp.TrackInterface, Name: "eth3"}, Weight: 9}}},
		Notify: Notify{Any: &Script{Argv: []string{"/bin/g"}}, PriorityChanges: true},
	}
	if diff := cmp.Diff(want, g); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for n, i := range v.Instances {
		if i.Notify.PriorityChanges != (n == 1) || i.Group != []string{"G", "G", ""}[n] {
			t.Errorf("%+v", i)
		}
	}
	if len(v.Instances[1].Tracks) != 2 {
		t.Errorf("%+v", v.Instances[1].Tracks)
	}
}

// In a group that doesn't say otherwise, the weights of a member's interfaces and files count as 0; the machine leaves the others aside.
func TestWeightsInAGroup(t *testing.T) {
	c := accept(t, plainInstance+`track_interface = ["eth1 weight 5"]
track_file = ["f"]
track_process = ["p weight 9"]
[vrrp_instance.VI_2]
interface = "eth0"
virtual_router_id = 52
virtual_ipaddress = ["192.0.2.201/24"]
[vrrp_sync_group.G]
group = ["VI_1", "VI_2"]
track_file = ["f weight -2"]
[track_file.f]
file = "/f"
[vrrp_track_process.p]
process = "p"
`, "5:20 warning: the weight of eth1 counts as 0, a FAULT: members of a sync group keep their priorities",
		"6:15 warning: the weight of f counts as 0, a FAULT: members of a sync group keep their priorities",
		"7:18 warning: the weight of p has no effect: members of a sync group keep their priorities")
	got := fmt.Sprint(c.VRRP.Instances[0].Tracks, c.VRRP.Groups[0].Tracks)
	if want := "[{{interface eth0} 0 false} {{interface eth1} 0 false} {{file f} 0 false} {{process p} 9 false}] [{{file f} -2 false}]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
