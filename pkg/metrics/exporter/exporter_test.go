package exporter

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/metrics"
)

func get(h http.Handler, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "/metrics", nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// Of scrapes that take long only a few are under way; another one is told so before it gives up itself. Places are free again.
func TestFewAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		block := make(chan struct{})
		e := New("", func(context.Context) (*metrics.Facts, error) {
			asked.Add(1)
			<-block
			return director(), nil
		})
		codes := make(chan int, maxScrapes)
		for range maxScrapes {
			go func() { codes <- get(e).Code }()
		}
		synctest.Wait()
		began := time.Now()
		if w := get(e); w.Code != http.StatusServiceUnavailable || time.Since(began) != queueing || asked.Load() != maxScrapes || w.Header().Get("Retry-After") == "" {
			t.Errorf("status %d after %v, asked %d times", w.Code, time.Since(began), asked.Load())
		}
		close(block)
		for range maxScrapes {
			if code := <-codes; code != http.StatusOK {
				t.Errorf("status %d", code)
			}
		}
		if text := get(e).Body.String(); !strings.Contains(text, `ipvsd_scrapes_total{result="refused"} 1`) {
			t.Error("the refused scrape was not counted")
		}
	})
}

// A source that doesn't answer, or can't, is an error for the scraper, not an empty answer.
func TestNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := New("", func(ctx context.Context) (*metrics.Facts, error) {
			<-ctx.Done()
			return nil, errors.New("the owner is busy")
		})
		began := time.Now()
		w := get(e)
		if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "the owner is busy") || time.Since(began) != patience {
			t.Errorf("status %d after %v: %s", w.Code, time.Since(began), w.Body)
		}
	})
}

// Who can take it gets less to carry, and who asks for protobuf gets that.
func TestFormats(t *testing.T) {
	e := telling(director())
	z, err := gzip.NewReader(get(e, "Accept-Encoding", "gzip").Body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil || !strings.Contains(string(text), "\nipvsd_vrrp_running 1\n") || !strings.HasSuffix(string(text), "\n") {
		t.Errorf("%v: %s", err, text)
	}
	const protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
	if w := get(e, "Accept", protobuf); !strings.HasPrefix(w.Header().Get("Content-Type"), "application/vnd.google.protobuf") || w.Body.Len() < 5000 {
		t.Errorf("%v: %d bytes", w.Header(), w.Body.Len())
	}
}

// Requests count by the pattern that they matched: nobody makes up new series.
func TestRequestsAreCounted(t *testing.T) {
	e := telling(director())
	mux := http.NewServeMux()
	inner := http.NewServeMux()
	inner.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) {
		if _, flushes := w.(http.Flusher); !flushes || http.NewResponseController(w).Flush() != nil {
			t.Error("an answer can't be flushed")
		}
		_, _ = io.WriteString(w, "{}")
	})
	inner.HandleFunc("POST /v1/reload", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusUnprocessableEntity) })
	mux.Handle("/", inner)
	h := e.Count(mux)
	for _, path := range []string{"GET /v1/status", "GET /v1/status", "POST /v1/reload", "GET /made/up/1", "GET /made/up/2", "DELETE /v1/status"} {
		method, path, _ := strings.Cut(path, " ")
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, path, nil))
	}
	text := scraped(t, e)
	for _, want := range []string{
		`ipvsd_api_requests_total{code="200",path="/v1/status"} 2`, `ipvsd_api_requests_total{code="422",path="/v1/reload"} 1`,
		`ipvsd_api_requests_total{code="404",path="unknown"} 2`, `ipvsd_api_requests_total{code="405",path="unknown"} 1`,
		`ipvsd_api_request_duration_seconds_count{path="/v1/status"} 2`, "ipvsd_api_requests_in_flight 0",
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("%s is missing", want)
		}
	}
	if n := strings.Count(text, "\nipvsd_api_requests_total{"); n != 4 {
		t.Errorf("%d series of requests", n)
	}
}
