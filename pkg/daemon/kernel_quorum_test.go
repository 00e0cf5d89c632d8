//go:build kernel

package daemon_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// Both services have three servers, of which one is enough, but three are needed to be enough again, and two sorry servers. Of
// the first one servers leave the table, of the second one they lose their weight.
const withSorryServers = `
[[virtual_server]]
address = "192.0.2.1:80"
inhibit_on_failure = false
sorry_server_lvs_method = "TUN"
[virtual_server.common]

[[virtual_server]]
address = "192.0.2.2:80"
inhibit_on_failure = true
sorry_server_inhibit = true
[virtual_server.common]
`

const commonOfBoth = `
protocol = "TCP"
lb_algo = "rr"
quorum = 2
hysteresis = 1
delay_loop = 0.2
retry = 0
TCP_CHECK = true
real_servers = ["10.0.100.2:80", "10.0.100.3:80", "10.0.100.4:80"]
  [[virtual_server.sorry_server]]
  address = "10.0.100.8:80"
  [[virtual_server.sorry_server]]
  address = "10.0.100.9:80"
  lb_kind = "DR"
`

// TestKernelQuorum: servers die and return one after the other, and sorry servers take over and give back, as quorum and
// hysteresis say; they are checked like the others, and have ways of their own.
func TestKernelQuorum(t *testing.T) {
	director, servers := ipvsd.Rack(t, 2, 3, 4, 8, 9)
	d := ipvsd.Start(t, director, strings.ReplaceAll(withSorryServers, "[virtual_server.common]", commonOfBoth))
	for _, step := range []struct {
		what    string
		number  int
		serving []int
	}{
		{"first check", 2, []int{2, 3, 4}},
		{"stop", 2, []int{3, 4}},
		{"stop", 3, []int{4}}, // not below the quorum less the hysteresis
		{"stop", 8, []int{4}},
		{"stop", 4, []int{9}},
		{"start", 8, []int{8, 9}},
		{"stop", 9, []int{8}},
		{"start", 2, []int{8}}, // not the quorum and the hysteresis
		{"start", 3, []int{8}},
		{"start", 4, []int{2, 3, 4}},
		{"start", 9, []int{2, 3, 4}},
		{"stop", 3, []int{2, 4}},
		{"stop", 4, []int{2}},
		{"start", 4, []int{2, 4}},
	} {
		want := health.Up
		switch step.what {
		case "start":
			servers[step.number].Start()
		case "stop":
			servers[step.number].Stop()
			want = health.Down
		}
		d.WaitStatus(fmt.Sprintf("%s of %d", step.what, step.number), func(s *status.Snapshot) error {
			if got := ipvsd.ServerOf(s, servers[step.number].Addr).Health; got != want {
				return fmt.Errorf("it is %s", got)
			}
			return nil
		})
		weights := map[int]int{}
		for _, n := range step.serving {
			weights[n] = 1
		}
		first, second := []string{"-A -t 192.0.2.1:80 -s rr"}, []string{"-A -t 192.0.2.2:80 -s rr"}
		for n, ways := range [][2]string{2: {"-m", "-m"}, {"-m", "-m"}, {"-m", "-m"}, 8: {"-i", "-m"}, 9: {"-g", "-g"}} {
			if ways[0] == "" {
				continue
			}
			if weights[n] > 0 {
				tunnel := map[string]string{"-i": " --tun-type ipip"}[ways[0]]
				first = append(first, fmt.Sprintf("-a -t 192.0.2.1:80 -r 10.0.100.%d:80 %s -w 1%s", n, ways[0], tunnel))
			}
			second = append(second, fmt.Sprintf("-a -t 192.0.2.2:80 -r 10.0.100.%d:80 %s -w %d", n, ways[1], weights[n]))
		}
		ipvsd.WaitSaved(t, director, strings.Join(append(first, second...), "\n"))
	}
}

const failOpen = `
[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
lb_algo = "%s"
minimum_healthy = "50%%"
delay_loop = 0.2
retry = 0
TCP_CHECK = true
real_servers = ["10.0.100.2:80", "10.0.100.3:80", "10.0.100.4:80"]
`

// Scenario 10 of the peers: when too few servers are up to be true all keep their clients, also through reloads and another
// start of the daemon meanwhile.
func TestKernelMinimumHealthy(t *testing.T) {
	director, servers := ipvsd.Rack(t, 2, 3, 4)
	config := fmt.Sprintf(failOpen, "rr")
	writes := ipvsd.NewWatch(t, director, ipvsd.WriteRequests)
	d := ipvsd.Start(t, director, config)
	all := `-A -t 192.0.2.1:80 -s rr
-a -t 192.0.2.1:80 -r 10.0.100.2:80 -m -w 1
-a -t 192.0.2.1:80 -r 10.0.100.3:80 -m -w 1
-a -t 192.0.2.1:80 -r 10.0.100.4:80 -m -w 1`
	ipvsd.WaitSaved(t, director, all)
	up := func(want ...int) {
		t.Helper()
		d.WaitStatus("verdicts", func(s *status.Snapshot) error {
			states := map[int]health.State{2: health.Down, 3: health.Down, 4: health.Down}
			for _, n := range want {
				states[n] = health.Up
			}
			for n, state := range states {
				if got := ipvsd.ServerOf(s, servers[n].Addr).Health; got != state {
					return fmt.Errorf("%d is %s", n, got)
				}
			}
			return nil
		})
	}
	servers[2].Stop()
	up(3, 4)
	ipvsd.WaitSaved(t, director, ipvsd.Without(all, "10.0.100.2:80"))
	servers[3].Stop()
	up(4)
	ipvsd.WaitSaved(t, director, all)

	written := writes.Count()
	same := func(when string) {
		t.Helper()
		up()
		d.Snapshot() // a round
		if n := writes.Count() - written; n != 0 {
			t.Errorf("%s %d messages that write", when, n)
		}
		if got, err := ipvsd.Saved(director); got != ipvsd.Trim(all) || !d.Snapshot().Services[0].FailOpen {
			t.Errorf("%s the table is\n%s\n%v", when, got, err)
		}
	}
	servers[4].Stop()
	same("when the last one is down")
	d.Load(config)
	same("after a reload of the same")
	d.Stop()
	d.Start()
	same("after a stop and a start")
	d.Kill()
	d.Start()
	same("after SIGKILL and a start")
	d.Load(strings.Replace(config, "= 0.2", "= 0.1", 1))
	same("after a reload that changes the checks")
	d.Load(fmt.Sprintf(failOpen, "wlc"))
	all = strings.Replace(all, "rr", "wlc", 1)
	if n := writes.Count() - written; n != 1 {
		t.Errorf("a reload with another scheduler: %d messages that write", n)
	}
	up()
	ipvsd.WaitSaved(t, director, all)
	servers[2].Start()
	up(2)
	ipvsd.WaitSaved(t, director, all)
	servers[3].Start()
	up(2, 3)
	ipvsd.WaitSaved(t, director, ipvsd.Without(all, "10.0.100.4:80"))
	if d.Snapshot().Services[0].FailOpen {
		t.Error("the checks are still not believed")
	}
}
