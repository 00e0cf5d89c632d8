package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health/engine"
	"github.com/ipvsd/ipvsd/pkg/internal/bench/book"
)

func TestParseAB(t *testing.T) {
	const out = `Concurrency Level:      12
Complete requests:      1784
Failed requests:        3
   (Connect: 0, Receive: 0, Length: 3, Exceptions: 0)
Requests per second:    1782.14 [#/sec] (mean)
Time per request:       6.733 [ms] (mean)
`
	got, err := parseAB(out)
	if want := (served{rate: 1782.14, failed: 3, sent: 1784}); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := parseAB("Complete requests:      0\nFailed requests:        0\n"); err != nil || got != (served{}) {
		t.Errorf("of nothing: %+v, %v", got, err)
	}
	for _, without := range []string{"Complete", "Requests per", "Failed"} {
		if got, err := parseAB(strings.ReplaceAll(out, without, "Some")); err == nil {
			t.Errorf("without %s: %+v", without, got)
		}
	}
}

func TestParsePercentiles(t *testing.T) {
	text := "Percentage served,Time in ms\n"
	for n := range 101 {
		text += fmt.Sprintf("%d,%.3f\n", n, float64(n)*2)
	}
	median, slow, err := parsePercentiles(text)
	if err != nil || median != 0.1 || slow != 0.198 {
		t.Errorf("%g, %g, %v", median, slow, err)
	}
	if _, _, err := parsePercentiles(text[:50]); err == nil {
		t.Error("a part will do")
	}
}

func TestParseDNSPerf(t *testing.T) {
	const out = `Statistics:

  Queries sent:         1680
  Queries completed:    1679 (99.94%)
  Queries lost:         1 (0.06%)

  Queries per second:   1679.123456
  Average Latency (s):  0.001690 (min 0.000120, max 0.020000)
`
	got, err := parseDNSPerf(out)
	if want := (served{rate: 1679.123456, median: 0.00169, failed: 1, sent: 1680}); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := parseDNSPerf("Queries sent: 3\n"); err == nil {
		t.Errorf("of half of it: %+v", got)
	}
}

func TestPi(t *testing.T) {
	if got := pi(20); got != "3.14159265358979323846\n" {
		t.Errorf("pi is %q", got)
	}
	// The last of the first thousand digits after the point.
	if got := pi(1000); !strings.HasSuffix(got, "2164201989\n") || len(got) != len("3.")+1000+1 {
		t.Errorf("pi is %q", got)
	}
}

func TestTaken(t *testing.T) {
	for _, c := range []struct {
		during, before, after, part float64
		restless                    bool
	}{
		{during: 75, before: 100, after: 100, part: 0.25},
		{during: 75, before: 90, after: 110, part: 0.25},
		{during: 75, before: 70, after: 130, restless: true},
		{during: 101, before: 100, after: 100, restless: true},
		{during: 100, before: 100, after: 100, restless: true},
	} {
		if part, err := taken(c.during, c.before, c.after); part != c.part || (err != nil) != c.restless {
			t.Errorf("%+v: %g, %v", c, part, err)
		}
	}
}

// TestInTurn: in as many runs as there are contenders, each has each place.
func TestInTurn(t *testing.T) {
	places := make(map[string][3]int)
	for n := range 6 {
		for at, name := range inTurn(n, []string{"a", "b", "c"}) {
			had := places[name]
			had[at]++
			places[name] = had
		}
	}
	for name, had := range places {
		if had != [3]int{2, 2, 2} {
			t.Errorf("%s: %v", name, had)
		}
	}
}

func TestWanted(t *testing.T) {
	usual := new(options).wanted()
	if len(usual) != len(chapters)-1 || slices.ContainsFunc(usual, func(c chapter) bool { return c.name == "soak" }) {
		t.Errorf("%d chapters of %d: the hour of soak is measured where it is named", len(usual), len(chapters))
	}
	if named := (&options{chapters: "soak web"}).wanted(); len(named) != 2 || named[0].name != "soak" || named[1].name != "web" {
		t.Errorf("not soak and then web: %d chapters", len(named))
	}
}

// TestPartsFail: what fails costs no other part, unless there are too many.
func TestPartsFail(t *testing.T) {
	r := &run{bench: new(bench), runs: 2 + tolerated, chapter: new(book.Chapter), options: options{inside: filepath.Join(t.TempDir(), "file")}}
	var done int
	err := r.Run(func() {
		r.turns(func(int) {
			r.Within(func() { done++ })
			r.Within(func() { r.Fatalf("a fault") })
		})
	})
	if err == nil || done != 1+tolerated || len(r.faults) != 1+tolerated {
		t.Errorf("%d parts were measured, %d failed: %v", done, len(r.faults), err)
	}
}

func TestLater(t *testing.T) {
	var h engine.Histogram
	for i, bound := range engine.Bounds {
		h.Buckets[i] = 1
		if bound == 25*time.Millisecond {
			h.Buckets[i] = 10
		}
	}
	h.Buckets[len(engine.Bounds)] = 5
	after := slices.IndexFunc(engine.Bounds[:], func(d time.Duration) bool { return d > 25*time.Millisecond })
	if got, want := later(h, 25*time.Millisecond), uint64(len(engine.Bounds)-after+5); got != want {
		t.Errorf("%d were later, wanted %d", got, want)
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		o       options
		command string
		wrong   bool
	}{
		{options{chapters: "growth", boots: 1}, "make bench CHAPTERS=growth RUNS=3 BOOTS=1", false},
		{options{chapters: "growth", runs: 7, boots: 2}, "make bench CHAPTERS=growth RUNS=7 BOOTS=2", false},
		{options{chapters: "growth", boots: 1, quick: true}, "make bench CHAPTERS=growth RUNS=1 BOOTS=1 QUICK=1", false},
		{options{chapters: "drop-in", boots: 1, size: size{services: 3, servers: 4}, quick: true},
			"scripts/bench -chapters drop-in -runs 1 -boots 1 -quick -services 3 -servers 4", false},
		{options{chapters: "failover", runs: 4, boots: 1, only: "idle,1"}, `scripts/bench -chapters failover -runs 4 -boots 1 -only "idle,1"`, false},
		{options{chapters: "grwth"}, "", true},
		{options{chapters: "growth", size: size{services: 3}}, "", true},
		{options{chapters: "growth web", inside: "file"}, "", true},
	} {
		err := c.o.check()
		if (err != nil) != c.wrong {
			t.Errorf("%+v: %v", c.o, err)
		}
		if err == nil && c.o.command(c.o.wanted()[0]) != c.command {
			t.Errorf("command: %s", c.o.command(c.o.wanted()[0]))
		}
	}
}

// TestAims: what an aim names is a chapter, and one that has no figure in the book has one from before.
func TestAims(t *testing.T) {
	for _, a := range aims {
		if a.Chapter != "" && !slices.ContainsFunc(chapters, func(c chapter) bool { return c.name == a.Chapter }) {
			t.Errorf("%s: no chapter %s", a.Wanted, a.Chapter)
		}
		if a.Before == "" || a.Met == "" {
			t.Errorf("%s: no figure from before", a.Wanted)
		}
		if a.Met != "met" && a.Why == "" {
			t.Errorf("%s: it is not said why it is not met", a.Wanted)
		}
	}
}
