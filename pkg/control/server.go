package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// maxPath is the longest name of a Unix socket (unix(7)).
const maxPath = 107

// Server answers requests on a Unix socket, and by TCP where an Access says so.
type Server struct {
	listener *entrance
	left     atomic.Bool // another process has the socket
	path     string
	mux      *http.ServeMux
	around   func(http.Handler) http.Handler // each request
	http     http.Server
	gates    *gates
	book     *book
}

// limits sets what every client has to keep to.
func limits(s *http.Server, log *log.Logger) {
	s.ReadHeaderTimeout, s.ReadTimeout, s.IdleTimeout = 5*time.Second, readPatience, time.Minute
	s.MaxHeaderBytes, s.ErrorLog, s.DisableGeneralOptionsHandler = 16<<10, log, true
}

// Listen makes the socket, readable and writable by the owner of the process alone, and replaces one that a dead process
// left behind. Whether another living process uses it is for the caller to know. Without virtual routers r is nil.
func Listen(path string, b Backend, r Routers, logger *slog.Logger) (*Server, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() != fs.ModeSocket {
		return nil, fmt.Errorf("control socket: %s exists and is not a socket", path)
	}
	// The socket gets its mode before it gets its name: at no moment can anybody else connect to it.
	tmp := fmt.Sprintf("%s.%d", path, os.Getpid())
	if len(tmp) > maxPath {
		return nil, fmt.Errorf("control socket: %s is too long: the kernel takes %d characters", path, maxPath-len(tmp)+len(path))
	}
	_ = os.Remove(tmp)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: tmp, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	l.SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(tmp, 0o600), os.Rename(tmp, path)); err != nil {
		return nil, fmt.Errorf("control socket: %w", errors.Join(err, l.Close(), os.Remove(tmp)))
	}
	return newServer(l, path, b, r, logger), nil
}

func newServer(l *net.UnixListener, path string, b Backend, r Routers, logger *slog.Logger) *Server {
	log := new(book)
	s := &Server{listener: &entrance{UnixListener: l, gone: make(chan struct{})}, path: path, mux: handler(b, r, log), around: func(next http.Handler) http.Handler { return next }, gates: newGates(logger), book: log}
	limits(&s.http, slog.NewLogLogger(logger.Handler(), slog.LevelWarn))
	s.http.ConnContext = withPeer
	s.http.Handler = s.door()
	return s
}

// Mount has the server answer by a handler what a pattern of http.ServeMux matches, for those who have a role: WhoOf says who asks. The
// pattern must name its method, and be outside of /v1/, where Route is the way. It is called before Run.
func (s *Server) Mount(pattern string, needed Role, h http.Handler) {
	allowing := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if allowed(w, r, needed) {
			h.ServeHTTP(w, r)
		}
	}))
	if needed == Operate {
		allowing = s.book.recorded(pattern, allowing)
	}
	s.mux.Handle(pattern, allowing)
}

// Audit has an auditor keep the audit log: of each request that only operators may make, also of those that are refused. It is called before
// Run.
func (s *Server) Audit(a Auditor) { s.book.auditor = a }

// Room has the server take no more than so many connections by TCP at once, at least 1. It is called before Follow.
func (s *Server) Room(n int) { s.gates.crowd.most = n }

// scrapePatience is how long a scrape may take, from the request to the last byte. Few are answered at once: who asks and doesn't read must
// not keep others from it for ever.
const scrapePatience = 30 * time.Second

// Measure has the server answer GET /metrics by a handler, and each request by way of another one. It is called before Run.
func (s *Server) Measure(metrics http.Handler, around func(http.Handler) http.Handler) {
	s.Mount("GET "+metricsPath, Read, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The deadline would outlast the request, and end a stream on the same connection.
		w.Header().Set("Connection", "close")
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(scrapePatience)) // a connection has deadlines
		metrics.ServeHTTP(w, r)
	}))
	s.around = around
	s.http.Handler = s.door()
}

// Follow has it be served by TCP as an Access says, soon, and never waits. Listeners that stay keep their connections. It is for one
// goroutine at a time.
func (s *Server) Follow(a Access) { s.gates.follow(a) }

// inner answers who has shown who they are.
func (s *Server) inner() http.Handler { return straight(s.around(s.mux)) }

// door is what each request on the socket goes through first.
func (s *Server) door() http.Handler {
	inner := s.inner()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.gates.foreign.Check(r); err != nil { // of a browser, by way of ssh -L
			refuse(w, http.StatusForbidden, err.Error())
			return
		}
		// So may a page elsewhere, whose name points to this host by then: all others use an address, or a word such as localhost.
		named := hostOf(r)
		if _, err := netip.ParseAddr(named); err != nil && strings.Contains(named, ".") {
			refuse(w, http.StatusForbidden, fmt.Sprintf("ask for localhost or an address, not %.100q: the control socket is for this host only", named))
			return
		}
		inner.ServeHTTP(newPatient(w), r)
	})
}

// Run serves until the context ends. The socket is gone when it returns, and what was being done is in the audit log, unless that takes longer
// than lastAnswers.
func (s *Server) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = s.http.Close() })
	defer stop()
	s.gates.handler = s.inner()
	ctx, end := context.WithCancel(ctx)
	var gates sync.WaitGroup
	gates.Go(func() { s.gates.run(ctx) })
	defer s.book.settle(lastAnswers) // connections are closed, and those who answered there have yet to say what came of it
	defer gates.Wait()
	defer end()
	err := s.http.Serve(s.listener)
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	if s.left.Load() {
		return err
	}
	if e := os.Remove(s.path); e != nil && !errors.Is(e, os.ErrNotExist) {
		err = errors.Join(err, e)
	}
	return err
}

// handler answers all routes, and what is none.
func handler(b Backend, r Routers, log *book) *http.ServeMux {
	if r == nil {
		r = none{}
	}
	return muxOf(table(b, r, log), log)
}

func muxOf(list []Route, log *book) *http.ServeMux {
	mux, places := http.NewServeMux(), make(chan struct{}, maxLong)
	for _, rt := range list {
		mux.Handle(rt.Method+" "+rt.Path, guarded(rt, log, places))
	}
	mux.Handle("/", astray(list))
	return mux
}

func statusHandler(b Backend, routers Routers) http.HandlerFunc {
	all := newTogether(func(ctx context.Context) (*status.Snapshot, error) { return StatusOf(ctx, b, routers) })
	return func(w http.ResponseWriter, r *http.Request) {
		s, err := all.ask(r.Context())
		reply(w, http.StatusOK, s, err)
	}
}

func tableHandler(b Backend) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		keys, err := keysOf(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		k, err := b.Table(r.Context(), keys)
		reply(w, http.StatusOK, k, err)
	}
}

func reloadHandler(b Backend) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a, err := b.Reload(r.Context(), r.URL.Query().Get(strictly) == "1")
		answer(w, a, err)
	}
}

// sentFile says why a configuration that is sent is for the socket only: it names files, which the daemon looks at, and messages tell of them.
func sentFile(r *http.Request) string {
	if !r.URL.Query().Has(fileName) {
		return ""
	}
	return "a configuration that is sent has the daemon read the files that it names"
}

func planHandler(b Backend) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		file, err := fileOf(w, r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		a, err := b.Plan(r.Context(), file)
		answer(w, a, err)
	}
}

// keysOf returns the services that a request names.
func keysOf(r *http.Request) (keys []ipvs.ServiceKey, err error) {
	for _, s := range r.URL.Query()[service] {
		key, err := ipvs.ParseServiceKey(s)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// fileOf returns the configuration that came with a request, nil if none did.
func fileOf(w http.ResponseWriter, r *http.Request) (*File, error) {
	if !r.URL.Query().Has(fileName) {
		return nil, nil
	}
	f := new(File)
	var err error
	if r.URL.Query().Get(inJSON) == "1" {
		err = json.NewDecoder(http.MaxBytesReader(w, r.Body, 2*maxFile)).Decode(f) // which has four characters for three bytes
	} else {
		f.Text, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxFile))
	}
	if err != nil {
		return nil, err
	}
	f.Name = filepath.Clean(r.URL.Query().Get(fileName))
	return f, nil
}

func answer(w http.ResponseWriter, a *status.Answer, err error) {
	code := http.StatusOK
	if err == nil && a.Rejected != "" {
		code = http.StatusUnprocessableEntity
	}
	reply(w, code, a, err)
}

func reply(w http.ResponseWriter, code int, v any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	// The peer may have gone; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(v)
}
