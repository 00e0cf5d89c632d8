package control

import (
	"context"
	"net/http"
	"strings"
)

// Page is what people see who come with a browser: it answers requests for / and below /page/.
type Page interface {
	// ServeHTTP answers everybody: the Role of WhoOf is empty for those who come by TCP and have not shown who they are.
	http.Handler
	// Secret returns the secret of a token that a request by TCP stands for, as by a cookie; empty: it stands for none.
	Secret(r *http.Request) string
}

// pagePath is where a Page has what it consists of.
const pagePath = "/page/"

// Welcome has the server show a page. It is called before Run.
func (s *Server) Welcome(p Page) {
	s.mux.Handle("/{$}", p)
	s.mux.Handle(pagePath, p)
	s.gates.page = p
}

// Holds says whether somebody who comes by TCP has shown the secret of a token. Wrong ones soon have them wait.
func (s *Server) Holds(r *http.Request, secret string) bool {
	if c := s.gates.credentials.Load(); c != nil && c.token(secret) >= 0 {
		return true
	}
	s.gates.rates.punish(clientOf(r.RemoteAddr))
	return false
}

// recognize has a request show the secret that it stands for, unless it shows one itself.
func (g *gates) recognize(r *http.Request) {
	if g.page == nil || r.Header.Get("Authorization") != "" {
		return
	}
	if secret := g.page.Secret(r); secret != "" {
		r.Header.Set("Authorization", "Bearer "+secret)
	}
}

// receives says whether a request is for the page, which asks for itself who is there.
func (g *gates) receives(r *http.Request) bool {
	return g.page != nil && (r.URL.Path == "/" || strings.HasPrefix(r.URL.Path, pagePath))
}

// stranger is the context of who has not shown who they are: they have no role.
func stranger(ctx context.Context, w Who) context.Context {
	w.By, w.Name, w.Role = "", "", ""
	return context.WithValue(ctx, whoKey{}, w)
}

// challenge asks a client for a password. A browser would ask its user, which is for the page to do where that sent the request.
func challenge(h http.Header, r *http.Request) {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode == "" || mode == "navigate" {
		h.Set("WWW-Authenticate", `Bearer, Basic realm="ipvsd", charset="UTF-8"`)
	}
}
