// Package teller tells what package alert has decided: it writes the lines of the FIFOs, and puts e-mails and webhooks into the
// outbox. It has one goroutine, so that all that hear of something hear it in the same order, and nobody who has news waits.
package teller

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/ipvsd/ipvsd/pkg/alert"
	"github.com/ipvsd/ipvsd/pkg/alert/outbox"
	"github.com/ipvsd/ipvsd/pkg/alert/smtp"
	"github.com/ipvsd/ipvsd/pkg/alert/webhook"
	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/fifo"
)

const (
	// backlog is how many pieces of news may wait for the goroutine, which waits for nobody but the users' database of the host.
	backlog = 100_000
	// mailAttempts are, with the pauses of the outbox, about half an hour.
	mailAttempts = 30
	// stopLimit is how long, at the stop, what was told may take to arrive.
	stopLimit = 5 * time.Second
)

// Teller is who tells. New starts nothing, Run does; the other methods may be called at any time and never wait.
type Teller struct {
	log    *slog.Logger
	host   string
	outbox *outbox.Outbox
	mail   func(context.Context, alert.Mail) error
	post   func(context.Context, alert.Post) error
	dirty  chan struct{}

	mu   sync.Mutex
	list []any  // alert.News, *config.GlobalDefs
	lost uint64 // news, since the start
	full bool   // some of it since there was room last

	// Only Run's goroutine touches these.
	desk   *alert.Desk
	pipes  fifo.Set
	remind alert.Reminders
	seq    uint64 // events so far
}

// New returns a Teller.
func New(log *slog.Logger) *Teller {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "localhost"
	}
	return &Teller{
		log: log, host: host, outbox: outbox.New(log), mail: smtp.Send, post: webhook.Send, dirty: make(chan struct{}, 1), desk: new(alert.Desk),
	}
}

// Change makes the settings of a configuration those in force: for the news that come after it.
func (t *Teller) Change(c *config.GlobalDefs) { t.put(c) }

// Tell tells news. They may come from any goroutine.
func (t *Teller) Tell(list ...alert.News) {
	for i := range list {
		t.put(list[i])
	}
}

func (t *Teller) put(what any) {
	t.mu.Lock()
	if _, settings := what.(*config.GlobalDefs); settings || len(t.list) < backlog {
		t.list = append(t.list, what)
	} else {
		if !t.full {
			t.log.Error("there is more news than can be told; some is lost")
		}
		t.lost, t.full = t.lost+1, true
	}
	t.mu.Unlock()
	select {
	case t.dirty <- struct{}{}:
	default:
	}
}

// Counts returns what became of what was told by e-mail and webhooks, by destination, and how much news was lost before.
func (t *Teller) Counts() (alerts []outbox.Counts, lost uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.outbox.Counts(), t.lost
}

// Run tells news until the context is done, and then all that has come before.
func (t *Teller) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		t.work()
		if at := t.remind.Deadline(); !at.IsZero() {
			timer.Reset(time.Until(at))
		} else {
			timer.Stop()
		}
		select {
		case <-ctx.Done():
			t.work()
			return nil
		case <-t.dirty:
		case <-timer.C:
		}
	}
}

// Close waits, after Run, until what was told has arrived, but no longer than five seconds, or until the context is done.
func (t *Teller) Close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, stopLimit)
	defer cancel()
	t.outbox.Close(ctx)
	t.pipes.Close(ctx)
}

// work tells what has come, and what is to be told again.
func (t *Teller) work() {
	t.mu.Lock()
	list := t.list
	t.list, t.full = nil, false
	t.mu.Unlock()
	for i := range list {
		switch what := list[i].(type) {
		case *config.GlobalDefs:
			t.desk = alert.NewDesk(what, t.host)
			t.pipes.Follow(t.log, what.FIFOs)
		case alert.News:
			t.tell(&what)
		}
	}
	for _, n := range t.remind.Due(time.Now()) {
		t.tell(&n)
	}
}

func (t *Teller) tell(n *alert.News) {
	if line := n.Text(); line != "" {
		t.pipes.Write(t.log, n.About == alert.AnInstance || n.About == alert.AGroup, line+"\n")
	}
	if n.Kind != alert.Inaccessible {
		t.remind.Hear(n)
	}
	if m, ok := t.desk.Mail(n); ok {
		t.outbox.Put(toMailServer(&m), outbox.Letter{
			About: []any{"recipients", m.Recipients(), "subject", m.Subject}, Attempts: mailAttempts,
			Deliver: func(ctx context.Context) error { return t.mail(ctx, m) },
		})
	}
	if n.Event {
		t.seq++
	}
	for _, p := range t.desk.Posts(n, t.seq) {
		t.outbox.Put(toWebhook(&p), outbox.Letter{
			About: []any{"seq", t.seq}, Attempts: p.To.Attempts,
			Deliver: func(ctx context.Context) error { return t.post(ctx, p) },
		})
	}
}
