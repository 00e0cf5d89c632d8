package doctor

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// direct asks whether servers under DR are on a network of this director: nothing of the packet tells a router where it is to go.
func direct(f *Facts, r *Report) {
	var done []netip.Addr
	for _, s := range f.services() {
		for i := range s.Servers {
			server := s.Servers[i].Addr.Addr()
			way := f.route(server)
			if !forwards(&s.Servers[i], ipvs.DR) || way == nil || !way.Gateway.IsValid() || slices.Contains(done, server) {
				continue
			}
			done = append(done, server)
			r.found(Finding{
				ID: "dr-router", Severity: Problem, Where: fmt.Sprintf("%s, server %s", s.Key, s.Servers[i].Addr),
				What: fmt.Sprintf("The server is behind the router %s, under DR.", way.Gateway),
				Why:  "DR sends packets on as they are, addressed to the service: the router sends them back here, or drops them. The server gets none.",
				Then: "Use TUN (lvs_method TUN, and ipvsctl realserver prepare --method TUN on the server), or give this director an interface on the server's network.",
			})
		}
	}
}

// tunnelEnd asks, on a real server of TUN, whether the kernel drops what comes out of the tunnel: the way back to clients is another one.
// A loose filter is enough, but not for an interface without addresses (fib_validate_source).
func tunnelEnd(f *Facts, r *Report) {
	for _, l := range f.Links {
		mode, known := f.strongest(l.Name, "rp_filter")
		if l.Kind != "ipip" || !l.Up || !known || mode == 0 {
			continue
		}
		bare := !slices.ContainsFunc(f.Addresses, func(a Address) bool { return a.Link == l.Name && a.Prefix.Addr().Is4() })
		held := f.heldForOthers()
		found := Finding{
			ID: "tunnel-rp-filter", Severity: Problem, Where: l.Name,
			What: "rp_filter is strict (1) on the tunnel's interface.",
			Why:  "What a director sends comes out of it with clients' addresses, whose way back leads by another interface: all of it is dropped without a trace.",
			Mend: []string{set("net/ipv4/conf/"+l.Name+"/rp_filter", 2)}, Then: kept,
		}
		switch {
		case bare && len(held) > 0:
			found.What = fmt.Sprintf("rp_filter is %d on the tunnel's interface, which has no address: %s is on lo.", mode, some(names(held)))
			found.Mend, found.Then = nil, "Also a loose filter (2) drops what comes in by an interface without addresses."
			for _, own := range f.Addresses {
				if a := own.Prefix.Addr(); slices.Contains(held, a) {
					found.Mend = append(found.Mend, fmt.Sprintf("ip address delete %s dev %s", own.Prefix, word(own.Link)),
						fmt.Sprintf("ipvsctl realserver prepare --vip %s --method TUN", a))
				}
			}
		case mode != 1:
			continue
		}
		r.found(found)
	}
}

func names(addrs []netip.Addr) (list []string) {
	for _, a := range addrs {
		list = append(list, a.String())
	}
	return list
}
