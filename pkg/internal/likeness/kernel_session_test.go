//go:build kernel

package likeness

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// A gateway that speaks BFD with two directors: keepalived 2.2.7.
func newGateway(t *testing.T, on *lab.Bridge) (*lab.Host, *lab.Process) {
	t.Helper()
	h := lab.NewHost(t, "gateway")
	h.Connect(on, "eth0", "192.168.1.254/24")
	dir := t.TempDir()
	var conf strings.Builder
	for i := 1; i <= 2; i++ {
		fmt.Fprintf(&conf, "bfd_instance director%d {\n  neighbor_ip 192.168.1.10%d\n  source_ip 192.168.1.254\n  min_rx 50\n  min_tx 50\n  multiplier 20\n}\n", i, i)
	}
	if err := os.WriteFile(dir+"/keepalived.conf", []byte(conf.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return h, h.Start("keepalived", "--dont-fork", "--log-console", "--log-detail", "--use-file", dir+"/keepalived.conf",
		"--pid", dir+"/pid", "--vrrp_pid", dir+"/vrrp", "--checkers_pid", dir+"/check", "--bfd_pid", dir+"/bfd")
}

// TestKernelSessions: the role of a director, and a server, follow a BFD session with a gateway: gone with it, and back with it.
// Without virtual routers and checks the session goes on.
func TestKernelSessions(t *testing.T) {
	x := newDirectors(t)
	gateway, keepalived := newGateway(t, x.external)
	const session = `
[bfd_instance.GATEWAY]
neighbor_ip = "192.168.1.254"
min_rx = 50
min_tx = 50
multiplier = 20
`
	config := func(priority int) string {
		return fmt.Sprintf(`
[vrrp_instance.VI_1]
version = 3
interface = "eth0"
virtual_router_id = 51
priority = %d
advert_int = 1
virtual_ipaddress = ["192.168.1.200/24"]
track_bfd = ["GATEWAY"]

[[virtual_server]]
address = "192.168.1.200:80"
protocol = "TCP"
lb_algo = "rr"
delay_loop = 3600
retry = 3
  [[virtual_server.real_server]]
  address = "10.0.100.21:80"
  BFD_CHECK = { name = "GATEWAY" }
  [[virtual_server.real_server]]
  address = "10.0.100.22:80"
  checks = "on"
`, priority) + session
	}
	for i, priority := range []int{150, 100} {
		x.daemons[i] = ipvsd.Start(t, x.hosts[i], config(priority))
	}
	// active waits for the director that has the address, and for what the first one has in its table.
	active := func(when string, n int, servers ...string) {
		t.Helper()
		since := time.Now()
		for i, h := range x.hosts {
			lab.WaitFor(t, ipvsd.Patience, fmt.Sprintf("%s: the address of %s", when, h.Name), func() error {
				got, err := has(h, "eth0", "192.168.1.200/24")
				if err != nil || len(got) > 0 != (i == n) {
					return fmt.Errorf("%v: %w", got, err)
				}
				return nil
			})
		}
		took := time.Since(since)
		lab.WaitFor(t, ipvsd.Patience, when+": the servers of the first", func() error {
			table, err := x.hosts[0].ReadTable()
			if err != nil {
				return err
			}
			var got []string
			for _, row := range table {
				if row.Server != "" {
					got = append(got, row.Server)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(servers) {
				return fmt.Errorf("%v, want %v", got, servers)
			}
			return nil
		})
		t.Logf("%s: %v until the address was where it should be, %v until the table was right", when, took, time.Since(since))
	}
	of := func(n int) status.BFDSession {
		t.Helper()
		s := x.vrrp(n)
		if len(s.Sessions) != 1 {
			t.Fatalf("%+v", s)
		}
		return s.Sessions[0]
	}
	const first, second = "10.0.100.21:80", "10.0.100.22:80"
	active("the election", 0, first, second)
	if s := of(0); s.Name != "GATEWAY" || s.State != "Up" || s.Detection != time.Second || s.Reason != "" || s.Received == 0 {
		t.Errorf("%+v", s)
	}

	// What the gateway sends to the first is lost; all else, adverts too, goes through.
	gateway.Run("ip", "route", "add", "blackhole", "192.168.1.101/32")
	active("a session that is cut", 1, second)
	if v := x.vrrp(0).Instances[0]; v.State != "FAULT" || len(v.Faults) != 1 || v.Faults[0] != "bfd GATEWAY is down: nothing heard from 192.168.1.254 for 1s" {
		t.Errorf("%+v", v)
	}
	if s := of(0); s.State == "Up" {
		t.Errorf("%+v", s)
	}
	if s := of(1); s.State != "Up" {
		t.Errorf("%+v", s)
	}
	gateway.Run("ip", "route", "delete", "blackhole", "192.168.1.101/32")
	active("the session back", 0, first, second)

	// The session stays as it is when what needs it has gone.
	since := of(0).Since
	x.daemons[0].Load(session)
	active("no virtual routers", 1)
	if s := of(0); s.State != "Up" || !s.Since.Equal(since) {
		t.Errorf("after a reload %+v, since %v before", s, since)
	}
	keepalived.WaitLog(ipvsd.Patience, "(director1) Entering Up state")
	ups := strings.Count(keepalived.Log(), "(director1) Entering Up state")
	x.daemons[0].Stop()
	lab.WaitFor(t, ipvsd.Patience, "the gateway to hear of the stop", func() error {
		if n := strings.Count(keepalived.Log(), "(director1) Entering Down state"); n < ups {
			return fmt.Errorf("it went down %d times, up %d times", n, ups)
		}
		return nil
	})
	if !strings.Contains(keepalived.Log(), "Remote diagnostic - Administratively Down") {
		t.Errorf("the gateway was not told why:\n%s", keepalived.Log())
	}
}
