package control

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"testing/synctest"

	"github.com/ipvsd/ipvsd/pkg/status"
)

// stuck is a Backend whose probes take until it is closed.
type stuck struct {
	Backend
	until chan struct{}
}

func (s stuck) Probe(context.Context, status.CheckQuery) (*status.Probes, error) {
	<-s.until
	return &status.Probes{}, nil
}

// Of many that probe at once, some are told to come again, and nobody waits for ever.
func TestTooManyProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		until := make(chan struct{})
		h := handler(stuck{until: until}, nil, new(book))
		answers := make(chan int, maxProbes+1)
		for range maxProbes + 1 {
			go func() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, probePath+"?server=198.51.100.1", nil))
				answers <- w.Code
			}()
		}
		if code := <-answers; code != http.StatusServiceUnavailable {
			t.Errorf("one more than there are places: %d", code)
		}
		close(until)
		for range maxProbes {
			if code := <-answers; code != http.StatusOK {
				t.Errorf("got %d", code)
			}
		}
	})
}

// Whatever the parameters are, they are refused, or what was read is read from the client's form again.
func FuzzCheckRequest(f *testing.F) {
	f.Add("server=198.51.100.1&service=tcp+192.0.2.1:80&state=down&history=1")
	f.Add("server=[::ffff:1.2.3.4%25eth0]:0&service=group+x&type=%00")
	f.Add("type=&type=")
	f.Fuzz(func(t *testing.T, query string) {
		v, _ := url.ParseQuery(query) // what it could read, as net/http does
		q, _, err := checkRequest(v)
		if err != nil {
			return
		}
		back, last, err := checkRequest(checkWords(q))
		if err != nil || back != q || last {
			t.Errorf("%q: %+v, and again %v %+v", query, q, err, back)
		}
	})
}
