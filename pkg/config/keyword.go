package config

import (
	"math"
	"slices"
	"time"
)

// scope is a kind of table in the file; a keyword may be allowed in several.
type scope uint16

const (
	inRoot scope = 1 << iota
	inGlobal
	inSync
	inSysctl
	inGroup
	inVirtual
	inReal
	inSorry
	inCheck
)

// scopes are all kinds of tables.
var scopes = []scope{inRoot, inGlobal, inSync, inSysctl, inGroup, inVirtual, inReal, inSorry, inCheck}

// String returns the table's header, as a user writes it.
func (s scope) String() string {
	switch s {
	case inGlobal:
		return "[global_defs]"
	case inSync:
		return "lvs_sync_daemon"
	case inSysctl:
		return "[global_defs.lvs_sysctl]"
	case inGroup:
		return "[virtual_server_group.NAME]"
	case inVirtual:
		return "[[virtual_server]]"
	case inReal:
		return "[[virtual_server.real_server]]"
	case inSorry:
		return "[[virtual_server.sorry_server]]"
	case inCheck:
		return "TCP_CHECK"
	default:
		return "the top of the file"
	}
}

// keyword is a word of the file: where it may stand, what values it takes, what it does.
type keyword struct {
	in      scope
	name    string
	kind    kind   // of its value; the zero kind is a table, which decode knows by name
	list    bool   // a list of such values, or one
	aliasOf string // the keyword that this one is an old or another name of
	idle    string // why it has no effect in this version; empty if it has one
	doc     string // what it does, in one line
}

// keywords are all words of all tables. What keepalived knows and this version can't do yet is here too: its value is
// checked, and a warning says that nothing comes of it.
var keywords = slices.Concat(tables, groupKeywords, serverKeywords, quorumKeywords, checkKeywords, idleServerKeywords,
	globalKeywords, syncKeywords, sysctlKeywords(), idleGlobalKeywords)

var tables = []keyword{
	{in: inRoot, name: "global_defs", doc: "settings of the whole daemon"},
	{in: inRoot, name: "virtual_server_group", doc: "addresses and marks that are served alike"},
	{in: inGlobal, name: "lvs_sync_daemon", doc: "sends connections to other directors, or takes them from there"},
	{in: inGlobal, name: "lvs_sysctl", doc: "settings of the kernel's IPVS, net.ipv4.vs"},
	{in: inRoot, name: "virtual_server", doc: "a service of the kernel's IPVS"},
	{in: inVirtual, name: "real_server", doc: "a server with settings of its own"},
	{in: inVirtual, name: "real_servers", doc: "servers without settings of their own, as a list of addresses"},
	{in: inVirtual, name: "sorry_server", doc: "has the clients while the quorum is lost; one or several"},
	{in: inVirtual | inReal | inSorry, name: "TCP_CHECK", doc: "connects to the server; true: with the defaults; false: no check"},
}

// later are tables that keepalived has and this version lacks, and what to call them.
var later = map[string]string{
	"vrrp_instance": "VRRP", "vrrp_sync_group": "VRRP", "vrrp_script": "VRRP", "vrrp_track_process": "VRRP",
	"vrrp_track_file": "VRRP", "track_file": "tracked files", "track_group": "VRRP", "garp_group": "VRRP",
	"static_ipaddress": "static addresses", "static_routes": "static routes", "static_rules": "static rules",
	"linkbeat_interfaces": "VRRP", "interface_up_down_delays": "VRRP", "bfd_instance": "BFD", "SSL": "SSL_GET",
	"HTTP_GET": "HTTP_GET", "SSL_GET": "SSL_GET", "MISC_CHECK": "MISC_CHECK", "SMTP_CHECK": "SMTP_CHECK",
	"DNS_CHECK": "DNS_CHECK", "UDP_CHECK": "UDP_CHECK", "PING_CHECK": "PING_CHECK", "FILE_CHECK": "FILE_CHECK",
	"BFD_CHECK": "BFD_CHECK",
}

// serverChecks is where settings of checks may stand; the nearest to the server wins.
const serverChecks = inVirtual | inReal | inSorry | inCheck

var (
	soon   = seconds(time.Millisecond, month)
	anyway = seconds(0, month)
	count  = integer(0, math.MaxInt32)
)

var groupKeywords = []keyword{
	{in: inGroup, name: "address", kind: groupAddress, list: true, doc: "addresses, ranges and networks, each with a port"},
	{in: inGroup, name: "fwmark", kind: groupMark, list: true, doc: "what the firewall marked so"},
}

// servers are the tables of single servers.
const servers = inReal | inSorry

var serverKeywords = []keyword{
	{in: inVirtual | servers, name: "address", kind: hostPort, doc: "address and port of the service or server"},
	{in: inVirtual, name: "group", kind: text, doc: "name of the virtual_server_group that it serves"},
	{in: inVirtual, name: "fwmark", kind: integer(1, math.MaxUint32), doc: "serves what the firewall marked so"},
	{in: inVirtual, name: "ip_family", kind: oneOf("inet", "inet6"), doc: "family of a fwmark"},
	{in: inVirtual, name: "protocol", kind: oneOf("TCP", "UDP", "SCTP"), doc: "protocol of the service"},
	{in: inVirtual, name: "lb_algo", kind: scheduler, doc: "how the kernel chooses a server"},
	{in: inVirtual, name: "lvs_sched", kind: scheduler, aliasOf: "lb_algo", doc: "another name of lb_algo"},
	{in: inVirtual | servers, name: "lb_kind", kind: method, doc: "how packets get to a server"},
	{in: inVirtual | servers, name: "lvs_method", kind: method, aliasOf: "lb_kind", doc: "another name of lb_kind"},
	{in: inVirtual, name: "ops", kind: boolean, doc: "chooses a server for every datagram anew"},
	{in: inVirtual, name: "flag-1", kind: boolean, doc: "first flag of the scheduler"},
	{in: inVirtual, name: "flag-2", kind: boolean, doc: "second flag of the scheduler"},
	{in: inVirtual, name: "flag-3", kind: boolean, doc: "third flag of the scheduler"},
	{in: inVirtual, name: "sh-port", kind: boolean, doc: "sh hashes the client's port too"},
	{in: inVirtual, name: "sh-fallback", kind: boolean, doc: "sh passes over servers that take no clients"},
	{in: inVirtual, name: "mh-port", kind: boolean, doc: "mh hashes the client's port too"},
	{in: inVirtual, name: "mh-fallback", kind: boolean, doc: "mh passes over servers that take no clients"},
	{in: inVirtual, name: "persistence_timeout", kind: persistence, doc: "how long a client keeps its server"},
	{in: inVirtual, name: "persistence_granularity", kind: granularity, doc: "clients of one network count as one"},
	{in: inVirtual, name: "persistence_engine", kind: oneOf("sip"), doc: "what tells clients apart besides their address"},
	{in: inVirtual | servers, name: "weight", kind: count, doc: "share of the clients; 0 takes no new ones"},
	{in: inVirtual | servers, name: "uthreshold", kind: count, doc: "takes no new clients from so many connections on"},
	{in: inVirtual | servers, name: "lthreshold", kind: count, doc: "takes clients again below so many connections"},
	{in: inVirtual | inReal, name: "inhibit_on_failure", kind: boolean, doc: "weight 0 instead of removal when down"},
}

var quorumKeywords = []keyword{
	{in: inVirtual, name: "quorum", kind: integer(1, math.MaxInt32), doc: "weight of live servers that is needed"},
	{in: inVirtual, name: "hysteresis", kind: count, doc: "so much above the quorum it is regained, so much below lost"},
	{in: inVirtual, name: "quorum_up", kind: command, doc: "command when the quorum is gained"},
	{in: inVirtual, name: "quorum_down", kind: command, doc: "command when the quorum is lost"},
	{in: inVirtual, name: "sorry_server_inhibit", kind: boolean, doc: "keeps it in the table with weight 0"},
	{in: inVirtual, name: "sorry_server_lvs_method", kind: method, doc: "how packets get to it"},
	{in: inVirtual, name: "minimum_healthy", kind: share, doc: "with fewer servers up the checks are not believed"},
	{in: inVirtual, name: "drain_timeout", kind: anyway, doc: "how long a server that left may finish its connections"},
	{in: inVirtual, name: "ha_suspend", kind: boolean, doc: "no checks while the address is elsewhere"},
	{in: inVirtual, name: "omega", kind: boolean, doc: "down notifications at stop"},
	{in: servers, name: "notify_up", kind: command, doc: "command when the server comes up"},
	{in: servers, name: "notify_down", kind: command, doc: "command when the server goes down"},
}

var checkKeywords = []keyword{
	{in: serverChecks, name: "alpha", kind: boolean, doc: "down until a check has passed"},
	{in: serverChecks, name: "delay_loop", kind: soon, doc: "time from the start of one check to the start of the next"},
	{in: serverChecks, name: "connect_timeout", kind: soon, doc: "how long a check may take"},
	{in: serverChecks, name: "retry", kind: count, doc: "failures in a row that are forgiven"},
	{in: serverChecks, name: "delay_before_retry", kind: soon, doc: "time to the next check after a forgiven failure"},
	{in: serverChecks, name: "warmup", kind: anyway, doc: "the first check starts at a random moment within this time"},
	{in: inCheck, name: "connect_ip", kind: address, doc: "address to check instead of the server's"},
	{in: inCheck, name: "connect_port", kind: integer(1, math.MaxUint16), doc: "port to check instead of the server's"},
	{in: inCheck, name: "bindto", kind: address, doc: "source address of the check"},
	{in: inCheck, name: "bind_port", kind: integer(1, math.MaxUint16), doc: "source port of the check"},
	{in: inCheck, name: "bind_if", kind: device, doc: "interface that the check leaves by"},
	{in: inCheck, name: "fwmark", kind: integer(0, math.MaxUint32), doc: "firewall mark on the check's packets"},
	{in: inCheck, name: "log_all_failures", kind: boolean, doc: "logs failures that change nothing, too"},
}

// Why keywords have no effect yet.
const (
	noVRRP    = "this version has no VRRP"
	noMail    = "this version sends no e-mail"
	noScripts = "this version runs scripts for servers and quorums only"
	noSNMP    = "this version has no SNMP"
	noDBus    = "this version has no D-Bus"
	noHTTP    = "this version has no HTTP_GET and SSL_GET"
)

var idleServerKeywords = slices.Concat(
	idle(inVirtual, "the kernel sets this flag on every service by itself",
		keyword{name: "hashed", kind: boolean, doc: "the kernel's own flag"},
	),
	idle(inVirtual|inReal, noMail,
		keyword{name: "smtp_alert", kind: boolean, doc: "mail when the state changes"},
	),
	idle(inVirtual|inReal, noHTTP,
		keyword{name: "virtualhost", kind: text, doc: "Host header of HTTP checks"},
	),
	idle(inVirtual|inReal, noSNMP,
		keyword{name: "snmp_name", kind: text, doc: "name in SNMP"},
	),
)

// idle are keywords that have no effect, and why.
func idle(in scope, why string, list ...keyword) []keyword {
	for i := range list {
		list[i].in, list[i].idle = in, why
	}
	return list
}

// keywordsIn is keywords by table and name.
var keywordsIn = func() map[scope]map[string]*keyword {
	m := make(map[scope]map[string]*keyword)
	for _, s := range scopes {
		m[s] = make(map[string]*keyword)
		for i := range keywords {
			if keywords[i].in&s != 0 {
				m[s][keywords[i].name] = &keywords[i]
			}
		}
	}
	return m
}()
