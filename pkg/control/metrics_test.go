package control_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/control"
)

// timed remembers until when an answer may be written.
type timed struct {
	http.ResponseWriter
	until time.Time
}

func (w *timed) SetWriteDeadline(t time.Time) error {
	w.until = t
	return http.NewResponseController(w.ResponseWriter).SetWriteDeadline(t)
}

// Who asks for metrics and doesn't read them has no place for ever, and a deadline ends no other answer on the same connection.
func TestScrapeHasADeadline(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sock")
	s, err := control.Listen(path, new(backend), nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	scrape := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if time.Until(w.(*timed).until) <= 0 {
			t.Error("it may be written for ever")
		}
		_, _ = io.WriteString(w, "up 1\n")
	})
	s.Measure(scrape, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(&timed{ResponseWriter: w}, r) })
	})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	c := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	r, err := c.Get("http://ipvsd/metrics")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r.Body)
	if err != nil || string(text) != "up 1\n" || !r.Close || r.Body.Close() != nil {
		t.Errorf("%q, %v, connection closed %t", text, err, r.Close)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
