//go:build kernel

package pair

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// sshService is a service of long connections for scenario 1, through the same directors.
const sshService = `
[[virtual_server]]
address = "192.168.1.201:22"
protocol = "TCP"
lb_kind = "NAT"
TCP_CHECK = true
delay_loop = 3
real_servers = ["10.0.100.2:2222", "10.0.100.3:2222", "10.0.100.4:2222"]
`

// TestKernelScenario1 is scenario 1 of scenarios.md: what its author looked at by hand, in his order, and connections that last.
func TestKernelScenario1(t *testing.T) {
	p := lab.NewNATPair(t)
	for _, s := range p.Web {
		serveFlows(t, s.Host)
	}
	master, standby := NewDirector(t, p.Directors[0], IPVSD, bin), NewDirector(t, p.Directors[1], IPVSD, bin)
	setup := Scenario1(true, 2, "1")
	master.WriteText(setup.IPVSD() + sshService)
	standby.WriteText(Scenario1(false, 2, "1").IPVSD() + sshService)
	master.Start()
	standby.Start()
	WaitActive(t, setup, master, standby)

	// ipvsadm -L shows both services with three servers, on both directors.
	servers := func(web, dns int) func() error {
		return func() error {
			for _, d := range []*Director{master, standby} {
				rows, err := d.ReadTable()
				if err != nil {
					return err
				}
				count := make(map[string]int)
				for _, r := range rows {
					if r.Server != "" {
						count[r.Service]++
					}
				}
				if count["TCP 192.168.1.202:80"] != web || count["UDP 192.168.1.200:53"] != dns {
					return fmt.Errorf("%s: %v", d.Name, count)
				}
			}
			return nil
		}
	}
	lab.WaitFor(t, patience, "three servers of each service", servers(3, 3))

	// Three requests, three servers, and the web server sees the client.
	var answered []string
	for range 3 {
		a, err := p.Get()
		if err != nil {
			t.Fatal(err)
		}
		if a.Client.Addr() != lab.ClientAddr {
			t.Errorf("%s saw the client as %v", a.Server, a.Client)
		}
		answered = append(answered, a.Server)
	}
	if slices.Sort(answered); !slices.Equal(answered, []string{"web1", "web2", "web3"}) {
		t.Errorf("three requests were answered by %v", answered)
	}
	if out := p.Client.Run("dig", "+short", "@192.168.1.200", "www.lab.local", "A"); strings.TrimSpace(out) == "" {
		t.Error("dig has no answer")
	}

	// dns1 off: it leaves the table, answers go on. web3 off: likewise.
	p.DNS[0].Stop()
	lab.WaitFor(t, patience, "dns1 out of the table", servers(3, 2))
	p.Web[2].Stop()
	lab.WaitFor(t, patience, "web3 out of the table", servers(2, 2))
	for range 6 {
		if name, err := p.Query(); err != nil || name == "dns1" {
			t.Errorf("query: %q, %v", name, err)
		}
		if a, err := p.Get(); err != nil || a.Server == "web3" {
			t.Errorf("request: %q, %v", a.Server, err)
		}
	}
	p.DNS[0].Start()
	p.Web[2].Start()
	lab.WaitFor(t, patience, "all of them back", servers(3, 3))

	// The roles of the sync daemons follow.
	syncs := func(m, s string) {
		t.Helper()
		lab.WaitFor(t, patience, "sync daemons "+m+", "+s, func() error {
			for d, role := range map[*Director]string{master: m, standby: s} {
				out, err := d.Output("ipvsadm", "-Ln", "--daemon")
				if err != nil {
					return err
				}
				if lines := strings.Split(strings.TrimSpace(out), "\n"); len(lines) != 1 || !strings.HasPrefix(lines[0], role+" sync daemon (mcast=eth1") {
					return fmt.Errorf("%s: %q", d.Name, out)
				}
			}
			return nil
		})
	}
	syncs("master", "backup")

	// Master off, as by the switch on its back: all addresses of both networks on the standby; what lasts goes on.
	ssh, download := dialFlow(t, p.Client, "192.168.1.201:22"), dialFlow(t, p.Client, "192.168.1.201:22")
	for range 5 {
		ssh.key()
	}
	download.download()
	download.goesOn()
	ssh.knownTo(standby)
	download.knownTo(standby)
	p.External.Silence(master.Host)
	p.Internal.Silence(master.Host)
	master.Crash()
	lab.WaitFor(t, patience, "all addresses on the standby", func() error { return standby.Holds(setup, true) })
	lab.WaitFor(t, patience, "requests that are answered", func() error { _, err := p.Get(); return err })
	if _, err := p.Query(); err != nil {
		t.Error(err)
	}
	download.goesOn()
	ssh.key()

	// Master back: the addresses return, no request fails, and what lasts goes on once more.
	for _, d := range []struct{ dev, address string }{{"eth0", "192.168.1.200/24"}, {"eth0", "192.168.1.201/24"}, {"eth0", "192.168.1.202/24"}, {"eth1", "10.0.100.200/24"}} {
		master.DeleteAddress(d.dev, d.address) // it was off
	}
	master.Run("ipvsadm", "-C")
	p.External.Hear(master.Host)
	p.Internal.Hear(master.Host)
	all := loads(p)
	more(t, 20, all...)
	master.Start()
	WaitActive(t, setup, master, standby)
	more(t, 100, all...)
	noneFailed(t, "the return", all...)
	syncs("master", "backup")
	lab.WaitFor(t, patience, "three servers of each service", servers(3, 3))
	if _, err := p.Get(); err != nil {
		t.Error(err)
	}
	fresh := dialFlow(t, p.Client, "192.168.1.201:22")
	fresh.key()

	// And planned: nothing at all is lost, neither what lasts nor what is under way at that very moment.
	all = loads(p)
	fresh.download()
	for _, step := range []struct{ from, to *Director }{{master, standby}, {standby, master}} {
		more(t, 20, all...)
		switchover(t, step.from)
		WaitActive(t, setup, step.to, step.from)
		more(t, 100, all...)
		fresh.goesOn()
	}
	noneFailed(t, "two switchovers", all...)
}
