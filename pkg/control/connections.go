package control

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/connection"
)

const connectionsPath = "/v1/connections"

const (
	maxWalks     = 4                // lists of connections under way at once: each is much work for the kernel
	walkPatience = 20 * time.Second // how long a request waits for one of them to end
	flushEvery   = 200 * time.Millisecond
)

// end is the last line of a list. A list without it is not whole.
type end struct {
	Entries *uint64 `json:"entries,omitempty"` // how many lines came before
	Error   string  `json:"error,omitempty"`   // why there are no more
}

// Connections returns those entries of the kernel's connection table that a query asks for, as the daemon reads them. They
// end with an error if the list is not whole. Only the context limits how long that takes.
func (c *Client) Connections(ctx context.Context, q connection.Query) iter.Seq2[connection.Connection, error] {
	return func(yield func(connection.Connection, error) bool) {
		resp, err := c.send(ctx, 0, http.MethodGet, connectionsPath+"?"+words(q).Encode(), nil)
		if err != nil {
			yield(connection.Connection{}, err)
			return
		}
		defer func() { _ = resp.Body.Close() }()
		lines := bufio.NewScanner(resp.Body) // which ends at a line of 64 KiB
		for {
			var l struct {
				connection.Connection
				end
			}
			var err error
			if lines.Scan() {
				err = json.Unmarshal(lines.Bytes(), &l)
			} else {
				err = cmp.Or(lines.Err(), io.ErrUnexpectedEOF)
			}
			switch {
			case err == nil && l.Error != "":
				err = errors.New(l.Error)
			case err == nil && l.Entries != nil:
				return
			}
			if err != nil {
				err = fmt.Errorf("the list of connections broke off: %w", brief(cmp.Or(ctx.Err(), err)))
			}
			if !yield(l.Connection, err) || err != nil {
				return
			}
		}
	}
}

// Summary returns how many entries there are of those that a query asks for, and so many clients. Only the context limits
// how long that takes.
func (c *Client) Summary(ctx context.Context, q connection.Query, top int) (*connection.Summary, error) {
	v := words(q)
	v.Set("summary", "1")
	v.Set("top", strconv.Itoa(top))
	resp, err := c.send(ctx, 0, http.MethodGet, connectionsPath+"?"+v.Encode(), nil)
	if err != nil {
		return nil, err
	}
	return decode[connection.Summary](c, resp)
}

// fields are a query's words by the names of the parameters.
func fields(q *connection.Query) map[string]*string {
	return map[string]*string{"service": &q.Service, "server": &q.Server, "client": &q.Client, "state": &q.State, "family": &q.Family}
}

func words(q connection.Query) url.Values {
	v := url.Values{}
	for name, word := range fields(&q) {
		if *word != "" {
			v.Set(name, *word)
		}
	}
	return v
}

// walks answers requests for connections.
type walks struct {
	b      Backend
	places chan struct{}
}

func (k walks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q, summary, top, err := request(r.URL.Query())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), walkPatience)
	defer cancel()
	select {
	case k.places <- struct{}{}:
		defer func() { <-k.places }()
	case <-ctx.Done():
		http.Error(w, fmt.Sprintf("others have %d lists of connections under way; no more are read at once, because it is much work for the"+
			" kernel: try again when one has ended", maxWalks), http.StatusServiceUnavailable)
		return
	}
	entries := k.b.Connections(r.Context(), q)
	if !summary {
		stream(w, entries)
		return
	}
	s, err := connection.Summarize(entries, top)
	reply(w, http.StatusOK, s, err)
}

// request reads the parameters. One that is unknown would otherwise pass for a filter.
func request(v url.Values) (q connection.Query, summary bool, top int, err error) {
	known := fields(&q)
	for name, values := range v {
		word := known[name]
		switch {
		case len(values) > 1:
			err = fmt.Errorf("parameter %s: there can be one", name)
		case word != nil:
			*word = values[0]
		case name == "summary":
			summary, err = strconv.ParseBool(values[0])
		case name == "top":
			top, err = strconv.Atoi(values[0])
			if top < 0 {
				err = fmt.Errorf("parameter top: %d is below 0", top)
			}
		default:
			err = fmt.Errorf("parameter %s: it can be summary, top, %s", name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
		if err != nil {
			return q, false, 0, err
		}
	}
	_, err = q.Filter()
	return q, summary, top, err
}

// stream writes a line for each entry, and the end.
func stream(w http.ResponseWriter, entries iter.Seq2[connection.Connection, error]) {
	out := bufio.NewWriterSize(w, 32<<10)
	lines := json.NewEncoder(out)
	var n uint64
	last := end{Entries: &n}
	var flushed time.Time
	for c, err := range entries {
		if err != nil && n == 0 {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		if err != nil {
			last = end{Error: err.Error()}
			break
		}
		if n++; n == 1 {
			w.Header().Set("Content-Type", jsonLines)
		}
		// The peer may have gone; then the context ends the entries.
		_ = lines.Encode(&c)
		if now := time.Now(); now.Sub(flushed) > flushEvery {
			flushed = now
			_ = out.Flush()
			_ = http.NewResponseController(w).Flush()
		}
	}
	w.Header().Set("Content-Type", jsonLines) // of a list without entries; of others it has been sent
	_ = lines.Encode(last)
	_ = out.Flush()
}
