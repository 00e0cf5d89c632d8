// Package dialect reads a configuration whoever it was written for: ipvsd's TOML, keepalived.conf, ldirectord.cf, Piranha's
// lvs.cf, or what ipvsadm -S prints. It tells them apart, and has the reader of each make the same of it: a document, which
// package config loads.
//
// Nothing here opens a file, except through document.Host, or starts a goroutine; package dialecthost is that host.
package dialect

import (
	"path"
	"slices"
	"strings"
)

// Dialect is a language of configuration files.
type Dialect uint8

// The dialects.
const (
	TOML       Dialect = iota // ipvsd's own
	Keepalived                // keepalived.conf
	Ldirectord                // ldirectord.cf
	Piranha                   // lvs.cf
	IPVSAdm                   // what ipvsadm -S prints
)

// Dialects are all of them.
var Dialects = []Dialect{TOML, Keepalived, Ldirectord, Piranha, IPVSAdm}

func (d Dialect) String() string {
	return [...]string{"toml", "keepalived", "ldirectord", "piranha", "ipvsadm"}[d]
}

// Foreign says whether it is another tool's.
func (d Dialect) Foreign() bool { return d != TOML }

// blocks are words that stand outside of all blocks of a keepalived.conf alone, as their beginnings; TOML has the same in
// brackets, or before an equals sign.
var blocks = []string{
	"global_defs", "virtual_server", "vrrp_", "static_", "track_", "bfd_instance", "garp_group", "linkbeat_", "SSL", "interface_up_down_delays",
	"net_namespace", "namespace", "instance", "use_pid_dir", "child_wait_time", "random_seed", "notify_fifo", "lvs_notify_fifo",
}

// directives are what only a ldirectord.cf has before an equals sign, variables what only a lvs.cf has.
var (
	directives = []string{
		"virtual", "virtual6", "real", "checktimeout", "negotiatetimeout", "checkinterval", "checkcount", "failurecount", "autoreload", "callback",
		"fallback", "fallback6", "fallbackcommand", "logfile", "emailalert", "emailalertfrom", "emailalertfreq", "emailalertstatus", "execute",
		"supervised", "fork", "quiescent", "readdquiescent", "cleanstop", "maintenancedir", "checktype",
	}
	variables = []string{
		"serial_no", "primary", "primary_private", "backup", "backup_private", "backup_active", "heartbeat", "heartbeat_port", "keepalive", "deadtime",
		"network", "nat_router", "nat_nmask", "service", "debug_level", "monitor_links", "syncdaemon", "rsh_command", "reservation_conflict_action",
	}
)

// Of returns the dialect of a file. What it says decides; its name does where that could be several.
func Of(name, source string) Dialect {
	for line := range strings.Lines(strings.TrimPrefix(source, "\ufeff")) {
		if d, sure := ofLine(strings.TrimSpace(line)); sure {
			return d
		}
	}
	return ofName(path.Base(name))
}

func ofLine(line string) (d Dialect, sure bool) {
	if line == "" || line[0] == '#' {
		return 0, false
	}
	switch line[0] {
	case '!', '@', '$', '~':
		return Keepalived, true
	case '-':
		return IPVSAdm, true
	case '[':
		return TOML, begins(strings.TrimLeft(line, "[ \t\"'"), blocks)
	}
	word := line
	if i := strings.IndexAny(line, " \t={"); i >= 0 {
		word = line[:i]
	}
	rest := strings.TrimSpace(line[len(word):])
	switch {
	case path.Base(word) == "ipvsadm":
		return IPVSAdm, true
	case strings.HasPrefix(rest, "="):
		return ofKey(word)
	case word == "virtual" && strings.HasSuffix(rest, "{"):
		return Piranha, true
	case begins(word, blocks), strings.HasPrefix(word, "include") && rest != "":
		return Keepalived, true
	}
	return 0, false
}

// ofKey is the dialect of a line that begins with a key and an equals sign.
func ofKey(key string) (d Dialect, sure bool) {
	switch {
	case slices.Contains(directives, key):
		return Ldirectord, true
	case slices.Contains(variables, key):
		return Piranha, true
	}
	return TOML, begins(key, blocks)
}

func begins(s string, with []string) bool {
	for _, w := range with {
		if strings.HasPrefix(s, w) {
			return true
		}
	}
	return false
}

func ofName(name string) Dialect {
	switch {
	case strings.HasSuffix(name, ".toml"):
		return TOML
	case strings.Contains(name, "ipvsadm"), strings.HasSuffix(name, ".rules"):
		return IPVSAdm
	case name == "lvs.cf":
		return Piranha
	case strings.HasSuffix(name, ".cf"), strings.Contains(name, "ldirectord"):
		return Ldirectord
	case strings.HasSuffix(name, ".conf"), strings.Contains(name, "keepalived"):
		return Keepalived
	}
	return TOML
}
