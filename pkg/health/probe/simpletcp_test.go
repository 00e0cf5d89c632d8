package probe_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// echoes returns a server that reads to the end, as ldirectord's simpletcp lets it, and then answers.
func echoes(prefix string) func(net.Conn) {
	return func(c net.Conn) {
		b, err := io.ReadAll(c)
		if err == nil {
			io.WriteString(c, prefix+string(b))
		}
	}
}

func TestSimpleTCPFaults(t *testing.T) {
	faults(t, of(health.SimpleTCP{Send: "PING\n", Expect: health.Regex{Pattern: "^echo: PING"}}), echoes("echo: "),
		"never answers") // it ends when it is told that there is no more
}

func TestSimpleTCPFaultsWithoutText(t *testing.T) {
	faults(t, of(health.SimpleTCP{}), says("hello"), // whatever comes is good
		"an empty line", "empty lines", "HTML", "an HTTP error", "SSH", "zeros", "ones", "noise", "little noise", "a TLS alert",
		"a line of 300 KB", "a line of 1 GB", "lines of 1 GB", "1 GB of zeros", "byte by byte, too slowly")
}

func TestSimpleTCPFaultsInTLS(t *testing.T) {
	id := newIdentity(t, time.Now().AddDate(1, 0, 0))
	faultsTLS(t, id, of(health.SimpleTCP{Send: "PING\n", Expect: health.Regex{Pattern: "^PONG"},
		TLS: health.TLS{Mode: health.Implicit, Verify: true, CA: id.ca}}), converses("", map[string]string{"PING": "PONG"}))
}

func TestSimpleTCPFaultsOverUDP(t *testing.T) {
	faultsUDP(t, of(health.SimpleTCP{UDP: true, Send: "PING\n", Expect: health.Regex{Pattern: "^echo: PING\n"}}),
		func(b []byte) []byte { return append([]byte("echo: "), b...) })
}

func TestSimpleTCP(t *testing.T) {
	without := health.Regex{Pattern: "ERROR", NoMatch: true}
	later := func(c net.Conn) {
		io.WriteString(c, "wel")
		io.WriteString(c, "come\nlogin: ")
		io.Copy(io.Discard, c)
	}
	verdicts(t, []verdict{
		{"a text in two pieces, and it stays", health.SimpleTCP{Expect: health.Regex{Pattern: "welcome"}}, later, ""},
		{"a line that is not ended", health.SimpleTCP{Expect: health.Regex{Pattern: "login: $"}}, later, ""},
		{"another text", health.SimpleTCP{Expect: health.Regex{Pattern: "hello"}}, says("bye"), `"bye" does not match the regex "hello"`},
		{"nothing", health.SimpleTCP{Expect: health.Regex{Pattern: "hello"}}, says(""), "the server closed the connection"},
		{"nothing that must not come", health.SimpleTCP{Expect: without}, says("fine"), ""},
		{"something that must not come", health.SimpleTCP{Expect: without}, says("fine, but ERROR"), `"fine, but ERROR" matches the regex "ERROR"`},
		{"too long", health.SimpleTCP{Expect: health.Regex{Pattern: "z"}}, says(strings.Repeat("y", 20000)),
			`"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy" and 16344 bytes more do not match the regex "z"`},
		{"too long, and must not come", health.SimpleTCP{Expect: without}, says(strings.Repeat("y", 20000)),
			"the answer is longer than 16384 bytes"},
	})
}
