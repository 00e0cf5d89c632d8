package config

import (
	"time"

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
	{"delay_loop", 5 * time.Second, "60 s", "a dead server is found in seconds; a connect every 5 s is no load"},
	{"connect_timeout", 3 * time.Second, "5 s", "a server that takes longer to accept is of no use to clients"},
	{"retry", int64(1), "", "one lost packet is not a dead server"},
	{"delay_before_retry", time.Second, "", "twice in a second is enough to be sure"},
	{"warmup", time.Duration(0), "delay_loop + 1 s", "servers are down until checked (alpha), so check them at once"},
	{"quorum", int64(1), "", "one live server is enough"},
	{"hysteresis", int64(0), "", "the quorum is lost as soon as it isn't met"},
	{"drain_timeout", time.Duration(0), "", "a server that leaves the file goes at once, as with keepalived"},
	{"lvs_sysctl_defaults", true, "false", "the kernel's own defaults drop or misdirect connections; see contrib/decisions"},
	{"lvs_sysctl_restore", false, "", "they serve the connections that outlive the daemon, too"},
	{"log_all_failures", false, "", "one line for each change of state"},
}

// bareTimeout is keepalived's persistence_timeout when it is given without a time.
const bareTimeout = 360 * time.Second

func defaultOf(keyword string) any {
	for i := range defaults {
		if defaults[i].keyword == keyword {
			return defaults[i].value
		}
	}
	return nil
}
