package vip

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Hop is one of several next hops of a route.
type Hop struct {
	Via    netip.Addr // zero: what is behind Dev
	Dev    string
	Weight int // 1 to 256; 0: 1
	OnLink bool
	Encap  string
	Realms string
}

// hop reads what is behind nexthop.
func (p *parser) hop() Hop {
	var h Hop
	seen := p.seen
	p.seen = nil
	for p.skip("via", "gw", "dev", "oif", "weight", "onlink", "encap", "realms") {
		w := p.word
		if long := routeSpellings[w]; long != "" {
			w = long
		}
		p.once(w)
		switch w {
		case "via":
			h.Via = p.via(w)
		case "dev":
			h.Dev = p.device(w)
		case "weight":
			h.Weight = int(p.number(w, 1, 256))
		case "onlink":
			h.OnLink = true
		case "encap":
			h.Encap = p.encap().String()
		case "realms":
			h.Realms = p.realms(w)
		}
	}
	if !h.Via.IsValid() && h.Dev == "" {
		p.fail("nexthop needs via or dev")
	}
	p.seen = seen
	return h
}

func (h Hop) line(ipv6 bool) string {
	b := new(printer)
	b.add("nexthop")
	if h.Via.IsValid() {
		b.add("via", via(h.Via, ipv6))
	}
	set(b, "dev", h.Dev)
	set(b, "weight", h.Weight)
	b.flag(h.OnLink, "onlink")
	if h.Encap != "" {
		b.add("encap", h.Encap)
	}
	set(b, "realms", h.Realms)
	return b.String()
}

// Metric is what a route says to the protocols above: mtu, hoplimit and so on; ttl-propagate too, which is MPLS's.
type Metric struct {
	Name  string
	Lock  bool   // the kernel may not change it
	Value string // of features: ecn; of congctl: the algorithm; of ttl-propagate: enabled or disabled; else a number
}

func (m Metric) String() string {
	if m.Lock {
		return m.Name + " lock " + m.Value
	}
	return m.Name + " " + m.Value
}

// metric reads a metric, if w is one.
func (p *parser) metric(w string) (Metric, bool) {
	m := Metric{Name: w}
	switch w {
	case "mtu", "hoplimit", "advmss", "rtt", "rttvar", "reordering", "window", "cwnd", "ssthresh", "rto_min", "initcwnd", "initrwnd":
		p.once(w)
		m.Lock = p.skip("lock")
		most := uint64(math.MaxUint32)
		switch w {
		case "hoplimit":
			most = 255
		case "rtt", "rttvar": // milliseconds, of which the kernel keeps parts
			most /= 8
		}
		m.Value = strconv.FormatUint(p.number(w, 0, most), 10)
	case "quickack", "fastopen_no_cookie":
		p.once(w)
		m.Value = strconv.FormatUint(p.number(w, 0, 1), 10)
	case "features":
		p.once(w)
		if m.Value = p.value(w, "ecn"); m.Value != "ecn" {
			p.fail("features needs ecn")
		}
	case "congctl":
		p.once(w)
		m.Lock = p.skip("lock")
		if m.Value = p.name(w); len(m.Value) > 15 {
			p.fail("names of congestion control have up to 15 characters")
		}
	case "ttl-propagate":
		p.once(w)
		if m.Value = p.value(w, "enabled or disabled"); m.Value != "enabled" && m.Value != "disabled" {
			p.fail("ttl-propagate needs enabled or disabled")
		}
	default:
		return m, false
	}
	return m, true
}

// Encap is what a route puts around packets.
type Encap struct {
	Kind           string   // mpls, ip, ip6, ila
	Labels         []uint32 // mpls: outermost first
	TTL            uint8    // mpls, ip, ip6; 0: the kernel's choice
	ID             uint64   // ip, ip6: of the tunnel
	Src, Dst       netip.Addr
	TOS            uint8
	Key, Csum, Seq bool
	Locator        uint64 // ila
	CsumMode       string // ila: adj-transport, neutral-map, no-action, neutral-map-auto; empty: the kernel's choice
}

// ParseEncap reads what Route.Encap and Hop.Encap have. The error is a *LineError.
func ParseEncap(line string) (Encap, error) {
	p := &parser{line: line}
	e := p.encap()
	if p.next() {
		p.fail("no option of encap %s", e.Kind)
	}
	return e, p.err
}

func (p *parser) encap() Encap {
	e := Encap{Kind: p.value("encap", "mpls, ip, ip6 or ila")}
	seen := p.seen
	p.seen = nil
	switch e.Kind {
	case "mpls":
		for text := range strings.SplitSeq(p.value(e.Kind, "labels like 100/200"), "/") {
			n, err := strconv.ParseUint(text, 10, 20)
			if p.err == nil && err != nil {
				p.fail("mpls needs labels like 100/200, each below 1048576")
			}
			e.Labels = append(e.Labels, uint32(n))
		}
		if p.skip("ttl") {
			e.TTL = uint8(p.number("ttl", 1, 255))
		}
	case "ip", "ip6":
		p.tunnel(&e)
	case "ila":
		e.Locator = p.locator()
		if p.skip("csum-mode") {
			e.CsumMode = p.value("csum-mode", "its name")
			if modes := []string{"adj-transport", "neutral-map", "no-action", "neutral-map-auto"}; !slices.Contains(modes, e.CsumMode) {
				p.fail("csum-mode needs %s", strings.Join(modes, ", "))
			}
		}
	default:
		p.fail("encap needs mpls, ip, ip6 or ila")
	}
	p.seen = seen
	return e
}

func (p *parser) tunnel(e *Encap) {
	for p.skip("id", "src", "dst", "tos", "dsfield", "tc", "ttl", "hoplimit", "key", "csum", "seq") {
		w := map[string]string{"dsfield": "tos", "tc": "tos", "hoplimit": "ttl"}[p.word]
		if w == "" {
			w = p.word
		}
		p.once(w)
		switch w {
		case "id":
			e.ID = p.number(w, 1, math.MaxUint64)
		case "src":
			e.Src = p.addr(w)
		case "dst":
			e.Dst = p.addr(w)
		case "tos":
			e.TOS = p.tos(w)
		case "ttl":
			e.TTL = uint8(p.number(w, 1, 255))
		case "key":
			e.Key = true
		case "csum":
			e.Csum = true
		case "seq":
			e.Seq = true
		}
		for _, a := range []netip.Addr{e.Src, e.Dst} {
			if a.IsValid() && a.Is6() != (e.Kind == "ip6") {
				p.fail("an address of the wrong family for encap %s", e.Kind)
			}
		}
	}
}

// locator is the first half of an IPv6 address.
func (p *parser) locator() uint64 {
	parts := strings.Split(p.value("ila", "a locator like 2001:db8:0:1"), ":")
	var n uint64
	for _, part := range parts {
		x, err := strconv.ParseUint(part, 16, 16)
		if err != nil || len(parts) != 4 {
			p.fail("ila needs a locator like 2001:db8:0:1")
		}
		n = n<<16 | x
	}
	return n
}

// String is what ParseEncap reads.
func (e Encap) String() string {
	b := new(printer)
	b.add(e.Kind)
	switch e.Kind {
	case "mpls":
		var labels []string
		for _, n := range e.Labels {
			labels = append(labels, strconv.FormatUint(uint64(n), 10))
		}
		b.add(strings.Join(labels, "/"))
	case "ila":
		b.add(fmt.Sprintf("%x:%x:%x:%x", uint16(e.Locator>>48), uint16(e.Locator>>32), uint16(e.Locator>>16), uint16(e.Locator)))
		set(b, "csum-mode", e.CsumMode)
	}
	set(b, "id", e.ID)
	set(b, "src", e.Src)
	set(b, "dst", e.Dst)
	set(b, "tos", e.TOS)
	set(b, "ttl", e.TTL)
	b.flag(e.Key, "key")
	b.flag(e.Csum, "csum")
	b.flag(e.Seq, "seq")
	return b.String()
}
