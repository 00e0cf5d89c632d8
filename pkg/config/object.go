package config

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Object is a thing that a configuration describes, in the words of the file: a table of it, or a server of a virtual server with all
// that holds for it, wherever that is written. It shows no secrets.
type Object struct {
	Kind     string // "vrrp_instance", "virtual_server", "real_server", "global_defs.metrics"; "top" for what stands before all tables
	Name     string // empty: there is one of the kind
	Keywords []Keyword
	Members  []Object // servers of a virtual server
}

// Keyword is one of an Object, as it holds. It is printed when somebody wants to see it: most are never seen.
type Keyword struct {
	Name    string
	Default bool // it would hold without being written
	value   any
}

// Same says whether nothing of a keyword differs, its secrets included.
func (k *Keyword) Same(o *Keyword) bool { return same(k.value, o.value) }

// same says whether two values would be printed alike.
func same(a, b any) bool {
	if a == nil || b == nil {
		return a == b
	}
	switch x := a.(type) {
	case inline:
		if y, ok := b.(inline); ok && len(x) == len(y) {
			named := func(f, g field) bool { return f.name == g.name }
			if slices.EqualFunc(x, y, named) {
				return slices.EqualFunc(x, y, func(f, g field) bool { return same(f.value, g.value) })
			}
		}
	case checksOfType:
		y, ok := b.(checksOfType)
		alike := ok && len(x.tables) == len(y.tables)
		for i := 0; alike && i < len(x.tables); i++ {
			alike = same(x.tables[i], y.tables[i])
		}
		return alike
	default:
		if t := reflect.TypeOf(a); t.Comparable() && reflect.TypeOf(b) == t {
			return a == b
		}
	}
	return printed(a) == printed(b)
}

// Value returns it as TOML, with secrets hidden.
func (k *Keyword) Value() string { return printed(veil(k.Name, k.value)) }

// Items returns those of a list, with secrets hidden.
func (k *Keyword) Items() []string {
	switch v := veil(k.Name, k.value).(type) {
	case []string:
		return itemsOf(v)
	case []any:
		return itemsOf(v)
	case []inline:
		return itemsOf(v)
	case checksOfType:
		if len(v.tables) > 1 {
			return itemsOf(v.tables)
		}
	}
	return nil
}

// Fields returns those of a table on one line.
func (k *Keyword) Fields() []Keyword {
	var table inline
	switch v := k.value.(type) {
	case inline:
		table = v
	case checksOfType:
		if len(v.tables) == 1 {
			table = v.tables[0]
		}
	}
	list := make([]Keyword, len(table))
	for i, f := range table {
		list[i] = Keyword{f.name, same(f.value, f.fallback), f.value}
	}
	return list
}

// Objects returns what a configuration describes, in the order of Format. Virtual servers that are to be passed over are left out.
func Objects(c *Config, pass func(*VirtualServer) bool) []Object {
	p := &printer{mails: !unmailed(c.VirtualServers), defs: &c.GlobalDefs, objects: new(objects)}
	p.objects.begin("top", "")
	p.all(c, pass)
	return p.objects.list
}

// objects collects what a printer would print.
type objects struct {
	list   []Object
	within int // 1: of the last of the list, its last member
}

// current is the object whose keywords come.
func (o *objects) current() *Object {
	last := &o.list[len(o.list)-1]
	if o.within > 0 {
		return &last.Members[len(last.Members)-1]
	}
	return last
}

func (o *objects) begin(kind, name string) {
	o.within = 0
	o.list = append(o.list, Object{Kind: kind, Name: name})
}

// table begins the object of a table: [kind.name], or [kind] where there is one.
func (o *objects) table(header string) {
	if header == "[[virtual_server]]" { // it has begun, with its name
		return
	}
	header = strings.Trim(header, "[]")
	kind, name, _ := strings.Cut(header, ".")
	if peer, of := strings.CutPrefix(header, "global_defs.peers."); of {
		kind, name = "global_defs.peers", peer
	} else if kind == "global_defs" {
		kind, name = header, ""
	}
	if text, err := strconv.Unquote(name); err == nil {
		name = text
	}
	o.begin(kind, name)
}

// member begins a server of the last object.
func (o *objects) member(kind, name string) {
	last := &o.list[len(o.list)-1]
	last.Members = append(last.Members, Object{Kind: kind, Name: name})
	o.within = 1
}

func (o *objects) add(name string, value any, usual bool) {
	at := o.current()
	at.Keywords = append(at.Keywords, Keyword{name, usual, value})
}

// hidden stands for a secret.
type hidden struct{}

func (hidden) String() string { return "(hidden)" }

func itemsOf[T any](list []T) []string {
	texts := make([]string, len(list))
	for i := range list {
		texts[i] = printed(list[i])
	}
	return texts
}

// veil returns a value without its secrets.
func veil(name string, value any) any {
	switch v := value.(type) {
	case string:
		if v != "" && (secretive(name) || name == "url" && strings.Contains(v, "://")) { // of a webhook: its path is often what lets one in
			return hidden{}
		}
	case inline:
		shown := make(inline, len(v))
		for i, f := range v {
			shown[i] = field{f.name, f.value, f.fallback}
			if f.value != nil {
				shown[i].value = veil(f.name, f.value)
			}
		}
		return shown
	case table:
		shown := make(table, len(v))
		for i, f := range v {
			shown[i] = field{f.name, veil(f.name, f.value), f.fallback}
		}
		return shown
	case []inline:
		shown := make([]inline, len(v))
		for i := range v {
			shown[i] = veil(name, v[i]).(inline)
		}
		return shown
	case checksOfType:
		shown := checksOfType{name: v.name}
		for _, t := range v.tables {
			shown.tables = append(shown.tables, veil(v.name, t).(inline))
		}
		return shown
	}
	return value
}

// members collects the servers of a virtual server, each with all that holds for it.
func (p *printer) members(vs *VirtualServer) {
	anyway := defaultSettings(&vs.Services[0])
	collect := func(kind string, list []RealServer) {
		for i := range list {
			rs := &list[i]
			p.objects.member(kind, hostAndPort(rs.Destination.Addr))
			settingsOf(rs).under(anyway, rs).write(p, anyway)
			differs(p, "name", rs.Name, "")
			p.list("tags", rs.Tags)
			p.script("notify_up", rs.NotifyUp)
			p.script("notify_down", rs.NotifyDown)
			differs(p, "smtp_alert", !rs.NoMail, p.mails)
			for _, t := range p.checksOf(rs) {
				p.set(t.name, t)
			}
		}
	}
	collect("real_server", vs.RealServers)
	for i := range vs.Members {
		m := &vs.Members[i]
		p.objects.member("members", m.Sources[0].String())
		p.source(m)
		settingsOf(&m.Server).under(anyway, &m.Server).write(p, anyway)
		p.script("notify_up", m.Server.NotifyUp)
		p.script("notify_down", m.Server.NotifyDown)
		differs(p, "smtp_alert", !m.Server.NoMail, p.mails)
	}
	collect("sorry_server", vs.SorryServers)
}
