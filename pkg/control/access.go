package control

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"
)

// Access is where the API is served by TCP, and to whom.
type Access struct {
	Listen           []netip.AddrPort // none: nowhere
	Certificate, Key string           // files; empty: without TLS
	ClientCA         string           // file of certificates that sign those of clients; empty: they need none
	Certificates     []CertificateRole
	Tokens           []Token
}

// CertificateRole is what those may whose certificate has a subject with this common name.
type CertificateRole struct {
	Subject string
	Role    Role
}

// Token is what those may who show the secret in the first line of a file.
type Token struct {
	Name string
	Role Role
	File string
}

// open says whether who comes needs to show nothing. They may read then.
func (a *Access) open() bool { return a.ClientCA == "" && len(a.Tokens) == 0 }

// credentials are an Access with what its files had in them when they were last read. They never change.
type credentials struct {
	Access
	tls     *tls.Config // nil: without TLS, or the files can't be read
	clients *x509.CertPool
	hashes  [][sha256.Size]byte // of the tokens' secrets; zero: it can't be read
	stamps  map[string]stamp
}

// stamp tells versions of a file apart.
type stamp struct {
	size     int64
	modified time.Time
	file     os.FileInfo
}

func stampOf(file string) stamp {
	info, err := os.Stat(file)
	if err != nil {
		return stamp{}
	}
	return stamp{info.Size(), info.ModTime(), info}
}

func (s stamp) equal(other stamp) bool {
	return s.size == other.size && s.modified.Equal(other.modified) && (s.file == nil) == (other.file == nil) && (s.file == nil || os.SameFile(s.file, other.file))
}

func (a *Access) files() (list []string) {
	for _, f := range []string{a.Certificate, a.Key, a.ClientCA} {
		if f != "" {
			list = append(list, f)
		}
	}
	for _, t := range a.Tokens {
		list = append(list, t.File)
	}
	return list
}

// stale says whether a file has changed since.
func (c *credentials) stale() bool {
	return slices.ContainsFunc(c.files(), func(f string) bool { return !c.stamps[f].equal(stampOf(f)) })
}

// load reads the files. What can't be read opens nothing to anybody: it is logged, and what was read of the same file before holds, but for the
// secret of a token whose file is gone.
func (a Access) load(before *credentials, log *slog.Logger) *credentials {
	c := &credentials{Access: a, stamps: make(map[string]stamp)}
	for _, f := range a.files() {
		c.stamps[f] = stampOf(f) // before it is read: a change in between is seen the next time
	}
	fail := func(what string, err error, kept bool) {
		then := "what needs it is refused until it can be"
		if kept {
			then = "what was read before stays in force"
		}
		log.Error("a file of the API can't be used", "of", what, "then", then, "err", err)
	}
	if a.ClientCA != "" {
		pool, err := authorities(a.ClientCA)
		if kept := err != nil && before != nil && before.ClientCA == a.ClientCA && before.clients != nil; err != nil {
			if fail("client_ca", err, kept); kept {
				pool = before.clients
			} else {
				pool = x509.NewCertPool() // that nobody is in
			}
		}
		c.clients = pool
	}
	if a.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(a.Certificate, a.Key)
		if err == nil {
			c.tls = c.config(pair)
		} else if before != nil && before.tls != nil && before.Certificate == a.Certificate && before.Key == a.Key {
			fail("certificate and key", err, true)
			c.tls = c.config(before.tls.Certificates[0])
		} else {
			fail("certificate and key", err, false)
		}
	}
	for i, t := range a.Tokens {
		secret, err := secretIn(t.File)
		if err == nil {
			c.hashes = append(c.hashes, sha256.Sum256([]byte(secret)))
			if slices.Index(c.hashes, c.hashes[i]) != i {
				log.Warn("two tokens of the API have the same secret: the first one counts", "token", t.Name)
			}
			continue
		}
		if errors.Is(err, fs.ErrNotExist) { // whoever takes it away means to
			c.hashes = append(c.hashes, [sha256.Size]byte{})
		} else {
			c.hashes = append(c.hashes, before.hash(t))
		}
		fail("token "+t.Name, err, c.hashes[i] != [sha256.Size]byte{})
	}
	return c
}

// hash returns that of a token's secret; zero if it isn't known.
func (c *credentials) hash(t Token) (h [sha256.Size]byte) {
	if c != nil {
		for i, other := range c.Tokens {
			if other.Name == t.Name && other.File == t.File {
				return c.hashes[i]
			}
		}
	}
	return h
}

func (c *credentials) config(pair tls.Certificate) *tls.Config {
	config := &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}, Certificates: []tls.Certificate{pair},
		SessionTicketsDisabled: true, // each connection shows its certificate
	}
	if c.ClientCA != "" {
		config.ClientCAs, config.ClientAuth = c.clients, tls.VerifyClientCertIfGiven
		if len(c.Tokens) == 0 {
			config.ClientAuth = tls.RequireAndVerifyClientCert
		}
	}
	return config
}

// Why somebody is refused.
var (
	errWho    = errors.New("show who you are: with a secret of [[global_defs.api.token]] (Authorization: Bearer SECRET), or a certificate of client_ca")
	errSecret = errors.New("this is no secret of [[global_defs.api.token]]")
)

// who returns who asks by TCP, and the status of the refusal if there is an error.
func (c *credentials) who(r *http.Request) (Who, int, error) {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	w := Who{Address: host}
	if header := r.Header.Get("Authorization"); header != "" {
		name, secret, basic := r.BasicAuth()
		if word, rest, _ := strings.Cut(header, " "); !basic && strings.EqualFold(word, "Bearer") {
			secret = strings.TrimSpace(rest)
		}
		i := c.token(secret)
		if i < 0 || basic && name != c.Tokens[i].Name {
			return w, http.StatusUnauthorized, errSecret
		}
		w.By, w.Name, w.Role = ByToken, c.Tokens[i].Name, c.Tokens[i].Role
		return w, 0, nil
	}
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 && c.ClientCA != "" {
		return c.subject(w, r.TLS.PeerCertificates)
	}
	if !c.open() {
		return w, http.StatusUnauthorized, errWho
	}
	// A page elsewhere may have its name point here, and its reader's browser ask for it.
	named := hostOf(r)
	if _, err := netip.ParseAddr(named); err != nil && named != "localhost" {
		return w, http.StatusForbidden, fmt.Errorf("ask for 127.0.0.1 or localhost, not %.100q: without tokens and client_ca the API is for this host only", named)
	}
	w.By, w.Role = ByNothing, Read
	return w, 0, nil
}

// hostOf returns the host that a request is for, as its client calls it.
func hostOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	return strings.Trim(host, "[]")
}

// token returns the number of the token with a secret, -1 if there is none. How long that takes tells nothing of secrets.
func (c *credentials) token(secret string) int {
	found := -1
	hash := sha256.Sum256([]byte(secret))
	for i := range c.hashes {
		if subtle.ConstantTimeCompare(hash[:], c.hashes[i][:]) == 1 && found < 0 {
			found = i
		}
	}
	return found
}

// subject returns who has a certificate. It is looked at for each request: it may have run out, and client_ca may be another one now.
func (c *credentials) subject(w Who, chain []*x509.Certificate) (Who, int, error) {
	between := x509.NewCertPool()
	for _, cert := range chain[1:] {
		between.AddCert(cert)
	}
	how := x509.VerifyOptions{Roots: c.clients, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if _, err := chain[0].Verify(how); err != nil {
		return w, http.StatusUnauthorized, fmt.Errorf("your certificate: %w", err)
	}
	w.By, w.Name = ByCertificate, chain[0].Subject.CommonName
	for _, k := range c.Certificates {
		if k.Subject == w.Name {
			w.Role = k.Role
			return w, 0, nil
		}
	}
	return w, http.StatusForbidden, fmt.Errorf("the certificate is genuine, and may do nothing here: no [[global_defs.api.certificate_role]] has the subject %.100q", w.Name)
}
