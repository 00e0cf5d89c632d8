package piranha

import (
	"slices"

	"github.com/ipvsd/ipvsd/pkg/config/document"
)

// keyword is a directive: in which blocks it stands, and what becomes of it.
type keyword struct {
	scope, name string
	fate        document.Fate
	remark      string // for people: what it becomes, or why nothing; of what is refused, what to write instead
	list        bool   // it may have several words
	lost        bool   // of the idle ones, that something is lost: a warning tells it, not a note
	number      bool
	harmless    string // value of an idle or refused one that nothing need be said about
}

const (
	mapped  = document.Mapped
	idle    = document.Idle
	refused = document.Refused
)

// always stands for any value.
const always = "*"

var keywords = []keyword{
	{scope: "", name: "virtual", fate: mapped, remark: "virtual_server"},
	{scope: "", name: "failover", fate: refused, remark: "ipvsd moves no programs; notify_master and notify_backup of a vrrp_instance can"},
	{scope: "", name: "serial_no", fate: idle, remark: "it is Piranha's own", harmless: always},
	{scope: "", name: "primary", fate: mapped, remark: "which of the two routers this host is, and with it the priority of the vrrp_instance"},
	{scope: "", name: "primary_private", fate: idle, remark: "virtual routers hear each other on the network of their addresses", lost: true},
	{scope: "", name: "primary_shared", fate: idle, remark: "virtual routers share no disk", lost: true},
	{scope: "", name: "backup", fate: mapped, remark: "with it there is a vrrp_instance"},
	{scope: "", name: "backup_private", fate: idle, remark: "virtual routers hear each other on the network of their addresses", lost: true},
	{scope: "", name: "backup_shared", fate: idle, remark: "virtual routers share no disk", lost: true},
	{scope: "", name: "backup_active", fate: mapped, number: true, remark: "with 1 there is a vrrp_instance"},
	{scope: "", name: "service", fate: refused, remark: "write service = lvs; ipvsd moves no programs", harmless: "lvs"},
	{scope: "", name: "heartbeat", fate: mapped, number: true, remark: "with 1 there is a vrrp_instance"},
	{scope: "", name: "heartbeat_port", fate: idle, remark: "VRRP has no ports", harmless: "539"},
	{scope: "", name: "keepalive", fate: idle, remark: "advert_int is a third of deadtime", harmless: "6"},
	{scope: "", name: "deadtime", fate: mapped, number: true, remark: "advert_int of the vrrp_instance, which is a third of it"},
	{scope: "", name: "network", fate: mapped, remark: "lb_kind: nat is NAT, direct is DR, tunnel is TUN"},
	{scope: "", name: "nat_router", fate: mapped, remark: "virtual_ipaddress_excluded, or static_ipaddress", list: true},
	{scope: "", name: "nat_nmask", fate: mapped, remark: "the prefix length of that"},
	{scope: "", name: "debug_level", fate: idle, remark: "ipvsd has log levels of its own", harmless: "NONE"},
	{scope: "", name: "monitor_links", fate: idle, remark: "a vrrp_instance watches the links of its addresses anyway", harmless: "1"},
	{scope: "", name: "syncdaemon", fate: mapped, number: true, remark: "lvs_sync_daemon"},
	{scope: "", name: "syncd_iface", fate: mapped, remark: "interface of lvs_sync_daemon"},
	{scope: "", name: "syncd_id", fate: mapped, number: true, remark: "id of lvs_sync_daemon"},
	{scope: "", name: "tcp_timeout", fate: mapped, number: true, remark: "lvs_timeouts"},
	{scope: "", name: "tcpfin_timeout", fate: mapped, number: true, remark: "lvs_timeouts"},
	{scope: "", name: "udp_timeout", fate: mapped, number: true, remark: "lvs_timeouts"},
	{scope: "", name: "active_cmd", fate: mapped, remark: "notify_master", list: true},
	{scope: "", name: "inactive_cmd", fate: mapped, remark: "notify_backup", list: true},
	{scope: "", name: "rsh_command", fate: idle, remark: "ipvsd asks no host for its load by rsh or ssh", harmless: "ssh"},
	{scope: "", name: "hard_shutdown", fate: idle, remark: "it is about moving programs"},
	{scope: "", name: "reservation_conflict_action", fate: idle, remark: "virtual routers share no disk", harmless: "preempt"},

	{scope: "virtual", name: "server", fate: mapped, remark: "real_server"},
	{scope: "virtual", name: "active", fate: mapped, number: true, remark: "without 1 the service is left out"},
	{scope: "virtual", name: "address", fate: mapped, remark: "address of the virtual_server, and virtual_ipaddress or static_ipaddress", list: true},
	{scope: "virtual", name: "vip_nmask", fate: mapped, remark: "the prefix length of that"},
	{scope: "virtual", name: "fwmark", fate: mapped, number: true, remark: "fwmark, in place of address and port"},
	{scope: "virtual", name: "protocol", fate: mapped, remark: "protocol"},
	{scope: "virtual", name: "port", fate: mapped, number: true, remark: "the port of address"},
	{scope: "virtual", name: "scheduler", fate: mapped, remark: "lb_algo"},
	{scope: "virtual", name: "persistent", fate: mapped, number: true, remark: "persistence_timeout"},
	{scope: "virtual", name: "pmask", fate: mapped, remark: "persistence_granularity"},
	{scope: "virtual", name: "sorry_server", fate: mapped, remark: "sorry_server", list: true},
	{scope: "virtual", name: "send", fate: mapped, remark: "request of a SIMPLETCP_CHECK", list: true},
	{scope: "virtual", name: "expect", fate: mapped, remark: "receive of a SIMPLETCP_CHECK", list: true},
	{scope: "virtual", name: "use_regex", fate: mapped, number: true, remark: "without 1, receive has expect to the letter"},
	{scope: "virtual", name: "send_program", fate: refused, list: true,
		remark: "write a script that compares its output with expect and exits with 0 if all is well, and a MISC_CHECK with it in the file that ipvsctl convert makes"},
	{scope: "virtual", name: "load_monitor", fate: idle, remark: "weights stay as they are written; AGENT_CHECK lets servers say theirs", lost: true, harmless: "none"},
	{scope: "virtual", name: "timeout", fate: mapped, number: true, remark: "delay_loop and connect_timeout"},
	{scope: "virtual", name: "reentry", fate: mapped, number: true, remark: "hold_down"},
	{scope: "virtual", name: "quiesce_server", fate: mapped, number: true, remark: "inhibit_on_failure"},

	{scope: "server", name: "active", fate: mapped, number: true, remark: "without 1 the server is left out"},
	{scope: "server", name: "address", fate: mapped, remark: "address"},
	{scope: "server", name: "port", fate: mapped, number: true, remark: "the port of address"},
	{scope: "server", name: "weight", fate: mapped, number: true, remark: "weight"},
}

// keywordNamed returns a directive of a scope, nil if it has none of that name.
func keywordNamed(scope, name string) *keyword {
	i := slices.IndexFunc(keywords, func(k keyword) bool { return k.scope == scope && k.name == name })
	if i < 0 {
		return nil
	}
	return &keywords[i]
}

// Keywords returns each directive of lvs.cf, with what becomes of it, by scope ("virtual" and "server" for those blocks) and name.
func Keywords() []document.KeywordFate {
	all := make([]document.KeywordFate, len(keywords))
	for i, k := range keywords {
		all[i] = document.KeywordFate{Scope: k.scope, Name: k.name, Fate: k.fate, Remark: k.remark}
	}
	slices.SortFunc(all, document.KeywordFate.Compare)
	return all
}
