package chaos

import (
	"strings"
	"testing"
	"time"
)

func TestSummary(t *testing.T) {
	one := Result{
		Seed: 7, Length: 90 * time.Second, Faults: map[Kind]int{Kill: 2, Drain: 1}, Requests: map[string]Tally{"web": {100, 3}, "dns": {50, 0}},
		Explained: map[Kind]int{Kill: 2, Stall: 1}, Judged: Judged{map[string]int{"web": 97, "dns": 50}, 5, 6, 7, 8},
		Gaps: 3, Still: time.Second, Longest: 700 * time.Millisecond, Upsets: 1,
	}
	two := one
	two.Seed, two.Longest, two.Breaches = 8, 900*time.Millisecond, 1
	var b strings.Builder
	Summary(&b, "here and now", []Result{one, two})
	for _, want := range []string{
		"# Chaos: 2 seeds, 3.0 minutes\n\nhere and now\n", "BROKEN: seeds 8.", "Faults injected: 6, in runs that were stood: 3.", "| kill -9 | 4 | 2 |", "| freeze | 0 | 0 |",
		"| web | 200 | 6 | 194 |", "| dns | 100 | 0 | 100 |", "Failures that are explained: 6.", "| kill -9 | 4 |\n", "| stall | 2 |",
		"addresses 10, tables 12, adverts 14, processes 16", "stood still 6 times, for 2s in all, at most for 900ms; 2 times",
		"| 7 | 1.5 | 3 | 150 | 3 | 3 | 26 | 700ms | stood |", "| 8 | 1.5 | 3 | 150 | 3 | 3 | 26 | 900ms | BROKEN |",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	b.Reset()
	Summary(&b, "", []Result{one})
	if !strings.Contains(b.String(), "Nothing was seen that no fault explains.") {
		t.Error(b.String())
	}
	failed := Result{Seed: 9, Failure: "no nginx"}
	b.Reset()
	Summary(&b, "", []Result{failed})
	if failed.Stood() || !strings.Contains(b.String(), "| could not go on: no nginx |") {
		t.Error(b.String())
	}
	if line := one.String(); !strings.Contains(line, "web 100 sent, 3 failed, 97 judged") || !strings.Contains(line, "drain 1") {
		t.Error(line)
	}
}
