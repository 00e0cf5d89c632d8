package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/event/feed"
)

// eventful is a Backend that has events.
type eventful struct {
	Backend
	feed *feed.Feed
}

func (e eventful) Events(ctx context.Context, q event.Query) iter.Seq2[event.Item, error] {
	return e.feed.Watch(ctx, q)
}

// A watcher is told every now and then that the daemon is there, and stays for as long as he likes.
func TestPatientWatcher(t *testing.T) {
	f := feed.New(8)
	inBubble(t, eventful{feed: f}, func(t *testing.T, c *Client) {
		start, alive := time.Now(), 0
		for item, err := range c.Events(t.Context(), event.Query{Follow: true}) {
			switch {
			case err != nil:
				t.Fatalf("after %v: %v", time.Since(start), err)
			case item.Event != nil:
				if item.Event.Reason != "late" || alive != 480 {
					t.Errorf("%+v after %d signs of life", item.Event, alive)
				}
				return
			case item.Begin == nil:
				if alive++; alive == 480 { // two hours
					f.Add(event.Event{Reason: "late"})
				}
			}
		}
	})
}

// Watchers who don't read are cut off, and meanwhile nobody waits for them: neither who has news nor other watchers.
func TestStuckWatchers(t *testing.T) {
	f := feed.New(8)
	inBubble(t, eventful{feed: f}, func(t *testing.T, c *Client) {
		var stuck []net.Conn
		for range 100 {
			conn, err := c.transport.DialContext(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := fmt.Fprintf(conn, "GET /v1/events HTTP/1.1\r\nHost: ipvsd\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			stuck = append(stuck, conn)
		}
		synctest.Wait()
		begin, n := time.Now(), uint64(0)
		for item, err := range c.Events(t.Context(), event.Query{Follow: true}) {
			if err != nil {
				break
			}
			if item.Event != nil {
				if n++; item.Event.Sequence != n || item.Missed > 0 {
					t.Errorf("event %d is %d", n, item.Event.Sequence)
				}
			}
			if n == 20 {
				break
			}
			f.Add(event.Event{})
		}
		if n != 20 || time.Since(begin) > 0 {
			t.Errorf("%d events in %v", n, time.Since(begin))
		}
		<-time.After(watchPatience)
		synctest.Wait()
		for _, conn := range stuck {
			if err := conn.SetDeadline(time.Now().Add(time.Second)); !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("it is still there: %v", err)
			}
		}
	})
}

// There is a limit to how many watch at once, and who is sent away is told why.
func TestTooManyWatchers(t *testing.T) {
	f := feed.New(8)
	inBubble(t, eventful{feed: f}, func(t *testing.T, c *Client) {
		ctx, stop := context.WithCancel(t.Context())
		begun, gone := make(chan struct{}), make(chan struct{})
		for range maxWatchers {
			go func() {
				for item := range c.Events(ctx, event.Query{Follow: true}) {
					if item.Begin != nil {
						begun <- struct{}{}
					}
				}
				gone <- struct{}{}
			}()
		}
		for range maxWatchers {
			<-begun
		}
		for _, err := range c.Events(t.Context(), event.Query{}) {
			if err == nil || !strings.Contains(err.Error(), "no place for more") {
				t.Errorf("%v", err)
			}
		}
		stop()
		for range maxWatchers {
			<-gone
		}
		synctest.Wait()
		for _, err := range c.Events(t.Context(), event.Query{}) {
			if err != nil {
				t.Error(err)
			}
		}
	})
}

// silent is a Backend whose stream begins, and then has nothing, not even a sign of life.
type silent struct{ Backend }

func (silent) Events(ctx context.Context, _ event.Query) iter.Seq2[event.Item, error] {
	return func(yield func(event.Item, error) bool) {
		if yield(event.Item{Begin: new(event.Begin)}, nil) {
			<-ctx.Done()
		}
	}
}

// A client does not wait for ever for a daemon of which nothing is heard: the other host may have lost its power.
func TestSilentDaemon(t *testing.T) {
	inBubble(t, silent{}, func(t *testing.T, c *Client) {
		start := time.Now()
		var last error
		for _, err := range c.Events(t.Context(), event.Query{Follow: true}) {
			last = err
		}
		if last == nil || !strings.Contains(last.Error(), "said nothing for 1m0s") || time.Since(start) != silence || errors.Is(last, context.Canceled) {
			t.Errorf("after %v: %v", time.Since(start), last)
		}
	})
}
