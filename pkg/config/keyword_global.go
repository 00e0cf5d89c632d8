package config

import (
	"math"
	"slices"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

var globalKeywords = []keyword{
	{in: inRoot, name: "net_namespace", kind: word, doc: "network namespace to run in, of ip netns"},
	{in: inGlobal, name: "router_id", kind: text, doc: "name of this director; default: the host name"},
	{in: inGlobal, name: "autoreload", kind: boolean, doc: "reads the file again when it has changed"},
	{in: inGlobal, name: "on_stop", kind: oneOf(StopLeaves, StopQuiesces, StopRemoves), doc: "what becomes of our services at stop"},
	{in: inGlobal, name: "lvs_flush_on_stop", kind: either(boolean, oneOf("VS")), doc: "removes our services at stop: on_stop = \"remove\""},
	{in: inGlobal, name: "lvs_flush_onstop", aliasOf: "lvs_flush_on_stop", kind: either(boolean, oneOf("VS")), doc: "old"},
	{in: inGlobal, name: "rs_init_notifies", kind: boolean, doc: "tells of servers that are up from the beginning, too"},
	{in: inGlobal, name: "lvs_timeouts", kind: timeouts, doc: "how long the kernel keeps idle connections; 0: as it is"},
	{in: inGlobal, name: "lvs_sysctl_defaults", kind: boolean, doc: "sets sysctls that are not written to what suits the kernel"},
	{in: inGlobal, name: "lvs_sysctl_restore", kind: boolean, doc: "puts the sysctls back at stop"},
	{in: inGlobal, name: "script_user", kind: account, doc: "user and group of scripts without their own"},
	{in: inGlobal, name: "startup_script", kind: command, doc: "command before the start, which waits for it"},
	{in: inGlobal, name: "startup_script_timeout", kind: limit, doc: "its time limit"},
	{in: inGlobal, name: "shutdown_script", kind: command, doc: "command after the stop"},
	{in: inGlobal, name: "shutdown_script_timeout", kind: limit, doc: "its time limit"},
	{in: inGlobal, name: "checker_log_all_failures", kind: boolean, doc: "default of log_all_failures"},
}

// syncKeywords stand in a table lvs_sync_daemon, or in keepalived's line: "eth1 id 1 port 8848".
var syncKeywords = []keyword{
	{in: inSync, name: "interface", kind: device, doc: "interface that the directors exchange connections on"},
	{in: inSync, name: "role", kind: oneOf(roleMaster, roleBackup, roleBoth), doc: "master sends, backup receives"},
	{in: inSync, name: "instance", kind: word, doc: "vrrp_instance whose role it follows"},
	{in: inSync, name: "backup_only", kind: boolean, doc: "the director balances nothing while it is backup"},
	{in: inSync, name: "id", kind: integer(0, 255), doc: "a backup takes what has its id; 0 takes all"},
	{in: inSync, name: "maxlen", kind: integer(1, 65507), doc: "longest packet, in bytes; default: what the interface carries"},
	{in: inSync, name: "port", kind: integer(1, math.MaxUint16), doc: "UDP port"},
	{in: inSync, name: "ttl", kind: integer(1, 255), doc: "how many routers the packets may pass"},
	{in: inSync, name: "group", kind: multicast, doc: "multicast group"},
}

var metricsKeywords = []keyword{
	{in: inMetrics, name: "listen", kind: listenAddress, doc: "address and port that serve /metrics, besides the control socket"},
	{in: inMetrics, name: "per_server", kind: boolean, doc: "servers have series of their own"},
	{in: inMetrics, name: "max_servers", kind: integer(0, math.MaxInt32), doc: "with more servers none has series of its own"},
}

// sysctlKeywords are the sysctls that package ipvs knows.
func sysctlKeywords() []keyword {
	list := make([]keyword, len(ipvs.SysctlTable))
	for i, s := range ipvs.SysctlTable {
		list[i] = keyword{in: inSysctl, name: s.Name, kind: sysctl(s), doc: s.Doc}
	}
	return list
}

// Kinds and reasons of the long tail.
var (
	wholeTime  = wholeSeconds(0, month)
	limit      = wholeSeconds(time.Second, 1000*time.Second)
	snmpAge    = seconds(time.Millisecond, 30*time.Second)
	nice       = integer(-20, 19)
	realtime   = integer(1, 99)
	bytes      = integer(1, math.MaxInt32)
	cpus       = either(integer(0, 4095), text)
	flagOrText = either(boolean, text)
	flagOrList = either(boolean, texts)
)

const (
	noProcesses = "ipvsd is one process, and its unit file sets what the system should give it"
	noFirewall  = "ipvsd has a table of its own in nftables, which nobody else needs to know"
	noDumps     = "ipvsctl shows the state instead of dump files"
	noIncludes  = "this version reads one file"
	noNetlink   = "ipvsd sizes its netlink buffers itself"
	useNetns    = "start ipvsd inside the network namespace: ip netns exec NAME ipvsd"
)

// idleGlobalKeywords are keepalived's settings of the whole daemon that nothing comes of, at its top level and in
// global_defs.
var idleGlobalKeywords = slices.Concat(
	idle(inRoot, useNetns,
		keyword{name: "net_namespace_ipvs", kind: flagOrText, doc: "network namespace of IPVS"},
	),
	idle(inRoot, noFirewall,
		keyword{name: "namespace_with_ipsets", kind: boolean, doc: "ipsets in a namespace"},
	),
	idle(inRoot, noProcesses,
		keyword{name: "instance", kind: text, doc: "name of the instance in file names"},
		keyword{name: "use_pid_dir", kind: boolean, doc: "pid files in a directory of their own"},
		keyword{name: "child_wait_time", kind: wholeTime, doc: "time for child processes to stop"},
	),
	idle(inRoot, "write linkbeat_interfaces with those that don't tell of themselves",
		keyword{name: "linkbeat_use_polling", kind: boolean, doc: "polls the state of links"},
	),
	idle(inGlobal, noScripts,
		keyword{name: "enable_script_security", kind: boolean, doc: "refuses scripts that others can change"},
		keyword{name: "use_symlink_paths", kind: boolean, doc: "keeps symbolic links in paths"},
		keyword{name: "set_supplementary_groups", kind: boolean, doc: "all groups of the script's user"},
	),
	idle(inGlobal, noProcesses,
		keyword{name: "process_names", kind: boolean, doc: "names for the processes"},
		keyword{name: "process_name", kind: text, doc: "name of the parent process"},
		keyword{name: "vrrp_process_name", kind: text, doc: "name of the VRRP process"},
		keyword{name: "checker_process_name", kind: text, doc: "name of the checker process"},
		keyword{name: "lvs_process_name", kind: text, aliasOf: "checker_process_name", doc: "old name"},
		keyword{name: "bfd_process_name", kind: text, doc: "name of the BFD process"},
		keyword{name: "max_auto_priority", kind: either(boolean, integer(-1, 99)), doc: "real time when late"},
		keyword{name: "min_auto_priority_delay", kind: integer(1, 10000000), doc: "how late, µs"},
		keyword{name: "checker_priority", kind: nice, doc: "nice value of the checker process"},
		keyword{name: "bfd_priority", kind: nice, doc: "nice value of the BFD process"},
		keyword{name: "checker_rt_priority", kind: realtime, doc: "real-time priority"},
		keyword{name: "bfd_rt_priority", kind: realtime, doc: "real-time priority"},
		keyword{name: "checker_no_swap", kind: boolean, doc: "locks memory"},
		keyword{name: "bfd_no_swap", kind: boolean, doc: "locks memory"},
		keyword{name: "checker_cpu_affinity", kind: cpus, doc: "processors to run on"},
		keyword{name: "bfd_cpu_affinity", kind: cpus, doc: "processors to run on"},
		keyword{name: "vrrp_rlimit_rttime", kind: bytes, doc: "limit of real time, µs"},
		keyword{name: "checker_rlimit_rttime", kind: bytes, doc: "limit of real time, µs"},
		keyword{name: "bfd_rlimit_rttime", kind: bytes, doc: "limit of real time, µs"},
		keyword{name: "vrrp_rlimit_rtime", kind: bytes, aliasOf: "vrrp_rlimit_rttime", doc: "old name"},
		keyword{name: "checker_rlimit_rtime", kind: bytes, aliasOf: "checker_rlimit_rttime", doc: "old name"},
		keyword{name: "bfd_rlimit_rtime", kind: bytes, aliasOf: "bfd_rlimit_rttime", doc: "old name"},
		keyword{name: "umask", kind: either(integer(0, 0o777), text), doc: "mask of files it makes"},
	),
	idle(inGlobal, "ipvsd never empties a table at start",
		keyword{name: "lvs_flush", kind: boolean, doc: "empties the table at start"},
	),
	idle(inGlobal, "moments of checks are not repeatable",
		keyword{name: "random_seed", kind: count, doc: "repeatable warmup"},
	),
	idle(inGlobal, "numbers, and the names that the kernel's sources have, are known without it",
		keyword{name: "iproute_usr_dir", kind: text, doc: "where names of routing tables are"},
		keyword{name: "iproute_etc_dir", kind: text, doc: "where names of routing tables are"},
	),
	idle(inGlobal, noFirewall,
		keyword{name: "vrrp_iptables", kind: flagOrList, doc: "chains of iptables"},
		keyword{name: "vrrp_ipsets", kind: flagOrList, doc: "names of ipsets"},
		keyword{name: "nftables", kind: flagOrText, doc: "table of nftables"},
		keyword{name: "nftables_priority", kind: integer(math.MinInt32, math.MaxInt32), doc: "chain priority"},
		keyword{name: "nftables_counters", kind: boolean, doc: "counters in rules"},
		keyword{name: "nftables_ifindex", kind: boolean, doc: "rules by index of interface"},
	),
	idle(inGlobal, "a virtual_server_group is a service for each of its addresses",
		keyword{name: "nftables_ipvs", kind: flagOrText, doc: "one mark for a group of services"},
		keyword{name: "nftables_ipvs_priority", kind: integer(math.MinInt32, math.MaxInt32), doc: "chain priority"},
		keyword{name: "nftables_ipvs_start_fwmark", kind: integer(1, math.MaxUint32), doc: "first mark"},
	),
	idle(inGlobal, noSNMP,
		keyword{name: "enable_snmp_vrrp", kind: boolean, doc: "VRRP in SNMP"},
		keyword{name: "enable_snmp_keepalived", kind: boolean, aliasOf: "enable_snmp_vrrp", doc: "old name"},
		keyword{name: "enable_snmp_checker", kind: boolean, doc: "services in SNMP"},
		keyword{name: "enable_snmp_rfc", kind: boolean, doc: "RFC 2787 and RFC 6527"},
		keyword{name: "enable_snmp_rfcv2", kind: boolean, doc: "RFC 2787"},
		keyword{name: "enable_snmp_rfcv3", kind: boolean, doc: "RFC 6527"},
		keyword{name: "enable_traps", kind: boolean, doc: "SNMP traps"},
		keyword{name: "snmp_socket", kind: text, doc: "socket of the SNMP agent"},
		keyword{name: "snmp_vs_stats_update_interval", kind: snmpAge, doc: "age of statistics of services"},
		keyword{name: "snmp_rs_stats_update_interval", kind: snmpAge, doc: "age of statistics of servers"},
	),
	idle(inGlobal, noDBus,
		keyword{name: "enable_dbus", kind: boolean, doc: "D-Bus server"},
		keyword{name: "dbus_service_name", kind: text, doc: "name on the bus"},
		keyword{name: "dbus_no_interface_name", kind: text, doc: "path element without interface"},
	),
	idle(inGlobal, noNetlink,
		keyword{name: "vrrp_netlink_cmd_rcv_bufs", kind: bytes, doc: "size of a netlink buffer"},
		keyword{name: "vrrp_netlink_cmd_rcv_bufs_force", kind: boolean, doc: "beyond the system's limit"},
		keyword{name: "vrrp_netlink_monitor_rcv_bufs", kind: bytes, doc: "size of a netlink buffer"},
		keyword{name: "vrrp_netlink_monitor_rcv_bufs_force", kind: boolean, doc: "beyond the system's limit"},
		keyword{name: "lvs_netlink_cmd_rcv_bufs", kind: bytes, doc: "size of a netlink buffer"},
		keyword{name: "lvs_netlink_cmd_rcv_bufs_force", kind: boolean, doc: "beyond the system's limit"},
		keyword{name: "lvs_netlink_monitor_rcv_bufs", kind: bytes, doc: "size of a netlink buffer"},
		keyword{name: "lvs_netlink_monitor_rcv_bufs_force", kind: boolean, doc: "beyond the system's limit"},
		keyword{name: "process_monitor_rcv_bufs", kind: bytes, doc: "size of a netlink buffer"},
		keyword{name: "process_monitor_rcv_bufs_force", kind: boolean, doc: "beyond the system's limit"},
	),
	idle(inGlobal, "ipvsd always checks a file before it uses it",
		keyword{name: "reload_check_config", kind: flagOrText, doc: "checks the file before a reload"},
	),
	idle(inGlobal, "ipvsd reloads when it is told to, by SIGHUP or ipvsctl reload",
		keyword{name: "reload_time_file", kind: text, doc: "when to reload"},
		keyword{name: "reload_repeat", kind: boolean, doc: "again every day"},
	),
	idle(inGlobal, "ipvsctl status says whether a reload is running",
		keyword{name: "reload_file", kind: flagOrText, doc: "file that exists during a reload"},
	),
	idle(inGlobal, noIncludes,
		keyword{name: "include_check", kind: texts, doc: "how strict includes are"},
		keyword{name: "config_save_dir", kind: text, doc: "keeps the configuration that was read"},
		keyword{name: "tmp_config_directory", kind: text, doc: "where the configuration is kept meanwhile"},
	),
	idle(inGlobal, noDumps,
		keyword{name: "data_use_instance", kind: boolean, doc: "instance in names of dump files"},
		keyword{name: "state_dump_file", kind: text, doc: "file for the state"},
		keyword{name: "stats_dump_file", kind: text, doc: "file for statistics"},
		keyword{name: "json_dump_file", kind: text, doc: "file for JSON"},
		keyword{name: "json_version", kind: integer(1, 2), doc: "version of that JSON"},
	),
)
