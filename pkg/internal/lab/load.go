package lab

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Request is one request of a client; it returns which server answered.
type Request func() (server string, err error)

// Seen is what a client saw of a service.
type Seen struct {
	Sent, Failed int           // requests
	Silence      time.Duration // the longest time without an answer
}

// Load is a client that sends a request every 10 ms, whether or not those before are answered: one that is lost holds up
// no other.
type Load struct {
	mu       sync.Mutex // guards the rest; held for no longer than a look
	sent     int
	failed   int
	answer   time.Time     // when the last one came
	silence  time.Duration // the longest time between two answers
	marks    int           // so many marks were made
	marked   int           // sent, at the last mark
	broken   int           // failed, of those that started after it
	why      error         // the last of them
	last     error         // of all that failed, how the last one did
	byName   map[string]int
	quit     atomic.Bool
	finished chan struct{}
}

// StartLoad begins to send.
func StartLoad(send Request) *Load {
	l := &Load{byName: map[string]int{}, finished: make(chan struct{}), answer: time.Now()}
	go func() {
		defer close(l.finished)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		var all sync.WaitGroup
		for !l.quit.Load() {
			marks := l.marksUntilNow()
			all.Go(func() {
				name, err := send()
				l.count(name, err, marks)
			})
			<-tick.C
		}
		all.Wait()
	}()
	return l
}

func (l *Load) count(name string, err error, marks int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent++
	if err != nil {
		l.failed++
		l.last = err
		if marks > 0 && marks == l.marks {
			l.broken, l.why = l.broken+1, err
		}
		return
	}
	l.hear()
	l.byName[name]++
}

// hear ends a silence. What is answered after the end says nothing of it: few are still asked for by then.
func (l *Load) hear() {
	if now := time.Now(); !l.quit.Load() {
		l.silence, l.answer = max(l.silence, now.Sub(l.answer)), now
	}
}

func (l *Load) marksUntilNow() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.marks
}

// Mark divides the requests into those before and those after, and forgets who answered before.
func (l *Load) Mark() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.marks, l.marked, l.broken = l.marks+1, l.sent, 0
	clear(l.byName)
}

// After returns nil once so many requests were sent after the mark.
func (l *Load) After(n int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if got := l.sent - l.marked; got < n {
		return fmt.Errorf("only %d were sent", got)
	}
	return nil
}

// FailedAfterMark returns how many failed of the requests that were sent after the mark, and how the last of them did.
func (l *Load) FailedAfterMark() (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.broken, l.why
}

// Failure returns how the last one failed of all requests; nil: none did.
func (l *Load) Failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// Answered returns nil once a server answered a request after the mark.
func (l *Load) Answered(name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byName[name] == 0 {
		return fmt.Errorf("answered: %v", l.byName)
	}
	return nil
}

// Stop ends the sending, waits for all answers, and returns what the client saw.
func (l *Load) Stop() Seen {
	l.mu.Lock()
	l.hear()
	l.quit.Store(true)
	l.mu.Unlock()
	<-l.finished
	return Seen{l.sent, l.failed, l.silence}
}
