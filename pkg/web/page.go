package web

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"path"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// Source is what the page is about. Its methods may be called concurrently.
type Source interface {
	Status(ctx context.Context) (*status.Snapshot, error)
	Events(ctx context.Context, q event.Query) iter.Seq2[event.Item, error]
	// Peers returns the other directors as they are configured.
	Peers(ctx context.Context) ([]Peer, error)
}

// Peer is another director.
type Peer struct {
	Name   string
	Status func(context.Context) (*status.Snapshot, error)
}

//go:embed assets
var embedded embed.FS

// asset is a file of the page.
type asset struct {
	text  []byte
	media string
	tag   string // of its content
}

// assets are the files of the page, by path.
var assets = func() map[string]asset {
	m := make(map[string]asset)
	files, err := fs.Sub(embedded, "assets")
	if err != nil {
		return nil
	}
	_ = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error { // which can't fail: they are in the program
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, name)
		sum := sha256.Sum256(text)
		media := mime.TypeByExtension(path.Ext(name))
		if path.Ext(name) == ".js" {
			media = "text/javascript; charset=utf-8" // whatever the machine's own table says
		}
		m["/page/"+name] = asset{text, media, `"` + hex.EncodeToString(sum[:8]) + `"`}
		return err
	})
	return m
}()

// Page is the status page.
type Page struct {
	holds    func(*http.Request, string) bool
	teller   *teller
	sessions sessions
	mux      *http.ServeMux
}

// New returns the page about a source. Holds says whether somebody has the secret of a token: Server.Holds.
func New(s Source, holds func(*http.Request, string) bool) *Page {
	p := &Page{holds: holds, teller: newTeller(s), mux: http.NewServeMux()}
	p.mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { p.asset(w, r, "/page/index.html") })
	p.mux.HandleFunc("GET /page/", func(w http.ResponseWriter, r *http.Request) { p.asset(w, r, r.URL.Path) })
	p.mux.HandleFunc("GET /page/state", p.state)
	p.mux.HandleFunc("POST /page/login", p.login)
	p.mux.HandleFunc("POST /page/logout", p.logout)
	return p
}

// ServeHTTP answers requests for / and below /page/.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	guard(w.Header())
	if r.TLS == nil && !literal(r.Host) {
		http.Error(w, "without TLS this page is at an address or at localhost only", http.StatusMisdirectedRequest)
		return
	}
	p.mux.ServeHTTP(w, r)
}

// literal says whether a host is an address or localhost. A name that somebody else has pointed at this host would have a browser believe that
// the page is theirs; by TLS there is no certificate for it.
func literal(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil || host == "localhost"
}

// guard has a browser run nothing but the page's own modules, and show the page in no other one.
func guard(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "+
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// asset sends a file. They have nothing secret: whoever may connect gets them, and then a form that asks who it is.
func (p *Page) asset(w http.ResponseWriter, r *http.Request, name string) {
	a, found := assets[name]
	if !found {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.media)
	h.Set("Cache-Control", "no-cache") // ask whether it has changed
	h.Set("Etag", a.tag)
	if strings.Contains(r.Header.Get("If-None-Match"), a.tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(a.text) // the peer may have gone
}

func (p *Page) state(w http.ResponseWriter, r *http.Request) {
	who := control.WhoOf(r.Context())
	if who.Role == "" {
		p.sessions.end(r) // if there is one, its token counts no more
		http.Error(w, "who is there? Log in with a token.", http.StatusUnauthorized)
		return
	}
	s, err := p.teller.tell(r.Context(), r.URL.Query().Get("since"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	s.Who, s.Operates, s.Leaves = who.String(), who.Role == control.Operate, p.Secret(r) != ""
	if who.By == control.ByNothing {
		s.Who = "somebody on this host"
	}
	w.Header().Set("Content-Type", "application/json")
	// The peer may have gone; there is nobody left to tell.
	if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		_ = json.NewEncoder(w).Encode(&s)
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // which is a level
	_ = json.NewEncoder(z).Encode(&s)
	_ = z.Close()
}

const maxBody = 16 << 10

// read reads the JSON of a request, and answers one that has none. A form of another site can't send this type without asking first.
func read(w http.ResponseWriter, r *http.Request, v any) bool {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		http.Error(w, "the body must be application/json", http.StatusUnsupportedMediaType)
		return false
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		code := http.StatusBadRequest
		if large := new(http.MaxBytesError); errors.As(err, &large) {
			code = http.StatusRequestEntityTooLarge
		}
		http.Error(w, fmt.Sprintf("the body can't be understood: %.100s", err), code) // which may quote it
		return false
	}
	return true
}
