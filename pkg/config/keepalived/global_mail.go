package keepalived

import (
	"slices"
	"strconv"
	"strings"
)

// mailTo reads the block notification_email: addresses, one or several on a line.
func (t *translation) mailTo(n *Node) {
	for _, l := range n.Block {
		for i, w := range append([]Word{l.Word}, l.Args...) {
			item := &Node{Word: w}
			if i == 0 {
				item = l
			}
			if to, ok := t.mailbox(w); ok {
				t.list(n, item, "notification_email", to)
			}
		}
	}
}

// mailFrom reads notification_email_from.
func (t *translation) mailFrom(n *Node) {
	w, ok := t.word(n, "an address")
	if !ok {
		return
	}
	if from, ok := t.mailbox(w); ok {
		t.put(n, n.Text, from)
	}
}

// mailbox reads an address, or the name of a user.
func (t *translation) mailbox(w Word) (string, bool) {
	box := strings.TrimRight(w.Text, ",;")
	address := box
	if _, bracketed, ok := strings.Cut(box, "<"); ok {
		address = strings.TrimSuffix(bracketed, ">")
	}
	if user, domain, at := strings.Cut(address, "@"); user == "" || at && domain == "" || strings.ContainsAny(user+domain, "@<>()[]\\ \t\",;:") {
		t.Warn(w.At, "write an address such as ops@example.org", "%q is no address that a mail server takes: it is left out", w.Text)
		return "", false
	}
	if box != w.Text {
		t.Warn(w.At, "write a blank between addresses", "%q ends in a comma, with which a mail server doesn't take it; it is %s here", w.Text, box)
	}
	return box, true
}

// mailServer reads smtp_server, whose port is a word of its own.
func (t *translation) mailServer(n *Node) {
	w, ok := t.word(n, "a host")
	if !ok {
		return
	}
	if len(n.Args) == 1 {
		t.put(n, n.Text, w.Text)
		return
	}
	v, rest := leading(n.arg(1))
	if v < 1 || v > 65535 || rest != "" {
		t.ignored(n.Args[1], "write a number from 1 to 65535", "smtp_server: %s is no port", n.arg(1))
		return
	}
	t.put(n, n.Text, w.Text+" "+strconv.FormatInt(v, 10))
}

// defaultUser reads script_user.
func (t *translation) defaultUser(n *Node) {
	w, ok := t.word(n, "a user")
	if !ok {
		return
	}
	who := w.Text
	if n.arg(1) != "" {
		who += " " + n.arg(1)
	}
	if !t.account(w, w.Text, n.arg(1)) {
		t.Drop(w.At, "write a user, and a group, that this host has", "there is no user, or no group, %q: keepalived goes without all scripts that name no user", who)
		t.vrrp.nobody = true
		return
	}
	t.put(n, n.Text, who)
}

// timeouts reads lvs_timeouts: words with a number each.
func (t *translation) timeouts(n *Node) {
	if _, ok := t.word(n, "tcp, tcpfin or udp with a number of seconds"); !ok {
		return
	}
	var words []string
	for i := 0; i < len(n.Args); i++ {
		w := n.Args[i]
		if w.Text != "tcp" && w.Text != "tcpfin" && w.Text != "udp" {
			t.ignored(w, "write tcp, tcpfin or udp with a number of seconds", "lvs_timeouts has no %q", w.Text)
			continue
		}
		called := Node{Word: w, Args: n.Args[i+1:]}
		i++
		if v, ok := t.number(&called, 0, month); ok && v > 0 {
			words = append(words, w.Text, strconv.FormatInt(v, 10))
		}
	}
	if words != nil {
		t.put(n, "lvs_timeouts", strings.Join(words, " "))
	}
}

// flushOnStop reads lvs_flush_on_stop. ipvsd takes out what is its own, as keepalived does without it.
func (t *translation) flushOnStop(n *Node) {
	switch w := n.arg(0); w {
	case "":
		t.Note(n.At, "", "what others have put into the table of IPVS stays there")
	case "VS":
	default:
		t.ignored(n.Args[0], "write VS, or nothing", "%s has no %q", n.Text, w)
	}
	t.put(n, "lvs_flush_on_stop", true)
}

// serves says whether the file has virtual servers.
func (t *translation) serves() bool {
	return slices.ContainsFunc(t.root, func(n *Node) bool { return n.Text == "virtual_server" })
}

// stopsClean writes that services are taken out of the kernel's table at stop, which keepalived does if nobody says otherwise.
func (t *translation) stopsClean() {
	if t.serves() && !t.has("lvs_flush_on_stop") {
		t.put(nil, "lvs_flush_on_stop", true)
	}
}
