package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvsnl"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvsproc"
	"github.com/ipvsd/ipvsd/pkg/reconcile"
	"github.com/ipvsd/ipvsd/pkg/status"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// namespace is the IPVS of a network namespace: its table and its settings.
type namespace struct {
	*ipvsnl.Client
	ipvsproc.Dir
}

// settings is how IPVS is set besides its services, and what was there before.
type settings struct {
	tuner    *reconcile.Tuner
	roles    map[string]vrrp.State // of the virtual routers, by name
	handover *handover
	defaults []ipvs.SysctlDefault // that we have for this kernel
	changed  desired.Changed
	want     desired.Settings // at the last look
	found    ipvs.Settings    // after it
	looked   time.Time
	links    map[string]int // index of the interface of each sync daemon, at the last look
	index    func(name string) int
	round    reconcile.SettingsRound // what the last round of the table did to them
}

// compute returns how the settings should be now.
func (s *settings) compute(cfg *config.Config) desired.Settings {
	roles, takes := s.roles, false
	if s.handover != nil { // a plan without a daemon has none
		roles, takes = s.handover.apply(roles, cfg.VRRP.SyncRole)
	}
	return desired.ComputeSettings(cfg, roles, takes, s.defaults, s.changed)
}

// sysctlDefaults returns what we set on the running kernel.
func sysctlDefaults() ([]ipvs.SysctlDefault, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return nil, fmt.Errorf("uname: %w", err)
	}
	return ipvs.SysctlDefaults(unix.ByteSliceToString(name.Release[:]))
}

// tune makes the settings what they should be. It looks at them when it is told to, when there is a new wish or one is owed, and
// otherwise as often as at all of the table. What is in the way of that is in the way of the table too, and told there.
func (o *owner) tune(ctx context.Context, now time.Time, look bool) {
	s := &o.settings
	s.round = reconcile.SettingsRound{}
	want := s.compute(o.cfg)
	s.handover.sweeper.Follow(sweepable(want, s.roles))
	owed := s.tuner.Deadline()
	if !look && slices.Equal(want, s.want) && now.Before(s.looked.Add(sweep*resync)) && (owed.IsZero() || now.Before(owed)) {
		return
	}
	if s.changed.Claim(want) {
		o.recordSettings()
		o.keeper.first(o.files.changed)
	}
	o.relink(ctx, want)
	round, err := s.tuner.Round(ctx, now, want, o.before)
	if err != nil {
		return
	}
	s.want, s.looked, s.round = want, now, round
	if round.Found.Timeouts != (ipvs.Timeouts{}) { // they could be read
		s.found = round.Found
	}
	o.forget(round.Over)
	o.tellSettings()
}

// interfaceIndex returns the index of an interface of this namespace, 0 if there is none with that name.
func interfaceIndex(name string) int {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return 0
	}
	return i.Index
}

// relink stops the sync daemons whose interface was removed and made again, so that they are started on the new one: the kernel
// lists them still, but they reach nobody.
func (o *owner) relink(ctx context.Context, want desired.Settings) {
	links := make(map[string]int)
	for i := range want {
		role, daemon := desired.SyncRoles[want[i].Name]
		if !daemon || want[i].Want != desired.Present {
			continue
		}
		key := want[i].Name + " " + want[i].Daemon.Interface
		was, is := o.settings.links[key], o.settings.index(want[i].Daemon.Interface)
		links[key] = cmp.Or(is, was)
		if was == 0 || is == 0 || is == was {
			continue
		}
		o.log.Warn("the interface of a sync daemon was made anew; the daemon is started again", "role", role.String(),
			"interface", want[i].Daemon.Interface)
		o.events.Add(event.Event{Kind: event.SyncRole, Object: role.String(), Reason: "interface " + want[i].Daemon.Interface + " was made anew: it is started again"})
		if err := o.kernel.StopSyncDaemon(ctx, role); err != nil { // it may not run at all
			o.log.Debug("the sync daemon could not be stopped", "err", err)
		}
	}
	o.settings.links = links
}

// before has what is about to be changed on record before it is.
func (o *owner) before(steps []reconcile.SettingStep) {
	news := false
	for _, s := range steps {
		news = o.settings.changed.Note(s.Name, s.Was, s.Is) || news
	}
	if news {
		o.recordSettings()
		o.keeper.first(o.files.changed)
	}
}

// forget drops settings from the record that are no longer ours.
func (o *owner) forget(names []string) {
	before := len(o.settings.changed)
	for _, name := range names {
		delete(o.settings.changed, name)
	}
	if len(o.settings.changed) < before {
		o.recordSettings()
	}
}

// recordSettings has it be written to the disk what was there before. There is no record when there is nothing to put back.
func (o *owner) recordSettings() {
	var changed any
	if len(o.settings.changed) > 0 {
		changed = o.settings.changed
	}
	o.keeper.put(o.files.changed, changed, "after a crash, settings may stay as they are now")
}

// tellSettings logs what the last look at the settings found and did.
func (o *owner) tellSettings() {
	round := &o.settings.round
	o.tellSettingEvents(round)
	for _, s := range round.Drift {
		o.log.Warn("somebody else changed a setting", "repair", s.String())
	}
	for _, f := range round.Refused {
		level := slog.LevelWarn
		if f.Attempts > 1 {
			level = slog.LevelDebug // no news; the status has it
		}
		o.log.Log(context.Background(), level, "the kernel refused a setting; it will be tried again", "err", f.Err)
	}
	for _, s := range round.Taken {
		o.log.Info("setting changed", "step", s.String())
	}
}

// stopSettings puts back what is not to outlive the daemon.
func (o *owner) stopSettings() error {
	s := &o.settings
	want := desired.SettingsAtStop(o.cfg, s.changed)
	if len(want) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s.tuner.Retry() // there is no later
	round, err := s.tuner.Round(ctx, time.Now(), want, o.before)
	for _, f := range round.Refused {
		err = errors.Join(err, f.Err)
	}
	o.forget(round.Over)
	if err != nil && !errors.Is(err, ipvs.ErrUnavailable) {
		return fmt.Errorf("settings are not all as they were before: %w", err)
	}
	for _, s := range round.Taken {
		o.log.Info("setting put back", "step", s.String())
	}
	return nil
}

// status returns what there is to tell of them, nothing before they were read.
func (s *settings) status() *status.Settings {
	if s.found.Timeouts == (ipvs.Timeouts{}) {
		return nil
	}
	var kept []string
	for i := range s.want {
		if name, sysctl := strings.CutPrefix(s.want[i].Name, desired.KindSysctl); sysctl {
			kept = append(kept, name)
		}
	}
	return status.SettingsOf(s.found, kept)
}

// spare keeps the kernel from ending the connections of servers that are deleted only to be added again.
func (o *owner) spare(ctx context.Context) (end func()) {
	const sysctl = "expire_nodest_conn"
	if o.settings.found.Sysctls[sysctl] != "1" {
		return func() {}
	}
	set := func(value string) bool {
		err := o.kernel.SetSysctl(context.WithoutCancel(ctx), sysctl, value)
		if err != nil {
			o.log.Warn("a sysctl can't be changed for the moment in which servers change their order", "sysctl", sysctl, "err", err)
		}
		return err == nil
	}
	if !set("0") {
		return func() {}
	}
	return func() { set("1") }
}

// planSettings returns what would have to change for the settings of a configuration.
func planSettings(ctx context.Context, k kernel, cfg *config.Config, s settings) ([]reconcile.SettingStep, error) {
	found, err := reconcile.ReadSettings(ctx, k)
	if err != nil {
		return nil, err
	}
	return reconcile.DiffSettings(&found, s.compute(cfg)), nil
}
