package daemon

import (
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
	got := unfit(cfg)
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
	for _, d := range unfit(cfg) {
		got = append(got, d.String())
	}
	want := []string{`t.toml:6:100: warning: LDAP_CHECK of tcp 192.0.2.1:636 and 1 more will not pass: /no/password: no such file or directory`,
		`t.toml:6:56: warning: LDAP_CHECK of tcp 192.0.2.1:636 and 1 more will not pass: /no/ca.pem: no such file or directory`}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
