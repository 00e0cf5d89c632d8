package engine_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/engine"
)

// BenchmarkEngine is what the engine itself spends on a probe, at 10,000 checks.
func BenchmarkEngine(b *testing.B) {
	const checks = 10_000
	probes := 0
	ctx, cancel := context.WithCancel(b.Context())
	e := engine.New(func(context.Context, health.Check) (f health.Finding, err error) { return f, nil }, func(r engine.Report) {
		if r.Checker.Probes > 0 {
			if probes++; probes == b.N {
				cancel()
			}
		}
	})
	set := make([]health.ID, checks)
	for i := range set {
		set[i] = health.Check{
			Target:  netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 80),
			Timeout: time.Second,
			Policy:  health.Policy{DelayLoop: time.Nanosecond}, // always due: the engine is never idle
		}.ID()
	}
	e.Change(nil, set)
	b.ReportAllocs()
	before := cpu(b)
	b.ResetTimer()
	e.Run(ctx)
	b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
}

// cpu returns the time that this process has computed.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
