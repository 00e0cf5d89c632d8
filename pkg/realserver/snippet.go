package realserver

import (
	"fmt"
	"slices"
	"strings"
)

// Snippet is what keeps it over restarts of the machine: files for systemd, as text with their names.
func Snippet(vips []VIP) string {
	var b strings.Builder
	v4 := slices.ContainsFunc(vips, func(v VIP) bool { return v.Addr.Is4() })
	tun4 := slices.ContainsFunc(vips, func(v VIP) bool { return v.Link == tunnel4 })
	if v4 {
		fmt.Fprint(&b, "# /etc/sysctl.d/60-realserver.conf\nnet.ipv4.conf.all.arp_ignore = 1\nnet.ipv4.conf.all.arp_announce = 2\n")
		if tun4 {
			fmt.Fprintf(&b, "net.ipv4.conf.%s.rp_filter = 2\n", tunnel4)
		}
		fmt.Fprintln(&b)
	}
	var links []string
	for _, v := range vips {
		if !slices.Contains(links, v.Link) {
			links = append(links, v.Link)
		}
	}
	for _, m := range []struct{ link, module string }{{tunnel4, "ipip"}, {tunnel6, "ip6_tunnel"}} {
		if slices.Contains(links, m.link) {
			fmt.Fprintf(&b, "# /etc/modules-load.d/realserver-%s.conf\n%[1]s\n\n", m.module)
		}
	}
	for _, link := range links {
		fmt.Fprintf(&b, "# /etc/systemd/network/60-realserver-%s.network\n[Match]\nName=%[1]s\n", link)
		for _, v := range vips {
			if v.Link != link {
				continue
			}
			fmt.Fprintf(&b, "[Address]\nAddress=%s\n", v.Prefix())
			if v.Addr.Is6() {
				fmt.Fprint(&b, "DuplicateAddressDetection=none\nPreferredLifetime=0\n")
			}
		}
		fmt.Fprintln(&b)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
