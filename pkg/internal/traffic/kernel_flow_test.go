//go:build kernel

package traffic

import (
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// hammer makes one short connection to the web service after the other.
type hammer struct {
	t       *testing.T
	stop    func()
	made    atomic.Int64
	failure atomic.Pointer[error] // the first
}

func startHammer(t *testing.T, c *lab.NATCluster) *hammer {
	h := &hammer{t: t}
	h.stop = ipvsd.Until(t.Context(), func() {
		if _, err := c.Get(); err != nil {
			h.failure.CompareAndSwap(nil, &err)
		}
		h.made.Add(1)
	})
	t.Cleanup(h.stop)
	return h
}

// wait waits for so many more connections, none of which may fail.
func (h *hammer) wait(when string, more int64) {
	h.t.Helper()
	from := h.made.Load()
	lab.WaitFor(h.t, ipvsd.Patience, "connections", func() error {
		if err := h.failure.Load(); err != nil {
			h.t.Fatalf("%s one of %d connections failed: %v", when, h.made.Load(), *err)
		}
		if made := h.made.Load() - from; made < more {
			return fmt.Errorf("%d of %d were made", made, more)
		}
		return nil
	})
}

// longFlows is a configuration for the table of longFlowsByHand, with the scheduler's name to fill in. The first checks take
// their time: until then a daemon that starts has nothing to go by but the table.
const longFlows = `
[[virtual_server]]
address = "192.168.1.202:80"
protocol = "TCP"
lb_algo = "%s"
delay_loop = 0.5
warmup = 5
TCP_CHECK = true
real_servers = ["10.0.100.2:80", "10.0.100.3:80", "10.0.100.4:80"]

[[virtual_server]]
address = "192.168.1.202:7"
protocol = "TCP"
lb_algo = "%[1]s"
delay_loop = 0.5
warmup = 5
TCP_CHECK = true
real_servers = ["10.0.100.2:7", "10.0.100.3:7"]
`

const longFlowsByHand = `
-A -t 192.168.1.202:7 -s rr
-a -t 192.168.1.202:7 -r 10.0.100.2:7 -m -w 1
-a -t 192.168.1.202:7 -r 10.0.100.3:7 -m -w 1
-A -t 192.168.1.202:80 -s rr
-a -t 192.168.1.202:80 -r 10.0.100.2:80 -m -w 1
-a -t 192.168.1.202:80 -r 10.0.100.3:80 -m -w 1
-a -t 192.168.1.202:80 -r 10.0.100.4:80 -m -w 1
`

// Scenario 3 of the peers: nothing that the daemon does to itself is felt by the flows of a table that somebody else made.
func TestKernelFlowsOutliveDaemon(t *testing.T) {
	c := lab.NewWebCluster(t)
	for _, s := range c.Web[:2] {
		ipvsd.Echo(t, s.Host, netip.AddrPortFrom(s.Addr.Addr(), 7).String())
	}
	ipvsd.Fill(c.Director, longFlowsByHand)
	f := ipvsd.OpenFlow(t, c.Client, netip.MustParseAddrPort("192.168.1.202:7"))
	h := startHammer(t, c)
	h.wait("before the start", 40)
	lab.WaitFor(t, ipvsd.Patience, "the kernel's counters", func() error {
		if n := ipvsd.CountersOf(t, c.Director)["TCP 192.168.1.202:7"]; n[1] == 0 {
			return fmt.Errorf("those of the flow are %d", n)
		}
		return nil
	})

	d := ipvsd.New(t, c.Director, fmt.Sprintf(longFlows, "rr"))
	wlc := strings.ReplaceAll(longFlowsByHand, "-s rr", "-s wlc")
	last := ipvsd.CountersOf(t, c.Director)
	for _, step := range []struct {
		when  string
		do    func()
		table string
	}{
		{"after the start", d.Start, longFlowsByHand},
		{"after a reload", func() { d.Load(fmt.Sprintf(longFlows, "wlc")) }, wlc},
		{"after SIGKILL", d.Kill, wlc},
		{"after a start again", d.Start, wlc},
		{"after SIGTERM", d.Stop, wlc},
		{"after a third start", func() { d.Write(fmt.Sprintf(longFlows, "rr")); d.Start() }, longFlowsByHand},
	} {
		step.do()
		if got, err := ipvsd.Saved(c.Director); got != ipvsd.Trim(step.table) {
			t.Fatalf("%s the table is\n%s\n%v", step.when, got, err)
		}
		f.Ping(step.when)
		h.wait(step.when, 40)
		now := ipvsd.CountersOf(t, c.Director)
		now.GrownFrom(t, step.when, last)
		last = now
	}
	h.stop()
	f.Ping("at the end")
	if n := last["TCP 192.168.1.202:7"][0]; n != 1 {
		t.Errorf("the flow counts as %d connections", n)
	}
	t.Logf("%d short connections, none failed", h.made.Load())
}
