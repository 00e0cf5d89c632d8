package control

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/status"
)

// lingering is a backend at which an order takes until the daemon ends, and then some.
type lingering struct {
	doer
	socket string
	begun  chan struct{}
}

func (s *lingering) Order(ctx context.Context, _ Order) (*status.Wishes, error) {
	close(s.begun)
	<-ctx.Done()
	for {
		if _, err := os.Stat(s.socket); errors.Is(err, fs.ErrNotExist) { // the server has little left to do
			break
		}
		<-time.After(time.Millisecond)
	}
	<-time.After(100 * time.Millisecond)
	return nil, ctx.Err()
}

// What is being done when the daemon ends is in the audit log before the server has ended.
func TestLastEntry(t *testing.T) {
	s := &lingering{socket: filepath.Join(t.TempDir(), "s"), begun: make(chan struct{})}
	server, err := Listen(s.socket, s, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	notes := new(notebook)
	server.Audit(notes)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- server.Run(ctx) }()
	asked := make(chan error)
	go func() {
		_, err := NewClient(s.socket).Order(t.Context(), Order{Verb: Drain, Server: "10.0.0.2:80"})
		asked <- err
	}()
	<-s.begun
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	notes.Lock()
	n := len(notes.entries)
	notes.Unlock()
	if n != 1 {
		t.Errorf("%d entries", n)
	}
	if err := <-asked; err == nil {
		t.Error("an answer of a daemon that has ended")
	}
}

// A request that never ends keeps no daemon from ending.
func TestLastEntryThatNeverComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(book)
		b.begin()
		start := time.Now()
		b.settle(lastAnswers)
		if took := time.Since(start); took != lastAnswers {
			t.Errorf("it took %v", took)
		}
		b.end()
		if b.settle(lastAnswers); time.Since(start) != lastAnswers {
			t.Error("waited for nothing")
		}
		b.begin()
		b.end() // with nobody who waits any more
	})
}
