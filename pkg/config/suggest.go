package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// unknown reports a name that is no keyword here, with a guess at what was meant.
func (d decoder) unknown(b *block, name string, p *place) {
	at := spot{p.key, b, name}
	hint, meant := guess(b.in, name)
	d.fail(at, hint, "%s has no keyword %q", b.in, name)
	b.meant = append(b.meant, meant)
}

// guess returns a hint what an unknown name was meant to be, or where it belongs, and the keyword of this table that it may
// stand for.
func guess(in scope, name string) (hint, meant string) {
	known := keywordsIn[in]
	if slices.Contains(dropped, name) {
		return "keepalived ignores it, too: leave it out", ""
	}
	if meant = misspelt[strings.ToLower(name)]; known[meant] != nil {
		return didYouMean(in, meant), meant
	}
	if in := home(name); in != 0 {
		return belongs(in, name), ""
	}
	if near := closest(name, sortedKeys(known)); near != "" {
		return didYouMean(in, near), near
	}
	if meant == "" {
		for _, in := range homes {
			meant = cmp.Or(meant, closest(name, sortedKeys(keywordsIn[in])))
		}
	}
	if here := misspelt[meant]; known[here] != nil { // misspelt twice over
		return didYouMean(in, here), here
	}
	if meant != "" {
		return didYouMean(home(meant), meant) + " " + belongs(home(meant), meant), ""
	}
	return "examples/reference.toml shows every keyword", ""
}

func didYouMean(in scope, name string) string {
	return fmt.Sprintf("did you mean %q (%s)?", name, keywordsIn[in][name].doc)
}

func belongs(in scope, name string) string {
	return fmt.Sprintf("%s belongs to %s; a keyword counts for the header above it", name, in)
}

// homes are the kinds of tables in the order in which a keyword's home is looked for.
var homes = func() []scope {
	list := []scope{inGlobal, inVirtual, inReal, inSorry, inURL}
	for s := inTCP; s < beyond; s <<= 1 {
		list = append(list, s)
	}
	return append(list, inHost, inGroup, inSysctl, inSync, inMembers, inMetrics, inSSLDefaults, inTrackFile, inInstance, inSyncGroup, inScript, inProcess,
		inBFD, inTrackRoute, inTrackGroup, inGARPGroup, inAuth, inHMAC, inAPI, inToken, inCertificateRole, inPeer, inWishes, inRoot)
}()

// home returns the table that a keyword belongs to, 0 if it is none.
func home(name string) scope {
	for _, in := range homes {
		if keywordsIn[in][name] != nil {
			return in
		}
	}
	return 0
}

// closest returns the candidate that a word was probably meant to be, or "".
func closest(word string, candidates []string) string {
	best, distance := "", min(len(word), 12)/3+1
	for _, c := range candidates {
		if d := edits(strings.ToLower(word), strings.ToLower(c)); d < distance {
			best, distance = c, d
		}
	}
	return best
}

// Closest is the same for those who read other dialects.
func Closest(word string, candidates []string) string { return closest(word, candidates) }

// edits counts the insertions, deletions, replacements and swaps of neighbours that lead from a to b.
func edits(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return max(len(a), len(b))
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// dropped are words that keepalived has lost long ago and ignores.
var dropped = []string{"nat_mask"}

// misspelt are words that people write for a keyword: slips that are common in keepalived files, other programs' words.
var misspelt = map[string]string{
	"lvs_id":                     "router_id",
	"connection_port":            "connect_port",
	"connection_timeout":         "connect_timeout",
	"bind_to":                    "bindto",
	"bind_interface":             "bind_if",
	"garp_master_delay":          "vrrp_garp_master_delay",
	"lvs_sync_daemon_inteface":   "lvs_sync_daemon",
	"lvs_sync_daemon_interface":  "lvs_sync_daemon",
	"scheduler":                  "lb_algo",
	"algorithm":                  "lb_algo",
	"method":                     "lb_kind",
	"forward":                    "lb_kind",
	"persistent":                 "persistence_timeout",
	"persistence":                "persistence_timeout",
	"netmask":                    "persistence_granularity",
	"interval":                   "delay_loop",
	"checkinterval":              "delay_loop",
	"checktimeout":               "connect_timeout",
	"timeout":                    "connect_timeout",
	"checkport":                  "connect_port",
	"checkcount":                 "retry",
	"failurecount":               "retry",
	"http_check":                 "HTTP_GET",
	"https_check":                "SSL_GET",
	"https_get":                  "SSL_GET",
	"ssl_check":                  "SSL_GET",
	"postgres_check":             "PGSQL_CHECK",
	"script_check":               "MISC_CHECK",
	"user":                       "login",
	"username":                   "login",
	"password":                   "passwd",
	"pass":                       "passwd",
	"pwd":                        "passwd",
	"query":                      "request",
	"request":                    "url",
	"httpmethod":                 "method",
	"quiescent":                  "inhibit_on_failure",
	"fallback":                   "sorry_server",
	"virtual_server_group":       "group",
	"ip":                         "address",
	"port":                       "address",
	"vip":                        "address",
	"server":                     "real_server",
	"servers":                    "real_servers",
	"real":                       "real_servers",
	"virtual":                    "virtual_server",
	"service":                    "virtual_server",
	"virtual_servers":            "virtual_server",
	"global":                     "global_defs",
	"globals":                    "global_defs",
	"smtp_connection_timeout":    "smtp_connect_timeout",
	"vrrp_garp_extra_interfaces": "vrrp_garp_extra_if",
}
