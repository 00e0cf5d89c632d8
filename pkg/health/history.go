package health

import (
	"iter"
	"math"
	"slices"
	"time"
	"unique"
)

// Kept is how many results a History has.
const Kept = 20

// Run is how one probe ended, and what that made of its check.
type Run struct {
	At time.Time // when it ended
	Result
	State State // of the check from then on
}

// History is the last results of a check. There are as many as checks, so it has nothing before the first result, some 250
// bytes afterwards, and times in milliseconds. The zero value is an empty one. Copies share what they have.
type History struct{ past *past }

type past struct {
	last  int64        // when the newest ended, in milliseconds of Unix time
	gaps  [Kept]uint32 // milliseconds from the end of the one before to the end of this one
	took  [Kept]uint32 // microseconds
	said  [Kept]uint8  // where in words
	words []unique.Handle[words]
	next  uint8 // where the next one goes
	n     uint8 // how many there are
}

// words are what many results have in common.
type words struct {
	err string
	Finding
	state State
}

// Add notes the result that a checker has just had.
func (h *History) Add(c Checker) {
	if h.past == nil {
		h.past = new(past)
	}
	p := h.past
	w := words{err: c.LastResult.Err, Finding: c.LastResult.Finding, state: c.State}
	if w.err != "" {
		w.Finding = Finding{} // it is of an earlier result
	}
	at := c.LastRun.Add(c.LastResult.Took).UnixMilli()
	p.gaps[p.next] = limited(at - p.last)
	p.took[p.next] = limited(c.LastResult.Took.Microseconds())
	p.n = min(p.n+1, Kept)
	p.said[p.next] = p.place(w)
	p.last = at
	p.next = (p.next + 1) % Kept
}

// place returns where in the list of words these are, and puts them there if they are new, if it can instead of some that
// nobody needs any more.
func (p *past) place(w words) uint8 {
	if p.n > 1 { // of most checks it is the same each time, which is soon seen
		if last := p.said[(int(p.next)+Kept-1)%Kept]; p.words[last].Value() == w {
			return last
		}
	}
	handle := unique.Make(w)
	if i := slices.Index(p.words, handle); i >= 0 {
		return uint8(i)
	}
	for i := range p.words {
		if !slices.Contains(p.others(), uint8(i)) {
			p.words[i] = handle
			return uint8(i)
		}
	}
	p.words = append(p.words, handle)
	return uint8(len(p.words) - 1)
}

// others returns where the words are of all results but the one that is being written.
func (p *past) others() []uint8 {
	list := make([]uint8, 0, Kept)
	for i := 1; i < int(p.n); i++ {
		list = append(list, p.said[(int(p.next)+Kept-i)%Kept])
	}
	return list
}

// All returns the results, the newest first.
func (h History) All() iter.Seq[Run] {
	return func(yield func(Run) bool) {
		p := h.past
		if p == nil {
			return
		}
		at := p.last
		for back := 1; back <= int(p.n); back++ {
			i := (int(p.next) + Kept - back) % Kept
			w := p.words[p.said[i]].Value()
			r := Result{Err: w.err, Took: time.Duration(p.took[i]) * time.Microsecond, Finding: w.Finding}
			if !yield(Run{At: time.UnixMilli(at), Result: r, State: w.state}) {
				return
			}
			at -= int64(p.gaps[i])
		}
	}
}

// limited returns a number that is not negative and not too large for its place.
func limited(n int64) uint32 { return uint32(min(max(n, 0), math.MaxUint32)) }
