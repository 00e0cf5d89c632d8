package probe_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
)

// answering returns what a DNS server answers: the records, after a change.
func answering(change func(*dnsmessage.Message), records ...dnsmessage.ResourceBody) func([]byte) []byte {
	return func(request []byte) []byte {
		var m dnsmessage.Message
		if err := m.Unpack(request); err != nil {
			return nil
		}
		m.Response, m.RecursionAvailable = true, true
		for _, body := range records {
			m.Answers = append(m.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET, TTL: 60}, Body: body,
			})
		}
		if change != nil {
			change(&m)
		}
		b, err := m.Pack()
		if err != nil {
			panic(err)
		}
		return b
	}
}

// inTCP is a server that answers so over TCP.
func inTCP(answer func([]byte) []byte) func(net.Conn) {
	return func(c net.Conn) {
		var size [2]byte
		for {
			if _, err := io.ReadFull(c, size[:]); err != nil {
				return
			}
			b := make([]byte, binary.BigEndian.Uint16(size[:]))
			if _, err := io.ReadFull(c, b); err != nil {
				return
			}
			b = answer(b)
			if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)); err != nil {
				return
			}
		}
	}
}

func name(s string) dnsmessage.Name { return dnsmessage.MustNewName(s) }

func a(s string) dnsmessage.ResourceBody {
	return &dnsmessage.AResource{A: netip.MustParseAddr(s).As4()}
}

func dnsCheck(spec health.DNS) func(netip.AddrPort) health.Check {
	if spec.Type == "" {
		spec.Type, spec.Name = "A", "www.example.org"
	}
	return func(at netip.AddrPort) health.Check { return health.Check{Type: "DNS_CHECK", Target: at, Spec: spec} }
}

func TestDNSCheckFaults(t *testing.T) {
	faultsUDP(t, dnsCheck(health.DNS{}), answering(nil, a("192.0.2.1"), a("192.0.2.2")))
}

func TestDNSCheckOverTCPFaults(t *testing.T) {
	faults(t, dnsCheck(health.DNS{TCP: true, Expect: health.Regex{Pattern: `^192\.0\.2\.2$`}}),
		inTCP(answering(nil, a("192.0.2.1"), a("192.0.2.2"))))
}

func TestDNSCheck(t *testing.T) {
	code := func(r dnsmessage.RCode) func(*dnsmessage.Message) {
		return func(m *dnsmessage.Message) { m.RCode = r }
	}
	expect := func(kind, pattern string) health.DNS {
		return health.DNS{Type: kind, Name: "example.org.", Expect: health.Regex{Pattern: pattern}}
	}
	two := []dnsmessage.ResourceBody{a("192.0.2.1"), a("192.0.2.2")}
	for _, test := range []struct {
		name   string
		spec   health.DNS
		answer func([]byte) []byte
		want   string
	}{
		{"a record", health.DNS{}, answering(nil, a("192.0.2.1")), ""},
		{"no record", health.DNS{}, answering(nil), ""},
		{"FORMERR", health.DNS{}, answering(code(dnsmessage.RCodeFormatError)), "FORMERR"},
		{"SERVFAIL", health.DNS{}, answering(code(dnsmessage.RCodeServerFailure)), "SERVFAIL"},
		{"NXDOMAIN", health.DNS{}, answering(code(dnsmessage.RCodeNameError)), "NXDOMAIN"},
		{"NOTIMP", health.DNS{}, answering(code(dnsmessage.RCodeNotImplemented)), "NOTIMP"},
		{"REFUSED", health.DNS{}, answering(code(dnsmessage.RCodeRefused)), "REFUSED"},
		{"NOTZONE", health.DNS{}, answering(code(10)), "NOTZONE"},
		{"no name for it", health.DNS{}, answering(code(11)), "response code 11"},
		{"REFUSED without the question", health.DNS{}, answering(func(m *dnsmessage.Message) {
			m.RCode, m.Questions = dnsmessage.RCodeRefused, nil
		}), "REFUSED"},
		{"truncated", health.DNS{}, answering(func(m *dnsmessage.Message) { m.Truncated = true }), ""},
		{"another name", health.DNS{}, answering(func(m *dnsmessage.Message) { m.Questions[0].Name = name("example.com.") }),
			"no complete answer within 250ms; something that came is no answer: an answer to another question: for A of example.com."},
		{"another case", health.DNS{}, answering(func(m *dnsmessage.Message) { m.Questions[0].Name = name("WWW.Example.Org.") }), ""},
		{"another type", health.DNS{}, answering(func(m *dnsmessage.Message) { m.Questions[0].Type = dnsmessage.TypeMX }),
			"no complete answer within 250ms; something that came is no answer: an answer to another question: for MX of www.example.org."},
		{"a question", health.DNS{}, answering(func(m *dnsmessage.Message) { m.Response = false }),
			"no complete answer within 250ms; something that came is no answer: a question instead of an answer"},
		{"cut", health.DNS{}, func(b []byte) []byte { b = answering(nil, two...)(b); return b[:len(b)-1] },
			"an answer that is not well-formed: skipping: Answer: insufficient data for resource body length"},
		{"cut and truncated", health.DNS{}, func(b []byte) []byte {
			b = answering(func(m *dnsmessage.Message) { m.Truncated = true }, two...)(b)
			return b[:len(b)-1]
		}, ""},
		{"the root", health.DNS{Type: "SOA", Name: "."}, answering(func(m *dnsmessage.Message) {
			if q := m.Questions[0]; q.Name.String() != "." || q.Type != dnsmessage.TypeSOA || !m.RecursionDesired || len(m.Questions) != 1 {
				m.RCode = dnsmessage.RCodeRefused
			}
		}), ""},
		{"a type that isn't", health.DNS{Type: "B"}, answering(nil), `there is no type "B" of records to ask for`},
		{"a long label", health.DNS{Type: "A", Name: strings.Repeat("x", 64)}, answering(nil),
			`name "` + strings.Repeat("x", 64) + `": packing Question: Name: segment length too long`},
		{"an empty label", health.DNS{Type: "A", Name: "a..b"}, answering(nil), `name "a..b": packing Question: Name: zero length segment`},

		{"the expected A", expect("A", `^192\.0\.2\.2$`), answering(nil, two...), ""},
		{"another A", expect("A", `^192\.0\.2\.3$`), answering(nil, two...),
			`no answer matches the regex "^192\\.0\\.2\\.3$": ["192.0.2.1" "192.0.2.2"]`},
		{"none", expect("A", `^192\.0\.2\.3$`), answering(nil), "there is no A of example.org."},
		{"none of the unwanted", health.DNS{Type: "A", Name: "x", Expect: health.Regex{Pattern: `\.3$`, NoMatch: true}}, answering(nil, two...), ""},
		{"one of the unwanted", health.DNS{Type: "A", Name: "x", Expect: health.Regex{Pattern: `\.2$`, NoMatch: true}}, answering(nil, two...),
			`"192.0.2.2" matches the regex "\\.2$"`},
		{"not in what is left", expect("A", `\.3$`), answering(func(m *dnsmessage.Message) { m.Truncated = true }, two...),
			`no answer matches the regex "\\.3$": ["192.0.2.1" "192.0.2.2"]; the answer is truncated, ask over TCP`},
		{"AAAA", expect("AAAA", `^2001:db8::1$`), answering(nil, &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr("2001:db8::1").As16()}), ""},
		{"NS", expect("NS", `^ns\.example\.org\.$`), answering(nil, &dnsmessage.NSResource{NS: name("ns.example.org.")}), ""},
		{"CNAME", expect("CNAME", `^w\.example\.org\.$`), answering(nil, &dnsmessage.CNAMEResource{CNAME: name("w.example.org.")}), ""},
		{"PTR", expect("PTR", `^p\.example\.org\.$`), answering(nil, &dnsmessage.PTRResource{PTR: name("p.example.org.")}), ""},
		{"MX", expect("MX", `^10 mx\.example\.org\.$`), answering(nil, &dnsmessage.MXResource{Pref: 10, MX: name("mx.example.org.")}), ""},
		{"TXT", expect("TXT", `^v=spf1 -all$`), answering(nil, &dnsmessage.TXTResource{TXT: []string{"v=spf1", " -all"}}), ""},
		{"SOA", expect("SOA", `^ns\. who\. 1 2 3 4 5$`), answering(nil, &dnsmessage.SOAResource{
			NS: name("ns."), MBox: name("who."), Serial: 1, Refresh: 2, Retry: 3, Expire: 4, MinTTL: 5}), ""},
		{"DNSKEY", expect("DNSKEY", `^\\# 5 0101030D2A$`), answering(nil, &dnsmessage.UnknownResource{Type: 48, Data: []byte{1, 1, 3, 13, 42}}), ""},
		{"RRSIG", expect("RRSIG", `^\\# 2 0001$`), answering(nil, &dnsmessage.UnknownResource{Type: 46, Data: []byte{0, 1}}), ""},
		{"a name of the server's after an alias", expect("A", `\.2$`), answering(nil, &dnsmessage.CNAMEResource{CNAME: name("w.example.org.")}, a("192.0.2.2")), ""},
	} {
		for _, tcp := range []bool{false, true} {
			spec := test.spec
			spec.TCP = tcp
			var at netip.AddrPort
			var end func()
			if tcp {
				at, end = server(t, inTCP(test.answer))
			} else {
				at, end = serverUDP(t, func(b []byte, send func([]byte) error) { send(test.answer(b)) })
			}
			c := dnsCheck(spec)(at)
			limit, want := patience, test.want
			if strings.HasPrefix(want, "no complete answer") { // over TCP nothing else can come
				limit = short
				if tcp {
					_, want, _ = strings.Cut(want, "no answer: ")
				}
			}
			c.Timeout = limit
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			_, err := probe.Probe(ctx, c)
			cancel()
			end()
			if err == nil && want != "" || err != nil && err.Error() != want {
				t.Errorf("%s, TCP %v: %v; want %q", test.name, tcp, err, want)
			}
		}
	}
}

// A lost question is asked again, and what comes late or from somebody who only guesses is passed over.
func TestDNSCheckAsksAgain(t *testing.T) {
	asked := 0
	good := answering(nil)
	at, end := serverUDP(t, func(b []byte, send func([]byte) error) {
		if asked++; asked == 1 {
			return
		}
		wrong := good(b)
		wrong[0] ^= 1
		wrong[3] |= byte(dnsmessage.RCodeServerFailure)
		send(wrong)
		send(good(b))
	})
	c := dnsCheck(health.DNS{})(at)
	c.Timeout = patience
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	start := time.Now()
	if _, err := probe.Probe(ctx, c); err != nil {
		t.Error(err)
	}
	end()
	if asked < 2 || time.Since(start) < 500*time.Millisecond {
		t.Errorf("asked %d times within %v", asked, time.Since(start))
	}
}

func FuzzDNSAnswer(f *testing.F) {
	q, packed := probe.Question(health.DNS{Type: "A", Name: "example.org"})
	f.Add(packed)
	f.Add(answering(nil, a("192.0.2.1"))(packed))
	f.Add(answering(func(m *dnsmessage.Message) { m.Truncated = true }, &dnsmessage.MXResource{Pref: 1, MX: name("mx.example.org.")})(packed))
	f.Add(answering(func(m *dnsmessage.Message) { m.RCode = 3 })(packed))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 2 { // the number is checked first, and seldom guessed
			copy(b, packed[:2])
		}
		verdict, err := q(b)
		if verdict != nil && err != nil {
			t.Errorf("both no answer, %v, and a wrong one, %v", err, verdict)
		}
		if verdict == nil && err == nil && (len(b) < 12 || b[2]&0x80 == 0 || b[3]&0xf != 0) {
			t.Errorf("%x passes", b)
		}
	})
}

// BenchmarkDNS is one DNS_CHECK of a server on loopback, whose processor time cpu-ns/op includes.
func BenchmarkDNS(b *testing.B) {
	at, end := serverUDP(b, func(b []byte, send func([]byte) error) { send(answering(nil, a("192.0.2.1"))(b)) })
	defer end()
	c := dnsCheck(health.DNS{})(at)
	c.Timeout = patience
	perCheck(b, func() error {
		ctx, cancel := context.WithTimeout(b.Context(), patience)
		defer cancel()
		_, err := probe.Probe(ctx, c)
		return err
	})
}
