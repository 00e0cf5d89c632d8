// Package access reads the files by which etcd and Consul know who asks. They are read at each connection, so that they may change.
package access

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/ipvsd/ipvsd/pkg/member"
)

// limit is how long a file may be, in bytes.
const limit = 1 << 20

// TLS returns how a connection to an address that begins with https is made.
func TLS(a member.Access) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if a.CA != "" {
		pem, err := read(a.CA)
		if err != nil {
			return nil, err
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificate", a.CA)
		}
	}
	if a.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(a.Certificate, a.Key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.Certificate, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// Secret returns the password or token, "" if there is none. Errors say where it is, not what it is.
func Secret(a member.Access) (string, error) {
	if a.Secret == "" {
		return "", nil
	}
	text, err := read(a.Secret)
	if err != nil {
		return "", err
	}
	line, err := bufio.NewReader(strings.NewReader(string(text))).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", fmt.Errorf("the first line of %s is empty", a.Secret)
	}
	return line, nil
}

// read reads a file that is one, no pipe that would never end.
func read(name string) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", name)
	}
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && len(text) > limit {
		err = fmt.Errorf("%s has more than %d bytes", name, limit)
	}
	return text, err
}
