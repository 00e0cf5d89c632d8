package doctorhost

import (
	"os"
	"path/filepath"
	"strings"
)

const procSys = "/proc/sys/"

// patterns are the sysctls that doctor asks about, as paths with * for interfaces.
var patterns = []string{
	"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding",
	"net/ipv4/conf/*/rp_filter", "net/ipv4/conf/*/arp_ignore", "net/ipv4/conf/*/arp_announce", "net/ipv4/conf/*/send_redirects",
	"net/ipv4/vs/*", "net/netfilter/nf_conntrack_count", "net/netfilter/nf_conntrack_max",
}

// sysctls returns those that the kernel has and tells.
func sysctls() map[string]string {
	all := map[string]string{}
	for _, p := range patterns {
		files, _ := filepath.Glob(procSys + p) // the patterns are good
		for _, name := range files {
			if text, err := os.ReadFile(name); err == nil {
				all[strings.TrimPrefix(name, procSys)] = strings.TrimSpace(string(text))
			}
		}
	}
	return all
}
