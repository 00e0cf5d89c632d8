package vrrpio

import (
	"context"
	"log/slog"
)

// scribe writes the log for the thread, which must not wait for whoever reads it.
type scribe struct {
	log   *slog.Logger
	lines chan line
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
		}
	}()
	return s
}

// warn drops the line if too many wait to be written.
func (s *scribe) warn(message string, args ...any) {
	select {
	case s.lines <- line{slog.LevelWarn, message, args}:
	default:
	}
}

// stop returns when all is written.
func (s *scribe) stop() {
	close(s.lines)
	<-s.done
}
