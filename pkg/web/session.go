package web

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"sync"
	"time"
)

const (
	cookie      = "ipvsd_session"
	secure      = "__Host-" + cookie // which browsers take by TLS only, for this host and all of its paths
	lasts       = 12 * time.Hour
	maxSessions = 1000
)

// session is a browser that has shown a token.
type session struct {
	token string
	until time.Time
}

// sessions are those of all browsers, by the hash of their cookies: nothing here can be sent as one. The zero value has none.
type sessions struct {
	mu   sync.Mutex
	open map[[sha256.Size]byte]session
}

// begin returns the cookie of a new session. The oldest one ends where there are too many.
func (s *sessions) begin(token string, now time.Time) string {
	value := rand.Text() + rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = make(map[[sha256.Size]byte]session)
	}
	var oldest [sha256.Size]byte
	for key, v := range s.open {
		if !now.Before(v.until) {
			delete(s.open, key)
		} else if first, found := s.open[oldest]; !found || v.until.Before(first.until) {
			oldest = key
		}
	}
	if len(s.open) >= maxSessions {
		delete(s.open, oldest)
	}
	s.open[sha256.Sum256([]byte(value))] = session{token, now.Add(lasts)}
	return value
}

// Secret returns the token that the session of a request stands for; empty: there is none.
func (p *Page) Secret(r *http.Request) string {
	c, err := r.Cookie(nameOf(r))
	if err != nil {
		return ""
	}
	p.sessions.mu.Lock()
	defer p.sessions.mu.Unlock()
	v := p.sessions.open[sha256.Sum256([]byte(c.Value))]
	if !time.Now().Before(v.until) {
		return ""
	}
	return v.token
}

// end ends the session of a request.
func (s *sessions) end(r *http.Request) {
	c, err := r.Cookie(nameOf(r))
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, sha256.Sum256([]byte(c.Value)))
}

// nameOf returns the name of the cookie: without TLS, which only this host's own addresses do without, browsers take no secure one.
func nameOf(r *http.Request) string {
	if r.TLS == nil {
		return cookie
	}
	return secure
}

func (p *Page) login(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Token string `json:"token"`
	}
	if !read(w, r, &body) {
		return
	}
	if !p.holds(r, body.Token) {
		http.Error(w, "that is no token of this director", http.StatusForbidden)
		return
	}
	p.sessions.end(r)
	p.cookie(w, r, p.sessions.begin(body.Token, time.Now()))
}

func (p *Page) logout(w http.ResponseWriter, r *http.Request) {
	p.sessions.end(r)
	p.cookie(w, r, "")
}

// cookie gives a browser the cookie of a session; an empty one has it forget what it has.
func (p *Page) cookie(w http.ResponseWriter, r *http.Request, value string) {
	c := http.Cookie{
		Name: nameOf(r), Value: cmp.Or(value, "-"), Path: "/", MaxAge: int(lasts / time.Second), HttpOnly: true, Secure: r.TLS != nil,
		SameSite: http.SameSiteStrictMode,
	}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, &c)
	w.WriteHeader(http.StatusNoContent)
}
