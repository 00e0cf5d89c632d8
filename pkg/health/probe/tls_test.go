package probe_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
)

// secureOnce has a server with a configuration, and returns what a probe's TLS makes of it.
func secureOnce(t *testing.T, server *tls.Config, settings health.TLS) (state tls.ConnectionState, warning, failure string) {
	t.Helper()
	l := listen(t, "127.0.0.1:0")
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s := tls.Server(c, server)
			if s.Handshake() == nil {
				s.Write([]byte("welcome"))
			}
			s.Close()
		}
	}()
	return secureTo(t, l, settings)
}

func secureTo(t *testing.T, l net.Listener, settings health.TLS) (state tls.ConnectionState, warning, failure string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	settings.Mode = health.Implicit
	state, warning, err := probe.Secure(ctx, health.Check{Target: addrOf(l), Timeout: patience}, settings)
	if err != nil {
		failure = err.Error()
	}
	return state, warning, failure
}

func TestTLS(t *testing.T) {
	soon, past := time.Now().AddDate(0, 0, 10), time.Now().AddDate(0, 0, -1)
	good, ended := newIdentity(t, soon), newIdentity(t, past)
	serves := func(id identity) *tls.Config { return &tls.Config{Certificates: []tls.Certificate{id.cert}} }
	day := func(at time.Time) string { return at.UTC().Format(time.DateOnly) }

	clientPEM := filepath.Join(t.TempDir(), "client.pem")
	key, err := x509.MarshalPKCS8PrivateKey(good.cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: good.cert.Certificate[0]}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	if err := os.WriteFile(clientPEM, text, 0o600); err != nil {
		t.Fatal(err)
	}

	old := serves(good)
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS10
	old.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
	asks := serves(good)
	asks.ClientAuth, asks.MaxVersion = tls.RequireAnyClientCert, tls.VersionTLS12
	picky := serves(good)
	picky.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		if h.ServerName != "shop.example.org" {
			t.Errorf("the server name is %q; want shop.example.org", h.ServerName)
		}
		return nil, nil
	}
	nameless := serves(good)
	nameless.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		if h.ServerName != "" {
			t.Errorf("the server name is %q; want none", h.ServerName)
		}
		return nil, nil
	}

	for _, test := range []struct {
		name          string
		server        *tls.Config
		tls           health.TLS
		warning, want string
	}{
		{name: "any certificate will do", server: serves(ended)},
		{name: "no name is sent", server: nameless},
		{name: "one that is told is", server: picky, tls: health.TLS{SNI: "shop.example.org"}},
		{name: "a good one", server: serves(good), tls: health.TLS{Verify: true, CA: good.ca}},
		{name: "for the name", server: serves(good), tls: health.TLS{Verify: true, CA: good.ca, SNI: "www.example.org"}},
		{name: "for another name", server: serves(good), tls: health.TLS{Verify: true, CA: good.ca, SNI: "shop.example.org"},
			want: "TLS: the certificate is for localhost, www.example.org, 127.0.0.1 and 1 others, not for shop.example.org"},
		{name: "the name that counts is another", server: picky,
			tls: health.TLS{Verify: true, CA: good.ca, SNI: "shop.example.org", Name: "www.example.org"}},
		{name: "ended", server: serves(ended), tls: health.TLS{Verify: true, CA: ended.ca},
			want: "TLS: the certificate ended on " + day(past)},
		{name: "of another authority", server: serves(good), tls: health.TLS{Verify: true, CA: ended.ca},
			want: "TLS: the certificate is signed by itself and isn't in " + ended.ca},
		{name: "of no authority", server: serves(good), tls: health.TLS{Verify: true},
			want: "TLS: the certificate is signed by itself and isn't among the system's"},
		{name: "ends soon", server: serves(good), tls: health.TLS{Expiry: 240*time.Hour + time.Minute},
			warning: "the certificate ends on " + day(soon)},
		{name: "not that soon", server: serves(good), tls: health.TLS{Expiry: 200 * time.Hour}},
		{name: "ended, but nobody verifies", server: serves(ended), tls: health.TLS{Expiry: time.Hour},
			warning: "the certificate ended on " + day(past)},
		{name: "an old server", server: old},
		{name: "is not good enough", server: old, tls: health.TLS{Verify: true, CA: good.ca}, want: "TLS: the server refuses: protocol version not supported"},
		{name: "wants one of ours", server: asks, want: "TLS: the server refuses: handshake failure"},
		{name: "and gets it", server: asks, tls: health.TLS{Cert: clientPEM, Key: clientPEM}},
		{name: "the key is in the same file", server: asks, tls: health.TLS{Cert: clientPEM}},
		{name: "no file", server: serves(good), tls: health.TLS{Verify: true, CA: "/nowhere/ca.pem"},
			want: "TLS: stat /nowhere/ca.pem: no such file or directory"},
		{name: "no key", server: serves(good), tls: health.TLS{Cert: good.ca},
			want: "TLS: certificate " + good.ca + ": tls: found a certificate rather than a key in the PEM for the private key"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, warning, failure := secureOnce(t, test.server, test.tls)
			if failure != test.want || warning != test.warning {
				t.Errorf("%q, warning %q\nwant %q, %q", failure, warning, test.want, test.warning)
			}
		})
	}
}

func TestTLSReadsAChangedFile(t *testing.T) {
	good, other := newIdentity(t, time.Now().Add(time.Hour)), newIdentity(t, time.Now().Add(time.Hour))
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{good.cert}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.(*tls.Conn).Handshake()
			c.Close()
		}
	}()
	settings := health.TLS{Verify: true, CA: other.ca}
	if _, _, failure := secureTo(t, l, settings); !strings.Contains(failure, "isn't in "+other.ca) {
		t.Errorf("%q", failure)
	}
	text, err := os.ReadFile(good.ca)
	if err == nil {
		err = os.WriteFile(other.ca, append(text, '\n'), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, _, failure := secureTo(t, l, settings); failure != "" {
		t.Error(failure)
	}
}

// A resumed session would show the certificate of then.
func TestTLSResumesNothing(t *testing.T) {
	id := newIdentity(t, time.Now().Add(time.Hour))
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{id.cert}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Write([]byte("welcome"))
			c.Close()
		}
	}()
	for range 3 {
		if state, _, failure := secureTo(t, l, health.TLS{}); failure != "" || state.DidResume {
			t.Errorf("resumed %v; %q", state.DidResume, failure)
		}
	}
}

// A pipe that nobody writes to holds up neither the check nor the end of the daemon.
func TestTLSOfAPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	l := listen(t, "127.0.0.1:0")
	for _, settings := range []health.TLS{{Verify: true, CA: pipe}, {Cert: pipe}, {Cert: "/dev/null", Key: pipe}} {
		done := make(chan string, 1)
		go func() {
			_, _, failure := secureTo(t, l, settings)
			done <- failure
		}()
		select {
		case failure := <-done:
			if !strings.HasSuffix(failure, " is not a regular file") {
				t.Errorf("%+v: %q", settings, failure)
			}
		case <-time.After(patience):
			t.Fatalf("%+v: it is held up", settings)
		}
	}
}
