package status

import (
	"fmt"
	"io"
	"time"
)

// Engine is how the engine that runs the checks keeps up. Counters count from the start of the daemon.
type Engine struct {
	Checks   int         `json:"checks"`
	Running  int         `json:"running"`  // probes under way
	Waiting  int         `json:"waiting"`  // probes that are due and wait for a place
	Waited   uint64      `json:"waited"`   // probes that ever had to
	Lateness Histogram   `json:"lateness"` // from when a probe is due until it starts
	Types    []CheckType `json:"types"`    // by name
}

// CheckType is what became of the probes of one type.
type CheckType struct {
	Type     string    `json:"type"`
	Passed   uint64    `json:"passed"`
	Failed   uint64    `json:"failed"`
	TimedOut uint64    `json:"timed_out"` // of those that failed
	Took     Histogram `json:"took"`
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

// Text prints the figures as a table, a line a type.
func (e *Engine) Text(w io.Writer, style Style) error {
	_, err := fmt.Fprintf(w, "checks: %d, probes running: %d, waiting for a place: %d, that ever waited: %d\n",
		e.Checks, e.Running, e.Waiting, e.Waited)
	if err != nil {
		return err
	}
	c := columns{style: style}
	c.row(head(""), headRight("PASSED"), headRight("FAILED"), headRight("TIMED OUT"), headRight("MEAN"), headRight("50%"),
		headRight("99%"), headRight("99.9%"))
	for i := range e.Types {
		t := &e.Types[i]
		c.row(append(append([]cell{{text: t.Type}}, numbers(exact, t.Passed, t.Failed, t.TimedOut)...), t.Took.cells()...)...)
	}
	c.row(append([]cell{{text: "late by"}, {}, {}, {}}, e.Lateness.cells()...)...)
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
