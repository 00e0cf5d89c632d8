package config

import (
	"strconv"
	"strings"
)

// global decodes a table within global_defs.
func (d decoder) global(doc *document, name string, v any, p *place) {
	switch name {
	case "lvs_sysctl":
		doc.sysctl = d.globalTable(doc, inSysctl, name, v, p)
		return
	case "metrics":
		doc.metrics = d.globalTable(doc, inMetrics, name, v, p)
		return
	case "api":
		doc.api = d.globalTable(doc, inAPI, name, v, p)
		return
	case "wishes":
		doc.wishes = d.globalTable(doc, inWishes, name, v, p)
		return
	case "peers":
		doc.peers = d.named(doc.global, name, v, p, inPeer)
		return
	}
	several(v, p, func(i int, item any, p *place) {
		b := &block{in: inSync, parent: doc.global, name: name, index: i, header: p.value}
		switch item := item.(type) {
		case string:
			d.syncWords(b, strings.Fields(item), p)
		case map[string]any:
			d.fields(b, item, p, nil)
		default:
			d.fail(b.at(), `write lvs_sync_daemon = "eth1 id 1"`, "%s must be a text or a table, not %s", name, shown(item))
			b.meant = append(b.meant, "interface")
		}
		doc.sync = append(doc.sync, b)
	})
}

// globalTable decodes a table within global_defs that there is once; nil if it is none.
func (d decoder) globalTable(doc *document, in scope, name string, v any, p *place) *block {
	t, ok := d.table(doc.global, name, in.String(), v, p)
	if !ok {
		return nil
	}
	b := &block{in: in, parent: doc.global, name: name, index: -1, header: p.value}
	d.fields(b, t, p, func(name string, v any, p *place) {
		in := inToken
		if name == "certificate_role" {
			in = inCertificateRole
		}
		b.parts = append(b.parts, d.each(b, name, v, p, in)...)
	})
	return b
}

// syncWords decodes keepalived's line: INTERFACE [INSTANCE] [id N] [maxlen N] [port N] [ttl N] [group ADDRESS].
func (d decoder) syncWords(b *block, word []string, p *place) {
	const hint = `write "eth1 id 1 port 8848 ttl 1 group 224.0.0.81"; all but the interface may be left out`
	if len(word) == 0 {
		d.fail(b.at(), hint, "%s names no interface", b.name)
		b.meant = append(b.meant, "interface")
		return
	}
	d.value(b, keywordsIn[inSync]["interface"], word[0], p)
	word = word[1:]
	if len(word) > 1 && word[0] == "inst" { // keepalived has it with and without that word
		word = word[1:]
	}
	if len(word)%2 == 1 && keywordsIn[inSync][word[0]] == nil {
		d.value(b, keywordsIn[inSync]["instance"], word[0], p)
		word = word[1:]
	}
	for ; len(word) >= 2; word = word[2:] {
		k := keywordsIn[inSync][word[0]]
		if k == nil || word[0] == "interface" || word[0] == "role" || word[0] == "instance" || word[0] == "backup_only" {
			d.fail(b.at(), hint, "%s has no word %q", b.name, word[0])
			continue
		}
		var v any = word[1]
		if n, err := strconv.ParseInt(word[1], 10, 64); err == nil {
			v = n
		}
		d.value(b, k, v, p)
	}
	if len(word) > 0 {
		d.fail(b.at(), hint, "nothing follows the word %q", word[0])
	}
}
