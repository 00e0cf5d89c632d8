package control

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/status"
)

// taker notes what gets to a Backend.
type taker struct {
	sample
	taken  *Application
	back   *Return
	number *int
}

func (k *taker) Apply(_ context.Context, a Application) (*status.Answer, error) {
	k.taken = &a
	return &status.Answer{}, nil
}

func (k *taker) Rollback(_ context.Context, r Return) (*status.Answer, error) {
	k.back = &r
	return &status.Answer{}, nil
}

func (k *taker) Revision(_ context.Context, n int) (*File, error) {
	k.number = &n
	return &File{}, nil
}

// Whatever is sent, a configuration is taken only with a time for its confirmation that there can be, and what is no such request is refused in a line.
func FuzzApply(f *testing.F) {
	for _, body := range []string{
		`{"name": "f", "text": "eA==", "confirm": 60000000000, "force": true, "strict": true, "reason": "x"}`, `{"number": 7, "confirm": 1000000000}`, `{"number": -1}`, `{}`, `null`, `[]`, ``,
		`{"confirm": -1}`, `{"confirm": 1e99}`, `{"text": "?"}`, `{"Confirm": 1, "confirm": 86400000000001}`, `{"name": "f"} {}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		k := new(taker)
		h := muxOf(table(k, sampleRouters{}, new(book)), new(book))
		for _, path := range []string{applyPath, rollbackPath, revisionPath} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, bytes.NewReader(body)))
			if w.Code != http.StatusOK && (w.Code < 400 || w.Code > 499 || strings.Count(w.Body.String(), "\n") != 1) {
				t.Errorf("%s: %d %q", path, w.Code, w.Body)
			}
		}
		var times []time.Duration
		if k.taken != nil {
			times = append(times, k.taken.Confirm)
		}
		if k.back != nil {
			times = append(times, k.back.Confirm)
		}
		for _, c := range times {
			if c != 0 && (c < time.Second || c > MaxConfirm) {
				t.Errorf("to be confirmed within %v", c)
			}
		}
	})
}
