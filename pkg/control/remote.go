package control

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// Remote is how the API of a daemon on another host is reached: TLS always. The files are read when they are needed, so that what has
// changed in them counts from the next connection on, and a secret from the next request on.
type Remote struct {
	Address          string // HOST:PORT
	ServerName       string // in its certificate; empty: HOST
	CA               string // file of certificates that are trusted; empty: the system's
	Certificate, Key string // files, of what is shown to it; empty: nothing
	TokenFile        string // with the secret for it in its first line; empty: none
}

// dialPatience is how long it may take until a remote daemon has been reached, TLS included.
const dialPatience = 5 * time.Second

// NewRemoteClient returns a client for the daemon there. Nothing is opened before the first request.
func NewRemoteClient(r Remote) *Client {
	return &Client{path: r.Address, url: "https://" + r.Address, token: r.TokenFile, transport: &http.Transport{
		DialTLSContext: r.dial, IdleConnTimeout: time.Minute, MaxIdleConns: 4,
	}}
}

// errUnreachable is the reason when a host doesn't answer at all.
var errUnreachable = fmt.Errorf("the host can't be reached: no answer within %v", dialPatience)

// filesError is what is wrong with the files of a Remote: something of this host, however it looks.
type filesError struct{ err error }

func (e *filesError) Error() string { return e.err.Error() }

// dial returns a connection on which both sides have shown who they are.
func (r *Remote) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS13, ServerName: r.ServerName, NextProtos: []string{"http/1.1"}}
	if r.CA != "" {
		var err error
		if c.RootCAs, err = authorities(r.CA); err != nil {
			return nil, &filesError{err}
		}
	}
	if r.Certificate != "" {
		own, err := tls.LoadX509KeyPair(r.Certificate, r.Key)
		if err != nil {
			return nil, &filesError{fmt.Errorf("certificate %s, key %s: %w", r.Certificate, r.Key, err)}
		}
		c.Certificates = []tls.Certificate{own}
	}
	limited, cancel := context.WithTimeout(ctx, dialPatience)
	defer cancel()
	conn, err := (&tls.Dialer{Config: c}).DialContext(limited, network, address)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return nil, errUnreachable
	}
	return conn, err
}

// authorities returns the certificates of a file.
func authorities(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s: there is no certificate in it; it must be PEM", file)
	}
	return pool, nil
}

const (
	leastSecret = 16      // characters of a secret: fewer can be guessed
	maxSecret   = 1 << 12 // bytes of its file that matter
)

// secretIn returns the first line of a file. Errors don't have it.
func secretIn(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	line, _, _ := bytes.Cut(text[:min(len(text), maxSecret)], []byte("\n"))
	secret := strings.TrimSpace(string(line))
	switch {
	case len(secret) < leastSecret:
		return "", fmt.Errorf("%s: the secret in its first line must have %d characters at least; openssl rand -hex 32 makes one", file, leastSecret)
	case strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", errors.New(file + ": the secret in its first line may have letters, digits and signs of ASCII, and no blanks")
	}
	return secret, nil
}
