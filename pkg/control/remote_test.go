package control

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority signs certificates in a test.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // with its certificate
}

// newAuthority returns an authority with files in a directory of the test's.
func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.cert, a.key, a.file, _ = a.sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return a
}

// issue returns the files of a certificate for a name, and for loopback, and of its key.
func (a *authority) issue(t *testing.T, name string) (certificate, key string) {
	t.Helper()
	_, _, certificate, key = a.sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	return certificate, key
}

func (a *authority) sign(t *testing.T, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey, string, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber, _ = rand.Int(rand.Reader, big.NewInt(1<<62))
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := c, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(a.dir, fmt.Sprintf("%s-%x", c.Subject.CommonName, c.SerialNumber))
	write(t, base+".pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(t, base+".key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	return cert, key, base + ".pem", base + ".key"
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A client of a remote daemon shows its certificate and its secret, and wants to see the right certificate. Each file that is changed counts
// at once.
func TestRemoteClient(t *testing.T) {
	ca, stranger := newAuthority(t), newAuthority(t)
	certificate, key := ca.issue(t, "lb2")
	pool, err := authorities(ca.file)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert})
	if err != nil {
		t.Fatal(err)
	}
	var shown string
	s := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown = r.TLS.PeerCertificates[0].Subject.CommonName + " " + r.Header.Get("Authorization")
		if r.URL.Path == trialPath {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
			return
		}
		_, _ = w.Write([]byte("{}"))
	})}
	go func() { _ = s.Serve(l) }()
	defer func() { _ = s.Close() }()

	own, ownKey := ca.issue(t, "lb1")
	token := filepath.Join(t.TempDir(), "token")
	write(t, token, "0123456789abcdef\nthe rest is nobody's business\n")
	good := Remote{Address: l.Addr().String(), CA: ca.file, Certificate: own, Key: ownKey, TokenFile: token}
	c := NewRemoteClient(good)
	if _, err := c.Wishes(context.Background()); err != nil || shown != "lb1 Bearer 0123456789abcdef" {
		t.Errorf("%q, %v", shown, err)
	}
	write(t, token, "another secret of 16 characters\n")
	if _, err := c.Wishes(context.Background()); err == nil || !strings.Contains(err.Error(), "no blanks") || strings.Contains(err.Error(), "another") {
		t.Error(err)
	}
	write(t, token, "another-secret-of-16-characters")
	if _, err := c.Wishes(context.Background()); err != nil || shown != "lb1 Bearer another-secret-of-16-characters" {
		t.Errorf("%q, %v", shown, err)
	}
	if _, err := c.Trial(context.Background()); err == nil {
		t.Errorf("it went elsewhere, with %q", shown)
	}

	foreign, foreignKey := stranger.issue(t, "lb1")
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = free.Close()
	for why, change := range map[string]func(*Remote){
		"certificate signed by unknown authority": func(r *Remote) { r.CA = stranger.file },
		"not lb3":                       func(r *Remote) { r.ServerName = "lb3" },
		"unknown certificate authority": func(r *Remote) { r.Certificate, r.Key = foreign, foreignKey },
		"certificate required":          func(r *Remote) { r.Certificate = "" },
		"no such file":                  func(r *Remote) { r.CA += ".no" },
		"no certificate in it":          func(r *Remote) { r.CA = token },
		"private key does not match":    func(r *Remote) { r.Key = foreignKey },
		"no ipvsd is listening":         func(r *Remote) { r.Address = free.Addr().String() },
		"16 characters at least":        func(r *Remote) { r.TokenFile = "/dev/null" },
	} {
		r := good
		change(&r)
		if _, err := NewRemoteClient(r).Wishes(context.Background()); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%v, want %s", err, why)
		}
	}
	named := good
	named.ServerName = "lb2"
	if _, err := NewRemoteClient(named).Wishes(context.Background()); err != nil {
		t.Error(err)
	}
}
