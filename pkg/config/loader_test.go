package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is the same in two versions of a file is the same object; what differs, also by a change of global_defs, is another.
func TestLoaderKeepsWhatIsTheSame(t *testing.T) {
	text := string(generated(4, 3, true))
	var l Loader
	before := load(t, &l, text)
	for _, tt := range []struct {
		name, text string
		same       []int // for each virtual server, which of the first version it is; -1: a new one
	}{
		{"nothing", text, []int{0, 1, 2, 3}},
		{"a weight", strings.Replace(text, "weight = 3", "weight = 4", 1), []int{-1, 1, 2, 3}},
		{"lines before it", "# a comment\n\n" + text, []int{0, 1, 2, 3}},
		{"one removed", text[strings.LastIndex(text[:len(text)/2], "[[virtual_server]]"):], []int{1, 2, 3}},
		{"a global setting", text + "[global_defs]\nrouter_id = \"x\"\n", []int{-1, -1, -1, -1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := Loader{name: l.name, frame: l.frame, parts: l.parts}
			after := load(t, &l, tt.text)
			if len(after) != len(tt.same) {
				t.Fatalf("%d virtual servers", len(after))
			}
			for i, of := range tt.same {
				if (of < 0) != (indexOf(before, after[i]) < 0) || of >= 0 && after[i] != before[of] {
					t.Errorf("virtual server %d is number %d of the first version, want %d", i, indexOf(before, after[i]), of)
				}
			}
		})
	}
}

// Lines may end as on Windows, and the last one not at all.
func TestLoaderKeepsWhateverEndsLines(t *testing.T) {
	text := strings.ReplaceAll("[global_defs]\nrouter_id = \"x\"\n"+string(generated(2, 2, true)), "\n", "\r\n")
	for _, text := range []string{text, "\uFEFF" + text, strings.TrimSpace(text), text + "[virtual_server_group.G]\r\naddress = \"192.0.2.99:80\"\r\n"} {
		var l Loader
		before, after := load(t, &l, text), load(t, &l, strings.Replace(text, "weight = 2", "weight = 4", 1))
		if after[0] == before[0] || after[1] != before[1] {
			t.Errorf("%q: what had not changed was loaded anew", text)
		}
	}
}

// A version that is refused changes nothing of what is known of the one before.
func TestLoaderAfterARefusal(t *testing.T) {
	text := string(generated(2, 2, true))
	var l Loader
	before := load(t, &l, text)
	if c, found := l.Load("t.toml", text+"weight = true\n"); c != nil || found.Err() == nil {
		t.Fatal(found)
	}
	if after := load(t, &l, text); after[0] != before[0] || after[1] != before[1] {
		t.Error("what had not changed was loaded anew")
	}
}

// A loader says the same as Load, whatever it loaded before.
func TestLoaderSaysTheSame(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.toml")
	if err != nil || len(files) < 50 {
		t.Fatal(files, err)
	}
	var l Loader
	for _, warned := range []string{"", "snmp_name = \"x\"\n"} {
		for _, lead := range []string{"", "\n\n# moved\n", "[global_defs]\nrouter_id = \"x\"\n"} {
			for n := range 3 {
				sameAsWhole(t, &l, lead+strings.Repeat("[[virtual_server]]\naddress = \"192.0.2.1:80\"\nprotocol = \"TCP\"\n"+warned, n))
				text := string(generated(n, 2, true))
				sameAsWhole(t, &l, lead+text+warned)
				sameAsWhole(t, &l, text+warned+lead)
			}
		}
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sameAsWhole(t, &l, string(text))
	}
}

func sameAsWhole(t *testing.T, l *Loader, text string) {
	t.Helper()
	want, problems := (&Loader{name: "t.toml"}).whole(text)
	got, found := l.Load("t.toml", text)
	if diff := cmp.Diff(problems, found); diff != "" {
		t.Errorf("%s\n(-whole +loader):\n%s", text, diff)
	}
	if (want == nil) != (got == nil) || want != nil && fmt.Sprint(len(want.VirtualServers), want.GlobalDefs) != fmt.Sprint(len(got.VirtualServers), got.GlobalDefs) {
		t.Errorf("%s\nwhole: %v\nloader: %v", text, want, got)
	}
}

func load(t *testing.T, l *Loader, text string) []*VirtualServer {
	t.Helper()
	c, found := l.Load("t.toml", text)
	if c == nil {
		t.Fatal(found)
	}
	return c.VirtualServers
}

func indexOf(list []*VirtualServer, vs *VirtualServer) int {
	for i := range list {
		if list[i] == vs {
			return i
		}
	}
	return -1
}

func BenchmarkReload(b *testing.B) {
	for _, form := range []string{"short", "long"} {
		text := string(generated(1000, 100, form == "long"))
		changed := strings.Replace(text, "wrr", "wlc", 1)
		b.Run("1000x100/"+form, func(b *testing.B) {
			var l Loader
			l.Load("bench.toml", text)
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				l.Load("bench.toml", changed)
				text, changed = changed, text
			}
		})
	}
}

// What there is to say about a program or a file is said at the place where it is named first, however the file is read.
func TestRemark(t *testing.T) {
	const text = `
[SSL]
ca = "/etc/ca.pem"
[[virtual_server]]
address = "192.0.2.1:443"
protocol = "TCP"
real_servers = ["198.51.100.1"]
SSL_GET = { tls_verify = true }
quorum_up = ["/bin/tell up", "nobody"]
[[virtual_server]]
address = "192.0.2.2:443"
protocol = "TCP"
real_servers = ["198.51.100.1"]
MISC_CHECK = [{ misc_path = "/bin/check 1", user = "x" }, { misc_path = "/bin/check 2" }]
REDIS_CHECK = { passwd_file = "/etc/passwd" }
quorum_up = "/bin/tell up"
`
	read := map[string]*Config{}
	read["by parts"], _ = Load("f", []byte(text))
	read["in one piece"], _ = (&Loader{name: "f"}).whole(text)
	for how, c := range read {
		for path, at := range map[string]string{
			"/etc/ca.pem": "f:3:6: ", "/bin/tell": "f:9:13: ", "/bin/check": "f:14:29: ", "/etc/passwd": "f:15:31: ",
		} {
			if got, want := c.Remark(path, "no").String(), at+"warning: no"; got != want {
				t.Errorf("%s, %s: %q, want %q", how, path, got, want)
			}
		}
		if d := c.Remark("/bin/check", ""); d.Path != "virtual_server[1].MISC_CHECK[0].misc_path" {
			t.Errorf("%s: %+v", how, d)
		}
	}
}

// What a reload leaves alone of VRRP is equal, whatever changes beside it; and what depends on a virtual server is looked at again.
func TestLoaderAndVRRP(t *testing.T) {
	servers := string(generated(3, 2, true))
	text := everyRouter + servers
	var l Loader
	before, found := l.Load("t.toml", text)
	if before == nil {
		t.Fatal(found.Format([]byte(text)))
	}
	for name, text := range map[string]string{
		"the same":        text,
		"a weight":        strings.Replace(text, "weight = 2", "weight = 4", 1),
		"one line more":   strings.Replace(text, "lb_algo", "\nlb_algo", 1),
		"a sysctl":        text + "[global_defs.lvs_sysctl]\nconntrack = 1\n",
		"in one piece":    text + "[global_defs.lvs_sysctl]\nconntrack = 1\nest_cpulist = \"\"\"\"\"\"\n",
		"another service": text + strings.Replace(servers, `"10.0.`, `"10.9.`, 3),
	} {
		after, found := l.Load("t.toml", text)
		if after == nil {
			t.Fatalf("%s: %s", name, found.Format([]byte(text)))
		}
		if !reflect.DeepEqual(before.VRRP, after.VRRP) {
			t.Errorf("%s:\n%s", name, cmp.Diff(before.VRRP, after.VRRP, addresses))
		}
	}
	before, _ = l.Load("t.toml", text)
	gone := strings.Replace(text, `"10.0.0.1:80"`, `"10.0.0.77:80"`, 1)
	after, found := l.Load("t.toml", gone)
	if after != nil || len(found) != 1 || !strings.Contains(found[0].Message, `no virtual server "tcp 10.0.0.1:80"`) {
		t.Errorf("a virtual server that an instance depends on is gone: %s", found.Format([]byte(gone)))
	}
	if after, _ := l.Load("t.toml", text); after == nil || after.VirtualServers[0] != before.VirtualServers[0] {
		t.Error("after the refusal all was loaded anew")
	}
}

// everyRouter has one of everything.
const everyRouter = `static_ipaddress = ["192.0.2.9/24 dev eth9 track_group TG"]
static_routes = ["198.51.100.0/24 via 192.0.2.1 dev eth9 track_group TG"]
static_rules = ["from 192.0.2.9 table 100"]
linkbeat_interfaces = ["eth7 MII", "eth6"]
interface_up_down_delays = { eth0 = 2, eth1 = { down = 0.5, up = "3s" } }
[global_defs]
lvs_sync_daemon = "eth1 VI_1"
notify_fifo = ["/run/a", "u"]
vrrp_notify_fifo = "/run/b"
vrrp_notify_fifo_script = "/bin/r x"
vrrp_garp_interval = 0.001
vrrp_startup_delay = 5.5
vrrp_cpu_affinity = "0 2-3"
vmac_addr_prefix = "vx"
vmac_prefix = "vm"
[track_group.TG]
group = ["VI_2"]
[vrrp_sync_group.G]
group = ["VI_1", "VI_2"]
notify = "/bin/n g"
track_interface = ["eth4"]
notify_priority_changes = true
[vrrp_instance.VI_1]
state = "MASTER"
interface = "eth0"
virtual_router_id = 51
priority = 150
authentication = { auth_type = "PASS", auth_pass = "mypasswd" }
virtual_ipaddress = ["192.168.1.200/24 label eth0:1", "192.168.1.201/24"]
virtual_ipaddress_excluded = ["10.1.1.1/8 dev eth2", "2001:db8::1/64 dev eth3 no_track"]
virtual_routes = ["default via 192.168.1.1"]
virtual_rules = ["from 192.168.1.200 table 7"]
track_interface = ["eth3", "eth8"]
track_script = ["s weight 0 reverse"]
track_virtual_server = ["tcp 10.0.0.1:80"]
release_to_lo = true
notify_deleted = true
[vrrp_instance.VI_2]
interface = "eth1"
virtual_router_id = 52
virtual_ipaddress = ["10.0.100.200/24", "10.0.101.2/24 dev eth9"]
use_vmac = "v eth1 00:11:22:33:44"
use_vmac_addr = true
vmac_xmit_base = true
no_accept = true
garp_extra_if = "all 60"
dont_track_primary = true
[vrrp_instance.VI_2.auth_hmac]
key = { 3 = "hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", 2 = "file:/etc/k" }
active_key = 3
[vrrp_instance.VI_3]
interface = "eth1"
virtual_router_id = 53
advert_int = 0.1
virtual_ipaddress = ["fe80::1"]
unicast_peer = ["2001:db8::9 min_ttl 254", "2001:db8::7"]
unicast_src_ip = "2001:db8::8"
track_src_ip = true
nopreempt = true
timer_expired_backup = true
track_process = ["p weight -20"]
track_file = ["f", { name = "g", weight = 3, reverse = true }]
track_bfd = ["b"]
track_route = ["r"]
[vrrp_script.s]
script = "/bin/s a"
rise = 2
[track_file.f]
file = "/run/f"
[vrrp_track_file.g]
file = "/run/g"
init_file = "3 overwrite"
[vrrp_track_process.p]
process = "p -W"
param_match = true
quorum_max = 0
[bfd_instance.b]
neighbour_ip = "192.0.2.2"
min_rx = 300
[track_route.r]
gateway = "192.0.2.254"
[garp_group.g]
garp_interval = 0.001
interfaces = ["eth0", "eth1"]
`

// Interfaces and files of VRRP have their places, too.
func TestRemarkOfVRRP(t *testing.T) {
	text := everyRouter + string(generated(2, 2, true))
	c, found := Load("f", []byte(text))
	if c == nil {
		t.Fatal(found)
	}
	lines := strings.Split(text, "\n")
	for name, line := range map[string]string{
		"eth0": `interface_up_down_delays = {`, "eth8": `track_interface = ["eth3", "eth8"]`, "eth2": "virtual_ipaddress_excluded", "/etc/k": "key = {",
		"eth9": "static_ipaddress", "eth7": "linkbeat_interfaces", "/bin/s": `script = "/bin/s`, "/bin/n": "notify = ", "/run/f": `file = "/run/f"`,
	} {
		d := c.Remark(name, "no")
		if d.Line == 0 || !strings.HasPrefix(lines[d.Line-1], line) || d.Path == "" {
			t.Errorf("%s: %v %q, want the line of %s", name, d, d.Path, line)
		}
	}
	want := []string{"eth0", "eth1", "eth2", "eth3", "eth4", "eth8", "eth9"}
	if got := c.VRRP.Interfaces(); !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
