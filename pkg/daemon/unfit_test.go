package daemon

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/config"
)

// Commands of checks are looked at as those of notifications: once for each program and user.
func TestUnfitChecks(t *testing.T) {
	cfg, found := config.Load("t.toml", []byte(`
[global_defs]
script_user = "daemon"
[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
real_servers = ["198.51.100.1", "198.51.100.2"]
MISC_CHECK = [{ misc_path = "/bin/no-such-check -w 3" }, { misc_path = "/bin/true", user = "no-such-user" }]
`))
	if cfg == nil {
		t.Fatal(found)
	}
	got, _ := unfit(cfg)
	const first, second = "MISC_CHECK of tcp 192.0.2.1:80 and 1 more will not run: /bin/no-such-check: file does not exist",
		"MISC_CHECK of tcp 192.0.2.1:80 and 1 more will not run: "
	if len(got) != 2 || got[0].String() != "t.toml:8:29: warning: "+first ||
		!strings.HasPrefix(got[1].String(), "t.toml:8:72: warning: "+second) || !strings.Contains(got[1].Message, "no-such-user") {
		t.Errorf("%q", got)
	}
}

// So are the files that checks read.
func TestUnfitFiles(t *testing.T) {
	cfg, found := config.Load("t.toml", []byte(`
[[virtual_server]]
address = "192.0.2.1:636"
protocol = "TCP"
real_servers = ["198.51.100.1", "198.51.100.2"]
LDAP_CHECK = { tls = true, tls_verify = true, tls_ca = "/no/ca.pem", login = "cn=x", passwd_file = "/no/password" }
FILE_CHECK = { path = "/no/matter" }
`))
	if cfg == nil {
		t.Fatal(found)
	}
	var got []string
	problems, _ := unfit(cfg)
	for _, d := range problems {
		got = append(got, d.String())
	}
	want := []string{`t.toml:6:100: warning: LDAP_CHECK of tcp 192.0.2.1:636 and 1 more will not pass: /no/password: no such file or directory`,
		`t.toml:6:56: warning: LDAP_CHECK of tcp 192.0.2.1:636 and 1 more will not pass: /no/ca.pem: no such file or directory`}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// So is what virtual routers run and read.
func TestUnfitRouters(t *testing.T) {
	cfg, found := config.Load("t.toml", []byte(`
[global_defs]
vrrp_notify_fifo = "/run/fifo"
vrrp_notify_fifo_script = "/bin/no-reader"
[vrrp_script.alive]
script = "/bin/no-check"
[vrrp_sync_group.G1]
group = ["VI_1", "VI_2"]
notify_backup = "/bin/no-backup"
[vrrp_instance.VI_1]
version = 3
interface = "lo"
virtual_router_id = 51
virtual_ipaddress = ["192.0.2.1/24"]
notify = "/bin/no-notify"
notify_stop = "/bin/true"
track_script = ["alive"]
auth_hmac = { key = { 1 = "file:/no/key" } }
[vrrp_instance.VI_2]
interface = "lo"
virtual_router_id = 52
virtual_ipaddress = ["192.0.2.2/24"]
notify = "/bin/no-notify"
`))
	if cfg == nil {
		t.Fatal(found)
	}
	var got []string
	problems, _ := unfit(cfg)
	for _, d := range problems {
		got = append(got, d.String())
	}
	want := []string{
		`t.toml:15:10: warning: notify of VI_1 and 1 more will not run: /bin/no-notify: file does not exist`,
		`t.toml:18:21: warning: auth_hmac of VI_1 will not pass: /no/key: no such file or directory`,
		`t.toml:9:17: warning: notify_backup of G1 will not run: /bin/no-backup: file does not exist`,
		`t.toml:4:27: warning: the reader of /run/fifo will not run: /bin/no-reader: file does not exist`,
		`t.toml:6:10: warning: vrrp_script of alive will not run: /bin/no-check: file does not exist`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// An interface that this host doesn't have is a warning, at the place that names it first, unless it is said to come later.
func TestUnfitInterfaces(t *testing.T) {
	const text = `
[vrrp_instance.VI_1]
interface = "lo"
virtual_router_id = 51
virtual_ipaddress = ["192.0.2.1/24 dev no-such0", "192.0.2.2/24 dev made0"]
track_interface = ["no-such1 weight 5"]
[vrrp_instance.VI_2]
interface = "lo"
virtual_router_id = 52
virtual_ipaddress = ["192.0.2.3/24"]
use_vmac = "made0"
[global_defs]
dynamic_interfaces = %t
`
	for dynamic, want := range map[bool][]string{
		false: {
			"t.toml:5:22: warning: this host has no interface no-such0: it counts as down until it comes",
			"t.toml:6:20: warning: this host has no interface no-such1: it counts as down until it comes",
		},
		true: nil,
	} {
		cfg, found := config.Load("t.toml", fmt.Appendf(nil, text, dynamic))
		if cfg == nil {
			t.Fatal(found)
		}
		var got []string
		for _, d := range absent(cfg) {
			got = append(got, d.String())
			if !strings.HasSuffix(d.Hint, "dynamic_interfaces = true in [global_defs] says that it comes later") {
				t.Errorf("hint %q", d.Hint)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("dynamic_interfaces %t: got\n%s\nwant\n%s", dynamic, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}
