package vrrpio

import (
	"context"
	"log/slog"
	"sync/atomic"
)

// scribe writes the log for the thread, which must not wait for whoever reads it.
type scribe struct {
	log   *slog.Logger
	lines chan line
	lost  atomic.Uint64 // since one could be written
	done  chan struct{}
}

type line struct {
	level   slog.Level
	message string
	args    []any
}

func startScribe(log *slog.Logger) *scribe {
	s := &scribe{log: log, lines: make(chan line, 256), done: make(chan struct{})}
	go func() {
		defer close(s.done)
		for l := range s.lines {
			s.log.Log(context.Background(), l.level, l.message, l.args...) //nolint:sloglint // messages are constants where they come from
			if n := s.lost.Swap(0); n > 0 {
				s.log.Warn("the log was too slow for the virtual routers", "lines_lost", n)
			}
		}
	}()
	return s
}

// warn drops the line, and counts it, if too many wait to be written.
func (s *scribe) warn(message string, args ...any) {
	select {
	case s.lines <- line{slog.LevelWarn, message, args}:
	default:
		s.lost.Add(1)
	}
}

// stop returns when all is written.
func (s *scribe) stop() {
	close(s.lines)
	<-s.done
}
