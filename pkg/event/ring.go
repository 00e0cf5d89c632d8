package event

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Position is where a watcher is: after the event of this number. The zero value is before all events of any epoch.
type Position struct {
	Epoch    string
	Sequence uint64
}

// String returns the form of "id:" and Last-Event-ID: EPOCH-SEQUENCE.
func (p Position) String() string { return p.Epoch + "-" + strconv.FormatUint(p.Sequence, 10) }

// longestEpoch is how many characters an epoch has at most.
const longestEpoch = 64

// ParsePosition is the inverse of String.
func ParsePosition(s string) (Position, error) {
	epoch, number, found := strings.Cut(s, "-")
	n, err := strconv.ParseUint(number, 10, 64)
	if !found || err != nil || !isEpoch(epoch) || strconv.FormatUint(n, 10) != number {
		return Position{}, fmt.Errorf("%.80q is no position: it is EPOCH-NUMBER, as events have it", s)
	}
	return Position{epoch, n}, nil
}

func isEpoch(s string) bool {
	return s != "" && len(s) <= longestEpoch &&
		strings.IndexFunc(s, func(r rune) bool { return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9') }) < 0
}

// Ring remembers the latest events of an epoch. It grows to its size as events come.
type Ring struct {
	epoch string
	size  int
	list  []Event // of number n at (n-1) % size
	last  uint64
	gone  time.Time // of the event that lost its place last
}

// NewRing returns a ring for so many events.
func NewRing(epoch string, size int) *Ring { return &Ring{epoch: epoch, size: size} }

// Epoch returns the epoch of the events.
func (r *Ring) Epoch() string { return r.epoch }

// Last returns the number of the latest event, 0 before the first.
func (r *Ring) Last() uint64 { return r.last }

// Add numbers an event and remembers it in the place of the oldest.
func (r *Ring) Add(e Event) {
	r.last++
	e.Epoch, e.Sequence = r.epoch, r.last
	if len(r.list) < r.size {
		r.list = append(r.list, e)
	} else {
		place := r.at(r.last)
		r.gone, *place = place.At, e
	}
}

func (r *Ring) at(n uint64) *Event { return &r.list[(n-1)%uint64(r.size)] }

// oldest returns the number of the oldest event that is left, or that there will be.
func (r *Ring) oldest() uint64 { return r.last - uint64(len(r.list)) + 1 }

// Start returns what a stream for a query begins with, and after which event it reads on.
func (r *Ring) Start(q *Query) (b Begin, after uint64) {
	b = Begin{Epoch: r.epoch, Last: r.last}
	if q.After.Epoch != "" {
		if b.Restarted = q.After.Epoch != r.epoch; !b.Restarted {
			after = min(q.After.Sequence, r.last) // there is no later one
		}
	} else {
		after = r.oldest() - 1
	}
	if !q.Since.IsZero() {
		after = max(after, r.before(q.Since))
		b.Incomplete = after+1 == r.oldest() && !q.Since.After(r.gone)
	}
	if q.Last != nil {
		after = max(after, r.but(*q.Last, q))
	}
	if after+1 < r.oldest() {
		b.Skipped = r.oldest() - 1 - after
		after += b.Skipped
	}
	return b, after
}

// before returns the number of the last event before a moment, as the clock was then.
func (r *Ring) before(t time.Time) (n uint64) {
	for n = r.last; n >= r.oldest() && !r.at(n).At.Before(t); n-- {
	}
	return n
}

// but returns the number of the last event before the latest so many that a query picks.
func (r *Ring) but(latest int, q *Query) (n uint64) {
	for n = r.last; n >= r.oldest(); n-- {
		if q.Picks(r.at(n)) {
			if latest == 0 {
				break
			}
			latest--
		}
	}
	return n
}

// After returns the events after a number, the oldest first and so many at most, and how many between are gone.
func (r *Ring) After(n uint64, most int) (list []Event, missed uint64) {
	if oldest := r.oldest(); n+1 < oldest {
		missed, n = oldest-1-n, oldest-1
	}
	for ; n < r.last && len(list) < most; n++ {
		list = append(list, *r.at(n + 1))
	}
	return list, missed
}
