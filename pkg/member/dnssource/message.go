package dnssource

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// udpSize is how long a datagram with an answer may be; longer ones come over TCP.
const udpSize = 1232

// answer is what a name server says of a name.
type answer struct {
	addrs   []netip.Addr
	targets []dnsmessage.SRVResource
	life    time.Duration // of the record that lives shortest
}

// best returns the targets that clients are to use as long as they are there.
func (a *answer) best() (list []dnsmessage.SRVResource) {
	for _, t := range a.targets {
		switch {
		case t.Target.String() == ".": // RFC 2782: decidedly not available
		case len(list) > 0 && t.Priority > list[0].Priority:
		case len(list) > 0 && t.Priority == list[0].Priority:
			list = append(list, t)
		default:
			list = []dnsmessage.SRVResource{t}
		}
	}
	return list
}

// ask asks the name servers, one after the other and twice each.
func (r *resolver) ask(ctx context.Context, name string, kind dnsmessage.Type) (*answer, error) {
	q, packed, err := question(name, kind)
	if err != nil {
		return nil, err
	}
	servers, err := r.servers()
	if err != nil {
		return nil, err
	}
	var failures []error
	for range 2 {
		for _, server := range servers {
			b, err := r.exchange(ctx, server, packed, func(b []byte) bool { return answers(b, packed) })
			if err == nil {
				var a *answer
				if a, err = parse(b, q); err == nil {
					return a, nil
				}
			}
			if ctx.Err() != nil {
				return nil, fmt.Errorf("%s asked for %s of %s: %w", server, typeName(kind), plain(name), context.Cause(ctx))
			}
			failures = append(failures, fmt.Errorf("%s asked for %s of %s: %w", server, typeName(kind), plain(name), err))
		}
	}
	return nil, failures[len(failures)-1]
}

// question returns a question, alone and as a message.
func question(name string, kind dnsmessage.Type) (q dnsmessage.Question, packed []byte, err error) {
	n, err := dnsmessage.NewName(plain(name) + ".")
	if err != nil {
		return q, nil, fmt.Errorf("name %q: %w", name, err)
	}
	q = dnsmessage.Question{Name: n, Type: kind, Class: dnsmessage.ClassINET}
	var edns dnsmessage.ResourceHeader
	if err := edns.SetEDNS0(udpSize, dnsmessage.RCodeSuccess, false); err != nil {
		return q, nil, err
	}
	m := dnsmessage.Message{
		Header:      dnsmessage.Header{ID: uint16(rand.Uint32()), RecursionDesired: true},
		Questions:   []dnsmessage.Question{q},
		Additionals: []dnsmessage.Resource{{Header: edns, Body: &dnsmessage.OPTResource{}}},
	}
	if packed, err = m.Pack(); err != nil {
		err = fmt.Errorf("name %q: %w", name, err)
	}
	return q, packed, err
}

// answers says whether a message is an answer to a question, by its number and what it repeats of it.
func answers(b, question []byte) bool {
	var p, asked dnsmessage.Parser
	h, err := p.Start(b)
	was, e := asked.Start(question)
	if err != nil || e != nil || !h.Response || h.ID != was.ID {
		return false
	}
	q, err := asked.Question()
	if err != nil {
		return false
	}
	same, err := p.Question()
	if err != nil { // a server that does not understand a question need not repeat it
		return h.RCode != dnsmessage.RCodeSuccess && h.RCode != dnsmessage.RCodeNameError
	}
	return strings.EqualFold(same.Name.String(), q.Name.String()) && same.Type == q.Type && same.Class == q.Class
}

// maxRecords is how many records of an answer are looked at.
const maxRecords = 20000

// parse reads an answer. That there is no such name is one.
func parse(b []byte, q dnsmessage.Question) (*answer, error) {
	var p dnsmessage.Parser
	h, err := p.Start(b)
	switch {
	case err != nil:
		return nil, fmt.Errorf("no DNS message: %w", err)
	case h.RCode != dnsmessage.RCodeSuccess && h.RCode != dnsmessage.RCodeNameError:
		return nil, errors.New(rcode(h.RCode))
	case h.Truncated:
		return nil, errors.New("the answer is cut, also over TCP")
	}
	if err := p.SkipAllQuestions(); err != nil {
		return nil, fmt.Errorf("an answer that is not well-formed: %w", err)
	}
	a := &answer{life: most}
	lives := func(ttl uint32) { a.life = min(a.life, time.Duration(ttl)*time.Second) }
	name := strings.ToLower(q.Name.String())
	for range maxRecords {
		r, err := p.Answer()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			if len(a.addrs)+len(a.targets) == 0 {
				a.life = min(a.life, nothing(&p))
			}
			return a, nil
		}
		if err != nil {
			return nil, fmt.Errorf("an answer that is not well-formed: %w", err)
		}
		if strings.ToLower(r.Header.Name.String()) != name || r.Header.Class != dnsmessage.ClassINET {
			continue // of nothing that was asked for
		}
		switch body := r.Body.(type) {
		case *dnsmessage.CNAMEResource: // they come in their order (RFC 1034, 3.6.2)
			name = strings.ToLower(body.CNAME.String())
		case *dnsmessage.AResource:
			a.addrs = append(a.addrs, netip.AddrFrom4(body.A))
		case *dnsmessage.AAAAResource:
			a.addrs = append(a.addrs, netip.AddrFrom16(body.AAAA).Unmap())
		case *dnsmessage.SRVResource:
			a.targets = append(a.targets, *body)
		default:
			continue
		}
		lives(r.Header.TTL)
	}
	return nil, fmt.Errorf("an answer with more than %d records", maxRecords)
}

// nothing returns how long it holds that there is nothing (RFC 2308, 5).
func nothing(p *dnsmessage.Parser) time.Duration {
	for {
		r, err := p.Authority()
		if err != nil {
			return negative
		}
		if soa, ok := r.Body.(*dnsmessage.SOAResource); ok {
			return time.Duration(min(r.Header.TTL, soa.MinTTL)) * time.Second
		}
	}
}

// hosts returns the addresses that /etc/hosts has of a name (hosts(5)).
func hosts(text []byte, name string) (list []netip.Addr) {
	name = plain(name)
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		addr, err := netip.ParseAddr(words[0])
		if err != nil {
			continue
		}
		for _, word := range words[1:] {
			if strings.EqualFold(plain(word), name) {
				list = append(list, addr.Unmap())
				break
			}
		}
	}
	return list
}

// servers returns the name servers to ask.
func (r *resolver) servers() (list []netip.AddrPort, err error) {
	if r.source.At != "" {
		at, err := netip.ParseAddrPort(r.source.At)
		return []netip.AddrPort{at}, err
	}
	const file = "/etc/resolv.conf"
	text, err := r.readFile(file)
	if err != nil {
		return nil, fmt.Errorf("who is to be asked: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "nameserver" {
			continue
		}
		if addr, err := netip.ParseAddr(words[1]); err == nil {
			list = append(list, netip.AddrPortFrom(addr, 53))
		}
	}
	if len(list) == 0 { // resolv.conf(5)
		list = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:53")}
	}
	return list[:min(len(list), 3)], nil
}

// plain is a name without the dot at its end.
func plain(name string) string { return strings.TrimSuffix(name, ".") }

func typeName(t dnsmessage.Type) string { return strings.TrimPrefix(t.String(), "Type") }

func rcode(r dnsmessage.RCode) string {
	names := map[dnsmessage.RCode]string{1: "FORMERR", 2: "SERVFAIL", 4: "NOTIMP", 5: "REFUSED"}
	if name, known := names[r]; known {
		return name
	}
	return fmt.Sprintf("response code %d", r)
}
