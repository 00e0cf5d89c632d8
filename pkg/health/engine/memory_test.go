package engine_test

import (
	"context"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/engine"
)

// BenchmarkMemory is what a check takes in the engine, besides itself.
func BenchmarkMemory(b *testing.B) {
	const checks = 100_000
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	set := make([]health.ID, checks)
	for i := range set {
		set[i] = health.Check{
			Type:    "TCP_CHECK",
			Target:  netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 80),
			Timeout: time.Second,
			Policy:  health.Policy{DelayLoop: time.Hour, Warmup: time.Hour},
		}.ID()
	}
	for b.Loop() {
		before := heap()
		n := 0
		full := make(chan struct{})
		e := engine.New(func(context.Context, health.Check) (f health.Finding, err error) { return f, nil }, func(engine.Report) {
			if n++; n == checks {
				close(full)
			}
		})
		ctx, cancel := context.WithCancel(b.Context())
		ended := make(chan struct{})
		go func() { e.Run(ctx); close(ended) }()
		e.Change(nil, append([]health.ID(nil), set...))
		<-full
		b.ReportMetric(float64(heap()-before)/checks, "B/check")
		cancel()
		<-ended
		runtime.KeepAlive(e)
	}
	runtime.KeepAlive(set)
}
