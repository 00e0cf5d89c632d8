package ldirectord

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/config/document"
)

// endpoint is an address, with a port perhaps.
type endpoint struct {
	addr    netip.Addr
	port    uint16
	hasPort bool
	name    string // that stands for the address; empty: none
}

func (e endpoint) String() string { return netip.AddrPortFrom(e.addr, e.port).String() }

// real is a server.
type real struct {
	endpoint
	line         *line
	method       string // gate, masq or ipip
	weight       int64
	check        bool // it has a request and a receive of its own
	request      string
	receive      string
	lower, upper int64
}

// methods are ldirectord's words for how packets get to a server.
var methods = map[string]string{"gate": "DR", "masq": "NAT", "ipip": "TUN"}

var (
	realPattern  = regexp.MustCompile(`^(\S+)\s+(\S+)(?:\s+(\d+))?(?:\s+"([^"]*)"(?:\s*,\s*|\s+)"([^"]*)")?((?:\s+[a-z]:\d+)*)$`)
	rangePattern = regexp.MustCompile(`^([^:]+?)\s*->\s*([^:]+)((?::.*)?)$`)
)

// reals reads a line real or real6: one server, or those of a range.
func (t *translation) reals(s *service, l *line) {
	if want := "real" + s.suffix(); l.key != want {
		t.Error(l.at, "write "+want, "%s is for services of the other family", l.key)
		return
	}
	m := realPattern.FindStringSubmatch(strings.ReplaceAll(strings.ReplaceAll(l.value, " ->", "->"), "-> ", "->"))
	const form = `write real=ADDRESS:PORT gate, masq or ipip; then, if need be, a weight, "REQUEST","RECEIVE", l:N and u:N, in this order`
	if m == nil {
		t.Error(l.from, form, "the server can't be understood")
		return
	}
	r := real{line: l, method: m[2], weight: 1, check: strings.Contains(l.value, `"`), request: m[4], receive: m[5]}
	if methods[r.method] == "" {
		t.Error(l.from, "", "how packets get to the server must be gate, masq or ipip, not %s", r.method)
		return
	}
	if m[3] != "" {
		r.weight, _ = strconv.ParseInt(m[3], 10, 64)
	}
	t.thresholds(&r, strings.Fields(m[6]))
	ends := rangePattern.FindStringSubmatch(m[1])
	if ends == nil {
		if e, ok := t.endpoint(s, l, m[1]); ok {
			r.endpoint = e
			s.add(t, r)
		}
		return
	}
	first, ok1 := t.endpoint(s, l, ends[1]+ends[3])
	last, ok2 := t.endpoint(s, l, ends[2])
	if !ok1 || !ok2 {
		return
	}
	const most = 4096
	n := 0
	for a := first.addr; ; a = a.Next() {
		if n++; n > most || !a.IsValid() || last.addr.Less(a) {
			t.Error(l.from, "", "a range goes from an address to a higher one, and has %d servers at most", most)
			return
		}
		r.endpoint = first
		r.addr, r.name = a, ""
		s.add(t, r)
		if a == last.addr {
			return
		}
	}
}

// thresholds reads l:N and u:N.
func (t *translation) thresholds(r *real, words []string) {
	upperFirst := false
	for _, w := range words {
		n, _ := strconv.ParseInt(w[2:], 10, 64)
		switch w[0] {
		case 'l':
			r.lower = n
			upperFirst = upperFirst || r.upper > 0
		case 'u':
			r.upper = n
		default:
			t.Error(r.line.from, "write l:N or u:N", "there is no threshold %s", w)
		}
	}
	if upperFirst {
		t.Warn(r.line.from, "write l:N before u:N", "ldirectord forgets u:%d because it is before l:%d, and then can't add the server", r.upper, r.lower)
	}
	if r.lower > r.upper {
		t.Warn(r.line.from, "write u:N, too", "ldirectord can't add the server, since the kernel takes no lower threshold above the upper one; l:%d is left out here", r.lower)
		r.lower = 0
	}
}

// add adds a server. Of one that is there twice, the last counts.
func (s *service) add(t *translation, r real) {
	for i, other := range s.reals {
		if other.addr == r.addr && s.port(other) == s.port(r) {
			t.Warn(r.line.at, "leave one of them out", "the server %s is there twice, and the last line counts: the other is line %d", r.endpoint, other.line.at.Line)
			s.reals[i] = r
			return
		}
	}
	s.reals = append(s.reals, r)
}

// port returns the port that a server has in the kernel's table: only with masq it has one of its own, or for a fwmark.
func (s *service) port(r real) uint16 {
	if s.mark == 0 && (r.method != "masq" || r.port == 0) {
		return s.at.port
	}
	return r.port
}

// fallback reads a fallback server. The method is gate and the port the service's if they are not written.
func (t *translation) fallback(s *service, v *value) (r real, ok bool) {
	words := strings.Fields(v.data.(string))
	r = real{line: v.line, method: "gate"}
	switch {
	case len(words) == 2 && methods[words[1]] != "":
		r.method = words[1]
	case len(words) != 1:
		t.Error(v.line.from, "write fallback=ADDRESS:PORT, then perhaps gate, masq or ipip", "the fallback server can't be understood")
		return r, false
	}
	r.endpoint, ok = t.endpoint(s, v.line, words[0])
	if ok && r.port != 0 && r.port != s.port(r) {
		t.noteOnce(v.line.from, "write masq behind it if that is meant",
			"under gate and ipip a fallback server has the service's port, whatever is written: packets are not changed")
	}
	return r, ok
}

// endpoint reads ADDRESS, ADDRESS:PORT, NAME:SERVICE and the like; IPv6 is in brackets.
func (t *translation) endpoint(s *service, l *line, text string) (e endpoint, ok bool) {
	host, port := text, ""
	if i := strings.LastIndexByte(text, ':'); i >= 0 && !strings.HasSuffix(text, "]") {
		host, port = text[:i], text[i+1:]
	}
	if inner, bracketed := strings.CutPrefix(host, "["); bracketed {
		host = strings.TrimSuffix(inner, "]")
	} else if strings.Contains(host, ":") {
		hint := "IPv6 stands in brackets: [2001:db8::1]:80"
		if !s.six {
			hint = "write one colon"
		}
		t.Error(l.from, hint, "%s is no address; ldirectord may take it for another one", text)
		return e, false
	}
	if port != "" {
		if e.port, ok = t.port(l, port, s.protocol()); !ok {
			return e, false
		}
		e.hasPort = true
	}
	e.addr, ok = t.address(s, l, host)
	if ok && e.addr.String() != host {
		e.name = host
	}
	return e, ok
}

// port reads a number, or the name of a service.
func (t *translation) port(l *line, text, protocol string) (uint16, bool) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err == nil {
		return uint16(n), true
	}
	if strings.Trim(text, "0123456789") != "" {
		if p := t.host.LookupPort(text, protocol); p != 0 {
			return p, true
		}
	}
	t.Error(l.from, "write its number", "%s is no port, and no service that /etc/services knows for %s", text, protocol)
	return 0, false
}

// address reads an address, or looks up a name.
func (t *translation) address(s *service, l *line, text string) (netip.Addr, bool) {
	fits := func(a netip.Addr) bool { return a.Is6() == s.six }
	if a, err := netip.ParseAddr(text); err == nil {
		if fits(a) && a.Zone() == "" {
			return a, true
		}
		hint := "IPv6 services begin with virtual6, and have real6 and fallback6"
		t.Error(l.from, hint, "%s is of the other family than the service", text)
		return a, false
	}
	list, err := t.host.LookupHost(text)
	if err != nil {
		t.Error(l.from, "write its address", "%s is no address, and can't be looked up: %v", text, err)
		return netip.Addr{}, false
	}
	for _, found := range list {
		if a, err := netip.ParseAddr(found); err == nil && fits(a) {
			t.Note(l.from, "", "%s is %s; as with ldirectord, it is looked up when the file is read", text, a)
			return a, true
		}
	}
	t.Error(l.from, "write an address", "%s has no address of the service's family", text)
	return netip.Addr{}, false
}

// server writes a real server.
func (t *translation) server(s *service, r real, shared []check) {
	t.Table(document.Origin{Position: r.line.at.Position, Width: r.line.at.Width}, "virtual_server.real_server", true, 1, r.line.comments()...)
	t.Set(r.line.from, "address", s.address(r))
	if s.method == "" {
		t.Set(r.line.from, "lb_kind", methods[r.method])
	}
	if r.weight != 1 {
		t.Set(r.line.from, "weight", r.weight)
	}
	if r.upper > 0 {
		t.Set(r.line.from, "uthreshold", r.upper)
	}
	if r.lower > 0 {
		t.Set(r.line.from, "lthreshold", r.lower)
	}
	if own := t.checks(s, &r); !equal(own, shared) && shared[0].state == "" {
		t.writeChecks(own, "virtual_server.real_server", 2)
	}
}

// address returns what stands in the TOML for a server.
func (s *service) address(r real) string {
	port := s.port(r)
	if port == 0 {
		return r.addr.String()
	}
	return netip.AddrPortFrom(r.addr, port).String()
}
