package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// DNS is keepalived's DNS_CHECK: the server passes if it answers a question, recursion desired, with the code NOERROR. There need
// not be a record in the answer, which may also be truncated, as long as there is nothing to Expect. Over UDP, what does not carry
// the question's number is passed over. Unlike keepalived, which asks once, it asks again after half a second and so on as long as
// the time lasts, because a lost datagram says nothing of the server; and the answer must have the same question and be
// well-formed (RFC 1035, 4.1).
func DNS(ctx context.Context, c health.Check, spec health.DNS) (f health.Finding, err error) {
	q, err := newQuestion(spec)
	if err != nil {
		return f, err
	}
	if spec.TCP {
		conn, err := dial(ctx, c)
		if err != nil {
			return f, err
		}
		defer conn.Close()
		return f, q.overTCP(ctx, conn)
	}
	conn, err := dialUDP(ctx, c)
	if err != nil {
		return f, err
	}
	defer conn.Close()
	step(ctx, "asks for the %s of %s", spec.Type, q.Name)
	return f, datagrams(ctx, conn, q.packed, func(b []byte) (verdict, err error) { return q.judge(ctx, b) })
}

// dnsTypes is the types of records that may be asked for. Those that dnsmessage has no names for are of RFC 4034.
var dnsTypes = map[string]dnsmessage.Type{
	"A": dnsmessage.TypeA, "NS": dnsmessage.TypeNS, "CNAME": dnsmessage.TypeCNAME, "SOA": dnsmessage.TypeSOA,
	"PTR": dnsmessage.TypePTR, "MX": dnsmessage.TypeMX, "TXT": dnsmessage.TypeTXT, "AAAA": dnsmessage.TypeAAAA,
	"RRSIG": 46, "DNSKEY": 48,
}

// rcodes is the names of response codes, from IANA's registry.
var rcodes = [...]string{
	1: "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE",
}

type question struct {
	dnsmessage.Question
	id     uint16
	packed []byte
	expect health.Regex
}

func newQuestion(spec health.DNS) (*question, error) {
	kind, known := dnsTypes[spec.Type]
	if !known {
		return nil, fmt.Errorf("there is no type %q of records to ask for", spec.Type)
	}
	name, err := dnsmessage.NewName(strings.TrimSuffix(spec.Name, ".") + ".")
	if err != nil {
		return nil, fmt.Errorf("name %q: %w", spec.Name, err)
	}
	q := &question{
		Question: dnsmessage.Question{Name: name, Type: kind, Class: dnsmessage.ClassINET},
		id:       uint16(rand.Uint32()), expect: spec.Expect,
	}
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: q.id, RecursionDesired: true}, Questions: []dnsmessage.Question{q.Question}}
	if q.packed, err = m.Pack(); err != nil {
		return nil, fmt.Errorf("name %q: %w", spec.Name, err)
	}
	return q, nil
}

// overTCP asks with the length in front (RFC 1035, 4.2.2).
func (q *question) overTCP(ctx context.Context, conn net.Conn) error {
	step(ctx, "asks for %s of %s", q.Type, q.Name)
	if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(q.packed))), q.packed...)); err != nil {
		return err
	}
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return err
	}
	b := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, b); err != nil {
		return err
	}
	verdict, err := q.judge(ctx, b)
	return errors.Join(verdict, err)
}

// judge reads a message. The error says that it is no answer to the question, the verdict what is wrong with the answer.
func (q *question) judge(ctx context.Context, b []byte) (verdict, err error) {
	var p dnsmessage.Parser
	h, err := p.Start(b)
	switch {
	case err != nil:
		return nil, fmt.Errorf("no DNS message: %w", err)
	case !h.Response:
		return nil, errors.New("a question instead of an answer")
	case h.ID != q.id:
		return nil, fmt.Errorf("an answer to the question %d instead of %d", h.ID, q.id)
	}
	step(ctx, "got an answer of %d bytes: %s", len(b), rcode(h.RCode))
	if h.RCode != dnsmessage.RCodeSuccess {
		// A server that doesn't understand a question need not repeat it.
		return errors.New(rcode(h.RCode)), nil
	}
	asked, err := p.Question()
	if err == nil && !(strings.EqualFold(asked.Name.String(), q.Name.String()) && asked.Type == q.Type && asked.Class == q.Class) {
		err = fmt.Errorf("for %s of %s", typeName(asked.Type), asked.Name)
	}
	if err == nil {
		err = p.SkipAllQuestions()
	}
	if err != nil {
		return nil, fmt.Errorf("an answer to another question: %w", err)
	}
	answers := p // looks at the records, while p looks only at their sizes
	for _, skip := range []func() error{p.SkipAllAnswers, p.SkipAllAuthorities, p.SkipAllAdditionals} {
		if err := skip(); err != nil && !h.Truncated {
			return fmt.Errorf("an answer that is not well-formed: %w", err), nil
		}
	}
	if q.expect == (health.Regex{}) {
		return nil, nil
	}
	verdict = q.look(ctx, &answers)
	if verdict != nil && h.Truncated {
		verdict = fmt.Errorf("%w; the answer is truncated, ask over TCP", verdict)
	}
	return verdict, nil
}

// look says whether the answers are as expected: one of them matches, or none does if they are not to.
func (q *question) look(ctx context.Context, p *dnsmessage.Parser) error {
	m, err := q.expect.Compile()
	if err != nil {
		return err
	}
	var texts []string
	for {
		r, err := p.Answer()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			break
		}
		if err != nil {
			return fmt.Errorf("record %d: %w", len(texts)+1, err)
		}
		text := recordText(r.Body)
		step(ctx, "%s %s %s", r.Header.Name, typeName(r.Header.Type), text)
		fits, err := m.Match([]byte(text))
		if err != nil {
			return err
		}
		if fits && !q.expect.NoMatch {
			return nil
		}
		if !fits && q.expect.NoMatch {
			return fmt.Errorf("%q matches the regex %q", text, q.expect.Pattern)
		}
		texts = append(texts, text)
	}
	switch {
	case q.expect.NoMatch:
		return nil
	case len(texts) == 0:
		return fmt.Errorf("there is no %s of %s", typeName(q.Type), q.Name)
	}
	return fmt.Errorf("no answer matches the regex %q: %q", q.expect.Pattern, texts)
}

// recordText returns a record's data as zone files have it, without quotes and escapes: "10 mail.example.org." What is unknown is
// in the form of RFC 3597, 5.
func recordText(body dnsmessage.ResourceBody) string {
	switch r := body.(type) {
	case *dnsmessage.AResource:
		return netip.AddrFrom4(r.A).String()
	case *dnsmessage.AAAAResource:
		return netip.AddrFrom16(r.AAAA).String()
	case *dnsmessage.NSResource:
		return r.NS.String()
	case *dnsmessage.CNAMEResource:
		return r.CNAME.String()
	case *dnsmessage.PTRResource:
		return r.PTR.String()
	case *dnsmessage.MXResource:
		return fmt.Sprintf("%d %s", r.Pref, r.MX)
	case *dnsmessage.TXTResource:
		return strings.Join(r.TXT, "")
	case *dnsmessage.SOAResource:
		return fmt.Sprintf("%s %s %d %d %d %d %d", r.NS, r.MBox, r.Serial, r.Refresh, r.Retry, r.Expire, r.MinTTL)
	case *dnsmessage.UnknownResource:
		return fmt.Sprintf(`\# %d %X`, len(r.Data), r.Data)
	}
	return fmt.Sprint(body)
}

func rcode(r dnsmessage.RCode) string {
	switch {
	case r == dnsmessage.RCodeSuccess:
		return "NOERROR"
	case int(r) < len(rcodes):
		return rcodes[r]
	}
	return fmt.Sprintf("response code %d", r)
}

func typeName(t dnsmessage.Type) string {
	for name, known := range dnsTypes {
		if known == t {
			return name
		}
	}
	return fmt.Sprint(t)
}
