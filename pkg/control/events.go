package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"time"

	"github.com/ipvsd/ipvsd/pkg/event"
)

const eventsPath = "/v1/events"

const (
	maxWatchers   = 1024             // of events at once: each is an open connection
	watchPatience = 10 * time.Second // how long a watcher may take to read what was sent, before the connection ends
	atOnce        = 32 << 10         // bytes that are sent before a watcher has read them
	silence       = time.Minute      // without a sign of life the daemon is believed dead: it gives one every feed.Alive
)

// Events returns what has happened, and what happens until the context is done if the query follows. It ends with an error if it broke
// off; with the Position of the last item the query can go on where it was.
func (c *Client) Events(ctx context.Context, q event.Query) iter.Seq2[event.Item, error] {
	return func(yield func(event.Item, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		dead := time.AfterFunc(silence, func() { cancel(fmt.Errorf("the daemon has said nothing for %v", silence)) })
		defer dead.Stop()
		resp, err := c.send(ctx, 0, http.MethodGet, eventsPath+"?"+q.Values().Encode(), nil)
		if err != nil {
			yield(event.Item{}, err)
			return
		}
		defer func() { _ = resp.Body.Close() }()
		stream := event.NewReader(resp.Body)
		for {
			item, err := stream.Next()
			dead.Reset(silence)
			switch {
			case errors.Is(err, io.ErrUnexpectedEOF):
				err = fmt.Errorf("the daemon ended the stream of events: %w", cmp.Or(context.Cause(ctx), err))
			case err != nil:
				err = cmp.Or(context.Cause(ctx), err)
			}
			if !yield(item, err) || err != nil || item.End {
				return
			}
		}
	}
}

// watches answers requests for events.
type watches struct {
	b      Backend
	places chan struct{}
}

func (s watches) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q, err := event.ParseQuery(r.URL.Query(), time.Now())
	if last := r.Header.Get("Last-Event-ID"); err == nil && last != "" { // a browser that comes back
		q.Since, q.Last = time.Time{}, nil
		q.After, err = event.ParsePosition(last)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	select {
	case s.places <- struct{}{}:
		defer func() { <-s.places }()
	default:
		http.Error(w, fmt.Sprintf("there are %d watchers of events, and no place for more: try again when one has gone", maxWatchers),
			http.StatusServiceUnavailable)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("Connection", "close") // the deadline would outlast the request
	out := http.NewResponseController(w)
	var frames []byte
	for item, err := range s.b.Events(r.Context(), q) {
		if err != nil {
			return // without an end: it broke off
		}
		frames = item.AppendTo(frames)
		if item.More && len(frames) < atOnce {
			continue
		}
		_ = out.SetWriteDeadline(time.Now().Add(watchPatience)) // a connection has deadlines
		if _, err := w.Write(frames); err != nil {
			return // it has gone, or is stuck: it comes back, and hears what it missed
		}
		if out.Flush() != nil {
			return
		}
		frames = frames[:0]
	}
}
