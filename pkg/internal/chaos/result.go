package chaos

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// Tally counts requests.
type Tally struct{ Sent, Failed int }

// Result is what came of a run.
type Result struct {
	Seed           uint64
	Length         time.Duration
	Faults         map[Kind]int
	Requests       map[string]Tally // by service
	Explained      map[Kind]int     // failed requests
	Judged         Judged
	Gaps           int           // so often the lab stood still
	Still, Longest time.Duration // for so long in all, and at most
	Upsets         int           // so often for as long as to count as a fault
	Breaches       int
	Failure        string // why it could not go on
}

// Stood says whether the cluster stood it.
func (r Result) Stood() bool { return r.Breaches == 0 && r.Failure == "" }

// String is the result in a line.
func (r Result) String() string {
	_, kinds := byKind(r.Faults)
	explained, reasons := byKind(r.Explained)
	var requests []string
	for _, s := range slices.Sorted(maps.Keys(r.Requests)) {
		t := r.Requests[s]
		requests = append(requests, fmt.Sprintf("%s %d sent, %d failed, %d judged", s, t.Sent, t.Failed, r.Judged.Requests[s]))
	}
	return fmt.Sprintf("%v: faults: %s; requests: %s, %d failures explained (%s); judged: addresses %d, tables %d, adverts %d, processes %d; "+
		"the lab stood still %d times, %v, at most %v, %d times as long as to count as a fault", r.Length.Round(time.Second), kinds,
		strings.Join(requests, ", "), explained, reasons, r.Judged.Roles, r.Judged.Tables, r.Judged.Adverts, r.Judged.Vitals,
		r.Gaps, r.Still.Round(10*time.Millisecond), r.Longest.Round(10*time.Millisecond), r.Upsets)
}

// byKind adds up counts, and shows each, the most frequent first.
func byKind(counts map[Kind]int) (total int, each string) {
	kinds := slices.Sorted(maps.Keys(counts))
	slices.SortStableFunc(kinds, func(a, b Kind) int { return counts[b] - counts[a] })
	var all []string
	for _, k := range kinds {
		if counts[k] > 0 {
			total += counts[k]
			all = append(all, fmt.Sprintf("%s %d", k, counts[k]))
		}
	}
	if total == 0 {
		return 0, "none"
	}
	return total, strings.Join(all, ", ")
}

// Summary writes what came of several runs, as a page.
func Summary(w io.Writer, about string, results []Result) {
	sum := Result{Faults: map[Kind]int{}, Requests: map[string]Tally{}, Explained: map[Kind]int{}, Judged: Judged{Requests: map[string]int{}}}
	var broken []string
	survived := map[Kind]int{}
	for _, r := range results {
		sum.add(r)
		if r.Stood() {
			add(survived, r.Faults)
		} else {
			broken = append(broken, fmt.Sprint(r.Seed))
		}
	}
	injected, _ := byKind(sum.Faults)
	stood, _ := byKind(survived)
	failed, _ := byKind(sum.Explained)
	fmt.Fprintf(w, "# Chaos: %d seeds, %.1f minutes\n\n", len(results), sum.Length.Minutes())
	if about != "" {
		fmt.Fprintf(w, "%s\n\n", about)
	}
	if len(broken) == 0 {
		fmt.Fprintf(w, "Nothing was seen that no fault explains.\n\n")
	} else {
		fmt.Fprintf(w, "BROKEN: seeds %s.\n\n", strings.Join(broken, ", "))
	}
	fmt.Fprintf(w, "Faults injected: %d, in runs that were stood: %d.\n\n| fault | injected | survived |\n| --- | --- | --- |\n", injected, stood)
	for _, n := range natures {
		fmt.Fprintf(w, "| %s | %d | %d |\n", n.kind, sum.Faults[n.kind], survived[n.kind])
	}
	fmt.Fprintf(w, "\n| requests | sent | failed | judged |\n| --- | --- | --- | --- |\n")
	for _, s := range Services {
		t := sum.Requests[s]
		fmt.Fprintf(w, "| %s | %d | %d | %d |\n", s, t.Sent, t.Failed, sum.Judged.Requests[s])
	}
	fmt.Fprintf(w, "\nFailures that are explained: %d.\n\n", failed)
	if failed > 0 {
		fmt.Fprintf(w, "| by | failures |\n| --- | --- |\n")
	}
	for _, n := range append(slices.Clone(natures), nature{kind: Stall}) {
		if sum.Explained[n.kind] > 0 {
			fmt.Fprintf(w, "| %s | %d |\n", n.kind, sum.Explained[n.kind])
		}
	}
	fmt.Fprintf(w, "\nSamples judged: addresses %d, tables %d, adverts %d, processes %d.\n\n", sum.Judged.Roles, sum.Judged.Tables, sum.Judged.Adverts, sum.Judged.Vitals)
	fmt.Fprintf(w, "The lab stood still %d times, for %v in all, at most for %v; %d times for as long as to count as a fault.\n\n",
		sum.Gaps, sum.Still.Round(10*time.Millisecond), sum.Longest.Round(10*time.Millisecond), sum.Upsets)
	sum.table(w, results)
}

func (r *Result) add(one Result) {
	add(r.Faults, one.Faults)
	add(r.Explained, one.Explained)
	add(r.Judged.Requests, one.Judged.Requests)
	for s, t := range one.Requests {
		r.Requests[s] = Tally{r.Requests[s].Sent + t.Sent, r.Requests[s].Failed + t.Failed}
	}
	r.Length += one.Length
	r.Judged.Roles += one.Judged.Roles
	r.Judged.Tables += one.Judged.Tables
	r.Judged.Adverts += one.Judged.Adverts
	r.Judged.Vitals += one.Judged.Vitals
	r.Gaps += one.Gaps
	r.Still += one.Still
	r.Longest = max(r.Longest, one.Longest)
	r.Upsets += one.Upsets
}

func add[K comparable](to, these map[K]int) {
	for k, n := range these {
		to[k] += n
	}
}

func (r *Result) table(w io.Writer, results []Result) {
	fmt.Fprintf(w, "| seed | minutes | faults | requests | failed | explained | samples judged | longest standstill | |\n%s\n", strings.Repeat("| --- ", 9)+"|")
	for _, one := range results {
		faults, _ := byKind(one.Faults)
		explained, _ := byKind(one.Explained)
		sent, failed := 0, 0
		for _, t := range one.Requests {
			sent, failed = sent+t.Sent, failed+t.Failed
		}
		verdict := "stood"
		switch {
		case one.Failure != "":
			verdict = "could not go on: " + one.Failure
		case !one.Stood():
			verdict = "BROKEN"
		}
		fmt.Fprintf(w, "| %d | %.1f | %d | %d | %d | %d | %d | %v | %s |\n", one.Seed, one.Length.Minutes(), faults, sent, failed, explained,
			one.Judged.Roles+one.Judged.Tables+one.Judged.Adverts+one.Judged.Vitals, one.Longest.Round(10*time.Millisecond), verdict)
	}
}
