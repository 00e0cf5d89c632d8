package keepalived

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/config/document"
)

// group is a virtual_server_group.
type group struct {
	name    string
	node    *Node
	entries []groupEntry
	v4, v6  bool
	dropped bool
}

// groupEntry is a line of a group.
type groupEntry struct {
	node   *Node
	text   string // as ipvsd has it
	port   uint16
	mark   bool
	family string // of a mark; empty: none is written
}

// virtualServerGroup reads a virtual_server_group. What keepalived can't read it skips; the first one of a name counts.
func (t *translation) virtualServerGroup(n *Node) {
	w, ok := t.word(n, "a name")
	if !ok {
		return
	}
	if slices.ContainsFunc(t.ipvs.groups, func(g *group) bool { return g.name == w.Text }) {
		t.Warn(w.At, "give it another name", "there is another virtual_server_group %s above, which keepalived takes", w.Text)
		return
	}
	g := &group{name: w.Text, node: n}
	seen := make(map[string]bool)
	for _, l := range n.Block {
		e, ok := t.groupEntry(g, l)
		switch key := fmt.Sprint(e.mark, e.family, e.text); {
		case !ok:
		case seen[key]:
			t.Note(l.At, "leave one of them out", "%s is in the group already", l)
		default:
			seen[key] = true
			g.entries = append(g.entries, e)
		}
	}
	open := slices.ContainsFunc(g.entries, func(e groupEntry) bool { return e.mark && e.family == "" })
	switch {
	case len(g.entries) == 0:
		t.Drop(n.At, "write an address and a port, or fwmark and a number", "the group %s has nothing in it: keepalived goes without it", g.name)
		g.dropped = true
	case g.v4 && g.v6 && open:
		t.Drop(n.At, "write inet or inet6 behind each fwmark", "the group %s has both families, and a fwmark that doesn't say which is its: keepalived goes without the group", g.name)
		g.dropped = true
	}
	t.ipvs.groups = append(t.ipvs.groups, g)
	t.after(func() { t.writeGroup(g) })
}

// groupEntry reads a line of a group.
func (t *translation) groupEntry(g *group, n *Node) (e groupEntry, ok bool) {
	e.node = n
	if n.Text == "fwmark" {
		w, ok := t.word(n, "a number")
		if !ok {
			return e, false
		}
		v, rest := leading(w.Text)
		if v < 1 || v > 4294967295 || rest != "" {
			t.Drop(w.At, "write a number from 1 to 4294967295", "the fwmark %s can't be: keepalived makes nothing of it that could work, and it is left out", w.Text)
			return e, false
		}
		e.mark, e.text = true, fmt.Sprint(v)
		switch f := n.arg(1); f {
		case "":
		case "inet", "inet6":
			e.family = f
			g.v4, g.v6 = g.v4 || f == "inet", g.v6 || f == "inet6"
		default:
			t.ignored(n.Args[1], "write inet or inet6", "%q is no family", f)
		}
		return e, true
	}
	if len(n.Args) > 0 {
		if e.port, ok = t.port(n.Args[0], n.String(), 0); !ok {
			return e, false
		}
	}
	host, six, why := groupRange(n.Text)
	if why != "" {
		t.Drop(n.At, "", "%s %s: keepalived goes without it", n.Text, why)
		return e, false
	}
	if first, last, ok := strings.Cut(n.Text, "-"); ok && !six && strings.Contains(last, ".") && first[:strings.LastIndexByte(first, '.')] != last[:strings.LastIndexByte(last, '.')] {
		t.Warn(n.At, "", "keepalived 2.2.7 begins this range at another address; here it is what is written")
	}
	g.v4, g.v6 = g.v4 || !six, g.v6 || six
	e.text = host
	if e.port != 0 {
		if six {
			host = "[" + host + "]"
		}
		e.text = fmt.Sprintf("%s:%d", host, e.port)
	}
	return e, true
}

// groupRange reads an address, a range, or a network, and says what is wrong with it.
func groupRange(s string) (text string, six bool, why string) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		switch {
		case err != nil:
			return "", false, "is no network"
		case p != p.Masked():
			return "", false, "is not the first address of its network"
		}
		return s, p.Addr().Is6(), ""
	}
	first, last, ranged := strings.Cut(s, "-")
	from, err := netip.ParseAddr(first)
	if err != nil {
		return "", false, "is no address"
	}
	if !ranged {
		return from.String(), from.Is6(), ""
	}
	to, err := netip.ParseAddr(last)
	if err != nil {
		cut := strings.LastIndexAny(first, ".:") + 1
		if to, err = netip.ParseAddr(first[:cut] + last); err != nil {
			return "", false, "has no end that could be"
		}
	}
	if to.Is4() != from.Is4() || to.Less(from) || !strings.ContainsAny(last, ".:") && to == from {
		return "", false, "ends before it begins"
	}
	return s, from.Is6(), ""
}

// writeGroup writes a group.
func (t *translation) writeGroup(g *group) {
	if g.dropped {
		return
	}
	t.table(g.node, document.Header("virtual_server_group", g.name), false, 0, func() {
		for _, key := range []string{"address", "fwmark"} {
			var items []document.Item
			for _, e := range g.entries {
				if e.mark != (key == "fwmark") {
					continue
				}
				text := e.text
				if e.family != "" {
					text += " " + e.family
				}
				items = append(items, document.Item{At: e.node.At, Value: text, Comments: e.node.Before, Behind: e.node.Behind})
			}
			if items != nil {
				t.put(nil, key, items)
			}
		}
	})
}

// ports returns the ports that a virtual server is for, each once; none if it is for fwmarks.
func (s *service) ports() (ports []uint16) {
	switch {
	case s.group != nil:
		for _, e := range s.group.entries {
			if !e.mark && !slices.Contains(ports, e.port) {
				ports = append(ports, e.port)
			}
		}
	case s.mark == 0:
		ports = append(ports, s.addr.Port())
	}
	return ports
}

// families returns which families a virtual server is for, as far as what it serves says so.
func (s *service) families() (v4, v6 bool) {
	switch {
	case s.group != nil:
		return s.group.v4, s.group.v6
	case s.mark == 0:
		return s.addr.Addr().Is4(), s.addr.Addr().Is6()
	}
	return false, false
}

// marked says whether it is for fwmarks only.
func (s *service) marked() bool { return len(s.ports()) == 0 }
