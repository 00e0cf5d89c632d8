package probe_test

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unicode"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
)

// The servers of these say whatever comes to the fuzzer's mind, all at once, and no more.

func FuzzIMAP(f *testing.F) {
	fuzzAnswers(f, health.IMAP{Login: "ipvsd", Password: password}, "* ", converses("* OK [CAPABILITY IMAP4rev1] ready", imapAnswers))
}

func FuzzPOP3(f *testing.F) {
	fuzzAnswers(f, health.POP3{Login: "ipvsd", Password: password}, "+OK", converses("+OK ready", pop3Answers))
}

func FuzzNNTP(f *testing.F) {
	fuzzAnswers(f, health.NNTP{}, "2", converses("200 news", map[string]string{"QUIT": "205 bye"}), converses("200-news\r\n200 more", nil))
}

func FuzzSMTP(f *testing.F) {
	fuzzAnswers(f, health.SMTP{HeloName: "lb1"}, "220", converses("220 mail", map[string]string{"HELO": "250-a\r\n250 b", "QUIT": "221 bye"}))
}

func FuzzFTP(f *testing.F) {
	fuzzAnswers(f, health.FTP{Login: "ipvsd", Password: password}, "2", ftpServer("hello\n", nil, nil))
}

func FuzzLDAP(f *testing.F) { fuzzAnswers(f, ldapSpec, "\x30", directory.serve) }

func FuzzPgSQL(f *testing.F) {
	// A notice may come at any time, before the login, too (found after 1.2 million inputs): what passes has a row.
	f.Add(append([]byte("N\x00\x00\x00\x05\x00"), heard(f, pgSpec, pgServer{}.serve)...))
	row := func(text []byte) bool { return bytes.Contains(text, []byte("D\x00\x00")) }
	fuzzPassing(f, pgSpec, "R", row, pgServer{}.serve, pgServer{md5: true}.serve)
}

func FuzzRedis(f *testing.F) {
	fuzzAnswers(f, health.Redis{Login: "ipvsd", Password: password, Role: "master"}, "+",
		redisServer(map[string]string{"AUTH ipvsd s3cret": "+OK", "PING": "+PONG", "ROLE": "*3\r\n$6\r\nmaster\r\n:0\r\n*0"}))
}

// FuzzSealed is about what is said before TLS begins, by each protocol that has a command for it, and in place of TLS.
func FuzzSealed(f *testing.F) {
	tls := health.TLS{Mode: health.StartTLS}
	for n, text := range []string{"* OK\r\na OK\r\n\x16\x03\x03\x00\x02\x02\x28", "+OK\r\n+OK\r\n+OK", "200 a\r\n382 b\r\n", "220 a\r\n250 b\r\n220 c\r\n", "220 a\r\n234 b\r\n",
		"0\x0c\x02\x01\x01x\x07\x0a\x01\x00\x04\x00\x04\x00", "S\x15\x03\x03\x00\x02\x02\x28"} {
		f.Add(uint8(n), []byte(text))
	}
	s := newFuzzed(f)
	f.Fuzz(func(t *testing.T, protocol uint8, text []byte) {
		pg, directory := pgSpec, ldapSpec
		pg.TLS, directory.TLS = tls, tls
		specs := []health.Spec{health.IMAP{TLS: tls}, health.POP3{TLS: tls}, health.NNTP{TLS: tls}, health.SMTP{TLS: tls}, health.FTP{TLS: tls}, directory, pg}
		if s.judge(t, specs[int(protocol)%len(specs)], text) == nil {
			t.Error("it passes without TLS")
		}
	})
}

// fuzzed is a server that says to each client what it is told to.
type fuzzed struct {
	at   netip.AddrPort
	text atomic.Pointer[[]byte]
}

func newFuzzed(f *testing.F) *fuzzed {
	f.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { l.Close() })
	s := &fuzzed{at: l.Addr().(*net.TCPAddr).AddrPort()}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				says(string(*s.text.Load()))(c)
			}()
		}
	}()
	return s
}

// fuzzAnswers fuzzes what a server answers. Good ones show what passes, and with what that begins.
func fuzzAnswers(f *testing.F, spec health.Spec, begins string, good ...func(net.Conn)) {
	f.Helper()
	fuzzPassing(f, spec, begins, func(text []byte) bool { return bytes.HasPrefix(text, []byte(begins)) }, good...)
}

// fuzzPassing is fuzzAnswers with another rule for what may pass.
func fuzzPassing(f *testing.F, spec health.Spec, begins string, may func(text []byte) bool, good ...func(net.Conn)) {
	f.Helper()
	for _, serve := range good {
		text := heard(f, spec, serve)
		f.Add(text)
		f.Add(append([]byte("XXXX "), text...))
		f.Add(slices.Concat(text[:len(begins)], []byte("\x1b[2J\xc2\x9b"), text[len(begins):]))
	}
	f.Add([]byte(begins))
	for _, refusal := range []string{"-ERR ", "* BYE ", "* OK\r\nb NO ", "+OK\r\n-ERR ", "520 ", "220 a\r\n520 ", "-WRONGPASS "} {
		f.Add([]byte(refusal + "\x1b[2J\xc2\x9b\r\n"))
	}
	f.Add([]byte(strings.Repeat(begins+"1234567890", 1000) + "\r\n"))
	f.Add([]byte(begins + "20-many lines" + strings.Repeat("\n", 60<<10)))
	s := newFuzzed(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		if s.judge(t, spec, text) == nil && !may(text) {
			t.Errorf("%.100q passes", text)
		}
	})
}

// heard returns what a good server says to a probe that passes.
func heard(f *testing.F, spec health.Spec, serve func(net.Conn)) []byte {
	f.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	var text bytes.Buffer
	var serving sync.WaitGroup
	serving.Go(func() {
		if c, err := l.Accept(); err == nil {
			serve(&recorder{c, &text})
			c.Close()
		}
	})
	ctx, cancel := context.WithTimeout(f.Context(), patience)
	defer cancel()
	_, err = probe.Probe(ctx, of(spec)(l.Addr().(*net.TCPAddr).AddrPort()))
	l.Close()
	serving.Wait()
	if err != nil {
		f.Fatalf("a good server: %v", err)
	}
	return text.Bytes()
}

// recorder keeps what is written.
type recorder struct {
	net.Conn
	text *bytes.Buffer
}

func (r *recorder) Write(b []byte) (int, error) {
	r.text.Write(b)
	return r.Conn.Write(b)
}

// judge probes the server, which has to end as soon as the server does, with a verdict that fits into a line of a log, has no secret in it that
// the server doesn't know, and took no more memory than there is to be read.
func (s *fuzzed) judge(t *testing.T, spec health.Spec, text []byte) error {
	s.text.Store(&text)
	c := of(spec)(s.at)
	c.Timeout = patience
	var steps strings.Builder
	ctx, cancel := context.WithTimeout(t.Context(), c.Timeout)
	defer cancel()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f, err := probe.Probe(probe.WithSteps(ctx, func(s probe.Step) { steps.WriteString(s.Text) }), c)
	runtime.ReadMemStats(&after)
	if ctx.Err() != nil {
		t.Errorf("it takes more than %v", patience)
	}
	if ate := after.TotalAlloc - before.TotalAlloc; ate > appetite {
		t.Errorf("it took %d MiB", ate>>20)
	}
	said := f.Warning + steps.String()
	if err != nil {
		said += err.Error()
		if n := len(err.Error()); n == 0 || n > 1000 {
			t.Errorf("the error has %d bytes", n)
		}
	}
	if i := strings.IndexFunc(said, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
		t.Errorf("%q has characters that don't belong into a log", said)
	}
	if strings.Contains(said, "s3cret") && !bytes.Contains(text, []byte("s3cret")) {
		t.Errorf("a secret is told: %s", said)
	}
	return err
}
