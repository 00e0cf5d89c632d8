package daemon

import (
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/engine"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
)

// idle is an engine that does nothing.
type idle struct{}

func (idle) Change(_, _ []health.ID)            {}
func (idle) Suspend([]health.ID)                {}
func (idle) Resume([]health.ID)                 {}
func (idle) Now([]health.ID)                    {}
func (idle) Limit(engine.Limits)                {}
func (idle) Adopt(map[health.ID]health.Checker) {}
func (idle) Stats() (s engine.Stats)            { return s }
func (idle) Lateness() (h engine.Histogram)     { return h }
func (idle) Types() (list []engine.TypeStats)   { return list }

// ownerOf returns an owner of so many servers in services of a thousand, and what the engine reports of them.
func ownerOf(b testing.TB, servers int) (*owner, []engine.Report) {
	b.Helper()
	var text strings.Builder
	for i := range servers {
		if i%1000 == 0 {
			fmt.Fprintf(&text, "[[virtual_server]]\naddress = \"192.0.2.%d:80\"\nprotocol = \"TCP\"\nTCP_CHECK = true\n", 1+i/1000)
			fmt.Fprint(&text, "real_servers = [")
		}
		fmt.Fprintf(&text, "\"%s\",", netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 80))
		if i%1000 == 999 || i == servers-1 {
			fmt.Fprint(&text, "]\n")
		}
	}
	cfg, problems := config.Load("bench.toml", []byte(text.String()))
	if problems.Err() != nil {
		b.Fatal(problems)
	}
	o := Options{StateDir: b.TempDir(), Log: slog.New(slog.DiscardHandler)}
	n := newOwner(o, filesIn(o), new(ipvstest.Kernel), make(desired.Owned))
	n.herald = new(heard)
	n.routers = new(routerGroup)
	n.checks = idle{}
	n.adopt(cfg, nil, time.Now())
	var reports []engine.Report
	now := time.Now()
	for id := range cfg.Checks() {
		k, _ := health.New(id.Check().Policy, now, 0).Start(now.Add(time.Minute))
		reports = append(reports, engine.Report{Check: id, Checker: k.Step(now.Add(time.Minute), health.Result{Took: time.Millisecond})})
	}
	for _, r := range reports {
		n.board.post(r)
	}
	n.takeNews()
	return n, reports
}

// BenchmarkTake is what a result costs besides its probe: one that changes nothing, and one that changes a server.
func BenchmarkTake(b *testing.B) {
	for _, servers := range []int{100, 10_000} {
		o, reports := ownerOf(b, servers)
		b.Run(fmt.Sprintf("nothing new of %d", servers), func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				r := &reports[i%len(reports)]
				r.Checker.Probes++
				o.board.post(*r)
			}
			if len(o.board.news) > 0 {
				b.Error("there is news")
			}
		})
		b.Run(fmt.Sprintf("news of %d", servers), func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				r := &reports[i%len(reports)]
				r.Checker.Probes++
				r.Checker.State ^= health.Up ^ health.Down
				o.board.post(*r)
				o.takeNews()
			}
		})
	}
}

// A result that changes nothing is kept without an allocation, and wakes nobody.
func TestNoNewsIsCheap(t *testing.T) {
	o, reports := ownerOf(t, 3)
	for len(o.board.dirty) > 0 {
		<-o.board.dirty
	}
	n := testing.AllocsPerRun(1000, func() {
		for i := range reports {
			reports[i].Checker.Probes++
			o.board.post(reports[i])
		}
	})
	if n > 0 || len(o.board.dirty) > 0 || len(o.board.news) > 0 {
		t.Errorf("%v allocations, news of %d checks", n, len(o.board.news))
	}
}

// BenchmarkMemory is what a check takes in the owner, with the last results of each, besides what it takes in the engine.
func BenchmarkMemory(b *testing.B) {
	const servers = 10_000
	var before, after runtime.MemStats
	for range b.N {
		runtime.GC()
		runtime.ReadMemStats(&before)
		o, reports := ownerOf(b, servers)
		for range 20 {
			for i := range reports {
				reports[i].Checker.Probes++
				o.board.post(reports[i])
			}
		}
		reports = nil
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/servers, "B/check")
		runtime.KeepAlive(o)
	}
}
