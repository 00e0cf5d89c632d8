package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Settable is what has settings besides its table: in tests *ipvstest.Kernel.
type Settable interface {
	Timeouts(ctx context.Context) (ipvs.Timeouts, error)
	// SetTimeouts changes those that are not zero.
	SetTimeouts(ctx context.Context, t ipvs.Timeouts) error
	SyncDaemons(ctx context.Context) (master, backup ipvs.SyncDaemon, err error)
	StartSyncDaemon(ctx context.Context, role ipvs.SyncRole, d ipvs.SyncDaemon) error
	StopSyncDaemon(ctx context.Context, role ipvs.SyncRole) error
	Sysctls(ctx context.Context) (ipvs.Sysctls, error)
	SetSysctl(ctx context.Context, name, value string) error
}

// ReadSettings returns the settings as they are.
func ReadSettings(ctx context.Context, k Settable) (s ipvs.Settings, err error) {
	if s.Timeouts, err = k.Timeouts(ctx); err != nil {
		return s, err
	}
	if s.Master, s.Backup, err = k.SyncDaemons(ctx); err != nil {
		return s, err
	}
	s.Sysctls, err = k.Sysctls(ctx)
	return s, err
}

// SettingStep is one change of a setting.
type SettingStep struct {
	Name    string // of the setting, as in desired.Setting
	Was     string // what is found
	Is      string // what is to be; of a sync daemon that is to stop empty
	Missing bool   // the kernel has no such sysctl
	Back    bool   // what was there before us comes back
	Daemon  ipvs.SyncDaemon
}

// String describes the step: "set timeout tcp 900s -> 120s", "start sync daemon master on eth1 id 1 ...".
func (s SettingStep) String() string {
	_, daemon := desired.SyncRoles[s.Name]
	switch {
	case daemon && s.Is == "":
		return fmt.Sprintf("stop %s on %s", s.Name, s.Was)
	case daemon:
		return fmt.Sprintf("start %s on %s", s.Name, s.Is)
	case s.Missing:
		return fmt.Sprintf("set %s to %s", s.Name, s.Is)
	}
	return fmt.Sprintf("set %s %s -> %s", s.Name, s.Was, s.Is)
}

// DiffSettings returns the steps from the actual settings to the desired ones. Of what is to be put back as it was before, and
// somebody else has changed since, there is none.
func DiffSettings(actual *ipvs.Settings, want desired.Settings) (steps []SettingStep) {
	for i := range want {
		w := &want[i]
		if role, ok := desired.SyncRoles[w.Name]; ok {
			steps = append(steps, diffDaemon(role, actual, w)...)
			continue
		}
		found, known := value(actual, w.Name)
		wish := w.Value
		switch {
		case w.Want == desired.Absent && (!known || !sameValue(w.Name, found, w.Value)), !known && w.Optional:
			continue
		case w.Want == desired.Absent:
			wish = w.Was
		}
		if !known || !sameValue(w.Name, found, wish) {
			steps = append(steps, SettingStep{Name: w.Name, Was: found, Is: wish, Missing: !known, Back: w.Want == desired.Absent})
		}
	}
	return steps
}

// value returns a timeout or sysctl as it is.
func value(actual *ipvs.Settings, name string) (found string, known bool) {
	if sysctl, ok := strings.CutPrefix(name, desired.KindSysctl); ok {
		found, known = actual.Sysctls[sysctl]
		return found, known
	}
	for _, t := range desired.TimeoutValues(actual.Timeouts) {
		if t.Name == name {
			return t.Value, true
		}
	}
	return "", false
}

func sameValue(name, a, b string) bool {
	s, _ := ipvs.FindSysctl(strings.TrimPrefix(name, desired.KindSysctl))
	return s.Same(a, b)
}

// diffDaemon returns the steps on a sync daemon. The kernel can't change one that runs: it is stopped and started.
func diffDaemon(role ipvs.SyncRole, actual *ipvs.Settings, want *desired.Setting) (steps []SettingStep) {
	found := actual.Master
	if role == ipvs.SyncBackup {
		found = actual.Backup
	}
	if found.Interface != "" {
		if want.Want == desired.Present && runs(role, want.Daemon, found) {
			return nil
		}
		steps = append(steps, SettingStep{Name: want.Name, Was: found.String()})
	}
	if want.Want == desired.Present {
		steps = append(steps, SettingStep{Name: want.Name, Is: described(role, want.Daemon), Daemon: want.Daemon})
	}
	return steps
}

// runs says whether a sync daemon that is found is the one that is wanted, as the kernel runs that: by the interface's MTU as it was taken for the
// one that is found.
func runs(role ipvs.SyncRole, want, found ipvs.SyncDaemon) bool {
	want.MaxLen = cmp.Or(want.MaxLen, found.MaxLen)
	return found == want.Started(role)
}

// described returns a sync daemon in words, with what the kernel will take where that is known.
func described(role ipvs.SyncRole, d ipvs.SyncDaemon) string {
	started := d.Started(role)
	if d.MaxLen == 0 {
		started.MaxLen = 0 // it may depend on the interface
	}
	return started.String()
}

// take takes a step.
func (s SettingStep) take(ctx context.Context, k Settable) error {
	if role, ok := desired.SyncRoles[s.Name]; ok {
		if s.Is == "" {
			return k.StopSyncDaemon(ctx, role)
		}
		return k.StartSyncDaemon(ctx, role, s.Daemon)
	}
	if name, ok := strings.CutPrefix(s.Name, desired.KindSysctl); ok {
		if s.Missing {
			return fmt.Errorf("%s: this kernel has no net.ipv4.vs.%s: take it out of lvs_sysctl", s, name)
		}
		return k.SetSysctl(ctx, name, s.Is)
	}
	d, err := time.ParseDuration(s.Is)
	if err != nil {
		return fmt.Errorf("%s: %w", s, err)
	}
	var t ipvs.Timeouts
	switch strings.TrimPrefix(s.Name, desired.KindTimeout) {
	case "tcp":
		t.TCP = d
	case "tcpfin":
		t.TCPFin = d
	case "udp":
		t.UDP = d
	}
	if err := k.SetTimeouts(ctx, t); err != nil {
		return fmt.Errorf("%s: %w", s, err)
	}
	return nil
}
