package config

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// block is a table of the file with its keywords read, what later stages work on.
type block struct {
	in     scope
	parent *block
	name   string // its keyword in the parent
	index  int    // among blocks of that name; -1 where there can be only one
	header span
	values []value

	reals   []*block // of a virtual server
	sorry   []*block // of a virtual server: its sorry servers
	members []*block // of a virtual server
	checks  []*block // of a virtual or real server
	off     scope    // types of checks that are switched off: TCP_CHECK = false
	parts   []*block // of a check: its URLs or hosts
	tunes   bool     // it has settings of checks
	meant   []string // keywords that are there but couldn't be understood; rules should not call them missing
}

// value is one keyword of a block.
type value struct {
	keyword *keyword
	data    any // nil if it could not be read; that has been reported, and rules should be silent about it
	key     spot
	at      spot
	items   []value // of a list; those that could not be read have no data
}

// path returns the way to the block: virtual_server[1].real_server[0].
func (b *block) path() string {
	if b.parent == nil {
		return ""
	}
	p := b.parent.pathTo(b.name)
	if b.index >= 0 {
		p += "[" + strconv.Itoa(b.index) + "]"
	}
	return p
}

func (b *block) pathTo(name string) string {
	if p := b.path(); p != "" {
		return p + "." + name
	}
	return name
}

// at returns the spot of the block's header.
func (b *block) at() spot { return spot{b.header, b, ""} }

// value returns what is written for a keyword or another name of it, nil if nothing is.
func (b *block) value(name string) *value {
	for i := range b.values {
		if k := b.values[i].keyword; k.name == name || k.aliasOf == name {
			return &b.values[i]
		}
	}
	return nil
}

// lacks says whether nothing in the block looks like these keywords.
func (b *block) lacks(names ...string) bool {
	for _, name := range names {
		if b.value(name) != nil || slices.Contains(b.meant, name) {
			return false
		}
	}
	return true
}

// decoder turns tables into blocks and reports what is no keyword or no value for one.
type decoder struct{ *report }

// document is a file, decoded.
type document struct {
	global   *block
	sync     []*block          // daemons of lvs_sync_daemon
	sysctl   *block            // nil: none
	metrics  *block            // nil: none
	api      *block            // nil: none
	peers    []*block          // by name
	wishes   *block            // nil: none
	groups   map[string]*block // virtual_server_group by name
	files    map[string]*block // track_file by name
	ssl      *block            // nil: none
	virtuals []*block

	routers map[scope][]*block // tables of VRRP that have names, in the order of the file
}

// called returns the name that the user gave the table.
func (b *block) called() string {
	_, name, _ := strings.Cut(b.name, ".")
	return name
}

// namedTables are those of VRRP.
var namedTables = map[string]scope{
	"vrrp_instance": inInstance, "vrrp_sync_group": inSyncGroup, "vrrp_script": inScript, "vrrp_track_process": inProcess,
	"bfd_instance": inBFD, "track_route": inTrackRoute, "track_group": inTrackGroup, "garp_group": inGARPGroup,
	"webhook": inWebhook,
}

// root decodes the whole file.
func (d decoder) root(tree map[string]any, p *place) *document {
	root := &block{in: inRoot, index: -1}
	doc := &document{groups: make(map[string]*block), files: make(map[string]*block), routers: make(map[scope][]*block)}
	doc.global = &block{in: inGlobal, parent: root, name: "global_defs", index: -1}
	d.fields(root, tree, p, func(name string, v any, p *place) {
		switch name {
		case "global_defs":
			if t, ok := d.table(root, name, "[global_defs]", v, p); ok {
				doc.global.header = p.value
				d.fields(doc.global, t, p, func(name string, v any, p *place) { d.global(doc, name, v, p) })
			}
		case "virtual_server_group":
			for _, b := range d.named(root, name, v, p, inGroup) {
				doc.groups[b.called()] = b
			}
		case "track_file", "vrrp_track_file":
			for _, b := range d.named(root, name, v, p, inTrackFile) {
				if first := doc.files[b.called()]; first != nil {
					d.fail(b.at(), d.firstAt(first.at()), "there is a track_file %q already", b.called())
				}
				doc.files[b.called()] = b
			}
		case "SSL":
			if t, ok := d.table(root, name, "[SSL]", v, p); ok {
				doc.ssl = &block{in: inSSLDefaults, parent: root, name: name, index: -1, header: p.value}
				d.fields(doc.ssl, t, p, nil)
			}
		case "virtual_server":
			doc.virtuals = d.each(root, name, v, p, inVirtual)
		default:
			in := namedTables[name]
			doc.routers[in] = d.named(root, name, v, p, in)
		}
	})
	return doc
}

// named decodes tables that have names of the user's, and returns them in the order of the file.
func (d decoder) named(root *block, name string, v any, p *place, in scope) (list []*block) {
	t, _ := d.table(root, name, in.String(), v, p)
	for _, called := range sortedKeys(t) {
		at := p.field(called)
		if t, ok := d.table(root, name, in.String(), t[called], at); ok {
			b := &block{in: in, parent: root, name: name + "." + called, index: -1, header: at.value}
			d.fields(b, t, at, func(name string, v any, p *place) { d.signature(b, name, v, p) })
			list = append(list, b)
		} else {
			root.meant = append(root.meant, called)
		}
	}
	slices.SortStableFunc(list, func(a, b *block) int { return cmp.Compare(a.header.from, b.header.from) })
	return list
}

// signature decodes authentication and auth_hmac of an instance.
func (d decoder) signature(parent *block, name string, v any, p *place) {
	in := inAuth
	if name == "auth_hmac" {
		in = inHMAC
	}
	if t, ok := d.table(parent, name, "[vrrp_instance.NAME."+name+"]", v, p); ok {
		b := &block{in: in, parent: parent, name: name, index: -1, header: p.value}
		d.fields(b, t, p, nil)
		parent.parts = append(parent.parts, b)
	}
}

// table returns the table that a name must be, or reports that it is none.
func (d decoder) table(parent *block, name, header string, v any, p *place) (map[string]any, bool) {
	t, ok := v.(map[string]any)
	if !ok {
		d.fail(spot{p.value, parent, name}, "write "+header, "%s is one table", name)
	}
	return t, ok
}

// several calls a function with each item of a list, its index and its place; with a value that is no list, the index is -1.
func several(v any, p *place, each func(int, any, *place)) {
	switch v := v.(type) {
	case []any:
		for i := range v {
			each(i, v[i], p.item(i))
		}
	case []map[string]any:
		for i := range v {
			each(i, v[i], p.item(i))
		}
	default:
		each(-1, v, p)
	}
}

// each decodes an array of tables.
func (d decoder) each(parent *block, name string, v any, p *place, in scope) []*block {
	var blocks []*block
	list, ok := tablesOf(v)
	if !ok {
		d.fail(spot{p.value, parent, name}, "write "+in.String()+", with two brackets", "%s may repeat", name)
		parent.meant = append(parent.meant, name)
		return nil
	}
	for i, t := range list {
		b := &block{in: in, parent: parent, name: name, index: i, header: p.item(i).value}
		d.fields(b, t, p.item(i), func(name string, v any, p *place) { d.nested(b, name, v, p) })
		blocks = append(blocks, b)
	}
	return blocks
}

// nested decodes a table within a virtual or real server.
func (d decoder) nested(b *block, name string, v any, p *place) {
	switch name {
	case "real_server":
		b.reals = append(b.reals, d.each(b, name, v, p, inReal)...)
	case "members":
		b.members = d.each(b, name, v, p, inMembers)
	case "real_servers":
		b.reals = append(d.shortServers(b, v, p), b.reals...)
	case "sorry_server":
		several(v, p, func(i int, item any, p *place) {
			sorry := &block{in: inSorry, parent: b, name: name, index: i, header: p.value}
			if t, ok := item.(map[string]any); ok {
				d.fields(sorry, t, p, func(name string, v any, p *place) { d.nested(sorry, name, v, p) })
			} else {
				d.value(sorry, keywordsIn[inSorry]["address"], item, p)
			}
			b.sorry = append(b.sorry, sorry)
		})
	default:
		d.check(b, typeNamed[name], v, p)
	}
}

// shortServers decodes real_servers = ["10.0.100.2:80", ...], as if each were a real_server with an address.
func (d decoder) shortServers(parent *block, v any, p *place) []*block {
	const name = "real_servers"
	list, ok := v.([]any)
	if !ok {
		d.fail(spot{p.value, parent, name}, `write real_servers = ["10.0.100.2:80", "10.0.100.3:80"]`,
			"real_servers must be a list of addresses")
		parent.meant = append(parent.meant, "real_server")
		return nil
	}
	var blocks []*block
	for i, item := range list {
		at := p.item(i)
		b := &block{in: inReal, parent: parent, name: name, index: i, header: at.value}
		if _, table := item.(map[string]any); table {
			d.fail(b.at(), "servers with settings of their own are [[virtual_server.real_server]]",
				"real_servers lists addresses only")
			parent.meant = append(parent.meant, "real_server")
			continue
		}
		d.value(b, keywordsIn[inReal]["address"], item, at)
		blocks = append(blocks, b)
	}
	return blocks
}

// check decodes the checks of a type: a table, several, or a switch.
func (d decoder) check(parent *block, t *checkType, v any, p *place) {
	if on, ok := v.(bool); ok {
		if on {
			parent.checks = append(parent.checks, &block{in: t.in, parent: parent, name: t.name, index: -1, header: p.value})
		} else {
			parent.off |= t.in
		}
		return
	}
	one := func(table map[string]any, index int, p *place) {
		b := &block{in: t.in, parent: parent, name: t.name, index: index, header: p.value}
		d.fields(b, table, p, func(name string, v any, p *place) { d.parts(b, name, v, p) })
		parent.checks = append(parent.checks, b)
	}
	if table, ok := v.(map[string]any); ok {
		one(table, -1, p)
		return
	}
	list, ok := tablesOf(v)
	if !ok {
		d.fail(spot{p.value, parent, t.name}, t.name+" = true is a check with the defaults",
			"%s must be true, false or a table, not %s", t.name, shown(v))
		parent.meant = append(parent.meant, "TCP_CHECK")
		return
	}
	for i, table := range list {
		one(table, i, p.item(i))
	}
}

// parts decodes the URLs or hosts of a check. A text stands for a table with the keyword that matters.
func (d decoder) parts(check *block, name string, v any, p *place) {
	in, short := inURL, "path"
	if name == "host" {
		in, short = inHost, "connect_ip"
	}
	several(v, p, func(i int, item any, p *place) {
		b := &block{in: in, parent: check, name: name, index: i, header: p.value}
		if t, ok := item.(map[string]any); ok {
			d.fields(b, t, p, nil)
		} else {
			d.value(b, keywordsIn[in][short], item, p)
		}
		check.parts = append(check.parts, b)
	})
}

// tablesOf takes both [[name]] and name = [{...}].
func tablesOf(v any) ([]map[string]any, bool) {
	switch v := v.(type) {
	case []map[string]any:
		return v, true
	case []any:
		list := make([]map[string]any, 0, len(v))
		for _, item := range v {
			t, ok := item.(map[string]any)
			if !ok {
				return nil, false
			}
			list = append(list, t)
		}
		return list, true
	}
	return nil, false
}

// fields decodes the fields of a table into a block, tables among them by a function.
func (d decoder) fields(b *block, table map[string]any, p *place, nested func(string, any, *place)) {
	b.values = make([]value, 0, len(table))
	for _, name := range sortedKeys(table) {
		at := p.field(name)
		k := keywordsIn[b.in][name]
		switch {
		case k == nil:
			d.unknown(b, name, at)
		case k.kind.read == nil:
			nested(name, table[name], at)
		default:
			d.value(b, k, table[name], at)
		}
	}
}

// value decodes one keyword.
func (d decoder) value(b *block, k *keyword, v any, p *place) {
	val := value{keyword: k, key: spot{p.key, b, k.name}, at: spot{p.value, b, k.name}}
	b.tunes = b.tunes || k.in&inChecks != 0
	name := k.name
	if k.aliasOf != "" {
		name = k.aliasOf
	}
	if other := b.value(name); other != nil {
		d.fail(val.key, "write one of them", "%s and %s are two names of one keyword", k.name, other.keyword.name)
	}
	if k.list {
		all := true
		several(v, p, func(_ int, item any, p *place) {
			one := value{keyword: k, key: val.key, at: spot{p.value, b, k.name}}
			one.data = d.read(k, item, one.at)
			val.items = append(val.items, one)
			all = all && one.data != nil
		})
		if all {
			val.data = val.items
		}
	} else {
		val.data = d.read(k, v, val.at)
	}
	b.values = append(b.values, val)
	if k.idle != "" && val.data != nil {
		d.warn(val.key, "", "%s has no effect: %s", k.name, k.idle)
	}
	if k.refused != "" {
		d.fail(val.key, k.name+": "+k.doc, "%s", k.refused)
	}
}

// read reads a value, or reports what is wrong with it and returns nil.
func (d decoder) read(k *keyword, v any, at spot) any {
	data, w := k.kind.read(v)
	if w != nil && w.within {
		at.span = d.within(at.span, v.(string), w.part)
	}
	switch {
	case w == nil:
		switch data := data.(type) {
		case Script:
			if len(data.Argv) > 0 {
				d.outside.add(data.Argv[0], d.diagnostic(Warning, at, "", ""))
			}
		case string:
			if k.kind.words == path.words || k.kind.words == device.words {
				d.outside.add(data, d.diagnostic(Warning, at, "", ""))
			}
		}
		return data
	case w.message != "":
		d.fail(at, cmp.Or(w.hint, k.name+": "+k.doc), "%s: %s", k.name, w.message)
	default:
		d.fail(at, cmp.Or(w.hint, k.name+": "+k.doc), "%s must be %s, not %s", k.name, k.kind.words, shown(v))
	}
	return nil
}

// within returns where a part of a text stands, as well as that can be told: with escapes it is the whole text.
func (d decoder) within(at span, s string, part span) span {
	raw := d.lines.text[max(0, min(at.from, len(d.lines.text))):max(0, min(at.to, len(d.lines.text)))]
	if len(raw) != len(s)+2 || raw[1:len(raw)-1] != s {
		return at
	}
	if part.from == part.to { // something is missing at the end
		return span{at.to - 1, at.to}
	}
	return span{at.from + 1 + part.from, at.from + 1 + part.to}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
