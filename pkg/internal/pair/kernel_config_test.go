//go:build kernel

package pair

import "strings"

// configTest is a file, with what keepalived -t and ours end with.
type configTest struct {
	name, text   string
	theirs, ours int
}

// instance is a virtual router with more lines.
func instance(lines string) string {
	return "vrrp_instance V {\ninterface eth0\nvirtual_router_id 51\npriority 100\n" + lines + "virtual_ipaddress {\n192.168.1.9/24\n}\n}\n"
}

// service is a virtual server with more lines, its server's among them.
func service(lines, server string) string {
	return "virtual_server 192.168.1.9 80 {\nlb_algo rr\nlb_kind NAT\nprotocol TCP\n" + lines +
		"real_server 192.168.1.101 80 {\n" + server + "}\n}\n"
}

// guarded says who runs scripts, as keepalived wants it.
const guarded = "global_defs {\nenable_script_security\nscript_user root\n}\n"

// differences are the files of which both think otherwise, and why.
var differences = []configTest{
	{"a missing word is a mistake like others", strings.Replace(routerConf, "priority 100", "priority", 1), 2, 5},
	{"what a newer keepalived knows is none", instance("owner_ignore_adverts\n"), 5, 0},
	{"a route that the kernel refuses has no effect", instance("virtual_routes {\n10.1.0.5/16 dev eth0\n}\n"), 0, 5},
	{"a time of two centuries has no effect", service("delay_loop 99999999999\n", ""), 0, 5},
}

// configTests are all of them.
func configTests() []configTest {
	tests := []configTest{
		{"good", routerConf, 0, 0},
		{"empty", "", 0, 0},
		{"no script security", service("", "MISC_CHECK {\nmisc_path /bin/true\n}\n"), 6, 6},
		{"no script security, and a mistake", instance("frob\nnotify /bin/true\n"), 6, 6},
		{"no account for scripts", "global_defs {\nenable_script_security\n}\n" + instance("notify /bin/true\n"), 5, 5},
		{"numbered account", guarded + service("", "MISC_CHECK {\nmisc_path /bin/true\nuser 0\n}\n"), 5, 5},
		{"no such account", "global_defs {\nscript_user nosuch\n}\n" + instance("notify /bin/true\n"), 5, 5},
	}
	for mistake, text := range map[string]string{
		"unknown keyword":         routerConf + "frob 1\n",
		"bad number":              strings.Replace(routerConf, "weight 2", "weight 2x", 1),
		"unbalanced":              strings.TrimSuffix(routerConf, "}\n"),
		"no VRID":                 strings.Replace(routerConf, "  virtual_router_id 51\n", "", 1),
		"state":                   instance("state master\n"),
		"loose number":            instance("garp_master_delay 5x\n"),
		"number out of range":     instance("garp_master_repeat 0\n"),
		"version 2 has seconds":   instance("advert_int 1.5\n"),
		"version 3 has 40":        instance("version 3\nadvert_int 50\n"),
		"long password":           instance("authentication {\nauth_type PASS\nauth_pass correcthorse\n}\n"),
		"no password":             instance("authentication {\nauth_type PASS\n}\n"),
		"password of version 3":   instance("version 3\nauthentication {\nauth_type PASS\nauth_pass abc\n}\n"),
		"source without peers":    instance("unicast_src_ip 192.168.1.101\n"),
		"peers without any":       instance("unicast_peer {\n}\n"),
		"unicast on a VMAC":       instance("use_vmac\nunicast_peer {\n192.168.1.102\n}\n"),
		"strict master":           instance("strict_mode on\nstate MASTER\n"),
		"BOOL":                    instance("skip_check_adv_addr maybe\n"),
		"old keyword":             instance("linkbeat_use_polling\n"),
		"no address":              strings.Replace(instance(""), "192.168.1.9/24\n", "", 1),
		"length of an address":    strings.Replace(instance(""), "/24", "/33", 1),
		"interface":               strings.Replace(instance(""), "eth0", "eth9", 1),
		"tracked interface":       instance("track_interface {\neth9\n}\n"),
		"route without interface": instance("virtual_routes {\n10.1.0.0/16 via 192.168.1.1\n}\n"),
		"route":                   instance("virtual_routes {\n10.1.0.0/16 dev eth0 frob\n}\n"),
		"rule without preference": instance("virtual_rules {\nfrom 10.1.0.0/16 table 100\n}\n"),
		"rule's user":             instance("virtual_rules {\nfrom 10.1.0.0/16 uidrange 5 table 100 preference 9\n}\n"),
		"group of one":            instance("") + "vrrp_sync_group G {\ngroup {\nV\n}\n}\n",
		"script's weight":         guarded + "vrrp_script s {\nscript /bin/true\nweight 300\n}\n" + instance("track_script {\ns\n}\n"),
		"two files":               "track_file F {\nfile /run/a\nfile /run/b\n}\n" + instance("track_file {\nF\n}\n"),
		"idle keyword":            "global_defs {\nchecker_rt_priority 100\n}\n" + service("", ""),
		"option":                  "global_defs {\ndynamic_interfaces frob\n}\n" + instance(""),
		"quorum":                  service("quorum 2\n", ""),
		"hysteresis":              service("hysteresis 1\n", ""),
		"old name of a check":     service("", "TCP_CHECK {\nnb_get_retry 3\n}\n"),
		"mark at the beginning":   "\ufeff" + service("", ""),
	} {
		tests = append(tests, configTest{mistake, text, 5, 5})
	}
	return append(tests, append(differences,
		configTest{"mistakes that nobody tells of in an instance", "global_defs {\nenable_script_security\nscript_user root\nvrrp_notify_fifo relative\n}\n" +
			instance("notify /no/such\ntrack_src_ip\nnopreempt off\nvirtual_routes {\n10.1.0.0/16 via 192.168.1.1 no_track\n}\n"), 0, 0},
		configTest{"mistakes that nobody tells of in a service", service("persistence_timeout 50\npersistence_engine frob\nsorry_server 192.168.1.2 80\n"+
			"sorry_server 192.168.1.3 80\n", "MISC_CHECK {\nmisc_path /no/such\n}\nHTTP_GET {\nurl {\npath /\nregex_min_offset 3\n}\n}\n"), 0, 0})...)
}
