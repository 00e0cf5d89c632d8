package keepalived

import (
	"net/netip"
	"slices"

	"github.com/ipvsd/ipvsd/pkg/config/document"
)

// writeService writes a virtual server.
func (t *translation) writeService(s *service) {
	t.table(s.node, "virtual_server", true, 0, func() {
		at := &Node{Word: Word{At: s.at}}
		switch {
		case s.mark != 0:
			t.put(at, "fwmark", s.mark)
		case s.group != nil:
			t.put(at, "group", s.name)
		default:
			t.put(at, "address", endpoint(s.addr))
		}
		t.open.lines = append(t.open.lines, s.lines...)
		inline := !slices.ContainsFunc(s.servers, func(r *server) bool { return !r.plain() })
		if inline && len(s.servers) == 1 && !commented(s.servers[0].node) {
			t.put(s.servers[0].node, "real_servers", []string{s.servers[0].address()})
		} else if inline {
			items := make([]document.Item, 0, len(s.servers))
			for _, r := range s.servers {
				items = append(items, document.Item{At: r.node.At, Value: r.address(), Comments: r.node.Before, Behind: r.node.Behind})
			}
			before := &Node{}
			if len(items) > 1 && !slices.ContainsFunc(items[1:], func(i document.Item) bool { return len(i.Comments) > 0 }) {
				before.Before, items[0].Comments = items[0].Comments, nil // it is not about the first server alone
			}
			t.put(before, "real_servers", items)
		}
		sorry := s.sorry
		if sorry != nil && len(s.checks) == 0 {
			t.put(sorry.node, "sorry_server", sorry.address())
			sorry = nil
		}
		t.writeChecks("virtual_server", 1, s.checks)
		if !inline {
			for _, r := range s.servers {
				t.writeServer(r, "real_server", true)
			}
		}
		if sorry != nil {
			sorry.off = "on" // checks of the virtual server would be its own
			t.writeServer(sorry, "sorry_server", false)
		}
	})
}

// endpoint is an address as ipvsd has it, without port 0.
func endpoint(a netip.AddrPort) string {
	if a.Port() == 0 {
		return a.Addr().String()
	}
	return a.String()
}

// address is the address of a server as ipvsd has it.
func (r *server) address() string { return endpoint(netip.AddrPortFrom(r.addr, r.port)) }

// plain says whether there is nothing to say of a server but its address.
func (r *server) plain() bool {
	return len(r.lines) == 0 && len(r.checks) == 0 && r.off == "" && len(r.node.Trailer) == 0
}

// writeServer writes a server.
func (t *translation) writeServer(r *server, kind string, array bool) {
	t.table(r.node, "virtual_server."+kind, array, 1, func() {
		t.put(&Node{Word: r.node.Word}, "address", r.address())
		t.open.lines = append(t.open.lines, r.lines...)
		if r.off != "" {
			t.put(nil, "checks", r.off)
		}
		t.writeChecks("virtual_server."+kind, 2, r.checks)
	})
}

// writeChecks writes checks: one that needs no settings as a key, the others as tables.
func (t *translation) writeChecks(in string, depth int, checks []*check) {
	number := make(map[string]int)
	for _, c := range checks {
		number[c.kind]++
	}
	for _, c := range checks {
		if number[c.kind] == 1 && len(c.lines) == 0 && len(c.urls) == 0 && len(c.node.Trailer) == 0 {
			t.put(&Node{Word: c.node.Word, Before: c.node.Before, Behind: c.node.Behind}, c.kind, true)
			continue
		}
		t.table(c.node, in+"."+c.kind, number[c.kind] > 1, depth, func() {
			t.open.lines = slices.Clone(c.lines)
			t.writeURLs(in+"."+c.kind, depth+1, c.urls)
		})
	}
}

// writeURLs writes urls, those that are paths only in short.
func (t *translation) writeURLs(in string, depth int, urls []*url) {
	if len(urls) == 0 {
		return
	}
	if !slices.ContainsFunc(urls, func(u *url) bool { return len(u.lines) > 1 || len(u.node.Trailer) > 0 }) {
		if len(urls) == 1 {
			n := urls[0].lines[0].node
			t.put(&Node{Word: n.Word, Before: slices.Concat(urls[0].node.comments(), n.Before), Behind: n.Behind}, "url", urls[0].text("path"))
			return
		}
		var items []document.Item
		for _, u := range urls {
			n := u.lines[0].node
			items = append(items, document.Item{At: n.At, Value: u.text("path"), Comments: slices.Concat(u.node.comments(), n.Before), Behind: n.Behind})
		}
		t.put(nil, "url", items)
		return
	}
	for _, u := range urls {
		t.table(u.node, in+".url", true, depth, func() {
			t.open.lines = slices.Clone(u.lines)
		})
	}
}
