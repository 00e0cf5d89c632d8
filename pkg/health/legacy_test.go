package health

import (
	"maps"
	"net/netip"
	"testing"
	"time"
)

// A new check takes over what the one of its subject that was probed last knew, under its own policy.
func TestLegacy(t *testing.T) {
	start := time.Unix(1000, 0)
	old := Check{Type: "TCP_CHECK", Target: netip.MustParseAddrPort("192.0.2.1:80"), Timeout: time.Second, Policy: Policy{DelayLoop: time.Minute}}
	older := old
	older.Timeout = 2 * time.Second
	judged := func(at time.Time, r Result) Checker {
		k, _ := New(old.Policy, at, 0).Start(at)
		k = k.Step(at, r)
		return k
	}
	next := old
	next.Timeout, next.Policy = 3*time.Second, Policy{DelayLoop: time.Second, Alpha: true}
	fresh := next
	fresh.Policy.Alpha = false
	former := map[ID]Checker{
		old.ID(): judged(start.Add(time.Second), Result{Err: "connection refused"}), older.ID(): judged(start, Result{}), fresh.ID(): New(fresh.Policy, start, 0),
	}
	l := LegacyFor([]ID{next.ID()}, maps.Keys(former), func(id ID) Checker { return former[id] })
	now := start.Add(10 * time.Second)
	k, known := l.Heir(next.ID(), now)
	if !known || k.State != Down || k.LastResult.Err != "connection refused" || k.Deadline().After(now) || k.Alive() {
		t.Errorf("%v: %+v", known, k)
	}
	next.Target = netip.MustParseAddrPort("192.0.2.2:80")
	if k, known := l.Heir(next.ID(), now); known {
		t.Errorf("of another subject: %+v", k)
	}
}
