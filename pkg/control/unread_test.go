package control

import (
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/connection"
	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/event/feed"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// long has answers of all kinds that are longer than anybody's buffers.
type long struct {
	Backend
	feed *feed.Feed
}

func (l long) Status(context.Context) (*status.Snapshot, error) {
	return &status.Snapshot{Version: strings.Repeat("x", 8*portion)}, nil
}

func (l long) Wishes(context.Context) (*status.Wishes, error) { return &status.Wishes{}, nil }

func (l long) Events(ctx context.Context, q event.Query) iter.Seq2[event.Item, error] {
	return l.feed.Watch(ctx, q)
}

func (l long) Connections(ctx context.Context, q connection.Query) iter.Seq2[connection.Connection, error] {
	return much{}.Connections(ctx, q)
}

// ways are those by which clients come.
var ways = map[string]func(*Server, pipes) *http.Server{
	"socket": func(s *Server, p pipes) *http.Server {
		go func() { _ = s.http.Serve(p) }()
		return &s.http
	},
	"TCP": func(s *Server, p pipes) *http.Server { return &s.gates.serve(p, false).http },
}

// served returns a client that comes by such a way.
func (l long) served(t *testing.T, way func(*Server, pipes) *http.Server) *Client {
	t.Helper()
	s, err := Listen(t.TempDir()+"/s", l, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s.gates.handler = s.inner()
	s.gates.credentials.Store(new(credentials))
	p := make(pipes)
	served := way(s, p)
	t.Cleanup(func() { _ = errors.Join(served.Close(), s.listener.Close()) })
	return p.client(t)
}

// asks opens a connection and asks for something.
func (c *Client) asks(t *testing.T, path string) net.Conn {
	t.Helper()
	conn, err := c.transport.DialContext(t.Context(), "", "")
	if err == nil {
		_, err = io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
	}
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// By the socket and by TCP: who never reads an answer, of whatever kind, keeps nobody waiting, and after a time nothing of it is left.
func TestUnreadAnswers(t *testing.T) {
	const each = 30
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := long{feed: feed.New(8)}
				c := b.served(t, way)
				others := func(when string) {
					t.Helper()
					start := time.Now()
					code, text := fetch(t, &http.Client{Transport: c.transport}, http.MethodGet, "http://localhost"+wishesPath)
					if code != http.StatusOK || time.Since(start) > 0 {
						t.Errorf("%s others have %d %q after %v", when, code, text, time.Since(start))
					}
					synctest.Wait() // what came of it ends, too, before anybody counts
				}
				others("before,")
				before := runtime.NumGoroutine()
				var stuck []net.Conn
				for _, path := range []string{statusPath, connectionsPath, eventsPath} {
					for range each {
						stuck = append(stuck, c.asks(t, path))
					}
				}
				synctest.Wait()
				for range 100 { // nobody remembers them for who does not read
					b.feed.Add(event.Event{})
				}
				others("meanwhile")
				if n := runtime.NumGoroutine() - before; n > 3*len(stuck) {
					t.Errorf("%d goroutines for %d clients", n, len(stuck))
				}
				<-time.After(walkPatience + writePatience) // those that had no place were told so, and have not read that, either
				synctest.Wait()
				for i, conn := range stuck {
					if err := conn.SetDeadline(time.Now().Add(time.Second)); !errors.Is(err, io.ErrClosedPipe) {
						t.Errorf("%d is still there: %v", i, err)
					}
				}
				others("afterwards")
				if n := runtime.NumGoroutine() - before; n > 0 {
					t.Errorf("%d goroutines are left", n)
				}
			})
		})
	}
}

// Long answers are held whole: by TCP there are only so many at once, and who has no place is told so. Root is not kept waiting by them.
func TestPlacesForLongAnswers(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := long{}.served(t, way)
				for range maxLong {
					c.asks(t, statusPath)
				}
				synctest.Wait()
				start := time.Now()
				code, text := fetch(t, &http.Client{Transport: c.transport}, http.MethodGet, "http://localhost"+statusPath)
				switch took := time.Since(start); {
				case name == "socket" && (code != http.StatusOK || took > 0):
					t.Errorf("%d after %v", code, took)
				case name == "TCP" && (code != http.StatusServiceUnavailable || took != longPatience || !strings.Contains(text, "try again later")):
					t.Errorf("%d %.80q after %v", code, text, took)
				}
				<-time.After(writePatience)
				if code, _ := fetch(t, &http.Client{Transport: c.transport}, http.MethodGet, "http://localhost"+statusPath); code != http.StatusOK {
					t.Errorf("when there is a place again: %d", code)
				}
			})
		})
	}
}

// Who reads a little now and then, to hold an answer for hours, is cut off.
func TestSlowReader(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn := long{}.served(t, way).asks(t, statusPath)
				start := time.Now()
				for n := 0; ; n++ {
					<-time.After(writePatience / 3)
					if _, err := io.ReadFull(conn, make([]byte, portion)); err != nil {
						break
					}
				}
				if took := time.Since(start); took > 2*writePatience {
					t.Errorf("it was cut off after %v", took)
				}
			})
		})
	}
}
