package keepalived

import (
	"net/netip"
	"strconv"
	"strings"
)

// virtualAddresses reads virtual_ipaddress and virtual_ipaddress_excluded. Adverts have those of the instance's family only.
func (t *translation) virtualAddresses(n *Node) {
	for _, line := range n.Block {
		s, addr, ok := t.address(line, false)
		if !ok {
			continue
		}
		if n.Text == "virtual_ipaddress" && !t.family(line.Word, addr.Is6(), "address", "put it into virtual_ipaddress_excluded, or make an instance of its own for that family") {
			continue
		}
		dev := ""
		for i, w := range s {
			if i > 0 && s[i-1].Text == "dev" {
				dev = w.Text
			}
		}
		if own, _ := t.value("interface").(string); dev == own {
			dev = ""
		}
		if !t.taken(line, t.vrrp.router.name+" "+dev, addr.String()) {
			t.list(n, line, n.Text, s.String())
		}
	}
}

// taken says whether an address is there already, and tells so.
func (t *translation) taken(line *Node, place, addr string) bool {
	id := place + " " + addr
	if t.vrrp.taken[id] {
		t.Warn(line.At, "leave one of them out", "the address %s is there twice: once is enough", addr)
		return true
	}
	if t.vrrp.taken == nil {
		t.vrrp.taken = make(map[string]bool)
	}
	t.vrrp.taken[id] = true
	return false
}

func (t *translation) virtualRoutes(n *Node) {
	for _, line := range n.Block {
		if s, ok := t.route(line, false); ok {
			t.list(n, line, n.Text, s.String())
		}
	}
}

func (t *translation) virtualRules(n *Node) {
	for _, line := range n.Block {
		if s, ok := t.rule(line); ok {
			t.list(n, line, n.Text, s.String())
		}
	}
}

// peers reads unicast_peer.
func (t *translation) peers(n *Node) {
	if len(n.Block) == 0 {
		t.Assume(n.At, "write the addresses of the other directors, one on a line", "unicast_peer has no peers")
	}
	for _, line := range n.Block {
		a, ok := t.host1(line.Word)
		if !ok || !t.family(line.Word, a.Is6(), "peer", "an instance has one family") || t.taken(line, t.vrrp.router.name+" peer", a.String()) {
			continue
		}
		words := []string{a.String()}
		for i := 0; i < len(line.Args); i++ {
			w := line.Args[i]
			if w.Text != "min_ttl" && w.Text != "max_ttl" {
				t.ignored(w, "write min_ttl or max_ttl, or leave it out", "%q is no option of a peer", w.Text)
				continue
			}
			called := Node{Word: w, Args: line.Args[i+1:]}
			i++
			if v, ok := t.whole(&called, 0, 255); ok {
				words = append(words, w.Text, strconv.FormatInt(v, 10))
			}
		}
		t.list(n, line, n.Text, strings.Join(words, " "))
	}
}

// vmac reads use_vmac: a name, a MAC address, in newer versions an interface and a group.
func (t *translation) vmac(n *Node) { t.made(n, "netlink_notify_msg") }

// ipvlan reads use_ipvlan: a name, an address, a mode.
func (t *translation) ipvlan(n *Node) { t.made(n, "") }

// made reads the words of use_vmac and use_ipvlan, which ipvsd takes in one text.
func (t *translation) made(n *Node, idle string) {
	var words []string
	for i := 0; i < len(n.Args); i++ {
		w := n.Args[i]
		addr, _, _ := strings.Cut(w.Text, "/")
		a, err := netip.ParseAddr(addr)
		switch {
		case w.Text == idle:
		case w.Text == "group" && i+1 < len(n.Args):
			i++
			words = append(words, w.Text, n.Args[i].Text)
		case err == nil && !t.family(w, a.Is6(), "address", "an instance has one family"):
		case strings.Count(w.Text, ":") < 4 && err != nil && (len(w.Text) > 15 || strings.Contains(w.Text, "/")):
			t.ignored(w, "write 15 characters at most", "%s is no name of an interface", w.Text)
		default:
			words = append(words, w.Text)
		}
	}
	if len(words) == 0 {
		t.put(n, n.Text, true)
	} else {
		t.put(n, n.Text, strings.Join(words, " "))
	}
}
