package vip

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// LineError is what is wrong with a line of an address, a route or a rule, and where.
type LineError struct {
	Offset int    // of Word in the line, in bytes; its length if something is missing at the end
	Word   string // empty at the end
	Reason string
}

func (e *LineError) Error() string {
	if e.Word == "" {
		return e.Reason
	}
	return fmt.Sprintf("%q: %s", e.Word, e.Reason)
}

// parser reads the words of a line. After the first error it finds none.
type parser struct {
	line string
	at   int // offset of the last word
	end  int // and of what follows it
	word string
	seen []string // options that may come once
	ipv6 *bool    // what the line is for; nil: not yet known
	err  error
}

// next moves on to the next word, and says whether there is one.
func (p *parser) next() bool {
	if p.err != nil {
		return false
	}
	rest := strings.TrimLeft(p.line[p.end:], " \t")
	p.at = len(p.line) - len(rest)
	p.word, _, _ = strings.Cut(strings.ReplaceAll(rest, "\t", " "), " ")
	p.end = p.at + len(p.word)
	return p.word != ""
}

// peek returns the next word without moving on to it.
func (p *parser) peek() string {
	q := *p
	if !q.next() {
		return ""
	}
	return q.word
}

// skip moves over the next word if it is one of these.
func (p *parser) skip(words ...string) bool {
	return p.err == nil && slices.Contains(words, p.peek()) && p.next()
}

func (p *parser) fail(format string, values ...any) {
	if p.err == nil {
		p.err = &LineError{p.at, p.word, fmt.Sprintf(format, values...)}
	}
}

// once fails if the option has been there before, under this name or another.
func (p *parser) once(name string) {
	if slices.Contains(p.seen, name) {
		p.fail("there is a %s already", name)
	}
	p.seen = append(p.seen, name)
}

func (p *parser) has(option string) bool { return slices.Contains(p.seen, option) }

// value is the word that must follow.
func (p *parser) value(of, expected string) string {
	if p.err == nil && !p.next() {
		p.fail("%s needs %s", of, expected)
	}
	return p.word
}

func (p *parser) number(of string, least, most uint64) uint64 {
	w := p.value(of, "a number")
	n, err := strconv.ParseUint(w, 0, 64)
	if p.err == nil && (err != nil || n < least || n > most || strings.Contains(w, "_")) {
		p.fail("%s needs a number from %d to %d", of, least, most)
	}
	return n
}

func (p *parser) uint32(of string) uint32 { return uint32(p.number(of, 0, math.MaxUint32)) }

// named is a number, or one of its names.
func (p *parser) named(of string, most uint64, names map[string]uint64, file string) uint64 {
	w := p.value(of, "a number or a name")
	if n, ok := names[w]; ok || p.err != nil {
		return n
	}
	n, err := strconv.ParseUint(w, 0, 64)
	switch {
	case strings.Contains(w, "_") || err != nil && (w[0] < '0' || w[0] > '9'):
		p.fail("no %s that is known by that name: write its number, which %s has (known are %s)", of, file, strings.Join(sortedNames(names), ", "))
	case err != nil || n > most:
		p.fail("%s needs a number from 0 to %d", of, most)
	}
	return n
}

func sortedNames(names map[string]uint64) []string {
	var list []string
	for name := range names {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

func (p *parser) device(of string) string {
	w := p.value(of, "the name of an interface")
	if p.err == nil && (len(w) > 15 || w == "." || w == ".." || strings.ContainsAny(w, "/:")) {
		p.fail("no name of an interface: those have up to 15 characters, without / and :")
	}
	return w
}

func (p *parser) name(of string) string { return p.value(of, "a name") }

// addr is an address of any family, without a zone.
func (p *parser) addr(of string) netip.Addr {
	w := p.value(of, "an address")
	a, err := netip.ParseAddr(w)
	if p.err == nil && (err != nil || a.Zone() != "" || a.Is4In6()) {
		p.fail("%s needs an address like 192.0.2.1 or 2001:db8::1", of)
	}
	return a
}

// prefix is an address with the length of its network, or without: then it is a host's.
func (p *parser) prefix(of string) netip.Prefix {
	w := p.value(of, "an address")
	if a, err := netip.ParseAddr(w); err == nil && a.Zone() == "" && !a.Is4In6() {
		return netip.PrefixFrom(a, a.BitLen())
	}
	x, err := netip.ParsePrefix(w)
	if p.err == nil && (err != nil || x.Addr().Is4In6()) {
		p.fail("%s needs an address like 192.0.2.1 or 2001:db8::1, or a network like 192.0.2.0/24 or 2001:db8::/64", of)
	}
	return x
}

// network is a prefix whose host bits are zero. Those who have everything are nil: settle gives them their family.
func (p *parser) network(of string) *netip.Prefix {
	if p.skip("default", "any", "all") {
		return nil
	}
	x := p.prefix(of)
	if p.err == nil && x != x.Masked() {
		p.fail("bits behind the length /%d: the network is %s", x.Bits(), x.Masked())
	}
	p.family(x.Addr().Is6())
	return &x
}

// family says what the line is for, which can't change.
func (p *parser) family(ipv6 bool) {
	if p.ipv6 != nil && *p.ipv6 != ipv6 {
		p.fail("one line can't be for both IPv4 and IPv6")
	}
	p.ipv6 = &ipv6
}

// sameFamily is an address of the line's family.
func (p *parser) sameFamily(of string) netip.Addr {
	a := p.addr(of)
	p.family(a.Is6())
	return a
}

// settle is the network at the end of the line. Without a word on the family it is for IPv4, as in keepalived.
func (p *parser) settle(x *netip.Prefix) netip.Prefix {
	switch {
	case x != nil:
		return *x
	case p.ipv6 != nil && *p.ipv6:
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
}

// realms are FROM/TO, or TO alone.
func (p *parser) realms(of string) string {
	w := p.value(of, "FROM/TO or TO")
	from, to, both := strings.Cut(w, "/")
	if !both {
		from, to = "0", from
	}
	a, err := strconv.ParseUint(from, 0, 16)
	b, err2 := strconv.ParseUint(to, 0, 16)
	if p.err == nil && (err != nil || err2 != nil || b == 0 || strings.Contains(w, "_")) {
		p.fail("realms needs FROM/TO or TO, numbers up to 65535 (write those of the names in /etc/iproute2/rt_realms)")
	}
	if a == 0 {
		return strconv.FormatUint(b, 10)
	}
	return fmt.Sprint(a, "/", b)
}

// Their words are those of iproute2, whose files have more.
var (
	scopeNames = map[string]uint64{"global": 0, "universe": 0, "site": 200, "link": 253, "host": 254, "nowhere": 255}
	tableNames = map[string]uint64{"default": 253, "main": 254, "local": 255}
	protoNames = map[string]uint64{
		"redirect": 1, "kernel": 2, "boot": 3, "static": 4, "gated": 8, "ra": 9, "mrt": 10, "zebra": 11, "bird": 12, "dnrouted": 13,
		"xorp": 14, "ntk": 15, "dhcp": 16, "keepalived": 18, "babel": 42, "openr": 99, "bgp": 186, "isis": 187, "ospf": 188, "rip": 189,
		"eigrp": 192,
	}
	ipprotoNames = map[string]uint64{
		"icmp": 1, "igmp": 2, "ipip": 4, "tcp": 6, "udp": 17, "dccp": 33, "ipv6": 41, "gre": 47, "esp": 50, "ah": 51,
		"ipv6-icmp": 58, "icmpv6": 58, "ospf": 89, "vrrp": 112, "sctp": 132, "udplite": 136,
	}
)

func (p *parser) scope() Scope {
	return Scope(p.named("scope", math.MaxUint8, scopeNames, "/etc/iproute2/rt_scopes"))
}

func (p *parser) table(of string) uint32 {
	t := uint32(p.named(of, math.MaxUint32, tableNames, "/etc/iproute2/rt_tables"))
	if p.err == nil && t == 0 {
		p.fail("there is no table 0")
	}
	return t
}

func (p *parser) tos(of string) uint8 {
	return uint8(p.named(of, math.MaxUint8, nil, "/etc/iproute2/rt_dsfield"))
}

// String returns the name that iproute2 has for the scope, or its number.
func (s Scope) String() string {
	if s == 0 {
		return "global"
	}
	return nameOf(scopeNames, uint64(s))
}

func nameOf(names map[string]uint64, n uint64) string {
	for _, name := range sortedNames(names) {
		if names[name] == n {
			return name
		}
	}
	return strconv.FormatUint(n, 10)
}

// printer puts a line together.
type printer struct{ strings.Builder }

func (b *printer) add(words ...any) {
	for _, w := range words {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprint(b, w)
	}
}

// flag adds the word if it holds.
func (b *printer) flag(holds bool, word string) {
	if holds {
		b.add(word)
	}
}

// set adds an option unless it has its zero value.
func set[T comparable](b *printer, name string, value T) {
	if value != *new(T) {
		b.add(name, value)
	}
}

// host is a prefix, without the length if it is that of an address alone.
func host(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// network is a prefix as routes and rules have it.
func network(p netip.Prefix) string {
	if p.Bits() == 0 {
		return "default"
	}
	return host(p)
}
