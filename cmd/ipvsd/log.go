package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"log/syslog"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
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

// log returns where the log goes: to a file, to stderr, or in the background, where nobody sees that, to syslog; and what to do at
// the end.
func (p *process) log(o *options) (io.Writer, func(), error) {
	w := p.stderr
	closeFile := func() {}
	switch {
	case o.logFile != "":
		f, err := os.OpenFile(o.logFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND|syscall.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil, nil, err
		}
		w, closeFile = f, func() { _ = f.Close() }
	case p.detached && o.foreign.noSyslog:
		w = io.Discard
	case p.detached:
		if s, err := syslog.New(facilities[o.foreign.facility]|syslog.LOG_INFO, p.name); err == nil { // without one, stderr is heard at least until we are ready
			w, closeFile = bySeverity{s}, func() { _ = s.Close() }
		}
	}
	lines := newQueue(w, 1<<15)
	return lines, func() {
		lines.end(time.Second)
		closeFile()
	}, nil
}

// facilities are those of syslog that keepalived takes.
var facilities = map[string]syslog.Priority{
	"0": syslog.LOG_LOCAL0, "1": syslog.LOG_LOCAL1, "2": syslog.LOG_LOCAL2, "3": syslog.LOG_LOCAL3,
	"4": syslog.LOG_LOCAL4, "5": syslog.LOG_LOCAL5, "6": syslog.LOG_LOCAL6, "7": syslog.LOG_LOCAL7,
	"local0": syslog.LOG_LOCAL0, "local1": syslog.LOG_LOCAL1, "local2": syslog.LOG_LOCAL2, "local3": syslog.LOG_LOCAL3,
	"local4": syslog.LOG_LOCAL4, "local5": syslog.LOG_LOCAL5, "local6": syslog.LOG_LOCAL6, "local7": syslog.LOG_LOCAL7,
	"user": syslog.LOG_USER, "daemon": syslog.LOG_DAEMON,
}

// bySeverity writes lines of the log to syslog, each with its level.
type bySeverity struct{ *syslog.Writer }

func (s bySeverity) Write(line []byte) (int, error) {
	text := string(line)
	switch {
	case strings.Contains(text, "level=ERROR"):
		return len(line), s.Err(text)
	case strings.Contains(text, "level=WARN"):
		return len(line), s.Warning(text)
	case strings.Contains(text, "level=DEBUG"):
		return len(line), s.Debug(text)
	}
	return len(line), s.Info(text)
}
