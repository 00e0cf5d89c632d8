package status

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Engine is how the engine that runs the checks keeps up. Counters count from the start of the daemon.
type Engine struct {
	Checks   int         `json:"checks"`
	Running  int         `json:"running"`  // probes under way
	Waiting  int         `json:"waiting"`  // probes that are due, and wait because of a limit
	Waited   uint64      `json:"waited"`   // probes that ever had to
	Lateness Histogram   `json:"lateness"` // from when a probe is due until it starts
	Types    []CheckType `json:"types"`    // by name
}

// CheckType is what became of the probes of one type.
type CheckType struct {
	Type    string    `json:"type"`
	Probes  uint64    `json:"probes"`            // that ended with a result
	Failed  uint64    `json:"failed"`            // of those
	Skipped uint64    `json:"skipped,omitempty"` // that came to nothing for want of something on this host, and don't count
	Want    string    `json:"want,omitempty"`    // of what, the last time
	Took    Histogram `json:"took"`
}

// Histogram counts durations. Buckets are as Prometheus has them: each counts all that took no longer, with those of the
// buckets before; what took longer than the last is in Count alone.
type Histogram struct {
	Buckets []Bucket      `json:"buckets"`
	Count   uint64        `json:"count"`
	Sum     time.Duration `json:"sum"`
}

// Bucket is how many took no longer.
type Bucket struct {
	Max   time.Duration `json:"max"`
	Count uint64        `json:"count"`
}

// Quantile returns a time, one of the buckets' limits, that at least this fraction took no longer than; false if there is none.
func (h *Histogram) Quantile(fraction float64) (time.Duration, bool) {
	for _, b := range h.Buckets {
		if h.Count > 0 && float64(b.Count) >= fraction*float64(h.Count) {
			return b.Max, true
		}
	}
	return 0, false
}

// text prints what a summary has of the engine.
func (e *Engine) text(line func(sgr, label, format string, args ...any)) {
	sgr := ""
	var text strings.Builder
	fmt.Fprintf(&text, "%d, probes running: %d", e.Checks, e.Running)
	if e.Waiting > 0 {
		sgr = yellow
		fmt.Fprintf(&text, ", waiting because of a limit: %d", e.Waiting)
	}
	for i := range e.Types {
		if t := &e.Types[i]; t.Skipped > 0 {
			fmt.Fprintf(&text, "\n%d probes of %s came to nothing, the last for want of: %s", t.Skipped, t.Type, printable(t.Want))
		}
	}
	line(sgr, "checks", "%s", &text)
}

// Text prints the figures as a table, a line a type.
func (e *Engine) Text(w io.Writer, style Style) error {
	_, err := fmt.Fprintf(w, "checks: %d; probes running: %d, waiting because of a limit: %d, that ever waited: %d\n",
		e.Checks, e.Running, e.Waiting, e.Waited)
	if err != nil {
		return err
	}
	c := columns{style: style}
	c.row(head(""), headRight("PROBES"), headRight("FAILED"), headRight("SKIPPED"), headRight("MEAN"), headRight("50%"),
		headRight("99%"), headRight("99.9%"), head("SKIPPED FOR WANT OF"))
	for i := range e.Types {
		t := &e.Types[i]
		c.row(append(append([]cell{{text: t.Type}}, numbers(exact, t.Probes, t.Failed, t.Skipped)...), append(t.Took.cells(), cell{text: t.Want})...)...)
	}
	c.row(append([]cell{{text: "started late by"}, {}, {}, {}}, e.Lateness.cells()...)...)
	return c.write(w, "")
}

func (h *Histogram) cells() []cell {
	mean := "-"
	if h.Count > 0 {
		mean = brief(h.Sum / time.Duration(min(h.Count, 1<<62)))
	}
	cells := []cell{{text: mean, right: true}}
	for _, f := range []float64{0.5, 0.99, 0.999} {
		text := "-"
		switch limit, found := h.Quantile(f); {
		case found:
			text = "<" + brief(limit)
		case h.Count > 0 && len(h.Buckets) > 0:
			text = ">" + brief(h.Buckets[len(h.Buckets)-1].Max)
		}
		cells = append(cells, cell{text: text, right: true})
	}
	return cells
}

// brief returns a duration with three digits or so: "350µs", "1.23ms", "12.3s".
func brief(d time.Duration) string {
	for unit := time.Duration(1); ; unit *= 10 {
		if r := d.Round(unit); r/unit < 1000 {
			return r.String()
		}
	}
}
