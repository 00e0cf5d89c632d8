package daemon

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/alert"
	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// heard is what FIFOs and mail servers were told.
type heard struct {
	mu   sync.Mutex
	desk *alert.Desk
	list []string
}

func (l *heard) Change(c *config.GlobalDefs) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.desk = alert.NewDesk(c, "host")
}

func (l *heard) Trial(_ context.Context, c *config.Config) *status.Trials {
	return &status.Trials{Trials: []status.Trial{{To: c.GlobalDefs.RouterID}}}
}

// Tell notes a line as it is, and a mail by its subject and the first line of its text.
func (l *heard) Tell(list ...alert.News) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range list {
		if line := list[i].Text(); line != "" {
			l.list = append(l.list, line)
		}
		if l.desk == nil {
			continue
		}
		if m, ok := l.desk.Mail(&list[i]); ok {
			first, _, _ := strings.Cut(m.Text, "\n")
			l.list = append(l.list, "mail "+m.Subject+" "+first)
		}
	}
}

func (h *house) wantHeard(when string, want ...string) {
	h.t.Helper()
	synctest.Wait()
	h.heard.mu.Lock()
	defer h.heard.mu.Unlock()
	if !slices.Equal(h.heard.list, want) {
		h.t.Errorf("%s: heard\n%s\nwant\n%s", when, strings.Join(h.heard.list, "\n"), strings.Join(want, "\n"))
	}
	h.heard.list = nil
}

const mailed = `
[global_defs]
router_id = "lb1"
smtp_server = "localhost"
notification_email = "ops@example.org"
smtp_alert = true
[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
quorum = 2
omega = true
real_servers = ["198.51.100.1:80"]
delay_loop = 3
retry = 0
alpha = false
TCP_CHECK = true
[[virtual_server.real_server]]
address = "198.51.100.2:80"
[[virtual_server.real_server.TCP_CHECK]]
[[virtual_server.real_server.TCP_CHECK]]
connect_ip = "198.51.100.3"
`

// Lines and mails as keepalived has them: see the kernel test for the comparison.
func TestAlerts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), mailed)
		h.pass(4 * time.Second)
		h.wantHeard("start", "VS [192.0.2.1]:tcp:80 UP",
			"mail [lb1] Virtualserver [192.0.2.1]:tcp:80 - UP => Starting with quorum up 2+0=2 <= 2 <=")
		h.down.Store(third, true)
		h.pass(4 * time.Second)
		h.wantHeard("a check fails",
			"mail [lb1] Realserver [198.51.100.2]:tcp:80 of virtual server [192.0.2.1]:tcp:80 - DOWN => TCP CHECK failed on service <=",
			"RS [198.51.100.2]:tcp:80 [192.0.2.1]:tcp:80 DOWN", "VS [192.0.2.1]:tcp:80 DOWN",
			"mail [lb1] Virtualserver [192.0.2.1]:tcp:80 - DOWN => Lost quorum 2-0=2 > 1 <=")
		h.down.Store(second, true)
		h.pass(4 * time.Second)
		h.wantHeard("another one, too",
			"mail [lb1] Realserver [198.51.100.2]:tcp:80 of virtual server [192.0.2.1]:tcp:80 - DOWN => TCP CHECK failed on service <=")
		h.down.Delete(third)
		h.pass(4 * time.Second)
		h.wantHeard("the first is back",
			"mail [lb1] Realserver [198.51.100.2]:tcp:80 of virtual server [192.0.2.1]:tcp:80 - DOWN => TCP CHECK succeed on service <=")
		h.down.Delete(second)
		h.down.Store(first, true)
		h.pass(4 * time.Second)
		h.wantHeard("one goes, one comes",
			"RS [198.51.100.1]:tcp:80 [192.0.2.1]:tcp:80 DOWN",
			"mail [lb1] Realserver [198.51.100.1]:tcp:80 of virtual server [192.0.2.1]:tcp:80 - DOWN => TCP CHECK failed on service <=",
			"mail [lb1] Realserver [198.51.100.2]:tcp:80 of virtual server [192.0.2.1]:tcp:80 - UP => TCP CHECK succeed on service <=",
			"RS [198.51.100.2]:tcp:80 [192.0.2.1]:tcp:80 UP")
		h.write(strings.Replace(mailed, "198.51.100.2:80", "198.51.100.4:80", 1))
		h.reloaded()
		h.pass(4 * time.Second)
		h.wantHeard("a live server leaves",
			"RS [198.51.100.2]:tcp:80 [192.0.2.1]:tcp:80 DOWN",
			"mail [lb1] Realserver [198.51.100.2]:tcp:80 of virtual server [192.0.2.1]:tcp:80 - DOWN => Removing <=")
		h.stop()
		h.wantHeard("stop", "RS [198.51.100.4]:tcp:80 [192.0.2.1]:tcp:80 DOWN",
			"mail [lb1] Realserver [198.51.100.4]:tcp:80 of virtual server [192.0.2.1]:tcp:80 - DOWN => Removing <=",
			"VS [192.0.2.1]:tcp:80 DOWN", "mail [lb1] Virtualserver [192.0.2.1]:tcp:80 - DOWN => Lost quorum 2-0=2 > 0 <=")
	})
}

// With ldirectord's subjects, its phases and its words for the fallback server.
func TestAlertsAsLdirectord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := `
[global_defs]
smtp_server = "localhost"
notification_email = "ops@example.org"
smtp_alert_format = "ldirectord"
lvs_flush_on_stop = true
[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
servicename = "Web"
real_servers = ["198.51.100.1:80"]
sorry_server = "198.51.100.3:80"
delay_loop = 3
retry = 0
TCP_CHECK = true
[[virtual_server.real_server]]
address = "198.51.100.2:80"
weight = 2
inhibit_on_failure = true
`
		h := start(t, new(ipvstest.Kernel), t.TempDir(), text, second)
		h.pass(4 * time.Second)
		mails := func(when string, want ...string) {
			t.Helper()
			synctest.Wait()
			h.heard.mu.Lock()
			h.heard.list = slices.DeleteFunc(h.heard.list, func(l string) bool { return !strings.HasPrefix(l, "mail [Web] ") })
			h.heard.mu.Unlock()
			for i := range want {
				want[i] = "mail [Web] " + want[i] + " ldirectord host: host"
			}
			h.wantHeard(when, want...)
		}
		mails("start", "Added real server: 198.51.100.1:80 (192.0.2.1:80) (Weight set to 1)",
			"Quiescent real server: 198.51.100.2:80 (192.0.2.1:80) (Weight set to 0)")
		h.down.Store(first, true)
		h.pass(4 * time.Second)
		mails("the last one dies", "Deleted real server: 198.51.100.1:80 (192.0.2.1:80)", "Added fallback server: 198.51.100.3:80 (192.0.2.1:80) (Weight set to 1)")
		h.down.Delete(second)
		h.pass(4 * time.Second)
		mails("the other one is back", "Restored real server: 198.51.100.2:80 (192.0.2.1:80) (Weight set to 2)", "Deleted fallback server: 198.51.100.3:80 (192.0.2.1:80)")
		h.stop()
		mails("stop", "Purged real server (stop): 198.51.100.2:80 (192.0.2.1:80)")
	})
}

// A test of alerts is of the configuration in force.
func TestTrialOfAlerts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), mailed)
		defer h.stop()
		for _, name := range []string{"lb1", "lb2"} {
			h.write(strings.Replace(mailed, "lb1", name, 1))
			h.reloaded()
			got, err := h.Trial(t.Context())
			if err != nil || len(got.Trials) != 1 || got.Trials[0].To != name {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
	})
}
