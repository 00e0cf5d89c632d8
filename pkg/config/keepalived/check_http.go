package keepalived

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// url reads a block url.
func (t *translation) url(n *Node) {
	u := &url{node: n}
	u.frame = t.collect(func() { t.walk(n) })
	if u.find("path") == nil {
		t.ignored(n.Word, "write path / in it", "the url has no path")
		return
	}
	if u.find("regex") == nil {
		for _, key := range []string{"regex_no_match", "regex_options", "regex_min_offset", "regex_max_offset"} {
			if l := u.find(key); l != nil {
				t.skipped(l.node.Word, "write regex above it", "%s has no regex", key)
				u.remove(key)
			}
		}
	}
	least, most := u.find("regex_min_offset"), u.find("regex_max_offset")
	if least != nil && most != nil && most.value.(int64) > 0 && most.value.(int64) < least.value.(int64) {
		t.Warn(most.node.At, "write the smaller number with regex_min_offset", "regex_max_offset is less than regex_min_offset: keepalived takes no notice of both")
		u.remove("regex_max_offset", "regex_min_offset")
	}
	t.ipvs.check.urls = append(t.ipvs.check.urls, u)
}

// urlPath reads path. keepalived sends what is written, of which servers understand less than of a URL.
func urlPath(t *translation, n *Node) {
	w, ok := t.word(n, "a path")
	if !ok {
		return
	}
	path := w.Text
	switch {
	case path == "":
		t.ignored(w, "write /", "the path is empty")
		return
	case !strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "http://"):
		t.Warn(w.At, "write /"+path, "a path begins with /: keepalived asks for %s, which servers refuse; /%[1]s is asked for", path)
		path = "/" + path
	}
	if strings.ContainsFunc(path, func(c rune) bool { return c <= ' ' || c > '~' }) {
		var b strings.Builder
		for _, c := range []byte(path) {
			if c <= ' ' || c > '~' {
				fmt.Fprintf(&b, "%%%02X", c)
			} else {
				b.WriteByte(c)
			}
		}
		path = b.String()
		t.Warn(w.At, "write "+path, "a path has no blanks, and nothing beyond ASCII; %s is asked for", path)
	}
	t.put(n, "path", path)
}

// urlDigest reads digest.
func urlDigest(t *translation, n *Node) {
	w, ok := t.word(n, "an MD5 sum")
	if !ok {
		return
	}
	if len(w.Text) != 32 || strings.Trim(lower(w.Text), "0123456789abcdef") != "" {
		t.Drop(w.At, "genhash -s SERVER -p PORT -u PATH prints it", "the digest has 32 hexadecimal digits: keepalived goes without this one, and doesn't look at the body")
		return
	}
	t.put(n, "digest", lower(w.Text))
}

// urlStatus reads status_code; a second one adds to the first.
func urlStatus(t *translation, n *Node) {
	if _, ok := t.word(n, "a code such as 200"); !ok {
		return
	}
	var good []string
	for _, w := range n.Args {
		from, to, ranged := strings.Cut(w.Text, "-")
		a, err := strconv.Atoi(from)
		b := a
		var err2 error
		if ranged {
			b, err2 = strconv.Atoi(to)
		}
		if err != nil || err2 != nil || a < 100 || b > 599 || b < a {
			t.ignored(w, "write codes from 100 to 599, or ranges such as 200-299", "%s is no status", w.Text)
			continue
		}
		good = append(good, w.Text)
	}
	if good == nil {
		return
	}
	if l := t.open.find("status_code"); l != nil {
		l.value = l.value.(string) + " " + strings.Join(good, " ")
		return
	}
	t.put(n, "status_code", strings.Join(good, " "))
}

// urlRegex reads regex, the quotes and backslashes of which are gone by now.
func urlRegex(t *translation, n *Node) {
	w, ok := t.word(n, "a regular expression")
	if !ok {
		return
	}
	if len(n.Args) > 1 {
		t.skipped(n.Args[1], "put it in double quotes", "a regex is one word")
		return
	}
	t.put(n, "regex", w.Text)
}

// urlOptions reads regex_options.
func urlOptions(t *translation, n *Node) {
	if _, ok := t.word(n, "an option such as caseless"); !ok {
		return
	}
	var good []string
	for _, w := range n.Args {
		if !slices.Contains(regexOptions, w.Text) {
			t.Warn(w.At, "", "regex_options: there is no %s", w.Text)
			continue
		}
		good = append(good, w.Text)
	}
	if good != nil {
		t.put(n, "regex_options", strings.Join(good, " "))
	}
}

var regexOptions = []string{
	"allow_empty_class", "alt_bsux", "auto_callout", "caseless", "dollar_endonly", "dotall", "dupnames", "extended", "firstline",
	"match_unset_backref", "multiline", "never_ucp", "never_utf", "no_auto_capture", "no_auto_possess", "no_dotstar_anchor",
	"no_start_optimize", "ucp", "ungreedy", "utf", "never_backslash_c", "alt_circumflex", "alt_verbnames", "use_offset_limit",
}

// virtualHost reads virtualhost.
func virtualHost(t *translation, n *Node) {
	w, ok := t.word(n, "a host name")
	if !ok {
		return
	}
	host := w.Text
	if _, rest, ok := strings.Cut(host, "://"); ok {
		host = rest
	}
	if i := strings.IndexAny(host, "/?#@\\\" \t"); i >= 0 {
		host = host[:i]
	}
	if host == "" {
		t.Warn(w.At, "write a host name", "virtualhost: %q is no host", w.Text)
		return
	}
	if host != w.Text {
		t.Warn(w.At, "write "+host, "virtualhost is the name of a host: keepalived sends %s, here it is %s", w.Text, host)
	}
	t.put(n, "virtualhost", host)
}

// httpProtocol reads http_protocol.
func httpProtocol(t *translation, n *Node) {
	w, ok := t.word(n, "1.0, 1.0C or 1.1")
	if !ok {
		return
	}
	switch v := upper(w.Text); v {
	case "1.0", "1.0C", "1.1":
		t.put(n, "http_protocol", v)
	default:
		t.ignored(w, "write 1.0, 1.0C or 1.1", "http_protocol can't be %s", w.Text)
	}
}

// finishHTTP settles HTTP_GET and SSL_GET.
func finishHTTP(_ *translation, c *check) string {
	if len(c.urls) == 0 {
		return "there is no url with a path"
	}
	if c.find("http_protocol") == nil {
		c.set(nil, "http_protocol", "1.0")
	}
	switch l := c.find("fast_recovery"); {
	case len(c.urls) == 1 && l != nil && l.value == false:
		c.remove("fast_recovery")
	case len(c.urls) > 1 && l == nil:
		c.set(nil, "fast_recovery", false)
	}
	if c.kind == "HTTP_GET" {
		c.remove("enable_sni", "sni_name", "tls_compliant") // which mean nothing there
		for _, u := range c.urls {
			u.remove("tls_compliant")
		}
	} else if c.find("enable_sni") == nil && c.find("sni_name") == nil {
		c.set(nil, "enable_sni", false)
	}
	return ""
}

// serverNames makes several checks of those SSL_GET whose URLs are of several names: a check of ipvsd asks for one.
func (t *translation) serverNames(s *service, r *server) {
	var checks []*check
	for _, c := range r.checks {
		checks = append(checks, c)
		if on := c.find("enable_sni"); c.kind != "SSL_GET" || on == nil || on.value != true || c.find("sni_name") != nil {
			continue
		}
		byName := make(map[string]*check)
		var first *check
		for _, u := range c.urls {
			// Of the real server's virtualhost keepalived takes no notice here.
			name := cmp.Or(u.text("virtualhost"), c.text("virtualhost"), s.text("virtualhost"))
			sent := cmp.Or(u.text("virtualhost"), c.text("virtualhost"), r.text("virtualhost"), s.text("virtualhost"))
			to := byName[name]
			if to == nil {
				to = &check{frame: &frame{lines: slices.Clone(c.lines)}, node: c.node, kind: c.kind}
				if first != nil {
					to.node = &Node{Word: u.node.Word}
					checks = append(checks, to)
				} else {
					first = to
				}
				byName[name] = to
				if name != sent {
					to.remove("enable_sni")
					to.set(nil, "sni_name", name)
					if name == "" {
						to.remove("sni_name")
						to.set(nil, "enable_sni", false)
					}
				}
			}
			to.urls = append(to.urls, u)
		}
		for _, one := range byName {
			if l := one.find("fast_recovery"); l != nil && l.value == false && len(one.urls) == 1 {
				one.remove("fast_recovery")
			}
		}
		if len(byName) > 1 {
			t.Note(c.node.At, "", "the url blocks ask for %d TLS server names: it becomes as many SSL_GET", len(byName))
		}
		*c = *first
	}
	r.checks = checks
}
