package keepalived

// rootScope has what stands outside of any block and is not VRRP's.
var rootScope = scope{"", []keyword{
	{"virtual_server", Honoured, "", (*translation).virtualServer},
	{"virtual_server_group", Honoured, "", (*translation).virtualServerGroup},
	{"SSL", Honoured, "", (*translation).ssl},
}}

// serviceGroupScope has lines of its own form: addresses, ranges, networks, and fwmark.
var serviceGroupScope = scope{"virtual_server_group", nil}

const month = 31 * 24 * 3600

// checkSettings are keywords of virtual servers and real servers that are about all their checks.
func checkSettings() []keyword {
	return []keyword{
		{"delay_loop", Honoured, "", timer(0.000001, 0.001)},
		{"connect_timeout", Honoured, "", timer(0.000001, 0.001)},
		{"retry", Honoured, "", (*translation).strictRetry},
		{"delay_before_retry", Honoured, "", timer(0, 0.001)},
		{"warmup", Mapped, "where it is not written the first check is made at once; keepalived waits up to delay_loop and a second more", timer(0, 0)},
	}
}

var serviceScope = scope{"virtual_server", append([]keyword{
	{"ip_family", Honoured, "", (*translation).ipFamily},
	{"protocol", Honoured, "", (*translation).protocol},
	{"lb_algo", Honoured, "", (*translation).algorithm},
	{"lvs_sched", Mapped, "lb_algo", (*translation).algorithm},
	{"lb_kind", Honoured, "", method("lb_kind")},
	{"lvs_method", Mapped, "lb_kind", method("lb_kind")},
	{"hashed", Idle, "the kernel sets this flag on every service by itself", (*translation).hashed},
	{"ops", Honoured, "", flag},
	{"flag-1", Honoured, "", flag},
	{"flag-2", Honoured, "", flag},
	{"flag-3", Honoured, "", flag},
	{"sh-port", Honoured, "", scheduled("sh")},
	{"sh-fallback", Honoured, "", scheduled("sh")},
	{"mh-port", Honoured, "", scheduled("mh")},
	{"mh-fallback", Honoured, "", scheduled("mh")},
	{"persistence_timeout", Honoured, "", (*translation).persistence},
	{"persistence_granularity", Mapped, "a number is a length with IPv4, too; keepalived takes 24 for the netmask 0.0.0.24", text},
	{"persistence_engine", Honoured, "", (*translation).engine},
	{"ha_suspend", Honoured, "", flag},
	{"alpha", Honoured, "", flag},
	{"omega", Honoured, "", flag},
	{"quorum", Honoured, "", (*translation).quorum},
	{"hysteresis", Honoured, "", number(0, 1<<31-1)},
	{"quorum_up", Honoured, "", notify},
	{"quorum_down", Honoured, "", notify},
	{"inhibit_on_failure", Honoured, "", flag},
	{"sorry_server", Honoured, "", (*translation).sorryServer},
	{"sorry_server_inhibit", Honoured, "", sorryKeyword(flag)},
	{"sorry_server_lvs_method", Honoured, "", sorryKeyword(method("sorry_server_lvs_method"))},
	{"smtp_alert", Honoured, "", boolean},
	{"virtualhost", Honoured, "", virtualHost},
	{"snmp_name", Idle, "ipvsd has no SNMP; its metrics call services by address", nil},
	{"weight", Honoured, "", number(1, 1<<31-1)},
	{"real_server", Honoured, "", (*translation).realServer},
}, checkSettings()...)}

var serverScope = scope{"real_server", append(append([]keyword{
	{"weight", Honoured, "", number(0, 1<<31-1)},
	{"lvs_method", Mapped, "lb_kind", method("lb_kind")},
	{"uthreshold", Honoured, "", number(0, 1<<31-1)},
	{"lthreshold", Mapped, "left out where it is more than uthreshold, with which the kernel refuses keepalived's server", number(0, 1<<31-1)},
	{"inhibit_on_failure", Honoured, "", boolean},
	{"notify_up", Honoured, "", notify},
	{"notify_down", Honoured, "", notify},
	{"alpha", Honoured, "", boolean},
	{"smtp_alert", Honoured, "", boolean},
	{"virtualhost", Honoured, "", virtualHost},
	{"snmp_name", Idle, "ipvsd has no SNMP; its metrics call servers by address", nil},
}, checkSettings()...), checkers...)}

// checkers are the blocks of checkers.
var checkers = []keyword{
	{"TCP_CHECK", Honoured, "", checks(nil)},
	{"HTTP_GET", Honoured, "", checks(finishHTTP)},
	{"SSL_GET", Honoured, "", checks(finishHTTP)},
	{"SMTP_CHECK", Honoured, "", checks(finishSMTP)},
	{"DNS_CHECK", Honoured, "", checks(nil)},
	{"MISC_CHECK", Honoured, "", checks(finishMisc)},
	{"UDP_CHECK", Honoured, "", checks(finishUDP)},
	{"PING_CHECK", Honoured, "", checks(finishPing)},
	{"FILE_CHECK", Mapped, "the file is read once a second; keepalived sees at once when it changes", checks(finishFile)},
	{"BFD_CHECK", Honoured, "", checks(finishBFD)},
}

// connecting are keywords of checks that connect.
func connecting() []keyword {
	return []keyword{
		{"connect_ip", Honoured, "", connectAddress},
		{"connect_port", Honoured, "", connectPort},
		{"bindto", Honoured, "", connectAddress},
		{"bind_port", Honoured, "", connectPort},
		{"bind_if", Honoured, "", text},
		{"fwmark", Honoured, "", number(0, 1<<32-1)},
		{"connect_timeout", Honoured, "", timer(0.000001, 0.001)},
	}
}

// scheduling are keywords of checks that run again and again.
func scheduling() []keyword {
	return []keyword{
		{"retry", Honoured, "", retryOf},
		{"delay_before_retry", Honoured, "", timer(0, 0.001)},
		{"warmup", Mapped, "where it is not written the first check is made at once; keepalived waits up to delay_loop and a second more", timer(0, 0)},
		{"delay_loop", Honoured, "", timer(0.000001, 0.001)},
		{"alpha", Honoured, "", boolean},
		{"log_all_failures", Honoured, "", boolean},
	}
}

// checkScope is the scope of a checker that connects and runs again and again.
func checkScope(name string, own ...keyword) scope {
	return scope{name, append(append(own, connecting()...), scheduling()...)}
}

var (
	tcpScope  = checkScope("TCP_CHECK")
	pingScope = checkScope("PING_CHECK")
	httpScope = checkScope("HTTP_GET", webKeywords()...)
	sslScope  = checkScope("SSL_GET", webKeywords()...)
	smtpScope = checkScope("SMTP_CHECK",
		keyword{"helo_name", Honoured, "", heloName},
		keyword{"host", Mapped, "a check of its own", (*translation).smtpHost},
	)
	smtpHostScope = scope{"SMTP_CHECK host", connecting()}
	dnsScope      = checkScope("DNS_CHECK",
		keyword{"type", Honoured, "", dnsType},
		keyword{"name", Honoured, "", dnsName},
	)
	miscScope = scope{"MISC_CHECK", append([]keyword{
		{"misc_path", Honoured, "", miscPath},
		{"misc_timeout", Honoured, "", miscTimeout},
		{"misc_dynamic", Honoured, "", flag},
		{"user", Honoured, "", miscUser},
	}, scheduling()...)}
	udpScope = checkScope("UDP_CHECK",
		keyword{"payload", Honoured, "", hexadecimal},
		keyword{"require_reply", Honoured, "", hexadecimal},
		keyword{"min_reply_length", Honoured, "", number(0, 65535)},
		keyword{"max_reply_length", Honoured, "", number(0, 65535)},
	)
	fileCheckScope = scope{"FILE_CHECK", []keyword{
		{"track_file", Honoured, "", text},
		{"weight", Honoured, "", fileWeight},
	}}
	bfdCheckScope = scope{"BFD_CHECK", []keyword{
		{"name", Honoured, "", text},
		{"alpha", Honoured, "", boolean},
	}}
	urlScope = scope{"url", []keyword{
		{"path", Honoured, "", urlPath},
		{"digest", Honoured, "", urlDigest},
		{"status_code", Honoured, "", urlStatus},
		{"virtualhost", Honoured, "", virtualHost},
		{"regex", Honoured, "", urlRegex},
		{"regex_no_match", Honoured, "", flag},
		{"regex_options", Honoured, "", urlOptions},
		{"regex_min_offset", Honoured, "", number(0, 1<<31-1)},
		{"regex_max_offset", Honoured, "", number(0, 1<<31-1)},
		{"regex_stack", Idle, "the matcher needs no stack", nil},
		{"tls_compliant", Honoured, "", boolean},
	}}
	sslBlockScope = scope{"SSL", []keyword{
		{"password", Mapped, "refused only if the key is encrypted", text},
		{"ca", Honoured, "", text},
		{"certificate", Honoured, "", text},
		{"key", Honoured, "", text},
	}}
)

// webKeywords are those of HTTP_GET and SSL_GET.
func webKeywords() []keyword {
	return []keyword{
		{"nb_get_retry", Mapped, "retry", old("retry", retryOf)},
		{"virtualhost", Honoured, "", virtualHost},
		{"http_protocol", Honoured, "", httpProtocol},
		{"enable_sni", Honoured, "", boolean},
		{"sni_name", Honoured, "", text},
		{"fast_recovery", Honoured, "", boolean},
		{"tls_compliant", Honoured, "", boolean},
		{"url", Honoured, "", (*translation).url},
	}
}
