package ipvstest

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// release is the Linux that Kernel is one of.
var release = ipvs.Release{Major: 6, Minor: 1}

// maxInterfaceLen is IFNAMSIZ without the NUL.
const maxInterfaceLen = 15

// settings are what a Kernel has besides its table and timeouts.
type settings struct {
	master, backup ipvs.SyncDaemon
	sysctls        ipvs.Sysctls // that aren't what they were at boot
	interfaces     []string     // that there are; nil: any
	changes        []string
	refuse         func(call string) error
}

// SyncDaemons returns the sync daemons that run.
func (k *Kernel) SyncDaemons(ctx context.Context) (master, backup ipvs.SyncDaemon, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.readSetting(ctx, "read sync daemons"); err != nil {
		return ipvs.SyncDaemon{}, ipvs.SyncDaemon{}, err
	}
	return k.settings.master, k.settings.backup, nil
}

// StartSyncDaemon starts a sync daemon.
func (k *Kernel) StartSyncDaemon(ctx context.Context, role ipvs.SyncRole, d ipvs.SyncDaemon) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.changeSetting(ctx, fmt.Sprintf("start sync daemon %s %s", role, d)); err != nil {
		return err
	}
	if errno := k.startSyncDaemon(role, d); errno != 0 {
		return &ipvs.SyncError{Start: true, Role: role, Daemon: d, Errno: errno}
	}
	return nil
}

// StopSyncDaemon stops a sync daemon, if it runs.
func (k *Kernel) StopSyncDaemon(ctx context.Context, role ipvs.SyncRole) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.changeSetting(ctx, fmt.Sprintf("stop sync daemon %s", role)); err != nil {
		return err
	}
	d := k.syncDaemon(role)
	if d == nil {
		return &ipvs.SyncError{Role: role, Errno: ipvs.EINVAL}
	}
	*d = ipvs.SyncDaemon{}
	return nil
}

// syncDaemon returns where the daemon of a role is kept, nil if there is no such role.
func (k *Kernel) syncDaemon(role ipvs.SyncRole) *ipvs.SyncDaemon {
	switch role {
	case ipvs.SyncMaster:
		return &k.settings.master
	case ipvs.SyncBackup:
		return &k.settings.backup
	}
	return nil
}

// syncs says whether a sync daemon runs.
func (s *settings) syncs() bool {
	return s.master != (ipvs.SyncDaemon{}) || s.backup != (ipvs.SyncDaemon{})
}

// startSyncDaemon does so by the kernel's rules, in the order in which it looks (ip_vs_genl_new_daemon in ip_vs_ctl.c,
// start_sync_thread in ip_vs_sync.c).
func (k *Kernel) startSyncDaemon(role ipvs.SyncRole, d ipvs.SyncDaemon) ipvs.Errno {
	if len(d.Interface) > maxInterfaceLen || d.Group.IsValid() && !d.Group.IsMulticast() || k.mixedFamilies() {
		return ipvs.EINVAL
	}
	if k.settings.interfaces != nil && !slices.Contains(k.settings.interfaces, d.Interface) || d.Interface == "" {
		return ipvs.ENODEV
	}
	runs := k.syncDaemon(role)
	switch {
	case runs == nil:
		return ipvs.EINVAL
	case *runs != (ipvs.SyncDaemon{}):
		return ipvs.EEXIST
	}
	*runs = d.Started(role)
	return 0
}

// mixedFamilies says whether a service has a server of another family: the sync protocol can't tell a backup of it.
func (k *Kernel) mixedFamilies() bool {
	for _, s := range k.services {
		for a := range s.destinations {
			if ipvs.FamilyOf(a.Addr()) != s.Family {
				return true
			}
		}
	}
	return false
}

// Sysctls returns all sysctls that the kernel has.
func (k *Kernel) Sysctls(ctx context.Context) (ipvs.Sysctls, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.readSetting(ctx, "read sysctls"); err != nil {
		return nil, err
	}
	all := ipvs.Sysctls{}
	for _, s := range ipvs.SysctlTable {
		if s.Since.Compare(release) <= 0 {
			all[s.Name] = s.Boot
		}
	}
	all["sync_qlen_max"] = "65536" // one in 32 of the pages of 8 GB
	maps.Copy(all, k.settings.sysctls)
	return all, nil
}

// SomeSysctls returns those of some names that the kernel has.
func (k *Kernel) SomeSysctls(ctx context.Context, names ...string) (ipvs.Sysctls, error) {
	some, err := k.Sysctls(ctx)
	maps.DeleteFunc(some, func(name, _ string) bool { return !slices.Contains(names, name) })
	return some, err
}

// SetSysctl changes a sysctl. It is an error that wraps fs.ErrNotExist if the kernel has none with that name, one that
// wraps ipvs.EINVAL if the value is wrong.
func (k *Kernel) SetSysctl(ctx context.Context, name, value string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.changeSetting(ctx, fmt.Sprintf("set sysctl %s %s", name, value)); err != nil {
		return err
	}
	s, ok := ipvs.FindSysctl(name)
	if !ok || s.Since.Compare(release) > 0 {
		return fmt.Errorf("set sysctl net.ipv4.vs.%s: %w", name, fs.ErrNotExist)
	}
	if err := s.Check(value); err != nil {
		return fmt.Errorf("set sysctl net.ipv4.vs.%s: %w: %w", name, ipvs.EINVAL, err)
	}
	if s.Kind == ipvs.SysctlDefence && value == "2" {
		value = "1" // until memory is short
	}
	if k.settings.sysctls == nil {
		k.settings.sysctls = ipvs.Sysctls{}
	}
	k.settings.sysctls[name] = s.Normal(value)
	return nil
}

func (k *Kernel) readSetting(ctx context.Context, call string) error {
	if err := k.ready(ctx); err != nil {
		return err
	}
	if k.settings.refuse != nil {
		return k.settings.refuse(call)
	}
	return nil
}

func (k *Kernel) changeSetting(ctx context.Context, call string) error {
	if err := k.ready(ctx); err != nil {
		return err
	}
	k.settings.changes = append(k.settings.changes, call)
	if k.settings.refuse != nil {
		return k.settings.refuse(call)
	}
	return nil
}

// Changes returns the changes of settings that reached the kernel since the last call, refused ones too, and forgets
// them: "set timeouts tcp 15m0s tcpfin 0s udp 0s", "start sync daemon master eth1 id 1", "stop sync daemon backup",
// "set sysctl conntrack 1".
func (k *Kernel) Changes() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.settings.changes
	k.settings.changes = nil
	return c
}

// RefuseSettings has f decide on every call that reads or changes settings before the kernel's own rules do: nil lets it
// pass. Calls are named as Changes does, and "read timeouts", "read sync daemons", "read sysctls". f must not call the
// Kernel. Nil ends it.
func (k *Kernel) RefuseSettings(f func(call string) error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.settings.refuse = f
}

// SetInterfaces says which interfaces there are, for sync daemons. Until then there is every one.
func (k *Kernel) SetInterfaces(names ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.settings.interfaces = append([]string{}, names...)
}
