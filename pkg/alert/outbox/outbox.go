// Package outbox keeps what is to be delivered until it is, and has nobody wait for it: a queue for each destination, with a
// goroutine of its own while there is something in it.
package outbox

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// Limits of a queue. Whoever gets so many messages can do nothing with more.
const (
	backlog  = 1000
	pause    = time.Second // after the first failure; it doubles
	maxPause = time.Minute
)

// Permanent marks an error that the next attempt would end with, too.
func Permanent(err error) error { return permanent{err} }

type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Permanent tells such an error from others.
func (permanent) Permanent() bool { return true }

// Letter is something to deliver. About is what the log says of it.
type Letter struct {
	About    []any
	Attempts int
	Deliver  func(context.Context) error
}

// Outbox is the queues. Put starts what it needs; Close ends it.
type Outbox struct {
	log    *slog.Logger
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	lanes   map[string]*lane // those that have a goroutine
	counts  map[string]*Counts
	closing chan struct{} // closed: no pauses, one attempt each
	working sync.WaitGroup
}

type lane struct {
	letters []Letter
	dropped int // since there was room last
}

// Counts are what became of the letters to one destination since there was the first.
type Counts struct {
	To        string
	Queued    int // wait, or are under way
	Delivered uint64
	Retried   uint64 // attempts that failed, and after which it was tried again
	Failed    uint64 // given up
	Dropped   uint64 // for want of room
}

// Counts returns those of all destinations, by name.
func (o *Outbox) Counts() []Counts {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := make([]Counts, 0, len(o.counts))
	for _, to := range slices.Sorted(maps.Keys(o.counts)) {
		list = append(list, *o.counts[to])
	}
	return list
}

// count changes the counts of a destination.
func (o *Outbox) count(to string, change func(*Counts)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change(o.counts[to])
}

// New returns an Outbox.
func New(log *slog.Logger) *Outbox {
	ctx, cancel := context.WithCancel(context.Background())
	return &Outbox{log: log, ctx: ctx, cancel: cancel, lanes: make(map[string]*lane), counts: make(map[string]*Counts), closing: make(chan struct{})}
}

// Put adds a letter to the queue of a destination. It never waits. Where too many wait already, the oldest is dropped.
func (o *Outbox) Put(to string, l Letter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ctx.Err() != nil {
		return
	}
	q := o.lanes[to]
	if q == nil {
		q = new(lane)
		o.lanes[to] = q
		o.working.Go(func() { o.work(to, q) })
	}
	c := o.counts[to]
	if c == nil {
		c = &Counts{To: to}
		o.counts[to] = c
	}
	c.Queued++
	if q.letters = append(q.letters, l); len(q.letters) <= backlog {
		return
	}
	q.letters = q.letters[1:]
	c.Queued--
	c.Dropped++
	if q.dropped++; q.dropped == 1 {
		o.log.Warn("alerts are dropped, the oldest first: too many wait", "to", to, "waiting", backlog)
	}
}

// work delivers what is in a queue, one after the other, until there is nothing more.
func (o *Outbox) work(to string, q *lane) {
	for {
		o.mu.Lock()
		if q.dropped > 0 && len(q.letters) < backlog {
			o.log.Warn("alerts were dropped", "to", to, "dropped", q.dropped)
			q.dropped = 0
		}
		if len(q.letters) == 0 || o.ctx.Err() != nil {
			delete(o.lanes, to)
			if n := len(q.letters); n > 0 {
				o.counts[to].Queued, o.counts[to].Failed = 0, o.counts[to].Failed+uint64(n)
				o.log.Warn("alerts were not delivered before the stop", "to", to, "lost", n)
			}
			o.mu.Unlock()
			return
		}
		l := q.letters[0]
		q.letters = q.letters[1:]
		o.mu.Unlock()
		delivered := o.deliver(to, l)
		o.count(to, func(c *Counts) {
			c.Queued--
			if delivered {
				c.Delivered++
			} else {
				c.Failed++
			}
		})
	}
}

// deliver tries until it works, or there is no hope. It says whether it did.
func (o *Outbox) deliver(to string, l Letter) bool {
	log := o.log.With("to", to).With(l.About...)
	next := pause
	for attempt := 1; ; attempt++ {
		err := l.Deliver(o.ctx)
		if err == nil {
			if attempt > 1 {
				log.Info("an alert was delivered at last", "attempts", attempt)
			}
			return true
		}
		_, hopeless := errors.AsType[permanent](err)
		if hopeless || attempt >= l.Attempts || o.closed() {
			log.Error("an alert could not be delivered", "attempts", attempt, "err", err)
			return false
		}
		o.count(to, func(c *Counts) { c.Retried++ })
		if attempt == 1 {
			log.Warn("an alert could not be delivered; it is tried again", "in", next, "err", err)
		}
		select {
		case <-time.After(next):
		case <-o.closing: // once more
		}
		next = min(2*next, maxPause)
	}
}

func (o *Outbox) closed() bool {
	select {
	case <-o.closing:
		return true
	default:
		return false
	}
}

// Close gives what waits one attempt more, until the context is done. Nothing may be put in any more.
func (o *Outbox) Close(ctx context.Context) {
	close(o.closing)
	done := make(chan struct{})
	go func() {
		o.working.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	o.cancel()
	<-done
}
