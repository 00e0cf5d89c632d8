package config

import (
	"math"
	"time"
)

var globalKeywords = []keyword{
	{in: inGlobal, name: "router_id", kind: text, doc: "name of this director; default: the host name"},
	{in: inGlobal, name: "lvs_flush_on_stop", kind: either(boolean, oneOf("VS")), doc: "removes our services at stop"},
	{in: inGlobal, name: "lvs_flush_onstop", kind: either(boolean, oneOf("VS")), aliasOf: "lvs_flush_on_stop", doc: "old name"},
	{in: inGlobal, name: "lvs_timeouts", kind: timeouts, doc: "how long the kernel keeps idle connections; 0: as it is"},
	{in: inGlobal, name: "checker_log_all_failures", kind: boolean, doc: "default of log_all_failures"},
}

// Kinds and reasons of the long tail.
var (
	wholeTime  = integer(0, math.MaxInt32)
	nice       = integer(-20, 19)
	realtime   = integer(1, 99)
	bytes      = integer(1, math.MaxInt32)
	cpus       = either(integer(0, 4095), text)
	flagOrText = either(boolean, text)
	flagOrList = either(boolean, texts)
)

const (
	noProcesses = "ipvsd is one process, and its unit file sets what the system should give it"
	noFIFO      = "this version has no notification pipes"
	noNFTables  = "this version makes no firewall rules"
	noDumps     = "ipvsctl shows the state instead of dump files"
	noIncludes  = "this version reads one file"
	noNetlink   = "ipvsd sizes its netlink buffers itself"
	useNetns    = "start ipvsd inside the network namespace: ip netns exec NAME ipvsd"
)

// idleGlobalKeywords are keepalived's settings of the whole daemon that nothing comes of, at its top level and in
// global_defs.
var idleGlobalKeywords = []keyword{
	{in: inRoot, name: "net_namespace", kind: text, idle: useNetns, doc: "network namespace to run in"},
	{in: inRoot, name: "net_namespace_ipvs", kind: flagOrText, idle: useNetns, doc: "network namespace of IPVS"},
	{in: inRoot, name: "namespace_with_ipsets", kind: boolean, idle: noNFTables, doc: "ipsets in a namespace"},
	{in: inRoot, name: "instance", kind: text, idle: noProcesses, doc: "name of the instance in file names"},
	{in: inRoot, name: "use_pid_dir", kind: boolean, idle: noProcesses, doc: "pid files in a directory of their own"},
	{in: inRoot, name: "child_wait_time", kind: wholeTime, idle: noProcesses, doc: "time for child processes to stop, s"},
	{in: inRoot, name: "linkbeat_use_polling", kind: boolean, idle: noVRRP, doc: "polls the state of links"},

	{in: inGlobal, name: "notification_email", kind: texts, idle: noMail, doc: "who gets mail"},
	{in: inGlobal, name: "notification_email_from", kind: text, idle: noMail, doc: "sender of mail"},
	{in: inGlobal, name: "smtp_server", kind: text, idle: noMail, doc: "mail server"},
	{in: inGlobal, name: "smtp_connect_timeout", kind: wholeTime, idle: noMail, doc: "time limit for mail, s"},
	{in: inGlobal, name: "smtp_helo_name", kind: text, idle: noMail, doc: "our name towards the mail server"},
	{in: inGlobal, name: "smtp_alert", kind: boolean, idle: noMail, doc: "default of smtp_alert"},
	{in: inGlobal, name: "smtp_alert_vrrp", kind: boolean, idle: noMail, doc: "default for VRRP"},
	{in: inGlobal, name: "smtp_alert_checker", kind: boolean, idle: noMail, doc: "default for checks"},
	{in: inGlobal, name: "no_email_faults", kind: boolean, idle: noMail, doc: "no mail on FAULT"},
	{in: inGlobal, name: "no_checker_emails", kind: boolean, idle: noMail, doc: "mail for servers, not for each check"},

	{in: inGlobal, name: "rs_init_notifies", kind: boolean, idle: noScripts, doc: "scripts for the first state too"},
	{in: inGlobal, name: "startup_script", kind: texts, idle: noScripts, doc: "command before the start"},
	{in: inGlobal, name: "startup_script_timeout", kind: integer(1, 1000), idle: noScripts, doc: "its time limit, s"},
	{in: inGlobal, name: "shutdown_script", kind: texts, idle: noScripts, doc: "command after the stop"},
	{in: inGlobal, name: "shutdown_script_timeout", kind: integer(1, 1000), idle: noScripts, doc: "its time limit, s"},
	{in: inGlobal, name: "script_user", kind: texts, idle: noScripts, doc: "user and group of scripts"},
	{in: inGlobal, name: "enable_script_security", kind: boolean, idle: noScripts, doc: "refuses scripts that others can change"},
	{in: inGlobal, name: "use_symlink_paths", kind: boolean, idle: noScripts, doc: "keeps symbolic links in paths"},
	{in: inGlobal, name: "set_supplementary_groups", kind: boolean, idle: noScripts, doc: "all groups of the script's user"},

	{in: inGlobal, name: "process_names", kind: boolean, idle: noProcesses, doc: "names for the processes"},
	{in: inGlobal, name: "process_name", kind: text, idle: noProcesses, doc: "name of the parent process"},
	{in: inGlobal, name: "vrrp_process_name", kind: text, idle: noProcesses, doc: "name of the VRRP process"},
	{in: inGlobal, name: "checker_process_name", kind: text, idle: noProcesses, doc: "name of the checker process"},
	{in: inGlobal, name: "lvs_process_name", kind: text, aliasOf: "checker_process_name", idle: noProcesses, doc: "old name"},
	{in: inGlobal, name: "bfd_process_name", kind: text, idle: noProcesses, doc: "name of the BFD process"},
	{in: inGlobal, name: "max_auto_priority", kind: either(boolean, integer(-1, 99)), idle: noProcesses, doc: "real time when late"},
	{in: inGlobal, name: "min_auto_priority_delay", kind: integer(1, 10000000), idle: noProcesses, doc: "how late, µs"},
	{in: inGlobal, name: "vrrp_priority", kind: nice, idle: noProcesses, doc: "nice value of the VRRP process"},
	{in: inGlobal, name: "checker_priority", kind: nice, idle: noProcesses, doc: "nice value of the checker process"},
	{in: inGlobal, name: "bfd_priority", kind: nice, idle: noProcesses, doc: "nice value of the BFD process"},
	{in: inGlobal, name: "vrrp_rt_priority", kind: realtime, idle: noProcesses, doc: "real-time priority"},
	{in: inGlobal, name: "checker_rt_priority", kind: realtime, idle: noProcesses, doc: "real-time priority"},
	{in: inGlobal, name: "bfd_rt_priority", kind: realtime, idle: noProcesses, doc: "real-time priority"},
	{in: inGlobal, name: "vrrp_no_swap", kind: boolean, idle: noProcesses, doc: "locks memory"},
	{in: inGlobal, name: "checker_no_swap", kind: boolean, idle: noProcesses, doc: "locks memory"},
	{in: inGlobal, name: "bfd_no_swap", kind: boolean, idle: noProcesses, doc: "locks memory"},
	{in: inGlobal, name: "vrrp_cpu_affinity", kind: cpus, idle: noProcesses, doc: "processors to run on"},
	{in: inGlobal, name: "checker_cpu_affinity", kind: cpus, idle: noProcesses, doc: "processors to run on"},
	{in: inGlobal, name: "bfd_cpu_affinity", kind: cpus, idle: noProcesses, doc: "processors to run on"},
	{in: inGlobal, name: "vrrp_rlimit_rttime", kind: bytes, idle: noProcesses, doc: "limit of real time, µs"},
	{in: inGlobal, name: "checker_rlimit_rttime", kind: bytes, idle: noProcesses, doc: "limit of real time, µs"},
	{in: inGlobal, name: "bfd_rlimit_rttime", kind: bytes, idle: noProcesses, doc: "limit of real time, µs"},
	{in: inGlobal, name: "vrrp_rlimit_rtime", kind: bytes, aliasOf: "vrrp_rlimit_rttime", idle: noProcesses, doc: "old name"},
	{in: inGlobal, name: "checker_rlimit_rtime", kind: bytes, aliasOf: "checker_rlimit_rttime", idle: noProcesses, doc: "old name"},
	{in: inGlobal, name: "bfd_rlimit_rtime", kind: bytes, aliasOf: "bfd_rlimit_rttime", idle: noProcesses, doc: "old name"},
	{in: inGlobal, name: "umask", kind: either(integer(0, 0o777), text), idle: noProcesses, doc: "mask of files it makes"},

	{in: inGlobal, name: "lvs_flush", kind: boolean, idle: "ipvsd never empties a table at start", doc: "empties the table at start"},
	{in: inGlobal, name: "lvs_sync_daemon", kind: texts, idle: "this version runs no connection sync", doc: "connection sync"},
	{in: inGlobal, name: "random_seed", kind: count, idle: "moments of checks are not repeatable", doc: "repeatable warmup"},

	{in: inGlobal, name: "dynamic_interfaces", kind: flagOrText, idle: noVRRP, doc: "interfaces may come and go"},
	{in: inGlobal, name: "default_interface", kind: text, idle: noVRRP, doc: "interface of addresses without one"},
	{in: inGlobal, name: "disable_local_igmp", kind: boolean, idle: noVRRP, doc: "no reports for local groups"},
	{in: inGlobal, name: "v3_checksum_as_v2", kind: boolean, idle: noVRRP, doc: "checksum of VRRP 3 without pseudo header"},
	{in: inGlobal, name: "vrrp_version", kind: integer(2, 3), idle: noVRRP, doc: "version of VRRP"},
	{in: inGlobal, name: "vrrp_mcast_group4", kind: text, idle: noVRRP, doc: "IPv4 group"},
	{in: inGlobal, name: "vrrp_mcast_group6", kind: text, idle: noVRRP, doc: "IPv6 group"},
	{in: inGlobal, name: "vrrp_garp_master_delay", kind: wholeTime, idle: noVRRP, doc: "time to the second ARP burst, s"},
	{in: inGlobal, name: "vrrp_garp_master_repeat", kind: count, idle: noVRRP, doc: "packets in a burst"},
	{in: inGlobal, name: "vrrp_garp_master_refresh", kind: wholeTime, idle: noVRRP, doc: "time between refreshes, s"},
	{in: inGlobal, name: "vrrp_garp_master_refresh_repeat", kind: count, idle: noVRRP, doc: "packets in a refresh"},
	{in: inGlobal, name: "vrrp_garp_lower_prio_delay", kind: wholeTime, idle: noVRRP, doc: "time to a burst after a conflict, s"},
	{in: inGlobal, name: "vrrp_garp_lower_prio_repeat", kind: count, idle: noVRRP, doc: "packets after a conflict"},
	{in: inGlobal, name: "vrrp_garp_interval", kind: anyway, idle: noVRRP, doc: "gap between ARP packets"},
	{in: inGlobal, name: "vrrp_gna_interval", kind: anyway, idle: noVRRP, doc: "gap between neighbour advertisements"},
	{in: inGlobal, name: "vrrp_min_garp", kind: boolean, idle: noVRRP, doc: "one ARP packet only"},
	{in: inGlobal, name: "vrrp_garp_extra_if", kind: either(integer(1, 86400), text), idle: noVRRP, doc: "ARP on other interfaces"},
	{in: inGlobal, name: "vrrp_vmac_garp_intvl", kind: either(integer(1, 86400), text), aliasOf: "vrrp_garp_extra_if",
		idle: noVRRP, doc: "old name"},
	{in: inGlobal, name: "vrrp_lower_prio_no_advert", kind: boolean, idle: noVRRP, doc: "no answer to lower priorities"},
	{in: inGlobal, name: "vrrp_higher_prio_send_advert", kind: boolean, idle: noVRRP, doc: "an answer to higher priorities"},
	{in: inGlobal, name: "vrrp_down_timer_adverts", kind: integer(1, 100), idle: noVRRP, doc: "adverts missed before takeover"},
	{in: inGlobal, name: "vrrp_startup_delay", kind: anyway, idle: noVRRP, doc: "wait after the start"},
	{in: inGlobal, name: "vrrp_delay_after_boot", kind: anyway, idle: noVRRP, doc: "wait after the machine's start"},
	{in: inGlobal, name: "vrrp_check_unicast_src", kind: boolean, idle: noVRRP, doc: "only known peers"},
	{in: inGlobal, name: "vrrp_skip_check_adv_addr", kind: boolean, idle: noVRRP, doc: "compares addresses once"},
	{in: inGlobal, name: "vrrp_strict", kind: boolean, idle: noVRRP, doc: "the RFC to the letter"},
	{in: inGlobal, name: "vrrp_owner_ignore_adverts", kind: boolean, idle: noVRRP, doc: "the owner listens to nobody"},
	{in: inGlobal, name: "log_unknown_vrids", kind: boolean, idle: noVRRP, doc: "logs adverts of others"},
	{in: inGlobal, name: "vrrp_notify_priority_changes", kind: boolean, idle: noVRRP, doc: "tells of priority changes"},
	{in: inGlobal, name: "vrrp_rx_bufs_policy", kind: either(bytes, oneOf("MTU", "ADVERT")), idle: noVRRP, doc: "receive buffers"},
	{in: inGlobal, name: "vrrp_rx_bufs_multiplier", kind: count, idle: noVRRP, doc: "factor for that"},
	{in: inGlobal, name: "vmac_prefix", kind: text, idle: noVRRP, doc: "name prefix of interfaces it makes"},
	{in: inGlobal, name: "vmac_addr_prefix", kind: text, idle: noVRRP, doc: "name prefix of interfaces it makes"},

	{in: inGlobal, name: "vrrp_iptables", kind: flagOrList, idle: noNFTables, doc: "chains of iptables"},
	{in: inGlobal, name: "vrrp_ipsets", kind: flagOrList, idle: noNFTables, doc: "names of ipsets"},
	{in: inGlobal, name: "nftables", kind: flagOrText, idle: noNFTables, doc: "table of nftables"},
	{in: inGlobal, name: "nftables_priority", kind: integer(math.MinInt32, math.MaxInt32), idle: noNFTables, doc: "chain priority"},
	{in: inGlobal, name: "nftables_counters", kind: boolean, idle: noNFTables, doc: "counters in rules"},
	{in: inGlobal, name: "nftables_ifindex", kind: boolean, idle: noNFTables, doc: "rules by index of interface"},
	{in: inGlobal, name: "nftables_ipvs", kind: flagOrText, idle: noNFTables, doc: "one mark for a group of services"},
	{in: inGlobal, name: "nftables_ipvs_priority", kind: integer(math.MinInt32, math.MaxInt32), idle: noNFTables,
		doc: "chain priority"},
	{in: inGlobal, name: "nftables_ipvs_start_fwmark", kind: integer(1, math.MaxUint32), idle: noNFTables, doc: "first mark"},

	{in: inGlobal, name: "notify_fifo", kind: texts, idle: noFIFO, doc: "pipe for all events"},
	{in: inGlobal, name: "vrrp_notify_fifo", kind: texts, idle: noFIFO, doc: "pipe for VRRP events"},
	{in: inGlobal, name: "lvs_notify_fifo", kind: texts, idle: noFIFO, doc: "pipe for events of servers"},
	{in: inGlobal, name: "notify_fifo_script", kind: texts, idle: noFIFO, doc: "reader of that pipe"},
	{in: inGlobal, name: "vrrp_notify_fifo_script", kind: texts, idle: noFIFO, doc: "reader of that pipe"},
	{in: inGlobal, name: "lvs_notify_fifo_script", kind: texts, idle: noFIFO, doc: "reader of that pipe"},
	{in: inGlobal, name: "fifo_write_vrrp_states_on_reload", kind: boolean, idle: noFIFO, doc: "all states after a reload"},

	{in: inGlobal, name: "enable_snmp_vrrp", kind: boolean, idle: noSNMP, doc: "VRRP in SNMP"},
	{in: inGlobal, name: "enable_snmp_keepalived", kind: boolean, aliasOf: "enable_snmp_vrrp", idle: noSNMP, doc: "old name"},
	{in: inGlobal, name: "enable_snmp_checker", kind: boolean, idle: noSNMP, doc: "services in SNMP"},
	{in: inGlobal, name: "enable_snmp_rfc", kind: boolean, idle: noSNMP, doc: "RFC 2787 and RFC 6527"},
	{in: inGlobal, name: "enable_snmp_rfcv2", kind: boolean, idle: noSNMP, doc: "RFC 2787"},
	{in: inGlobal, name: "enable_snmp_rfcv3", kind: boolean, idle: noSNMP, doc: "RFC 6527"},
	{in: inGlobal, name: "enable_traps", kind: boolean, idle: noSNMP, doc: "SNMP traps"},
	{in: inGlobal, name: "snmp_socket", kind: text, idle: noSNMP, doc: "socket of the SNMP agent"},
	{in: inGlobal, name: "snmp_vs_stats_update_interval", kind: seconds(time.Millisecond, 30*time.Second), idle: noSNMP,
		doc: "age of statistics of services"},
	{in: inGlobal, name: "snmp_rs_stats_update_interval", kind: seconds(time.Millisecond, 30*time.Second), idle: noSNMP,
		doc: "age of statistics of servers"},
	{in: inGlobal, name: "enable_dbus", kind: boolean, idle: noDBus, doc: "D-Bus server"},
	{in: inGlobal, name: "dbus_service_name", kind: text, idle: noDBus, doc: "name on the bus"},
	{in: inGlobal, name: "dbus_no_interface_name", kind: text, idle: noDBus, doc: "path element without interface"},

	{in: inGlobal, name: "vrrp_netlink_cmd_rcv_bufs", kind: bytes, idle: noNetlink, doc: "size of a netlink buffer"},
	{in: inGlobal, name: "vrrp_netlink_cmd_rcv_bufs_force", kind: boolean, idle: noNetlink, doc: "beyond the system's limit"},
	{in: inGlobal, name: "vrrp_netlink_monitor_rcv_bufs", kind: bytes, idle: noNetlink, doc: "size of a netlink buffer"},
	{in: inGlobal, name: "vrrp_netlink_monitor_rcv_bufs_force", kind: boolean, idle: noNetlink, doc: "beyond the system's limit"},
	{in: inGlobal, name: "lvs_netlink_cmd_rcv_bufs", kind: bytes, idle: noNetlink, doc: "size of a netlink buffer"},
	{in: inGlobal, name: "lvs_netlink_cmd_rcv_bufs_force", kind: boolean, idle: noNetlink, doc: "beyond the system's limit"},
	{in: inGlobal, name: "lvs_netlink_monitor_rcv_bufs", kind: bytes, idle: noNetlink, doc: "size of a netlink buffer"},
	{in: inGlobal, name: "lvs_netlink_monitor_rcv_bufs_force", kind: boolean, idle: noNetlink, doc: "beyond the system's limit"},
	{in: inGlobal, name: "process_monitor_rcv_bufs", kind: bytes, idle: noNetlink, doc: "size of a netlink buffer"},
	{in: inGlobal, name: "process_monitor_rcv_bufs_force", kind: boolean, idle: noNetlink, doc: "beyond the system's limit"},

	{in: inGlobal, name: "reload_check_config", kind: flagOrText, idle: "ipvsd always checks a file before it uses it",
		doc: "checks the file before a reload"},
	{in: inGlobal, name: "reload_time_file", kind: text, idle: "ipvsd reloads when it is told to, by SIGHUP or ipvsctl reload", doc: "when to reload"},
	{in: inGlobal, name: "reload_repeat", kind: boolean, idle: "ipvsd reloads when it is told to, by SIGHUP or ipvsctl reload", doc: "again every day"},
	{in: inGlobal, name: "reload_file", kind: flagOrText, idle: "ipvsctl status says whether a reload is running",
		doc: "file that exists during a reload"},
	{in: inGlobal, name: "include_check", kind: texts, idle: noIncludes, doc: "how strict includes are"},
	{in: inGlobal, name: "config_save_dir", kind: text, idle: noIncludes, doc: "keeps the configuration that was read"},
	{in: inGlobal, name: "tmp_config_directory", kind: text, idle: noIncludes, doc: "where the configuration is kept meanwhile"},
	{in: inGlobal, name: "data_use_instance", kind: boolean, idle: noDumps, doc: "instance in names of dump files"},
	{in: inGlobal, name: "state_dump_file", kind: text, idle: noDumps, doc: "file for the state"},
	{in: inGlobal, name: "stats_dump_file", kind: text, idle: noDumps, doc: "file for statistics"},
	{in: inGlobal, name: "json_dump_file", kind: text, idle: noDumps, doc: "file for JSON"},
	{in: inGlobal, name: "json_version", kind: integer(1, 2), idle: noDumps, doc: "version of that JSON"},
	{in: inGlobal, name: "iproute_usr_dir", kind: text, idle: noVRRP, doc: "where names of routing tables are"},
	{in: inGlobal, name: "iproute_etc_dir", kind: text, idle: noVRRP, doc: "where names of routing tables are"},
}
