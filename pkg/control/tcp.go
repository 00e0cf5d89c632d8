package control

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
)

// look is how often files are looked at, and addresses that could not be listened at are tried again. An address may be a virtual one, or
// belong to another program for a while.
const look = 5 * time.Second

// gates are where clients by TCP come in.
type gates struct {
	log     *slog.Logger
	wish    chan Access
	handler http.Handler // for who has shown who they are
	listen  func(context.Context, netip.AddrPort) (net.Listener, error)

	credentials atomic.Pointer[credentials] // those in force
	rates       rates
	crowd       crowd
	foreign     *http.CrossOriginProtection
	page        Page // nil: there is none
}

func newGates(log *slog.Logger) *gates {
	return &gates{log: log, wish: make(chan Access, 1), foreign: http.NewCrossOriginProtection(), listen: func(ctx context.Context, at netip.AddrPort) (net.Listener, error) {
		network := "tcp4" // 0.0.0.0 is not IPv6, too
		if at.Addr().Is6() {
			network = "tcp6"
		}
		l, err := new(net.ListenConfig).Listen(ctx, network, at.String())
		if errors.Is(err, fs.ErrPermission) {
			err = fmt.Errorf("%w: a low port needs CAP_NET_BIND_SERVICE in ipvsd's unit; or use one from 1024 on", err)
		}
		return l, err
	}}
}

// follow has them be as an Access says, soon, and never waits. It is for one goroutine at a time.
func (g *gates) follow(a Access) {
	select {
	case <-g.wish: // it is old
	default:
	}
	g.wish <- a
}

// place is where a gate is. One that is to have TLS, or to have it no longer, is another one.
type place struct {
	at     netip.AddrPort
	secure bool
}

// gate is a server at a place.
type gate struct {
	http http.Server
	done chan struct{} // closed when it has ended, by itself or not
}

func (g *gate) close() {
	_ = g.http.Close()
	<-g.done
}

// run listens until the context is done. What is in the way of that is logged, and tried again.
func (g *gates) run(ctx context.Context) {
	open := make(map[place]*gate)
	defer func() {
		for _, gate := range open {
			gate.close()
		}
	}()
	told := make(map[place]bool) // that it can't be listened at
	again := time.NewTicker(look)
	defer again.Stop()
	var a Access
	for {
		select {
		case <-ctx.Done():
			return
		case a = <-g.wish:
			clear(told)
			g.credentials.Store(a.load(g.credentials.Load(), g.log))
		case <-again.C:
			if c := g.credentials.Load(); c != nil && c.stale() {
				g.log.Info("files of the API have changed, and are read again")
				g.credentials.Store(a.load(c, g.log))
			}
		}
		g.arrange(ctx, a, open, told)
	}
}

// arrange opens and closes gates. One that stays keeps its connections.
func (g *gates) arrange(ctx context.Context, a Access, open map[place]*gate, told map[place]bool) {
	secure := a.Certificate != ""
	for p, gate := range open {
		select {
		case <-gate.done:
			g.log.Error("the API is no longer served; it is tried again", "at", p.at.String())
			delete(open, p)
		default:
			if p.secure != secure || !slices.Contains(a.Listen, p.at) {
				gate.close()
				delete(open, p)
				g.log.Info("the API is no longer served", "at", p.at.String())
			}
		}
	}
	for _, at := range a.Listen {
		p := place{at, secure}
		if open[p] != nil {
			continue
		}
		l, err := g.listen(ctx, at)
		if err != nil {
			if !told[p] {
				g.log.Error("the API can't be served; it is tried again", "at", at.String(), "err", err)
			}
			told[p] = true
			continue
		}
		open[p] = g.serve(l, secure)
		delete(told, p)
		g.log.Info("the API is served", "at", at.String(), "tls", secure)
	}
}

func (g *gates) serve(l net.Listener, secure bool) *gate {
	l = limited{l, &g.crowd}
	if secure {
		l = tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS13, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			if c := g.credentials.Load(); c.tls != nil {
				return c.tls, nil
			}
			return nil, errors.New("the certificate of the API can't be used")
		}})
	}
	it := &gate{done: make(chan struct{})}
	limits(&it.http, slog.NewLogLogger(g.log.Handler(), slog.LevelDebug)) // whoever reaches the port could fill the log
	it.http.Handler = http.HandlerFunc(g.admit)
	go func() {
		_ = it.http.Serve(l) // that it ends without being closed is seen by who looks
		close(it.done)
	}()
	return it
}

// admit answers those who have shown who they are.
func (g *gates) admit(to http.ResponseWriter, r *http.Request) {
	w := newPatient(to)
	client := clientOf(r.RemoteAddr)
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 { // which can't be guessed: others at the same address are not its trouble
		client += " " + r.TLS.PeerCertificates[0].Subject.CommonName
	}
	if !g.rates.allow(client) {
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusTooManyRequests, fmt.Sprintf("these are more than %d requests a second: ask less often, or GET %s for what happens", perSecond, eventsPath))
		return
	}
	if err := g.foreign.Check(r); err != nil {
		refuse(w, http.StatusForbidden, err.Error())
		return
	}
	shown := r.Header.Get("Authorization") != ""
	g.recognize(r)
	who, code, err := g.credentials.Load().who(r)
	if err != nil && code == http.StatusUnauthorized && !shown && g.receives(r) {
		g.handler.ServeHTTP(w, r.WithContext(stranger(r.Context(), who)))
		return
	}
	if err != nil {
		if code == http.StatusUnauthorized {
			challenge(w.Header(), r)
		}
		if errors.Is(err, errSecret) && shown { // who shows nothing, or has a session that is over, guesses nothing
			g.rates.punish(client)
		}
		g.log.Debug("a request to the API was refused", "from", r.RemoteAddr, "path", r.URL.Path, "err", err)
		refuse(w, code, err.Error())
		return
	}
	g.handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), whoKey{}, who)))
}
