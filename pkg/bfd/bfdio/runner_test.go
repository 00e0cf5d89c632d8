package bfdio

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/bfd"
)

var hosts = [2]netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}

// wire joins hosts. Packets may be lost, or come from farther away.
type wire struct {
	mu    sync.Mutex
	to    map[netip.Addr]map[endpoint]chan datagram
	loose bool // nothing arrives
	ttl   int
}

// plug is a host's network.
type plug struct {
	*wire
	own netip.Addr
}

func (p plug) listen(at endpoint) (receiver, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.to[p.own] == nil {
		p.to[p.own] = make(map[endpoint]chan datagram)
	}
	c := make(chan datagram, 100)
	p.to[p.own][at] = c
	return &jack{p, at, c}, nil
}

func (p plug) dial(c *bfd.Config) (sender, error) { return cable{p, c}, nil }

type jack struct {
	plug
	at endpoint
	c  chan datagram
}

func (j *jack) receive() (datagram, error) {
	d, open := <-j.c
	if !open {
		return d, errors.New("closed")
	}
	return d, nil
}

func (j *jack) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.to[j.own], j.at)
	close(j.c)
	return nil
}

type cable struct {
	plug
	config *bfd.Config
}

func (c cable) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if to := c.to[c.config.Neighbor][of(c.config)]; to != nil && !c.loose {
		to <- datagram{from: c.own, ttl: c.ttl, data: append([]byte(nil), b...)}
	}
	return len(b), nil
}

func (c cable) Close() error { return nil }

// end is one end of a session.
type end struct {
	*Runner
	news []string
}

func newEnd(w *wire, own int) *end {
	e := &end{}
	e.Runner = New(Options{Log: slog.New(slog.DiscardHandler), Report: func(name string, up bool, reason string) {
		e.news = append(e.news, map[bool]string{false: "down: " + reason, true: "up"}[up])
	}})
	e.network = plug{w, hosts[own]}
	c := &bfd.Config{
		Name: "peer", Neighbor: hosts[1-own], MinRx: 10 * time.Millisecond, MinTx: 10 * time.Millisecond, IdleTx: time.Second, Multiplier: 5,
	}
	e.Change(map[string]*bfd.Config{"peer": c})
	return e
}

func (e *end) run(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- e.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// Two runners agree, lose each other within the detection time, find each other again; a stop is told at once.
func TestRunners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{to: make(map[netip.Addr]map[endpoint]chan datagram), ttl: 255}
		a, b := newEnd(w, 0), newEnd(w, 1)
		stopA, stopB := a.run(t), b.run(t)
		time.Sleep(5 * time.Second)
		want := func(e *end, news ...string) {
			t.Helper()
			synctest.Wait()
			if len(e.news) != len(news) {
				t.Fatalf("%q, want %q", e.news, news)
			}
			for i := range news {
				if e.news[i] != news[i] {
					t.Errorf("%q, want %q", e.news, news)
				}
			}
			e.news = nil
		}
		want(a, "down: nothing heard from 192.0.2.2", "up")
		want(b, "down: nothing heard from 192.0.2.1", "up")

		w.mu.Lock()
		w.loose = true
		w.mu.Unlock()
		time.Sleep(49 * time.Millisecond)
		if s, err := a.Status(t.Context()); err != nil || len(s) != 1 || s[0].Detection != 50*time.Millisecond {
			t.Errorf("%+v, %v", s, err)
		}
		time.Sleep(2 * time.Millisecond)
		want(a, "down: nothing heard from 192.0.2.2 for 50ms")
		want(b, "down: nothing heard from 192.0.2.1 for 50ms")
		w.mu.Lock()
		w.loose = false
		w.mu.Unlock()
		time.Sleep(5 * time.Second)
		want(a, "up")
		want(b, "up")

		stopB()
		synctest.Wait()
		want(a, "down: 192.0.2.2 says that the session is down")
		stopA()
		if s, err := a.Status(t.Context()); len(s) > 0 || err != nil {
			t.Errorf("after the end %v, %v", s, err)
		}
	})
}

// RFC 5881, 5: what has come through a router is not believed, unless max_hops says so; IPv6 has keepalived's TTL.
func TestHops(t *testing.T) {
	v6 := netip.MustParseAddr("2001:db8::1")
	for _, c := range []struct {
		config bfd.Config
		ttl    int
		want   bool
	}{
		{bfd.Config{Neighbor: hosts[0]}, 255, true},
		{bfd.Config{Neighbor: hosts[0]}, 254, false},
		{bfd.Config{Neighbor: hosts[0], MaxHops: 2}, 253, true},
		{bfd.Config{Neighbor: hosts[0], MaxHops: 2}, 252, false},
		{bfd.Config{Neighbor: hosts[0], MaxHops: -1}, 1, true},
		{bfd.Config{Neighbor: v6}, 64, true},
		{bfd.Config{Neighbor: v6}, 63, false},
		{bfd.Config{Neighbor: v6, TTL: 255}, 254, false},
	} {
		if got := near(&c.config, c.ttl); got != c.want {
			t.Errorf("%+v, TTL %d: %v", c.config, c.ttl, got)
		}
	}
}

// A reload: a session with the same neighbor goes on, the others end and begin.
func TestChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{to: make(map[netip.Addr]map[endpoint]chan datagram), ttl: 255}
		a, b := newEnd(w, 0), newEnd(w, 1)
		defer a.run(t)()
		defer b.run(t)()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		a.news, b.news = nil, nil
		slower := *a.sessions["peer"].config
		slower.MinTx, slower.Multiplier = 50*time.Millisecond, 3
		a.Change(map[string]*bfd.Config{"peer": &slower})
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if len(a.news)+len(b.news) > 0 {
			t.Errorf("a slower session went %q, %q", a.news, b.news)
		}
		if s, _ := b.Status(t.Context()); s[0].Detection != 150*time.Millisecond {
			t.Errorf("the neighbor has %+v", s)
		}
		a.Change(nil)
		time.Sleep(5 * time.Second)
		if s, _ := a.Status(t.Context()); len(s) != 0 {
			t.Errorf("%+v", s)
		}
		synctest.Wait()
		if len(b.news) != 1 {
			t.Errorf("the neighbor has seen %q", b.news)
		}
	})
}
