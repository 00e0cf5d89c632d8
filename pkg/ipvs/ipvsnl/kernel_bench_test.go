//go:build kernel

package ipvsnl

import (
	"context"
	"fmt"
	"net/netip"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// tableOf returns the commands that make services with so many servers each.
func tableOf(services, servers int) []ipvs.Command {
	c := make([]ipvs.Command, 0, services*(servers+1))
	for i := range services {
		s := ipvs.Service{
			ServiceKey: ipvs.AddressKey(ipvs.TCP,
				netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 80)),
			Scheduler: "wlc", Granularity: 32,
		}
		c = append(c, ipvs.Command{Op: ipvs.NewService, Service: s})
		for j := range servers {
			c = append(c, ipvs.Command{Op: ipvs.NewDestination, Service: s, Destination: ipvs.Destination{
				Addr:   netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, byte(j >> 8), byte(j)}), 80),
				Weight: 1,
			}})
		}
	}
	return c
}

func BenchmarkKernel(b *testing.B) {
	for _, size := range []struct{ services, servers int }{{500, 20}, {1000, 100}} {
		commands := tableOf(size.services, size.servers)
		b.Run(fmt.Sprintf("Apply/%dx%d", size.services, size.servers), func(b *testing.B) {
			for b.Loop() {
				// A namespace for each, since the kernel searches deleted servers for those that are added.
				b.StopTimer()
				c := client(b)
				b.StartTimer()
				apply(b, c, commands)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(commands)), "ns/command")
		})
		b.Run(fmt.Sprintf("Snapshot/%dx%d", size.services, size.servers), func(b *testing.B) {
			c := client(b)
			apply(b, c, commands)
			for b.Loop() {
				t, err := c.Snapshot(context.Background())
				if err != nil {
					b.Fatal(err)
				}
				if s, d := t.Len(); s != size.services || d != size.services*size.servers {
					b.Fatalf("snapshot has %d services and %d servers", s, d)
				}
			}
		})
	}
}
