package health

import (
	"iter"
	"net/netip"
	"time"
)

// Legacy is what checks know of the subjects of new ones, which take it over.
type Legacy map[ID]Checker

// LegacyFor returns what is known for new checks, by checks that go and by those that stay: of several of one subject, by the
// one that had its last probe later. A reload that adds a single check asks all there are, so of most nothing but the target is
// read.
func LegacyFor(added []ID, known iter.Seq[ID], of func(ID) Checker) Legacy {
	if len(added) == 0 {
		return nil
	}
	var l Legacy
	targets := make(map[netip.AddrPort]bool) // most checks are of none of them, which is soon seen
	for id := range known {
		if l == nil { // not before there is anything to take over: at the start all checks are new
			l = make(Legacy, len(added))
			for _, id := range added {
				c := id.Check()
				l[c.Subject().ID()], targets[c.Target] = Checker{}, true
			}
		}
		if !targets[id.handle.Value().Target] {
			continue
		}
		c := id.Check()
		subject, k := c.Subject().ID(), of(id)
		if last, wanted := l[subject]; wanted && k.State != Unchecked && !k.LastRun.Before(last.LastRun) {
			l[subject] = k
		}
	}
	return l
}

// Heir returns the checker of a new check, under its own policy; false if nobody knew its subject.
func (l Legacy) Heir(id ID, now time.Time) (Checker, bool) {
	c := id.Check()
	k := l[c.Subject().ID()]
	if k.State == Unchecked {
		return Checker{}, false
	}
	return k.Under(c.Policy, now), true
}
