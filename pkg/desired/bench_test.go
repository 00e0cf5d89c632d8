package desired_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// BenchmarkDecide is what it costs to decide one virtual server of 100 servers, each with a check of its own, among 1,000 of
// them, all of which are decided in turn.
func BenchmarkDecide(b *testing.B) {
	const services, servers = 1000, 100
	list := make([]*config.VirtualServer, services)
	verdicts := desired.Verdicts{}
	for i := range list {
		vs := &config.VirtualServer{Name: fmt.Sprint(i), Services: []ipvs.Service{web}, Quorum: health.Quorum{Needed: 1}}
		for j := range servers {
			at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), byte(j)}), 80)
			c := health.Check{Type: "TCP_CHECK", Target: at, Policy: health.Policy{Alpha: true, DelayLoop: time.Second}}
			k, _ := health.New(c.Policy, noon, 0).Start(noon)
			verdicts[c.ID()] = k.Step(noon, health.Result{})
			vs.RealServers = append(vs.RealServers, config.RealServer{
				Destination: ipvs.Destination{Addr: at, Weight: 1}, Checks: []health.ID{c.ID()},
			})
		}
		list[i] = vs
	}
	facts := desired.Facts{Verdicts: verdicts, Now: noon}
	b.ResetTimer()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if o := desired.Decide(list[i%services], facts); o.Alive != servers {
			b.Fatalf("%d servers alive", o.Alive)
		}
	}
}
