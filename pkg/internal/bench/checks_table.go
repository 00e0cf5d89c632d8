package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/engine"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// loads are those of which all programs are measured. The last is more than any can do.
var loads = []load{
	{100, time.Second},
	{1000, time.Second},
	{10_000, 10 * time.Second},
	{1000, 100 * time.Millisecond},
}

// paces are those at which the lateness of our engine is measured.
var paces = []load{{10_000, 10 * time.Second}, {10_000, 2 * time.Second}}

// measureChecks measures TCP checks. HTTP checks would be more rows of loads.
func measureChecks(b *bench, bin string, runs int) {
	dir := b.tempDir()
	programs := checkers(bin, dir)
	results := make(map[load][]checked)
	late := make(map[load][]engine.Histogram)
	for n := range runs {
		for _, l := range loads {
			if results[l] == nil {
				results[l] = make([]checked, len(programs))
			}
			for i, c := range programs {
				if c.most > 0 && l.servers > c.most {
					continue
				}
				b.Within(func() { c.measure(b, l, &results[l][i]) })
			}
		}
		for _, l := range paces {
			b.Within(func() { late[l] = append(late[l], lateness(b, l)) })
		}
		fmt.Fprintf(os.Stderr, "run %d of %d\n", n+1, runs)
	}
	fmt.Printf("TCP checks, %d runs in turns, one boot: median (least to most)\n", runs)
	fmt.Println("CPU is what is missing from the time that is left to others: with the kernel's part, and the server's")
	for _, l := range loads {
		fmt.Printf("\n%v\n", l)
		ours := results[l][0]
		for i, c := range programs {
			r := results[l][i]
			if len(r.cpu) == 0 {
				continue
			}
			fmt.Printf("  %-12s %-34s %5.2f x ipvsd's\n", c.name, fmt.Sprintf("CPU %v a check", r.cpu),
				float64(r.cpu.median())/float64(ours.cpu.median()))
			fmt.Printf("  %-12s %s checks/s, %s system calls a check, %v\n", "", counts(r.rate), counts(r.calls), r.memory)
		}
	}
	fmt.Println("\nhow late the engine starts probes")
	for _, l := range paces {
		for _, h := range late[l] {
			fmt.Printf("  %v: %v\n", l, quantiles(h))
		}
	}
}

// counts prints a series of numbers that are so many seconds.
func counts(s series) string {
	low, high := s[0], s[0]
	for _, d := range s {
		low, high = min(low, d), max(high, d)
	}
	return fmt.Sprintf("%.1f (%.1f to %.1f)", s.median().Seconds(), low.Seconds(), high.Seconds())
}

// lateness runs the engine alone, on this host.
func lateness(b *bench, l load) engine.Histogram {
	server, _ := serve(b)
	link(b, lab.Here(b), server)
	connector, err := probe.NewConnector()
	b.Must(err)
	e := engine.New(probe.Probe, func(engine.Report) {}, engine.ConnectBy(connector))
	set := make([]health.ID, l.servers)
	for n := range set {
		set[n] = health.Check{
			Type: "TCP_CHECK", Spec: health.TCP{}, Target: netip.MustParseAddrPort(target(n)), Timeout: 3 * time.Second,
			Policy: health.Policy{DelayLoop: l.interval, Warmup: l.interval, Retry: 1, DelayBeforeRetry: time.Second},
		}.ID()
	}
	e.Change(nil, set)
	ctx, cancel := context.WithTimeout(context.Background(), l.interval+window)
	defer cancel()
	if err := e.Run(ctx); ctx.Err() == nil {
		b.Must(err)
	}
	return e.Lateness()
}

// quantiles says by which bounds what part of the durations was reached.
func quantiles(h engine.Histogram) string {
	all := h.Count()
	parts := []string{fmt.Sprintf("%d probes", all)}
	var below uint64
	for i, n := range h.Buckets[:len(engine.Bounds)] {
		below += n
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%.2f%% by %v", 100*float64(below)/float64(all), engine.Bounds[i]))
		}
	}
	return strings.Join(parts, ", ")
}
