package config

import (
	"slices"
	"strings"
	"testing"
)

// secretForms are all keywords whose value is a secret, written in the configuration and kept in a file.
var secretForms = []struct{ keyword, written, kept string }{
	{"passwd", `virtual_server.MYSQL_CHECK = { login = "l", passwd = "hunter2" }`, `virtual_server.MYSQL_CHECK = { login = "l", passwd_file = "/run/credentials/ipvsd.service/p" }`},
	{"secret", `virtual_server.RADIUS_CHECK = { login = "l", passwd_file = "/p", secret = "hunter2" }`,
		`virtual_server.RADIUS_CHECK = { login = "l", passwd_file = "/p", secret_file = "/s" }`},
	{"auth_pass", `vrrp_instance.VI.authentication = { auth_type = "PASS", auth_pass = "hunter2" }`,
		`vrrp_instance.VI.authentication = { auth_type = "PASS", auth_pass_file = "/p" }`},
	{"key", `vrrp_instance.VI.auth_hmac = { key = { 1 = "hunter2hunter2hunter2hunter2hunter2" } }`,
		`vrrp_instance.VI.auth_hmac = { key = { 1 = "file:/k" } }`},
	{"url", `webhook.W.url = "https://alerts.example.org/hunter2"`, `webhook.W.url_file = "/u"`},
}

// Whoever adds a secret adds the way to keep it in a file, or as a credential of systemd, which is one.
func TestSecretsMayStandInFiles(t *testing.T) {
	for _, k := range keywords {
		secret := secretive(k.name) && k.kind.words != "" && k.kind.words != path.words && k.refused == ""
		listed := slices.ContainsFunc(secretForms, func(f struct{ keyword, written, kept string }) bool { return f.keyword == k.name })
		if secret && !listed {
			t.Errorf("%s is a secret, and not among those that may stand in a file", k.name)
		}
	}
	for _, f := range secretForms {
		if c := loadForm(t, f.kept); c != nil && strings.Contains(string(Format(c)), f.keyword+" = \"") {
			t.Errorf("%s is printed as\n%s", f.kept, Format(c))
		}
	}
}

// What plans, the history and differences are made of has none of them.
func TestObjectsHaveNoSecrets(t *testing.T) {
	for _, f := range secretForms {
		c := loadForm(t, f.written)
		if c == nil {
			continue
		}
		if !strings.Contains(string(Format(c)), "hunter2") && f.keyword != "key" { // what is loaded again needs it; keys are printed as hexadecimal digits
			t.Errorf("%s is printed as\n%s", f.written, Format(c))
		}
		objects, hidden := Objects(c, func(*VirtualServer) bool { return false }), 0
		for i := 0; i < len(objects); i++ {
			objects = append(objects, objects[i].Members...)
			for _, k := range objects[i].Keywords {
				shown := k.Value() + strings.Join(k.Items(), "")
				if strings.Contains(shown, "hunter2") || strings.Contains(shown, "68756e7465") {
					t.Errorf("%s %s shows %s = %s", objects[i].Kind, objects[i].Name, k.Name, shown)
				}
				if strings.Contains(shown, "(hidden)") {
					hidden++
				}
			}
		}
		if hidden == 0 {
			t.Errorf("nothing of %s is shown, not even that it is hidden", f.written)
		}
	}
}

// loadForm loads one of secretForms with what it takes around it.
func loadForm(t *testing.T, line string) *Config {
	t.Helper()
	text := line + "\n"
	if rest, ok := strings.CutPrefix(line, "virtual_server."); ok {
		text = "[[virtual_server]]\naddress = \"192.0.2.1:80\"\nprotocol = \"TCP\"\nreal_servers = [\"10.0.100.2:80\"]\n" + rest + "\n"
	} else if strings.HasPrefix(line, "vrrp_instance") {
		text += "[vrrp_instance.VI]\ninterface = \"eth0\"\nvirtual_router_id = 1\nversion = 2\nvirtual_ipaddress = [\"192.0.2.9\"]\n"
		text = strings.Replace(text, "vrrp_instance.VI.", "", 1)
		first, rest, _ := strings.Cut(text, "\n")
		text = rest + first + "\n"
	}
	c, found := Load("t.toml", []byte(text))
	if c == nil {
		t.Errorf("%s\n%s", line, found.Format([]byte(text)))
	}
	return c
}

// A secret is written or in a file, not both.
func TestSecretTwice(t *testing.T) {
	for _, text := range []string{
		"[webhook.W]\nurl = \"http://x/y\"\nurl_file = \"/u\"\n",
		"[vrrp_instance.VI]\ninterface = \"eth0\"\nvirtual_router_id = 1\nversion = 2\nvirtual_ipaddress = [\"192.0.2.9\"]\n" +
			"authentication = { auth_type = \"PASS\", auth_pass = \"x\", auth_pass_file = \"/p\" }\n",
	} {
		c, found := Load("t.toml", []byte(text))
		if c != nil || !strings.Contains(found.Format([]byte(text)), "contradicts") {
			t.Errorf("%s", found.Format([]byte(text)))
		}
	}
}
