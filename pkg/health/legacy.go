package health

import (
	"iter"
	"net/netip"
	"time"
)

// Legacy is what checks know of the subjects of new ones, which take it over.
type Legacy map[ID]Checker

// LegacyFor returns what is known for new checks, by checks that go and by those that stay: of several of one subject, by the
// one that had its last probe later.
func LegacyFor(added []ID, known iter.Seq2[ID, Checker]) Legacy {
	if len(added) == 0 {
		return nil
	}
	var l Legacy
	targets := make(map[netip.AddrPort]bool) // most checks are of none of them, which is soon seen
	for id, k := range known {
		if l == nil { // not before there is anything to take over: at the start all checks are new
			l = make(Legacy, len(added))
			for _, id := range added {
				c := id.Check()
				l[c.Subject().ID()], targets[c.Target] = Checker{}, true
			}
		}
		c := id.Check()
		if !targets[c.Target] {
			continue
		}
		subject := c.Subject().ID()
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
