//go:build kernel

package pair

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"maps"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// servers are what the virtual servers of keepalived.conf files send their clients to, at 127.0.0.2 and the next addresses of a
// host: a web server with and without TLS, a mail server, a name server, and one that sends datagrams back.
type servers struct {
	mu      sync.Mutex
	asked   map[string]bool // what they were asked for, without what is never the same
	closers map[string][]func() error
}

func newServers(t *testing.T, h *lab.Host) *servers {
	t.Helper()
	s := &servers{asked: make(map[string]bool), closers: make(map[string][]func() error)}
	t.Cleanup(func() { s.stop(slices.Collect(maps.Keys(s.closers))...) })
	secured := &tls.Config{
		Certificates: []tls.Certificate{newCertificate(t)},
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			s.note("TLS server name %q", hello.ServerName)
			return nil, nil
		},
	}
	for _, ip := range []string{"127.0.0.2", "127.0.0.3", "127.0.0.4", "::1"} {
		for port, talk := range map[string]func(net.Conn, string){"80": s.web, "443": s.web, "25": s.mail} {
			at := net.JoinHostPort(ip, port)
			l, err := h.Listen("tcp", at)
			if err != nil {
				t.Fatal(err)
			}
			if port == "443" {
				l = tls.NewListener(l, secured)
			}
			s.closers[ip] = append(s.closers[ip], l.Close)
			go func() {
				for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
					// Who stops before keepalived's first check is not taken out: it fails, and that is all.
					s.note("%s: a connection", at)
					go func() {
						defer conn.Close()
						talk(conn, at)
					}()
				}
			}()
		}
		for _, port := range []string{"53", "7"} {
			at := net.JoinHostPort(ip, port)
			conn, err := h.ListenPacket("udp", at)
			if err != nil {
				t.Fatal(err)
			}
			s.closers[ip] = append(s.closers[ip], conn.Close)
			go s.datagrams(conn, at)
		}
	}
	return s
}

// stop ends the servers of addresses.
func (s *servers) stop(addresses ...string) {
	for _, ip := range addresses {
		for _, stop := range s.closers[ip] {
			_ = stop()
		}
		s.closers[ip] = nil
	}
}

func (s *servers) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked[fmt.Sprintf(format, args...)] = true
}

// requests returns what was asked for.
func (s *servers) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.asked))
}

func (s *servers) web(conn net.Conn, at string) {
	var request strings.Builder
	in := bufio.NewReader(conn)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return // a check that connects, and no more
		}
		request.WriteString(line)
		if line == "\r\n" {
			break
		}
	}
	s.note("%s: %q", at, request.String())
	fmt.Fprint(conn, "HTTP/1.0 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc") //nolint:errcheck // who asks will see
}

func (s *servers) mail(conn net.Conn, at string) {
	fmt.Fprint(conn, "220 here\r\n") //nolint:errcheck // who asks will see
	in := bufio.NewScanner(conn)
	for in.Scan() {
		line := strings.Replace(in.Text(), "EHLO ", "HELO ", 1) // which ipvsd tries first
		s.note("%s: %q", at, line)
		fmt.Fprint(conn, "250 so be it\r\n") //nolint:errcheck // who asks will see
	}
}

func (s *servers) datagrams(conn net.PacketConn, at string) {
	buf := make([]byte, 2000)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		b := bytes.Clone(buf[:n])
		if strings.HasSuffix(at, ":53") && n > 12 {
			s.note("%s: %s", at, hex.EncodeToString(b[2:])) // without the number of the query
			b[2] |= 0x80                                    // an answer
		} else {
			s.note("%s: %q", at, b)
		}
		_, _ = conn.WriteTo(b, from)
	}
}

// Each file of package compat that begins with lvs is run by keepalived and by ipvsd, each on a host with the same servers. The
// tables are the same, and what the servers are asked; and the tables are the same when a server has gone.
func TestKernelServicesOfKeepalived(t *testing.T) {
	files, err := filepath.Glob("../compat/testdata/lvs-*.conf")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "lvs-"), ".conf")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			theirs, ours := newSide(t, Keepalived, string(text)), newSide(t, IPVSD, string(text))
			same(t, "at first", theirs, ours, nil)
			lab.WaitFor(t, patience, "the same requests", func() error {
				return differ(theirs.servers.requests(), ours.servers.requests())
			})
			before := theirs.SavedTable()
			theirs.servers.stop("127.0.0.2")
			ours.servers.stop("127.0.0.2")
			if goes[name] {
				same(t, "without a server", theirs, ours, before)
			}
			t.Logf("%d lines, %d requests", len(theirs.SavedTable()), len(ours.servers.requests()))
		})
	}
}

// goes are the files whose table changes when 127.0.0.2 has gone.
var goes = map[string]bool{
	"tcp": true, "connect": true, "http": true, "http-regex": true, "ssl": true, "smtp": true, "dns": true, "udp": true, "ping": true,
	"group": true, "group6": true, "fwmark": true, "direct": true, "quorum": true, "sorry": true, "inhibit": true, "alpha": true,
	"notify": true, "fifo": true, "twice": true, "missing": false, "wrong": false, "ipv6": true,
}

// side is a director with servers.
type side struct {
	*Director
	servers *servers
}

func newSide(t *testing.T, tool Tool, text string) *side {
	t.Helper()
	h := lab.NewHost(t, string(tool))
	s := &side{NewDirector(t, h, tool, bin), newServers(t, h)}
	s.WriteText(text)
	s.Start()
	return s
}

// same waits until two tables are the same, and not as they were before.
func same(t *testing.T, when string, theirs, ours *side, before []string) {
	t.Helper()
	lab.WaitFor(t, patience, when+": the same table", func() error {
		a, b := theirs.SavedTable(), ours.SavedTable()
		if before != nil && slices.Equal(a, before) {
			return fmt.Errorf("keepalived's is still\n%s", strings.Join(a, "\n"))
		}
		return differ(a, b)
	})
}

func differ(theirs, ours []string) error {
	a, b := slices.Sorted(slices.Values(theirs)), slices.Sorted(slices.Values(ours))
	if slices.Equal(a, b) {
		return nil
	}
	only := func(list, of []string) string {
		list = slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(of, s) })
		return strings.Join(list, "\n")
	}
	return fmt.Errorf("keepalived only:\n%s\nipvsd only:\n%s", only(a, b), only(b, a))
}

// newCertificate makes one that nobody trusts.
func newCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{cert}, PrivateKey: key}
}
