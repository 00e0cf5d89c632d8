package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// versatile is a virtual server whose first server has two checks, its second one a slow start and a weight that it advises
// itself, and its third one is off.
const versatile = `
[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
delay_loop = 3
retry = 0
  [[virtual_server.real_server]]
  address = "198.51.100.1:80"
  checks_needed = "any"
  rise = 2
  hold_down = 10
  hold_down_max = 60
    [virtual_server.real_server.TCP_CHECK]
    [virtual_server.real_server.HTTP_GET]
    connect_port = 8080
    url = "/health?token=secret"
  [[virtual_server.real_server]]
  address = "198.51.100.2:80"
  weight = 100
  slow_start = 20
    [virtual_server.real_server.TCP_CHECK]
    log_all_failures = true
    [virtual_server.real_server.AGENT_CHECK]
    connect_port = 9999
  [[virtual_server.real_server]]
  address = "198.51.100.3:80"
  checks = "off"
`

var (
	page  = netip.MustParseAddrPort("198.51.100.1:8080")
	agent = netip.MustParseAddrPort("198.51.100.2:9999")
)

// server returns the status of one server of the first service.
func (h *house) server(n int) status.Server {
	h.t.Helper()
	return h.status().Services[0].Servers[n]
}

// logged returns how many lines of the log contain a text.
func (h *house) logged(text string) int { return strings.Count(h.log.String(), text) }

// A server that needs any of two checks is up as long as one of them is.
func TestAnyOfTwoChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), versatile)
		h.pass(10 * time.Second)
		h.down.Store(page, true)
		h.pass(10 * time.Second)
		h.wantServing("one of two checks is down", first, second)
		if r := h.server(0); r.Health != health.Up || r.Needed != 1 || r.Error != "HTTP_GET /health: connection refused" || len(r.Checks) != 2 || r.Checks[0].Type != "HTTP_GET" || r.Checks[0].State != health.Down {
			t.Errorf("one of two is down: %+v", r)
		}
		h.down.Store(first, true)
		h.pass(10 * time.Second)
		h.wantServing("both are down", second)
		if r := h.server(0); r.Health != health.Down || r.InTable {
			t.Errorf("both are down: %+v", r)
		}
		h.down.Delete(first)
		h.pass(4 * time.Second)
		h.wantServing("one passes once", second)
		if c := h.server(0).Checks[1]; c.State != health.Down || c.Passes == 0 || c.HeldUntil.IsZero() || c.Error != "" {
			t.Errorf("one passes: %+v", c)
		}
		h.pass(12 * time.Second)
		h.wantServing("one passed long enough", first, second)
		h.stop()
		for line, want := range map[string]int{
			`msg="check changed" service="tcp 192.0.2.1:80" server=198.51.100.1:80 check="HTTP_GET /health" from=up to=down reason="connection refused"`: 1,
			`msg="server changed" service="tcp 192.0.2.1:80" server=198.51.100.1:80 from=up to=down reason="HTTP_GET /health: connection refused"`:       1,
			`msg="server changed" service="tcp 192.0.2.1:80" server=198.51.100.1:80 from=down to=up`:                                                     1,
			`msg="hold-down begins`: 1,
			`msg="hold-down ends`:   0,
			"secret":                0,
		} {
			if n := h.logged(line); n != want {
				t.Errorf("%d times %s, want %d in the log:\n%s", n, line, want, h.log)
			}
		}
	})
}

// Services that have the same servers share their checks, and each hears of what changes.
func TestManyServicesShareChecks(t *testing.T) {
	const services, servers = 500, 10
	var text strings.Builder
	for i := range services {
		fmt.Fprintf(&text, "[[virtual_server]]\naddress = \"192.0.%d.%d:80\"\nprotocol = \"TCP\"\ndelay_loop = 3\nretry = 0\nTCP_CHECK = true\n", 2+i/250, 1+i%250)
		text.WriteString("real_servers = [")
		for n := range servers {
			fmt.Fprintf(&text, "%q,", addr(1+n).String())
		}
		text.WriteString("]\n")
	}
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), text.String())
		h.pass(10 * time.Second)
		before := h.status().Engine
		h.pass(3 * time.Second)
		after := h.status().Engine
		if len(after.Types) != 1 || after.Types[0].Probes-before.Types[0].Probes != servers || after.Checks != servers ||
			after.Types[0].Took.Count != after.Types[0].Probes || after.Lateness.Count != after.Types[0].Probes {
			t.Errorf("a round more: %+v, then %+v", before, after)
		}
		h.down.Store(second, true)
		h.pass(4 * time.Second)
		s := h.status()
		for i := range s.Services {
			if serving, _ := s.Services[i].Count(); serving != servers-1 || s.Services[i].Servers[1].InTable {
				t.Fatalf("%s: %d servers", s.Services[i].Key, serving)
			}
		}
		if list := h.ask(status.CheckQuery{State: "down"}, false); len(list) != 1 || len(list[0].Servers) != services {
			t.Errorf("down: %d checks", len(list))
		}
		h.stop()
	})
}

// A server that comes back has its weight step by step, and at last as much as its agent says.
func TestSlowStartAndAdviceAreSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), versatile)
		h.pass(10 * time.Second)
		if r := h.server(1); r.TableWeight != 100 || r.EffectiveWeight != 100 || !r.SlowStartUntil.IsZero() || r.WeightReason != "" {
			t.Errorf("at first: %+v", r)
		}
		h.found.Store(agent, health.Finding{Advice: health.Advice{Kind: health.Percent, Value: 50}})
		h.pass(4 * time.Second)
		const advised = "AGENT_CHECK advises 50% of the weight"
		if r := h.server(1); r.TableWeight != 50 || r.EffectiveWeight != 50 || r.WeightReason != advised || r.Weight != 100 {
			t.Errorf("advised: %+v", r)
		}
		h.down.Store(second, true)
		h.pass(10 * time.Second)
		if r := h.server(1); r.InTable || r.EffectiveWeight != 50 || !r.SlowStartUntil.IsZero() {
			t.Errorf("down: %+v", r)
		}
		h.down.Delete(second)
		h.pass(3*time.Second + 50*time.Millisecond)
		r := h.server(1)
		if r.TableWeight == 0 || r.TableWeight > 10 || r.EffectiveWeight != r.TableWeight || r.SlowStartUntil.IsZero() || r.WeightReason != advised {
			t.Errorf("back: %+v", r)
		}
		h.pass(time.Until(r.SlowStartUntil) / 2)
		if half := h.server(1); half.TableWeight <= r.TableWeight || half.TableWeight >= 50 {
			t.Errorf("half way: %+v", half)
		}
		h.pass(time.Until(r.SlowStartUntil) + time.Second)
		if r := h.server(1); r.TableWeight != 50 || !r.SlowStartUntil.IsZero() {
			t.Errorf("in the end: %+v", r)
		}
		h.found.Delete(agent)
		h.pass(4 * time.Second)
		h.stop()
		const of = ` service="tcp 192.0.2.1:80" server=198.51.100.2:80 `
		for _, line := range []string{
			`msg="server weight changed"` + of + `from=100 to=50 reason="` + advised + `"`,
			`msg="server weight changed"` + of + `from=50 to=100 reason="no advice any more"`,
			`msg="slow start begins"` + of + `weight=50 until=`,
			`msg="slow start ends"` + of + `weight=50`,
		} {
			if n := h.logged(line); n != 1 {
				t.Errorf("%d times %s in the log:\n%s", n, line, h.log)
			}
		}
		if n := h.logged(`msg="a check failed"` + of + `check=TCP_CHECK`); n != 3 { // and the first one is a change
			t.Errorf("%d failures in the log:\n%s", n, h.log)
		}
	})
}

// A server that is off is down, and no news.
func TestServerThatIsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), versatile)
		h.pass(10 * time.Second)
		h.wantServing("with one that is off", first, second)
		if r := h.server(2); !r.Off || r.InTable || r.Health != health.Down || r.Error == "" {
			t.Errorf("status: %+v", r)
		}
		h.stop()
	})
}

// The last results are kept, of each check, as many as there may be.
func TestLastResultsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), versatile)
		h.pass(100 * time.Second)
		h.down.Store(second, true)
		h.pass(4 * time.Second)
		list := h.ask(status.CheckQuery{Server: "198.51.100.2", Type: "TCP_CHECK"}, true)
		if len(list) != 1 || len(list[0].History) != health.Kept {
			t.Fatalf("%+v", list)
		}
		last, before := list[0].History[0], list[0].History[1]
		if last.Error != "connection refused" || last.State != health.Down || before.Error != "" || before.State != health.Up || !last.At.After(before.At) {
			t.Errorf("%+v", list[0].History[:2])
		}
		h.stop()
	})
}

// Results that come while the owner is busy are not lost: what counts is what there is then, and the history has all.
func TestNewsWaitsForTheOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), versatile)
		h.pass(10 * time.Second)
		release, busy := make(chan struct{}), make(chan struct{})
		go func() { h.requests <- func(context.Context) { close(busy); <-release } }()
		<-busy
		for _, down := range []bool{true, false, true} {
			if down {
				h.down.Store(second, true)
			} else {
				h.down.Delete(second)
			}
			h.pass(3 * time.Second)
		}
		close(release)
		h.pass(time.Second)
		h.wantServing("afterwards", first)
		if n := h.logged(`msg="check changed" service="tcp 192.0.2.1:80" server=198.51.100.2:80`); n != 3 { // two at the start
			t.Errorf("%d changes in the log:\n%s", n, h.log)
		}
		list := h.ask(status.CheckQuery{Server: "198.51.100.2", Type: "TCP_CHECK"}, true)
		var states []string
		for _, r := range list[0].History[:4] {
			states = append(states, r.State.String())
		}
		if got := fmt.Sprint(states); got != "[down up down up]" {
			t.Errorf("history: %s", got)
		}
		h.stop()
	})
}

// Where all servers have clients whatever their checks say, or sorry servers have them, nobody is told of a slow start.
func TestNoSlowStartInFailOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := strings.Replace(web, "lb_algo", "weight = 100\nslow_start = 60\nminimum_healthy = 2\nlb_algo", 1)
		h := start(t, new(ipvstest.Kernel), t.TempDir(), text)
		h.pass(10 * time.Second)
		for _, a := range []netip.AddrPort{first, second, third} {
			h.down.Store(a, true)
		}
		h.pass(10 * time.Second)
		h.down.Delete(first)
		h.pass(10 * time.Second)
		if r := h.server(0); r.Health != health.Up || r.TableWeight != 100 || !r.SlowStartUntil.IsZero() || h.logged("slow start begins") > 0 {
			t.Errorf("fail-open: %+v", r)
		}
		h.down.Delete(second)
		h.pass(10 * time.Second)
		if r := h.server(1); r.TableWeight == 100 || r.SlowStartUntil.IsZero() || h.logged("slow start begins") != 2 {
			t.Errorf("afterwards: %+v\n%s", r, h.log)
		}
	})
}
