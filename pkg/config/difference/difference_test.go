package difference_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/config/difference"
	"github.com/ipvsd/ipvsd/pkg/internal/golden"
)

const before = `
[global_defs]
router_id = "lb1"
lvs_sync_daemon = { interface = "eth1", id = 7 }

[vrrp_script.alive]
script = "/bin/true"

[vrrp_sync_group.VG]
group = ["VI_1", "VI_2"]

[vrrp_instance.VI_1]
interface = "eth0"
virtual_router_id = 51
priority = 150
authentication = { auth_type = "PASS", auth_pass = "one" }
virtual_ipaddress = ["192.0.2.1/24", "192.0.2.2/24"]

[vrrp_instance.VI_2]
interface = "eth1"
virtual_router_id = 52
virtual_ipaddress = ["198.51.100.254/24"]

[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
lb_algo = "rr"
delay_loop = 3
real_servers = ["198.51.100.1:80", "198.51.100.2:80"]
HTTP_GET = { url = { path = "/health" } }

[[virtual_server]]
address = "192.0.2.1:443"
protocol = "TCP"
real_servers = ["198.51.100.1:443"]
MYSQL_CHECK = { login = "x", passwd = "hunter2" }
`

func load(t *testing.T, text string) *config.Config {
	t.Helper()
	c, problems := config.Load("ipvsd.toml", []byte(text))
	if c == nil {
		t.Fatal(problems.Format([]byte(text)))
	}
	return c
}

// What changes is told in the words of the file, and nothing else is.
func TestOf(t *testing.T) {
	for _, tt := range []struct{ name, old, new string }{
		{"priority", "priority = 150", "priority = 100"},
		{"addresses", `["192.0.2.1/24", "192.0.2.2/24"]`, `["192.0.2.1/24", "192.0.2.3/24"]`},
		{"order", `["192.0.2.1/24", "192.0.2.2/24"]`, `["192.0.2.2/24", "192.0.2.1/24"]`},
		{"secret", `auth_pass = "one"`, `auth_pass = "two"`},
		{"secret-of-a-check", "hunter2", "hunter3"},
		{"check", `url = { path = "/health" }`, `url = { path = "/live" }, retry = 3`},
		{"check-type", `HTTP_GET = { url = { path = "/health" } }`, `TCP_CHECK = true`},
		{"server", `"198.51.100.2:80"`, `"198.51.100.3:80"`},
		{"delay", "delay_loop = 3", "delay_loop = 6"},
		{"algorithm", `lb_algo = "rr"`, `lb_algo = "wrr"`},
		{"settings", "id = 7 }", "id = 8 }\nlvs_timeouts = { tcp = 800 }"},
		{"group", "[vrrp_sync_group.VG]\ngroup = [\"VI_1\", \"VI_2\"]\n", ""},
		{"renamed", "[vrrp_script.alive]", "[vrrp_script.lives]"},
		{"all", before, ""},
		{"comment", "router_id", "# it is written in another way\nrouter_id"},
		{"written-otherwise", `HTTP_GET = { url = { path = "/health" } }`, "[[virtual_server.HTTP_GET]]\n[[virtual_server.HTTP_GET.url]]\npath = \"/health\""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			after := strings.Replace(before, tt.old, tt.new, 1)
			changes := difference.Of(load(t, before), load(t, after))
			text, err := json.MarshalIndent(changes, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), "hunter") || strings.Contains(string(text), `"two"`) {
				t.Errorf("a secret is told: %s", text)
			}
			if strings.HasPrefix(tt.new, "# ") || tt.name == "written-otherwise" {
				if len(changes) > 0 {
					t.Errorf("what means the same is a change: %s", text)
				}
				return
			}
			golden.Check(t, "testdata/"+tt.name+".json", append(text, '\n'))
		})
	}
}

// No configuration differs from itself, and every object of one is added to an empty one.
func TestOfItself(t *testing.T) {
	text, err := os.ReadFile("../../../examples/reference.toml")
	if err != nil {
		t.Fatal(err)
	}
	c := load(t, string(text))
	if changes := difference.Of(c, load(t, string(text))); len(changes) > 0 {
		t.Errorf("%+v", changes)
	}
	none := load(t, "")
	added := difference.Of(none, c)
	if n := len(c.VRRP.Instances) + len(c.VirtualServers); len(added) < n {
		t.Errorf("%d of more than %d: %+v", len(added), n, added)
	}
	for _, list := range [][]difference.Change{added, difference.Of(c, none)} {
		for _, ch := range list {
			if ch.Kind != "global_defs" && ch.Kind != "top" && !strings.HasPrefix(ch.Kind, "global_defs.") && ch.Change == difference.Edit {
				t.Errorf("%+v", ch)
			}
		}
	}
}
