package daemon

import (
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// A director that takes over from one that is alive goes on to hear of connections for a while; one that yields goes on to tell of them,
// and hears of none meanwhile. The last word of the daemon is that of a backup all the same.
func TestSyncDaemonsInAHandover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := paired(t, new(ipvstest.Kernel), t.TempDir())
		h.become(vrrp.Backup)
		handover := h.owner.settings.handover
		handover.Takes("VI_1")
		h.become(vrrp.Active)
		h.wantSync("taken", "eth1", "eth1", "0")
		h.pass(takenTime - 2*time.Millisecond)
		h.wantSync("until the end", "eth1", "eth1", "0")
		h.pass(3 * time.Millisecond)
		h.wantSync("after it", "eth1", "", "0")
		handover.Gives("VI_1")
		h.become(vrrp.Backup)
		h.wantSync("given", "eth1", "", "0")
		h.pass(givenTime)
		h.wantSync("after that", "", "eth1", "1")
		handover.Takes("VI_2")
		h.become(vrrp.Active)
		h.wantSync("another instance", "eth1", "", "0")
		handover.Gives("VI_1")
		h.become(vrrp.Backup)
		h.wantSync("at the stop", "eth1", "", "0")
		h.stop()
		h.wantSync("at the end", "", "eth1", "1")
	})
}

// Ended connections are forgotten where a backup hears of new ones, and no virtual router is active.
func TestSweepable(t *testing.T) {
	eth1 := ipvs.SyncDaemon{Interface: "eth1", SyncID: 7}
	here := func(role ipvs.SyncRole, want desired.Want) desired.Settings {
		return desired.Settings{{Name: desired.KindTimeout + "tcp", Value: "900"}, {Name: desired.KindSyncDaemon + role.String(), Daemon: eth1, Want: want}}
	}
	for _, c := range []struct {
		name  string
		want  desired.Settings
		roles map[string]vrrp.State
		swept bool
	}{
		{"a backup", here(ipvs.SyncBackup, desired.Present), map[string]vrrp.State{"VI_1": vrrp.Backup, "VI_2": vrrp.Fault}, true},
		{"another one is active", here(ipvs.SyncBackup, desired.Present), map[string]vrrp.State{"VI_1": vrrp.Backup, "VI_2": vrrp.Active}, false},
		{"no virtual routers", here(ipvs.SyncBackup, desired.Present), nil, false},
		{"about to stop", here(ipvs.SyncBackup, desired.Absent), map[string]vrrp.State{"VI_1": vrrp.Backup}, false},
		{"a master", here(ipvs.SyncMaster, desired.Present), map[string]vrrp.State{"VI_1": vrrp.Backup}, false},
	} {
		got := sweepable(c.want, c.roles)
		if c.swept && got != eth1.Started(ipvs.SyncBackup) || !c.swept && got.Interface != "" {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// What is balanced with a sync daemon is told to the virtual routers: TCP with a port, and no firewall marks.
func TestBalanced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), pairedConfig+web+`
[[virtual_server]]
fwmark = 7
real_servers = ["10.0.0.2:80"]
[[virtual_server]]
address = "192.0.2.1:53"
protocol = "UDP"
real_servers = ["10.0.0.2:53"]
[[virtual_server]]
address = "[2001:db8::1]:443"
protocol = "TCP"
real_servers = ["[2001:db8::2]:443"]
`)
		var want []netip.AddrPort
		for _, vs := range h.owner.cfg.VirtualServers {
			if a := vs.Services[0].Addr; a.Port() == 443 || a.Port() == 80 {
				want = append(want, a)
			}
		}
		got := h.group.balanced
		if len(want) != 2 || !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		h.stop()
	})
}

// Roles that move to and fro within a second: only who has the role still, since then, tells again what it has.
func TestHandoverToAndFro(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandover(slog.New(slog.DiscardHandler), "/no/such")
		taken := func() time.Time { return h.taken["VI_1"] }
		h.Takes("VI_1")
		first := taken()
		if !h.holds("VI_1", first) {
			t.Error("it has the role")
		}
		<-time.After(recountedTime / 4)
		h.Gives("VI_1")
		<-time.After(givenTime + 1)
		if h.holds("VI_1", first) {
			t.Error("it has given the role away")
		}
		h.Takes("VI_1")
		if h.holds("VI_1", first) || !h.holds("VI_1", taken()) {
			t.Error("it has the role again, since now")
		}
	})
}
