package control

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/ipvsd/ipvsd/pkg/audit"
	"github.com/ipvsd/ipvsd/pkg/event"
)

const (
	auditPath    = mainPath + "audit"
	reasonHeader = "X-Reason" // why something is done; its value is escaped as in a URL
)

// Auditor keeps the audit log: journal.Journal.
type Auditor interface {
	// Record has an entry written, soon. It never waits.
	Record(e audit.Entry)
	// Entries returns the last so many entries since a time; zero is all that may be had at once.
	Entries(ctx context.Context, since time.Time, last int) (*audit.Report, error)
}

// Audit returns the last so many entries of the audit log since a time; zero is all that may be had at once.
func (c *Client) Audit(ctx context.Context, since time.Time, last int) (*audit.Report, error) {
	v := url.Values{}
	if !since.IsZero() {
		v.Set("since", since.Format(time.RFC3339Nano))
	}
	if last > 0 {
		v.Set("last", strconv.Itoa(last))
	}
	return ask[audit.Report](ctx, c, http.MethodGet, auditPath+"?"+v.Encode(), nil)
}

// Because returns a client that says why it asks for what it asks, for the audit log.
func (c *Client) Because(reason string) *Client {
	with := *c
	with.reason = reason
	return &with
}

// book records what is done.
type book struct {
	auditor Auditor // nil: nobody keeps it
	refused refusals

	mu   sync.Mutex
	open int           // guarded by mu: requests that will make an entry
	idle chan struct{} // guarded by mu: closed when there are none; nil: nobody waits for that
}

// lastAnswers is how long a stop waits for requests that change something: their contexts are done by then.
const lastAnswers = 5 * time.Second

func (b *book) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open++
}

func (b *book) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open--; b.open == 0 && b.idle != nil {
		close(b.idle)
		b.idle = nil
	}
}

// settle waits until all entries are made, but no longer than a limit.
func (b *book) settle(limit time.Duration) {
	b.mu.Lock()
	if b.open == 0 {
		b.mu.Unlock()
		return
	}
	idle := make(chan struct{})
	b.idle = idle
	b.mu.Unlock()
	select {
	case <-idle:
	case <-time.After(limit):
	}
}

// Limits of the entries about those whose role doesn't allow what they ask for. Without them, who may only read could soon have the log,
// which is of a limited size, forget what others did.
const (
	refusedAtOnce = 60
	refusedEach   = time.Minute // one more
)

// refusals are entries about those who may not. The zero value is ready.
type refusals struct {
	mu    sync.Mutex
	limit *rate.Limiter
	left  int // out of the log since the last one that is in it
}

// take says whether an entry is to be in the log; then it tells how many aren't.
func (s *refusals) take(e *audit.Entry) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.limit == nil {
		s.limit = rate.NewLimiter(rate.Every(refusedEach), refusedAtOnce)
	}
	if !s.limit.Allow() {
		s.left++
		return false
	}
	if s.left > 0 {
		e.Error += fmt.Sprintf("; %d refusals before this one are not in the log: they were too many", s.left)
		s.left = 0
	}
	return true
}

// entryKey is the context's key of the entry, a *audit.Entry, that a request will make.
type entryKey struct{}

// Describe says what a request does, and why, for the audit log, where its name and its parameters don't say enough. Secrets are nothing for
// it. An empty reason leaves the one that the client gave.
func Describe(ctx context.Context, detail, reason string) {
	if e, recorded := ctx.Value(entryKey{}).(*audit.Entry); recorded {
		e.Detail = detail
		if reason != "" {
			e.Reason = reason
		}
	}
}

// unrecorded says that a request has changed nothing after all. It is recorded only if it was refused.
func unrecorded(ctx context.Context) {
	if e, recorded := ctx.Value(entryKey{}).(*audit.Entry); recorded {
		e.Action = ""
	}
}

// recorded has an entry made of each request that a handler answers, refused ones included.
func (b *book) recorded(action string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b.auditor == nil {
			next.ServeHTTP(w, r)
			return
		}
		b.begin()
		defer b.end() // after the entry
		who := WhoOf(r.Context())
		e := &audit.Entry{Who: who.String(), UID: who.UID, Login: who.Login, Address: who.Address, Action: action, Detail: r.URL.RawQuery}
		if text, err := url.QueryUnescape(r.URL.RawQuery); err == nil {
			e.Detail = text
		}
		if reason, err := url.QueryUnescape(r.Header.Get(reasonHeader)); err == nil {
			e.Reason = reason
		}
		heard := &listener{ResponseWriter: w, code: http.StatusOK}
		ended := false
		defer func() {
			e.At, e.Status, e.Error = time.Now(), heard.code, heard.failure()
			if !ended { // it panics
				e.Status, e.Error = http.StatusInternalServerError, "the daemon failed at it"
			}
			if e.Action == "" {
				if e.Status < http.StatusBadRequest {
					return
				}
				e.Action = action
			}
			if roleOf(r.Context()).may(Operate) || b.refused.take(e) {
				b.auditor.Record(*e)
			}
		}()
		next.ServeHTTP(heard, r.WithContext(context.WithValue(r.Context(), entryKey{}, e)))
		ended = true
	})
}

// listener hears what an answer comes to.
type listener struct {
	http.ResponseWriter
	code int
	text bytes.Buffer // the beginning of a failure's
}

func (l *listener) WriteHeader(code int) {
	l.code = code
	l.ResponseWriter.WriteHeader(code)
}

func (l *listener) Write(b []byte) (int, error) {
	if l.code >= http.StatusBadRequest && l.text.Len() < 1<<10 {
		l.text.Write(b[:min(len(b), 1<<10)])
	}
	return l.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (l *listener) Unwrap() http.ResponseWriter { return l.ResponseWriter }

// failure returns why it failed, "" if it did not.
func (l *listener) failure() string {
	switch {
	case l.code < http.StatusBadRequest:
		return ""
	case l.code == http.StatusUnprocessableEntity:
		return "it was refused"
	}
	line, _, _ := strings.Cut(strings.TrimSpace(l.text.String()), "\n")
	if line == "" {
		return http.StatusText(l.code)
	}
	return line
}

func (b *book) handler() http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if b.auditor == nil {
			http.Error(w, "this daemon keeps no audit log", http.StatusServiceUnavailable)
			return
		}
		since, last, err := auditRequest(r.URL.Query(), time.Now())
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		report, err := b.auditor.Entries(r.Context(), since, last)
		reply(w, http.StatusOK, report, err)
	}
}

// auditRequest reads the parameters.
func auditRequest(v url.Values, now time.Time) (since time.Time, last int, err error) {
	for name, values := range v {
		switch {
		case len(values) > 1:
			err = fmt.Errorf("parameter %.80q: there can be one", name)
		case name == "since":
			if since, err = event.ParseSince(values[0], now); err != nil {
				err = fmt.Errorf("parameter since: %w", err)
			}
		case name == "last":
			if last, err = strconv.Atoi(values[0]); err != nil || last < 1 {
				err = fmt.Errorf("parameter last: %.80q is no number from 1 on", values[0])
			}
		default:
			err = fmt.Errorf("parameter %.80q: it can be since or last", name)
		}
		if err != nil {
			return since, last, err
		}
	}
	return since, last, nil
}

// route is the call for the log.
func (b *book) route() Route {
	return Route{
		Name: "audit", Method: http.MethodGet, Path: auditPath, Role: Read, Answer: audit.Report{}, serve: b.handler(),
		Summary: "What was done by way of the API, by whom, why, and what came of it; so many of the latest at most",
		Query:   []Parameter{{Name: "since", Summary: "a time, or how long ago: 10m"}, {Name: "last", Summary: "so many of the latest"}},
	}
}
