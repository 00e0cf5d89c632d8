package probe_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
)

func udpCheck(spec health.UDP) func(netip.AddrPort) health.Check {
	if spec.Max == 0 {
		spec.Max = 255
	}
	return func(at netip.AddrPort) health.Check { return health.Check{Type: "UDP_CHECK", Target: at, Spec: spec} }
}

func TestUDPCheckFaults(t *testing.T) {
	t.Run("with a reply", func(t *testing.T) {
		faultsUDP(t, udpCheck(health.UDP{Payload: "ping", Require: true, Reply: "\x00pong", Mask: "\x00\xff\xff\xff\xff", Min: 5, Max: 20}),
			func([]byte) []byte { return []byte("?pong") })
	})
	t.Run("with a reply, as far as it goes", func(t *testing.T) {
		faultsUDP(t, udpCheck(health.UDP{Require: true, Reply: "pong", Mask: "\xff\xff\xff\xff"}),
			func([]byte) []byte { return []byte("pong") }, append(partsOf20, "an empty datagram")...)
	})
}

// Silence is as good as an answer, but an ICMP error isn't.
func TestUDPCheckOfTheDead(t *testing.T) {
	nobody, end := serverUDP(t, nil)
	end()
	silent, end := serverUDP(t, func([]byte, func([]byte) error) {})
	defer end()
	judge(t, fails, patience, udpCheck(health.UDP{})(nobody))
	judge(t, fails, patience, udpCheck(health.UDP{Require: true})(nobody))
	judge(t, passes, short, udpCheck(health.UDP{})(silent))
	judge(t, late, short, udpCheck(health.UDP{Require: true})(silent))
}

// Every case is one of keepalived 2.2.7's, which TestKernelUDPCheckIsKeepalived asks.
func TestUDPCheck(t *testing.T) {
	for _, test := range udpCases {
		at, end := serverUDP(t, func(b []byte, send func([]byte) error) {
			for _, text := range test.answers {
				if text == "echo" {
					text = string(b)
				}
				send([]byte(text))
			}
		})
		c := udpCheck(test.spec)(at)
		c.Timeout = patience
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_, err := probe.Probe(ctx, c)
		cancel()
		end()
		if err == nil && test.want != "" || err != nil && err.Error() != test.want {
			t.Errorf("%s: %v; want %q", test.keywords, err, test.want)
		}
	}
}

// udpCases is what servers answer, and what comes of it.
var udpCases = []struct {
	keywords string // keepalived's
	spec     health.UDP
	answers  []string // "echo" is the request
	want     string
}{
	{"", health.UDP{}, []string{"echo"}, ""},
	{"", health.UDP{}, []string{""}, ""},
	{"", health.UDP{}, []string{strings.Repeat("x", 256)}, ""},
	{"min_reply_length 4", health.UDP{Min: 4}, []string{"abc"}, ""},
	{"max_reply_length 4", health.UDP{Max: 4}, []string{"abcdef"}, ""},
	{"require_reply", health.UDP{Require: true}, []string{"echo"}, ""},
	{"require_reply", health.UDP{Require: true}, []string{""}, ""},
	{"require_reply", health.UDP{Require: true}, []string{strings.Repeat("x", 256)}, ""},
	{"require_reply\nmin_reply_length 4", health.UDP{Require: true, Min: 4}, []string{"abc"}, ""},
	{"require_reply\nmax_reply_length 4", health.UDP{Require: true, Max: 4}, []string{"abcdef"}, ""},
	{"require_reply 616263", pattern("abc", "\xff\xff\xff", 0, 255), []string{"abc"}, ""},
	{"require_reply 616263", pattern("abc", "\xff\xff\xff", 0, 255), []string{"abcdef"}, ""},
	{"require_reply 616263", pattern("abc", "\xff\xff\xff", 0, 255), []string{"ab"}, ""},
	{"require_reply 616263", pattern("abc", "\xff\xff\xff", 0, 255), []string{""}, ""},
	{"require_reply 616263", pattern("abc", "\xff\xff\xff", 0, 255), []string{"aXc"}, "byte 2 of the answer is 58, not 62 (mask FF)"},
	{"require_reply 616263", pattern("abc", "\xff\xff\xff", 0, 255), []string{"no", "abc"}, "byte 1 of the answer is 6E, not 61 (mask FF)"},
	{"require_reply 61XX63", pattern("a\x00c", "\xff\x00\xff", 0, 255), []string{"abc"}, ""},
	{"require_reply 61XX63", pattern("a\x00c", "\xff\x00\xff", 0, 255), []string{"aXc"}, ""},
	{"require_reply 6X62", pattern("\x60b", "\xf0\xff", 0, 255), []string{"ab"}, ""},
	{"require_reply 6X62", pattern("\x60b", "\xf0\xff", 0, 255), []string{"Ab"}, "byte 1 of the answer is 41, not 60 (mask F0)"},
	{"require_reply 61\nmin_reply_length 4", pattern("a", "\xff", 4, 255), []string{"abc"}, "an answer of 3 bytes; at least 4 are required"},
	{"require_reply 61\nmin_reply_length 4", pattern("a", "\xff", 4, 255), []string{"abcd"}, ""},
	{"require_reply 61\nmax_reply_length 4", pattern("a", "\xff", 0, 4), []string{"abcd"}, ""},
	{"require_reply 61\nmax_reply_length 4", pattern("a", "\xff", 0, 4), []string{"abcde"}, "an answer of more than 4 bytes"},
	{"require_reply 78", pattern("x", "\xff", 0, 255), []string{strings.Repeat("x", 255)}, ""},
	{"require_reply 78", pattern("x", "\xff", 0, 255), []string{strings.Repeat("x", 256)}, "an answer of more than 255 bytes"},
	{"payload 414243\nrequire_reply 414243", health.UDP{Payload: "ABC", Require: true, Reply: "ABC", Mask: "\xff\xff\xff"}, []string{"echo"}, ""},
	{"require_reply 6b656570616c6976656420636865636b202d206b656570616c69766564206368",
		pattern("keepalived check - keepalived ch", strings.Repeat("\xff", 32), 32, 255), []string{"echo"}, ""},
}

func pattern(reply, mask string, least, most int) health.UDP {
	return health.UDP{Require: true, Reply: reply, Mask: mask, Min: least, Max: most}
}

func TestUDPCheckEndsWhenCancelled(t *testing.T) {
	silent, end := serverUDP(t, func([]byte, func([]byte) error) {})
	defer end()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	c := udpCheck(health.UDP{})(silent)
	c.Timeout = time.Hour
	if _, err := probe.Probe(ctx, c); err == nil || err.Error() != "context canceled" {
		t.Errorf("%v; want context canceled: a silence that was cut short says nothing", err)
	}
}
