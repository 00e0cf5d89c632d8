package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// Two services share the checks of two servers, and one has a sorry server.
const shared = `
[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
real_servers = ["198.51.100.2:80", "198.51.100.1:80"]
delay_loop = 3
TCP_CHECK = { retry = 1 }
[[virtual_server]]
address = "192.0.2.2:80"
protocol = "TCP"
real_servers = ["198.51.100.1:80", "198.51.100.2:80"]
delay_loop = 3
TCP_CHECK = { retry = 1 }
[virtual_server.sorry_server]
address = "198.51.100.3:80"
`

func (h *house) ask(q status.CheckQuery, last bool) []status.Check {
	h.t.Helper()
	s, err := h.Checks(h.t.Context(), q, last)
	if err != nil {
		h.t.Fatal(err)
	}
	return s.Checks
}

// A check that is shared is listed once, with all that share it, by the address of its server.
func TestChecksAreListedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), shared)
		h.pass(10 * time.Second)
		list := h.ask(status.CheckQuery{}, false)
		if len(list) != 3 || list[0].Target != first || list[1].Target != second || len(list[0].Servers) != 2 ||
			list[0].Servers[0].Service != webKey || list[0].State != health.Up || list[0].Probes != 4 || list[0].History != nil ||
			len(list[2].Servers) != 1 || !list[2].Servers[0].Sorry {
			t.Errorf("all: %+v", list)
		}
		h.down.Store(second, true)
		h.pass(5 * time.Second)
		list = h.ask(status.CheckQuery{State: "down"}, false)
		if len(list) != 1 || list[0].Target != second || list[0].Error != "connection refused" || list[0].Failures < 2 || list[0].NextRun.IsZero() {
			t.Errorf("down: %+v", list)
		}
		for q, want := range map[status.CheckQuery]int{
			{Server: "198.51.100.1"}:     1,
			{Server: "198.51.100.1:81"}:  0,
			{Server: "198.51.100.9"}:     0,
			{Service: webKey.String()}:   2,
			{Service: "udp 192.0.2.1:5"}: 0,
			{Type: "TCP_CHECK"}:          3,
			{Type: "HTTP_GET"}:           0,
		} {
			if list := h.ask(q, false); len(list) != want {
				t.Errorf("%+v: %+v", q, list)
			}
		}
		if _, err := h.Checks(t.Context(), status.CheckQuery{Server: "web1"}, false); err == nil {
			t.Error("no error for a server without an address")
		}
		h.stop()
	})
}

// What somebody has probed tells all there is, and counts for nothing.
func TestProbeCountsForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), shared)
		h.pass(10 * time.Second)
		h.down.Store(second, true)
		h.found.Store(first, health.Finding{Warning: "soon", Advice: health.Advice{Kind: health.Percent, Value: 50}})
		h.took.Store(int64(time.Millisecond))
		p, err := h.Probe(t.Context(), status.CheckQuery{Server: "198.51.100.2"})
		if err != nil || len(p.Probes) != 1 || p.Passed() || p.Probes[0].Error != "connection refused" ||
			p.Probes[0].Took != time.Millisecond || len(p.Probes[0].Servers) != 2 {
			t.Errorf("of a server that is down: %v %+v", err, p)
		}
		p, err = h.Probe(t.Context(), status.CheckQuery{Server: "198.51.100.1:80", Type: "TCP_CHECK"})
		if err != nil || len(p.Probes) != 1 || !p.Passed() || p.Probes[0].Warning != "soon" || p.Probes[0].Advice.Value != 50 {
			t.Errorf("of one that is up: %v %+v", err, p)
		}
		if list := h.ask(status.CheckQuery{}, false); list[0].Warning != "" || list[1].State != health.Up || list[1].Probes != 4 {
			t.Errorf("afterwards: %+v", list)
		}
		h.stop()
	})
}

// Nothing is probed any more once the prober is closed, and what was under way has ended then.
func TestProberEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var under int
		p := newProber(func(ctx context.Context, _ health.Check) (health.Finding, error) {
			under++
			<-ctx.Done()
			under--
			return health.Finding{}, ctx.Err()
		})
		ended := make(chan error)
		go func() {
			_, err := p.all(t.Context(), []asked{{Check: health.Check{Timeout: time.Hour}}})
			ended <- err
		}()
		synctest.Wait()
		if under != 1 {
			t.Fatal("no probe is under way")
		}
		go p.close()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		synctest.Wait()
		if _, err := p.all(t.Context(), nil); !errors.Is(err, errStops) || under != 0 {
			t.Errorf("later: %v, %d under way", err, under)
		}
	})
}

// A probe that panics, or hangs, ends nothing but itself.
func TestProbeThatMisbehaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := newProber(func(ctx context.Context, _ health.Check) (health.Finding, error) {
			<-ctx.Done()
			return health.Finding{}, ctx.Err()
		})
		list := make([]asked, 2*probesAtOnce)
		for i := range list {
			list[i].Timeout = time.Second
		}
		start := time.Now()
		result, err := hangs.all(t.Context(), list)
		if took := time.Since(start); err != nil || result.Passed() || result.Probes[0].Took != time.Second || took != 2*time.Second {
			t.Errorf("after %v: %v %+v", took, err, result)
		}
		p := newProber(func(context.Context, health.Check) (health.Finding, error) { panic("oh") })
		result, err = p.all(t.Context(), []asked{{Check: health.Check{Timeout: time.Hour}}})
		if err != nil || !strings.Contains(result.Probes[0].Error, "please report it: panic: oh") {
			t.Errorf("%v %+v", err, result)
		}
	})
}

// Every change of a check, and what it warns of, is a line of the log.
func TestChecksAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), shared)
		h.pass(10 * time.Second)
		h.found.Store(first, health.Finding{Warning: "the certificate ends"})
		h.down.Store(second, true)
		h.pass(20 * time.Second)
		h.found.Delete(first)
		h.down.Delete(second)
		h.pass(10 * time.Second)
		h.stop()
		for line, times := range map[string]int{
			`level=INFO msg="check changed" service="tcp 192.0.2.1:80 and 1 more" server=198.51.100.2:80 check=TCP_CHECK from=unchecked to=up reason="" took=0s`:              1,
			`level=INFO msg="check changed" service="tcp 192.0.2.1:80 and 1 more" server=198.51.100.2:80 check=TCP_CHECK from=up to=down reason="connection refused" took=0s`: 1,
			`level=INFO msg="check changed" service="tcp 192.0.2.1:80 and 1 more" server=198.51.100.2:80 check=TCP_CHECK from=down to=up reason="" took=0s`:                   1,
			`level=WARN msg="check warns" service="tcp 192.0.2.1:80 and 1 more" server=198.51.100.1:80 check=TCP_CHECK reason="the certificate ends"`:                         1,
			`level=INFO msg="check warns no longer" service="tcp 192.0.2.1:80 and 1 more" server=198.51.100.1:80 check=TCP_CHECK reason="the certificate ends"`:               1,
			`level=INFO msg="server changed" service="tcp 192.0.2.2:80" server=198.51.100.2:80 from=up to=down reason="connection refused"`:                                   1,
			`msg="check changed"`: 5,
		} {
			if n := strings.Count(h.log.String(), line); n != times {
				t.Errorf("%d lines %s, want %d in the log:\n%s", n, line, times, h.log)
			}
		}
	})
}

// A check that flaps doesn't fill the log, says so, and has a voice again later.
func TestLogIsPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := &owner{log: slog.New(slog.NewTextHandler(&log, nil))}
		say := func(server netip.AddrPort, n int) {
			for i := range n {
				o.pacedServer("tcp 192.0.2.1:80", server, time.Now()).Info("change", "n", fmt.Sprint(i, "."))
			}
		}
		say(first, 1000)
		say(second, 1)
		if n := strings.Count(log.String(), "\n"); n != paceLines+2 || strings.Count(log.String(), "changes so often") != 1 {
			t.Errorf("%d lines:\n%s", n, &log)
		}
		<-time.After(paceWithin)
		log.Reset()
		say(first, 1)
		if n := strings.Count(log.String(), "\n"); n != 1 {
			t.Errorf("%d lines later:\n%s", n, &log)
		}
	})
}

// What was counted for the log's sake, a line for every server at a start, is not kept when nothing changes any more.
func TestPaceIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), shared)
		defer h.stop()
		h.pass(10 * time.Second)
		counted := func() int {
			n, _ := ask(t.Context(), h.owner, func(context.Context) int { return len(h.pace.lines) })
			return n
		}
		if n := counted(); n == 0 {
			t.Error("nothing is counted")
		}
		h.pass(2 * paceWithin)
		if n := counted(); n != 0 {
			t.Errorf("%d objects are counted after two quiet minutes", n)
		}
	})
}
