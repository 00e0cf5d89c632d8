package ldirectord

import (
	"slices"

	"github.com/ipvsd/ipvsd/pkg/config/document"
)

// place is where a directive may stand.
type place uint8

const (
	inGlobal  place = 1 << iota // at the beginning of a line, for all services
	inService                   // indented, below virtual
)

// The fates of directives.
const (
	honoured = document.Honoured
	mapped   = document.Mapped
	idle     = document.Idle
	refused  = document.Refused
)

// keyword is a directive: where it may stand, what becomes of it, and how its value is read.
type keyword struct {
	in     place
	name   string
	fate   document.Fate
	remark string // for people: what it becomes, or why nothing; of what is refused, what to write instead
	read   kind   // nil: scan or service reads it
	lost   bool   // of the idle ones, that something is lost: a warning tells it, not a note
}

var services = []string{"dns", "ftp", "http", "https", "http_proxy", "imap", "imaps", "ldap", "ldaps", "mysql", "nntp", "none", "oracle",
	"pgsql", "pop", "pops", "radius", "simpletcp", "sip", "smtp", "submission"}

var keywords = []keyword{
	{in: inGlobal, name: "virtual", fate: mapped, remark: "virtual_server; a number is its fwmark"},
	{in: inGlobal, name: "virtual6", fate: mapped, remark: "virtual_server; a number is its fwmark, with ip_family inet6"},

	{in: inGlobal | inService, name: "checktimeout", fate: mapped, remark: "connect_timeout of connect, external, ping and ldap checks", read: whole(1)},
	{in: inGlobal | inService, name: "negotiatetimeout", fate: mapped, remark: "connect_timeout of negotiate checks", read: whole(1)},
	{in: inGlobal | inService, name: "checkinterval", fate: mapped, remark: "delay_loop; servers are checked at the same time, not one after the other", read: whole(1)},
	{in: inGlobal | inService, name: "checkcount", fate: mapped, remark: "retry of ping checks; others don't know it", read: whole(1)},
	{in: inGlobal | inService, name: "failurecount", fate: mapped, remark: "retry, which is one less", read: whole(1)},
	{in: inGlobal, name: "timeout", fate: mapped, remark: "connect_timeout; ldirectord refuses the old name", read: whole(1)},
	{in: inGlobal, name: "connecttimeout", fate: mapped, remark: "connect_timeout; ldirectord refuses the old name", read: whole(1)},
	{in: inGlobal, name: "autoreload", fate: honoured, read: yesNo},
	{in: inGlobal, name: "callback", fate: idle, remark: "a command that copies the file to other directors belongs into a systemd path unit, whose PathChanged= is the file", read: quoted, lost: true},
	{in: inGlobal | inService, name: "fallback", fate: mapped, remark: "sorry_server, without a check", read: text},
	{in: inGlobal | inService, name: "fallback6", fate: mapped, remark: "sorry_server of IPv6 services, without a check", read: text},
	{in: inGlobal | inService, name: "fallbackcommand", fate: mapped, remark: "quorum_down with start and quorum_up with stop, without a shell", read: text},
	{in: inGlobal, name: "logfile", fate: idle, remark: "ipvsd logs to standard error, which systemd puts into the journal", read: quoted},
	{in: inGlobal | inService, name: "emailalert", fate: mapped, remark: "notification_email, and smtp_alert", read: text},
	{in: inGlobal, name: "emailalertfrom", fate: mapped, remark: "notification_email_from", read: text},
	{in: inGlobal | inService, name: "emailalertfreq", fate: mapped, remark: "smtp_alert_repeat", read: whole(0)},
	{in: inGlobal | inService, name: "emailalertstatus", fate: mapped, remark: "smtp_alert_phases", read: text},
	{in: inGlobal | inService, name: "smtp", fate: mapped, remark: "smtp_server", read: text},
	{in: inGlobal, name: "execute", fate: refused, remark: "start an ipvsd for each file, each with --socket and --state-dir of its own, or put the services into one file"},
	{in: inGlobal, name: "supervised", fate: idle, remark: "ipvsd stays in the foreground anyway", read: yesNo},
	{in: inGlobal, name: "fork", fate: idle, remark: "checks don't wait for each other anyway", read: yesNo},
	{in: inGlobal | inService, name: "quiescent", fate: mapped, remark: "inhibit_on_failure", read: yesNo},
	{in: inGlobal, name: "readdquiescent", fate: idle, remark: "servers that somebody removes are put back, with weight 0 if they are down and quiescent", read: yesNo},
	{in: inGlobal | inService, name: "cleanstop", fate: mapped, remark: "on_stop", read: yesNo},
	{in: inGlobal, name: "maintenancedir", fate: mapped, remark: "MISC_CHECK that looks for the files; not for those with names that addresses have in the DNS", read: text},

	{in: inService, name: "real", fate: mapped, remark: "real_server; a range is a server for each address"},
	{in: inService, name: "real6", fate: mapped, remark: "real_server of IPv6 services"},
	{in: inService, name: "checktype", fate: mapped, remark: "connect is TCP_CHECK, for UDP and ping PING_CHECK; on and off are checks; a number is TCP_CHECK with a slower check of the service; external is MISC_CHECK",
		read: text},
	{in: inService, name: "service", fate: mapped, remark: "the type of the check; oracle is refused", read: oneOf(services...)},
	{in: inService, name: "checkcommand", fate: mapped, remark: "misc_path", read: text},
	{in: inService, name: "checkport", fate: mapped, remark: "connect_port", read: whole(1)},
	{in: inService, name: "request", fate: mapped, remark: "path of HTTP checks, name of DNS checks, request of others", read: quoted},
	{in: inService, name: "receive", fate: mapped, remark: "regex of HTTP checks, expect of DNS checks, receive of others", read: quoted},
	{in: inService, name: "httpmethod", fate: mapped, remark: "method", read: oneOf("GET", "HEAD")},
	{in: inService, name: "virtualhost", fate: honoured, read: text},
	{in: inService, name: "login", fate: honoured, read: quoted},
	{in: inService, name: "passwd", fate: honoured, read: quoted},
	{in: inService, name: "database", fate: honoured, read: quoted},
	{in: inService, name: "secret", fate: honoured, read: quoted},
	{in: inService, name: "load", fate: idle, remark: "it has none with ldirectord either", read: quoted},
	{in: inService, name: "scheduler", fate: mapped, remark: "lb_algo", read: scheduler},
	{in: inService, name: "schedflags", fate: mapped, remark: "a switch for each", read: text},
	{in: inService, name: "persistent", fate: mapped, remark: "persistence_timeout", read: whole(0)},
	{in: inService, name: "netmask", fate: mapped, remark: "persistence_granularity", read: text},
	{in: inService, name: "protocol", fate: honoured, read: oneOf("tcp", "udp", "fwm")},
	{in: inService, name: "ops", fate: honoured, read: yesNo},
	{in: inService, name: "monitorfile", fate: idle, remark: "changes of state are in the log, and ipvsctl shows the results of checks", read: text},
	{in: inService, name: "servicename", fate: honoured, read: text},
	{in: inService, name: "comment", fate: honoured, read: text},
}

// keywordNamed returns a directive that may stand in a place, nil if there is none of that name.
func keywordNamed(in place, name string) *keyword {
	i := slices.IndexFunc(keywords, func(k keyword) bool { return k.in&in != 0 && k.name == name })
	if i < 0 {
		return nil
	}
	return &keywords[i]
}

// Keywords returns each directive of ldirectord.cf, with what becomes of it, by scope ("virtual" for those of a service) and name.
func Keywords() []document.KeywordFate {
	var all []document.KeywordFate
	for _, k := range keywords {
		if k.in&inGlobal != 0 {
			all = append(all, document.KeywordFate{Name: k.name, Fate: k.fate, Remark: k.remark})
		}
		if k.in&inService != 0 {
			all = append(all, document.KeywordFate{Scope: "virtual", Name: k.name, Fate: k.fate, Remark: k.remark})
		}
	}
	slices.SortFunc(all, document.KeywordFate.Compare)
	return all
}
