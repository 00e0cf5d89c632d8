package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/health"
)

const (
	// identities is for how many targets what TLS needs is kept.
	identities = 2048
	// authorities is how many files of certificates are kept.
	authorities = 64
)

// secure puts a connection into TLS from here on, and returns what there is to warn of. STARTTLS, the command before it, is the
// caller's. The connection is one of dial's: it ends with the context.
//
// As keepalived does, it takes any certificate, unless t says Verify, and then speaks TLS 1.0 too, with any cipher that Go has:
// a server is not down for being old. There is no SSL 3, and no RSA key below 1024 bits. With Verify it is TLS 1.2 and up, with
// ciphers that are good.
//
// No session is resumed, unless the caller has a reason. One would show the certificate of then, hide that the server can't use
// its key any more, and, as measured with certificates of elliptic curves, save no processor time.
func secure(ctx context.Context, conn net.Conn, t health.TLS, target netip.AddrPort, protocols ...string) (secured *tls.Conn, warning string, err error) {
	config, err := tlsConfig(tlsKey{t, target, strings.Join(protocols, " ")})
	if err != nil {
		return nil, "", err
	}
	return handshake(ctx, conn, t, config)
}

// handshake is secure with settings that the caller has from tlsConfig.
func handshake(ctx context.Context, conn net.Conn, t health.TLS, config *tls.Config) (secured *tls.Conn, warning string, err error) {
	withoutDelay(conn)
	secured = tls.Client(conn, config)
	// Not HandshakeContext: it would cost a goroutine, and the connection knows the context.
	if err := secured.Handshake(); err != nil {
		return nil, "", fmt.Errorf("TLS: %w", alertInWords(err, t))
	}
	state := secured.ConnectionState()
	leaf := state.PeerCertificates[0]
	if traced(ctx) {
		step(ctx, "%s, %s, the certificate is for %s and valid until %s", tls.VersionName(state.Version),
			tls.CipherSuiteName(state.CipherSuite), names(leaf), day(leaf.NotAfter))
	}
	return secured, expiring(t, leaf), nil
}

// withoutDelay has the kernel send what is written at once: what follows the end of a handshake would wait for the server to
// acknowledge that, which takes up to 40 ms.
func withoutDelay(conn net.Conn) {
	socket, is := conn.(syscall.Conn)
	if !is {
		return
	}
	if raw, err := socket.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NODELAY, 1) })
	}
}

// expiring returns what there is to warn of.
func expiring(t health.TLS, leaf *x509.Certificate) string {
	switch left := time.Until(leaf.NotAfter); {
	case t.Expiry == 0 || left > t.Expiry:
		return ""
	case left < 0:
		return "the certificate ended on " + day(leaf.NotAfter)
	}
	return "the certificate ends on " + day(leaf.NotAfter)
}

// tlsKey is what settings are kept under.
type tlsKey struct {
	health.TLS
	target    netip.AddrPort
	protocols string // with spaces between them
}

// tlsEntry is what is kept.
type tlsEntry struct {
	config *tls.Config
	files  [3]stamp // that it was made of: CA, Cert, Key
}

var tlsEntries = cache[tlsKey, tlsEntry]{limit: identities}

// stamp is how a file looks from outside.
type stamp struct {
	name string
	size int64
	at   time.Time
}

func stampOf(name string) (stamp, error) {
	if name == "" {
		return stamp{}, nil
	}
	info, err := os.Stat(name)
	if err != nil {
		return stamp{}, err
	}
	if !info.Mode().IsRegular() { // to open a pipe takes until somebody writes to it
		return stamp{}, fmt.Errorf("%s is not a regular file", name)
	}
	return stamp{name, info.Size(), info.ModTime()}, nil
}

// tlsConfig returns the settings for a server, made anew when one of the files has changed.
func tlsConfig(k tlsKey) (*tls.Config, error) {
	var files [3]stamp
	for i, name := range [...]string{k.CA, k.Cert, k.Key} {
		var err error
		if files[i], err = stampOf(name); err != nil {
			return nil, fmt.Errorf("TLS: %w", err)
		}
	}
	if e, kept := tlsEntries.get(k); kept && e.files == files {
		return e.config, nil
	}
	config := &tls.Config{
		ServerName:         k.SNI,
		InsecureSkipVerify: true, // VerifyConnection does it, in its own words
		NextProtos:         strings.Fields(k.protocols),
	}
	if k.Verify {
		config.MinVersion = tls.VersionTLS12
		v := verifier{name: k.Name, file: k.CA}
		if v.name == "" {
			v.name = k.SNI
		}
		if v.name == "" {
			v.name = k.target.Addr().WithZone("").String()
		}
		if k.CA != "" {
			var err error
			if v.roots, err = readAuthorities(files[0]); err != nil {
				return nil, err
			}
		}
		config.VerifyConnection = v.verify
	} else {
		config.MinVersion = tls.VersionTLS10
		// Nothing has to stay secret for decades, and a key exchange that withstands quantum computers costs more.
		config.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521}
		for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
			config.CipherSuites = append(config.CipherSuites, suite.ID)
		}
	}
	if k.Cert != "" {
		key := k.Key
		if key == "" {
			key = k.Cert
		}
		own, err := tls.LoadX509KeyPair(k.Cert, key)
		if err != nil {
			return nil, fmt.Errorf("TLS: certificate %s: %w", k.Cert, err)
		}
		// Whether it is from an authority that the server names is the server's business.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil }
	}
	tlsEntries.put(k, tlsEntry{config, files})
	return config, nil
}

var authorityFiles = cache[stamp, *x509.CertPool]{limit: authorities}

func readAuthorities(file stamp) (*x509.CertPool, error) {
	if pool, kept := authorityFiles.get(file); kept {
		return pool, nil
	}
	text, err := os.ReadFile(file.name)
	if err != nil {
		return nil, fmt.Errorf("TLS: ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("TLS: ca: there is no certificate in %s", file.name)
	}
	authorityFiles.put(file, pool)
	return pool, nil
}

// session keeps the last session with one server, whatever the port.
type session struct {
	mu    sync.Mutex
	state *tls.ClientSessionState
}

// Get is for crypto/tls.
func (s *session) Get(string) (*tls.ClientSessionState, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state, s.state != nil
}

// Put is for crypto/tls.
func (s *session) Put(_ string, state *tls.ClientSessionState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = state
}

// verifier is what a certificate must be.
type verifier struct {
	name  string
	roots *x509.CertPool // nil: the system's
	file  string         // where roots are from
}

func (v verifier) verify(state tls.ConnectionState) error {
	leaf, now := state.PeerCertificates[0], time.Now()
	switch {
	case now.After(leaf.NotAfter):
		return fmt.Errorf("the certificate ended on %s", day(leaf.NotAfter))
	case now.Before(leaf.NotBefore):
		return fmt.Errorf("the certificate begins on %s", day(leaf.NotBefore))
	}
	if err := leaf.VerifyHostname(v.name); err != nil {
		return fmt.Errorf("the certificate is for %s, not for %s", names(leaf), v.name)
	}
	between := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: v.roots, Intermediates: between, CurrentTime: now})
	return v.inWords(err)
}

// inWords says why a chain is not one.
func (v verifier) inWords(err error) error {
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &unknown):
		where := "among the system's"
		if v.file != "" {
			where = "in " + v.file
		}
		by := "somebody who"
		if c := unknown.Cert; c != nil && c.Issuer.String() == c.Subject.String() {
			by = "itself and"
		} else if c != nil {
			by = c.Issuer.String() + ", which"
		}
		return worded{fmt.Sprintf("the certificate is signed by %s isn't %s", by, where), err}
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return worded{fmt.Sprintf("the certificate of %s, which signed the server's, is valid from %s to %s", invalid.Cert.Subject,
			day(invalid.Cert.NotBefore), day(invalid.Cert.NotAfter)), err}
	case err != nil:
		return fmt.Errorf("the certificate: %w", err)
	}
	return nil
}

// alertInWords says what came between. With TLS 1.3 a server that refuses may say so only in answer to the first request.
func alertInWords(err error, t health.TLS) error {
	var record tls.RecordHeaderError
	var remote *net.OpError
	switch {
	case errors.As(err, &record):
		return worded{"the server does not speak it", err}
	case !errors.As(err, &remote) || remote.Op != "remote error":
		return err
	}
	switch alert := strings.TrimPrefix(remote.Err.Error(), "tls: "); alert {
	case "unrecognized name":
		return worded{fmt.Sprintf("the server knows nothing of the name %q", t.SNI), err}
	case "certificate required":
		return worded{"the server wants a certificate of ours", err}
	default:
		return worded{"the server refuses: " + alert, err}
	}
}

// names returns what a certificate is for.
func names(c *x509.Certificate) string {
	list := c.DNSNames
	for _, ip := range c.IPAddresses {
		list = append(list, ip.String())
	}
	switch {
	case len(list) == 0 && c.Subject.CommonName != "":
		return c.Subject.CommonName + " without saying so as it should, in a subjectAltName"
	case len(list) == 0:
		return "nobody"
	case len(list) > 3:
		return fmt.Sprintf("%s and %d others", strings.Join(list[:3], ", "), len(list)-3)
	}
	return strings.Join(list, ", ")
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
