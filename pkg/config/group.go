package config

import (
	"fmt"
	"slices"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// mostServices is how many services a group can have: a /14. Each is an entry in the kernel's table with servers of its own.
const mostServices = 1 << 18

const insteadOfMany = "mark the packets in the firewall instead and write fwmark = 7: one service, however many addresses"

// group is a virtual_server_group.
type group struct {
	name    string
	line    string     // of its header, for messages
	idle    Diagnostic // should nobody serve it
	entries []claim
	broken  bool // some could not be read
}

// group resolves a group by itself.
func (r *report) group(name string, b *block) *group {
	g := &group{name: name, line: r.lineOf(b.header.from)}
	g.idle = r.diagnostic(Warning, b.at(), "no virtual_server serves the group", fmt.Sprintf("write group = %q in one", name))
	count := 0
	for _, keyword := range []string{"address", "fwmark"} {
		v := b.value(keyword)
		if v == nil {
			continue
		}
		for _, item := range v.items {
			e, ok := item.data.(entry)
			if !ok {
				g.broken = true
				continue
			}
			g.entries = append(g.entries, claim{entry: e, at: item.at, block: b, group: g})
			if e.mark == 0 {
				count += e.count() - 1
			}
			count++
		}
	}
	g.broken = g.broken || len(b.meant) > 0
	switch {
	case len(g.entries) == 0 && !g.broken:
		r.fail(b.at(), `write address = ["192.0.2.1:80", "192.0.2.3-10:80"], or fwmark = 7`,
			"the group has neither an address nor a fwmark")
		g.broken = true
	case count > mostServices:
		r.fail(b.at(), insteadOfMany, "the group has %d services, more than %d", count, mostServices)
		g.broken = true
	}
	overlaps(slices.Clone(g.entries), func(first, later *claim) {
		what := fmt.Sprintf("the address %s", later.service().Addr)
		if later.mark != 0 {
			what = fmt.Sprintf("the fwmark %d", later.mark)
		}
		r.fail(later.at, r.firstAt(first.at)+": "+first.what(), "%s is there twice", what)
		g.broken = true
	})
	return g
}

// idleGroups warns of groups that nobody serves.
func (f *frame) idleGroups(virtuals []*VirtualServer) (found Diagnostics) {
	used := make(map[string]bool)
	for _, vs := range virtuals {
		used[vs.Group] = true
	}
	for _, name := range sortedKeys(f.groups) {
		if !used[name] {
			found = append(found, f.groups[name].idle)
		}
	}
	return found
}

// serve returns what a virtual server with a group serves.
func (g *group) serve(b *block, at spot, p ipvs.Protocol, family ipvs.Family) *served {
	sv := &served{}
	for _, c := range g.entries {
		c.at, c.block = at, b
		if c.mark != 0 {
			if c.family == 0 {
				c.family = family
			}
			sv.keys = append(sv.keys, ipvs.FWMarkKey(c.mark, c.family))
		} else {
			c.protocol = p
			for a := range c.addrs() {
				sv.keys = append(sv.keys, c.key(a))
			}
		}
		sv.claims = append(sv.claims, c)
	}
	slices.SortFunc(sv.keys, ipvs.ServiceKey.Compare)
	sv.survey()
	sv.name = "group " + bare(g.name)
	switch {
	case p != 0:
		sv.name += " " + p.String()
	case !sv.v4:
		sv.name += " " + ipvs.IPv6.String()
	}
	return sv
}
