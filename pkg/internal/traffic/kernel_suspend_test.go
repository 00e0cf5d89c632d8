//go:build kernel

package traffic

import (
	"fmt"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// With ha_suspend servers are checked only while an address of the virtual server is on the director, be it of a service or of
// a group. What was known of them stays meanwhile, and is proved as soon as an address comes.
func TestKernelSuspend(t *testing.T) {
	bridge := lab.NewBridge(t, "internal", 1500)
	servers, director := lab.NewHost(t, "servers"), lab.NewHost(t, "director")
	director.Connect(bridge, "eth0", "10.0.100.1/24")
	servers.Connect(bridge, "eth0", "10.0.100.2/24", "10.0.100.3/24", "10.0.100.4/24")
	alone, group, always := ipvsd.NewTarget(t, servers, "10.0.100.2:80"), ipvsd.NewTarget(t, servers, "10.0.100.3:80"), ipvsd.NewTarget(t, servers, "10.0.100.4:80")
	for _, s := range []*ipvsd.Target{alone, group, always} {
		s.Start()
	}
	const common = `
lb_algo = "rr"
protocol = "TCP"
delay_loop = 0.2
retry = 0
TCP_CHECK = true
`
	d := ipvsd.Start(t, director, `
[virtual_server_group.WEB]
address = ["192.0.2.10-12:80", "192.0.2.20:8080"]

[[virtual_server]]
address = "192.0.2.1:80"
real_servers = ["10.0.100.2:80"]
ha_suspend = true`+common+`
[[virtual_server]]
group = "WEB"
real_servers = ["10.0.100.3:80"]
ha_suspend = true`+common+`
[[virtual_server]]
address = "192.0.2.3:80"
real_servers = ["10.0.100.4:80"]`+common)

	// more waits until a server was checked so often again.
	more := func(s *ipvsd.Target, n int64) {
		t.Helper()
		begin := s.Clients.Load()
		lab.WaitFor(t, ipvsd.Patience, "checks of "+s.Addr, func() error {
			if got := s.Clients.Load() - begin; got < n {
				return fmt.Errorf("%d of %d", got, n)
			}
			return nil
		})
	}
	suspended := func(want ...bool) {
		t.Helper()
		d.WaitStatus("suspension", func(s *status.Snapshot) error {
			for i, name := range []string{"tcp 192.0.2.1:80", "tcp 192.0.2.10:80"} {
				for _, v := range s.Services {
					if v.Key.String() == name && v.Suspended != want[i] {
						return fmt.Errorf("%s: %v", name, v.Suspended)
					}
				}
			}
			return nil
		})
	}
	// still wants no check of a server while another one has ten. The one that was under way may have come first.
	still := func(when string, s *ipvsd.Target) {
		t.Helper()
		more(always, 1)
		before := s.Clients.Load()
		more(always, 10)
		if got := s.Clients.Load() - before; got != 0 {
			t.Errorf("%s: %s was checked %d times", when, s.Addr, got)
		}
	}
	table := func(one, two bool) {
		t.Helper()
		want := "-A -t 192.0.2.1:80 -s rr\n"
		if one {
			want += "-a -t 192.0.2.1:80 -r 10.0.100.2:80 -m -w 1\n"
		}
		want += "-A -t 192.0.2.3:80 -s rr\n-a -t 192.0.2.3:80 -r 10.0.100.4:80 -m -w 1\n"
		for _, a := range []string{"192.0.2.10:80", "192.0.2.11:80", "192.0.2.12:80", "192.0.2.20:8080"} {
			want += "-A -t " + a + " -s rr\n"
			if two {
				want += "-a -t " + a + " -r 10.0.100.3:80 -m -w 1\n"
			}
		}
		ipvsd.WaitSaved(t, director, want)
	}

	suspended(true, true)
	still("no address", alone)
	table(false, false)
	if n := alone.Clients.Load() + group.Clients.Load(); n != 0 {
		t.Errorf("%d checks before an address came", n)
	}

	director.Run("ip", "address", "add", "192.0.2.1/32", "dev", "eth0")
	more(alone, 3)
	suspended(false, true)
	table(true, false)
	still("another's address", group)
	director.Run("ip", "address", "add", "192.0.2.20/32", "dev", "lo")
	more(group, 3)
	suspended(false, false)
	table(true, true)

	director.Run("ip", "address", "add", "192.0.2.11/24", "dev", "eth0")
	director.Run("ip", "address", "del", "192.0.2.20/32", "dev", "lo")
	more(group, 10) // it has another one

	director.Run("ip", "address", "del", "192.0.2.11/24", "dev", "eth0")
	director.Run("ip", "address", "del", "192.0.2.1/32", "dev", "eth0")
	suspended(true, true)
	still("gone", alone)
	still("gone", group)
	alone.Stop()
	group.Stop()
	more(always, 10)
	table(true, true) // nobody has looked

	director.Run("ip", "address", "add", "192.0.2.1/32", "dev", "eth0")
	table(false, true)
	director.Run("ip", "address", "del", "192.0.2.1/32", "dev", "eth0")
	suspended(true, true)
	alone.Start()
	still("down and gone", alone)
	table(false, true)
	director.Run("ip", "address", "add", "192.0.2.1/32", "dev", "eth0")
	table(true, true)
}
