//go:build kernel

package table

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// restarted presumes servers alive until they are checked, as keepalived does: what keeps the dead ones out at a start is what the last run knew.
const restarted = `
[[virtual_server]]
address = "192.168.1.202:80"
protocol = "TCP"
lb_algo = "rr"
alpha = false
delay_loop = 1
TCP_CHECK = { retry = 2, delay_before_retry = 0.5 }
real_servers = ["10.0.100.2:80", "10.0.100.3:80", "10.0.100.4:80"]

[[virtual_server]]
address = "192.168.1.202:7"
protocol = "TCP"
lb_algo = "rr"
alpha = false
delay_loop = 1
TCP_CHECK = { retry = 2, delay_before_retry = 0.5 }
real_servers = ["10.0.100.2:7", "10.0.100.3:7"]

[[virtual_server]]
address = "192.168.1.202:8"
protocol = "TCP"
lb_algo = "rr"
alpha = false
delay_loop = 1
inhibit_on_failure = true
TCP_CHECK = { retry = 2, delay_before_retry = 0.5 }
real_servers = ["10.0.100.2:8", "10.0.100.3:8"]

[[virtual_server]]
address = "192.168.1.202:9"
protocol = "TCP"
lb_algo = "rr"
alpha = false
delay_loop = 1
TCP_CHECK = { retry = 2, delay_before_retry = 0.5 }
real_servers = ["10.0.100.2:9", "10.0.100.3:9", "10.0.100.4:9"]
`

const restartedTable = `
-A -t 192.168.1.202:7 -s rr
-a -t 192.168.1.202:7 -r 10.0.100.2:7 -m -w 1
-a -t 192.168.1.202:7 -r 10.0.100.3:7 -m -w 0
-A -t 192.168.1.202:8 -s rr
-a -t 192.168.1.202:8 -r 10.0.100.2:8 -m -w 1
-a -t 192.168.1.202:8 -r 10.0.100.3:8 -m -w 0
-A -t 192.168.1.202:9 -s rr
-a -t 192.168.1.202:9 -r 10.0.100.2:9 -m -w 1
-a -t 192.168.1.202:9 -r 10.0.100.4:9 -m -w 1
-A -t 192.168.1.202:80 -s rr
-a -t 192.168.1.202:80 -r 10.0.100.2:80 -m -w 5
-a -t 192.168.1.202:80 -r 10.0.100.3:80 -m -w 1
-a -t 192.168.1.202:80 -r 10.0.100.4:80 -m -w 1
`

// TestKernelRestartOfOwnRun: kill -9 under load, and a start. Nothing is written to the kernel but what is new: a server that died meanwhile goes
// after one check with its retries. No request fails, held connections go on, the drain and the weight that the operator wanted are in force all
// the time, servers that had failed never come back, and verdicts keep their dates.
func TestKernelRestartOfOwnRun(t *testing.T) {
	c := lab.NewWebCluster(t)
	for _, s := range c.Web[:2] {
		ipvsd.Echo(t, s.Host, netip.AddrPortFrom(s.Addr.Addr(), 7).String())
	}
	serve := func(server int, port uint16) *ipvsd.Target {
		s := c.Web[server-2]
		target := ipvsd.NewTarget(t, s.Host, netip.AddrPortFrom(s.Addr.Addr(), port).String())
		target.Start()
		return target
	}
	serve(2, 8)
	serve(2, 9)
	dies := serve(4, 9)
	d := ipvsd.Start(t, c.Director, restarted)
	echo := netip.MustParseAddrPort("192.168.1.202:7")
	flows := []*ipvsd.Flow{ipvsd.OpenFlow(t, c.Client, echo), ipvsd.OpenFlow(t, c.Client, echo)} // one on each server
	d.Ctl("drain", "10.0.100.3:7")
	d.Ctl("weight", "10.0.100.2:80", "5")
	ipvsd.WaitSaved(t, c.Director, restartedTable)
	before := settled(t, d)

	load := lab.StartLoad(func() (string, error) { a, err := c.Get(); return a.Server, err })
	lab.WaitFor(t, ipvsd.Patience, "requests", func() error { return load.After(50) })
	killed := time.Now()
	d.Kill()
	dies.Stop()
	writes := ipvsd.NewWatch(t, c.Director, ipvsd.WriteRequests)
	seen := ipvsd.WatchServers(t, c.Director)
	d.Start()
	d.WaitRow("after the start", "TCP 192.168.1.202:9", "10.0.100.4:9", "gone")
	after := checksOf(t, d)
	for target, was := range before {
		is := after[target]
		if target == dies.Addr {
			passed := len(is.History) - 3
			if is.State != health.Down || passed < 0 || is.History[len(is.History)-1].Error == "" || is.History[len(is.History)-3].State != health.Down {
				t.Errorf("the check of the server that died, whose third result is to be the verdict: %+v", is)
			}
			continue
		}
		if is.State != was.State || !is.Since.Before(killed) || is.Since.Sub(was.Since).Abs() > time.Second {
			t.Errorf("the check of %s is %s since %s, and was %s since %s before", target, is.State, is.Since, was.State, was.Since)
		}
	}
	load.Mark()
	lab.WaitFor(t, ipvsd.Patience, "more requests, and two rounds of checks", func() error {
		for target, k := range checksOf(t, d) {
			if len(k.History) < 2 {
				return fmt.Errorf("%s: %+v", target, k)
			}
		}
		return load.After(50)
	})
	if n := writes.Count(); n != 1 {
		t.Errorf("%d messages changed the table, and one server died", n)
	}
	if s := load.Stop(); s.Failed > 0 {
		t.Errorf("of %d requests %d failed: %v", s.Sent, s.Failed, load.Failure())
	}
	for _, f := range flows {
		f.Ping("after the start")
	}
	seen.Judge(map[string]string{
		"192.168.1.202:7 10.0.100.2:7": "-m -w 1", "192.168.1.202:7 10.0.100.3:7": "-m -w 0",
		"192.168.1.202:8 10.0.100.2:8": "-m -w 1", "192.168.1.202:8 10.0.100.3:8": "-m -w 0",
		"192.168.1.202:9 10.0.100.2:9": "-m -w 1", "192.168.1.202:9 10.0.100.3:9": "gone", "192.168.1.202:9 10.0.100.4:9": "-m -w 1/gone",
		"192.168.1.202:80 10.0.100.2:80": "-m -w 5", "192.168.1.202:80 10.0.100.3:80": "-m -w 1", "192.168.1.202:80 10.0.100.4:80": "-m -w 1",
	})
	if w, err := d.Wishes(t.Context()); err != nil || len(w.Wishes) != 2 {
		t.Errorf("a drain and a weight are wanted: %+v, %v", w, err)
	}
}

// checksOf returns all checks with their last results, by target.
func checksOf(t *testing.T, d *ipvsd.Daemon) map[string]status.Check {
	t.Helper()
	s, err := d.Checks(t.Context(), status.CheckQuery{}, true)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]status.Check)
	for _, k := range s.Checks {
		all[k.Target.String()] = k
	}
	return all
}

// settled waits until every check has a verdict, and the disk has them.
func settled(t *testing.T, d *ipvsd.Daemon) (all map[string]status.Check) {
	t.Helper()
	lab.WaitFor(t, ipvsd.Patience, "verdicts on the disk", func() error {
		all = checksOf(t, d)
		verdicts := map[health.State]int{}
		for target, k := range all {
			if k.State == health.Unchecked {
				return fmt.Errorf("%s has none", target)
			}
			verdicts[k.State]++
		}
		text, err := os.ReadFile(d.Path("state/verdicts.json"))
		for state, n := range verdicts {
			if got := strings.Count(string(text), fmt.Sprintf(`{"State":"%s"`, state)); got != n {
				return fmt.Errorf("%d are %s, and %d on the disk: %w\n%s", n, state, got, err, text)
			}
		}
		return nil
	})
	return all
}

// byHand is a configuration for what somebody has put there by hand. No server answers.
const byHand = `
static_ipaddress = ["198.51.100.7/24 dev dummy0", "198.51.100.8/32 dev dummy0"]
[global_defs]
lvs_sync_daemon = { interface = "dummy0", id = 7, role = "master" }

[[virtual_server]]
address = "198.51.100.7:80"
protocol = "TCP"
lb_algo = "rr"
alpha = false
delay_loop = 60
TCP_CHECK = { connect_timeout = 30 }
real_servers = ["198.51.100.20:80", "198.51.100.21:80", "198.51.100.22:80"]

[[virtual_server]]
address = "198.51.100.8:53"
protocol = "UDP"
lb_algo = "wrr"
TCP_CHECK = false
weight = 2
real_servers = ["198.51.100.20:53", "198.51.100.21:53"]
`

// TestKernelRestartFromHand: over a table, addresses and a sync daemon that somebody made by hand a start changes what differs, and nothing else:
// one weight. What is not in the configuration stays and is told of, and a server that is not in the table waits for its check.
func TestKernelRestartFromHand(t *testing.T) {
	h := lab.NewHost(t, "director")
	addDummy(h, "dummy0", "198.51.100.1/24")
	h.Run("ip", "address", "add", "198.51.100.7/24", "dev", "dummy0")
	h.Run("ip", "address", "add", "198.51.100.8/32", "dev", "dummy0")
	h.Run("ipvsadm", "--start-daemon", "master", "--mcast-interface", "dummy0", "--syncid", "7")
	const found = `
-A -t 198.51.100.7:80 -s rr
-a -t 198.51.100.7:80 -r 198.51.100.20:80 -m -w 1
-a -t 198.51.100.7:80 -r 198.51.100.21:80 -m -w 0
-a -t 198.51.100.7:80 -r 198.51.100.99:80 -m -w 3
-A -t 198.51.100.9:443 -s wlc
-a -t 198.51.100.9:443 -r 198.51.100.20:443 -m -w 1
-A -u 198.51.100.8:53 -s wrr
-a -u 198.51.100.8:53 -r 198.51.100.20:53 -m -w 7
-a -u 198.51.100.8:53 -r 198.51.100.21:53 -m -w 2
`
	ipvsd.Fill(h, found)
	addresses := h.Start("ip", "-o", "monitor", "address")
	lab.WaitFor(t, ipvsd.Patience, "ip to watch", func() error {
		h.Run("ip", "address", "change", "127.0.0.2/8", "dev", "lo", "valid_lft", "10000", "preferred_lft", "10000") // none that is looked for below
		if addresses.Log() == "" {
			return errors.New("it has not said a word")
		}
		return nil
	})
	daemon := syncing(h)
	d := ipvsd.New(t, h, byHand)
	writes := ipvsd.NewWatch(t, h, ipvsd.WriteRequests)
	plan, _ := h.Output(d.CtlLine("plan", d.Path("ipvsd.toml"))...) // whose exit code says that there is something to do
	if !strings.Contains(plan, "server 198.51.100.20:53 of udp 198.51.100.8:53: weight 7 -> weight 2") || strings.Count(plan, " server ") != 1 {
		t.Errorf("the plan is\n%s", plan)
	}
	d.Start()
	want := strings.Replace(ipvsd.Trim(found), "-w 7", "-w 2", 1)
	ipvsd.WaitSaved(t, h, want)
	for range 3 { // rounds
		d.Snapshot()
	}
	if n := writes.Count(); n != 1 {
		t.Errorf("%d messages changed the table, and one weight is another", n)
	}
	if got := syncing(h); got != daemon {
		t.Errorf("the sync daemon is %q, and was %q", got, daemon)
	}
	if log := addresses.Log(); strings.Contains(log, "198.51.100.") {
		t.Errorf("addresses changed:\n%s", log)
	}
	out := d.Ctl("status")
	for _, foreign := range []string{"198.51.100.9:443", "198.51.100.99:80"} {
		if !strings.Contains(out, foreign) {
			t.Errorf("ipvsctl status does not tell of %s:\n%s", foreign, out)
		}
	}
}
