package exporter

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Count returns a handler that answers as another one does, and counts the requests. The other one is a http.ServeMux, or is in
// front of one: requests count by the pattern that they matched, so that nobody makes up new series by asking for them.
func (e *Exporter) Count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		e.inFlight.Inc()
		defer e.inFlight.Dec()
		a := &answer{ResponseWriter: w, code: http.StatusOK}
		next.ServeHTTP(a, r)
		_, path, found := strings.Cut(r.Pattern, " ")
		if !found {
			path = "unknown"
		}
		e.requests.WithLabelValues(path, strconv.Itoa(a.code)).Inc()
		e.duration.WithLabelValues(path).Observe(time.Since(start).Seconds())
	})
}

// answer remembers the status of an answer.
type answer struct {
	http.ResponseWriter
	code int
}

func (a *answer) WriteHeader(code int) {
	a.code = code
	a.ResponseWriter.WriteHeader(code)
}

// Flush sends what was written, for those who look for it here.
func (a *answer) Flush() { _ = http.NewResponseController(a.ResponseWriter).Flush() }

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
