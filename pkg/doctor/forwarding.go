package doctor

import (
	"fmt"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// forwarding asks whether the kernel forwards where NAT needs it: the answers of servers come in for the client's address, and IPVS
// sees them on their way through only (NF_INET_FORWARD). DR and TUN do without.
func forwarding(f *Facts, r *Report) {
	for _, family := range []struct {
		family ipvs.Family
		path   string
	}{{ipvs.IPv4, "net/ipv4/ip_forward"}, {ipvs.IPv6, "net/ipv6/conf/all/forwarding"}} {
		var affected []string
		for _, s := range f.services() {
			for _, server := range s.Servers {
				way := f.route(server.Addr.Addr())
				here := way != nil && way.Local // such answers are the machine's own: nothing is forwarded
				if s.Key.Family == family.family && forwards(&server, ipvs.NAT) && !here {
					affected = append(affected, s.Key.String())
					break
				}
			}
		}
		if on, known := f.sysctl(family.path); !known || on != 0 || len(affected) == 0 {
			continue
		}
		r.found(Finding{
			ID: "ip-forward", Severity: Problem, Where: strings.ReplaceAll(family.path, "/", "."),
			What: fmt.Sprintf("The kernel does not forward, and %s servers under NAT: %s.", has(len(affected)), some(affected)),
			Why:  "The servers' answers come in addressed to the client and are dropped here: every request ends in a timeout.",
			Mend: []string{set(family.path, 1)}, Then: kept,
		})
	}
}

func has(services int) string {
	if services == 1 {
		return "1 service has"
	}
	return fmt.Sprintf("%d services have", services)
}
