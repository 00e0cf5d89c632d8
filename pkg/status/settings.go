package status

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Settings is how IPVS is set besides its services.
type Settings struct {
	Timeouts Timeouts     `json:"timeouts"`
	Master   *SyncDaemon  `json:"sync_master,omitempty"` // absent: it doesn't run
	Backup   *SyncDaemon  `json:"sync_backup,omitempty"`
	Sysctls  ipvs.Sysctls `json:"sysctls,omitempty"` // that ipvsd keeps, by name without net.ipv4.vs
}

// SettingsOf returns settings that were read, without the sysctls that are not kept.
func SettingsOf(s ipvs.Settings, kept []string) *Settings {
	sysctls := make(ipvs.Sysctls, len(kept))
	for _, name := range kept {
		if value, known := s.Sysctls[name]; known {
			sysctls[name] = value
		}
	}
	return &Settings{Timeouts: Timeouts(s.Timeouts), Master: syncDaemon(s.Master), Backup: syncDaemon(s.Backup), Sysctls: sysctls}
}

// text prints what is set.
func (s *Settings) text(line func(sgr, label, format string, args ...any)) {
	line("", "timeouts", "tcp %v, tcpfin %v, udp %v", s.Timeouts.TCP, s.Timeouts.TCPFin, s.Timeouts.UDP)
	for _, d := range []struct {
		role   ipvs.SyncRole
		daemon *SyncDaemon
	}{{ipvs.SyncMaster, s.Master}, {ipvs.SyncBackup, s.Backup}} {
		if d.daemon != nil {
			line("", "sync", "%s on %s", d.role, ipvs.SyncDaemon(*d.daemon))
		}
	}
	if len(s.Sysctls) > 0 {
		var list []string
		for _, name := range slices.Sorted(maps.Keys(s.Sysctls)) {
			list = append(list, fmt.Sprintf("%s %s", name, s.Sysctls[name]))
		}
		line("", "sysctls", "%s", strings.Join(list, ", "))
	}
}
