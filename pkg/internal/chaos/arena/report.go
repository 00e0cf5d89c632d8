package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/chaos"
)

const (
	halfMinute = 30 * time.Second
	logLines   = 60
)

// report writes what happened and what was seen, and more if it was wrong.
func (r *run) report(w io.Writer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintln(w, r.result())
	if len(r.breaches) == 0 {
		return
	}
	first := r.breaches[0]
	fmt.Fprintf(w, "\nBROKEN, seed %d:\n", r.world.Seed)
	for _, b := range r.breaches[:min(len(r.breaches), 12)] {
		fmt.Fprintln(w, line(b.At, b.What))
	}
	fmt.Fprintln(w, "\nwhat happened before:")
	for _, t := range r.story {
		if t.at > first.At-halfMinute {
			fmt.Fprintln(w, line(t.at, t.what))
		}
	}
	for _, d := range r.directors {
		fmt.Fprintf(w, "\n%s:\n", d.Name)
		for _, command := range [][]string{{"ip", "-brief", "address"}, {"ipvsadm", "-Ln"}} {
			out, err := d.Output(command...)
			fmt.Fprintf(w, "%s", out)
			if err != nil {
				fmt.Fprintln(w, err)
			}
		}
		if out, err := d.Ctl("vrrp"); err == nil {
			fmt.Fprint(w, out)
		}
		lines := strings.Split(strings.TrimSpace(d.Process.Log()), "\n")
		fmt.Fprintf(w, "the end of its log:\n%s\n", strings.Join(lines[max(0, len(lines)-logLines):], "\n"))
	}
}

// result is what came of the run. The caller has locked, or all have ended.
func (r *run) result() chaos.Result {
	gaps, still, longest := r.clock.stood()
	requests := map[string]chaos.Tally{}
	for service, t := range r.requests {
		requests[service] = *t
	}
	return chaos.Result{
		Seed: r.world.Seed, Length: r.now(), Faults: r.done, Requests: requests, Explained: r.judge.Explained(), Judged: r.judge.Judged(),
		Gaps: gaps, Still: still, Longest: longest, Upsets: r.judge.Upsets(), Breaches: len(r.breaches),
	}
}
