package vip

import (
	"math"
	"net/netip"
	"slices"
	"strings"
)

var routeTypes = []string{
	"unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit", "throw",
}

// routeSpellings are options that have more than one name.
var routeSpellings = map[string]string{
	"gw": "via", "dsfield": "tos", "priority": "metric", "preference": "metric", "oif": "dev",
}

// ParseRoute reads a line of virtual_routes or static_routes as keepalived.conf has them. The error is a *LineError.
func ParseRoute(line string) (Route, error) {
	p := &parser{line: line}
	r := new(routeLine)
	for p.next() {
		w := p.word
		if long := routeSpellings[w]; long != "" {
			w = long
		}
		switch {
		case w == "nexthop": // many
		case p.option(w, r):
			continue
		default:
			p.destination(w, r)
			continue
		}
		r.hops = append(r.hops, p.hop())
	}
	p.word = ""
	p.finish(r)
	if p.err != nil {
		return Route{}, p.err
	}
	return r.Route, nil
}

// routeLine is a route whose line is being read.
type routeLine struct {
	Route
	destination, from *netip.Prefix
	hasDestination    bool
	or                netip.Addr
	metrics           []Metric
	hops              []Hop
}

// destination reads what is no option: the family, the type, the destination.
func (p *parser) destination(w string, r *routeLine) {
	switch {
	case w == "inet" || w == "inet6":
		p.once("family")
		p.family(w == "inet6")
	case w == "to":
		p.once(w)
		if r.hasDestination {
			p.fail("the destination has been there before")
		}
	case slices.Contains(routeTypes, w) && !r.hasDestination:
		p.once("type")
		if r.Type = w; w == "unicast" {
			r.Type = ""
		}
	case r.hasDestination:
		p.fail("no option of a route, or none that can stand here")
	case w == "default6":
		p.family(true)
		r.hasDestination = true
	default:
		p.end = p.at
		r.destination, r.hasDestination = p.network("a route"), true
	}
}

// option reads an option and its value, if it is one.
func (p *parser) option(w string, r *routeLine) bool {
	if m, ok := p.metric(w); ok {
		r.metrics = append(r.metrics, m)
		return true
	}
	switch w {
	case "add", "append", "prepend":
		p.once("add, append or prepend")
		if w != "prepend" {
			r.Mode = w
		}
		return true
	case "src", "via", "or", "from", "tos", "table", "protocol", "scope", "metric", "dev", "onlink", "encap", "expires", "realms", "pref", "vrf",
		"no_track", "track_group":
		p.once(w)
	default:
		return false
	}
	switch w {
	case "src":
		r.Source = p.sameFamily(w)
	case "via":
		r.Via = p.via(w)
	case "or":
		r.or = p.sameFamily(w)
	case "from":
		r.from = p.network(w)
	case "tos":
		r.TOS = p.tos(w)
	case "table":
		r.Table = p.table(w)
	case "protocol":
		r.Protocol = uint8(p.named(w, math.MaxUint8, protoNames, "/etc/iproute2/rt_protos"))
	case "scope":
		r.Scope, r.ScopeSet = p.scope(), true
	case "metric":
		r.Metric = p.uint32(w)
	case "dev":
		r.Dev = p.device(w)
	case "onlink":
		r.OnLink = true
	case "encap":
		r.Encap = p.encap().String()
	case "expires":
		r.Expires = uint32(p.number(w, 1, math.MaxInt32))
	case "realms":
		r.Realms = p.realms(w)
	case "pref":
		if r.Pref = p.value(w, "low, medium or high"); !slices.Contains([]string{"low", "medium", "high"}, r.Pref) {
			p.fail("pref needs low, medium or high")
		}
	case "vrf":
		r.VRF = p.device(w)
	case "no_track":
		r.NoTrack = true
	case "track_group":
		r.TrackGroup = p.name(w)
	}
	return true
}

// via is a gateway: of the line's family, or after inet or inet6 of any.
func (p *parser) via(of string) netip.Addr {
	switch {
	case p.skip("inet6"):
		a := p.addr(of)
		if !a.Is6() {
			p.fail("no IPv6 address")
		}
		return a
	case p.skip("inet"):
		a := p.addr(of)
		if !a.Is4() {
			p.fail("no IPv4 address")
		}
		return a
	}
	return p.sameFamily(of)
}

func (p *parser) finish(r *routeLine) {
	if !r.hasDestination {
		p.fail("no destination: a network, or default")
	}
	r.Destination = p.settle(r.destination)
	r.IPv6 = r.Destination.Addr().Is6()
	switch {
	case p.has("from"):
		if r.From = p.settle(r.from); !r.IPv6 {
			p.fail("from is for IPv6 routes only: a rule can choose by source among tables")
		}
	case r.Expires != 0 && !r.IPv6:
		p.fail("expires is for IPv6 routes only")
	case r.Pref != "" && !r.IPv6:
		p.fail("pref is for IPv6 routes only")
	case r.Table != 0 && r.VRF != "":
		p.fail("table and vrf exclude each other: a vrf has its table")
	case r.or.IsValid() && (!r.Via.IsValid() || len(r.hops) > 0 || r.Encap != ""):
		p.fail("or needs a via before it, and neither nexthop nor encap (better: several nexthop)")
	case len(r.hops) > 0 && (r.Via.IsValid() || r.Dev != "" || r.OnLink || r.Encap != ""):
		p.fail("via, dev, onlink and encap belong behind each nexthop")
	}
	if r.IPv6 && r.Via.Is4() {
		p.fail("an IPv6 route can't have an IPv4 gateway")
	}
	if r.or.IsValid() {
		r.hops = []Hop{{Via: r.Via, Dev: r.Dev, OnLink: r.OnLink}, {Via: r.or, Dev: r.Dev, OnLink: r.OnLink}}
		r.Via, r.Dev, r.OnLink = netip.Addr{}, "", false
	}
	var hops, metrics []string
	for _, h := range r.hops {
		if r.IPv6 && h.Via.Is4() {
			p.fail("an IPv6 route can't have an IPv4 gateway")
		}
		hops = append(hops, h.line(r.IPv6))
	}
	slices.SortFunc(r.metrics, func(a, b Metric) int { return strings.Compare(a.Name, b.Name) })
	for _, m := range r.metrics {
		metrics = append(metrics, m.String())
	}
	r.NextHops, r.Metrics = strings.Join(hops, " "), strings.Join(metrics, " ")
}

// Gateways are the hops of a route with several; nil if it has one at the most.
func (r Route) Gateways() []Hop {
	p := &parser{line: r.NextHops, ipv6: &r.IPv6}
	var hops []Hop
	for p.skip("nexthop") {
		hops = append(hops, p.hop())
	}
	return hops
}

// MetricList is what is in Metrics.
func (r Route) MetricList() []Metric {
	p := &parser{line: r.Metrics}
	var list []Metric
	for p.next() {
		if m, ok := p.metric(p.word); ok {
			list = append(list, m)
		}
	}
	return list
}

// via is a gateway as the line of a route has it.
func via(a netip.Addr, ipv6 bool) string {
	if a.Is6() && !ipv6 {
		return "inet6 " + a.String()
	}
	return a.String()
}

// String returns the line. ParseRoute reads it back.
func (r Route) String() string {
	b := new(printer)
	b.flag(r.IPv6 && r.Destination.Bits() == 0, "inet6")
	b.flag(r.Type != "", r.Type)
	b.add(network(r.Destination))
	if r.From.IsValid() {
		b.add("from", network(r.From))
	}
	set(b, "src", r.Source)
	if r.Via.IsValid() {
		b.add("via", via(r.Via, r.IPv6))
	}
	set(b, "dev", r.Dev)
	b.flag(r.OnLink, "onlink")
	set(b, "tos", r.TOS)
	if r.Table != 0 {
		b.add("table", nameOf(tableNames, uint64(r.Table)))
	}
	if r.Protocol != 0 {
		b.add("protocol", nameOf(protoNames, uint64(r.Protocol)))
	}
	if r.ScopeSet {
		b.add("scope", r.Scope)
	}
	set(b, "metric", r.Metric)
	set(b, "expires", r.Expires)
	b.flag(r.Metrics != "", r.Metrics)
	if r.Encap != "" { // behind src, tos and hoplimit, which it has, too
		b.add("encap", r.Encap)
	}
	set(b, "realms", r.Realms)
	set(b, "pref", r.Pref)
	set(b, "vrf", r.VRF)
	b.flag(r.Mode != "", r.Mode)
	b.flag(r.NoTrack, "no_track")
	set(b, "track_group", r.TrackGroup)
	b.flag(r.NextHops != "", r.NextHops)
	return b.String()
}
