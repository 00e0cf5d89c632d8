// Package feed shares the events of a run between those who have some and those who watch. It starts no goroutines: who has events
// never waits for watchers, and a watcher reads the Ring at its own pace, so that it costs nothing while it is slow.
package feed

import (
	"context"
	"crypto/rand"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ipvsd/ipvsd/pkg/event"
)

// Size is how many events are remembered: of 2,000 servers that fail and come back, twice. They take 3 MB.
const Size = 8192

// Feed is the events of this run. Its methods may be called concurrently.
type Feed struct {
	mu   sync.Mutex
	ring *event.Ring   // guarded by mu
	more chan struct{} // closed by the next event; nil: nobody waits; guarded by mu
}

// New returns a feed for so many events, in an epoch of its own.
func New(size int) *Feed { return &Feed{ring: event.NewRing(rand.Text()[:10], size)} }

// Past returns what has happened, for another process.
func (f *Feed) Past() event.Past {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ring.Past()
}

// Resume goes on with the past of another process. Nothing may have been added before, and nobody watch yet.
func (f *Feed) Resume(p event.Past) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ring = event.Resume(p, f.ring.Epoch(), Size)
}

// longest is how many bytes of a reason are remembered: some are what a script or a server has said.
const longest = 2 << 10

// Add takes an event, of now if it has no time.
func (f *Feed) Add(e event.Event) {
	if len(e.Reason) > longest {
		e.Reason = strings.ToValidUTF8(e.Reason[:longest], "") + "..."
	}
	if e.At.IsZero() {
		e.At = time.Now()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ring.Add(e)
	if f.more != nil {
		close(f.more)
		f.more = nil
	}
}

// Alive is how often a watcher is told something when there is nothing new.
const Alive = 15 * time.Second

// batch is how many events are handed over at once: a copy of so many is what a slow watcher has in memory.
const batch = 128

// Watch returns the events that a query picks, as they come if it follows, until the context is done: that is no error.
func (f *Feed) Watch(ctx context.Context, q event.Query) iter.Seq2[event.Item, error] {
	return func(yield func(event.Item, error) bool) {
		begin, n := f.start(&q)
		at := func() event.Position { return event.Position{Epoch: begin.Epoch, Sequence: n} }
		if !yield(event.Item{Begin: &begin, Position: at()}, nil) {
			return
		}
		alive := time.NewTicker(Alive)
		defer alive.Stop()
		for ctx.Err() == nil {
			list, missed, more := f.after(n)
			if missed > 0 {
				if n += missed; !yield(event.Item{Missed: missed, Position: at()}, nil) {
					return
				}
			}
			if len(list) > 0 {
				n = list[len(list)-1].Sequence
				list = slices.DeleteFunc(list, func(e event.Event) bool { return !q.Picks(&e) })
				for i := range list {
					if !yield(event.Item{Event: &list[i], Position: list[i].Position(), More: i+1 < len(list)}, nil) {
						return
					}
				}
				continue
			}
			if !q.Follow {
				yield(event.Item{End: true, Position: at()}, nil)
				return
			}
			select {
			case <-more:
			case <-alive.C:
				if !yield(event.Item{Position: at()}, nil) {
					return
				}
			case <-ctx.Done():
			}
		}
	}
}

func (f *Feed) start(q *event.Query) (event.Begin, uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ring.Start(q)
}

// after returns events after the given one, how many before them are gone, and, if there are none, what is closed when there are.
func (f *Feed) after(n uint64) (list []event.Event, missed uint64, more <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if list, missed = f.ring.After(n, batch); len(list) > 0 {
		return list, missed, nil
	}
	if f.more == nil {
		f.more = make(chan struct{})
	}
	return nil, missed, f.more
}
