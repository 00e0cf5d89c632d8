package outbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// world is an Outbox in a bubble, and what it did, with the seconds since the start.
type world struct {
	*Outbox
	log   bytes.Buffer
	start time.Time
	mu    sync.Mutex
	did   []string
}

func (w *world) letter(name string, attempts int, errs ...error) Letter {
	n := 0
	return Letter{About: []any{"name", name}, Attempts: attempts, Deliver: func(context.Context) error {
		w.mu.Lock()
		w.did = append(w.did, fmt.Sprintf("%s %v", name, time.Since(w.start)))
		w.mu.Unlock()
		if n++; n <= len(errs) {
			return errs[n-1]
		}
		return nil
	}}
}

func bubble(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{start: time.Now()}
		w.Outbox = New(slog.New(slog.NewTextHandler(&w.log, nil)))
		f(t, w)
		w.Close(t.Context())
	})
}

func (w *world) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	if !slices.Equal(w.did, want) {
		t.Errorf("it did %q, want %q", w.did, want)
	}
}

// What fails is tried again, with growing pauses, while what comes after it waits; another destination does not.
func TestAgain(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		bad := errors.New("connection refused")
		w.Put("a", w.letter("1", 3, bad, bad))
		w.Put("a", w.letter("2", 1))
		synctest.Wait()
		w.Put("b", w.letter("3", 1))
		<-time.After(time.Hour)
		w.want(t, "1 0s", "3 0s", "1 1s", "1 3s", "2 3s")
		if text := w.log.String(); strings.Count(text, "level=WARN") != 1 || !strings.Contains(text, "delivered at last") {
			t.Error(text)
		}
	})
}

// What fails too often, or would for ever, is given up.
func TestGivenUp(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		bad := errors.New("busy")
		w.Put("a", w.letter("1", 2, bad, bad, bad))
		w.Put("a", w.letter("2", 9, Permanent(bad)))
		<-time.After(time.Hour)
		w.want(t, "1 0s", "1 1s", "2 1s")
		if text := w.log.String(); strings.Count(text, "level=ERROR") != 2 {
			t.Error(text)
		}
	})
}

// Of too many the oldest are dropped, which is counted.
func TestFull(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.Put("a", w.letter("stuck", 2, errors.New("busy")))
		synctest.Wait()
		for i := range backlog + 7 {
			w.Put("a", w.letter(fmt.Sprint(i), 1))
		}
		<-time.After(time.Minute)
		synctest.Wait()
		if len(w.did) != backlog+2 || w.did[2] != "7 1s" {
			t.Errorf("%d attempts: %q", len(w.did), w.did[:3])
		}
		if text := w.log.String(); strings.Count(text, "too many wait") != 1 || !strings.Contains(text, "dropped=7") {
			t.Error(text)
		}
	})
}

// At the stop what waits is tried once more, without a pause, until the time is up.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{start: time.Now()}
		w.Outbox = New(slog.New(slog.NewTextHandler(&w.log, nil)))
		bad := errors.New("busy")
		w.Put("a", w.letter("1", 9, bad, bad, bad))
		w.Put("a", w.letter("2", 9, bad))
		w.Put("b", Letter{Deliver: func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}})
		w.Put("b", w.letter("3", 1))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		w.Close(ctx)
		if took := time.Since(w.start); took != 5*time.Second {
			t.Errorf("it took %v", took)
		}
		w.want(t, "1 0s", "1 0s", "2 0s")
		if !strings.Contains(w.log.String(), "not delivered before the stop\" to=b lost=1") {
			t.Error(w.log.String())
		}
		w.Put("a", w.letter("4", 1))
		synctest.Wait()
		w.want(t, "1 0s", "1 0s", "2 0s")
	})
}

// Each letter counts once in the end, whatever became of it.
func TestCounts(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		bad := errors.New("busy")
		w.Put("b", w.letter("1", 3, bad, bad))
		synctest.Wait() // it is under way, and none of those that wait
		w.Put("a", w.letter("2", 1, bad))
		w.Put("b", w.letter("3", 9, Permanent(bad)))
		for i := range backlog {
			w.Put("b", w.letter(fmt.Sprint(4+i), 1))
		}
		synctest.Wait()
		if got, want := w.Counts(), []Counts{{To: "a", Failed: 1}, {To: "b", Queued: backlog + 1, Retried: 1, Dropped: 1}}; !slices.Equal(got, want) {
			t.Errorf("while the first one is tried: %+v, want %+v", got, want)
		}
		<-time.After(time.Hour)
		synctest.Wait()
		if got, want := w.Counts()[1], (Counts{To: "b", Delivered: backlog + 1, Retried: 2, Dropped: 1}); got != want {
			t.Errorf("in the end: %+v, want %+v", got, want)
		}
	})
}
