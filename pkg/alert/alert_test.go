package alert

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/internal/golden"
)

const text = `
[global_defs]
router_id = "lb1"
smtp_server = "localhost"
notification_email = ["ops@example.org", "Night <night@example.org>"]
smtp_alert = true
[virtual_server_group.GRP]
address = ["192.0.2.8:80", "192.0.2.9:81"]
[virtual_server_group.MARKS]
fwmark = [8, 9]
[webhook.all]
url = "https://alerts.example.org/a"
[webhook.vrrp]
url = "https://alerts.example.org/b"
events = "vrrp"
[webhook.lvs]
url = "https://alerts.example.org/c"
events = "lvs"
[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
servicename = "Web"
comment = "the shop"
smtp_alert_repeat = 60
TCP_CHECK = true
real_servers = ["10.0.100.2:80"]
sorry_server = "10.0.100.9:80"
  [[virtual_server.real_server]]
  address = "10.0.100.3:80"
  inhibit_on_failure = true
  weight = 5
  smtp_alert = false
[[virtual_server]]
group = "GRP"
protocol = "TCP"
smtp_alert = false
notification_email = "web@example.org"
smtp_server = "192.0.2.25:587"
TCP_CHECK = { connect_port = 80 }
real_servers = ["10.0.100.2"]
[[virtual_server]]
group = "GRP"
protocol = "UDP"
smtp_alert_phases = "stopping"
TCP_CHECK = { connect_port = 80 }
real_servers = ["10.0.100.2"]
[[virtual_server]]
fwmark = 7
TCP_CHECK = true
real_servers = ["[fd00::2]:80"]
[[virtual_server]]
group = "MARKS"
TCP_CHECK = true
real_servers = ["10.0.100.2:80"]
[[virtual_server]]
address = "[fd00::100]:53"
protocol = "UDP"
DNS_CHECK = true
real_servers = ["[fd00::2]:53"]
`

func load(t *testing.T, change ...string) *config.Config {
	t.Helper()
	c, problems := config.Load("f", []byte(strings.NewReplacer(change...).Replace(text)))
	if problems.Err() != nil {
		t.Fatal(problems.Format([]byte(text)))
	}
	return c
}

var at = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// everything is news of every sort.
func everything(c *config.Config) (list []News) {
	labels := Labels(c.VirtualServers)
	for _, vs := range c.VirtualServers {
		n := News{At: at, About: AService, Name: labels[vs], Service: vs, Kind: Up, Line: true, Event: true, Mail: true, Phase: config.Starting,
			Quorum: Quorum{Needed: 3, Hysteresis: 1, Live: 5, First: true}}
		list = append(list, n)
		n.Kind, n.Quorum.First, n.Quorum.Live, n.Phase = Down, false, 1, config.Running
		list = append(list, n)
		for i := range vs.RealServers {
			rs := &vs.RealServers[i]
			n := n
			n.About, n.Server, n.Check, n.Reason = AServer, rs, rs.Checks[0].Check().Type, "connection\r\nrefused"
			n.Checked = i > 0
			list = append(list, n, again(n))
			n.Kind, n.Reason = Up, ""
			list = append(list, n)
			n.About, n.Line, n.Event, n.Passed, n.Kind = ACheck, false, false, true, Down
			list = append(list, n)
			n.About, n.Kind, n.Phase, n.Checked = AServer, Stopped, config.Stopping, false
			list = append(list, n)
			n.Kind, n.Check, n.Line = Down, "", true
			list = append(list, n)
		}
		for i := range vs.SorryServers {
			n := n
			n.About, n.Server, n.Check = ASorry, &vs.SorryServers[i], "MYSQL_CHECK"
			list = append(list, n)
			n.About, n.Kind, n.Line = AFallback, Up, false
			list = append(list, n)
		}
	}
	for _, kind := range []string{backup, master, fault, "MASTER_RX_LOWER_PRI"} {
		mail := kind != "MASTER_RX_LOWER_PRI"
		list = append(list, News{At: at, About: AnInstance, Name: "VI_1", Kind: kind, From: "BACKUP", Priority: 100, Reason: "so it is", Line: true, Event: true, Mail: mail},
			News{At: at, About: AGroup, Name: "G1", Kind: kind, Line: true, Event: true, Mail: mail})
	}
	for _, vs := range []*config.VirtualServer{c.VirtualServers[0], c.VirtualServers[1], nil} {
		n := News{At: at, About: AWish, Kind: WishDrain, Reason: "new\r\nkernel", Event: true, Mail: true, Phase: config.Running, Service: vs,
			Wish: &Wish{Server: "10.0.100.2", Text: "drain", By: "alice"}}
		if vs != nil {
			n.Server = &vs.RealServers[0]
		}
		list = append(list, n)
		n.Kind, n.Reason, n.Wish = WishOver, "its time has come", &Wish{Server: "10.0.100.2:80", Service: "tcp 192.0.2.1:80", Text: "weight 3"}
		list = append(list, n)
	}
	return append(list, News{At: at, About: AnInstance, Name: "VI_1", Kind: "HANDED_OVER", Event: true})
}

// What is told, of all there is to tell.
func TestTold(t *testing.T) {
	for name, change := range map[string][]string{
		"keepalived": nil,
		"servers":    {"smtp_alert = true\n", "smtp_alert = true\nno_checker_emails = true\nno_email_faults = true\n"},
		"ldirectord": {"smtp_alert = true\n", "smtp_alert_format = \"ldirectord\"\n"},
		"nobody":     {"smtp_server = \"localhost\"\n", "", "[webhook.all]\nurl = \"https://alerts.example.org/a\"\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := load(t, change...)
			d := NewDesk(&c.GlobalDefs, "host.example.org")
			var b strings.Builder
			for i, n := range everything(c) {
				if line := n.Text(); line != "" {
					fmt.Fprintf(&b, "line %s\n", line)
				}
				if m, ok := d.Mail(&n); ok {
					fmt.Fprintf(&b, "mail by %s to %s\n  %s\n  %s\n", m.Via.Server, strings.Join(m.To, ", "), m.Subject, m.Mailer)
					for line := range strings.Lines(m.Text) {
						b.WriteString("  | " + line)
					}
				}
				for _, p := range d.Posts(&n, uint64(i)) {
					fmt.Fprintf(&b, "post %s %s\n", p.To.Name, p.Body)
				}
			}
			golden.Check(t, "testdata/"+name+".golden", []byte(b.String()))
		})
	}
}

// A desk without a name of its own has the host's, and a sender.
func TestHost(t *testing.T) {
	c := load(t, "router_id = \"lb1\"\n", "")
	m, ok := NewDesk(&c.GlobalDefs, "lb7").Mail(&News{About: AnInstance, Name: "VI_1", Kind: master, Mail: true})
	if !ok || !strings.HasPrefix(m.Subject, "[lb7] VRRP") || m.Via.From != "ipvsd@lb7" || m.Via.Helo != "lb7" {
		t.Errorf("%+v", m)
	}
	if _, ok := new(Desk).Mail(&News{About: AnInstance, Mail: true}); ok {
		t.Error("a desk of no configuration sends mail")
	}
}

// Mails are repeated while a server is down, however long, and not after that.
func TestReminders(t *testing.T) {
	c := load(t)
	vs := c.VirtualServers[0]
	n := News{At: at, About: AServer, Name: "x", Service: vs, Server: &vs.RealServers[0], Kind: Down, Mail: true}
	var r Reminders
	if !r.Deadline().IsZero() {
		t.Error("something is due before anything has happened")
	}
	silent, elsewhere := n, n
	silent.Server, elsewhere.Service, elsewhere.Name = &vs.RealServers[1], c.VirtualServers[1], "y"
	for _, n := range []News{n, silent, elsewhere} {
		r.Hear(&n)
	}
	for i := 1; i <= 3; i++ {
		due := at.Add(time.Duration(i) * time.Minute)
		if got := r.Deadline(); !got.Equal(due) {
			t.Fatalf("due at %v, want %v", got, due)
		}
		if list := r.Due(due.Add(-1)); len(list) != 0 {
			t.Errorf("too early: %+v", list)
		}
		list := r.Due(due)
		if len(list) != 1 || list[0].Kind != Inaccessible || !list[0].At.Equal(due) || list[0].Line || list[0].Event {
			t.Errorf("%+v", list)
		}
	}
	n.Kind = Up
	r.Hear(&n)
	if !r.Deadline().IsZero() {
		t.Error("it is up, and something is due")
	}
	n.Kind = Down
	r.Hear(&n)
	n.Gone = true
	r.Hear(&n)
	if !r.Deadline().IsZero() {
		t.Error("it is in no configuration, and something is due")
	}
}
