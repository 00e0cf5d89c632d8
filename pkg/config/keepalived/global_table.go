package keepalived

import "math"

// Why keywords of global_defs have nothing to act on.
const (
	oneProcess   = "ipvsd is one process, and its unit file sets what the system should give it: Nice, CPUAffinity, LimitRTTIME"
	noSNMP       = "ipvsd has no SNMP: ipvsctl status -o json and its metrics have the same numbers"
	noDBus       = "ipvsd has no D-Bus: ipvsctl, and its socket, have what it had"
	ownBuffers   = "ipvsd sizes its netlink buffers itself"
	ownTable     = "ipvsd has a table of its own in nftables, which nobody else needs to know"
	groupsSingle = "a virtual_server_group is a service for each of its addresses"
	ownDumps     = "ipvsctl status has the state; with ipvsd --dump-dir DIR the signals of keepalived write its files there, by its own names"
	ownReload    = "ipvsd reloads when it is told to, by SIGHUP or ipvsctl reload"
	ownFiles     = "ipvsd keeps the files that it has read in memory"
	noNames      = "numbers, and the names that the kernel's sources have, are known without it"
	ownScripts   = "scripts run as their user, by the path that is written, and never in a shell"
)

// daemonScope has what stands outside of any block about the processes.
var daemonScope = scope{"", []keyword{
	{"net_namespace", Honoured, "", text},
	{"net_namespace_ipvs", Refused, "leave it out, and start ipvsd in the namespace of IPVS: ip netns exec NAME ipvsd", nil},
	{"namespace_with_ipsets", Idle, ownTable, nil},
	{"instance", Idle, "ipvsd has no files with the name of its instance: ipvsd --socket and --state-dir tell several apart", nil},
	{"use_pid_dir", Idle, "ipvsd -p says where its pid file is; without it there is none", nil},
	{"child_wait_time", Idle, "ipvsd is one process, without children to wait for", unused(whole(0, math.MaxUint32))},
}}

var globalScope = scope{"global_defs", []keyword{
	{"router_id", Honoured, "", text},
	{"script_user", Honoured, "", (*translation).defaultUser},
	{"enable_script_security", Idle, ownScripts, nil},
	{"use_symlink_paths", Idle, ownScripts, nil},
	{"set_supplementary_groups", Idle, ownScripts, nil},
	{"startup_script", Honoured, "", notify},
	{"startup_script_timeout", Honoured, "", whole(1, 1000)},
	{"shutdown_script", Honoured, "", notify},
	{"shutdown_script_timeout", Honoured, "", whole(1, 1000)},

	{"notification_email", Honoured, "", (*translation).mailTo},
	{"notification_email_from", Honoured, "", (*translation).mailFrom},
	{"smtp_server", Honoured, "", (*translation).mailServer},
	{"smtp_connect_timeout", Honoured, "", loose(1, month)},
	{"smtp_helo_name", Honoured, "", text},
	{"smtp_alert", Honoured, "", boolean},
	{"smtp_alert_vrrp", Honoured, "", boolean},
	{"smtp_alert_checker", Honoured, "", boolean},
	{"no_email_faults", Honoured, "", flag},
	{"no_checker_emails", Honoured, "", boolean},

	{"lvs_timeouts", Honoured, "", (*translation).timeouts},
	{"lvs_flush", Idle, "ipvsd never empties a table at start: what is its own it takes over, and the rest it leaves alone", nil},
	{"lvs_flush_on_stop", Mapped, "what ipvsd put into the table it takes out; what others put there stays", (*translation).flushOnStop},
	{"lvs_flush_onstop", Mapped, "lvs_flush_on_stop", (*translation).flushOnStop},
	{"lvs_notify_fifo", Honoured, "", (*translation).fifo},
	{"lvs_notify_fifo_script", Honoured, "", fifoScript("lvs_notify_fifo")},
	{"checker_log_all_failures", Honoured, "", boolean},
	{"rs_init_notifies", Honoured, "", boolean},
	{"nftables_ipvs", Idle, groupsSingle, nil},
	{"nftables_ipvs_priority", Idle, groupsSingle, unused(whole(math.MinInt32, math.MaxInt32))},
	{"nftables_ipvs_start_fwmark", Idle, groupsSingle, unused(whole(1, math.MaxUint32))},

	{"process_names", Idle, oneProcess, nil},
	{"process_name", Idle, oneProcess, nil},
	{"vrrp_process_name", Idle, oneProcess, nil},
	{"checker_process_name", Idle, oneProcess, nil},
	{"lvs_process_name", Idle, oneProcess, nil},
	{"bfd_process_name", Idle, oneProcess, nil},
	{"max_auto_priority", Idle, "the thread that sends adverts has real-time priority anyway: vrrp_rt_priority", unused(whole(-1, 99))},
	{"min_auto_priority_delay", Idle, "the thread that sends adverts has real-time priority anyway: vrrp_rt_priority", unused(whole(1, 10000000))},
	{"checker_priority", Idle, oneProcess, unused(whole(-20, 19))},
	{"checker_rt_priority", Idle, oneProcess, unused(whole(1, 99))},
	{"checker_no_swap", Idle, oneProcess, nil},
	{"checker_cpu_affinity", Idle, oneProcess, nil},
	{"checker_rlimit_rttime", Idle, oneProcess, unused(whole(1, math.MaxUint32))},
	{"checker_rlimit_rtime", Idle, oneProcess, unused(whole(1, math.MaxUint32))},
	{"bfd_priority", Idle, oneProcess, unused(whole(-20, 19))},
	{"bfd_rt_priority", Idle, oneProcess, unused(whole(1, 99))},
	{"bfd_no_swap", Idle, oneProcess, nil},
	{"bfd_cpu_affinity", Idle, oneProcess, nil},
	{"bfd_rlimit_rttime", Idle, oneProcess, unused(whole(1, math.MaxUint32))},
	{"bfd_rlimit_rtime", Idle, oneProcess, unused(whole(1, math.MaxUint32))},
	{"umask", Idle, "UMask in the unit file of ipvsd sets it", nil},
	{"random_seed", Idle, "moments of checks are not repeatable", unused(whole(0, math.MaxUint32))},

	{"vrrp_iptables", Idle, ownTable, nil},
	{"vrrp_ipsets", Idle, ownTable, nil},
	{"nftables", Idle, ownTable, nil},
	{"nftables_priority", Idle, ownTable, unused(whole(math.MinInt32, math.MaxInt32))},
	{"nftables_counters", Idle, ownTable, nil},
	{"nftables_ifindex", Idle, ownTable, nil},

	{"enable_snmp_vrrp", Idle, noSNMP, nil},
	{"enable_snmp_keepalived", Idle, noSNMP, nil},
	{"enable_snmp_checker", Idle, noSNMP, nil},
	{"enable_snmp_rfc", Idle, noSNMP, nil},
	{"enable_snmp_rfcv2", Idle, noSNMP, nil},
	{"enable_snmp_rfcv3", Idle, noSNMP, nil},
	{"enable_traps", Idle, "ipvsd sends no SNMP traps: a webhook, or a notify_fifo, tells of events", nil},
	{"snmp_socket", Idle, noSNMP, nil},
	{"snmp_vs_stats_update_interval", Idle, noSNMP, nil},
	{"snmp_rs_stats_update_interval", Idle, noSNMP, nil},
	{"enable_dbus", Idle, noDBus, nil},
	{"dbus_service_name", Idle, noDBus, nil},
	{"dbus_no_interface_name", Idle, noDBus, nil},

	{"vrrp_netlink_cmd_rcv_bufs", Idle, ownBuffers, unused(whole(0, math.MaxUint32))},
	{"vrrp_netlink_cmd_rcv_bufs_force", Idle, ownBuffers, unused(boolean)},
	{"vrrp_netlink_monitor_rcv_bufs", Idle, ownBuffers, unused(whole(0, math.MaxUint32))},
	{"vrrp_netlink_monitor_rcv_bufs_force", Idle, ownBuffers, unused(boolean)},
	{"lvs_netlink_cmd_rcv_bufs", Idle, ownBuffers, unused(whole(0, math.MaxUint32))},
	{"lvs_netlink_cmd_rcv_bufs_force", Idle, ownBuffers, unused(boolean)},
	{"lvs_netlink_monitor_rcv_bufs", Idle, ownBuffers, unused(whole(0, math.MaxUint32))},
	{"lvs_netlink_monitor_rcv_bufs_force", Idle, ownBuffers, unused(boolean)},
	{"process_monitor_rcv_bufs", Idle, ownBuffers, unused(whole(0, math.MaxUint32))},
	{"process_monitor_rcv_bufs_force", Idle, ownBuffers, unused(boolean)},

	{"reload_check_config", Idle, "ipvsd always checks a file before it uses it", nil},
	{"reload_time_file", Idle, ownReload, nil},
	{"reload_repeat", Idle, ownReload, nil},
	{"reload_file", Idle, "ipvsctl status says whether a reload is running", nil},
	{"include_check", Honoured, "", nil}, // read.go
	{"config_save_dir", Idle, ownFiles, nil},
	{"tmp_config_directory", Idle, ownFiles, nil},
	{"data_use_instance", Idle, ownDumps, unused(boolean)},
	{"state_dump_file", Idle, ownDumps, nil},
	{"stats_dump_file", Idle, ownDumps, nil},
	{"json_dump_file", Idle, ownDumps, nil},
	{"json_version", Idle, "ipvsd --json-version 2 says it, with --dump-dir DIR, where SIGRTMIN+2 writes keepalived.json", nil},
	{"iproute_usr_dir", Idle, noNames, nil},
	{"iproute_etc_dir", Idle, noNames, nil},
}}

// mailScope has an address on each line.
var mailScope = scope{"notification_email", nil}
