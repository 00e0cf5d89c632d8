package config

import (
	"net/netip"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// unset is what holds for a keyword that is written nowhere on the way from check to real server to virtual server.
type unset struct {
	keyword    string
	value      any
	keepalived string // its default, where ours is another
	why        string
}

// defaults are ours where we do better than keepalived and nobody has to interoperate; other programs' files are read
// with keepalived's.
var defaults = []unset{
	{"lb_algo", "wlc", "",
		"spreads by load and respects weights; keepalived takes it, with an error"},
	{"lb_kind", forwarding{Forward: ipvs.NAT}, "",
		"needs nothing on the servers but a route back; keepalived takes it, with an error"},
	{"weight", int64(1), "", "all servers alike"},
	{"uthreshold", int64(0), "", "no limit"},
	{"lthreshold", int64(0), "", "the kernel's: three quarters of the upper one"},
	{"inhibit_on_failure", false, "", "removal lets the kernel send the clients of a dead server elsewhere"},
	{"alpha", true, "false", "a server that no check has passed gets no clients"},
	{"delay_loop", usualLoop, "60 s", "a dead server is found in seconds; a connect every 5 s is no load"},
	{"connect_timeout", 3 * time.Second, "5 s", "a server that takes longer to accept is of no use to clients"},
	{"retry", int64(1), "DNS_CHECK: 3", "one lost packet is not a dead server"},
	{"delay_before_retry", pauseBeforeRetry(usualLoop), "1 s; HTTP_GET and SSL_GET: 3 s, DNS_CHECK: delay_loop",
		"a tenth of delay_loop, at most 1 s: who wants to know soon does not wait for ten intervals"},
	{"rise", int64(1), "", "one success is enough"},
	{"fast_interval", time.Duration(0), "", "delay_before_retry is short enough for most"},
	{"hold_down", time.Duration(0), "", "a server is back as soon as its checks pass"},
	{"hold_down_max", 5 * time.Minute, "", "a server that comes and goes is tried again that often"},
	{"checks_needed", int64(0), "", "all: each check is about something that clients need"},
	{"slow_start", time.Duration(0), "", "most servers are as fast at once"},
	{"warmup", time.Duration(0), "delay_loop + 1 s", "servers are down until checked (alpha), so check them at once"},
	{"quorum", int64(1), "", "one live server is enough"},
	{"hysteresis", int64(0), "", "the quorum is lost as soon as it isn't met"},
	{"minimum", health.Share{Count: 1}, "", "a source that names nobody is more likely to be wrong"},
	{"minimum_healthy", health.Share{}, "", "checks are believed, as with keepalived"},
	{"role", roleBoth, "", "without VRRP both daemons run"},
	{"id", int64(0), "", "keepalived's without VRRP, and the kernel's"},
	{"port", int64(ipvs.SyncPort), "", "the kernel's"},
	{"ttl", int64(ipvs.SyncTTL), "", "the kernel's: connections are told on one network only"},
	{"group", ipvs.SyncGroup, "", "the kernel's"},
	{"on_stop", StopLeaves, "remove", "the kernel goes on balancing, and the next start takes over what it finds"},
	{"drain_timeout", time.Duration(0), "", "a server that leaves the file goes at once, as with keepalived"},
	{"lvs_sysctl_defaults", true, "false", "the kernel's own defaults drop or misdirect connections; see contrib/decisions"},
	{"per_server", true, "", "which server is slow is the first question"},
	{"max_servers", int64(2000), "", "some 30,000 series; with more, Prometheus should be asked first"},
	{"lvs_sysctl_restore", false, "", "they serve the connections that outlive the daemon, too"},
	{"startup_script_timeout", 10 * time.Second, "", "keepalived's"},
	{"shutdown_script_timeout", 10 * time.Second, "", "keepalived's"},
	{"log_all_failures", false, "", "one line for each change of state"},
	{"smtp_connect_timeout", 30 * time.Second, "", "mail waits in a queue, and nothing waits for it"},
	{"smtp_tls", MailTLSOpportunistic, "none", "what the server can is better than nothing; a certificate that nobody trusts keeps no mail away"},
	{"smtp_alert_format", FormatKeepalived, "", "the names of the keywords are keepalived's"},
	{"smtp_alert_repeat", time.Duration(0), "", "who has read it knows"},
	{"smtp_alert_phases", allPhases, "", "ldirectord's"},

	{"vrrp_version", int64(2), "", "the other directors may be keepalived's; version 3 on all of them is faster"},
	{"vrrp_mcast_group4", netip.MustParseAddr("224.0.0.18"), "", "the one of the RFC"},
	{"vrrp_mcast_group6", netip.MustParseAddr("ff02::12"), "", "the one of the RFC"},
	{"priority", int64(100), "", "the one of the RFC; of state MASTER it must be written, since keepalived takes 255 there"},
	{"advert_int", time.Second, "", "version 2 has nothing shorter, and all directors must have the same"},
	{"accept", true, "", "clients talk to the addresses"},
	{"preempt", true, "", "the RFC's"},
	{"vrrp_down_timer_adverts", int64(3), "", "the RFC's"},
	{"vrrp_higher_prio_send_advert", true, "false",
		"who was active all the time, and was not heard, has to announce its addresses again; false with vrrp_strict"},
	{"vrrp_garp_master_delay", 5 * time.Second, "", "once more for those who missed the first"},
	{"vrrp_garp_master_repeat", int64(5), "", "some of them get lost"},
	{"vrrp_garp_master_refresh", time.Duration(0), "", "neighbours that have heard it know it"},
	{"vrrp_garp_master_refresh_repeat", int64(1), "", "the next refresh is soon enough"},
	{"vrrp_garp_interval", time.Duration(0), "", "as fast as they can be sent"},
	{"vrrp_gna_interval", time.Duration(0), "", "as fast as they can be sent"},
	{"vrrp_garp_extra_if", extra{}, "", "only switches that forget fast need it"},
	{"vrrp_startup_delay", time.Duration(0), "", "a director is there as soon as it has started"},
	{"vrrp_wait_for_checks", 5 * time.Second, "none", "a director that takes over before it knows its servers has none for the clients"},
	{"vrrp_delay_after_boot", time.Duration(0), "", "a director is there as soon as it has started"},
	{"vrrp_rx_bufs_multiplier", int64(3), "", "keepalived's"},
	{"vrrp_rt_priority", int64(50), "none", "adverts that are late make two directors active; what comes before it is what the kernel does itself"},
	{"vrrp_priority", int64(0), "", "the real-time priority counts"},
	{"vrrp_no_swap", true, "false", "a page that must come from the disk makes an advert late"},
	{"vmac_prefix", "vrrp", "", "other programs may know the names"},
	{"vmac_addr_prefix", "vrrp", "", "other programs may know the names"},
	{"interval", time.Second, "", "keepalived's; a command a second is little"},
	{"min_rx", 10 * time.Millisecond, "", "both sides must be able to do it; the slower one wins"},
	{"min_tx", 10 * time.Millisecond, "", "both sides must be able to do it; the slower one wins"},
	{"idle_tx", time.Second, "", "RFC 5880 wants no less"},
	{"multiplier", int64(5), "", "keepalived's: one lost packet is no dead neighbour"},
	{"max_hops", int64(0), "", "RFC 5881: the neighbour is on the same link"},

	{"http_protocol", "1.1", "1.0", "what clients speak; some servers know nothing else any more"},
	{"enable_sni", true, "false", "clients do so; without it a server shows its first certificate, and may refuse"},
	{"fast_recovery", true, "false", "all URLs are checked each time; keepalived takes delay_loop for each"},
	{"redirect", redirectAnswer, "", "what the redirect leads to may be another server"},
	{"path", "/", "none", "there is something on most servers"},
	{"status_code", health.SuccessStatus(), "", "success, as RFC 9110 has it"},
	{"method", "GET", "", "what clients do"},
	{"regex_min_offset", int64(0), "", "from the start"},
	{"regex_max_offset", int64(0), "", "up to the end"},
	{"helo_name", "localhost", "smtpchecker.keepalived.org", "a server that looks it up finds it, and it is nobody else's"},
	{"type", "SOA", "", "each zone has one"},
	{"name", ".", "", "the root is known to all servers that answer for others"},
	{"min_reply_length", int64(0), "", "any answer is one"},
	{"max_reply_length", int64(65535), "255", "any answer is one"},
	{"tls", false, "", "as the protocol begins"},
	{"tls_verify", false, "", "servers behind a director seldom have certificates for their addresses"},
	{"tls_expiry", time.Duration(0), "", "who renews certificates watches them"},
}

// defaultsOf are those of a type of checks instead.
var defaultsOf = map[string][]unset{
	"MISC_CHECK": {{"retry", int64(0), "", "a command can try again by itself, and is believed"}},
	"BFD_CHECK":  {{"retry", int64(0), "", "a session that is down has missed several packets already"}},
}

// defaultsUnder are those that hold with a scheduler instead.
var defaultsUnder = map[string][]unset{
	"mh": {
		{"inhibit_on_failure", true, "false",
			"a server that keeps its place with weight 0 leaves the table of the others' clients as it is; removal changes it"},
		{"mh-fallback", true, "false",
			"the clients of a server that takes none go to others, the same ones on every director; without it they get none"},
	},
}

// usualLoop is delay_loop if it is not written.
const usualLoop = 5 * time.Second

// pauseBeforeRetry is delay_before_retry if it is not written.
func pauseBeforeRetry(loop time.Duration) time.Duration { return min(loop/10, time.Second) }

// bareTimeout is keepalived's persistence_timeout when it is given without a time.
const bareTimeout = 360 * time.Second

func defaultOf(keyword string) any { return find(defaults, keyword) }

// defaultUnder is the default with a scheduler.
func defaultUnder(scheduler, keyword string) any {
	if v := find(defaultsUnder[scheduler], keyword); v != nil {
		return v
	}
	return defaultOf(keyword)
}

func find(list []unset, keyword string) any {
	for i := range list {
		if list[i].keyword == keyword {
			return list[i].value
		}
	}
	return nil
}
