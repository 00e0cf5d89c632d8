package daemon

import (
	"context"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
	"github.com/ipvsd/ipvsd/pkg/metrics"
	"github.com/ipvsd/ipvsd/pkg/metrics/exporter"
	"github.com/ipvsd/ipvsd/pkg/reconcile"
)

// BenchmarkScrape is what a scrape costs: how long the owner does nothing else, which is more than once in a large table; and the text of it all.
// What it takes to read the table is for the kernel to say.
func BenchmarkScrape(b *testing.B) {
	for _, servers := range []int{100, 10_000} {
		o, _ := ownerOf(b, servers)
		o.cfg.GlobalDefs.Metrics.MaxServers = servers
		round := o.round(b.Context(), reconcile.Whole)
		if len(round.Refused) > 0 {
			b.Fatal(round.Refused)
		}
		table, err := o.kernel.(*ipvstest.Kernel).Snapshot(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("a portion of %d", servers), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				o.addServices(o.figures(time.Now()), table, mark{}, time.Now())
			}
		})
		b.Run(fmt.Sprintf("text of %d", servers), func(b *testing.B) {
			b.ReportAllocs()
			facts := o.figures(time.Now())
			for next := (mark{}); next.virtual < len(o.cfg.VirtualServers); {
				next = o.addServices(facts, table, next, time.Now())
			}
			facts.Read = true
			e := exporter.New("", func(context.Context) (*metrics.Facts, error) { return facts, nil })
			for b.Loop() {
				w := httptest.NewRecorder()
				e.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
				b.ReportMetric(float64(w.Body.Len()), "B")
			}
		})
	}
}
