package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

const (
	// readPatience is how long a body may take to come, writePatience how long a client may take to read a part of an answer.
	readPatience  = time.Minute
	writePatience = 30 * time.Second
	// portion is such a part, in bytes, and portionPace how long one may take on average: who reads just fast enough would hold an answer for hours.
	portion     = 64 << 10
	portionPace = time.Second
	// maxLong is how many long answers there may be at once, and longPatience how long another one waits for a place.
	maxLong      = 32
	longPatience = 10 * time.Second
	// mainPath is where the API is; other paths are of other packages.
	mainPath = "/v1/"
)

// guarded answers a route: for those whose role allows it, with a body that is whole and no longer than it may be, and only as long as
// the client reads. What changes something is recorded. The places are for long answers.
func guarded(rt Route, b *book, places chan struct{}) http.Handler {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !allowed(w, r, rt.Role) || !here(w, r, &rt) || !whole(w, r, &rt) {
			return
		}
		if rt.Long && !onSocket(r.Context()) {
			ctx, cancel := context.WithTimeout(r.Context(), longPatience)
			defer cancel()
			select {
			case places <- struct{}{}:
				defer func() { <-places }()
			case <-ctx.Done():
				refuse(w, http.StatusServiceUnavailable, fmt.Sprintf("%d clients are reading long answers, and none has ended within %v: try again later", maxLong, longPatience))
				return
			}
		}
		rt.serve.ServeHTTP(w, r)
	})
	if rt.Role == Operate {
		return b.recorded(rt.Name, h)
	}
	return h
}

// allowed says whether who asks has a role, and tells them if they haven't.
func allowed(w http.ResponseWriter, r *http.Request, needed Role) bool {
	if roleOf(r.Context()).may(needed) {
		return true
	}
	who := WhoOf(r.Context())
	refuse(w, http.StatusForbidden, fmt.Sprintf("%s may %s, not %s: [global_defs.api] of this daemon's configuration says who may", who, who.Role, needed))
	return false
}

// here says whether a request has come by a way on which it is answered, and tells who asks if it hasn't.
func here(w http.ResponseWriter, r *http.Request, rt *Route) bool {
	if rt.Here == nil || onSocket(r.Context()) {
		return true
	}
	why := rt.Here(r)
	if why != "" {
		refuse(w, http.StatusForbidden, fmt.Sprintf("%s is for the control socket only: %s. On the host itself, ipvsctl asks there", rt.Name, why))
	}
	return why == ""
}

// whole reads the body. That a client is slow to send it is nobody else's trouble: nothing is done before it is there.
func whole(w http.ResponseWriter, r *http.Request, rt *Route) bool {
	var body []byte
	tooLong := new(http.MaxBytesError)
	err := error(tooLong)
	if r.ContentLength <= rt.MaxBody {
		body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, rt.MaxBody))
	}
	switch {
	case errors.As(err, &tooLong) && rt.MaxBody == 0:
		refuse(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("%s %s takes no body", rt.Method, rt.Path))
	case errors.As(err, &tooLong):
		refuse(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body of %s %s may have %d bytes", rt.Method, rt.Path, rt.MaxBody))
	case err != nil:
		refuse(w, http.StatusBadRequest, fmt.Sprintf("the body broke off: %v", err))
	default:
		r.Body = io.NopCloser(bytes.NewReader(body))
		// What was for the body would end a long answer.
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
		return true
	}
	return false
}

// refuse answers with a line of text, and ends the connection.
func refuse(w http.ResponseWriter, code int, why string) {
	w.Header().Set("Connection", "close")
	http.Error(w, why, code)
}

// patient writes an answer as long as the client reads it, unless the handler sets a deadline by itself. Each request has one: a deadline
// outlasts the answer that it was for.
type patient struct {
	http.ResponseWriter
	control *http.ResponseController
	own     bool // the handler has set a deadline
}

func newPatient(w http.ResponseWriter) *patient {
	p := &patient{ResponseWriter: w, control: http.NewResponseController(w)}
	p.extend(time.Now())
	return p
}

func (p *patient) extend(from time.Time) {
	if !p.own {
		_ = p.control.SetWriteDeadline(from.Add(writePatience)) // a connection has deadlines
	}
}

func (p *patient) Write(b []byte) (n int, err error) {
	start := time.Now()
	for part := range slices.Chunk(b, portion) {
		p.extend(start.Add(time.Duration(n/portion) * portionPace))
		m, err := p.ResponseWriter.Write(part)
		if n += m; err != nil {
			return n, err
		}
	}
	return n, nil
}

// SetWriteDeadline is for http.ResponseController.
func (p *patient) SetWriteDeadline(t time.Time) error {
	p.own = true
	return p.control.SetWriteDeadline(t)
}

// Unwrap is for http.ResponseController.
func (p *patient) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// astray answers what no route answers.
func astray(list []Route) http.HandlerFunc {
	methods := make(map[string][]string)
	for _, rt := range list {
		methods[rt.Path] = append(methods[rt.Path], rt.Method)
	}
	return func(w http.ResponseWriter, r *http.Request) {
		if known := methods[r.URL.Path]; known != nil {
			w.Header().Set("Allow", strings.Join(known, ", "))
			refuse(w, http.StatusMethodNotAllowed, fmt.Sprintf("%s can't be asked with %.20s: only with %s", r.URL.Path, strings.TrimSpace(r.Method), strings.Join(known, " and ")))
			return
		}
		refuse(w, http.StatusNotFound, fmt.Sprintf("there is no %.200q here; GET %s lists what there is", r.URL.Path, documentPath))
	}
}

// straight refuses paths that mean others, and methods that ask for nothing.
func straight(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := r.URL.Path
		clean := path.Clean(p)
		if strings.HasSuffix(p, "/") && clean != "/" {
			clean += "/"
		}
		if p != clean || strings.HasPrefix(p, mainPath) && r.URL.RawPath != "" || !strings.HasPrefix(p, "/") {
			refuse(w, http.StatusNotFound, fmt.Sprintf("there is no %.200q here; GET %s lists what there is", r.URL.EscapedPath(), documentPath))
			return
		}
		if r.Method == http.MethodHead && strings.HasPrefix(p, mainPath) {
			r.Method = "HEAD " // which no pattern matches: GET is for all of an answer
		}
		next.ServeHTTP(w, r)
	})
}
