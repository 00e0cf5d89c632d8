package keepalived

import "testing"

// What package config advises is said in the words of the file that it is about.
func TestReword(t *testing.T) {
	for hint, want := range map[string]string{
		"write virtual_router_id = 51, the same on all directors":                                       "write virtual_router_id 51, the same on all directors",
		`write interface = "eth0"`:                                                                      "write interface eth0",
		"write no_virtual_ipaddress = true if that is meant":                                            "write no_virtual_ipaddress if that is meant",
		`write virtual_ipaddress = ["192.0.2.200/24"], or no_virtual_ipaddress = true if that is meant`: "write virtual_ipaddress { 192.0.2.200/24 }, or no_virtual_ipaddress if that is meant",
		"write mh-fallback = true; with false such servers are removed instead":                         "write mh-fallback; without it such servers are removed instead",
		"add TCP_CHECK = true, or leave it out":                                                         "add TCP_CHECK { }, or leave it out",
		"dynamic_interfaces = true in [global_defs] says that it comes later":                           "dynamic_interfaces in global_defs says that it comes later",
		"add TCP_CHECK = true, or TCP_CHECK = false if that is meant":                                   "write TCP_CHECK { } in each real_server, unless that is meant",
		"write [[webhook]]":                          "", // keepalived has none
		"write minimum_healthy = \"50%\"":            "",
		"write log_all_failures = false":             "", // which is what it is without the line
		"servers are [[virtual_server.real_server]]": "",
	} {
		if got := reword(hint); got != want {
			t.Errorf("%s: got %q, want %q", hint, got, want)
		}
	}
}
