//go:build kernel

package daemon_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// echo serves on a host until the test ends: it sends every line back.
func echo(t *testing.T, h *lab.Host, at string) {
	t.Helper()
	l, err := h.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(conn, conn)
				_ = conn.Close()
			}()
		}
	}()
}

// flow is a TCP connection that should live as long as the test.
type flow struct {
	net.Conn
	t    *testing.T
	sent int
}

// openFlow connects from a host to an echo server.
func openFlow(t *testing.T, h *lab.Host, to netip.AddrPort) *flow {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := h.DialContext(ctx, "tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	f := &flow{Conn: conn, t: t}
	f.ping("from the start")
	return f
}

// ping sends a line there and back.
func (f *flow) ping(when string) {
	f.t.Helper()
	f.sent++
	line := fmt.Sprintf("line %d\n", f.sent)
	if err := f.SetDeadline(time.Now().Add(patience)); err != nil {
		f.t.Fatal(err)
	}
	if _, err := io.WriteString(f, line); err != nil {
		f.t.Fatalf("%s the flow is broken: %v", when, err)
	}
	if got, err := bufio.NewReader(f).ReadString('\n'); err != nil || got != line {
		f.t.Fatalf("%s the flow is broken: sent %q, received %q: %v", when, line, got, err)
	}
}

// hammer makes one short connection to the web service after the other.
type hammer struct {
	t       *testing.T
	stop    func()
	made    atomic.Int64
	failure atomic.Pointer[error] // the first
}

func startHammer(t *testing.T, c *lab.NATCluster) *hammer {
	h := &hammer{t: t}
	h.stop = until(t.Context(), func() {
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
	lab.WaitFor(h.t, patience, "connections", func() error {
		if err := h.failure.Load(); err != nil {
			h.t.Fatalf("%s one of %d connections failed: %v", when, h.made.Load(), *err)
		}
		if made := h.made.Load() - from; made < more {
			return fmt.Errorf("%d of %d were made", made, more)
		}
		return nil
	})
}

// counters are ipvsadm's, by service and server: connections, packets and bytes in and out.
type counters map[string][]int64

func countersOf(t *testing.T, h *lab.Host) counters {
	t.Helper()
	c := counters{}
	for _, row := range h.Table("--stats", "--exact") {
		for i := range row.Fields {
			key := strings.TrimSpace(row.Service + " " + row.Server)
			c[key] = append(c[key], row.Int(i))
		}
	}
	return c
}

// grownFrom fails the test if a counter went back.
func (c counters) grownFrom(t *testing.T, when string, before counters) {
	t.Helper()
	for key, were := range before {
		for i, was := range were {
			if is := c[key]; len(is) != len(were) || is[i] < was {
				t.Fatalf("%s the counters of %s are %d after %d", when, key, is, were)
			}
		}
	}
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

// fill makes a table with ipvsadm.
func fill(h *lab.Host, table string) {
	for line := range strings.Lines(trim(table)) {
		h.Run(append([]string{"ipvsadm"}, strings.Fields(line)...)...)
	}
}

// Scenario 3 of the peers: nothing that the daemon does to itself is felt by the flows of a table that somebody else made.
func TestKernelFlowsOutliveDaemon(t *testing.T) {
	c := lab.NewNATCluster(t)
	for _, s := range c.Web[:2] {
		echo(t, s.Host, netip.AddrPortFrom(s.Addr.Addr(), 7).String())
	}
	fill(c.Director, longFlowsByHand)
	f := openFlow(t, c.Client, netip.MustParseAddrPort("192.168.1.202:7"))
	h := startHammer(t, c)
	h.wait("before the start", 40)
	lab.WaitFor(t, patience, "the kernel's counters", func() error {
		if n := countersOf(t, c.Director)["TCP 192.168.1.202:7"]; n[1] == 0 {
			return fmt.Errorf("those of the flow are %d", n)
		}
		return nil
	})

	d := newIPVSD(t, c.Director, fmt.Sprintf(longFlows, "rr"))
	wlc := strings.ReplaceAll(longFlowsByHand, "-s rr", "-s wlc")
	last := countersOf(t, c.Director)
	for _, step := range []struct {
		when  string
		do    func()
		table string
	}{
		{"after the start", d.start, longFlowsByHand},
		{"after a reload", func() { d.reload(fmt.Sprintf(longFlows, "wlc")) }, wlc},
		{"after SIGKILL", d.kill, wlc},
		{"after a start again", d.start, wlc},
		{"after SIGTERM", d.stop, wlc},
		{"after a third start", func() { d.write(fmt.Sprintf(longFlows, "rr")); d.start() }, longFlowsByHand},
	} {
		step.do()
		if got, err := saved(c.Director); got != trim(step.table) {
			t.Fatalf("%s the table is\n%s\n%v", step.when, got, err)
		}
		f.ping(step.when)
		h.wait(step.when, 40)
		now := countersOf(t, c.Director)
		now.grownFrom(t, step.when, last)
		last = now
	}
	h.stop()
	f.ping("at the end")
	if n := last["TCP 192.168.1.202:7"][0]; n != 1 {
		t.Errorf("the flow counts as %d connections", n)
	}
	t.Logf("%d short connections, none failed", h.made.Load())
}
