package smtp

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
)

// saying starts a server that says to each client what it is told to, and hears the rest.
func saying(t testing.TB) (s *server, text *atomic.Pointer[[]byte]) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	text = new(atomic.Pointer[[]byte])
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			go func() {
				_, _ = c.Write(*text.Load())
				_ = c.(*net.TCPConn).CloseWrite()
				_, _ = io.Copy(io.Discard, c)
				_ = c.Close()
			}()
		}
	}()
	return &server{address: l.Addr().String()}, text
}

// A mail server that says anything gets no mail that it did not take, and has no secret shown.
func FuzzAnswers(f *testing.F) {
	for _, text := range []string{
		"220 a\r\n250-b\r\n250 SIZE 9\r\n250 c\r\n250 d\r\n250 d\r\n354 e\r\n250 f\r\n221 g\r\n", "220 a\r\n250-b\r\n250 AUTH PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256\r\n334 eA==\r\n",
		"220 a\r\n250-b\r\n250 STARTTLS\r\n220 c\r\n\x15\x03\x03\x00\x02\x02\x28", "554 no\r\n", "220-\n", "",
	} {
		f.Add([]byte(text))
	}
	secret := filepath.Join(f.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s3cret\n"), 0o600); err != nil {
		f.Fatal(err)
	}
	s, said := saying(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		said.Store(&text)
		for _, user := range []string{"", "lb1"} {
			err := Send(t.Context(), letter(s, func(m *config.Mail) { m.User, m.PasswordFile, m.ConnectTimeout = user, secret, 10*time.Minute }))
			if err == nil && strings.Count(string(text), "\n") < 5 {
				t.Errorf("%q takes a mail", text)
			}
			if err != nil && strings.Contains(err.Error(), "s3cret") && !strings.Contains(string(text), "s3cret") {
				t.Errorf("the secret is told: %v", err)
			}
		}
	})
}

// A mail server that never comes to the end of a line is given up before it has filled the memory.
func TestTalkativeServer(t *testing.T) {
	s, said := saying(t)
	text := []byte("220-" + strings.Repeat("x", 2*most))
	said.Store(&text)
	if err := Send(t.Context(), letter(s, nil)); !errors.Is(err, errTalkative) {
		t.Errorf("got %v", err)
	}
}
