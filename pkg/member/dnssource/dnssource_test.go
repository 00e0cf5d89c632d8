package dnssource

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/ipvsd/ipvsd/pkg/member"
)

// zone is what a name server knows: "A web.example.org." to records as "TTL DATA", or to the name of a response code.
type zone map[string][]string

var kindOf = map[string]dnsmessage.Type{"A": dnsmessage.TypeA, "AAAA": dnsmessage.TypeAAAA, "SRV": dnsmessage.TypeSRV, "CNAME": dnsmessage.TypeCNAME}

// answer answers a question as a server with that zone does. What is there as "!CODE" has that response code.
func (z zone) answer(t testing.TB, question []byte) []byte {
	var m dnsmessage.Message
	if err := m.Unpack(question); err != nil {
		t.Fatal(err)
	}
	q := m.Questions[0]
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	name, exists := q.Name, false
	for range 5 {
		if alias := z["CNAME "+name.String()]; alias != nil {
			m.Answers = append(m.Answers, record(t, name, "CNAME", alias[0]))
			name = m.Answers[len(m.Answers)-1].Body.(*dnsmessage.CNAMEResource).CNAME
		}
	}
	for kind, known := range kindOf {
		for _, text := range z[kind+" "+name.String()] {
			exists = true
			switch {
			case known != q.Type:
			case text == "!SERVFAIL":
				m.RCode = dnsmessage.RCodeServerFailure
			default:
				m.Answers = append(m.Answers, record(t, name, kind, text))
			}
		}
	}
	if !exists {
		m.RCode = dnsmessage.RCodeNameError
	}
	if len(m.Answers) == 0 {
		m.Authorities = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: 900},
			Body:   &dnsmessage.SOAResource{NS: q.Name, MBox: q.Name, MinTTL: 7},
		}}
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func record(t testing.TB, name dnsmessage.Name, kind, text string) dnsmessage.Resource {
	words := strings.Fields(text)
	var ttl uint32
	if _, err := fmt.Sscan(words[0], &ttl); err != nil {
		t.Fatal(err)
	}
	r := dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET, TTL: ttl}}
	last := words[len(words)-1]
	switch kind {
	case "A":
		r.Body = &dnsmessage.AResource{A: netip.MustParseAddr(last).As4()}
	case "AAAA":
		r.Body = &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr(last).As16()}
	case "CNAME":
		r.Body = &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName(last)}
	case "SRV":
		s := &dnsmessage.SRVResource{Target: dnsmessage.MustNewName(last)}
		if _, err := fmt.Sscan(strings.Join(words[1:4], " "), &s.Priority, &s.Weight, &s.Port); err != nil {
			t.Fatal(err)
		}
		r.Body = s
	}
	return r
}

// of returns a resolver whose server has a zone, and that knows a /etc/hosts.
func of(t testing.TB, z zone, source member.Source, hosts string) *resolver {
	source.At = "192.0.2.53:53"
	return &resolver{
		source: source,
		exchange: func(_ context.Context, _ netip.AddrPort, question []byte, fits func([]byte) bool) ([]byte, error) {
			b := z.answer(t, question)
			if !fits(b) {
				t.Errorf("the answer does not fit the question")
			}
			return b, nil
		},
		readFile: func(name string) ([]byte, error) {
			if name == "/etc/hosts" && hosts != "" {
				return []byte(hosts), nil
			}
			return nil, fs.ErrNotExist
		},
	}
}

func text(list []member.Member) string {
	var words []string
	for _, m := range list {
		word := m.Addr.String()
		if m.Port != 0 {
			word = netip.AddrPortFrom(m.Addr, m.Port).String()
		}
		if m.Weight != nil {
			word += fmt.Sprintf("*%d", *m.Weight)
		}
		words = append(words, word+"="+m.Name)
	}
	return strings.Join(words, " ")
}

func TestResolve(t *testing.T) {
	z := zone{
		"A web.example.org.":        {"60 198.51.100.2", "30 198.51.100.1"},
		"AAAA web.example.org.":     {"40 2001:db8::1"},
		"A four.example.org.":       {"60 198.51.100.4"},
		"CNAME alias.example.org.":  {"5 four.example.org."},
		"A broken.example.org.":     {"60 198.51.100.5"},
		"AAAA broken.example.org.":  {"!SERVFAIL"},
		"A odd.example.org.":        {"0 0.0.0.0", "0 198.51.100.6"},
		"SRV _http._tcp.srv.":       {"20 10 3 8080 web.example.org.", "60 10 0 8081 four.example.org.", "60 20 1 80 spare.example.org."},
		"SRV _flat._tcp.srv.":       {"9999999 1 0 80 four.example.org."},
		"SRV _closed._tcp.srv.":     {"60 0 0 0 ."},
		"SRV _lost._tcp.srv.":       {"60 0 0 80 nowhere.example.org.", "60 0 0 80 four.example.org."},
		"SRV _half._tcp.srv.":       {"60 0 0 80 broken.example.org."},
		"CNAME loop.example.org.":   {"60 loop.example.org."},
		"A spare.example.org.":      {"60 198.51.100.9"},
		"A hosted.example.org.":     {"60 198.51.100.7"},
		"A upper.Example.ORG.":      {"60 198.51.100.8"},
		"CNAME upper2.example.org.": {"60 Four.Example.org."},
	}
	for _, tt := range []struct {
		name   string
		source member.Source
		want   string // or part of the error, after "error: "
		life   time.Duration
	}{
		{"both families", member.Source{Name: "web.example.org", IPv4: true, IPv6: true}, "198.51.100.1=web.example.org 198.51.100.2=web.example.org 2001:db8::1=web.example.org", 30 * time.Second},
		{"IPv6", member.Source{Name: "web.example.org.", IPv6: true}, "2001:db8::1=", 40 * time.Second},
		{"one of two", member.Source{Name: "four.example.org", IPv4: true, IPv6: true}, "198.51.100.4=four.example.org", 7 * time.Second},
		{"alias", member.Source{Name: "alias.example.org", IPv4: true}, "198.51.100.4=alias.example.org", 5 * time.Second},
		{"alias in other letters", member.Source{Name: "upper2.example.org", IPv4: true}, "", 7 * time.Second},
		{"a family can't be had", member.Source{Name: "broken.example.org", IPv4: true, IPv6: true}, "error: AAAA of broken.example.org: SERVFAIL", 0},
		{"which is not asked for", member.Source{Name: "broken.example.org", IPv4: true}, "198.51.100.5=broken.example.org", time.Minute},
		{"no such name", member.Source{Name: "nowhere.example.org", IPv4: true}, "", 7 * time.Second},
		{"addresses of nobody, and no time to live", member.Source{Name: "odd.example.org", IPv4: true}, "198.51.100.6=odd.example.org", time.Second},
		{"an alias of itself", member.Source{Name: "loop.example.org", IPv4: true}, "", 7 * time.Second},
		{"services", member.Source{Kind: member.SRV, Name: "_http._tcp.srv", IPv4: true},
			"198.51.100.1:8080*3=web.example.org 198.51.100.2:8080*3=web.example.org 198.51.100.4:8081*1=four.example.org", 20 * time.Second},
		{"no weights, and an hour", member.Source{Kind: member.SRV, Name: "_flat._tcp.srv", IPv4: true}, "198.51.100.4:80=four.example.org", time.Minute},
		{"not available", member.Source{Kind: member.SRV, Name: "_closed._tcp.srv", IPv4: true}, "", 7 * time.Second},
		{"a target that is not there", member.Source{Kind: member.SRV, Name: "_lost._tcp.srv", IPv4: true}, "198.51.100.4:80=four.example.org", 7 * time.Second},
		{"a target that can't be had", member.Source{Kind: member.SRV, Name: "_half._tcp.srv", IPv4: true, IPv6: true}, "error: SERVFAIL", 0},
		{"/etc/hosts", member.Source{Name: "hosted.example.org", IPv4: true}, "10.0.0.3=hosted.example.org 10.0.0.4=hosted.example.org", fileLife},
		{"/etc/hosts in the other family only", member.Source{Name: "hosted6.example.org", IPv4: true}, "", 7 * time.Second},
		{"a name that is none", member.Source{Name: strings.Repeat("a", 70), IPv4: true}, "error: name", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := of(t, z, tt.source, "# 10.0.0.9 hosted.example.org\n10.0.0.4 x Hosted.example.org. # y\n10.0.0.3\thosted.example.org\n::1 hosted6.example.org\nx hosted.example.org\n")
			list, life, err := r.resolve(t.Context())
			list = member.Arrange(list)
			if part, wrong := strings.CutPrefix(tt.want, "error: "); wrong {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("got %s, %v", text(list), err)
				}
				return
			}
			if got := text(list); err != nil || !strings.HasPrefix(got, tt.want) || got != "" && tt.want == "" || len(list) != 1+strings.Count(tt.want, " ") && got != "" {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
			if tt.want == "" && life > negative || tt.want != "" && life != tt.life {
				t.Errorf("for %v, want %v", life, tt.life)
			}
		})
	}
}

// It asks again when the first record has lived its time, and later and later where nobody answers.
func TestRunAsksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := zone{"A web.example.org.": {"20 198.51.100.1"}}
		r := of(t, z, member.Source{Name: "web.example.org", IPv4: true}, "")
		var mu sync.Mutex // of the zone and silent
		silent := false
		answering := r.exchange
		r.exchange = func(ctx context.Context, server netip.AddrPort, question []byte, fits func([]byte) bool) ([]byte, error) {
			mu.Lock()
			defer mu.Unlock()
			if silent {
				return nil, errors.New("no answer")
			}
			return answering(ctx, server, question, fits)
		}
		start := time.Now()
		var got []string
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.run(ctx, func(rep member.Report) {
				got = append(got, fmt.Sprintf("%v %s%s", time.Since(start), text(rep.Members), rep.Err))
			})
		}()
		time.Sleep(30 * time.Second)
		mu.Lock()
		z["A web.example.org."] = []string{"100 198.51.100.2"}
		mu.Unlock()
		time.Sleep(20 * time.Second)
		mu.Lock()
		silent = true
		mu.Unlock()
		time.Sleep(200 * time.Second)
		cancel()
		<-done
		const no = " 192.0.2.53:53 asked for A of web.example.org: no answer"
		want := []string{
			"0s 198.51.100.1=web.example.org", "20s 198.51.100.1=web.example.org", "40s 198.51.100.2=web.example.org",
			"2m20s" + no, "2m21s" + no, "2m23s" + no, "2m27s" + no, "2m35s" + no, "2m51s" + no, "3m21s" + no, "3m51s" + no,
		}
		if !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// Of the system's name servers the next one is asked where one does not answer.
func TestServersOfTheSystem(t *testing.T) {
	z := zone{"A web.example.org.": {"20 198.51.100.1"}}
	r := of(t, z, member.Source{Name: "web.example.org", IPv4: true}, "")
	r.source.At = ""
	r.readFile = func(name string) ([]byte, error) {
		if name == "/etc/resolv.conf" {
			return []byte("search example.org\nnameserver 192.0.2.1\nnameserver x\nnameserver 2001:db8::53\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n"), nil
		}
		return nil, fs.ErrNotExist
	}
	var asked []string
	r.exchange = func(_ context.Context, server netip.AddrPort, question []byte, _ func([]byte) bool) ([]byte, error) {
		asked = append(asked, server.String())
		if server.Addr().Is4() {
			return nil, errors.New("no answer")
		}
		return z.answer(t, question), nil
	}
	list, _, err := r.resolve(t.Context())
	if text(list) != "198.51.100.1=web.example.org" || err != nil || strings.Join(asked, " ") != "192.0.2.1:53 [2001:db8::53]:53" {
		t.Errorf("got %s, %v, asked %v", text(list), err, asked)
	}
}

// Over real sockets: datagrams that are no answers are passed over, and an answer that doesn't fit is fetched over TCP.
func TestExchange(t *testing.T) {
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	tcp, err := net.Listen("tcp", udp.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	z := zone{}
	for i := range 200 {
		z["A web.example.org."] = append(z["A web.example.org."], fmt.Sprintf("60 198.51.100.%d", i+1))
	}
	go func() {
		b := make([]byte, 1<<16)
		n, from, err := udp.ReadFrom(b)
		if err != nil {
			return
		}
		question := b[:n]
		other := zone{"A web.example.org.": {"60 192.0.2.9"}}.answer(t, question)
		other[0]++ // another number
		_, _ = udp.WriteTo(other, from)
		_, _ = udp.WriteTo([]byte("no message"), from)
		cut := slices.Clone(question)
		cut[2] |= 0x82 // a response, cut
		_, _ = udp.WriteTo(cut, from)
	}()
	go func() {
		conn, err := tcp.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		var size [2]byte
		_, _ = io.ReadFull(conn, size[:])
		b := make([]byte, binary.BigEndian.Uint16(size[:]))
		_, _ = io.ReadFull(conn, b)
		a := z.answer(t, b)
		_, _ = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(a))), a...))
	}()
	r := resolver{
		source:   member.Source{Kind: member.DNS, Name: "web.example.org", IPv4: true, At: udp.LocalAddr().String()},
		exchange: exchange, readFile: func(string) ([]byte, error) { return nil, fs.ErrNotExist },
	}
	list, life, err := r.resolve(t.Context())
	if len(list) != 200 || life != time.Minute || err != nil {
		t.Errorf("got %d members for %v, %v", len(list), life, err)
	}
}

func FuzzParse(f *testing.F) {
	q, packed, err := question("web.example.org", dnsmessage.TypeA)
	if err != nil {
		f.Fatal(err)
	}
	z := zone{"CNAME web.example.org.": {"5 four.example.org."}, "A four.example.org.": {"60 198.51.100.4"}}
	f.Add(z.answer(f, packed))
	f.Add(zone{}.answer(f, packed))
	f.Add([]byte("nameserver 192.0.2.53\nnameserver\nnameserver fe80::1%eth0\n198.51.100.1 web.example.org. # one\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		answers(b, packed)
		truncated(b)
		hosts(b, "web.example.org")
		local := resolver{readFile: func(string) ([]byte, error) { return b, nil }}
		if list, err := local.servers(); err != nil || len(list) == 0 || len(list) > 3 || list[0].Port() != 53 {
			t.Errorf("who is asked: %v, %v", list, err)
		}
		a, err := parse(b, q)
		if err == nil && (a.life < 0 || a.life > most) {
			t.Errorf("believed for %v", a.life)
		}
	})
}

// Each answer of DNS is short enough; all that SRV records name may be too many.
func TestTooManyServers(t *testing.T) {
	z := zone{}
	for i := range 6 {
		target := fmt.Sprintf("t%d.example.", i)
		z["SRV _web._tcp.example."] = append(z["SRV _web._tcp.example."], fmt.Sprintf("60 1 1 80 %s", target))
		for j := range 2000 {
			z["A "+target] = append(z["A "+target], fmt.Sprintf("60 10.%d.%d.%d", i, j/250, 1+j%250))
		}
	}
	r := of(t, z, member.Source{Kind: member.SRV, Name: "_web._tcp.example.", IPv4: true}, "")
	if list, _, err := r.resolve(t.Context()); err == nil || !strings.Contains(err.Error(), "more than 10000 servers") {
		t.Errorf("%d servers, %v", len(list), err)
	}
}
