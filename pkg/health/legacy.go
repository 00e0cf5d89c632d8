package health

import "time"

// Legacy is what removed checks knew of their subjects. New checks of the same subjects take it over.
type Legacy map[Check]Checker

// Add keeps what a removed check knew, unless another one of the same subject had its last probe later.
func (l Legacy) Add(removed Check, k Checker) {
	if known, ok := l[removed.Subject()]; !ok || known.LastRun.Before(k.LastRun) {
		l[removed.Subject()] = k
	}
}

// Heir returns the checker of a new check, under its own policy; false if nobody knew its subject.
func (l Legacy) Heir(c Check, now time.Time) (Checker, bool) {
	k, ok := l[c.Subject()]
	if !ok {
		return Checker{}, false
	}
	return k.Under(c.Policy, now), true
}
