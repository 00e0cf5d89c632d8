package daemon

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
)

// host is where the daemon runs, as far as its addresses are concerned.
type host struct {
	mu       sync.Mutex
	addrs    map[netip.Addr]bool
	err      error
	watchers int
	report   func(map[netip.Addr]bool, error) // of the one that watches
}

func (h *host) List() (map[netip.Addr]bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.addrs), h.err
}

func (h *host) Watch(ctx context.Context, report func(map[netip.Addr]bool, error)) {
	h.mu.Lock()
	h.report = report
	h.watchers++
	h.mu.Unlock()
	report(h.List())
	<-ctx.Done()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watchers--
}

// set gives the host other addresses.
func (h *host) set(err error, addrs ...string) {
	h.mu.Lock()
	h.addrs, h.err = make(map[netip.Addr]bool), err
	for _, a := range addrs {
		h.addrs[netip.MustParseAddr(a)] = true
	}
	report := h.report
	h.mu.Unlock()
	report(h.List())
	synctest.Wait()
}

// probes returns how many probes of the servers of the first service ended since the last call.
func (h *house) probes() uint64 {
	h.t.Helper()
	var n uint64
	for _, r := range h.status().Services[0].Servers {
		for _, c := range r.Checks {
			n += c.Probes
		}
	}
	n, h.probed = n-h.probed, n
	return n
}

func (h *house) wantProbes(when string, some bool) {
	h.t.Helper()
	if n := h.probes(); n > 0 != some {
		h.t.Errorf("%s: %d probes", when, n)
	}
}

// Checks rest while the address is elsewhere. Verdicts stay, and are proved as soon as it comes.
func TestSuspend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web+"ha_suspend = true\n")
		h.pass(time.Minute)
		h.wantProbes("the address was never here", false)
		h.wantServing("the address was never here")
		if !h.status().Services[0].Suspended {
			t.Error("the status doesn't say so")
		}
		h.host.set(nil, "192.0.2.1")
		h.pass(debounce) // no warmup
		h.wantServing("the address has come", first, second, third)
		h.pass(10 * time.Second)
		h.wantProbes("the address is here", true)
		if h.status().Services[0].Suspended {
			t.Error("the status doesn't say that it has come")
		}
		h.host.set(nil, "192.0.2.7")
		h.probes()
		h.down.Store(second, true)
		h.pass(time.Hour)
		h.wantProbes("the address has gone", false)
		h.wantServing("the address has gone", first, second, third)
		h.reloaded()
		h.pass(time.Hour)
		h.wantProbes("reloaded", false)
		h.host.set(nil, "192.0.2.1")
		h.pass(time.Second + debounce) // one failure is forgiven
		h.wantServing("the address is back", first, third)
		for _, line := range []string{
			`msg="checks changed" service="tcp 192.0.2.1:80" from=running to=suspended reason="no address of the virtual server is on this host"`,
			`msg="checks changed" service="tcp 192.0.2.1:80" from=suspended to=running reason="an address of the virtual server is on this host"`,
		} {
			if n := strings.Count(h.log.String(), line); n != 2 {
				t.Errorf("%d lines %s in the log, want 2:\n%s", n, line, h.log)
			}
		}
		h.stop()
		if h.host.watchers != 0 {
			t.Error("the addresses are still watched")
		}
	})
}

// The check of a virtual server that is not suspended runs, whoever shares it.
func TestSuspendSharedCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := strings.Replace(web, "192.0.2.1", "192.0.2.2", 1)
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web+"ha_suspend = true\n"+other)
		h.pass(10 * time.Second)
		h.wantProbes("shared", true)
		h.write(web + "ha_suspend = true\n" + other + "ha_suspend = true\n")
		h.reloaded()
		h.probes()
		h.pass(time.Minute)
		h.wantProbes("both suspended", false)
		h.host.set(nil, "192.0.2.2")
		h.pass(10 * time.Second)
		h.wantProbes("the other's address is here", true)
		if v := h.status().Services; !v[0].Suspended || v[1].Suspended {
			t.Error("the wrong one is suspended")
		}
		h.stop()
	})
}

// A group's checks run while any of its addresses is here. A mark of the firewall has none to wait for.
func TestSuspendGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		group := `
[virtual_server_group.WEB]
address = ["192.0.2.1-3:80", "192.0.2.9:443"]
fwmark = [7]
` + strings.Replace(web, `address = "192.0.2.1:80"`, `group = "WEB"`, 1) + "ha_suspend = true\n"
		h := start(t, new(ipvstest.Kernel), t.TempDir(), group)
		h.pass(time.Minute)
		h.wantProbes("none is here", false)
		for _, a := range []string{"192.0.2.3", "192.0.2.9"} {
			h.host.set(nil, a)
			h.pass(10 * time.Second)
			h.wantProbes(a+" is here", true)
			h.host.set(nil, "192.0.2.4")
			h.probes()
			h.pass(time.Minute)
			h.wantProbes("none is here", false)
		}
		h.stop()

		mark := strings.Replace(web, "address = \"192.0.2.1:80\"\nprotocol = \"TCP\"", "fwmark = 7", 1)
		h = start(t, new(ipvstest.Kernel), t.TempDir(), strings.Replace(mark, "lb_algo", "ha_suspend = true\nlb_algo", 1))
		h.pass(time.Minute)
		h.wantProbes("fwmark", true)
		h.stop()
	})
}

// Nobody watches addresses that don't matter. Where they can't be known, nothing is suspended.
func TestSuspendWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		watchers := func(want int) {
			t.Helper()
			synctest.Wait()
			h.host.mu.Lock()
			defer h.host.mu.Unlock()
			if h.host.watchers != want {
				t.Errorf("%d watchers, want %d", h.host.watchers, want)
			}
		}
		watchers(0)
		h.write(web + "ha_suspend = true\n")
		h.reloaded()
		watchers(1)
		h.pass(time.Minute)
		h.probes()
		h.host.set(errors.New("no buffer space"))
		h.host.set(errors.New("no buffer space"))
		h.pass(10 * time.Second)
		h.wantProbes("unknown", true)
		h.host.set(nil)
		h.probes()
		h.pass(time.Minute)
		h.wantProbes("known again", false)
		if n := strings.Count(h.log.String(), "can't be known"); n != 1 {
			t.Errorf("%d lines about it", n)
		}
		h.write(web)
		h.reloaded()
		watchers(0)
		h.pass(10 * time.Second)
		h.wantProbes("no ha_suspend", true)
		h.write(web + "ha_suspend = true\n")
		h.reloaded()
		watchers(1)
		h.probes()
		h.pass(time.Minute)
		h.wantProbes("and again", false)
		if s := h.status().Services[0].Servers[0]; s.Health != health.Up {
			t.Errorf("the verdict is %v", s.Health)
		}
		h.stop()
	})
}
