package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
)

// A dead server leaves the table when its retries are used up, and comes back with its first success.
func TestServerDiesAndReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.pass(time.Second)
		h.wantServing("start", first, second, third)
		h.down.Store(third, true)
		h.pass(2*time.Second + 300*time.Millisecond - time.Nanosecond) // the next probe is at 3 s, its retry a tenth of that later
		h.wantServing("one failure", first, second, third)
		h.pass(time.Second)
		h.wantServing("two failures", first, second)
		if r := h.status().Services[0].Servers[2]; r.Health != health.Down || r.Error != "connection refused" || r.InTable {
			t.Errorf("status: %+v", r)
		}
		h.down.Delete(third)
		h.pass(3 * time.Second)
		h.wantServing("back", first, second, third)
		for _, line := range []string{
			`msg="server changed" service="tcp 192.0.2.1:80" server=198.51.100.3:80 from=up to=down reason="connection refused"`,
			`msg="server changed" service="tcp 192.0.2.1:80" server=198.51.100.3:80 from=down to=up`,
		} {
			if !strings.Contains(h.log.String(), line) {
				t.Errorf("no line %s in the log:\n%s", line, h.log)
			}
		}
		h.stop()
		h.wantServing("stopped", first, second, third)
	})
}

// barred returns a kernel that a server never comes into, not even for a moment.
func barred(t *testing.T, server netip.AddrPort) *ipvstest.Kernel {
	k := new(ipvstest.Kernel)
	k.OnChange(func(table ipvs.Table) {
		for _, s := range table {
			if s.Destination(server) != nil {
				t.Error("a server that never passed a check is in the table")
			}
		}
	})
	return k
}

// No alpha server is in the table before its first success, not even for a moment (scenario 2 of peers.md).
func TestNoTrafficBeforeFirstSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, barred(t, second), t.TempDir(), web, second)
		h.pass(time.Minute)
		h.wantServing("a minute later", first, third)
		h.stop()
	})
}

// Scenario 1: a reload with an error changes nothing, and the old configuration goes on reacting.
func TestRejectedReloadKeepsWorking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.pass(time.Second)
		h.kernel.Commands()
		h.write(strings.Replace(web, `"TCP"`, `"TPC"`, 1))
		if a := h.reloaded(); !strings.Contains(a.Rejected, "ipvsd.toml:4:12: ") {
			t.Errorf("rejected: %q", a.Rejected)
		}
		if s := h.status(); !strings.Contains(s.Config.Rejected, "ipvsd.toml:4:12: ") || s.Config.RejectedAt.IsZero() {
			t.Errorf("status: %+v", s.Config)
		}
		if c := h.kernel.Commands(); len(c) != 0 {
			t.Errorf("the table was changed: %v", c)
		}
		h.down.Store(first, true)
		h.pass(5 * time.Second)
		h.wantServing("a server died after it", second, third)
		h.write(web)
		h.reloaded()
		if s := h.status(); s.Config.Rejected != "" {
			t.Errorf("status after a good one: %+v", s.Config)
		}
		h.stop()
	})
}

// A reload that changes one weight is one edit. Checks that stay keep verdict and schedule: nothing is probed again.
func TestReloadChangesOneWeight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.pass(time.Second)
		before := h.status().Services[0].Servers[0].Checks[0].Probes
		h.kernel.Commands()
		heavier := strings.Replace(web, `, "198.51.100.3:80"]`, "]", 1) +
			"[[virtual_server.real_server]]\naddress = \"198.51.100.3:80\"\nweight = 5\n"
		h.write(heavier)
		const change = "edit server 198.51.100.3:80 of tcp 192.0.2.1:80: weight 1 -> weight 5"
		plan, err := h.Plan(t.Context(), nil)
		if err != nil || len(plan.Changes) != 1 || plan.Changes[0] != change {
			t.Errorf("plan: %v %+v", err, plan)
		}
		if a := h.reloaded(); len(a.Changes) != 1 || a.Changes[0] != change {
			t.Errorf("reload: %+v", a)
		}
		if c := h.kernel.Commands(); len(c) != 1 {
			t.Errorf("commands: %v", c)
		}
		if n := h.status().Services[0].Servers[0].Checks[0].Probes; n != before {
			t.Errorf("probed %d times for the reload", n-before)
		}
		if plan, err := h.Plan(t.Context(), nil); err != nil || len(plan.Changes) != 0 {
			t.Errorf("second plan: %v %+v", err, plan)
		}
		h.stop()
	})
}

// A reload that changes how a server is checked doesn't take it out until it is checked: it stays as it is found.
func TestReloadWithNewCheckKeepsServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web, second)
		h.pass(time.Second)
		h.kernel.OnChange(func(table ipvs.Table) {
			if table[0].Destination(first) == nil {
				t.Error("a healthy server left")
			}
		})
		h.write(strings.Replace(web, "retry = 1", "retry = 2", 1))
		h.reloaded()
		h.wantServing("at once", first, third)
		h.pass(10 * time.Second)
		h.wantServing("later", first, third)
		h.stop()
	})
}

// When all servers are replaced, the old ones serve until the first new one is known to work.
func TestReplaceAllServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fourth, fifth := addr(4), addr(5)
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.pass(time.Second)
		h.kernel.OnChange(func(table ipvs.Table) {
			if len(table[0].Destinations) == 0 {
				t.Error("no server at all")
			}
		})
		h.down.Store(fourth, true)
		h.write(strings.Replace(web, `["198.51.100.1:80", "198.51.100.2:80", "198.51.100.3:80"]`, `["198.51.100.4:80", "198.51.100.5:80"]`, 1))
		if a := h.reloaded(); len(a.Waiting) != 2 {
			t.Errorf("waiting: %v", a.Waiting)
		}
		h.pass(time.Second)
		h.wantServing("after the first check", fifth)
		h.pass(5 * time.Second) // the record follows once they are out of the table
		if owned, err := h.files.readOwned(); err != nil || len(owned[webKey]) != 2 {
			t.Errorf("%v: on record: %v", err, owned)
		}
		h.stop()
	})
}

// Scenario 4: killed, and a server dies while nobody looks: adopted, checked, fixed within one interval.
func TestKilledAndRestarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, dir := new(ipvstest.Kernel), t.TempDir()
		h := start(t, k, dir, web)
		h.pass(time.Second)
		h.kill()
		if err := k.Count(webKey, first, ipvs.Stats{Connections: 42}, 7, 0); err != nil {
			t.Fatal(err)
		}
		k.Commands()

		h = start(t, k, dir, web, second)
		h.wantServing("adopted", first, second, third)
		h.pass(time.Second)
		h.wantServing("fixed", first, third)
		if c := k.Commands(); len(c) != 1 || c[0].Op != ipvs.DelDestination {
			t.Errorf("commands: %v", c)
		}
		if r := h.status().Services[0].Servers[0]; r.Stats.Connections != 42 || r.ActiveConns != 7 {
			t.Errorf("counters: %+v", r)
		}
		h.stop()
	})
}

// What the configuration dropped while no daemon ran is cleared away by the next; what is nobody's business is not.
func TestLeftoversOfAnEarlierRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, dir := new(ipvstest.Kernel), t.TempDir()
		second := strings.Replace(web, "192.0.2.1", "192.0.2.2", 1)
		h := start(t, k, dir, web+second)
		h.pass(time.Second)
		h.kill()
		theirs := ipvs.Service{ServiceKey: ipvs.AddressKey(ipvs.UDP, netip.MustParseAddrPort("192.0.2.9:53")), Scheduler: "rr", Granularity: 32}
		foreign := ipvs.Destination{Addr: addr(9), Weight: 1}
		if refused, err := k.Apply(t.Context(), []ipvs.Command{
			{Op: ipvs.NewService, Service: theirs},
			{Op: ipvs.NewDestination, Service: theirs, Destination: foreign},
			{Op: ipvs.NewDestination, Service: ipvs.Service{ServiceKey: webKey}, Destination: foreign},
		}); err != nil || refused != nil {
			t.Fatal(refused, err)
		}
		h = start(t, k, dir, web)
		h.pass(5 * time.Second)
		table, err := k.Snapshot(t.Context())
		if err != nil || len(table) != 2 || table.Find(theirs.ServiceKey) == nil || table.Find(webKey).Destination(addr(9)) == nil {
			t.Errorf("%v: table: %+v", err, table)
		}
		s := h.status()
		if want := []string{"198.51.100.9:80 of tcp 192.0.2.1:80", "udp 192.0.2.9:53"}; fmt.Sprint(s.Table.Foreign) != fmt.Sprint(want) || s.Table.Drift != 0 {
			t.Errorf("foreign: %v, drift: %d", s.Table.Foreign, s.Table.Drift)
		}
		h.stop()
	})
}

// Somebody's ipvsadm -d is repaired within seconds, and counted.
func TestDriftIsRepaired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.pass(time.Minute)
		if _, err := h.kernel.Apply(t.Context(), []ipvs.Command{{Op: ipvs.DelDestination, Service: ipvs.Service{ServiceKey: webKey}, Destination: ipvs.Destination{Addr: first}}}); err != nil {
			t.Fatal(err)
		}
		h.pass(sweep*resync + time.Millisecond)
		h.wantServing("repaired", first, second, third)
		if s := h.status(); s.Table.Drift != 1 {
			t.Errorf("drift: %d", s.Table.Drift)
		}
		if !strings.Contains(h.log.String(), `repair="add server 198.51.100.1:80 NAT weight 1 of tcp 192.0.2.1:80"`) {
			t.Errorf("log:\n%s", h.log)
		}
		h.stop()
	})
}

// Scenario 17: no module at the start, a clear error, and all is well when it appears.
func TestModuleAppears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := new(ipvstest.Kernel)
		k.SetLoaded(false)
		h := start(t, k, t.TempDir(), web)
		h.pass(time.Minute)
		if s := h.status(); !strings.Contains(s.Table.Error, "modprobe ip_vs") {
			t.Errorf("status: %+v", s.Table)
		}
		if n := strings.Count(h.log.String(), "level=ERROR"); n != 1 {
			t.Errorf("logged %d times", n)
		}
		k.SetLoaded(true)
		h.pass(again + time.Millisecond)
		h.wantServing("loaded", first, second, third)
		if s := h.status(); s.Table.Error != "" {
			t.Errorf("status: %+v", s.Table)
		}
		h.stop()
	})
}

// Scenario 18: a lost answer or an interrupted dump delays, and is no drift.
func TestLostAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := new(ipvstest.Kernel)
		k.LoseReplyAt(2, true)
		k.InterruptSnapshots(1)
		h := start(t, k, t.TempDir(), web)
		h.pass(5 * time.Second)
		h.wantServing("in the end", first, second, third)
		if s := h.status(); s.Table.Drift != 0 || s.Table.Error != "" {
			t.Errorf("status: %+v", s.Table)
		}
		h.stop()
	})
}

// Many servers that die at once leave in few batches, and those that live don't wait for them.
func TestManyVerdictsAreOneBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var list []string
		for n := range 200 {
			list = append(list, fmt.Sprintf("%q", addr(n+1)))
		}
		text := strings.Replace(web, `["198.51.100.1:80", "198.51.100.2:80", "198.51.100.3:80"]`, "["+strings.Join(list, ",")+"]", 1)
		h := start(t, new(ipvstest.Kernel), t.TempDir(), text)
		h.pass(time.Second)
		rounds := h.rounds()
		for n := range 100 {
			h.down.Store(addr(n+1), true)
		}
		h.pass(3*time.Second + 2*debounce)
		if got := len(h.serving(webKey)); got != 100 {
			t.Errorf("%d serve", got)
		}
		if n := h.rounds() - rounds; n > 14 { // six of them happen anyway
			t.Errorf("it took %d rounds", n)
		}
		h.stop()
	})
}

// lvs_flush_on_stop clears away what is ours and nothing else.
func TestFlushOnStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := new(ipvstest.Kernel)
		theirs := ipvs.Service{ServiceKey: ipvs.FWMarkKey(7, ipvs.IPv4), Scheduler: "rr", Granularity: 32}
		if _, err := k.Apply(t.Context(), []ipvs.Command{{Op: ipvs.NewService, Service: theirs}}); err != nil {
			t.Fatal(err)
		}
		h := start(t, k, t.TempDir(), "[global_defs]\nlvs_flush_on_stop = true\nlvs_timeouts = \"tcp 800 udp 60\"\n"+web)
		h.pass(time.Second)
		if got, err := k.Timeouts(t.Context()); err != nil || got.TCP != 800*time.Second || got.UDP != time.Minute || got.TCPFin == 0 {
			t.Errorf("timeouts: %v %+v", err, got)
		}
		h.stop()
		table, err := k.Snapshot(t.Context())
		if err != nil || len(table) != 1 || table[0].Service != theirs {
			t.Errorf("%v: left %+v", err, table)
		}
	})
}

// A plan of another file changes nothing, and one with errors says all of them.
func TestPlanOfAFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.pass(time.Second)
		h.kernel.Commands()
		a, err := h.Plan(t.Context(), &control.File{Name: "other.toml", Text: []byte(strings.Replace(web, `"rr"`, `"wlc"`, 1))})
		if err != nil || len(a.Changes) != 1 || a.Changes[0] != "edit service tcp 192.0.2.1:80: rr -> wlc" {
			t.Errorf("%v %+v", err, a)
		}
		a, err = h.Plan(t.Context(), &control.File{Name: "other.toml", Text: []byte("[global_defs]\nx = 1\ny = 2\n")})
		if err != nil || strings.Count(a.Rejected, "has no keyword") != 2 {
			t.Errorf("%v %+v", err, a)
		}
		if c := h.kernel.Commands(); len(c) != 0 {
			t.Errorf("changed: %v", c)
		}
		h.stop()
	})
}

// The status has the director's name: router_id, or else the host's.
func TestRouterID(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for want, text := range map[string]string{"lb1": "[global_defs]\nrouter_id = \"lb1\"\n" + web, host: web} {
		synctest.Test(t, func(t *testing.T) {
			h := start(t, new(ipvstest.Kernel), t.TempDir(), text)
			if got := h.status().RouterID; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			h.stop()
		})
	}
}

// Who no longer waits for the owner hears why.
func TestRequestThatIsGivenUp(t *testing.T) {
	why := errors.New("the daemon stops")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	o := newOwner(Options{Log: slog.New(slog.DiscardHandler)}, filesIn(Options{StateDir: t.TempDir()}), new(ipvstest.Kernel), nil) // which does not run
	if _, err := ask(ctx, o, func(context.Context) struct{} { return struct{}{} }); !errors.Is(err, why) {
		t.Errorf("%v, want %v", err, why)
	}
}
