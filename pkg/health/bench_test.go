package health_test

import (
	"fmt"
	"maps"
	"net/netip"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// BenchmarkLegacyFor is a reload that adds one check to 100,000.
func BenchmarkLegacyFor(b *testing.B) {
	const checks = 100_000
	checkOf := func(i int) health.ID {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		return health.Check{Type: "TCP_CHECK", Target: netip.AddrPortFrom(a, 80), Policy: policy}.ID()
	}
	known := make(map[health.ID]health.Checker, checks)
	up := health.New(policy, start, 0)
	up, _ = up.Start(up.Deadline())
	up = up.Step(start, pass)
	for i := range checks {
		known[checkOf(i)] = up
	}
	added := []health.ID{checkOf(checks)}
	for b.Loop() {
		if l := health.LegacyFor(added, maps.Keys(known), func(id health.ID) health.Checker { return known[id] }); len(l) != 1 {
			b.Fatal(fmt.Sprint(l))
		}
	}
}
