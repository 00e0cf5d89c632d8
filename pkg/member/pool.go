package member

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// Rule is which members of which sources a virtual server takes.
type Rule struct {
	Sources []Source
	Tags    []string     // a member must have all of them
	Minimum health.Share // with fewer nobody leaves: at least so many, or so many of those that there were
}

// Key tells the rule from the others of its virtual server, whatever its minimum is.
func (r *Rule) Key() string {
	var b strings.Builder
	for _, s := range r.Sources {
		b.WriteString(s.String())
		if s.At != "" {
			b.WriteString(" at " + s.At)
		}
		b.WriteByte('\n')
	}
	return b.String() + strings.Join(r.Tags, " ")
}

// Pooled is a member of a pool.
type Pooled struct {
	Member
	From string    `json:"from"`          // its source
	Held time.Time `json:"held,omitzero"` // since when its source no longer names it; it stays since too few would be left
}

// Pool is the members that a rule comes to, sorted, each address and port once. It is what goes to the disk: the last good answer.
type Pool struct {
	Members []Pooled  `json:"members"`
	Changed time.Time `json:"changed,omitzero"`
}

// Step returns the pool as it is after what sources say. A source that never answered, be it since the start, keeps its members of the
// pool. It says whether anything is new.
func (p Pool) Step(now time.Time, r *Rule, state func(Source) State) (_ Pool, changed bool) {
	var list []Pooled
	for _, source := range r.Sources {
		from := source.String()
		s := state(source)
		if s.Answered.IsZero() {
			for _, m := range p.Members {
				if m.From == from && m.Has(r.Tags) {
					list = append(list, m)
				}
			}
			continue
		}
		for _, m := range s.Members {
			if m.Has(r.Tags) {
				list = append(list, Pooled{Member: m, From: from})
			}
		}
	}
	known := make(map[string]bool, len(r.Sources))
	for _, s := range r.Sources {
		known[s.String()] = true
	}
	var before []Pooled // what its sources could have named
	for _, m := range p.Members {
		if known[m.From] && m.Has(r.Tags) {
			before = append(before, m)
		}
	}
	if list = arrange(list); named(list) < r.Minimum.Of(len(before)) {
		for _, m := range before {
			if m.Held.IsZero() {
				m.Held = now
			}
			list = append(list, m)
		}
		list = arrange(list)
	}
	if slices.EqualFunc(p.Members, list, func(a, b Pooled) bool {
		return a.From == b.From && a.Held.Equal(b.Held) && a.Equal(&b.Member)
	}) {
		return p, false
	}
	return Pool{Members: list, Changed: now}, true
}

// named returns how many members their sources name.
func named(list []Pooled) (n int) {
	for i := range list {
		if list[i].Held.IsZero() {
			n++
		}
	}
	return n
}

// Held returns how many members stay that no source names.
func (p Pool) Held() int { return len(p.Members) - named(p.Members) }

// arrange sorts members and leaves each address and port once: the first of them.
func arrange(list []Pooled) []Pooled {
	slices.SortStableFunc(list, func(a, b Pooled) int { return cmp.Or(compare(a.Member, b.Member)) })
	return slices.CompactFunc(list, func(a, b Pooled) bool { return compare(a.Member, b.Member) == 0 })
}
