package config

import (
	"math"
	"slices"
	"time"
)

// routed is where the keywords stand that instances and sync groups share.
const routed = inInstance | inSyncGroup

var vrrpTables = []keyword{
	{in: inRoot, name: "vrrp_instance", doc: "a virtual router: addresses that one of several directors has"},
	{in: inRoot, name: "vrrp_sync_group", doc: "instances that are active together or not at all"},
	{in: inRoot, name: "vrrp_script", doc: "commands that instances depend on"},
	{in: inRoot, name: "vrrp_track_file", doc: "another name of track_file"},
	{in: inRoot, name: "vrrp_track_process", doc: "processes that instances depend on"},
	{in: inRoot, name: "track_route", doc: "routes and gateways that instances depend on"},
	{in: inRoot, name: "track_group", doc: "instances that depend on static addresses and routes"},
	{in: inRoot, name: "bfd_instance", doc: "sessions that find out fast whether a neighbour is there"},
	{in: inRoot, name: "garp_group", doc: "interfaces that share a pace of ARP"},
	{in: inInstance, name: "authentication", doc: "password of version 2"},
	{in: inInstance, name: "auth_hmac", doc: "signs adverts, for both versions"},
}

var staticKeywords = []keyword{
	{in: inRoot, name: "static_ipaddress", kind: addressLine, list: true, doc: "addresses that are always there"},
	{in: inRoot, name: "static_routes", kind: routeLine, list: true, doc: "routes that are always there"},
	{in: inRoot, name: "static_rules", kind: ruleLine, list: true, doc: "routing rules that are always there"},
	{in: inRoot, name: "linkbeat_interfaces", kind: linkbeat, list: true, doc: "links that are asked again and again whether they are up"},
	{in: inRoot, name: "interface_up_down_delays", kind: linkDelays, doc: "how long news of a link must last to be believed"},
}

// Kinds of the tables of VRRP.
var (
	priority    = integer(1, 255)
	someAdverts = integer(1, 100)
	garpTime    = seconds(0, month)
	garpCount   = integer(0, 1000)
	weight253   = weighing(253)
	weight254   = weighing(254)
	gap         = seconds(0, time.Second*86400)
)

var instanceKeywords = []keyword{
	{in: inInstance, name: "state", kind: oneOf(stateMaster, stateBackup), doc: "what it begins as"},
	{in: inInstance, name: "interface", kind: device, doc: "where its adverts go"},
	{in: inInstance, name: "virtual_router_id", kind: integer(1, 255), doc: "its number, the same on all directors"},
	{in: inInstance, name: "priority", kind: priority, doc: "the highest one is active; 255 owns the addresses"},
	{in: inInstance, name: "advert_int", kind: seconds(10*time.Millisecond, 255*time.Second), doc: "time between two adverts"},
	{in: inInstance, name: "version", kind: integer(2, 3), doc: "of VRRP"},
	{in: inInstance, name: "virtual_ipaddress", kind: addressLine, list: true, doc: "addresses of the active director, all of one family"},
	{in: inInstance, name: "virtual_ipaddress_excluded", kind: addressLine, list: true, doc: "addresses that adverts don't list"},
	{in: inInstance, name: "no_virtual_ipaddress", kind: boolean, doc: "it is meant to have no addresses"},
	{in: inInstance, name: "virtual_routes", kind: routeLine, list: true, doc: "routes of the active director"},
	{in: inInstance, name: "virtual_rules", kind: ruleLine, list: true, doc: "routing rules of the active director"},
	{in: inInstance, name: "promote_secondaries", kind: boolean, doc: "an interface that loses an address keeps the others"},
	{in: inInstance, name: "release_to_lo", kind: boolean, doc: "has the addresses on lo while it is not active, as real servers do"},

	{in: inInstance, name: "use_vmac", kind: macvlan, doc: "interface with the virtual router's own MAC address"},
	{in: inInstance, name: "use_vmac_addr", kind: boolean, doc: "such an interface for addresses elsewhere, too"},
	{in: inInstance, name: "vmac_xmit_base", kind: boolean, doc: "adverts leave by the interface below"},
	{in: inInstance, name: "use_ipvlan", kind: ipvlan, doc: "ipvlan interface for adverts and addresses"},
	{in: inInstance, name: "vrf", kind: device, doc: "routing domain of unicast adverts"},
	{in: inInstance, name: "native_ipv6", kind: boolean, doc: "the family is IPv6"},

	{in: inInstance, name: "mcast_src_ip", kind: address, doc: "source address of adverts"},
	{in: inInstance, name: "unicast_src_ip", kind: address, aliasOf: "mcast_src_ip", doc: "the same"},
	{in: inInstance, name: "track_src_ip", kind: boolean, doc: "FAULT while the source address is missing"},
	{in: inInstance, name: "mcast_dst_ip", kind: multicast, doc: "where multicast adverts go"},
	{in: inInstance, name: "unicast_peer", kind: peer, list: true, doc: "the other directors, instead of multicast"},
	{in: inInstance, name: "unicast_fault_no_peer", kind: boolean, doc: "FAULT instead of multicast when unicast_peer is empty"},
	{in: inInstance, name: "unicast_ttl", kind: integer(1, 255), doc: "TTL of unicast adverts"},
	{in: inInstance, name: "check_unicast_src", kind: boolean, doc: "adverts from unicast_peer only"},
	{in: inInstance, name: "old_unicast_checksum", kind: either(boolean, oneOf("never")), doc: "accepts checksums of keepalived 1.3.6"},
	{in: inInstance, name: "v3_checksum_as_v2", kind: boolean, doc: "checksum of version 3 without pseudo header"},
	{in: inInstance, name: "skip_check_adv_addr", kind: boolean, doc: "compares the addresses of another active director once"},

	{in: inInstance, name: "accept", kind: boolean, doc: "the active director takes packets to the addresses"},
	{in: inInstance, name: "no_accept", kind: boolean, doc: "it drops them, but for neighbour discovery"},
	{in: inInstance, name: "strict_mode", kind: boolean, doc: "the RFC to the letter"},
	{in: inInstance, name: "preempt", kind: boolean, doc: "a higher priority takes over"},
	{in: inInstance, name: "nopreempt", kind: boolean, doc: "whoever is active stays so"},
	{in: inInstance, name: "preempt_delay", kind: seconds(0, 1000*time.Second), doc: "wait before taking over from a lower priority"},
	{in: inInstance, name: "down_timer_adverts", kind: someAdverts, doc: "adverts missed before takeover"},
	{in: inInstance, name: "timer_expired_backup", kind: expired, doc: "becomes backup if it slept so long that such a priority took over"},
	{in: inInstance, name: "thread_timer_expired", kind: expired, aliasOf: "timer_expired_backup", doc: "old name"},
	{in: inInstance, name: "garp_master_delay", kind: garpTime, doc: "time to the second ARP burst"},
	{in: inInstance, name: "garp_master_repeat", kind: garpCount, doc: "packets in a burst"},
	{in: inInstance, name: "garp_master_refresh", kind: garpTime, doc: "time between refreshes"},
	{in: inInstance, name: "garp_master_refresh_repeat", kind: garpCount, doc: "packets in a refresh"},
	{in: inInstance, name: "garp_lower_prio_delay", kind: garpTime, doc: "time to a burst after a conflict"},
	{in: inInstance, name: "garp_lower_prio_repeat", kind: garpCount, doc: "packets after a conflict"},
	{in: inInstance, name: "garp_extra_if", kind: extraIf, doc: "ARP again and again on other interfaces"},
	{in: inInstance, name: "vmac_garp_intvl", kind: extraIf, aliasOf: "garp_extra_if", doc: "old name"},
	{in: inInstance, name: "lower_prio_no_advert", kind: boolean, doc: "no answer to lower priorities"},
	{in: inInstance, name: "higher_prio_send_advert", kind: boolean, doc: "a last advert before yielding"},
	{in: inInstance, name: "owner_ignore_adverts", kind: boolean, doc: "the owner listens to nobody"},
	{in: inInstance, name: "kernel_rx_buf_size", kind: integer(1, math.MaxInt32), doc: "bytes of the receive buffer"},

	{in: inAuth, name: "auth_type", kind: oneOf("PASS", "AH"), doc: "PASS is the password in the clear, AH signs with it"},
	{in: inAuth, name: "auth_pass", kind: shortPassword, doc: "the same on all directors, 8 bytes at most"},
	{in: inAuth, name: "auth_pass_file", kind: path, doc: "file whose first line is that"},
	{in: inHMAC, name: "key", kind: hmacKeys, doc: "keys by ID, each as text, hex:DIGITS or file:PATH"},
	{in: inHMAC, name: "active_key", kind: integer(1, 255), doc: "ID of the key that signs"},
	{in: inHMAC, name: "anti_replay", kind: oneOf("time", "monotonic"), doc: "what tells old adverts from new ones"},
	{in: inHMAC, name: "time_window", kind: seconds(time.Second, 300*time.Second), doc: "how far clocks may be apart"},
	{in: inHMAC, name: "mode", kind: oneOf("enforce", "permissive", "receive-only"), doc: "how strict it is while keys are rolled out"},
}

// groupedKeywords are those of sync groups, and what they share with instances.
var groupedKeywords = []keyword{
	{in: inSyncGroup, name: "group", kind: word, list: true, doc: "names of the instances"},
	{in: inSyncGroup, name: "sync_group_tracking_weight", kind: boolean, doc: "tracking may change priorities of members"},
	{in: inInstance, name: "dont_track_primary", kind: boolean, doc: "the link of its own interface doesn't matter"},
	{in: routed, name: "track_interface", kind: tracked(253), list: true, doc: "interfaces whose link it depends on"},
	{in: routed, name: "track_script", kind: tracked(253), list: true, doc: "names of vrrp_script"},
	{in: routed, name: "track_file", kind: tracked(254), list: true, doc: "names of track_file"},
	{in: routed, name: "track_process", kind: tracked(254), list: true, doc: "names of vrrp_track_process"},
	{in: routed, name: "track_bfd", kind: tracked(253), list: true, doc: "names of bfd_instance"},
	{in: routed, name: "track_route", kind: tracked(254), list: true, doc: "names of track_route"},
	{in: routed, name: "track_virtual_server", kind: tracked(254), list: true, doc: "virtual servers that must have their quorum"},
	{in: routed, name: "notify_master", kind: command, doc: "command on becoming MASTER"},
	{in: routed, name: "notify_backup", kind: command, doc: "command on becoming BACKUP"},
	{in: routed, name: "notify_fault", kind: command, doc: "command on FAULT"},
	{in: routed, name: "notify_stop", kind: command, doc: "command at stop"},
	{in: inInstance, name: "notify_deleted", kind: either(boolean, command), doc: "a reload that removes it tells DELETED instead of FAULT"},
	{in: routed, name: "notify", kind: command, doc: "command on any change; kind, name, state and priority are appended"},
	{in: inInstance, name: "notify_master_rx_lower_pri", kind: command, doc: "command when a conflict ends"},
	{in: routed, name: "notify_priority_changes", kind: boolean, doc: "tells of priority changes, too"},
}

var trackKeywords = []keyword{
	{in: inScript, name: "script", kind: command, doc: "the command"},
	{in: inScript, name: "interval", kind: seconds(time.Millisecond, month), doc: "from one start to the next"},
	{in: inScript, name: "timeout", kind: seconds(time.Millisecond, month), doc: "how long it may take; default: interval"},
	{in: inScript, name: "weight", kind: weight253, doc: "what it changes priorities by; 0 is FAULT"},
	{in: inScript, name: "rise", kind: integer(1, math.MaxInt32), doc: "successes in a row that are needed"},
	{in: inScript, name: "fall", kind: integer(1, math.MaxInt32), doc: "failures in a row that are needed"},
	{in: inScript, name: "user", kind: account, doc: "who it is run as"},
	{in: inScript, name: "init_fail", kind: boolean, doc: "it counts as failed until it has run"},

	{in: inTrackFile, name: "init_file", kind: initFile, doc: "makes the file at the start"},

	{in: inProcess, name: "process", kind: processWords, doc: "name or path, and parameters"},
	{in: inProcess, name: "param_match", kind: either(boolean, oneOf(matchExact, matchInitial, matchPartial)), doc: "how parameters must match"},
	{in: inProcess, name: "weight", kind: weight254, doc: "what it changes priorities by; 0 is FAULT"},
	{in: inProcess, name: "quorum", kind: integer(0, math.MaxUint16), doc: "how many must run"},
	{in: inProcess, name: "quorum_max", kind: integer(0, math.MaxUint16), doc: "how many may run"},
	{in: inProcess, name: "delay", kind: seconds(0, time.Hour), doc: "fork_delay and terminate_delay"},
	{in: inProcess, name: "fork_delay", kind: seconds(0, time.Hour), doc: "how long a new one must run to count"},
	{in: inProcess, name: "terminate_delay", kind: seconds(0, time.Hour), doc: "how long one must be gone"},
	{in: inProcess, name: "full_command", kind: boolean, doc: "the whole path must match"},

	{in: inBFD, name: "neighbor_ip", kind: address, doc: "the neighbour"},
	{in: inBFD, name: "neighbour_ip", kind: address, aliasOf: "neighbor_ip", doc: "the same"},
	{in: inBFD, name: "source_ip", kind: address, doc: "source address"},
	{in: inBFD, name: "min_rx", kind: milliseconds(time.Millisecond, 1000*time.Second), doc: "how often we can take packets"},
	{in: inBFD, name: "min_tx", kind: milliseconds(time.Millisecond, 1000*time.Second), doc: "how often we want to send"},
	{in: inBFD, name: "idle_tx", kind: milliseconds(time.Second, 1000*time.Second), doc: "how often we send while it is not up"},
	{in: inBFD, name: "multiplier", kind: integer(1, 255), doc: "packets missed before it is down"},
	{in: inBFD, name: "passive", kind: boolean, doc: "waits for the neighbour to begin"},
	{in: inBFD, name: "ttl", kind: integer(1, 255), doc: "TTL of packets"},
	{in: inBFD, name: "hoplimit", kind: integer(1, 255), aliasOf: "ttl", doc: "the same, for IPv6"},
	{in: inBFD, name: "max_hops", kind: integer(-1, 255), doc: "hops that packets may have taken; -1: any"},
	{in: inBFD, name: "multihop", kind: boolean, doc: "the port for sessions over routers"},
	{in: inBFD, name: "weight", kind: weight253, doc: "what it changes priorities by; 0 is FAULT"},

	{in: inTrackRoute, name: "route", kind: destination, doc: "a destination that the host must have a route to"},
	{in: inTrackRoute, name: "gateway", kind: address, doc: "a neighbour that must answer"},
	{in: inTrackRoute, name: "dev", kind: device, doc: "by this interface"},
	{in: inTrackRoute, name: "weight", kind: weight254, doc: "what it changes priorities by; 0 is FAULT"},
	{in: inScript | inProcess | inBFD | inTrackRoute, name: "reverse", kind: boolean, doc: "the other way round"},

	{in: inTrackGroup, name: "group", kind: word, list: true, doc: "names of the instances"},

	{in: inGARPGroup, name: "garp_interval", kind: gap, doc: "gap between ARP packets"},
	{in: inGARPGroup, name: "gna_interval", kind: gap, doc: "gap between neighbour advertisements"},
	{in: inGARPGroup, name: "interface", kind: device, list: true, doc: "the interfaces"},
	{in: inGARPGroup, name: "interfaces", kind: device, list: true, aliasOf: "interface", doc: "the same"},
}

// vrrpGlobalKeywords are settings of all instances, and of the thread that runs them.
var vrrpGlobalKeywords = []keyword{
	{in: inGlobal, name: "dynamic_interfaces", kind: either(boolean, oneOf("allow_if_changes")), doc: "no warning of missing interfaces"},
	{in: inGlobal, name: "default_interface", kind: device, doc: "interface of addresses without one"},
	{in: inGlobal, name: "disable_local_igmp", kind: boolean, doc: "no reports for local groups"},
	{in: inGlobal, name: "v3_checksum_as_v2", kind: boolean, doc: "checksum of VRRP 3 without pseudo header"},
	{in: inGlobal, name: "vrrp_version", kind: integer(2, 3), doc: "version of VRRP"},
	{in: inGlobal, name: "vrrp_mcast_group4", kind: multicast, doc: "IPv4 group"},
	{in: inGlobal, name: "vrrp_mcast_group6", kind: multicast, doc: "IPv6 group"},
	{in: inGlobal, name: "vrrp_garp_master_delay", kind: garpTime, doc: "time to the second ARP burst"},
	{in: inGlobal, name: "vrrp_garp_master_repeat", kind: garpCount, doc: "packets in a burst"},
	{in: inGlobal, name: "vrrp_garp_master_refresh", kind: garpTime, doc: "time between refreshes"},
	{in: inGlobal, name: "vrrp_garp_master_refresh_repeat", kind: garpCount, doc: "packets in a refresh"},
	{in: inGlobal, name: "vrrp_garp_lower_prio_delay", kind: garpTime, doc: "time to a burst after a conflict"},
	{in: inGlobal, name: "vrrp_garp_lower_prio_repeat", kind: garpCount, doc: "packets after a conflict"},
	{in: inGlobal, name: "vrrp_garp_interval", kind: gap, doc: "gap between ARP packets"},
	{in: inGlobal, name: "vrrp_gna_interval", kind: gap, doc: "gap between neighbour advertisements"},
	{in: inGlobal, name: "vrrp_min_garp", kind: boolean, doc: "one ARP packet only"},
	{in: inGlobal, name: "vrrp_garp_extra_if", kind: extraIf, doc: "ARP again and again on other interfaces"},
	{in: inGlobal, name: "vrrp_vmac_garp_intvl", kind: extraIf, aliasOf: "vrrp_garp_extra_if", doc: "old name"},
	{in: inGlobal, name: "vrrp_lower_prio_no_advert", kind: boolean, doc: "no answer to lower priorities"},
	{in: inGlobal, name: "vrrp_higher_prio_send_advert", kind: boolean, doc: "a last advert before yielding"},
	{in: inGlobal, name: "vrrp_down_timer_adverts", kind: someAdverts, doc: "adverts missed before takeover"},
	{in: inGlobal, name: "vrrp_startup_delay", kind: seconds(0, month), doc: "wait after the start"},
	{in: inGlobal, name: "vrrp_wait_for_checks", kind: seconds(0, month), doc: "wait for the first checks"},
	{in: inGlobal, name: "vrrp_delay_after_boot", kind: seconds(0, month), doc: "wait after the machine's start"},
	{in: inGlobal, name: "vrrp_check_unicast_src", kind: boolean, doc: "only known peers"},
	{in: inGlobal, name: "vrrp_skip_check_adv_addr", kind: boolean, doc: "compares addresses once"},
	{in: inGlobal, name: "vrrp_strict", kind: boolean, doc: "the RFC to the letter"},
	{in: inGlobal, name: "vrrp_owner_ignore_adverts", kind: boolean, doc: "the owner listens to nobody"},
	{in: inGlobal, name: "log_unknown_vrids", kind: boolean, doc: "logs adverts of others"},
	{in: inGlobal, name: "vrrp_notify_priority_changes", kind: boolean, doc: "tells of priority changes"},
	{in: inGlobal, name: "vrrp_rx_bufs_policy", kind: either(bytes, oneOf(policyMTU, policyAdvert)), doc: "receive buffers"},
	{in: inGlobal, name: "vrrp_rx_bufs_multiplier", kind: integer(1, 1000), doc: "factor for that"},
	{in: inGlobal, name: "vmac_prefix", kind: devicePrefix, doc: "name prefix of interfaces it makes"},
	{in: inGlobal, name: "vmac_addr_prefix", kind: devicePrefix, doc: "the same, for addresses on other interfaces"},
	{in: inGlobal, name: "vrrp_priority", kind: nice, doc: "nice value of the thread that sends adverts"},
	{in: inGlobal, name: "vrrp_rt_priority", kind: integer(0, 99), doc: "its real-time priority; 0: none"},
	{in: inGlobal, name: "vrrp_no_swap", kind: boolean, doc: "locks memory"},
	{in: inGlobal, name: "vrrp_cpu_affinity", kind: processors, doc: "processors that it runs on"},
	{in: inGlobal, name: "vrrp_notify_fifo", kind: fifoPath, doc: "pipe for VRRP events"},
	{in: inGlobal, name: "vrrp_notify_fifo_script", kind: command, doc: "reader of that pipe"},
	{in: inGlobal, name: "notify_fifo", kind: fifoPath, doc: "pipe for all events"},
	{in: inGlobal, name: "notify_fifo_script", kind: command, doc: "reader of that pipe"},
	{in: inGlobal, name: "fifo_write_vrrp_states_on_reload", kind: boolean, doc: "all states after a reload"},
}

// idleVRRPKeywords are those that nothing comes of.
var idleVRRPKeywords = slices.Concat(
	idle(inSyncGroup, "it means nothing to keepalived any more, either",
		keyword{name: "global_tracking", kind: boolean, doc: "old"},
	),
	idle(inInstance, "ipvsctl vrrp shows what happens",
		keyword{name: "debug", kind: integer(0, 4), doc: "how much is logged"},
	),
	idle(inInstance, "write linkbeat_interfaces with its interface",
		keyword{name: "linkbeat_use_polling", kind: boolean, doc: "asks for the state of the link"},
	),
	idle(inInstance, "write lvs_sync_daemon in [global_defs], with this instance",
		keyword{name: "lvs_sync_daemon_interface", kind: device, doc: "old"},
	),
	idle(inBFD, "a session serves whoever names it",
		keyword{name: "vrrp", kind: boolean, doc: "tells instances only"},
		keyword{name: "checker", kind: boolean, doc: "tells checks only"},
	),
)
