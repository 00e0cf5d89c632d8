package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// served is what a virtual server serves.
type served struct {
	name   string
	keys   []ipvs.ServiceKey // of its services, sorted
	claims []claim

	protocol ipvs.Protocol // of its addresses; 0: it has none, only fwmarks
	v4, v6   bool          // the families of its services
	marked   bool          // one of them is a fwmark
	ports    []uint16      // of its addresses, each once
}

// survey fills in what the keys have in common.
func (sv *served) survey() {
	seen := make(map[uint16]bool)
	for _, k := range sv.keys {
		sv.v4 = sv.v4 || k.Family == ipvs.IPv4
		sv.v6 = sv.v6 || k.Family == ipvs.IPv6
		if k.FWMark != 0 {
			sv.marked = true
			continue
		}
		sv.protocol = k.Protocol
		if port := k.Addr.Port(); !seen[port] {
			seen[port] = true
			sv.ports = append(sv.ports, port)
		}
	}
}

// has says whether services of a family are among them.
func (sv *served) has(f ipvs.Family) bool { return f == ipvs.IPv4 && sv.v4 || f == ipvs.IPv6 && sv.v6 }

// port returns the port that all services have, 0 if there is none.
func (sv *served) port() uint16 {
	if len(sv.ports) == 1 && !sv.marked {
		return sv.ports[0]
	}
	return 0
}

// claim is a part of what a virtual server serves: an address or a fwmark, or an entry of its group.
type claim struct {
	entry
	protocol ipvs.Protocol
	at       spot   // where it is claimed
	block    *block // by whom
	group    *group // nil: by itself
}

// key returns the key of the service at one of the addresses.
func (c *claim) key(a netip.Addr) ipvs.ServiceKey {
	return ipvs.AddressKey(c.protocol, netip.AddrPortFrom(a, c.port))
}

// service returns the first service.
func (c *claim) service() ipvs.ServiceKey {
	if c.mark != 0 {
		return ipvs.FWMarkKey(c.mark, c.family)
	}
	return c.key(c.from)
}

// what returns the claim in words.
func (c *claim) what() string {
	if c.mark != 0 {
		return fmt.Sprintf("fwmark %d", c.mark)
	}
	return c.entry.String()
}

// overlaps sorts claims and calls a function with two that have a service in common, in the order of the file, for each claim
// that has one in common with an earlier one. A mark without a family is taken for both.
func overlaps(claims []claim, both func(first, later *claim)) {
	slices.SortFunc(claims, func(a, b claim) int {
		return cmp.Or(
			cmp.Compare(a.mark, b.mark), cmp.Compare(a.family, b.family),
			cmp.Compare(a.protocol, b.protocol), cmp.Compare(a.port, b.port),
			a.from.Compare(b.from), cmp.Compare(a.at.from, b.at.from),
		)
	})
	farthest := 0
	for i := 1; i < len(claims); i++ {
		c, far := &claims[i], &claims[farthest]
		switch {
		case c.mark != far.mark, c.mark != 0 && far.family != 0 && c.family != far.family,
			c.mark == 0 && (c.protocol != far.protocol || c.port != far.port || far.to.Less(c.from)):
			farthest = i
			continue
		case far.at.from <= c.at.from:
			both(far, c)
		default:
			both(c, far)
		}
		if c.mark == 0 && far.to.Less(c.to) {
			farthest = i
		}
	}
}

// duplicates reports services that several virtual servers have, once for each two of these.
func (r *report) duplicates(claims []claim) {
	said := make(map[[2]*block]bool)
	overlaps(claims, func(first, later *claim) {
		pair := [2]*block{first.block, later.block}
		if first.block == later.block || said[pair] {
			return
		}
		said[pair] = true
		key := first.service()
		if later.mark == 0 && first.from.Less(later.from) {
			key = later.service()
		}
		whose := func(c *claim) string {
			if c.group == nil {
				return ""
			}
			return fmt.Sprintf(": the group %s on %s has it, as %s", c.group.name, c.group.line, c.what())
		}
		r.fail(later.at, r.firstAt(first.at)+whose(first), "the service %s is there twice%s", key, whose(later))
	})
}
