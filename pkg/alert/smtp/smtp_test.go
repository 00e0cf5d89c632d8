package smtp

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/alert"
	"github.com/ipvsd/ipvsd/pkg/config"
)

// server is a mail server for one conversation after the other.
type server struct {
	address     string
	certificate tls.Certificate
	implicit    bool     // TLS from the start
	offers      []string // capabilities
	refuses     string   // the answer to RCPT; empty: it takes all

	mu        sync.Mutex
	said      []string // by the client
	encrypted bool     // the mail was
}

// certificate returns one for 127.0.0.1, and it as a file.
func certificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	defer s.Close()
	return s.TLS.Certificates[0], file(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (s *server) start(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	s.address = l.Addr().String()
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			s.serve(c)
		}
	}()
}

func (s *server) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	secure := func() { c = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{s.certificate}}) }
	if s.implicit {
		secure()
	}
	r := bufio.NewReader(c)
	say := func(lines ...string) {
		for _, l := range lines {
			_, _ = c.Write([]byte(l + "\r\n"))
		}
	}
	say("220 here")
	within := false
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		s.mu.Lock()
		s.said = append(s.said, line)
		s.mu.Unlock()
		word, _, _ := strings.Cut(line, " ")
		switch {
		case within && line != ".":
		case within:
			within = false
			s.mu.Lock()
			_, s.encrypted = c.(*tls.Conn)
			s.mu.Unlock()
			say("250 taken")
		case word == "EHLO":
			say("250-here")
			for _, o := range s.offers {
				say("250-" + o)
			}
			say("250 SIZE 1000000")
		case word == "STARTTLS":
			say("220 go on")
			secure()
			r = bufio.NewReader(c)
		case word == "AUTH":
			say("235 welcome")
		case word == "RCPT" && s.refuses != "":
			say(s.refuses)
		case word == "DATA":
			within = true
			say("354 go on")
		case word == "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

// heard returns what the client said, the mail included.
func (s *server) heard() (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.said, "\n"), s.encrypted
}

// subject is longer than a line of a header should be, as keepalived has it.
const subject = "[lb1] Realserver [2001:db8::1234]:tcp:80 of virtual server [2001:db8::5678]:tcp:80 - DOWN"

func letter(s *server, change func(*config.Mail)) alert.Mail {
	via := config.Mail{
		Server: s.address, ConnectTimeout: time.Minute, Helo: "lb1.example.org", TLS: config.MailTLSOpportunistic, From: "LVS <lvs@example.org>",
	}
	if change != nil {
		change(&via)
	}
	return alert.Mail{
		Via: via, To: []string{"ops@example.org", "Nächte <night@example.org>"}, Subject: subject, Mailer: "Keepalived",
		Text: "=> TCP CHECK failed on service <=\n\n.\nHost: lb1\n",
	}
}

// What arrives, without TLS.
func TestSend(t *testing.T) {
	s := &server{offers: []string{"8BITMIME"}}
	s.start(t)
	if err := Send(t.Context(), letter(s, nil)); err != nil {
		t.Fatal(err)
	}
	got, encrypted := s.heard()
	for _, want := range []string{
		"EHLO lb1.example.org\n", "MAIL FROM:<lvs@example.org>", "RCPT TO:<ops@example.org>\n", "RCPT TO:<night@example.org>\n",
		"\nSubject: " + subject + "\n", "\nX-Mailer: Keepalived\n", "\nFrom: \"LVS\" <lvs@example.org>\n", "\nDate: ", "\nMessage-ID: <",
		"\nAuto-Submitted: auto-generated\n", "\n\n=> TCP CHECK failed on service <=\n\n..\nHost: lb1\n.\n",
	} {
		if !strings.Contains(got+"\n", want) {
			t.Errorf("there is no %q in\n%s", want, got)
		}
	}
	if encrypted {
		t.Error("the server has no TLS")
	}
}

// A text with other letters than ASCII's gets through servers that know no others.
func TestLetters(t *testing.T) {
	s := new(server)
	s.start(t)
	m := letter(s, nil)
	m.Subject, m.Text = "[lb1] Größe", "=> Größe <=\n"
	if err := Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got, _ := s.heard(); !strings.Contains(got, "=3D> Gr=C3=B6=C3=9Fe <=3D") || !strings.Contains(got, "Subject: =?UTF-8?") {
		t.Error(got)
	}
}

// How mail is encrypted, and when it isn't sent.
func TestTLS(t *testing.T) {
	own, trusted := certificate(t)
	for _, tt := range []struct {
		name, tls string
		implicit  bool
		offers    bool
		trusts    bool
		sent      bool
		encrypted bool
	}{
		{"none", config.MailTLSNone, false, true, false, true, false},
		{"opportunistic, any certificate", config.MailTLSOpportunistic, false, true, false, true, true},
		{"opportunistic, without", config.MailTLSOpportunistic, false, false, false, true, false},
		{"starttls", config.MailTLSStart, false, true, true, true, true},
		{"starttls, with a certificate that nobody trusts", config.MailTLSStart, false, true, false, false, false},
		{"starttls, without", config.MailTLSStart, false, false, true, false, false},
		{"implicit", config.MailTLSImplicit, true, false, true, true, true},
		{"implicit, with a certificate that nobody trusts", config.MailTLSImplicit, true, false, false, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &server{certificate: own, implicit: tt.implicit}
			if tt.offers {
				s.offers = []string{"STARTTLS"}
			}
			s.start(t)
			err := Send(t.Context(), letter(s, func(m *config.Mail) {
				m.TLS = tt.tls
				if tt.trusts {
					m.CA = trusted
				}
			}))
			got, encrypted := s.heard()
			if (err == nil) != tt.sent || encrypted != tt.encrypted || !tt.sent && strings.Contains(got, "MAIL") {
				t.Errorf("%v, encrypted: %t\n%s", err, encrypted, got)
			}
		})
	}
}

// Who logs in, and that nothing tells the password but the conversation.
func TestAuthentication(t *testing.T) {
	own, trusted := certificate(t)
	s := &server{certificate: own, implicit: true, offers: []string{"AUTH PLAIN LOGIN"}}
	s.start(t)
	login := func(m *config.Mail) {
		m.TLS, m.CA, m.User, m.PasswordFile = config.MailTLSImplicit, trusted, "lb1", file(t, "geheim\r\nno part of it\n")
	}
	if err := Send(t.Context(), letter(s, login)); err != nil {
		t.Fatal(err)
	}
	if got, _ := s.heard(); !strings.Contains(got, "AUTH PLAIN "+base64.StdEncoding.EncodeToString([]byte("\x00lb1\x00geheim"))) {
		t.Error(got)
	}
	s = &server{certificate: own, implicit: true} // it has no AUTH
	s.start(t)
	if err := Send(t.Context(), letter(s, login)); err == nil || strings.Contains(err.Error(), "geheim") {
		t.Error(err)
	}
}

// What another attempt would end with too is told from what it may not.
func TestErrors(t *testing.T) {
	for answer, hopeless := range map[string]bool{"550 nobody of that name": true, "450 later": false} {
		s := &server{refuses: answer}
		s.start(t)
		err := Send(t.Context(), letter(s, nil))
		var permanent interface{ Permanent() bool }
		if err == nil || errors.As(err, &permanent) != hopeless {
			t.Errorf("%s: %v", answer, err)
		}
	}
	s := new(server)
	s.start(t)
	for what, change := range map[string]func(*config.Mail){
		"smtp_password_file":      func(m *config.Mail) { m.User, m.PasswordFile = "lb1", "/nonexistent" },
		"smtp_tls_ca":             func(m *config.Mail) { m.CA = file(t, "no certificate") },
		"notification_email_from": func(m *config.Mail) { m.From = "a b" },
		"refused":                 func(m *config.Mail) { m.Server = "127.0.0.1:1" },
	} {
		if err := Send(t.Context(), letter(s, change)); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A mail server that takes connections and is silent holds nobody up who stops.
func TestSilentServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{address: l.Addr().String()}
	m := letter(s, func(m *config.Mail) { m.ConnectTimeout = time.Hour })
	ctx, cancel := context.WithCancel(t.Context())
	taken := make(chan net.Conn)
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, _ = c.Write([]byte("220 here\r\n"))
			_, _ = bufio.NewReader(c).ReadString('\n') // EHLO
		}
		cancel()
		taken <- c
	}()
	if err := Send(ctx, m); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if c := <-taken; c != nil {
		_ = c.Close()
	}
	_ = l.Close()
}
