//go:build kernel

package traffic

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// webAndDNS is scenario 1 of the clusters: web and DNS behind one director. Checks are more frequent than its author's.
const webAndDNS = `
[[virtual_server]]
address = "192.168.1.202:80"
protocol = "TCP"
lb_algo = "rr"
lb_kind = "NAT"
delay_loop = 0.5
delay_before_retry = 0.2
TCP_CHECK = { connect_timeout = 3 }
real_servers = ["10.0.100.2:80", "10.0.100.3:80", "10.0.100.4:80"]

[[virtual_server]]
address = "192.168.1.200:53"
protocol = "UDP"
lb_algo = "rr"
lb_kind = "NAT"
delay_loop = 0.5
delay_before_retry = 0.2
TCP_CHECK = { connect_timeout = 3 }
real_servers = ["10.0.100.5:53", "10.0.100.6:53", "10.0.100.7:53"]
`

// webAndDNSTable is what ipvsadm -Sn prints of it.
const webAndDNSTable = `
-A -t 192.168.1.202:80 -s rr
-a -t 192.168.1.202:80 -r 10.0.100.2:80 -m -w 1
-a -t 192.168.1.202:80 -r 10.0.100.3:80 -m -w 1
-a -t 192.168.1.202:80 -r 10.0.100.4:80 -m -w 1
-A -u 192.168.1.200:53 -s rr
-a -u 192.168.1.200:53 -r 10.0.100.5:53 -m -w 1
-a -u 192.168.1.200:53 -r 10.0.100.6:53 -m -w 1
-a -u 192.168.1.200:53 -r 10.0.100.7:53 -m -w 1
`

// shares makes requests of both services, each of which has to succeed, and returns who answered how often.
func shares(t *testing.T, c *lab.NATCluster, requests int) string {
	t.Helper()
	by := map[string]int{}
	for range requests {
		answer, err := c.Get()
		if err != nil {
			t.Fatalf("request: %v", err)
		}
		if answer.Client.Addr() != lab.ClientAddr {
			t.Fatalf("%s saw a request from %s, want %s", answer.Server, answer.Client, lab.ClientAddr)
		}
		by[answer.Server]++
		name, err := c.Query()
		if err != nil {
			t.Fatalf("query: %v", err)
		}
		by[name]++
	}
	return strings.TrimPrefix(fmt.Sprint(by), "map")
}

// Scenario 1 of the clusters, with one director.
func TestKernelWebAndDNS(t *testing.T) {
	c := lab.NewNATCluster(t)
	d := ipvsd.Start(t, c.Director, webAndDNS)
	ipvsd.WaitSaved(t, c.Director, webAndDNSTable)
	expect := func(when, want string) {
		t.Helper()
		if got := shares(t, c, 30); got != want {
			t.Errorf("%s: shares %s, want %s", when, got, want)
		}
	}
	expect("all are up", "[dns1:10 dns2:10 dns3:10 web1:10 web2:10 web3:10]")

	c.Web[2].Stop()
	ipvsd.WaitSaved(t, c.Director, ipvsd.Without(webAndDNSTable, "10.0.100.4:80"))
	expect("web3 is stopped", "[dns1:10 dns2:10 dns3:10 web1:15 web2:15]")

	c.DNS[0].Stop()
	ipvsd.WaitSaved(t, c.Director, ipvsd.Without(ipvsd.Without(webAndDNSTable, "10.0.100.4:80"), "10.0.100.5:53"))
	expect("dns1 is off, too", "[dns2:15 dns3:15 web1:15 web2:15]")
	for _, s := range d.Snapshot().Services {
		if serving, all := s.Count(); serving != 2 || all != 3 {
			t.Errorf("status of %s: %d of %d servers are serving, want 2 of 3", s.Key, serving, all)
		}
	}

	c.Web[2].Start()
	c.DNS[0].Start()
	ipvsd.WaitSaved(t, c.Director, webAndDNSTable)
	expect("both are back", "[dns1:10 dns2:10 dns3:10 web1:10 web2:10 web3:10]")
	d.Stop()
	if got, _ := ipvsd.Saved(c.Director); got != ipvsd.Trim(webAndDNSTable) {
		t.Errorf("after SIGTERM the table is\n%s", got)
	}
}

// Scenario 1 of the peers: ldirectord stops reacting after a reload with an error in the file.
func TestKernelReloadWithSyntaxErrorThenServerDies(t *testing.T) {
	c := lab.NewNATCluster(t)
	d := ipvsd.Start(t, c.Director, webAndDNS)
	ipvsd.WaitSaved(t, c.Director, webAndDNSTable)

	wrong := strings.Replace(webAndDNS, `lb_algo = "rr"`, `lb_algo = rr`, 1)
	d.Write(wrong)
	where := d.Path("ipvsd.toml") + ":5:11: "
	d.Process.Signal(syscall.SIGHUP)
	d.WaitStatus("the rejection", func(s *status.Snapshot) error {
		if !strings.Contains(s.Config.Rejected, where) || !strings.Contains(s.Config.Rejected, "lb_algo = rr") {
			return fmt.Errorf("rejected: %q, want the place %q and the line", s.Config.Rejected, where)
		}
		return nil
	})
	var exit *exec.ExitError
	if _, err := c.Director.Output(d.Command("-t")...); !errors.As(err, &exit) || exit.ExitCode() != ipvsd.ExitConfig {
		t.Errorf("ipvsd -t: %v, want exit code %d", err, ipvsd.ExitConfig)
	} else if !strings.Contains(err.Error(), where) {
		t.Errorf("ipvsd -t: %v, want the place %s", err, where)
	}
	if got, _ := ipvsd.Saved(c.Director); got != ipvsd.Trim(webAndDNSTable) {
		t.Errorf("after the reload the table is\n%s", got)
	}

	c.Web[2].Stop()
	ipvsd.WaitSaved(t, c.Director, ipvsd.Without(webAndDNSTable, "10.0.100.4:80"))
	if got, want := shares(t, c, 30), "[dns1:10 dns2:10 dns3:10 web1:15 web2:15]"; got != want {
		t.Errorf("shares %s, want %s", got, want)
	}
	if a := d.Load(webAndDNS); len(a.Changes) > 0 {
		t.Errorf("the reload of the right file changed %q", a.Changes)
	}
	if s := d.Snapshot(); s.Config.Rejected != "" {
		t.Errorf("after it: rejected %s", s.Config.Rejected)
	}
	c.Web[2].Start()
	ipvsd.WaitSaved(t, c.Director, webAndDNSTable)
}

// Scenario 4 of the peers.
func TestKernelServerDiesWhileKilled(t *testing.T) {
	c := lab.NewNATCluster(t)
	d := ipvsd.Start(t, c.Director, webAndDNS)
	ipvsd.WaitSaved(t, c.Director, webAndDNSTable)
	d.Kill()
	if got, _ := ipvsd.Saved(c.Director); got != ipvsd.Trim(webAndDNSTable) {
		t.Errorf("after SIGKILL the table is\n%s", got)
	}
	c.Web[2].Stop()
	d.Start()
	ipvsd.WaitSaved(t, c.Director, ipvsd.Without(webAndDNSTable, "10.0.100.4:80"))
	for _, server := range d.Snapshot().Services[1].Servers {
		want := health.Up
		if server.Addr == c.Web[2].Addr {
			want = health.Down
		}
		if server.Health != want {
			t.Errorf("%s is %s, want %s", server.Addr, server.Health, want)
		}
	}
	// What the others had is still theirs: nothing else was touched.
	if s := d.Snapshot(); s.Table.Changes != 1 {
		t.Errorf("%d changes since the start, want 1", s.Table.Changes)
	}
}
