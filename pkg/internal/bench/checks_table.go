package main

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/engine"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
	"github.com/ipvsd/ipvsd/pkg/internal/bench/book"
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

// What is measured of a checker.
const (
	cpuOfCheck   = "cpu"
	callsOfCheck = "calls"
	checkRate    = "rate"
	memoryUsed   = "memory"
)

// measureChecks measures TCP checks. HTTP checks would be more rows of loads.
func measureChecks(r *run) {
	dir := r.tempDir()
	loads, paces := loads, paces
	if r.quick {
		loads, paces = loads[:1], []load{{1000, time.Second}}
	}
	r.turns(func(n int) {
		for _, l := range loads {
			for _, c := range inTurn(n, checkers(r.bin, dir)) {
				if c.most > 0 && (l.servers > c.most || r.spares(n)) {
					continue
				}
				r.Within(func() {
					c.measure(r.bench, l, func(what string) *book.Cell { return r.checkTable(what).Cell(l.String(), c.name) })
				})
			}
		}
		late := r.table(book.Table{Name: "late", Title: "Probes that our engine started more than 25 ms late", Unit: book.Count, Contenders: []string{"ipvsd"}})
		for _, l := range paces {
			r.Within(func() {
				h := lateness(r.bench, l)
				late.Cell(l.String(), "ipvsd").AddOf(float64(later(h, 25*time.Millisecond)), float64(h.Count()))
				r.Logf("%v: %v", l, quantiles(h))
			})
		}
	})
}

// checkTable returns the table for one thing.
func (r *run) checkTable(what string) *book.Table {
	t := book.Table{Name: what, Contenders: []string{"ipvsd", "keepalived", "ldirectord"}}
	switch what {
	case cpuOfCheck:
		t.Title, t.Unit = "CPU for a check", book.Time
	case callsOfCheck:
		t.Title, t.Unit = "System calls for a check", book.Count
	case checkRate:
		t.Title, t.Unit = "Checks in a second", book.Rate
	case memoryUsed:
		t.Title, t.Unit = "Memory", book.Bytes
	}
	return r.table(t)
}

// later returns how many were later than that, which is one of the bounds.
func later(h engine.Histogram, bound time.Duration) (n uint64) {
	n = h.Count()
	for i, below := range h.Buckets[:len(engine.Bounds)] {
		if engine.Bounds[i] <= bound {
			n -= below
		}
	}
	return n
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
