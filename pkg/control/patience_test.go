package control

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/connection"
)

// slow is a Backend whose table has an entry a minute.
type slow struct {
	Backend
	minutes int
}

func (s slow) Connections(ctx context.Context, _ connection.Query) iter.Seq2[connection.Connection, error] {
	return func(yield func(connection.Connection, error) bool) {
		for range s.minutes {
			select {
			case <-time.After(time.Minute):
			case <-ctx.Done():
				yield(connection.Connection{}, ctx.Err())
				return
			}
			if !yield(connection.Connection{State: "UDP"}, nil) {
				return
			}
		}
	}
}

// pipes is a listener without a socket, for a bubble.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	conn, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (p pipes) Close() error {
	close(p)
	return nil
}

func (p pipes) Addr() net.Addr { return &net.UnixAddr{} }

// client returns a client of who accepts from the listener.
func (p pipes) client(t *testing.T) *Client {
	t.Helper()
	c := NewClient("pipe")
	c.transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		p <- server
		return client, nil
	}
	t.Cleanup(c.transport.CloseIdleConnections)
	return c
}

// inBubble runs f with a client of a server that has the backend.
func inBubble(t *testing.T, b Backend, f func(*testing.T, *Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, err := Listen(t.TempDir()+"/s", b, nil, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		p := make(pipes)
		go func() { _ = s.http.Serve(p) }()
		t.Cleanup(func() { _ = errors.Join(s.http.Close(), s.listener.Close()) })
		f(t, p.client(t))
	})
}

// The limits for requests, the server's and the client's, don't end an answer that takes longer.
func TestLongAnswer(t *testing.T) {
	inBubble(t, slow{minutes: 30}, func(t *testing.T, c *Client) {
		n := 0
		start := time.Now()
		for _, err := range c.Connections(t.Context(), connection.Query{}) {
			if err != nil {
				t.Error(err)
			}
			if n++; time.Since(start) != time.Duration(n)*time.Minute {
				t.Errorf("entry %d came after %v", n, time.Since(start)) // it was held back
			}
		}
		if s, err := c.Summary(t.Context(), connection.Query{}, 0); n != 30 || err != nil || s.Entries != 30 {
			t.Errorf("%d entries; %v %+v", n, err, s)
		}
	})
}

// A few lists are under way at once. One more waits for a place, but not for ever.
func TestPlacesForWalks(t *testing.T) {
	inBubble(t, slow{minutes: 2}, func(t *testing.T, c *Client) {
		errs := make(chan error)
		ask := func() {
			_, err := c.Summary(t.Context(), connection.Query{}, 0)
			errs <- err
		}
		start := time.Now()
		for range maxWalks {
			go ask()
		}
		synctest.Wait()
		go ask()
		if err := <-errs; err == nil || !strings.Contains(err.Error(), "try again") || time.Since(start) != walkPatience {
			t.Errorf("with no place: %v after %v", err, time.Since(start))
		}
		<-time.After(2*time.Minute - walkPatience - walkPatience/2)
		go ask()
		for range maxWalks + 1 {
			if err := <-errs; err != nil {
				t.Errorf("with a place, or soon one: %v", err)
			}
		}
	})
}
