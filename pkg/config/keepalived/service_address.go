package keepalived

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

func upper(s string) string { return strings.ToUpper(s) }
func lower(s string) string { return strings.ToLower(s) }

// identify finds out what a virtual_server serves. keepalived goes without one that it doesn't understand.
func (t *translation) identify(s *service) bool {
	n := s.node
	w, ok := t.word(n, "an address and a port")
	if !ok {
		return false
	}
	s.at = w.At
	switch w.Text {
	case "fwmark":
		if len(n.Args) < 2 {
			t.Error(w.At, "write its number behind it", "the fwmark has no number")
			return false
		}
		w = n.Args[1]
		v, rest := leading(w.Text)
		if v < 1 || v > 4294967295 {
			t.Drop(w.At, "write a number from 1 to 4294967295", "the fwmark %s can't be: keepalived makes nothing of it that could work, and this virtual server is left out", w.Text)
			return false
		}
		if rest != "" {
			t.Drop(w.At, "write a number", "the fwmark: keepalived takes %q for %d", w.Text, v)
		}
		s.mark, s.at = v, w.At
		return true
	case "group":
		if len(n.Args) < 2 {
			t.Error(w.At, "write its name behind it", "the group has no name")
			return false
		}
		s.name, s.at = n.arg(1), n.Args[1].At
		return true
	}
	addr, port, ok := t.endpoint(n, "the virtual server")
	s.addr = netip.AddrPortFrom(addr, port)
	return ok
}

// newServer reads address and port of a server.
func (t *translation) newServer(n *Node, what string) *server {
	if _, ok := t.word(n, "an address and a port"); !ok {
		return nil
	}
	addr, port, ok := t.endpoint(n, what)
	if !ok {
		return nil
	}
	return &server{node: n, addr: addr, port: port}
}

// endpoint reads an address and a port, 0 for none. keepalived knows neither names of hosts nor of services.
func (t *translation) endpoint(n *Node, what string) (addr netip.Addr, port uint16, ok bool) {
	w := n.Args[0]
	addr, ok = t.plainAddress(w, what)
	if !ok || len(n.Args) < 2 {
		return addr, 0, ok
	}
	port, ok = t.port(n.Args[1], what, 0)
	return addr, port, ok
}

// plainAddress reads an address without a name.
func (t *translation) plainAddress(w Word, what string) (netip.Addr, bool) {
	host, _, _ := strings.Cut(w.Text, "/") // which keepalived doesn't read here
	addr, err := netip.ParseAddr(host)
	if err == nil && addr.Zone() == "" {
		return addr, true
	}
	hint := "write an address"
	if both, err := netip.ParseAddrPort(w.Text); err == nil {
		hint = fmt.Sprintf("write %s %d", both.Addr(), both.Port())
	} else if addr, err := netip.ParseAddr(strings.Trim(w.Text, "[]")); err == nil {
		hint = "write " + addr.String()
	} else if found, err := t.host.LookupHost(w.Text); err == nil && len(found) > 0 {
		hint = "write " + found[0]
	}
	t.Drop(w.At, hint, "%q is no address: keepalived goes without %s", w.Text, what)
	return netip.Addr{}, false
}

// port reads a port.
func (t *translation) port(w Word, what string, lowest int64) (uint16, bool) {
	v, rest := leading(w.Text)
	if rest == w.Text || v < lowest || v > 65535 {
		hint := "write a number up to 65535"
		if p := t.host.LookupPort(w.Text, lower(t.protocolSoFar())); p != 0 {
			hint = "write " + strconv.Itoa(int(p))
		}
		t.Drop(w.At, hint, "%q is no port: keepalived goes without %s", w.Text, what)
		return 0, false
	}
	if rest != "" {
		t.Drop(w.At, "write a number", "the port: keepalived takes %q for %d", w.Text, v)
	}
	return uint16(v), true
}

// protocolSoFar is what the virtual server that is being read has for its protocol.
func (t *translation) protocolSoFar() string {
	if s := t.ipvs.service; s != nil && s.frame != nil && s.text("protocol") != "" {
		return s.text("protocol")
	}
	return "tcp"
}
