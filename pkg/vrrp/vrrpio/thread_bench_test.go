package vrrpio

import (
	"context"
	"fmt"
	"log/slog"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
)

// loads are what keeps the rest of the daemon, or of the host, busy until the context is done.
var loads = map[string]func(context.Context, *testing.B){
	"idle": func(context.Context, *testing.B) {},
	"garbage": func(ctx context.Context, _ *testing.B) {
		for range runtime.NumCPU() {
			go func() {
				type node struct{ left, right *node }
				var grow func(int) *node
				grow = func(depth int) *node {
					if depth == 0 {
						return &node{}
					}
					return &node{grow(depth - 1), grow(depth - 1)}
				}
				var kept [30]*node
				for i := 0; ctx.Err() == nil; i++ {
					kept[i%len(kept)] = grow(10)
				}
			}()
		}
	},
	"config": func(ctx context.Context, b *testing.B) {
		source := bigConfig()
		go func() {
			for ctx.Err() == nil {
				if _, diagnostics := config.Load("big.toml", source); len(diagnostics) > 0 {
					b.Error(diagnostics[0])
					return
				}
			}
		}()
	},
	"other processes": func(ctx context.Context, b *testing.B) {
		for range 2 * runtime.NumCPU() {
			busy := exec.CommandContext(ctx, "yes")
			if err := busy.Start(); err != nil {
				b.Fatal(err)
			}
			go busy.Wait() //nolint:errcheck // it is killed
		}
	},
}

// bigConfig has 2300 virtual servers with 16 real ones each.
func bigConfig() []byte {
	var conf strings.Builder
	for i := range 2300 {
		fmt.Fprintf(&conf, "[[virtual_server]]\naddress = \"10.%d.%d.1:80\"\nprotocol = \"TCP\"\nlb_algo = \"rr\"\nlb_kind = \"NAT\"\n", i/250, i%250)
		for j := range 16 {
			fmt.Fprintf(&conf, "[[virtual_server.real_server]]\naddress = \"10.100.%d.%d:80\"\n[virtual_server.real_server.TCP_CHECK]\n", i%250, j+1)
		}
	}
	return []byte(conf.String())
}

// BenchmarkThread measures how late the thread wakes up that should every 10 milliseconds: decision 0017.
func BenchmarkThread(b *testing.B) {
	for _, load := range []string{"idle", "garbage", "config", "other processes"} {
		for _, realtime := range []Realtime{{}, {Nice: -20}, {Priority: 50}} {
			b.Run(fmt.Sprintf("%s/rr=%d/nice=%d", load, realtime.Priority, realtime.Nice), func(b *testing.B) {
				ctx, cancel := context.WithCancel(b.Context())
				defer cancel()
				loads[load](ctx, b)
				late := make(chan []time.Duration)
				go func() { late <- lateness10ms(b, realtime) }()
				sorted := <-late
				slices.Sort(sorted)
				for name, at := range map[string]float64{"p50-µs": 0.5, "p99-µs": 0.99, "max-µs": 1} {
					b.ReportMetric(float64(sorted[int(at*float64(len(sorted)-1))].Microseconds()), name)
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// lateness10ms waits on the thread of a Runner, b.N times.
func lateness10ms(b *testing.B, realtime Realtime) (late []time.Duration) {
	log := startScribe(slog.New(slog.DiscardHandler))
	defer log.stop()
	net, err := newKernel()
	if err != nil {
		b.Error(err)
		return []time.Duration{0}
	}
	defer net.close()
	thread, restore := realtime.apply(log)
	defer restore()
	for _, denied := range thread.Denied {
		b.Log(denied)
	}
	for due := time.Now(); b.Loop(); {
		due = due.Add(10 * time.Millisecond)
		for time.Now().Before(due) {
			if err := net.wait(due); err != nil {
				b.Error(err)
			}
		}
		late = append(late, time.Since(due))
	}
	return late
}
