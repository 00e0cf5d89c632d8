package daemon

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// routerGroup are virtual routers that do nothing but know what they were told.
type routerGroup struct {
	mu       sync.Mutex
	cfg      *config.VRRP
	quorums  map[string]health.State
	checked  bool
	balanced []netip.AddrPort
	heard    []string
}

func (r *routerGroup) Observe(o vrrp.Object, is vrrp.Reading) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heard = append(r.heard, fmt.Sprintf("%v %s up %v %s", o.Kind, o.Name, is.Up, is.Reason))
}

func (r *routerGroup) Checked() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.checked = true
}

func (r *routerGroup) wasChecked() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.checked
}

func (r *routerGroup) Balanced(at []netip.AddrPort) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.balanced = at
}

func (r *routerGroup) Change(cfg *config.VRRP) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cfg = cfg
}

func (r *routerGroup) Services(quorums map[string]health.State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.quorums = maps.Clone(quorums)
}

func (r *routerGroup) quorum(name string) health.State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.quorums[name]
}

// become gives the only instance a role.
func (h *house) become(role vrrp.State) {
	h.hearRoles(map[string]vrrp.State{"VI_1": role})
	synctest.Wait()
	h.pass(time.Millisecond)
}

// paired is a director of two, whose sync daemons follow VI_1.
func paired(t *testing.T, k *ipvstest.Kernel, dir string) *house {
	t.Helper()
	return start(t, k, dir, pairedConfig+web)
}

const pairedConfig = `
[global_defs]
lvs_sync_daemon = { interface = "eth1", id = 7, instance = "VI_1", backup_only = true }
[vrrp_instance.VI_1]
interface = "eth0"
virtual_router_id = 51
virtual_ipaddress = ["192.0.2.1/24"]
`

func (h *house) wantSync(when, master, backup, backupOnly string) {
	h.t.Helper()
	s := h.settingsOf()
	if s.Master.Interface != master || s.Backup.Interface != backup || s.Sysctls["backup_only"] != backupOnly {
		h.t.Errorf("%s: master on %q, backup on %q, backup_only %s; want %q, %q, %s", when,
			s.Master.Interface, s.Backup.Interface, s.Sysctls["backup_only"], master, backup, backupOnly)
	}
}

// The sync daemons follow the role at once, and so does backup_only. What an earlier run left is adopted or ended, and the last
// word before the end is that of a backup.
func TestSyncDaemonsFollowTheRole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := new(ipvstest.Kernel)
		h := paired(t, k, t.TempDir())
		h.wantSync("before the first role", "", "eth1", "1")
		h.become(vrrp.Backup)
		h.wantSync("backup", "", "eth1", "1")
		k.Changes()
		h.become(vrrp.Active)
		h.wantSync("active", "eth1", "", "0")
		if got, want := strings.Join(k.Changes(), "; "), "stop sync daemon backup; set sysctl backup_only 0; start sync daemon master eth1 id 7 group 224.0.0.81 port 8848 ttl 1"; got != want {
			t.Errorf("changes: %s, want %s", got, want)
		}
		h.become(vrrp.Active)
		h.pass(time.Minute)
		if got := k.Changes(); len(got) > 0 {
			t.Errorf("nothing is new, and %q", got)
		}
		if s := h.status().Table; s.Drift != 0 {
			t.Errorf("status: %+v", s)
		}
		h.become(vrrp.Fault)
		h.wantSync("at fault", "", "eth1", "1")
		h.become(vrrp.Active)

		// SIGTERM: the routers end while the owner waits.
		h.ended = make(chan struct{})
		go func() {
			<-time.After(time.Second)
			h.hearRoles(map[string]vrrp.State{"VI_1": vrrp.Initialize})
			close(h.ended)
		}()
		h.stop()
		h.wantSync("at the end", "", "eth1", "1")

		k.Changes()
		dir := t.TempDir()
		h = paired(t, k, dir)
		h.become(vrrp.Backup)
		if got := k.Changes(); len(got) > 0 {
			t.Errorf("the daemon of an earlier run is not adopted: %q", got)
		}
		h.become(vrrp.Active)
		h.kill()
		h = paired(t, k, dir)
		h.become(vrrp.Backup)
		h.wantSync("after kill -9 while active", "", "eth1", "1")
		h.stop()
	})
}

// Somebody else's daemon of the other role ends with the first look: with an instance the roles are ours.
func TestSyncDaemonOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := new(ipvstest.Kernel)
		if err := k.StartSyncDaemon(t.Context(), ipvs.SyncMaster, ipvs.SyncDaemon{Interface: "eth1", SyncID: 9}); err != nil {
			t.Fatal(err)
		}
		h := paired(t, k, t.TempDir())
		h.wantSync("at the start", "", "eth1", "1")
		h.stop()
	})
}

// The routers hear of quorums and of configurations.
func TestRoutersAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.pass(time.Second)
		if h.group.cfg != &h.cfg.VRRP || h.group.quorum("tcp 192.0.2.1:80") != health.Up || !h.group.checked {
			t.Errorf("told of %v, checked: %v", h.group.quorums, h.group.checked)
		}
		for _, a := range []netip.AddrPort{first, second, third} {
			h.down.Store(a, true)
		}
		h.pass(20 * time.Second)
		if got := h.group.quorum("tcp 192.0.2.1:80"); got != health.Down {
			t.Errorf("without servers: %v", got)
		}
		h.stop()
	})
}

// They hear that the virtual servers were checked when each of them was, and not before.
func TestRoutersWaitForChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), strings.Replace(web, "[[virtual_server]]", "[[virtual_server]]\nwarmup = 60", 1))
		if h.group.wasChecked() {
			t.Error("checked at once")
		}
		h.pass(time.Minute)
		if !h.group.wasChecked() {
			t.Error("not checked after all were")
		}
		h.stop()
	})
}

// With ha_suspend an address of a virtual router counts while that is active, and only then: it may be on lo otherwise.
func TestSuspendByRole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), pairedConfig+web+"ha_suspend = true\n")
		h.host.set(nil, "192.0.2.1") // on lo
		h.pass(time.Minute)
		h.probes()
		h.pass(time.Minute)
		h.wantProbes("without the role", false)
		h.become(vrrp.Active)
		h.pass(time.Minute)
		h.wantProbes("active", true)
		h.become(vrrp.Backup)
		h.pass(time.Second)
		h.probes()
		h.pass(time.Minute)
		h.wantProbes("backup", false)
		h.stop()
	})
}

// The service manager is told of the roles.
func TestRolesSummary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := paired(t, new(ipvstest.Kernel), t.TempDir())
		h.become(vrrp.Active)
		got, err := ask(t.Context(), h.owner, func(context.Context) string { return h.summary() })
		if want := "STATUS=services: 1, servers alive: 3 of 3, MASTER: 1"; err != nil || got != want {
			t.Errorf("got %q, want %q: %v", got, want, err)
		}
		h.stop()
	})
}
