package config

import (
	"math"
	"slices"
)

// keyword is a word of the file: where it may stand, what values it takes, what it does.
type keyword struct {
	in      scope
	name    string
	kind    kind   // of its value; the zero kind is a table, which decode knows by name
	list    bool   // a list of such values, or one
	aliasOf string // the keyword that this one is an old or another name of
	idle    string // why it has no effect in this version; empty if it has one
	refused string // why nobody may write it, which goes for few that keepalived has
	doc     string // what it does, in one line
}

// keywords are all words of all tables. What keepalived knows and this version can't do yet is here too: its value is
// checked, and a warning says that nothing comes of it.
var keywords = slices.Concat(tables, memberTables, memberKeywords, checkTables(), groupKeywords, serverKeywords, quorumKeywords, checkKeywords, tlsKeywords,
	httpKeywords, mailKeywords, accountKeywords, networkKeywords, scriptKeywords, sessionKeywords, idleServerKeywords, globalKeywords, syncKeywords, metricsKeywords, sysctlKeywords(), idleGlobalKeywords,
	alertKeywords, apiKeywords, vrrpTables, staticKeywords, instanceKeywords, groupedKeywords, trackKeywords, vrrpGlobalKeywords, idleVRRPKeywords)

var tables = []keyword{
	{in: inRoot, name: "global_defs", doc: "settings of the whole daemon"},
	{in: inRoot, name: "virtual_server_group", doc: "addresses and marks that are served alike"},
	{in: inGlobal, name: "lvs_sync_daemon", doc: "sends connections to other directors, or takes them from there"},
	{in: inGlobal, name: "lvs_sysctl", doc: "settings of the kernel's IPVS, net.ipv4.vs"},
	{in: inGlobal, name: "metrics", doc: "what Prometheus is told, and where"},
	{in: inGlobal, name: "api", doc: "who may ask and tell the daemon by TCP"},
	{in: inGlobal, name: "peers", doc: "the other directors, as ipvsctl and this one reach them"},
	{in: inGlobal, name: "wishes", doc: "an etcd where directors tell each other what operators want of servers"},
	{in: inRoot, name: "virtual_server", doc: "a service of the kernel's IPVS"},
	{in: inVirtual, name: "real_server", doc: "a server with settings of its own"},
	{in: inVirtual, name: "real_servers", doc: "servers without settings of their own, as a list of addresses"},
	{in: inVirtual, name: "sorry_server", doc: "has the clients while the quorum is lost; one or several"},
	{in: inRoot, name: "SSL", doc: "what SSL_GET shows servers, and trusts"},
	{in: inRoot, name: "track_file", doc: "files that FILE_CHECK and instances read"},
	{in: inHTTP | inSSL, name: "url", doc: "what is asked for, and what the answer must be"},
	{in: inSMTP, name: "host", doc: "where to check instead of the server; several are checks of their own"},
}

// checkTables are the tables of checks.
func checkTables() []keyword {
	list := make([]keyword, len(checkTypes))
	for i, t := range checkTypes {
		list[i] = keyword{in: inVirtual | servers, name: t.name, doc: t.doc}
	}
	return list
}

var groupKeywords = []keyword{
	{in: inGroup, name: "address", kind: groupAddress, list: true, doc: "addresses, ranges and networks, each with a port"},
	{in: inGroup, name: "fwmark", kind: groupMark, list: true, doc: "what the firewall marked so"},
}

var serverKeywords = []keyword{
	{in: inVirtual | addressed, name: "address", kind: hostPort, doc: "address and port of the service or server"},
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
	{in: inVirtual | inReal | inMembers, name: "inhibit_on_failure", kind: boolean, doc: "weight 0 instead of removal when down"},
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
	{in: inVirtual, name: "on_stop", kind: oneOf(StopLeaves, StopQuiesces, StopRemoves), doc: "what becomes of it at stop"},
	{in: addressed, name: "name", kind: label, doc: "what ipvsctl drain and its like may call the server"},
	{in: addressed, name: "tags", kind: labels, doc: "what it belongs to: tag:rack1 calls all that have it"},
	{in: servers, name: "notify_up", kind: command, doc: "command when the server comes up"},
	{in: servers, name: "notify_down", kind: command, doc: "command when the server goes down"},
}

// Why keywords have no effect yet.
const (
	noScripts = "scripts run as their user, by the path that is written, and never in a shell"
	noSNMP    = "this version has no SNMP"
	noDBus    = "this version has no D-Bus"
)

var idleServerKeywords = slices.Concat(
	idle(inVirtual, "the kernel sets this flag on every service by itself",
		keyword{name: "hashed", kind: boolean, doc: "the kernel's own flag"},
	),
	idle(inURL, "the matcher needs no stack",
		keyword{name: "regex_stack", kind: either(texts, listOf(positive, 2)), doc: "memory for the matcher"},
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
