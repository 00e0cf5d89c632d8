package daemon

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
)

// Scenario 10 of peers.md: all checks fail, and minimum_healthy holds, also through reloads that change the checks, bring new
// servers and take old ones away, and through a restart.
func TestFailOpenHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		servers := func(from, to int) string {
			var list []string
			for n := from; n <= to; n++ {
				list = append(list, fmt.Sprintf("%q", addr(n)))
			}
			return strings.Replace(web, `"198.51.100.1:80", "198.51.100.2:80", "198.51.100.3:80"`, strings.Join(list, ", "), 1) +
				"minimum_healthy = \"50%\"\n"
		}
		k, dir := new(ipvstest.Kernel), t.TempDir()
		h := start(t, k, dir, servers(1, 4))
		h.pass(time.Minute)
		h.wantServing("at first", addr(1), addr(2), addr(3), addr(4))
		k.OnChange(func(table ipvs.Table) {
			serving := 0
			for _, d := range table.Find(webKey).Destinations {
				if d.Weight > 0 {
					serving++
				}
			}
			if serving < 2 {
				t.Errorf("%d serve", serving)
			}
		})
		for n := range 20 {
			h.down.Store(addr(n+1), true)
		}
		h.pass(time.Minute)
		h.wantServing("all fail", addr(1), addr(2), addr(3), addr(4))
		h.write(strings.Replace(servers(1, 4), "retry = 1", "retry = 5", 1))
		h.reloaded()
		h.pass(time.Minute)
		h.wantServing("with other checks", addr(1), addr(2), addr(3), addr(4))
		h.write(servers(1, 9))
		h.reloaded()
		h.wantServing("before the new ones' checks", addr(1), addr(2), addr(3), addr(4))
		h.pass(time.Minute)
		if n := len(h.serving(webKey)); n != 9 {
			t.Errorf("with more servers: %d serve", n)
		}
		h.write(servers(3, 6))
		h.reloaded()
		h.pass(time.Minute)
		h.wantServing("with fewer servers", addr(3), addr(4), addr(5), addr(6))
		h.kill()
		h = start(t, k, dir, servers(3, 6), addr(3), addr(4), addr(5), addr(6))
		h.wantServing("at the restart", addr(3), addr(4), addr(5), addr(6))
		h.pass(time.Minute)
		h.wantServing("after the restart", addr(3), addr(4), addr(5), addr(6))
		for n := range 2 {
			h.down.Delete(addr(n + 3))
		}
		h.pass(time.Minute)
		h.wantServing("half of them work", addr(3), addr(4))
		h.stop()
	})
}

// Each entry of a group is a service of its own: one that comes or goes touches no other.
func TestGroupEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		group := func(entries string) string {
			return "[virtual_server_group.WEB]\n" + entries + strings.NewReplacer(`address = "192.0.2.1:80"`, `group = "WEB"`,
				`"198.51.100.3:80"`, `"[2001:db8::9]:80"`).Replace(web)
		}
		h := start(t, new(ipvstest.Kernel), t.TempDir(), group("address = [\"192.0.2.1-3:80\", \"[2001:db8::1]:80\"]\nfwmark = [\"7 inet\"]\n"))
		h.pass(time.Minute)
		touched := func(text string) (keys []string) {
			t.Helper()
			h.kernel.Commands()
			h.write(text)
			a := h.reloaded()
			h.pass(time.Minute)
			for _, c := range h.kernel.Commands() {
				keys = append(keys, c.Service.ServiceKey.String())
			}
			if len(a.Changes) != len(keys) {
				t.Errorf("%d changes, %d commands", len(a.Changes), len(keys))
			}
			slices.Sort(keys)
			return slices.Compact(keys)
		}
		for _, tt := range []struct{ entries, touched string }{
			{"address = [\"192.0.2.1-4:80\", \"[2001:db8::1]:80\"]\nfwmark = [\"7 inet\"]\n", "tcp 192.0.2.4:80"},
			{"address = [\"192.0.2.1:80\", \"192.0.2.3-4:80\", \"[2001:db8::1]:80\"]\nfwmark = [\"7 inet\"]\n", "tcp 192.0.2.2:80"},
			{"address = [\"192.0.2.1:80\", \"192.0.2.3-4:80\", \"[2001:db8::1]:80\"]\nfwmark = [\"8 inet\"]\n", "fwmark 7 fwmark 8"},
			{"address = [\"192.0.2.1:80\", \"192.0.2.3-4:80\", \"[2001:db8::1-2]:80\"]\nfwmark = [\"8 inet\"]\n", "tcp [2001:db8::2]:80"},
		} {
			if got := strings.Join(touched(group(tt.entries)), " "); got != tt.touched {
				t.Errorf("%s: touched %s", tt.entries, got)
			}
		}
		h.stop()
	})
}
