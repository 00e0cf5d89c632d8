package probe

import (
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// mostAtOnce is how many bytes a talk may get before it goes on in a goroutine of its own, so that neither what comes nor
// a regex that searches it keeps the other probes waiting.
const mostAtOnce = 16 << 10

// talk is a probe over connections of a Connector on which more happens than that they are made. Its function is an ordinary one, but
// runs as a coroutine (iter.Pull): when it has to wait it gives way, and goes on in the goroutine that has news for it. That
// saves the wake-ups, timers and system calls by which the runtime has a goroutine of each probe's wait for the network.
type talk struct {
	*Connector
	check  health.Check
	done   func(health.Finding, error, time.Time)
	resume func() (struct{}, bool)

	news atomic.Int32 // how often there was some; not 0: somebody is there who has the function go on
	late atomic.Bool  // the time is up

	// For the function, and who has it go on:
	yield   func(struct{}) bool
	got     int  // bytes
	heavy   bool // it has a goroutine of its own now when it goes on
	over    bool
	finding health.Finding
	err     error
}

type talkKey struct{}

// talkOf returns the talk that a function is part of, nil if it may wait as it likes.
func talkOf(ctx context.Context) *talk {
	t, _ := ctx.Value(talkKey{}).(*talk)
	return t
}

// Talks says whether a check can be run by Talk: those of HTTP/1 without TLS, and without a regex that may take long.
func (k *Connector) Talks(c health.Check) bool {
	s, is := c.Spec.(health.HTTP)
	if !is || s.TLS.Mode != health.Plain || s.Protocol == "2" {
		return false
	}
	for u := range s.URLs.All() {
		if m, err := matcher(u.Regex); err != nil || !m.Brief() {
			return false
		}
	}
	return true
}

// Talk starts Probe of a check that Talks says yes to. Done is called once, with when the probe ended, normally by the goroutine of Run, or
// before Talk returns. Cancel says that the time of the probe is up: it takes what has come by then and ends, soon. The deadline of
// the context, if it has one, means nothing.
func (k *Connector) Talk(ctx context.Context, c health.Check, done func(health.Finding, error, time.Time)) (cancel context.CancelFunc) {
	k.mu.Lock()
	closed := k.under == nil
	if !closed {
		k.talks.Add(1)
	}
	k.mu.Unlock()
	if closed {
		done(health.Finding{}, os.ErrClosed, time.Now())
		return func() {}
	}
	t := &talk{Connector: k, check: c, done: done}
	t.resume, _ = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		t.finding, t.err = Try(context.WithValue(ctx, talkKey{}, t), Probe, c)
		t.over = true
	})
	t.hear(time.Now)
	return t.cancel
}

// hear has the function go on, or if it does just now, once more after that.
func (t *talk) hear(now func() time.Time) {
	switch {
	case t.news.Add(1) > 1:
	case t.heavy:
		go t.goOn(time.Now)
	default:
		t.goOn(now)
	}
}

// goOn has the function go on until there is no more news. Nobody else does so meanwhile.
func (t *talk) goOn(now func() time.Time) {
	for {
		n, heavy := t.news.Load(), t.heavy
		t.resume()
		switch {
		case t.over:
			t.done(t.finding, t.err, now())
			t.talks.Done()
			return // there may be news, but nobody to hear it
		case t.heavy != heavy:
			go t.goOn(time.Now)
			return
		case t.news.CompareAndSwap(n, 0):
			return
		}
	}
}

// cancel ends the time of the probe.
func (t *talk) cancel() {
	t.late.Store(true)
	if t.news.Add(1) == 1 {
		go t.goOn(time.Now)
	}
}

// wait gives way until there is news. The error is that the time was up before.
func (t *talk) wait() error {
	if t.late.Load() {
		return context.DeadlineExceeded
	}
	t.yield(struct{}{})
	return nil
}

// dial is dialUpTo.
func (t *talk) dial(ctx context.Context, limit int64) (io.ReadWriteCloser, error) {
	l, err := t.begin()
	if err != nil {
		return nil, err
	}
	if err := l.settle(); err != nil {
		l.Close()
		return nil, err
	}
	return &counted{wire: l, ctx: ctx, timeout: t.check.Timeout, network: "tcp", limit: limit}, nil
}

// begin returns a link that is connecting.
func (t *talk) begin() (*link, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.under == nil {
		return nil, os.ErrClosed
	}
	const talks = 2 // the first of the shelves of talks
	s, err := t.connect(t.check, talks+family(t.check), unix.EPOLLIN|unix.EPOLLOUT)
	if err != nil {
		return nil, err
	}
	s.talk, s.settled, s.failure, s.greeted = t, false, nil, false
	t.under[s.serial] = s
	return &link{talk: t, socket: s}, nil
}

// link is a connection of a talk.
type link struct {
	*talk
	*socket
	spoke bool // the server may have said something that was not read yet
}

// settle waits until the connection is there, and returns why it doesn't come otherwise.
func (l *link) settle() error {
	for {
		late := l.wait() != nil
		l.mu.Lock()
		settled, err := l.settled, l.failure
		l.spoke = l.greeted
		l.mu.Unlock()
		if !settled && l.late.Load() {
			// The answer may have come in time, while this host was too busy to look.
			settled, err = connected(l.fd)
		}
		switch {
		case settled:
			return err
		case late:
			return lateError{limit: l.check.Timeout}
		}
	}
}

func (l *link) Read(b []byte) (int, error) {
	if l.got > mostAtOnce && l.late.Load() {
		return 0, context.DeadlineExceeded // or one that sends without end would not let it come to an end
	}
	if l.got > mostAtOnce && !l.heavy {
		l.heavy = true
		l.yield(struct{}{})
	}
	for {
		if l.spoke {
			n, err := receive(l.fd, b)
			if err == nil && n == 0 && len(b) > 0 {
				err = io.EOF
			}
			if !errors.Is(err, unix.EAGAIN) {
				l.got += n
				return n, err
			}
		}
		if err := l.wait(); err != nil {
			return 0, err
		}
		l.spoke = true
	}
}

func (l *link) Write(b []byte) (n int, err error) {
	for n < len(b) {
		sent, err := send(l.fd, b[n:])
		n += sent
		if errors.Is(err, unix.EAGAIN) {
			err, l.spoke = l.wait(), true // the news may have been an answer
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// Close resets the connection.
func (l *link) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.under, l.serial)
	l.socket.talk = nil
	l.rest(l.socket)
	return nil
}
