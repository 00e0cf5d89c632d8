package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
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
	faults, kinds := byKind(r.done)
	explained, reasons := byKind(r.judge.Explained())
	sent, failed := 0, 0
	for _, t := range r.requests {
		sent, failed = sent+t.sent, failed+t.failed
	}
	fmt.Fprintf(w, "%v: %d faults (%s); %d requests, %d failed, %d of those explained (%s); the machine stood still %d times\n",
		r.now().Round(time.Second), faults, kinds, sent, failed, explained, reasons, r.stalls)
	if len(r.breaches) == 0 {
		return
	}
	first := r.breaches[0]
	fmt.Fprintf(w, "\nBROKEN, seed %d:\n", r.world.Seed)
	for _, b := range r.breaches[:min(len(r.breaches), 12)] {
		fmt.Fprintln(w, line(b.At, b.What))
	}
	fmt.Fprintln(w, "\nwhat happened before:")
	for i, text := range r.story {
		if r.last[i] > first.At-halfMinute {
			fmt.Fprintln(w, text)
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

// byKind adds up counts, and shows each.
func byKind(counts map[chaos.Kind]int) (total int, each string) {
	var kinds []string
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		if counts[k] == 0 {
			continue
		}
		total += counts[k]
		kinds = append(kinds, fmt.Sprintf("%s %d", k, counts[k]))
	}
	return total, strings.Join(kinds, ", ")
}
