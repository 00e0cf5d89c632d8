package keepalived

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// checks reads the block of a checker. What keepalived can't use it goes without: then the server has no such check.
func checks(finish func(*translation, *check) string) func(*translation, *Node) {
	return func(t *translation, n *Node) {
		c := &check{node: n, kind: n.Text}
		outer := t.ipvs.check
		t.ipvs.check = c
		c.frame = t.collect(func() { t.walk(n) })
		t.ipvs.check = outer
		why := c.lost
		if why == "" && finish != nil {
			why = finish(t, c)
		}
		switch {
		case c.gone: // told already
		case why != "":
			t.Drop(n.At, "", "%s: keepalived goes without this %s", why, n.Text)
		case len(c.hosts) > 0:
			t.smtpHosts(c)
		default:
			t.ipvs.server.checks = append(t.ipvs.server.checks, c)
		}
	}
}

// connectPort reads a port of a checker.
func connectPort(t *translation, n *Node) {
	w, ok := t.word(n, "a port")
	if !ok {
		return
	}
	v, rest := leading(w.Text)
	if v < 1 || v > 65535 {
		hint := "write a number from 1 to 65535"
		if p := t.host.LookupPort(w.Text, "tcp"); p != 0 {
			hint = fmt.Sprintf("write %d", p)
		}
		t.ignored(w, hint, "%s can't be %s", n.Text, w.Text)
		return
	}
	if rest != "" {
		t.Drop(w.At, "write a number", "%s: keepalived takes %q for %d", n.Text, w.Text, v)
	}
	t.put(n, n.Text, v)
}

// connectAddress reads an address of a checker, and for connect_ip perhaps a port behind it.
func connectAddress(t *translation, n *Node) {
	w, ok := t.word(n, "an address")
	if !ok {
		return
	}
	addr, err := netip.ParseAddr(w.Text)
	if err != nil {
		t.ignored(w, "write an address", "%s: %q is none", n.Text, w.Text)
		return
	}
	t.put(n, n.Text, addr.String())
}

// retryOf reads retry of a checker, which may be 0.
func retryOf(t *translation, n *Node) {
	if v, ok := t.number(n, 0, 4294967295); ok {
		t.put(n, "retry", min(v, 1<<31-1))
	}
}

// old is a keyword with another name.
func old(name string, translate func(*translation, *Node)) func(*translation, *Node) {
	return func(t *translation, n *Node) {
		t.Assume(n.At, "write "+name, "%s is the old name of %s", n.Text, name)
		translate(t, n)
	}
}

// host reads a block host of SMTP_CHECK.
func (t *translation) smtpHost(n *Node) {
	h := &check{node: n, kind: "SMTP_CHECK"}
	h.frame = t.collect(func() { t.walk(n) })
	t.ipvs.check.hosts = append(t.ipvs.check.hosts, h)
}

// heloName reads helo_name.
func heloName(t *translation, n *Node) {
	w, ok := t.word(n, "a name")
	if !ok {
		return
	}
	if strings.ContainsAny(w.Text, " \t\"\\/?#@") {
		t.Warn(w.At, "write a host name", "helo_name %q is no host name; smtpchecker.keepalived.org is taken", w.Text)
		return
	}
	t.put(n, n.Text, w.Text)
}

// finishSMTP settles SMTP_CHECK.
func finishSMTP(_ *translation, c *check) string {
	if c.find("helo_name") == nil {
		c.set(nil, "helo_name", "smtpchecker.keepalived.org")
	}
	return ""
}

// smtpHosts makes a check of each host of a SMTP_CHECK, and one of itself if it says where to connect.
func (t *translation) smtpHosts(c *check) {
	shared := []string{"helo_name", "retry", "delay_before_retry", "warmup", "delay_loop", "alpha", "log_all_failures"}
	checks := &t.ipvs.server.checks
	connects := slices.ContainsFunc(c.lines, func(l line) bool { return !slices.Contains(shared, l.key) })
	if connects {
		*checks = append(*checks, &check{frame: c.frame, node: c.node, kind: c.kind})
	}
	for i, h := range c.hosts {
		if h.find("connect_timeout") == nil {
			t.Warn(h.node.At, "write another SMTP_CHECK instead",
				"keepalived 2.2.7 gives a host no time to answer, so that the server is down for good; here it has the usual time")
		}
		if i == 0 && !connects {
			h.node = &Node{Word: h.node.Word, Before: slices.Concat(c.node.comments(), h.node.Before), Behind: h.node.Behind}
		}
		for _, l := range c.lines {
			if slices.Contains(shared, l.key) {
				h.set(nil, l.key, l.value)
			}
		}
		*checks = append(*checks, h)
	}
}

// dnsType reads type of DNS_CHECK.
func dnsType(t *translation, n *Node) {
	w, ok := t.word(n, "a type such as SOA")
	if !ok {
		return
	}
	kind := upper(w.Text)
	if !slices.Contains([]string{"A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA", "RRSIG", "DNSKEY"}, kind) {
		t.Drop(w.At, "", "keepalived can't ask for %s: it asks for SOA", w.Text)
		return
	}
	t.put(n, "type", kind)
}

// hexadecimal reads payload, and the bytes of require_reply.
func hexadecimal(t *translation, n *Node) {
	if n.Text == "payload" {
		if _, ok := t.word(n, "hexadecimal digits"); !ok {
			return
		}
	}
	words := make([]string, len(n.Args))
	for i, a := range n.Args {
		words[i] = a.Text
	}
	digits := strings.Join(words, " ")
	any := ""
	if n.Text == "require_reply" {
		any = "Xx"
	}
	switch {
	case strings.Trim(digits, "0123456789abcdefABCDEF \t"+any) != "":
		t.ignored(n.Args[0], "write two digits for each byte", "%s %s is not hexadecimal", n.Text, digits)
		if n.Text == "require_reply" {
			t.put(n, n.Text, true)
		}
	case digits == "":
		t.put(n, n.Text, true)
	default:
		t.put(n, n.Text, upper(digits))
	}
}

// finishUDP settles the lengths of UDP_CHECK, which count only beside the bytes of a reply.
func finishUDP(t *translation, c *check) string {
	least, most := int64(0), int64(255)
	if l := c.find("min_reply_length"); l != nil {
		least = l.value.(int64)
	}
	if l := c.find("max_reply_length"); l != nil {
		most = l.value.(int64)
	}
	digits := c.text("require_reply")
	if digits == "" {
		for _, key := range []string{"min_reply_length", "max_reply_length"} {
			if l := c.find(key); l != nil {
				t.Note(l.node.At, "leave it out", "%s counts only where require_reply says how the reply begins", key)
				c.remove(key)
			}
		}
		return ""
	}
	if least > most {
		t.Drop(c.node.At, "", "min_reply_length %d is more than max_reply_length, which is %d: no reply is right, and the server is down", least, most)
	}
	c.set(nil, "max_reply_length", most)
	return ""
}

// finishPing takes out what a ping has no use for.
func finishPing(t *translation, c *check) string {
	for _, key := range []string{"connect_port", "bind_port"} {
		if l := c.find(key); l != nil {
			t.Note(l.node.At, "leave it out", "a ping has no port")
			c.remove(key)
		}
	}
	return ""
}

// finishFile settles FILE_CHECK. keepalived sees at once when the file changes; ipvsd reads it each second.
func finishFile(t *translation, c *check) string {
	l := c.find("track_file")
	if l == nil {
		return "there is no track_file"
	}
	i := slices.IndexFunc(t.root, func(n *Node) bool { return strings.HasSuffix(n.Text, "track_file") && n.arg(0) == l.value })
	if i < 0 || t.block(t.root[i], "file") == nil {
		return fmt.Sprintf("there is no track_file %s that has a file", l.value)
	}
	if c.find("weight") == nil && t.block(t.root[i], "weight") == nil {
		c.set(nil, "weight", 1)
	}
	c.set(nil, "delay_loop", 1)
	c.set(nil, "retry", 0)
	return ""
}

// finishBFD settles BFD_CHECK.
func finishBFD(t *translation, c *check) string {
	l := c.find("name")
	if l == nil {
		return "there is no name"
	}
	if !t.exists("bfd_instance", l.value.(string)) {
		return fmt.Sprintf("there is no bfd_instance %s", l.value)
	}
	return ""
}

// fileWeight reads weight of FILE_CHECK.
func fileWeight(t *translation, n *Node) {
	v, ok := t.number(n, -2147483647, 2147483647)
	if !ok {
		return
	}
	t.put(n, "weight", v)
	switch n.arg(1) {
	case "":
	case "reverse":
		t.put(nil, "reverse", true)
	default:
		t.ignored(n.Args[1], "write reverse, or nothing", "%q is not reverse", n.arg(1))
	}
}

// miscPath reads misc_path.
func miscPath(t *translation, n *Node) {
	p, ok := t.command(n, n.Args[:min(1, len(n.Args))])
	if !ok {
		return
	}
	if len(n.Args) > 1 {
		t.Warn(n.Args[1].At, "put the command and its arguments in double quotes; user is another keyword", "%s is no part of the command: keepalived takes no notice of it", n.Args[1].Text)
	}
	if p.missing != nil {
		t.Warn(n.Args[0].At, "write where a program is that can be run", "%s: %v; keepalived goes without this MISC_CHECK", p.argv[0], p.missing)
		t.ipvs.check.gone = true
		return
	}
	t.put(n, "misc_path", p.value())
}

// miscUser reads user.
func miscUser(t *translation, n *Node) {
	w, ok := t.word(n, "a user")
	if !ok {
		return
	}
	who := w.Text
	if n.arg(1) != "" {
		who += " " + n.arg(1)
	}
	if !t.account(w, w.Text, n.arg(1)) {
		t.ipvs.check.lost = fmt.Sprintf("there is no user, or no group, %q", who)
		return
	}
	t.put(n, "user", who)
}

// finishMisc settles MISC_CHECK.
func finishMisc(t *translation, c *check) string {
	l := c.find("misc_path")
	if l == nil {
		return "there is no command to run"
	}
	if !c.gone {
		t.runs(l.node.Args[0], c.text("user"))
	}
	return ""
}

// miscTimeout reads misc_timeout, of which 0 is none.
func miscTimeout(t *translation, n *Node) {
	if v, ok := t.number(n, 0, 4294967); ok && v > 0 {
		t.put(n, "misc_timeout", min(v, month))
	}
}

// dnsName reads name of DNS_CHECK.
func dnsName(t *translation, n *Node) {
	w, ok := t.word(n, "a name")
	if !ok {
		return
	}
	if w.Text == "" {
		return // the root, as without it
	}
	t.put(n, "name", w.Text)
}
