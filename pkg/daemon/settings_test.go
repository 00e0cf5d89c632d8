package daemon

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
	"github.com/ipvsd/ipvsd/pkg/reconcile"
)

const tuned = `
[global_defs]
lvs_timeouts = "tcp 800"
lvs_sysctl = { conntrack = 1 }
lvs_sync_daemon = { interface = "eth1", id = 7, role = "master" }
` + web

// settingsOf returns all settings of a kernel.
func (h *house) settingsOf() ipvs.Settings {
	h.t.Helper()
	s, err := reconcile.ReadSettings(h.t.Context(), h.kernel)
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// Settings are part of plan and reload, of drift and its repair, and at rest they cost one look in a sweep.
func TestSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := new(ipvstest.Kernel)
		var reads atomic.Int64
		k.RefuseSettings(func(call string) error {
			if call == "read timeouts" {
				reads.Add(1)
			}
			return nil
		})
		h := start(t, k, t.TempDir(), web)
		h.pass(time.Second)
		if s := h.settingsOf(); s.Sysctls["expire_nodest_conn"] != "1" || s.Sysctls["conntrack"] != "0" {
			t.Errorf("by default: %v", s.Sysctls)
		}
		reads.Store(0)
		h.pass(time.Minute)
		if n := reads.Load(); n > 13 {
			t.Errorf("read %d times in a minute", n)
		}

		h.write(tuned)
		steps := []string{
			"set timeout tcp 900s -> 800s",
			"set sysctl conntrack 0 -> 1",
			"start sync daemon master on eth1 id 7 group 224.0.0.81 port 8848 ttl 1",
		}
		if plan, err := h.Plan(t.Context(), nil); err != nil || !slices.Equal(plan.Changes, steps) {
			t.Errorf("plan: %v %q", err, plan.Changes)
		}
		if a := h.reloaded(); !slices.Equal(a.Changes, steps) {
			t.Errorf("reload: %q", a.Changes)
		}
		if s := h.settingsOf(); s.Timeouts.TCP != 800*time.Second || s.Sysctls["conntrack"] != "1" || s.Master.SyncID != 7 || s.Backup.Interface != "" {
			t.Errorf("got %+v", s)
		}

		told := h.status().Settings
		if told == nil || told.Timeouts.TCP != 800*time.Second || told.Master == nil || told.Backup != nil ||
			told.Sysctls["conntrack"] != "1" || len(told.Sysctls) != 3 {
			t.Errorf("status: %+v", told)
		}

		changes := h.status().Table.Changes
		if err := errors.Join(k.SetSysctl(t.Context(), "conntrack", "0"), k.StopSyncDaemon(t.Context(), ipvs.SyncMaster)); err != nil {
			t.Fatal(err)
		}
		h.pass(sweep * resync)
		if s := h.settingsOf(); s.Sysctls["conntrack"] != "1" || s.Master.SyncID != 7 {
			t.Errorf("not repaired: %+v", s)
		}
		if s := h.status().Table; s.Drift != 2 || s.Changes != changes+2 {
			t.Errorf("drift %d, changes %d", s.Drift, s.Changes-changes)
		}
		if !strings.Contains(h.log.String(), `msg="somebody else changed a setting" repair="set sysctl conntrack 0 -> 1"`) {
			t.Errorf("log:\n%s", h.log)
		}
		h.stop()
	})
}

// A sync daemon whose interface was removed and made again is started anew; while there is no interface it is left alone.
func TestSyncDaemonFollowsItsInterface(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := new(ipvstest.Kernel)
		h := start(t, k, t.TempDir(), tuned)
		h.pass(time.Second)
		for _, step := range []struct {
			index int
			stops int
		}{{3, 0}, {3, 0}, {0, 0}, {7, 1}, {7, 1}, {8, 2}} {
			if _, err := ask(t.Context(), h.owner, func(context.Context) bool {
				h.settings.index = func(string) int { return step.index }
				return true
			}); err != nil {
				t.Fatal(err)
			}
			h.pass(2 * sweep * resync)
			if n := strings.Count(h.log.String(), "was made anew"); n != step.stops {
				t.Errorf("index %d: started again %d times, want %d", step.index, n, step.stops)
			}
			if d := h.status().Table.Drift; d != uint64(step.stops) || h.settingsOf().Master.SyncID != 7 {
				t.Errorf("index %d: drift %d, %+v", step.index, d, h.settingsOf().Master)
			}
		}
		h.stop()
	})
}

// What leaves the configuration is as it was before the daemon came, even if that was in an earlier life.
func TestSettingsLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, dir := new(ipvstest.Kernel), t.TempDir()
		h := start(t, k, dir, tuned)
		h.pass(time.Second)
		h.kill()
		h = start(t, k, dir, "[global_defs]\nlvs_sysctl_defaults = false\n"+web)
		h.pass(time.Second)
		s := h.settingsOf()
		if s.Timeouts.TCP != 900*time.Second || s.Sysctls["conntrack"] != "0" || s.Sysctls["expire_nodest_conn"] != "0" || s.Master.Interface != "" {
			t.Errorf("got %+v", s)
		}
		if _, err := os.Stat(h.files.changed); err == nil {
			t.Error("there is still a record")
		}
		h.stop()
	})
}

// At stop the timeouts are put back, sysctls if that is configured, and the sync daemon ends with the services.
func TestSettingsAtStop(t *testing.T) {
	for _, tt := range []struct {
		global                        string
		conntrack, nodest, syncDaemon string
	}{
		{"", "1", "1", "eth1"},
		{"lvs_sysctl_restore = true\n", "0", "0", "eth1"},
		{"lvs_flush_on_stop = true\n", "1", "1", ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			k := new(ipvstest.Kernel)
			h := start(t, k, t.TempDir(), strings.Replace(tuned, "lvs_timeouts", tt.global+"lvs_timeouts", 1))
			h.pass(time.Second)
			h.stop()
			s := h.settingsOf()
			if s.Timeouts.TCP != 900*time.Second {
				t.Errorf("%q: timeouts %+v", tt.global, s.Timeouts)
			}
			if s.Sysctls["conntrack"] != tt.conntrack || s.Sysctls["expire_nodest_conn"] != tt.nodest || s.Master.Interface != tt.syncDaemon {
				t.Errorf("%q: got %+v", tt.global, s)
			}
		})
	}
}

// A setting that the kernel refuses is told like a refused server, and holds up nothing.
func TestSettingRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := new(ipvstest.Kernel)
		k.SetInterfaces("eth0")
		h := start(t, k, t.TempDir(), tuned)
		h.pass(time.Second)
		h.wantServing("all the same", first, second, third)
		s := h.status()
		if len(s.Table.Refused) != 1 || !strings.HasPrefix(s.Table.Refused[0].Reason, "start sync daemon master: no interface") || s.Table.Error != "" {
			t.Errorf("status: %+v", s.Table)
		}
		if a := h.reloaded(); len(a.Refused) != 1 {
			t.Errorf("reload: %+v", a)
		}
		k.SetInterfaces("eth1")
		h.pass(time.Minute)
		if s := h.status(); len(s.Table.Refused) != 0 || h.settingsOf().Master.Interface != "eth1" {
			t.Errorf("with the interface: %+v", s.Table)
		}
		h.stop()
	})
}

// While servers change their order the kernel ends no connections of theirs; it does before and after.
func TestOrderSparesConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), strings.Replace(web, `"rr"`, `"dh"`, 1), second)
		h.pass(10 * time.Second)
		h.wantServing("without the second", first, third)
		h.kernel.Changes()
		h.down.Delete(second)
		h.pass(10 * time.Second)
		h.wantServing("all", first, second, third)
		if got := h.kernel.Changes(); !slices.Equal(got, []string{"set sysctl expire_nodest_conn 0", "set sysctl expire_nodest_conn 1"}) {
			t.Errorf("changes: %q", got)
		}
		if s := h.status().Table; s.Drift != 0 {
			t.Errorf("status: %+v", s)
		}
		h.stop()
	})
}
