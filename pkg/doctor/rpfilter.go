package doctor

import (
	"fmt"
	"net/netip"
	"slices"
)

// reversePath asks whether the kernel drops clients' packets because the way back to them leads by another interface.
func reversePath(f *Facts, r *Report) {
	var done []string
	for _, vip := range f.vips() {
		link := f.holder(vip)
		if !vip.Is4() || link == nil || !link.Ethernet || slices.Contains(done, link.Name) {
			continue
		}
		if mode, known := f.strongest(link.Name, "rp_filter"); !known || mode != 1 {
			continue
		}
		var ways []string
		for _, d := range f.Defaults {
			if !d.IPv6 {
				ways = append(ways, d.Link)
			}
		}
		if len(ways) == 0 || slices.Contains(ways, link.Name) || vip.IsPrivate() && f.outside(ways) {
			continue
		}
		done = append(done, link.Name)
		path := "net/ipv4/conf/" + link.Name + "/rp_filter"
		r.found(Finding{
			ID: "rp-filter", Severity: Warning, Where: link.Name,
			What: fmt.Sprintf("%s is on %s, the default route leads out by %s, and rp_filter is strict (1) on %s.", vip, link.Name, some(ways), link.Name),
			Why: "A packet from a client beyond that network, whose way back leads by another interface, is dropped without a trace. Under DR and TUN this director never " +
				"answers clients, so that nothing else needs that way.",
			Mend: []string{set(path, 2)}, Then: "If all clients are on the interface's own network, nothing is to be done. " + kept,
		})
	}
}

// outside says whether there are services at the addresses of links by which the default routes lead: then the others are for clients inside.
func (f *Facts) outside(ways []string) bool {
	return slices.ContainsFunc(f.vips(), func(a netip.Addr) bool {
		l := f.holder(a)
		return l != nil && slices.Contains(ways, l.Name)
	})
}
