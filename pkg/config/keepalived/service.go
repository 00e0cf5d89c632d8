package keepalived

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/config/document"
)

// ipvs is what is known of virtual servers while a file is read. What a block of one becomes depends on others: on the group, on
// a virtual server of the same address, on how all its servers are checked. So blocks are read to frames, which are settled when
// the whole file is there, and written then.
type ipvs struct {
	services []*service
	groups   []*group
	settled  bool

	service *service // the blocks that are being read
	server  *server
	check   *check
}

// service is a virtual_server.
type service struct {
	*frame
	node    *Node
	at      document.Origin // of what it serves
	addr    netip.AddrPort  // what it serves: this,
	mark    int64           // or this,
	name    string          // or the group of this name
	group   *group
	servers []*server
	sorry   *server // nil: none
	checks  []*check

	dropped bool
}

// server is a real_server, or a sorry_server.
type server struct {
	*frame
	node   *Node
	addr   netip.Addr
	port   uint16 // 0: none is written
	checks []*check
	off    string // value of checks; empty: none
}

// check is a block of a checker.
type check struct {
	*frame
	node  *Node
	kind  string
	urls  []*url
	hosts []*check
	lost  string // why keepalived goes without it
	gone  bool   // it does, which is told
}

// url is a block url of HTTP_GET and SSL_GET.
type url struct {
	*frame
	node *Node
}

// collect runs body, and returns what it puts, to be written later.
func (t *translation) collect(body func()) *frame {
	outer := t.open
	f := new(frame)
	t.open = f
	body()
	t.open = outer
	return f
}

// find returns the line of a key, nil if there is none.
func (f *frame) find(key string) *line {
	if i := slices.IndexFunc(f.lines, func(l line) bool { return l.key == key }); i >= 0 {
		return &f.lines[i]
	}
	return nil
}

// set puts a key that is not there yet, or changes it.
func (f *frame) set(n *Node, key string, value any) {
	if l := f.find(key); l != nil {
		l.value = value
		return
	}
	f.lines = append(f.lines, line{n, key, value})
}

// remove takes keys out.
func (f *frame) remove(keys ...string) {
	f.lines = slices.DeleteFunc(f.lines, func(l line) bool { return slices.Contains(keys, l.key) })
}

// text returns the value of a key that is a text, empty if there is none.
func (f *frame) text(key string) string {
	if l := f.find(key); l != nil {
		s, _ := l.value.(string)
		return s
	}
	return ""
}

// virtualServer reads a virtual_server.
func (t *translation) virtualServer(n *Node) {
	s := &service{node: n}
	if !t.identify(s) {
		return
	}
	t.ipvs.service = s
	s.frame = t.collect(func() { t.walk(n) })
	t.ipvs.service = nil
	t.ipvs.services = append(t.ipvs.services, s)
	t.after(func() {
		t.settleServices()
		if !s.dropped {
			t.writeService(s)
		}
	})
}

// realServer reads a real_server.
func (t *translation) realServer(n *Node) {
	r := t.newServer(n, "the server")
	if r == nil {
		return
	}
	t.ipvs.server = r
	r.frame = t.collect(func() { t.walk(n) })
	t.ipvs.server = nil
	t.ipvs.service.servers = append(t.ipvs.service.servers, r)
}

// sorryServer reads sorry_server; of several the last one counts.
func (t *translation) sorryServer(n *Node) {
	s := t.ipvs.service
	r := t.newServer(n, "the sorry server")
	if r == nil {
		return
	}
	if s.sorry != nil {
		t.Warn(s.sorry.node.At, "leave one of them out", "there is another sorry_server below, which keepalived takes")
		t.open.remove("sorry_server_inhibit", "sorry_server_lvs_method")
	}
	r.frame = new(frame)
	s.sorry = r
}

// sorryKeyword is a keyword that counts for the sorry_server above it.
func sorryKeyword(translate func(*translation, *Node)) func(*translation, *Node) {
	return func(t *translation, n *Node) {
		if t.ipvs.service.sorry == nil {
			t.ignored(n.Word, "write it below sorry_server", "%s has no sorry_server above it", n.Text)
			return
		}
		translate(t, n)
	}
}

// protocol reads the protocol.
func (t *translation) protocol(n *Node) {
	w, ok := t.word(n, "TCP, UDP or SCTP")
	if !ok {
		return
	}
	if p := upper(w.Text); p == "TCP" || p == "UDP" || p == "SCTP" {
		t.put(n, "protocol", p)
		return
	}
	t.ignored(w, "write TCP, UDP or SCTP", "there is no protocol %q", w.Text)
}

// algorithm reads the scheduler.
func (t *translation) algorithm(n *Node) {
	w, ok := t.word(n, "a scheduler such as wlc")
	if !ok {
		return
	}
	if !slices.Contains(algorithms, w.Text) {
		hint := ""
		if s := lower(w.Text); slices.Contains(algorithms, s) {
			hint = "write " + s
		}
		t.ignored(w, hint, "there is no scheduler %q", w.Text)
		return
	}
	t.put(n, "lb_algo", w.Text)
}

var algorithms = []string{"rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "mh", "dh", "sed", "nq", "fo", "ovf", "twos"}

// scheduled is a flag that one scheduler has; it must be chosen above it.
func scheduled(algorithm string) func(*translation, *Node) {
	return func(t *translation, n *Node) {
		if t.open.text("lb_algo") != algorithm {
			t.ignored(n.Word, "write lvs_sched "+algorithm+" above it", "%s works only with the scheduler %s, and below it", n.Text, algorithm)
			return
		}
		flag(t, n)
	}
}

// hashed reads a flag of the kernel's own.
func (t *translation) hashed(n *Node) {
	if t.open.text("lb_algo") != "sh" {
		t.ignored(n.Word, "leave it out", "hashed works only with the scheduler sh")
		return
	}
	t.Note(n.At, "leave it out", "the kernel sets hashed on every service by itself")
}

// method returns a function that reads how packets get to a server, to a key.
func method(key string) func(*translation, *Node) {
	return func(t *translation, n *Node) {
		if how, ok := t.method(n); ok {
			t.put(n, key, how)
		}
	}
}

func (t *translation) method(n *Node) (how string, ok bool) {
	w, ok := t.word(n, "NAT, DR or TUN")
	if !ok {
		return "", false
	}
	if w.Text != "NAT" && w.Text != "DR" && w.Text != "TUN" {
		hint := "write NAT, DR or TUN"
		if s := upper(w.Text); s == "NAT" || s == "DR" || s == "TUN" {
			hint = "write " + s
		}
		t.ignored(w, hint, "there is no %s %q", n.Text, w.Text)
		return "", false
	}
	options := n.Args[1:]
	if w.Text != "TUN" && len(options) > 0 {
		t.Drop(options[0].At, "leave it out", "%s takes no options such as %q", w.Text, options[0].Text)
		return w.Text, true
	}
	why := ""
	kind, port, sum := "", false, ""
	how = w.Text
	for i := 0; i < len(options) && why == ""; i++ {
		o := options[i].Text
		next := ""
		if i+1 < len(options) {
			next = options[i+1].Text
		}
		switch {
		case o == "type" && (next == "ipip" || next == "gue" || next == "gre"):
			kind = next
			i++
		case o == "port":
			if p, rest := leading(next); p < 1 || p > 65535 || rest != "" {
				why = "port " + next + " is no port"
			}
			port = true
			i++
		case o == "nocsum" || o == "csum" || o == "remcsum":
			sum = o
		default:
			why = "there is no option " + o
		}
		how += " " + o
		if o == "type" || o == "port" {
			how += " " + next
		}
	}
	switch {
	case why != "":
	case (kind == "gue") != port:
		why = "a gue tunnel has a port, and no other one has"
	case sum != "" && kind != "gue" && kind != "gre":
		why = "a tunnel of type ipip has no checksum"
	case sum == "remcsum" && kind == "gre":
		why = "a tunnel of type gre has no remcsum"
	}
	if why != "" {
		t.ignored(w, "", "%s: %s", n, why)
		return "", false
	}
	return how, true
}

// ipFamily reads ip_family.
func (t *translation) ipFamily(n *Node) {
	w, ok := t.word(n, "inet or inet6")
	if !ok {
		return
	}
	if w.Text != "inet" && w.Text != "inet6" {
		t.ignored(w, "write inet or inet6", "there is no family %q", w.Text)
		return
	}
	t.put(n, "ip_family", w.Text)
}

// persistence reads persistence_timeout.
func (t *translation) persistence(n *Node) {
	if len(n.Args) == 0 {
		t.put(n, "persistence_timeout", true)
		return
	}
	w := n.Args[0]
	switch v, rest := leading(w.Text); {
	case v == 0 && rest == "":
		t.Drop(w.At, "leave it out", "persistence_timeout 0 is no time: keepalived takes no notice of it, and clients don't stay with their server")
	case rest != "" || v < 1 || v > 2678400:
		t.ignored(w, "write 1 to 2678400 seconds", "persistence_timeout can't be %s", w.Text)
	default:
		t.put(n, "persistence_timeout", v)
	}
}

// quorum reads quorum.
func (t *translation) quorum(n *Node) {
	w, ok := t.word(n, "a number")
	if !ok {
		return
	}
	v, rest := leading(w.Text)
	switch {
	case v < 1 || v > 4294967295:
		t.Drop(w.At, "write a number from 1 on", "quorum %s is none: keepalived takes 1", w.Text)
		v = 1
	case rest != "":
		t.Drop(w.At, "write a number", "quorum: keepalived takes %q for %d", w.Text, v)
	}
	t.put(n, "quorum", min(v, 1<<31-1))
}

// strictRetry reads retry of virtual and real servers.
func (t *translation) strictRetry(n *Node) {
	w, ok := t.word(n, "a number")
	if !ok {
		return
	}
	v, rest := leading(w.Text)
	if rest != "" || v < 1 || v > 4294967295 {
		t.ignored(w, "write a number from 1 on; a checker may have retry 0", "retry can't be %s here", w.Text)
		return
	}
	t.put(n, "retry", min(v, 1<<31-1))
}

// engine reads persistence_engine.
func (t *translation) engine(n *Node) {
	w, ok := t.word(n, "sip")
	if !ok {
		return
	}
	if w.Text != "sip" {
		t.skipped(w, "write sip", "the kernel has no persistence engine %q", w.Text)
		return
	}
	t.put(n, "persistence_engine", "sip")
}

// ssl reads the block SSL.
func (t *translation) ssl(n *Node) {
	t.table(n, "SSL", false, 0, func() {
		t.walk(n)
		secret := t.drop("password")
		if secret == nil {
			return
		}
		key, _ := t.value("key").(string)
		if pem, err := t.host.ReadFile(key); err == nil && !strings.Contains(string(pem), "ENCRYPTED") {
			t.Note(secret.At, "leave it out", "the key has no password")
			return
		}
		t.Error(secret.At, "write the key without one: openssl pkey -in KEY -out FILE", "a key with a password can't be had")
	})
}
