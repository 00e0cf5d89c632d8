package exporter

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"golang.org/x/net/netutil"
)

const (
	// maxConns are the connections to a Listener at once; others wait.
	maxConns = 32
	// The first pause after an address could not be bound; it doubles. An address may be a virtual one, or belong to another
	// program for a while.
	pause    = time.Second
	maxPause = 30 * time.Second
)

// Listener serves metrics on a TCP port, at /metrics.
type Listener struct {
	handler http.Handler
	log     *slog.Logger
	wish    chan netip.AddrPort
	listen  func(context.Context, netip.AddrPort) (net.Listener, error)
}

// NewListener returns a Listener that listens nowhere. It starts nothing, Run does.
func NewListener(metrics http.Handler, log *slog.Logger) *Listener {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	return &Listener{handler: mux, log: log, wish: make(chan netip.AddrPort, 1), listen: func(ctx context.Context, at netip.AddrPort) (net.Listener, error) {
		network := "tcp4" // 0.0.0.0 is not IPv6, too
		if at.Addr().Is6() {
			network = "tcp6"
		}
		l, err := new(net.ListenConfig).Listen(ctx, network, at.String())
		if errors.Is(err, fs.ErrPermission) {
			err = fmt.Errorf("%w: a low port needs CAP_NET_BIND_SERVICE in ipvsd's unit; or use one from 1024 on", err)
		}
		return l, err
	}}
}

// Follow has it listen at an address, or nowhere if that is zero, and never waits. It is for one goroutine at a time.
func (l *Listener) Follow(at netip.AddrPort) {
	select {
	case <-l.wish: // it is old
	default:
	}
	l.wish <- at
}

// Run listens until the context is done. What is in the way of that is logged, and tried again.
func (l *Listener) Run(ctx context.Context) {
	var at netip.AddrPort
	var running *serving
	next := pause
	retry := time.NewTimer(0)
	defer retry.Stop()
	open := func() {
		retry.Stop()
		if !at.IsValid() {
			return
		}
		s, err := l.serve(ctx, at)
		if err == nil {
			l.log.Info("metrics are served", "at", at.String())
			running, next = s, pause
			return
		}
		if next == pause {
			l.log.Error("metrics can't be served; it is tried again", "at", at.String(), "err", err)
		}
		retry.Reset(next)
		next = min(2*next, maxPause)
	}
	for {
		select {
		case <-ctx.Done():
			running.close()
			return
		case wish := <-l.wish:
			if wish == at {
				continue
			}
			running.close()
			running, at, next = nil, wish, pause
			open()
		case <-running.ended():
			l.log.Error("metrics are no longer served; it is tried again", "at", at.String(), "err", running.err)
			running.close()
			running = nil
			retry.Reset(next)
		case <-retry.C:
			if running == nil {
				open()
			}
		}
	}
}

// serving is a server at an address.
type serving struct {
	http http.Server
	done chan struct{} // closed when it has ended, by itself or not
	err  error
}

func (l *Listener) serve(ctx context.Context, at netip.AddrPort) (*serving, error) {
	listener, err := l.listen(ctx, at)
	if err != nil {
		return nil, err
	}
	s := &serving{done: make(chan struct{})}
	s.http = http.Server{
		Handler:           l.handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      queueing + patience + 20*time.Second,
		IdleTimeout:       2 * time.Minute, // longer than most wait between two scrapes
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(l.log.Handler(), slog.LevelDebug), // whoever reaches the port could fill the log
	}
	go func() {
		s.err = s.http.Serve(netutil.LimitListener(listener, maxConns))
		close(s.done)
	}()
	return s, nil
}

// ended returns what is closed when a server has ended by itself; of none, never.
func (s *serving) ended() <-chan struct{} {
	if s == nil {
		return nil
	}
	return s.done
}

// close ends a server with its connections.
func (s *serving) close() {
	if s != nil {
		_ = s.http.Close()
		<-s.done
	}
}
