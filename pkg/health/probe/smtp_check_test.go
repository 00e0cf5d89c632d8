package probe_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
)

// answers is what a mail server says: at first, by "", and to a command.
type answers map[string]string

// mailServer returns a server that says so. After it has agreed to STARTTLS it has only HELO and QUIT.
func mailServer(id identity, says answers) func(net.Conn) {
	return func(c net.Conn) {
		lines := bufio.NewReader(c)
		for word := ""; ; {
			answer, known := says[word]
			if !known {
				answer = "502 5.5.2 what is " + word + "?"
			}
			if _, err := fmt.Fprintf(c, "%s\r\n", answer); err != nil {
				return
			}
			if word == "STARTTLS" && strings.HasPrefix(answer, "220") {
				inside := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{id.cert}})
				c, lines = inside, bufio.NewReader(inside)
			}
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			word, _, _ = strings.Cut(strings.TrimSpace(line), " ")
		}
	}
}

func smtpCheck(t health.TLS) func(netip.AddrPort) health.Check {
	return func(at netip.AddrPort) health.Check {
		return health.Check{Type: "SMTP_CHECK", Target: at, Spec: health.SMTP{HeloName: "lb.example.org", TLS: t}}
	}
}

var goodMail = answers{
	"": "220 mail.example.org ESMTP", "HELO": "250 mail.example.org", "QUIT": "221 bye",
	"EHLO": "250-mail.example.org\r\n250 STARTTLS", "STARTTLS": "220 go on",
}

func TestSMTPCheckFaults(t *testing.T) {
	id := newIdentity(t, time.Now().AddDate(1, 0, 0))
	good := mailServer(id, goodMail)
	t.Run("plain", func(t *testing.T) { faults(t, smtpCheck(health.TLS{}), good) })
	t.Run("STARTTLS", func(t *testing.T) {
		faults(t, smtpCheck(health.TLS{Mode: health.StartTLS, Verify: true, CA: id.ca}), good)
	})
	t.Run("TLS", func(t *testing.T) { faultsTLS(t, id, smtpCheck(health.TLS{Mode: health.Implicit}), good) })
}

func TestSMTPCheck(t *testing.T) {
	id := newIdentity(t, time.Now().AddDate(0, 0, 10))
	verified := health.TLS{Mode: health.StartTLS, Verify: true, CA: id.ca, Expiry: 30 * 24 * time.Hour}
	misnamed := verified
	misnamed.Name = "mail.example.com"
	with := func(word, answer string) answers {
		a := maps.Clone(goodMail)
		a[word] = answer
		return a
	}
	for _, test := range []struct {
		name string
		tls  health.TLS
		says answers
		want string
	}{
		{"good", health.TLS{}, goodMail, ""},
		{"many lines", health.TLS{}, with("", "220-mail.example.org ESMTP\r\n220-no spam\r\n220 please"), ""},
		{"many lines after HELO", health.TLS{}, with("HELO", "250-mail.example.org\r\n250 hello"), ""},
		{"no more than a number", health.TLS{}, with("HELO", "250 "), ""},
		{"no QUIT", health.TLS{}, with("QUIT", "502 stay"), ""},
		{"too busy", health.TLS{}, with("", "421 4.3.2 too busy"), "greeting: 421 4.3.2 too busy"},
		{"no mail here", health.TLS{}, with("", "554-no\r\n554 mail"), "greeting: 554 no mail"},
		{"another greeting", health.TLS{}, with("", "250 hello"), "greeting: 250 hello"},
		{"another answer", health.TLS{}, with("HELO", "220 hello"), "HELO: 220 hello"},
		{"not welcome", health.TLS{}, with("HELO", "550 who?"), "HELO: 550 who?"},
		{"no number", health.TLS{}, with("", "hello there"), `greeting: short response: "hello there"`},
		{"STARTTLS", verified, goodMail, ""},
		{"STARTTLS, of another name", misnamed, goodMail, "TLS: the certificate is for localhost, www.example.org"},
		{"no EHLO", verified, with("EHLO", "502 old"), "EHLO: 502 old"},
		{"no STARTTLS", verified, with("STARTTLS", "454 not now"), "STARTTLS: 454 not now"},
		{"more than STARTTLS", verified, with("STARTTLS", "220 go on\r\n250 evil"), "the server said more than it was asked before TLS began"},
	} {
		t.Run(test.name, func(t *testing.T) {
			at, end := server(t, mailServer(id, test.says))
			defer end()
			c := smtpCheck(test.tls)(at)
			c.Timeout = patience
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			f, err := probe.Probe(ctx, c)
			if err == nil && test.want != "" || err != nil && !strings.HasPrefix(err.Error(), test.want) || err != nil && test.want == "" {
				t.Errorf("%v; want %q", err, test.want)
			}
			if warned := strings.HasPrefix(f.Warning, "the certificate ends on "); warned != (test.tls == verified && err == nil) {
				t.Errorf("warned of %q", f.Warning)
			}
		})
	}
}
