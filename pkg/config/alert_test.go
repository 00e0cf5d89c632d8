package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// What is written of e-mail and webhooks is read as the same again. What a virtual server says goes before what holds for all, and what
// holds for servers before what holds for everything.
func TestAlerts(t *testing.T) {
	const text = `
[global_defs]
notification_email = ["ops@example.org", "root"]
smtp_server = "192.0.2.25 587"
smtp_tls = "implicit"
smtp_user = "lb1"
smtp_password_file = "/etc/ipvsd/mail.password"
smtp_alert = true
smtp_alert_vrrp = false
smtp_alert_repeat = 600
smtp_alert_phases = ["running", "stopping"]
no_email_faults = true
lvs_notify_fifo = "/run/lvs"
lvs_notify_fifo_script = "/bin/reader"
[webhook.A]
url = "https://example.org/a"
events = "lvs"
timeout = 9
[webhook."b c"]
url = "http://example.org/b"
events = ["vrrp", "lvs"]
attempts = 2
` + plainInstance + `
[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
TCP_CHECK = true
real_servers = ["10.0.100.2:80"]
[[virtual_server]]
address = "192.0.2.2:80"
protocol = "TCP"
TCP_CHECK = true
smtp_alert = false
smtp_alert_repeat = 0
smtp_alert_phases = "all"
notification_email = "web@example.org"
smtp_server = "[2001:db8::25]:25"
servicename = "Web"
comment = "the shop"
[[virtual_server.real_server]]
address = "10.0.100.2:80"
smtp_alert = false
`
	c := accept(t, text)
	m := c.GlobalDefs.Mail
	if m.Server != "192.0.2.25:587" || m.TLS != MailTLSImplicit || !m.NoFaults || m.Format != FormatKeepalived {
		t.Errorf("%+v", m)
	}
	first, second := c.VirtualServers[0], c.VirtualServers[1]
	if m := first.Mail; !m.Quorum || len(m.To) != 2 || m.Silent != Starting|Reloading || m.Repeat.Minutes() != 10 || first.RealServers[0].NoMail {
		t.Errorf("%+v", m)
	}
	if m := second.Mail; m.Quorum || m.Server != "[2001:db8::25]:25" || m.Silent != 0 || m.Repeat != 0 || !second.RealServers[0].NoMail {
		t.Errorf("%+v", m)
	}
	if c.VRRP.Instances[0].Notify.Mail {
		t.Error("there is mail about the instance")
	}
	if f := c.GlobalDefs.FIFOs; len(f) != 1 || !f[0].LVS || f[0].VRRP || f[0].Script == nil {
		t.Errorf("%+v", f)
	}
	printed := Format(c)
	again := accept(t, string(printed))
	if d := cmp.Diff(c, again, addresses, cmpopts.IgnoreUnexported(Config{})); d != "" {
		t.Errorf("(-want +got):\n%s\n%s", d, printed)
	}
	if more := Format(again); string(more) != string(printed) {
		t.Errorf("the same is printed in another way:\n%s", more)
	}
	none := accept(t, strings.Replace(text, "smtp_alert = true", "smtp_alert_checker = false", 1))
	if !none.VirtualServers[0].RealServers[0].NoMail || !strings.Contains(string(Format(none)), "smtp_alert_checker = false") {
		t.Errorf("%s", Format(none))
	}
}

// A line of the file is shown without what is in the address of a webhook.
func TestAddressesAreSecrets(t *testing.T) {
	for line, want := range map[string]string{
		`url = "https://hooks.example.org/T0KEN"`:  `url = *********************************`,
		`  url = 'http://x/T0KEN' # so`:            `  url = **************** # so`,
		`webhook = { A = { url = "http://x/y" } }`: `webhook = { A = { url = ************ } }`,
		`HTTP_GET = { url = "http://x/y" }`:        `HTTP_GET = { url = "http://x/y" }`,
		`url = { path = "/x" }`:                    `url = { path = "/x" }`,
		`secret_file = "/etc/x"`:                   `secret_file = "/etc/x"`,
		`smtp_password_file = "/etc/x"`:            `smtp_password_file = "/etc/x"`,
		`smtp_password = "geheim"`:                 `smtp_password = ********`,
	} {
		if got := withoutSecrets(line); got != want {
			t.Errorf("%s is shown as %s, want %s", line, got, want)
		}
	}
}
