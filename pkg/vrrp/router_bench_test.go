package vrrp

import (
	"fmt"
	"testing"
	"time"
)

// many is a router with n instances that are active, or backups of a router that is heard.
func many(b *testing.B, n int) (*Router, []string, time.Time) {
	b.Helper()
	r, now := NewRouter(), time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	var in []Instance
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("V%d", i))
		in = append(in, instance(names[i]))
	}
	r.Change(now, in, nil)
	for i, name := range names {
		r.Step(now.Add(time.Duration(i)*time.Millisecond), Startup{name, now})
	}
	return r, names, now.Add(time.Duration(n) * time.Millisecond)
}

// BenchmarkAdverts is one advert sent of a router with 1000 active instances.
func BenchmarkAdverts(b *testing.B) {
	r, _, now := many(b, 1000)
	for r.Deadline().Before(now.Add(time.Minute)) {
		r.Step(r.Deadline(), Tick{})
	}
	b.ReportAllocs()
	for b.Loop() {
		r.Step(r.Deadline(), Tick{})
	}
}

// BenchmarkReceived is one advert received by one of 1000 backups.
func BenchmarkReceived(b *testing.B) {
	r, names, now := many(b, 1000)
	i := 0
	evs := make([]Event, len(names))
	for i, name := range names {
		evs[i] = Received{name, upper, Advert{Version: 3, VRID: 51, Priority: 150, Interval: time.Second}}
	}
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Millisecond)
		r.Step(now, evs[i%len(evs)])
		i++
	}
}

// BenchmarkStatus is the status of 1000 instances.
func BenchmarkStatus(b *testing.B) {
	r, _, _ := many(b, 1000)
	b.ReportAllocs()
	for b.Loop() {
		r.Status()
	}
}
