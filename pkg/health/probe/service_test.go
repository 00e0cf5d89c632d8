package probe_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
)

// of returns what makes a check of a spec.
func of(s health.Spec) func(netip.AddrPort) health.Check {
	return func(at netip.AddrPort) health.Check { return health.Check{Type: "A_CHECK", Target: at, Spec: s} }
}

// told returns what a probe makes of a server: the finding, the error's text, and the trace, in which no secret of these tests may be.
func told(t *testing.T, s health.Spec, serve func(net.Conn)) (f health.Finding, text string, trace []string) {
	t.Helper()
	at, end := server(t, serve)
	defer end()
	return toldAt(t, s, at)
}

func toldAt(t *testing.T, s health.Spec, at netip.AddrPort) (f health.Finding, text string, trace []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ctx = probe.WithSteps(ctx, func(s probe.Step) { trace = append(trace, s.Text) })
	c := of(s)(at)
	c.Timeout = patience
	f, err := probe.Probe(ctx, c)
	if err != nil {
		text = err.Error()
	}
	if strings.Contains(text+strings.Join(trace, "\n"), "s3cret") {
		t.Errorf("a secret is told: %s\n%s", text, strings.Join(trace, "\n"))
	}
	return f, text, trace
}

// verdicts runs probes of servers and compares the error's texts.
func verdicts(t *testing.T, list []verdict) {
	t.Helper()
	for _, v := range list {
		t.Run(v.name, func(t *testing.T) {
			if _, got, trace := told(t, v.spec, v.serve); got != v.want {
				t.Errorf("%q; want %q\n%s", got, v.want, strings.Join(trace, "\n"))
			}
		})
	}
}

type verdict struct {
	name  string
	spec  health.Spec
	serve func(net.Conn)
	want  string
}

// converses returns a server that answers line by line, by the whole line or else by its first word. An empty answer is none.
func converses(greeting string, answers map[string]string) func(net.Conn) {
	return func(c net.Conn) {
		if greeting != "" {
			fmt.Fprintf(c, "%s\r\n", greeting)
		}
		lines := bufio.NewScanner(c)
		for lines.Scan() {
			word, _, _ := strings.Cut(lines.Text(), " ")
			answer, known := answers[lines.Text()]
			if !known {
				answer, known = answers[word]
			}
			if !known {
				answer = "500 what is " + lines.Text() + "?"
			}
			if answer == "" {
				continue
			}
			if _, err := fmt.Fprintf(c, "%s\r\n", answer); err != nil {
				return
			}
		}
	}
}

// mutants runs probes of a good server of which one byte is another. They may pass or fail, but have to end, and without a panic.
func mutants(t *testing.T, check func(netip.AddrPort) health.Check, good func(net.Conn)) {
	t.Helper()
	var said atomic.Int64
	at, end := server(t, func(c net.Conn) { good(&tap{Conn: c, sent: &said}) })
	judge(t, passes, patience, check(at))
	end()
	for i := range said.Load() {
		for _, flip := range []byte{0x01, 0x80, 0xff} {
			at, end := server(t, func(c net.Conn) { good(&mutant{c, i, flip}) })
			judge(t, either, short, check(at))
			end()
		}
	}
}

// mutant is a connection that changes the byte after so many.
type mutant struct {
	net.Conn
	left int64
	flip byte
}

func (m *mutant) Write(b []byte) (int, error) {
	if 0 <= m.left && m.left < int64(len(b)) {
		b = bytes.Clone(b)
		b[m.left] ^= m.flip
	}
	m.left -= int64(len(b))
	return m.Conn.Write(b)
}

var password = health.Secret{Text: "s3cret"}

func TestSecretsAreRead(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) health.Secret {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return health.Secret{File: path}
	}
	if err := syscall.Mkfifo(dir+"/pipe", 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name      string
		secret    health.Secret
		want, err string
	}{
		{"none", health.Secret{}, "", ""},
		{"a text", password, "s3cret", ""},
		{"a line", file("line", "s3cret\n"), "s3cret", ""},
		{"one without an end", file("bare", "s3cret"), "s3cret", ""},
		{"the first of several", file("lines", "s3cret \r\nmore\n"), "s3cret ", ""},
		{"an empty one", file("empty", "\nmore\n"), "", "secret: the first line of " + dir + "/empty is empty"},
		{"a long one", file("long", strings.Repeat("x", 5000)), "", "secret: the first line of " + dir + "/long is longer than 4096 bytes"},
		{"no file", health.Secret{File: dir + "/no"}, "", "secret: open " + dir + "/no: no such file or directory"},
		{"a directory", health.Secret{File: dir}, "", "secret: " + dir + " is no regular file"},
		{"a pipe that nobody writes to", health.Secret{File: dir + "/pipe"}, "", "secret: " + dir + "/pipe is no regular file"},
		{"a device", health.Secret{File: "/dev/zero"}, "", "secret: /dev/zero is no regular file"},
	} {
		got, err := probe.Reveal(test.secret)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if got != test.want || text != test.err {
			t.Errorf("%s: %q, %q; want %q, %q", test.name, got, text, test.want, test.err)
		}
	}
}
