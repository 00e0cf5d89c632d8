package desired

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// Settings is how IPVS should be set besides its services, in the order in which it has to be done. What it does not mention
// is nobody's.
type Settings []Setting

// Setting is one of them.
type Setting struct {
	Name string // "timeout tcp", "sysctl conntrack", "sync daemon master"
	// Want is Present, or Absent for one that we changed and that left the configuration: what was there before comes back, or,
	// of a sync daemon, none runs.
	Want  Want
	Value string // as wanted, or, when Absent, as we had set it: what is found otherwise is somebody else's by now
	Was   string // when Absent: what comes back
	// Optional is for what nobody asked for: that a kernel hasn't got it is no fault.
	Optional bool
	Daemon   ipvs.SyncDaemon // of a sync daemon, instead of Value
}

// The kinds of settings: the first part of their names.
const (
	KindTimeout    = "timeout "
	KindSysctl     = "sysctl "
	KindSyncDaemon = "sync daemon "
)

// SyncRoles are the sync daemons by name.
var SyncRoles = map[string]ipvs.SyncRole{
	KindSyncDaemon + ipvs.SyncMaster.String(): ipvs.SyncMaster,
	KindSyncDaemon + ipvs.SyncBackup.String(): ipvs.SyncBackup,
}

// Changed is what the daemon changed of the settings, by name. It outlives the process, so that what was there before can be
// put back, and what the configuration dropped while the daemon was not running, too.
type Changed map[string]Change

// Change is what a setting was before it was first changed, and what it was set to last. Of a sync daemon neither is known,
// only that it is ours.
type Change struct {
	Was string `json:"was,omitempty"`
	Is  string `json:"is,omitempty"`
}

// ComputeSettings returns how the settings should be on a kernel that has these defaults of ours, while the virtual routers have
// these roles, by name. One that takes over from a director that is alive hears of its connections for a while: then both sync daemons
// run.
func ComputeSettings(cfg *config.Config, roles map[string]vrrp.State, takes bool, defaults []ipvs.SysctlDefault, changed Changed) Settings {
	g := &cfg.GlobalDefs
	want := timeouts(g.LVSTimeouts)
	want = append(want, sysctls(&g.LVSSysctl, defaults)...)
	follows, active := cfg.VRRP.SyncRole != "", roles[cfg.VRRP.SyncRole] == vrrp.Active
	if follows && cfg.VRRP.BackupOnly {
		want = want.with(Setting{Name: KindSysctl + "backup_only", Value: backupOnly(active)})
	}
	for _, d := range []struct {
		role   ipvs.SyncRole
		daemon ipvs.SyncDaemon
		wanted bool
	}{{ipvs.SyncMaster, g.LVSSyncDaemon.Master, active}, {ipvs.SyncBackup, g.LVSSyncDaemon.Backup, !active || takes}} {
		switch s := (Setting{Name: KindSyncDaemon + d.role.String()}); {
		case d.daemon.Interface == "":
		case !follows || d.wanted:
			s.Daemon = d.daemon
			want = append(want, s)
		default:
			// Whoever started it: one of an earlier run, or keepalived's. The one that starts instead comes after it.
			s.Want = Absent
			want = append(Settings{s}, want...)
		}
	}
	return append(want.leavers(changed), want...)
}

// backupOnly is the sysctl of a director that leaves the clients to the active one, or is that one: with 1 the kernel balances
// nothing while its backup daemon runs.
func backupOnly(active bool) string {
	if active {
		return "0"
	}
	return "1"
}

// with returns s with a setting in place of the one of that name.
func (s Settings) with(one Setting) Settings {
	return append(slices.DeleteFunc(s, func(other Setting) bool { return other.Name == one.Name }), one)
}

// SettingsAtStop returns how the settings should be when the daemon has stopped: the timeouts as they were before, as
// keepalived leaves them; the sysctls if that is configured; and no sync daemon of ours if no service of ours is left either.
func SettingsAtStop(cfg *config.Config, changed Changed) Settings {
	return slices.DeleteFunc(Settings{}.leavers(changed), func(s Setting) bool {
		switch {
		case strings.HasPrefix(s.Name, KindSysctl):
			return !cfg.GlobalDefs.LVSSysctl.Restore
		case strings.HasPrefix(s.Name, KindSyncDaemon):
			return !ClearsAtStop(cfg)
		}
		return false
	})
}

// leavers returns what was changed and is not in s.
func (s Settings) leavers(changed Changed) Settings {
	var left Settings
	for _, name := range slices.Sorted(maps.Keys(changed)) {
		if !slices.ContainsFunc(s, func(s Setting) bool { return s.Name == name }) {
			left = append(left, Setting{Name: name, Want: Absent, Value: changed[name].Is, Was: changed[name].Was})
		}
	}
	return left
}

// timeouts returns those that are not zero.
func timeouts(t ipvs.Timeouts) (s Settings) {
	for _, v := range TimeoutValues(t) {
		if v.Value != Seconds(0) {
			s = append(s, v)
		}
	}
	return s
}

// TimeoutValues returns timeouts as settings, zero or not.
func TimeoutValues(t ipvs.Timeouts) Settings {
	return Settings{
		{Name: KindTimeout + "tcp", Value: Seconds(t.TCP)},
		{Name: KindTimeout + "tcpfin", Value: Seconds(t.TCPFin)},
		{Name: KindTimeout + "udp", Value: Seconds(t.UDP)},
	}
}

// Seconds is how the value of a timeout is written: "900s".
func Seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) + "s" }

// sysctls returns what is configured, and the defaults for the rest.
func sysctls(c *config.Sysctls, defaults []ipvs.SysctlDefault) (s Settings) {
	for _, name := range slices.Sorted(maps.Keys(c.Values)) {
		s = append(s, Setting{Name: KindSysctl + name, Value: c.Values[name]})
	}
	if !c.Defaults {
		return s
	}
	for _, d := range defaults {
		if _, configured := c.Values[d.Name]; !configured {
			s = append(s, Setting{Name: KindSysctl + d.Name, Value: d.Value, Optional: true})
		}
	}
	return s
}

// Claim enters the sync daemons that are wanted, and says whether one is new.
func (c Changed) Claim(s Settings) (grew bool) {
	for i := range s {
		if _, daemon := SyncRoles[s[i].Name]; daemon && s[i].Want == Present {
			if _, known := c[s[i].Name]; !known {
				c[s[i].Name] = Change{}
				grew = true
			}
		}
	}
	return grew
}

// Note enters a change that is about to be made, and says whether that is news. What was there before the first one stays on
// record.
func (c Changed) Note(name, was, is string) bool {
	change, known := c[name]
	if !known {
		change.Was = was
	}
	if known && change.Is == is {
		return false
	}
	change.Is = is
	c[name] = change
	return true
}
