package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// logger logs as text. The journal notes the time by itself.
func logger(w io.Writer, level slog.Level) *slog.Logger {
	_, journal := os.LookupEnv("JOURNAL_STREAM")
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if journal && len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
}

// queue is a writer that never waits for the one behind it: a log whose reader has stopped must not stop the director. It
// drops lines when too many wait, and says how many.
type queue struct {
	w     io.Writer
	lines chan []byte // nil: the last one
	lost  atomic.Uint64
	done  chan struct{}
}

// newQueue returns a queue before w for so many lines, and starts its goroutine. End ends that.
func newQueue(w io.Writer, lines int) *queue {
	q := &queue{w: w, lines: make(chan []byte, lines), done: make(chan struct{})}
	go q.run()
	return q
}

func (q *queue) Write(line []byte) (int, error) {
	select {
	case q.lines <- bytes.Clone(line):
	default:
		q.lost.Add(1)
	}
	return len(line), nil
}

func (q *queue) run() {
	defer close(q.done)
	for line := range q.lines {
		if line == nil {
			return
		}
		_, _ = q.w.Write(line) // there is no other place to complain
		if n := q.lost.Swap(0); n > 0 {
			_, _ = fmt.Fprintf(q.w, "level=WARN msg=\"the log was too slow\" lines_lost=%d\n", n)
		}
	}
}

// end waits until all is written, but not for long.
func (q *queue) end(patience time.Duration) {
	late := time.After(patience)
	select {
	case q.lines <- nil:
	case <-late:
		return
	}
	select {
	case <-q.done:
	case <-late:
	}
}
