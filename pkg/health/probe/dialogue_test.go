package probe_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
)

var pop3Answers = map[string]string{"USER": "+OK", "PASS s3cret": "+OK Logged in.", "PASS": "-ERR [AUTH] Authentication failed.",
	"QUIT": "+OK Bye", "STLS": "+OK Begin TLS"}

var imapAnswers = map[string]string{
	`b LOGIN "ipvsd" "s3cret"`:     "* CAPABILITY IMAP4rev1\r\nb OK [CAPABILITY IMAP4rev1] Logged in",
	`b LOGIN "ip\\v\"sd" "s3cret"`: "b OK",
	"b":                            "b NO [AUTHENTICATIONFAILED] Authentication failed.",
	"c LOGOUT":                     "* BYE Logging out\r\nc OK Logout completed.",
	"a STARTTLS":                   "a OK Begin TLS negotiation now.",
}

func TestPOP3Faults(t *testing.T) {
	faults(t, of(health.POP3{Login: "ipvsd", Password: password}), converses("+OK Dovecot ready.", pop3Answers))
}

func TestIMAPFaults(t *testing.T) {
	faults(t, of(health.IMAP{Login: "ipvsd", Password: password}), converses("* OK [CAPABILITY IMAP4rev1] ready", imapAnswers))
}

func TestNNTPFaults(t *testing.T) {
	faults(t, of(health.NNTP{}), converses("200 news", map[string]string{"QUIT": "205 bye"}))
}

func TestDialogueFaultsInTLS(t *testing.T) {
	id := newIdentity(t, time.Now().AddDate(1, 0, 0))
	faultsTLS(t, id, of(health.IMAP{Login: "ipvsd", Password: password, TLS: health.TLS{Mode: health.Implicit, Verify: true, CA: id.ca}}),
		converses("* OK [CAPABILITY IMAP4rev1] ready", imapAnswers))
}

func TestPOP3(t *testing.T) {
	login := health.POP3{Login: "ipvsd", Password: password}
	verdicts(t, []verdict{
		{"no login", health.POP3{}, converses("+OK", pop3Answers), ""},
		{"a login", login, converses("+OK ready", pop3Answers), ""},
		{"a wrong password", health.POP3{Login: "ipvsd", Password: health.Secret{Text: "wrong"}}, converses("+OK ready", pop3Answers),
			"login refused: -ERR [AUTH] Authentication failed."},
		{"a busy server", login, converses("-ERR [SYS/TEMP] too many connections", nil), "greeting: -ERR [SYS/TEMP] too many connections"},
		{"another protocol", login, converses("220 mail ESMTP", nil), `greeting: no answer of POP3: "220 mail ESMTP"`},
		{"almost", login, converses("+OKAY", nil), `greeting: no answer of POP3: "+OKAY"`},
		{"without STLS", health.POP3{TLS: health.TLS{Mode: health.StartTLS}}, converses("+OK", map[string]string{"STLS": "-ERR what?"}), "STLS: -ERR what?"},
		{"two lines in one", health.POP3{Login: "ipvsd\r\nDELE 1", Password: password}, converses("+OK", pop3Answers),
			"login refused: USER ipvsd DELE 1: a line break can't be sent"},
	})
}

func TestIMAP(t *testing.T) {
	login := health.IMAP{Login: "ipvsd", Password: password}
	verdicts(t, []verdict{
		{"no login", health.IMAP{}, converses("* OK ready", imapAnswers), ""},
		{"already in", health.IMAP{}, converses("* PREAUTH ready", imapAnswers), ""},
		{"a login", login, converses("* ok ready", imapAnswers), ""},
		{"a login with quotes", health.IMAP{Login: `ip\v"sd`, Password: password}, converses("* OK ready", imapAnswers), ""},
		{"a wrong password", health.IMAP{Login: "ipvsd", Password: health.Secret{Text: "wrong"}}, converses("* OK ready", imapAnswers),
			"login refused: NO [AUTHENTICATIONFAILED] Authentication failed."},
		{"a busy server", health.IMAP{}, converses("* BYE too many connections", nil), `greeting: "* BYE too many connections"`},
		{"one that leaves", login, converses("* OK ready", map[string]string{"b": "* BYE going down"}), "login refused: * BYE going down"},
		{"without STARTTLS", health.IMAP{TLS: health.TLS{Mode: health.StartTLS}}, converses("* OK", map[string]string{"a": "a BAD what?"}),
			`greeting: "* OK"`},
		{"without STARTTLS", health.IMAP{TLS: health.TLS{Mode: health.StartTLS}}, converses("* OK ready", map[string]string{"a": "a BAD what?"}),
			"STARTTLS: BAD what?"},
	})
}

func TestNNTP(t *testing.T) {
	verdicts(t, []verdict{
		{"posting allowed", health.NNTP{}, converses("200 news", map[string]string{"QUIT": "205 bye"}), ""},
		{"not allowed", health.NNTP{}, converses("201 news", map[string]string{"QUIT": "205 bye"}), ""},
		{"not available", health.NNTP{}, converses("400 later", nil), "greeting: 400 later"},
		{"without STARTTLS", health.NNTP{TLS: health.TLS{Mode: health.StartTLS}}, converses("200 news", nil), "STARTTLS: 500 what is STARTTLS?"},
	})
}

// startsTLS returns a server that speaks one dialogue up to the command for TLS, and another in it.
func startsTLS(id identity, greeting, command, answer string, inside func(net.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		fmt.Fprintf(c, "%s\r\n", greeting)
		line, err := bufio.NewReader(io.LimitReader(c, int64(len(command)+2))).ReadString('\n')
		if err != nil || strings.TrimSpace(line) != command {
			fmt.Fprintf(c, "500 %s\r\n", line)
			return
		}
		fmt.Fprintf(c, "%s\r\n", answer)
		secured := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{id.cert}})
		if secured.Handshake() == nil {
			inside(secured)
			secured.Close()
		}
	}
}

func TestStartTLSOfDialogues(t *testing.T) {
	until := time.Now().AddDate(0, 0, 10)
	id := newIdentity(t, until)
	good := health.TLS{Mode: health.StartTLS, Verify: true, CA: id.ca, Expiry: 30 * 24 * time.Hour}
	for _, test := range []struct {
		name                      string
		spec                      func(health.TLS) health.Spec
		greeting, command, answer string
		inside                    func(net.Conn)
	}{
		{"POP3", func(t health.TLS) health.Spec { return health.POP3{Login: "ipvsd", Password: password, TLS: t} }, "+OK", "STLS", "+OK", converses("", pop3Answers)},
		{"IMAP", func(t health.TLS) health.Spec { return health.IMAP{Login: "ipvsd", Password: password, TLS: t} }, "* OK ready", "a STARTTLS", "a OK go", converses("", imapAnswers)},
		{"NNTP", func(t health.TLS) health.Spec { return health.NNTP{TLS: t} }, "200 news", "STARTTLS", "382 go", converses("", nil)},
		{"FTP", func(t health.TLS) health.Spec { return health.FTP{TLS: t} }, "220 files", "AUTH TLS", "234 go",
			converses("", map[string]string{"USER": "331 and?", "PASS": "230 in", "QUIT": "221 bye"})},
	} {
		serve := startsTLS(id, test.greeting, test.command, test.answer, test.inside)
		f, got, trace := told(t, test.spec(good), serve)
		if want := "the certificate ends on " + until.UTC().Format(time.DateOnly); got != "" || f.Warning != want {
			t.Errorf("%s: %q, warning %q; want the warning %q\n%s", test.name, got, f.Warning, want, strings.Join(trace, "\n"))
		}
		strict := good
		strict.Name = "mail.example.net"
		_, got, _ = told(t, test.spec(strict), serve)
		if want := "TLS: the certificate is for localhost, www.example.org, 127.0.0.1 and 1 others, not for mail.example.net"; got != want {
			t.Errorf("%s: %q; want %q", test.name, got, want)
		}
		_, got, _ = told(t, test.spec(good), startsTLS(id, test.greeting, test.command, test.answer+"\r\nand more", test.inside))
		if want := "the server said more than it was asked before TLS began"; got != want {
			t.Errorf("%s: %q; want %q", test.name, got, want)
		}
	}
}
