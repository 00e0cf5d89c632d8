package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// sameChecks compares checks and what they are made of.
var sameChecks = cmp.Options{
	cmpopts.EquateComparable(netip.AddrPort{}, health.List[health.URL]{}, health.List[string]{}),
	cmp.Comparer(func(a, b health.HTTP) bool { return a == b }),
}

// oneServer loads a service of one server with these lines in the virtual server.
func oneServer(t *testing.T, lines string, warnings ...string) *Config {
	t.Helper()
	return accept(t, `
[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
real_servers = ["10.0.100.2:80"]
`+lines, warnings...)
}

// checksOf returns the checks of a server.
func checksOf(rs *RealServer) (list []health.Check) {
	for _, id := range rs.Checks {
		list = append(list, id.Check())
	}
	return list
}

func urls(list ...health.URL) health.List[health.URL] {
	for i := range list {
		if list[i].Status == (health.StatusSet{}) {
			list[i].Status = health.SuccessStatus()
		}
		if list[i].Method == "" {
			list[i].Method = "GET"
		}
		if list[i].Path == "" {
			list[i].Path = "/"
		}
	}
	return health.ListOf(list...)
}

// Every Spec can be written, in keepalived's and ldirectord's words.
func TestSpecs(t *testing.T) {
	secret := health.Secret{Text: "s"}
	tls := health.TLS{Mode: health.Implicit}
	for _, x := range []struct {
		lines string
		want  health.Spec
	}{
		{"TCP_CHECK = true", health.TCP{}},
		{"PING_CHECK = {}", health.Ping{}},

		{"HTTP_GET = true", health.HTTP{Protocol: "1.1", URLs: urls(health.URL{})}},
		{`HTTP_GET = { http_protocol = 1.0, redirect = "follow", weight_header = "X-Weight", url = ["/a", "http://b/c"] }`,
			health.HTTP{Protocol: "1.0", Follow: true, Weight: "X-Weight", URLs: urls(health.URL{Path: "/a"}, health.URL{Path: "http://b/c"})}},
		{`HTTP_GET = { http_protocol = "1.0c", virtualhost = "a:8080", weight_body = true, url = [{}, { virtualhost = "b" }] }`,
			health.HTTP{Protocol: "1.0C", Weight: "-", URLs: urls(health.URL{VirtualHost: "a:8080"}, health.URL{VirtualHost: "b"})}},
		{`HTTP_GET = { http_protocol = "2", url = { status_code = [200, "301-303 404"], digest = "9B3A0C85A887A256D6939DA88AABD8CD" } }`,
			health.HTTP{Protocol: "2", URLs: urls(health.URL{Status: statuses("200 301-303 404"), Digest: "9b3a0c85a887a256d6939da88aabd8cd"})}},
		{`HTTP_GET = { url = { regex = 'a\d', regex_no_match = true, regex_options = "utf caseless", regex_min_offset = 1, regex_max_offset = 9 } }`,
			health.HTTP{Protocol: "1.1", URLs: urls(health.URL{Regex: health.Regex{
				Pattern: `a\d`, NoMatch: true, Options: health.ListOf("caseless", "utf"), MinOffset: 1, MaxOffset: 9}})}},
		{`HTTP_GET = { url = { body = "{}", headers = { X-B = "2", "A" = "1" }, json = { c.d = 3, "b" = true, a = "x", f = 1.5 } } }`,
			health.HTTP{Protocol: "1.1", URLs: urls(health.URL{Method: "POST", Body: "{}",
				Headers: health.ListOf(health.Header{Name: "A", Value: "1"}, health.Header{Name: "X-B", Value: "2"}),
				JSON: health.ListOf(health.Assertion{Path: "a", Value: "x"}, health.Assertion{Path: "b", Value: "true"},
					health.Assertion{Path: "c.d", Value: "3"}, health.Assertion{Path: "f", Value: "1.5"})})}},
		{`HTTP_GET = { url = { method = "head", json = [] } }`, nil}, // an empty list asserts nothing
		{`HTTP_GET = { url = { json = ["b", "a"] } }`,
			health.HTTP{Protocol: "1.1", URLs: urls(health.URL{JSON: health.ListOf(health.Assertion{Path: "a"}, health.Assertion{Path: "b"})})}},

		{"SSL_GET = true", health.HTTP{Protocol: "1.1", TLS: tls, URLs: urls(health.URL{})}},
		{"virtualhost = \"www.example.org:444\"\nSSL_GET = { tls_compliant = true }", health.HTTP{Protocol: "1.1",
			TLS:  health.TLS{Mode: health.Implicit, SNI: "www.example.org"},
			URLs: urls(health.URL{VirtualHost: "www.example.org:444", TLSCompliant: true})}},
		{`SSL_GET = { virtualhost = "[2001:db8::1]:444" }`, health.HTTP{Protocol: "1.1", TLS: tls, URLs: urls(health.URL{VirtualHost: "[2001:db8::1]:444"})}},
		{`SSL_GET = { virtualhost = "192.0.2.1" }`, health.HTTP{Protocol: "1.1", TLS: tls, URLs: urls(health.URL{VirtualHost: "192.0.2.1"})}},
		{"virtualhost = \"www.example.org\"\nSSL_GET = { enable_sni = false }",
			health.HTTP{Protocol: "1.1", TLS: tls, URLs: urls(health.URL{VirtualHost: "www.example.org"})}},
		{`SSL_GET = { sni_name = "s", tls_verify = true, tls_name = "n", tls_ca = "/ca", tls_certificate = "/c", tls_key = "/k", tls_expiry = "30d" }`,
			health.HTTP{Protocol: "1.1", URLs: urls(health.URL{}), TLS: health.TLS{Mode: health.Implicit, SNI: "s", Verify: true, Name: "n",
				CA: "/ca", Cert: "/c", Key: "/k", Expiry: 30 * 24 * time.Hour}}},
		{"SSL_GET = { tls_verify = true }\n[SSL]\nca = \"/ca\"\ncertificate = \"/c\"", health.HTTP{Protocol: "1.1", URLs: urls(health.URL{}),
			TLS: health.TLS{Mode: health.Implicit, Verify: true, CA: "/ca", Cert: "/c", Key: "/c"}}},

		{"SMTP_CHECK = true", health.SMTP{HeloName: "localhost"}},
		{`SMTP_CHECK = { helo_name = "lb", tls = "starttls", sni = "mail" }`,
			health.SMTP{HeloName: "lb", TLS: health.TLS{Mode: health.StartTLS, SNI: "mail"}}},
		{"DNS_CHECK = { tcp = false }", health.DNS{Type: "SOA", Name: "."}},
		{`DNS_CHECK = { type = "aaaa", name = "www.example.org.", expect = '^2001:' }`,
			health.DNS{Type: "AAAA", Name: "www.example.org", TCP: true, Expect: health.Regex{Pattern: "^2001:"}}},
		{"UDP_CHECK = true", health.UDP{Max: 65535}},
		{`UDP_CHECK = { payload = "Ab12f 3 456 546443123", require_reply = true }`,
			health.UDP{Payload: "\xAB\x12\x0F\x03\x45\x06\x54\x64\x43\x12\x03", Require: true, Max: 65535}},
		{`UDP_CHECK = { require_reply = "1X X x2", min_reply_length = 1, max_reply_length = 255 }`,
			health.UDP{Require: true, Reply: "\x10\x00\x02", Mask: "\xF0\xF0\x0F", Min: 1, Max: 255}},
		{"FILE_CHECK = { path = \"/f\" }", health.File{Path: "/f"}},
		{"FILE_CHECK = { path = \"/f\", weight = 0 }", health.File{Path: "/f"}},
		{"FILE_CHECK = { track_file = \"F\" }\n[track_file.F]\nfile = \"/f\"\nweight = -3\nreverse = true",
			health.File{Path: "/f", Weight: -3, Weighed: true, Reverse: true}},
		{"FILE_CHECK = { track_file = \"F\", weight = 2, reverse = false }\n[track_file.F]\nfile = \"/f\"\nweight = -3\nreverse = true",
			health.File{Path: "/f", Weight: 2, Weighed: true}},
		{"BFD_CHECK = { name = \"B\" }\n[bfd_instance.B]\nneighbor_ip = \"192.0.2.1\"", health.BFD{Session: "B"}},
		{`MISC_CHECK = { misc_path = "/bin/a 'b c'", misc_dynamic = true }`, health.Misc{Argv: health.ListOf("/bin/a", "b c"), Dynamic: true}},
		{"MISC_CHECK = { misc_path = [\"/bin/a\", \"u\", \"g\"], plugin = true }\n[global_defs]\nscript_user = \"x\"",
			health.Misc{Argv: health.ListOf("/bin/a"), User: "u", Group: "g", Plugin: true}},
		{"MISC_CHECK = { misc_path = \"/bin/a\" }\n[global_defs]\nscript_user = \"x y\"",
			health.Misc{Argv: health.ListOf("/bin/a"), User: "x", Group: "y"}},
		{"MISC_CHECK = { misc_path = \"/bin/a\", user = \"u\" }\n[global_defs]\nscript_user = \"x y\"",
			health.Misc{Argv: health.ListOf("/bin/a"), User: "u"}},

		{"FTP_CHECK = true", health.FTP{}},
		{`FTP_CHECK = { login = "l", passwd = "s", request = "/f", receive = "r", tls = "starttls" }`,
			health.FTP{Login: "l", Password: secret, File: "/f", Expect: health.Regex{Pattern: "r"}, TLS: health.TLS{Mode: health.StartTLS}}},
		{`IMAP_CHECK = { login = "l", passwd_file = "/p", tls = true }`, health.IMAP{Login: "l", Password: health.Secret{File: "/p"}, TLS: tls}},
		{`POP_CHECK = { login = "l", passwd = "s" }`, health.POP3{Login: "l", Password: secret}},
		{`LDAP_CHECK = { login = "cn=l", passwd = "s", request = "dc=x", receive = "r", tls = true }`,
			health.LDAP{BindDN: "cn=l", Password: secret, BaseDN: "dc=x", Expect: health.Regex{Pattern: "r"}, TLS: tls}},
		{"NNTP_CHECK = { tls = true }", health.NNTP{TLS: tls}},
		{`MYSQL_CHECK = { login = "l", passwd = "s", database = "d", request = "q", tls = true }`,
			health.MySQL{Login: "l", Password: secret, Database: "d", Query: "q", TLS: health.TLS{Mode: health.StartTLS}}},
		{`PGSQL_CHECK = { login = "l", database = "d", request = "q" }`, health.PgSQL{Login: "l", Database: "d", Query: "q"}},
		{`PGSQL_CHECK = { login = "l", tls = "direct" }`, health.PgSQL{Login: "l", TLS: tls}},
		{`PGSQL_CHECK = { login = "l", tls = "starttls" }`, health.PgSQL{Login: "l", TLS: health.TLS{Mode: health.StartTLS}}},
		{`HTTP_GET = { fast_recovery = false }`, health.HTTP{Protocol: "1.1", URLs: urls(health.URL{})}},
		{`RADIUS_CHECK = { login = "l", passwd = "s", secret_file = "/p" }`,
			health.RADIUS{Login: "l", Password: secret, Secret: health.Secret{File: "/p"}}},
		{"SIP_CHECK = true", health.SIP{TCP: true}},
		{`SIP_CHECK = { login = "l", tcp = false }`, health.SIP{User: "l"}},
		{"SIP_CHECK = { tls = true }", health.SIP{TCP: true, TLS: tls}},
		{`SIMPLETCP_CHECK = { request = "a\r\n", receive = "b", tls = true }`,
			health.SimpleTCP{Send: "a\r\n", Expect: health.Regex{Pattern: "b"}, TLS: tls}},
		{`SIMPLETCP_CHECK = { request = "a", udp = true }`, health.SimpleTCP{Send: "a", UDP: true}},
		{`GRPC_CHECK = { service = "s", authority = "a", tls = true }`, health.GRPC{Service: "s", Authority: "a", TLS: tls}},
		{"REDIS_CHECK = true", health.Redis{}},
		{`REDIS_CHECK = { passwd = "s", role = "slave", tls = true }`, health.Redis{Password: secret, Role: "slave", TLS: tls}},
		{`AGENT_CHECK = { connect_port = 9999, send = "x\n" }`, health.Agent{Send: "x\n"}},
	} {
		t.Run(x.lines, func(t *testing.T) {
			if x.want == nil {
				if c, _ := Load("t.toml", []byte(x.lines)); c != nil {
					t.Errorf("accepted")
				}
				return
			}
			c := oneServer(t, x.lines)
			k := checksOf(&c.VirtualServers[0].RealServers[0])
			if len(k) != 1 || k[0].Spec != x.want {
				t.Errorf("got %#v\nwant %#v", k[0].Spec, x.want)
			}
			if !strings.Contains(x.lines, k[0].Type+" = ") {
				t.Errorf("it is called %s", k[0].Type)
			}
		})
	}
}

func statuses(text string) health.StatusSet {
	s, w := statusCodes.read(text)
	if w != nil {
		panic(w.message)
	}
	return s.(health.StatusSet)
}

// A check's port is its own, else the server's, else the protocol's.
func TestPortsOfChecks(t *testing.T) {
	for lines, want := range map[string]string{
		"HTTP_GET = true":                           "10.0.100.2:80",
		"SSL_GET = true":                            "10.0.100.2:443",
		"IMAP_CHECK = true":                         "10.0.100.2:143",
		"IMAP_CHECK = { tls = true }":               "10.0.100.2:993",
		"POP_CHECK = { tls = \"starttls\" }":        "10.0.100.2:110",
		"SMTP_CHECK = { tls = true }":               "10.0.100.2:465",
		"HTTP_GET = { connect_port = 8080 }":        "10.0.100.2:8080",
		"PING_CHECK = true":                         "10.0.100.2:0",
		"FILE_CHECK = { path = \"/f\" }":            "10.0.100.2:0",
		"MISC_CHECK = { misc_path = \"/bin/a\" }":   "10.0.100.2:0",
		"SMTP_CHECK = { host = \"10.9.9.9\" }":      "10.9.9.9:25",
		"AGENT_CHECK = { connect_port = 9999 }":     "10.0.100.2:9999",
		"DNS_CHECK = { connect_ip = \"10.1.1.1\" }": "10.1.1.1:53",
	} {
		c := accept(t, "[[virtual_server]]\nfwmark = 1\nreal_servers = [\"10.0.100.2\"]\n"+lines)
		if k := checksOf(&c.VirtualServers[0].RealServers[0]); len(k) != 1 || k[0].Target.String() != want {
			t.Errorf("%s: %v, want %s", lines, k, want)
		}
	}
	c := oneServer(t, "PING_CHECK = true\nMISC_CHECK = { misc_path = \"/bin/a\" }\nIMAP_CHECK = true")
	var got []string
	for _, k := range checksOf(&c.VirtualServers[0].RealServers[0]) {
		got = append(got, k.Target.String())
	}
	if want := []string{"10.0.100.2:80", "10.0.100.2:80", "10.0.100.2:0"}; !slices.Equal(got, want) {
		t.Errorf("with a port: %s, want %s", got, want)
	}
}

// The nearest setting wins: that of the check's table, the server's, that of the virtual server's table of the same type, the
// virtual server's.
func TestSettingsOfChecks(t *testing.T) {
	c := accept(t, `
[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
virtualhost = "vs"
rise = 2
retry = 5
hold_down = 20
checks_needed = "any"
slow_start = "1m"
real_servers = ["10.0.100.2:80"]
sorry_server = "10.0.100.9:80"

[virtual_server.HTTP_GET]
fall = 3
http_protocol = "1.0"
fast_interval = 0.5
url = ["/a", "/b"]
[virtual_server.PING_CHECK]
[virtual_server.MISC_CHECK]
misc_path = "/bin/a"

  [[virtual_server.real_server]]
  address = "10.0.100.3:80"
  virtualhost = "rs"
  retry = 7
  slow_start = 0
  checks_needed = "all"

  [[virtual_server.real_server]]
  address = "10.0.100.4:80"
  checks_needed = 2
  [[virtual_server.real_server.HTTP_GET]]
  fast_recovery = false
  retry = 0
  [[virtual_server.real_server.HTTP_GET]]
  virtualhost = "check"
  hold_down = 600
  url = { path = "/c", virtualhost = "url" }

  [[virtual_server.real_server]]
  address = "10.0.100.5:80"
  PING_CHECK = false
  HTTP_GET = false

  [[virtual_server.real_server]]
  address = "10.0.100.6:80"
  TCP_CHECK = false

  [[virtual_server.real_server]]
  address = "10.0.100.7:80"
  checks = "on"

  [[virtual_server.real_server]]
  address = "10.0.100.8:80"
  checks = "off"
`)
	policy := func(change func(*health.Policy)) health.Policy {
		p := health.Policy{DelayLoop: 5 * time.Second, Retry: 5, DelayBeforeRetry: time.Second / 2, Alpha: true, Rise: 2,
			HoldDown: 20 * time.Second, HoldDownMax: 5 * time.Minute}
		change(&p)
		return p
	}
	check := func(port int, name string, spec health.Spec, timeout time.Duration, change func(*health.Policy)) func(string) health.Check {
		return func(ip string) health.Check {
			target := netip.AddrPortFrom(netip.MustParseAddr(ip), uint16(port))
			return health.Check{Type: name, Target: target, Timeout: timeout, Spec: spec, Policy: policy(change)}
		}
	}
	shared := func(host string) health.HTTP {
		return health.HTTP{Protocol: "1.0", URLs: urls(health.URL{Path: "/a", VirtualHost: host}, health.URL{Path: "/b", VirtualHost: host})}
	}
	http := func(host string, retry int) func(string) health.Check {
		return check(80, "HTTP_GET", shared(host), 3*time.Second, func(p *health.Policy) { p.Retry, p.FastInterval = retry, time.Second/2 })
	}
	misc := func(retry int) func(string) health.Check {
		return check(80, "MISC_CHECK", health.Misc{Argv: health.ListOf("/bin/a")}, 5*time.Second, func(p *health.Policy) { p.Retry = retry })
	}
	ping := func(retry int) func(string) health.Check {
		return check(0, "PING_CHECK", health.Ping{}, 3*time.Second, func(p *health.Policy) { p.Retry = retry })
	}
	last := health.HTTP{Protocol: "1.0", URLs: urls(health.URL{Path: "/c", VirtualHost: "url"})}
	vs := c.VirtualServers[0]
	for i, want := range []struct {
		checks    []func(string) health.Check
		needed    int
		slowStart time.Duration
		off       bool
	}{
		{[]func(string) health.Check{http("vs", 2), misc(5), ping(5)}, 1, time.Minute, false},
		{[]func(string) health.Check{http("rs", 2), misc(7), ping(7)}, 0, 0, false},
		{[]func(string) health.Check{
			check(80, "HTTP_GET", shared("vs"), 3*time.Second, func(p *health.Policy) { p.Retry, p.FastInterval, p.Turns = 0, time.Second/2, 2 }),
			check(80, "HTTP_GET", last, 3*time.Second, func(p *health.Policy) {
				p.Retry, p.FastInterval, p.HoldDown, p.HoldDownMax = 2, time.Second/2, 10*time.Minute, 10*time.Minute
			})}, 2, time.Minute, false},
		{[]func(string) health.Check{misc(5)}, 1, time.Minute, false},
		{nil, 0, time.Minute, false},
		{nil, 0, time.Minute, false},
		{nil, 0, time.Minute, true},
		{[]func(string) health.Check{http("vs", 2), misc(5), ping(5)}, 1, 0, false}, // the sorry server
	} {
		rs := slices.Collect(vs.Servers())[i]
		var list []health.Check
		for _, f := range want.checks {
			list = append(list, f(rs.Destination.Addr.Addr().String()))
		}
		got := checksOf(rs)
		if !slices.Equal(got, list) || rs.Needed != want.needed || rs.SlowStart != want.slowStart || rs.Off != want.off {
			t.Errorf("%s: needed %d, slow start %v, off %t, and checks (-want +got):\n%s", rs.Destination.Addr,
				rs.Needed, rs.SlowStart, rs.Off, cmp.Diff(list, got, sameChecks))
		}
	}
}

// Each host of SMTP_CHECK is a check of its own.
func TestHostsOfSMTP(t *testing.T) {
	c := oneServer(t, `SMTP_CHECK = { connect_port = 25, bindto = "10.0.100.1", host = ["10.0.100.2", { connect_port = 587, bindto = "10.0.100.9" }] }`)
	var got []string
	for _, k := range checksOf(&c.VirtualServers[0].RealServers[0]) {
		got = append(got, k.Target.String()+" from "+k.Source.String())
	}
	want := []string{"10.0.100.2:25 from 10.0.100.1:0", "10.0.100.2:587 from 10.0.100.9:0"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A server that probes may give weight 0 is one that takes no clients: sh needs its fallback.
func TestWeightsFromChecksAndHashing(t *testing.T) {
	for _, lines := range []string{
		"AGENT_CHECK = { connect_port = 1 }", "HTTP_GET = { weight_body = true }", "FILE_CHECK = { path = \"/f\", weight = 1 }",
		"MISC_CHECK = { misc_path = \"/bin/a\", misc_dynamic = true }",
	} {
		name, _, _ := strings.Cut(lines, " ")
		c := oneServer(t, "lb_algo = \"sh\"\n"+lines, fmt.Sprintf(
			"7:%d warning: sh-fallback is set: a server may have weight 0 (%s), and without it sh drops the clients that hash to it",
			len(name)+4, name))
		if c.VirtualServers[0].Services[0].DropsClients() {
			t.Errorf("%s: the flag is not set", lines)
		}
	}
	oneServer(t, "lb_algo = \"sh\"\nHTTP_GET = true")
}

// A file that checks read is part of what all virtual servers have in common.
func TestLoaderSeesTrackFiles(t *testing.T) {
	text := "[[virtual_server]]\nfwmark = 1\nreal_servers = [\"10.0.0.1\"]\nFILE_CHECK = { track_file = \"F\" }\n[track_file.F]\nfile = \"/a\"\n"
	var l Loader
	if c, found := l.Load("t.toml", text); c == nil {
		t.Fatal(found)
	}
	c, _ := l.Load("t.toml", strings.Replace(text, `"/a"`, `"/b"`, 1))
	if k := checksOf(&c.VirtualServers[0].RealServers[0]); k[0].Spec != (health.File{Path: "/b"}) {
		t.Errorf("%v", k)
	}
}

func TestCheckLimits(t *testing.T) {
	c := oneServer(t, "TCP_CHECK = true\n[global_defs]\nmax_checks_in_flight = 9\nmax_checks_per_second = 8\nmax_check_scripts = 7")
	if want := (CheckLimits{9, 8, 7}); c.GlobalDefs.Checks != want {
		t.Errorf("%+v", c.GlobalDefs.Checks)
	}
}

// Whatever is wrong with a line, and however it is written, nobody sees the secret in it.
func TestSecretsAreHidden(t *testing.T) {
	for _, line := range []string{
		`passwd = "hunter2"`, `passwd = "hunter2`, `passwd='hunter2'`, `"passwd" = "hun\"hunter2" x`, `x = { secret = "hunter2", y`,
		`SSL.password = "hunter2"`, `passwd = hunter2`, `passwd = ["hunter2"]`, `headers = { Authorization = "Basic hunter2" }`,
		`RADIUS_CHECK = { passwd = "hunter2", secret = "hunter2", nonsense = 1 }`,
		`REDIS_CHECK = { passwd = "hunter2" }` + "\n" + `passwd = "hunter2"`,
		`REDIS_CHECK={pasword="hunter2"}`, `MYSQL_CHECK = { login = "x", pass = "hunter2" }`, `MYSQL_CHECK = { login = "x", Pwd = "hunter2" }`,
		`RADIUS_CHECK = { login = "x", passwd_fil = "/p", sceret = 'hunter2' }`, `passwd = ["a b", "hunter2"]`,
		`headers = { Proxy-Authorization = "Basic hunter2", X-Api-Key = "hunter2", Cookie = "hunter2" }`,
		"auth_pass hunter2", "HTTP_GET { user x password hunter2 }", `misc_path "/x --user y --password hunter2"`, "v { a { auth_type X auth_pass hunter2 } }", "\tpassword \"hun ter hunter2\"", "authentication { auth_type PASS } x { auth_pass hunter2 }", "$AUTH_PASS=hunter2",
	} {
		text := []byte("[[virtual_server]]\nfwmark = 1\n" + line + "\n")
		c, found := Load("t.toml", text)
		if shown := found.Format(text); c != nil || strings.Contains(shown, "hunter2") {
			t.Errorf("%s\n%s", line, shown)
		}
	}
}

// No keyword but those of secrets is hidden.
func TestSecretive(t *testing.T) {
	for _, k := range keywords {
		if got := secretive(k.name); got != slices.Contains([]string{"passwd", "password", "secret", "auth_pass", "key", "token"}, k.name) {
			t.Errorf("%s: %v", k.name, got)
		}
	}
}

// A misspelt password is one.
func TestMisspeltPassword(t *testing.T) {
	for _, word := range []string{"password", "pasword", "pass", "pwd", "paswd"} {
		text := []byte("[[virtual_server]]\nfwmark = 1\nreal_servers = [\"192.0.2.1\"]\nMYSQL_CHECK = { login = \"l\", " + word + " = \"s\" }\n")
		_, found := Load("t.toml", text)
		if len(found) != 1 || !strings.HasPrefix(found[0].Hint, `did you mean "passwd" (`) {
			t.Errorf("%s\n%s", word, found.Format(text))
		}
	}
}

// What a server switches off takes along what it would have inherited.
func TestSwitchedOff(t *testing.T) {
	c := accept(t, `
[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
IMAP_CHECK = { connect_port = 143, tls = true, tls_verify = true, tls_name = "n", tls_certificate = "/c", sni = "s" }
SSL_GET = { tls_verify = true, tls_name = "n", tls_ca = "/ca", url = ["/a", "/b"] }

  [[virtual_server.real_server]]
  address = "10.0.100.2:80"
  IMAP_CHECK = { tls = false }
  SSL_GET = { tls_verify = false, url = "/c" }

[[virtual_server]]
address = "192.0.2.2:80"
protocol = "TCP"
checks = "off"
real_servers = ["10.0.100.2:80"]

  [[virtual_server.real_server]]
  address = "10.0.100.3:80"
  TCP_CHECK = true
`)
	got := checksOf(&c.VirtualServers[0].RealServers[0])
	want := []health.Spec{health.IMAP{}, health.HTTP{
		Protocol: "1.1", TLS: health.TLS{Mode: health.Implicit}, URLs: urls(health.URL{Path: "/c"})}}
	if len(got) != 2 || got[0].Spec != want[0] || got[1].Spec != want[1] {
		t.Errorf("%v", got)
	}
	if rs := c.VirtualServers[1].RealServers; !rs[0].Off || rs[1].Off {
		t.Errorf("off: %t and %t", rs[0].Off, rs[1].Off)
	}
}

// A failure is tried again after a tenth of delay_loop, at most a second.
func TestPauseBeforeRetry(t *testing.T) {
	for loop, want := range map[string]time.Duration{"0.1": 10 * time.Millisecond, "5": time.Second / 2, "10": time.Second, "60": time.Second} {
		c := accept(t, fmt.Sprintf("[[virtual_server]]\naddress = \"192.0.2.1:80\"\nprotocol = \"TCP\"\nreal_servers = [\"10.0.0.2\"]\nTCP_CHECK = { delay_loop = %s }\n", loop))
		if got := c.VirtualServers[0].RealServers[0].Checks[0].Check().DelayBeforeRetry; got != want {
			t.Errorf("delay_loop %s: %v, want %v", loop, got, want)
		}
	}
}
