package control_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/event/feed"
	"github.com/ipvsd/ipvsd/pkg/status"
)

func (b *backend) Events(ctx context.Context, q event.Query) iter.Seq2[event.Item, error] {
	return b.feed.Watch(ctx, q)
}

// until returns the text of the events up to the one of a number.
func until(ctx context.Context, c *control.Client, q event.Query, last uint64) (text string, err error) {
	for item, err := range c.Events(ctx, q) {
		switch {
		case err != nil:
			return text, err
		case item.Begin != nil:
			text += fmt.Sprintf("begin:%v:%d ", item.Begin.Restarted, item.Begin.Skipped)
		case item.Missed > 0:
			text += fmt.Sprintf("missed:%d ", item.Missed)
		case item.End:
			text += "end "
		case item.Event != nil:
			text += item.Event.Reason + " "
			if item.Event.Sequence == last {
				return text, nil
			}
		}
	}
	return text, nil
}

// happen has so many events, told apart by their reasons.
func happen(f *feed.Feed, from, to int) {
	for i := from; i <= to; i++ {
		f.Add(event.Event{Kind: event.Server, Reason: fmt.Sprint("e", i)})
	}
}

func TestEvents(t *testing.T) {
	b := &backend{feed: feed.New(4)}
	c, _ := serve(t, b)
	happen(b.feed, 1, 3)
	check := func(name string, q event.Query, last uint64, want string) {
		t.Helper()
		if text, err := until(t.Context(), c, q, last); text != want || err != nil {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	check("what there is", event.Query{}, 0, "begin:false:0 e1 e2 e3 end ")
	check("of another kind", event.Query{Kinds: []event.Kind{event.Drift}}, 0, "begin:false:0 end ")
	var at event.Position
	for item, err := range c.Events(t.Context(), event.Query{Follow: true}) { // and what comes
		if err != nil {
			t.Fatal(err)
		}
		if item.Event != nil && item.Event.Sequence < 5 {
			happen(b.feed, int(item.Event.Sequence)+3, int(item.Event.Sequence)+3)
		} else if item.Event != nil && item.Event.Sequence == 5 {
			at = item.Position
			break
		}
	}
	check("a replay", event.Query{After: at, Follow: true}, 7, "begin:false:0 e6 e7 ")
	happen(b.feed, 8, 11)
	check("a replay too late", event.Query{After: at, Follow: true}, 11, "begin:false:2 e8 e9 e10 e11 ")
	b.feed = feed.New(4) // as after a restart
	happen(b.feed, 1, 2)
	check("a replay after a restart", event.Query{After: at, Follow: true}, 2, "begin:true:0 e1 e2 ")
}

// What a browser's EventSource sends and wants.
func TestEventSource(t *testing.T) {
	b := &backend{feed: feed.New(9)}
	_, path := serve(t, b)
	happen(b.feed, 1, 3)
	get := func(query, last string) (int, string, http.Header) {
		t.Helper()
		h := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}}}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://ipvsd/v1/events?follow=false&"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		if last != "" {
			r.Header.Set("Last-Event-ID", last)
		}
		resp, err := h.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text), resp.Header
	}
	code, text, head := get("last=1", "")
	if code != http.StatusOK || head.Get("Content-Type") != "text/event-stream" || strings.Contains(text, "e2") || !strings.Contains(text, "e3") {
		t.Errorf("%d %v %s", code, head, text)
	}
	_, id, _ := strings.Cut(text[strings.LastIndex(text, "id: "):], " ")
	epoch, _, _ := strings.Cut(id, "-")
	if _, text, _ = get("last=1", epoch+"-1"); strings.Contains(text, "e1") || !strings.Contains(text, "e2") {
		t.Errorf("after the first: %s", text)
	}
	for query, last := range map[string]string{"since=x": "", "kinds=server": "", "": "what"} {
		if code, text, _ := get(query, last); code != http.StatusBadRequest || strings.Count(text, "\n") != 1 {
			t.Errorf("%q %q: %d %s", query, last, code, text)
		}
	}
}

// A thousand watchers get every event, and others an answer meanwhile.
func TestThousandWatchers(t *testing.T) {
	const watchers, events = 1000, 20
	b := &backend{feed: feed.New(64), answer: new(status.Answer)}
	c, _ := serve(t, b)
	var all, begun sync.WaitGroup
	begun.Add(watchers)
	beginning := make(chan struct{}, 20) // who waits for five seconds to be read is sent away
	for range watchers {
		beginning <- struct{}{}
		all.Go(func() {
			n, last := 0, uint64(0)
			for item, err := range c.Events(t.Context(), event.Query{Follow: true}) {
				switch {
				case err != nil:
					t.Error(err)
					begun.Done()
					<-beginning
					return
				case item.Begin != nil:
					begun.Done()
					<-beginning
				case item.Event != nil:
					if n, last = n+1, item.Event.Sequence; last == events {
						if n != events {
							t.Errorf("%d events", n)
						}
						return
					}
				}
			}
		})
	}
	begun.Wait()
	happen(b.feed, 1, events/2)
	if _, err := c.Plan(t.Context(), nil); err != nil {
		t.Error(err)
	}
	happen(b.feed, events/2+1, events)
	all.Wait()
}
