package engine

import (
	"sync/atomic"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// Stats are an engine's figures at about the same moment.
type Stats struct {
	Checks  int    // that are set
	Running int    // probes under way, those of removed checks that still wind up included
	Waiting int    // probes that are due, and wait because of a limit
	Waited  uint64 // probes that ever had to wait for one
}

// TypeStats are the counters of one type of check since the engine was made.
type TypeStats struct {
	Type     string // Check.Type
	Probes   uint64 // that ended with a result
	Failures uint64 // of those
	Skipped  uint64 // that came to nothing for want of something on this host, and don't count
	Want     string // of what, the last time
	Took     Histogram
}

// Bounds are the upper ends of a Histogram's buckets, included.
var Bounds = [...]time.Duration{
	time.Millisecond / 2, time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond,
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
	250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond,
	5 * time.Second, 10 * time.Second,
}

// Histogram counts durations. The last bucket has what is above all Bounds.
type Histogram struct {
	Buckets [len(Bounds) + 1]uint64
	Sum     time.Duration
}

// Count returns how many there were.
func (h Histogram) Count() (n uint64) {
	for _, b := range h.Buckets {
		n += b
	}
	return n
}

// Add counts a duration.
func (h *Histogram) Add(d time.Duration) {
	h.Buckets[bucket(d)]++
	h.Sum += d
}

// bucket returns which bucket counts a duration.
func bucket(d time.Duration) int {
	i := 0
	for i < len(Bounds) && d > Bounds[i] {
		i++
	}
	return i
}

// histogram is one that counts while others read. Only the goroutine of Run adds.
type histogram struct {
	buckets [len(Bounds) + 1]atomic.Uint64
	sum     atomic.Int64
}

func (h *histogram) add(d time.Duration) {
	h.buckets[bucket(d)].Add(1)
	h.sum.Add(int64(d))
}

func (h *histogram) read() (s Histogram) {
	for i := range h.buckets {
		s.Buckets[i] = h.buckets[i].Load()
	}
	s.Sum = time.Duration(h.sum.Load())
	return s
}

// kind counts for a type of check.
type kind struct {
	name              string
	failures, skipped atomic.Uint64
	want              atomic.Pointer[string]
	took              histogram
}

func (k *kind) count(r health.Result) {
	k.took.add(r.Took)
	if r.Err != "" {
		k.failures.Add(1)
	}
}

func (k *kind) skip(why error) {
	text := why.Error()
	k.want.Store(&text)
	k.skipped.Add(1)
}

func (k *kind) read() TypeStats {
	s := TypeStats{Type: k.name, Failures: k.failures.Load(), Skipped: k.skipped.Load(), Took: k.took.read()}
	s.Probes = s.Took.Count()
	if want := k.want.Load(); want != nil {
		s.Want = *want
	}
	return s
}
