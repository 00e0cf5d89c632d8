package config

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ipvsd/ipvsd/pkg/internal/golden"
)

// reloads holds that a Config survives being printed and loaded, and that printing it again changes nothing.
func reloads(t *testing.T, c *Config) {
	t.Helper()
	text := Format(c)
	again, found := Load("formatted.toml", text)
	if again == nil {
		t.Fatalf("Format wrote what is no configuration:\n%s\n%s", found.Format(text), text)
	}
	if second := Format(again); string(second) != string(text) {
		t.Fatalf("printed again:\n%s", cmp.Diff(string(text), string(second)))
	}
	if reflect.DeepEqual(c.VirtualServers, again.VirtualServers) && reflect.DeepEqual(c.GlobalDefs, again.GlobalDefs) && reflect.DeepEqual(c.VRRP, again.VRRP) {
		return // what follows takes seconds for large groups
	}
	opts := []cmp.Option{
		cmpopts.EquateComparable(netip.AddrPort{}, netip.Addr{}, netip.Prefix{}), cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(Config{}),
	}
	if diff := cmp.Diff(c, again, opts...); diff != "" {
		t.Fatalf("(-before +after):\n%s\n%s", diff, text)
	}
}

func TestFormatExamples(t *testing.T) {
	files, err := filepath.Glob("../../examples/*.toml")
	if err != nil || len(files) < 3 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if c, _ := Load(file, text); c != nil { // TestExamples tells why not
				reloads(t, c)
			}
		})
	}
}

// What Format writes is meant to be read: settings that servers share stand once, short forms where they will do.
func TestFormatIsReadable(t *testing.T) {
	const file = "testdata/format.toml"
	c, found := Load(file, read(t, file))
	if c == nil || len(found) > 0 {
		t.Fatal(found)
	}
	reloads(t, c)
	golden.Check(t, "testdata/format.golden", Format(c))
}

// Whatever keywords come together, what Load accepts is printed and loaded again.
func TestFormatOfAnything(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 14))
	odds := 3
	some := func(b *strings.Builder, lines ...string) { // each line for itself, or one of several alternatives
		for _, l := range lines {
			if alternatives := strings.Split(l, "|"); r.IntN(odds) == 0 {
				b.WriteString(alternatives[r.IntN(len(alternatives))] + "\n")
			}
		}
	}
	checks := "TCP_CHECK = true|TCP_CHECK = false|TCP_CHECK = { connect_port = 81, retry = 3 }|" +
		"TCP_CHECK = [{ warmup = 0.5 }, { connect_port = 82, alpha = false, bind_port = 9 }]|TCP_CHECK = { connect_ip = \"10.9.9.9\" }|" +
		"checks = \"on\"|checks = \"off\""
	others := []string{
		"PING_CHECK = true|PING_CHECK = false|PING_CHECK = { rise = 3, fast_interval = 0.1 }",
		`HTTP_GET = true|HTTP_GET = { url = ["/a", { path = "/b", virtualhost = "b", regex = "x\\d", headers = { A = "b" }, json = ["a.b"] }], ` +
			`fast_recovery = false, hold_down = 5 }|HTTP_GET = [{ virtualhost = "a", url = { method = "HEAD" } }, { weight_body = true }]`,
		`SSL_GET = true|SSL_GET = { enable_sni = false }|SSL_GET = { sni_name = "x", url = ["/a", { virtualhost = "y" }] }|` +
			`SSL_GET = { tls_verify = true, tls_certificate = "/c", hold_down = 5, hold_down_max = 6 }`,
		`SMTP_CHECK = { host = [{ connect_port = 25 }, "10.9.9.9"], tls = "starttls" }`,
		`DNS_CHECK = true|DNS_CHECK = { tcp = true, name = "x." }|DNS_CHECK = { tcp = false, connect_port = 53 }`,
		`MISC_CHECK = { misc_path = "/bin/a b", retry = 1 }|MISC_CHECK = { misc_path = ["/bin/a 'x y'", "u"], misc_timeout = 9, misc_dynamic = true }`,
		`UDP_CHECK = { require_reply = "X1 02", payload = "00" }|UDP_CHECK = { require_reply = true, max_reply_length = 3 }`,
		`FILE_CHECK = { path = "/f", weight = -1, reverse = true }|FILE_CHECK = { track_file = "T" }`,
		`BFD_CHECK = { name = "S" }|BFD_CHECK = [{ name = "S", retry = 2, alpha = false }, { name = "S", fall = 1 }]|BFD_CHECK = { name = "S", rise = 2 }`,
		`SIP_CHECK = true|SIP_CHECK = { tls = true, sni = "x" }|SIP_CHECK = { tcp = false }`,
		`SIMPLETCP_CHECK = { request = "a", receive = "b" }|SIMPLETCP_CHECK = { request = "a", udp = true }`,
		`AGENT_CHECK = { connect_port = 80 }|IMAP_CHECK = { tls = true, login = "a", passwd = "\"b\"" }`,
		`checks_needed = "any"|checks_needed = "all"|checks_needed = 2`, "slow_start = 0|slow_start = 9", `virtualhost = "w"`,
		"hold_down = 3", "fall = 4", "delay_loop = 0.5",
	}
	accepted := 0
	for range 4000 {
		var b strings.Builder
		b.WriteString("[track_file.T]\nfile = \"/t\"\nweight = 2\n[bfd_instance.S]\nneighbor_ip = \"192.0.2.7\"\n[virtual_server_group.A]\naddress = [\"192.0.2.1-3:80\", \"192.0.2.9:80\"]\n")
		some(&b, `fwmark = [7]|fwmark = ["8 inet", 9]|fwmark = "8 inet6"`)
		b.WriteString("[virtual_server_group.B]\n")
		b.WriteString([]string{"fwmark = [1, 2]\n", "address = [\"192.0.3.1:80\", \"192.0.3.1:81\"]\n"}[r.IntN(2)])
		for i := range 1 + r.IntN(3) {
			b.WriteString("[[virtual_server]]\n")
			b.WriteString([]string{
				fmt.Sprintf("address = \"192.0.2.%d:80\"", 100+i), fmt.Sprintf("address = \"[2001:db8::%d]:80\"", i),
				fmt.Sprintf("fwmark = %d", 100+i), `group = "A"`, `group = "B"`,
			}[r.IntN(5)] + "\n" + []string{`protocol = "TCP"`, `protocol = "UDP"`}[r.IntN(2)] + "\n")
			some(&b, `ip_family = "inet"|ip_family = "inet6"`, `lb_algo = "sh"|lb_algo = "mh"|lb_algo = "dh"|lb_algo = "rr"`,
				"sh-fallback = true|sh-fallback = false|mh-fallback = true|mh-fallback = false|flag-1 = true|flag-2 = true",
				`lb_kind = "DR"|lb_kind = "TUN"|lb_kind = "TUN type gre csum"`, "weight = 0|weight = 7", "uthreshold = 9",
				"inhibit_on_failure = true|inhibit_on_failure = false", "persistence_timeout = true|persistence_timeout = \"10m\"",
				"persistence_granularity = 24", "quorum = 2", "hysteresis = 1", "drain_timeout = 0.5", "ops = true",
				"sorry_server_inhibit = true", `sorry_server_lvs_method = "TUN"`, `minimum_healthy = 1|minimum_healthy = "40%"`,
				"omega = true", "ha_suspend = true", `quorum_up = "/bin/a b"|quorum_down = ["/bin/a", "x"]`, checks,
				`sorry_server = "10.0.0.9"|sorry_server = ["10.0.0.9:80", "10.0.0.8"]|`+
					`sorry_server = [{ address = "10.0.0.9", weight = 2, TCP_CHECK = { retry = 9 } }]`,
				`real_servers = ["10.0.0.2", "10.0.0.3:80"]|real_servers = ["2001:db8::2"]`)
			odds = 12
			some(&b, others...)
			odds = 3
			for j := range r.IntN(3) {
				fmt.Fprintf(&b, "[[virtual_server.real_server]]\naddress = \"10.0.1.%d\"\n", j)
				some(&b, `lb_kind = "NAT"|lb_kind = "TUN type gue port 6080"`, "weight = 0|weight = 7|weight = 1", "uthreshold = 9|uthreshold = 0",
					"inhibit_on_failure = true|inhibit_on_failure = false", `notify_up = "/bin/a"|notify_down = ["/bin/a", "x", "y"]`, checks, `name = "a"|tags = ["b", "a"]`)
				odds = 12
				some(&b, others...)
				odds = 3
			}
		}
		if c, _ := Load("t.toml", []byte(b.String())); c != nil {
			accepted++
			reloads(t, c)
		}
	}
	if accepted < 300 {
		t.Errorf("only %d were accepted", accepted)
	}
}
