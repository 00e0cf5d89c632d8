package feed_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/event/feed"
)

// watcher is what one has got.
type watcher struct {
	mu    sync.Mutex
	items []event.Item // guarded by mu
	ended bool         // guarded by mu
}

// watch watches in a goroutine.
func watch(ctx context.Context, f *feed.Feed, q event.Query) *watcher {
	w := new(watcher)
	go func() {
		for item, err := range f.Watch(ctx, q) {
			if err != nil {
				panic(err)
			}
			w.mu.Lock()
			w.items = append(w.items, item)
			w.mu.Unlock()
		}
		w.mu.Lock()
		w.ended = true
		w.mu.Unlock()
	}()
	return w
}

// seen returns what there was, a word for each item.
func (w *watcher) seen() (text string) {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, i := range w.items {
		switch {
		case i.Begin != nil:
			text += "begin "
		case i.Event != nil:
			text += fmt.Sprintf("%d ", i.Event.Sequence)
		case i.Missed > 0:
			text += fmt.Sprintf("missed:%d ", i.Missed)
		case i.End:
			text += "end "
		default:
			text += fmt.Sprintf("alive:%d ", i.Position.Sequence)
		}
	}
	if w.ended {
		text += "over"
	}
	return text
}

func want(t *testing.T, w *watcher, text string) {
	t.Helper()
	if got := w.seen(); got != text {
		t.Errorf("seen: %q, want %q", got, text)
	}
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		f := feed.New(4)
		f.Add(event.Event{Kind: event.Server})
		all, quorums := watch(ctx, f, event.Query{Follow: true}), watch(ctx, f, event.Query{Follow: true, Kinds: []event.Kind{event.Quorum}})
		now := watch(ctx, f, event.Query{})
		want(t, all, "begin 1 ")
		want(t, quorums, "begin ")
		want(t, now, "begin 1 end over")
		f.Add(event.Event{Kind: event.Quorum})
		f.Add(event.Event{Kind: event.Server})
		want(t, all, "begin 1 2 3 ")
		want(t, quorums, "begin 2 ")
		time.Sleep(feed.Alive)
		want(t, all, "begin 1 2 3 alive:3 ")
		want(t, quorums, "begin 2 alive:3 ") // it reads on after what was not for it
		stop()
		want(t, all, "begin 1 2 3 alive:3 over")
		at := now.items[1].Event.At
		if !at.Equal(time.Now().Add(-feed.Alive)) {
			t.Errorf("it was at %v", at)
		}
	})
}

// Who is slow hears how much he missed, and goes on with what is left. Who has news did not wait for him.
func TestSlowWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := feed.New(4)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var text string
		for item := range f.Watch(ctx, event.Query{Follow: true}) {
			switch {
			case item.Begin != nil:
				f.Add(event.Event{})
			case item.Missed > 0:
				text += fmt.Sprintf("missed:%d@%d ", item.Missed, item.Position.Sequence)
			case item.Event.Sequence == 1:
				for range 10 {
					f.Add(event.Event{})
				}
			default:
				if text += fmt.Sprintf("%d ", item.Event.Sequence); item.More != (item.Event.Sequence < 11) {
					t.Errorf("after %d there is more: %v", item.Event.Sequence, item.More)
				}
			}
			if item.Position.Sequence == 11 {
				stop()
			}
		}
		if text != "missed:6@7 8 9 10 11 " {
			t.Error(text)
		}
	})
}

// Watchers that come and go among events get each of them once and in order.
func TestManyWatchers(t *testing.T) {
	const events, watchers = 2000, 50
	f := feed.New(events)
	var all sync.WaitGroup
	for range watchers {
		all.Go(func() {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			q, next := event.Query{Follow: true}, uint64(1)
			for next <= events { // a new stream every hundred
				n := 0
				for item := range f.Watch(ctx, q) {
					q.After = item.Position
					if item.Event == nil {
						continue
					}
					if item.Event.Sequence != next {
						t.Errorf("%d came instead of %d", item.Event.Sequence, next)
						return
					}
					if next++; next > events {
						return
					}
					if n++; n == 100 {
						break
					}
				}
			}
		})
	}
	for range events {
		f.Add(event.Event{})
	}
	all.Wait()
}

func TestEpochs(t *testing.T) {
	one, other := feed.New(1), feed.New(1)
	one.Add(event.Event{})
	other.Add(event.Event{})
	for item := range one.Watch(t.Context(), event.Query{}) {
		if item.Event == nil {
			continue
		}
		if _, err := event.ParsePosition(item.Position.String()); err != nil {
			t.Error(err)
		}
		for i := range other.Watch(t.Context(), event.Query{After: item.Position}) {
			if i.Begin != nil && !i.Begin.Restarted {
				t.Errorf("%+v after %+v", i.Begin, item.Position)
			}
		}
	}
}
