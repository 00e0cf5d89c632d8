//go:build kernel

package daemon_test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// silentNet makes a network at a host, 203.0.113.0/24, where nobody answers.
func silentNet(h *lab.Host) {
	h.Run("ip", "link", "add", "silent", "type", "dummy")
	h.LinkUp("silent")
	h.AddAddress("silent", "203.0.113.1/24")
}

// Scenario 6 of the peers: a check that hangs for five minutes delays nobody's.
func TestKernelServerHangsBeside500(t *testing.T) {
	const group = 250 // on port 81, and as many on port 82
	director := lab.NewHost(t, "director")
	silentNet(director)
	listen := func(port int) net.Listener {
		t.Helper()
		l, err := director.Listen("tcp", fmt.Sprintf("0.0.0.0:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
				_ = conn.Close()
			}
		}()
		return l
	}
	listen(81)
	second := listen(82)
	var servers strings.Builder
	for i := range group {
		fmt.Fprintf(&servers, "\"127.1.1.%d:81\", \"127.1.2.%d:82\",\n", i+1, i+1)
	}
	d := ipvsd.Start(t, director, fmt.Sprintf(`
[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
delay_loop = 2
delay_before_retry = 0.1
TCP_CHECK = true
real_servers = [%s]
[[virtual_server.real_server]]
address = "203.0.113.5:80"
connect_timeout = "5m"
[[virtual_server.real_server]]
address = "203.0.113.6:80"
connect_timeout = 1
`, &servers))

	expect := func(when string, serving, down int) {
		t.Helper()
		d.WaitStatus(when, func(s *status.Snapshot) error {
			hung := ipvsd.ServerOf(s, "203.0.113.5:80")
			if hung.Health != health.Unchecked || hung.Checks[0].Probes != 0 {
				t.Fatalf("%s: the check that hangs has ended: %+v", when, hung)
			}
			states := map[health.State]int{}
			for _, server := range s.Services[0].Servers {
				states[server.Health]++
			}
			// The second one that hangs is down after a second, as it should be.
			if states[health.Up] != serving || states[health.Down] != down+1 {
				return fmt.Errorf("servers by health: %v, want %d up and %d down", states, serving, down+1)
			}
			return nil
		})
		lab.WaitFor(t, ipvsd.Patience, when+", the table", func() error {
			rows, err := director.ReadTable()
			if err == nil && len(rows) != 1+serving {
				err = fmt.Errorf("%d rows, want the service's and %d", len(rows), serving)
			}
			return err
		})
	}
	expect("all are checked", 2*group, 0)
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	expect("half of them died", group, group)
	listen(82)
	expect("they are back", 2*group, 0)
}

// unproven is a web service of which one server passes its check, one fails and one's check has not ended.
const unproven = `
[[virtual_server]]
address = "192.168.1.202:80"
protocol = "TCP"
lb_algo = "rr"
delay_loop = 0.2
[[virtual_server.real_server]]
address = "10.0.100.2:80"
TCP_CHECK = true
[[virtual_server.real_server]]
address = "10.0.100.3:80"
TCP_CHECK = { connect_port = 9 }
[[virtual_server.real_server]]
address = "10.0.100.4:80"
TCP_CHECK = { connect_ip = "203.0.113.5", connect_timeout = "5m" }
`

// Scenario 2 of the peers: clients that hammer on the service meet no server that no check has passed.
func TestKernelNoPacketBeforeFirstSuccess(t *testing.T) {
	c := lab.NewWebCluster(t)
	silentNet(c.Director)
	var captures []*lab.Capture
	newCapture := func(i int) *lab.Capture {
		return lab.NewCapture(c.Web[i].Host, "eth0", "src host "+lab.ClientAddr.String())
	}
	for i := range c.Web {
		captures = append(captures, newCapture(i))
	}
	// Until there is a server, clients are refused; they try all the same.
	stop := ipvsd.Until(t.Context(), func() { _, _ = c.Get() })
	defer stop()

	d := ipvsd.Start(t, c.Director, unproven)
	d.WaitStatus("verdicts", func(s *status.Snapshot) error {
		a, b, unchecked := ipvsd.ServerOf(s, "10.0.100.2:80"), ipvsd.ServerOf(s, "10.0.100.3:80"), ipvsd.ServerOf(s, "10.0.100.4:80")
		if a.Health != health.Up || b.Health != health.Down || unchecked.Health != health.Unchecked {
			return fmt.Errorf("%s, %s, %s", a.Health, b.Health, unchecked.Health)
		}
		return nil
	})
	visited := func(i int) func() error {
		return func() error {
			if n := len(captures[i].Packets()); n < 100 {
				return fmt.Errorf("%d packets of clients", n)
			}
			return nil
		}
	}
	avoided := func(i int, why string) {
		t.Helper()
		if p := captures[i].Stop(); len(p) > 0 {
			t.Errorf("%d packets of clients at web%d, whose check %s; the first is\n%s", len(p), i+1, why, p[0])
		}
	}
	lab.WaitFor(t, ipvsd.Patience, "clients at web1", visited(0))
	avoided(1, "fails")
	captures[1] = newCapture(1)
	ipvsd.Echo(t, c.Web[1].Host, "10.0.100.3:9")
	lab.WaitFor(t, ipvsd.Patience, "clients at web2, whose check passes now", visited(1))
	stop()
	avoided(2, "has not ended")
}

// Without alpha, as by default in keepalived, a server has clients from the start, and the first failure of its first check
// is final whatever retry says.
func TestKernelNotAlpha(t *testing.T) {
	c := lab.NewWebCluster(t)
	silentNet(c.Director)
	d := ipvsd.Start(t, c.Director, `
[[virtual_server]]
address = "192.168.1.202:80"
protocol = "TCP"
lb_algo = "rr"
alpha = false
delay_loop = "1h"
retry = 5
delay_before_retry = "1h"
[[virtual_server.real_server]]
address = "10.0.100.2:80"
TCP_CHECK = true
[[virtual_server.real_server]]
address = "10.0.100.3:80"
TCP_CHECK = { connect_ip = "203.0.113.5", connect_timeout = "5m" }
`)
	const table = `
-A -t 192.168.1.202:80 -s rr
-a -t 192.168.1.202:80 -r 10.0.100.2:80 -m -w 1
-a -t 192.168.1.202:80 -r 10.0.100.3:80 -m -w 1
`
	ipvsd.WaitSaved(t, c.Director, table)
	by := map[string]int{}
	for range 10 {
		answer, err := c.Get()
		if err != nil {
			t.Fatal(err)
		}
		by[answer.Server]++
	}
	if s := ipvsd.ServerOf(d.Snapshot(), "10.0.100.3:80"); s.Health != health.Unchecked || by["web2"] != 5 {
		t.Errorf("a server that is %s has %d of 10 requests, want 5 and it unchecked", s.Health, by["web2"])
	}
	c.Director.AddAddress("lo", "203.0.113.5/32") // now the check is refused
	ipvsd.WaitSaved(t, c.Director, ipvsd.Without(table, "10.0.100.3:80"))
	if s := ipvsd.ServerOf(d.Snapshot(), "10.0.100.3:80"); s.Health != health.Down || s.Checks[0].Failed != 1 {
		t.Errorf("it is %s after %d failures, want it down after one", s.Health, s.Checks[0].Failed)
	}
}
