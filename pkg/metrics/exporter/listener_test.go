package exporter

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// wire is a network in a bubble: the address that is listened at, and the errors that come before.
type wire struct {
	mu    sync.Mutex
	at    netip.AddrPort
	open  *place
	tries []time.Duration
	start time.Time
	errs  []error
}

func (w *wire) listen(_ context.Context, at netip.AddrPort) (net.Listener, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tries = append(w.tries, time.Since(w.start))
	if len(w.errs) > 0 {
		err := w.errs[0]
		w.errs = w.errs[1:]
		return nil, err
	}
	w.at, w.open = at, &place{wire: w, end: make(chan struct{})}
	return w.open, nil
}

// place is a listener that nobody comes to.
type place struct {
	*wire
	once sync.Once
	end  chan struct{}
}

func (p *place) Accept() (net.Conn, error) {
	<-p.end
	return nil, net.ErrClosed
}

func (p *place) Close() error {
	p.once.Do(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.at = netip.AddrPort{}
		close(p.end)
	})
	return nil
}

func (p *place) Addr() net.Addr { return net.TCPAddrFromAddrPort(p.at) }

// An address that can't be had is told once, and tried again with growing pauses; the newest wish counts, and none gives the port back.
func TestListenerTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := errors.New("address already in use")
		w := &wire{start: time.Now(), errs: []error{busy, busy, busy, busy, busy, busy, busy}}
		var log bytes.Buffer
		l := NewListener(http.NotFoundHandler(), slog.New(slog.NewTextHandler(&log, nil)))
		l.listen = w.listen
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { l.Run(ctx); close(done) }()
		at := func(want string) {
			t.Helper()
			synctest.Wait()
			if w.mu.Lock(); w.at.String() != want {
				t.Errorf("it listens at %v, want %s", w.at, want)
			}
			w.mu.Unlock()
		}
		first, second := netip.MustParseAddrPort("192.0.2.1:9110"), netip.MustParseAddrPort("[2001:db8::1]:9110")
		l.Follow(first)
		<-time.After(time.Hour)
		at(first.String())
		if len(w.tries) != 8 || w.tries[3] != 7*time.Second || w.tries[7] != (1+2+4+8+16+30+30)*time.Second {
			t.Errorf("it tried at %v", w.tries)
		}
		if text := log.String(); strings.Count(text, "can't be served") != 1 || !strings.Contains(text, "address already in use") || strings.Count(text, "metrics are served") != 1 {
			t.Error(text)
		}
		l.Follow(first)
		at(first.String())
		l.Follow(first)
		l.Follow(second) // of two wishes the newer one
		at(second.String())
		_ = w.open.Close() // by itself
		at("invalid AddrPort")
		<-time.After(time.Minute)
		at(second.String())
		l.Follow(netip.AddrPort{})
		at("invalid AddrPort")
		<-time.After(time.Hour)
		at("invalid AddrPort")
		l.Follow(first)
		at(first.String())
		cancel()
		<-done
		at("invalid AddrPort")
	})
}

// On a port of its own there are metrics and nothing else, for those who can wait: with IPv4 and IPv6.
func TestListener(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		l := NewListener(telling(director()), slog.New(slog.DiscardHandler))
		bound := make(chan net.Addr, 1)
		listen := l.listen
		l.listen = func(ctx context.Context, at netip.AddrPort) (net.Listener, error) {
			n, err := listen(ctx, at)
			if err == nil {
				bound <- n.Addr()
			}
			return n, err
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { l.Run(ctx); close(done) }()
		l.Follow(netip.AddrPortFrom(netip.MustParseAddr(host), 0))
		addr := (<-bound).String()
		for _, test := range []struct {
			method, path string
			code         int
		}{
			{"GET", "/metrics", 200}, {"HEAD", "/metrics", 200}, {"POST", "/metrics", 405}, {"GET", "/", 404}, {"GET", "/v1/status", 404},
			{"GET", "/debug/pprof/", 404}, {"GET", "/metrics/", 404}, {"POST", "/v1/reload", 404},
		} {
			r, err := http.NewRequest(test.method, "http://"+addr+test.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(answer.Body)
			if err != nil || answer.StatusCode != test.code || (test.method == "GET" && test.code == 200) != strings.Contains(string(text), "ipvsd_server_up{") {
				t.Errorf("%s %s: status %d, %v: %s", test.method, test.path, answer.StatusCode, err, text)
			}
			_ = answer.Body.Close()
		}
		cancel()
		<-done
		if c, err := net.Dial("tcp", addr); err == nil {
			_ = c.Close()
			t.Errorf("%s still listens", addr)
		}
		http.DefaultClient.CloseIdleConnections()
	}
}
