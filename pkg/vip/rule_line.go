package vip

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
)

// ruleSpellings are options that have more than one name.
var ruleSpellings = map[string]string{
	"lookup": "table", "preference": "priority", "order": "priority", "dsfield": "tos", "sup_pl": "suppress_prefixlength",
	"sup_group": "suppress_ifgroup", "dev": "iif", "ip_proto": "ipproto",
}

// ParseRule reads a line of virtual_rules or static_rules as keepalived.conf has them. The error is a *LineError.
func ParseRule(line string) (Rule, error) {
	p := &parser{line: line}
	r := Rule{NoPrefix: -1, NoGroup: -1}
	var from, to *netip.Prefix
	for p.next() {
		w := p.word
		if usual := ruleSpellings[w]; usual != "" {
			w = usual
		}
		switch w {
		case "table", "goto", "l3mdev", "nop", "blackhole", "unreachable", "prohibit":
			p.once("table, goto, l3mdev or action")
		case "inet", "inet6":
			p.once("family")
		default:
			p.once(w)
		}
		switch w {
		case "inet", "inet6":
			p.family(w == "inet6")
		case "from":
			from = p.network(w)
		case "to":
			to = p.network(w)
		case "nop", "blackhole", "unreachable", "prohibit":
			r.Action = w
		default:
			p.ruleOption(w, &r)
		}
	}
	p.word = ""
	if p.ipv6 == nil {
		p.family(false)
	}
	r.IPv6 = p.ipv6 != nil && *p.ipv6
	if from != nil && from.Bits() > 0 {
		r.From = *from
	}
	if to != nil && to.Bits() > 0 {
		r.To = *to
	}
	switch {
	case r.Table == 0 && r.Goto == 0 && r.Action == "" && !r.L3MDev:
		p.fail("a rule needs table, goto, l3mdev, nop, blackhole, unreachable or prohibit")
	case r.Goto != 0 && r.Priority >= r.Goto || r.Goto != 0 && r.Priority == 0:
		p.fail("goto needs a priority lower than %d, where it leads", r.Goto)
	}
	if p.err != nil {
		return Rule{}, p.err
	}
	return r, nil
}

func (p *parser) ruleOption(w string, r *Rule) {
	switch w {
	case "table":
		r.Table = p.table(w)
	case "not":
		r.Not = true
	case "priority":
		r.Priority = uint32(p.number(w, 1, math.MaxUint32))
	case "tos":
		r.TOS = p.tos(w)
	case "fwmark":
		r.FWMark, r.FWMask = p.fwmark()
	case "realms":
		r.Realms = p.realms(w)
	case "suppress_prefixlength":
		r.NoPrefix = int(p.number(w, 0, 128))
	case "suppress_ifgroup":
		r.NoGroup = int(p.number(w, 0, math.MaxInt32))
	case "iif":
		r.IIF = p.device(w)
	case "oif":
		r.OIF = p.device(w)
	case "tunnel-id":
		r.Tunnel = p.number(w, 1, math.MaxUint64)
	case "uidrange":
		first, last := p.span(w, math.MaxUint32)
		r.UIDs, r.UIDsSet = [2]uint32{uint32(first), uint32(last)}, true
	case "l3mdev":
		r.L3MDev = true
	case "protocol":
		r.Protocol = uint8(p.named(w, math.MaxUint8, protoNames, "/etc/iproute2/rt_protos"))
	case "ipproto":
		r.IPProto = uint8(p.named(w, math.MaxUint8, ipprotoNames, "/etc/protocols"))
	case "sport", "dport":
		first, last := p.span(w, math.MaxUint16)
		if first == 0 {
			p.fail("there is no port 0")
		}
		if ports := [2]uint16{uint16(first), uint16(last)}; w == "sport" {
			r.SPort = ports
		} else {
			r.DPort = ports
		}
	case "goto":
		r.Goto = uint32(p.number(w, 1, math.MaxUint32))
	case "no_track":
		r.NoTrack = true
	case "track_group":
		r.TrackGroup = p.name(w)
	default:
		p.fail("no option of a rule (those are inet, inet6, from, to, table, not, priority, tos, fwmark, realms, suppress_prefixlength, " +
			"suppress_ifgroup, iif, oif, tunnel-id, uidrange, l3mdev, protocol, ipproto, sport, dport, goto, nop, blackhole, unreachable, " +
			"prohibit, no_track and track_group)")
	}
}

// fwmark is MARK or MARK/MASK; without a mask all bits count.
func (p *parser) fwmark() (uint32, uint32) {
	w := p.value("fwmark", "MARK or MARK/MASK")
	mark, mask, both := strings.Cut(w, "/")
	if !both {
		mask = "0xffffffff"
	}
	m, err := strconv.ParseUint(mark, 0, 32)
	k, err2 := strconv.ParseUint(mask, 0, 32)
	if p.err == nil && (err != nil || err2 != nil || k == 0 || strings.Contains(w, "_")) {
		p.fail("fwmark needs MARK or MARK/MASK, numbers like 24 or 0x18, the mask not 0")
	}
	return uint32(m), uint32(k)
}

// span is FIRST-LAST, or one number.
func (p *parser) span(of string, most uint64) (first, last uint64) {
	w := p.value(of, "FIRST-LAST")
	a, b, both := strings.Cut(w, "-")
	if !both {
		b = a
	}
	first, err := strconv.ParseUint(a, 10, 64)
	last, err2 := strconv.ParseUint(b, 10, 64)
	if p.err == nil && (err != nil || err2 != nil || first > last || last > most) {
		p.fail("%s needs FIRST-LAST, numbers up to %d", of, most)
	}
	return first, last
}

// String returns the line. ParseRule reads it back.
func (r Rule) String() string {
	b := new(printer)
	b.flag(r.IPv6 && !r.From.IsValid() && !r.To.IsValid(), "inet6")
	b.flag(r.Not, "not")
	if r.From.IsValid() {
		b.add("from", host(r.From))
	}
	if r.To.IsValid() {
		b.add("to", host(r.To))
	}
	set(b, "priority", r.Priority)
	set(b, "tos", r.TOS)
	switch r.FWMask {
	case 0:
	case math.MaxUint32:
		b.add("fwmark", fmt.Sprintf("%#x", r.FWMark))
	default:
		b.add("fwmark", fmt.Sprintf("%#x/%#x", r.FWMark, r.FWMask))
	}
	set(b, "iif", r.IIF)
	set(b, "oif", r.OIF)
	set(b, "tunnel-id", r.Tunnel)
	if r.UIDsSet {
		b.add("uidrange", span(r.UIDs))
	}
	if r.IPProto != 0 {
		b.add("ipproto", nameOf(ipprotoNames, uint64(r.IPProto)))
	}
	if r.SPort[0] != 0 {
		b.add("sport", span(r.SPort))
	}
	if r.DPort[0] != 0 {
		b.add("dport", span(r.DPort))
	}
	if r.Table != 0 {
		b.add("table", nameOf(tableNames, uint64(r.Table)))
	}
	b.flag(r.L3MDev, "l3mdev")
	set(b, "goto", r.Goto)
	b.flag(r.Action != "", r.Action)
	if r.NoPrefix >= 0 {
		b.add("suppress_prefixlength", r.NoPrefix)
	}
	if r.NoGroup >= 0 {
		b.add("suppress_ifgroup", r.NoGroup)
	}
	set(b, "realms", r.Realms)
	if r.Protocol != 0 {
		b.add("protocol", nameOf(protoNames, uint64(r.Protocol)))
	}
	b.flag(r.NoTrack, "no_track")
	set(b, "track_group", r.TrackGroup)
	return b.String()
}

// span is FIRST-LAST, which is what keepalived wants even of one number.
func span[N uint16 | uint32](s [2]N) string { return fmt.Sprint(s[0], "-", s[1]) }
