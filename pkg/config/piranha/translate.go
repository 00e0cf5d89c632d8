// Package piranha reads Piranha's lvs.cf, of Red Hat's load balancers up to RHEL 6, and writes it as ipvsd's TOML (package document).
// What lvsd and its nannies did is a virtual_server each. What pulse did, which gave the addresses to one of two routers, is one
// vrrp_instance: the two protocols do not know each other, so both routers change at the same time, and warnings say so. Nobody
// has Piranha any more to try it with: what a directive does is what its manuals say.
//
// The stages, a file each: scan (text to blocks), keyword (the table of directives), router (pulse), service (lvsd and nanny).
// Nothing here opens a file or starts a goroutine.
package piranha

import (
	"strconv"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/config/document"
)

// Translate reads a lvs.cf. The name is what the diagnostics call it. The host is asked for its name and address: they say which of
// the two routers it is.
func Translate(name string, source []byte, host document.Host, _ document.Settings) *document.Document {
	t := &translation{Writer: new(document.Writer), host: host, name: name}
	top := t.scan(string(source))
	t.read("", top)
	var virtuals []*block
	for _, b := range top.blocks {
		if b.keyword != "virtual" {
			t.Error(b.at, "a virtual router can start and stop programs, with notify_master and notify_backup of a vrrp_instance",
				"%s can't be had: ipvsd balances, and moves no programs", b.keyword)
			continue
		}
		t.read("virtual", b)
		for _, s := range b.blocks {
			t.read("server", s)
		}
		switch {
		case b.number("active", 0) == 0:
			t.Note(b.at, "", "the service %s is not active, and left out", b.name)
		case b.values["address"] == nil:
			t.Error(b.at, "write address = ADDRESS INTERFACE", "the service %s has no address", b.name)
		default:
			virtuals = append(virtuals, b)
		}
	}
	t.router(top, virtuals)
	for _, b := range virtuals {
		t.service(top, b)
	}
	return t.Document(name, map[string]string{name: string(source)})
}

// translation is one file on its way.
type translation struct {
	*document.Writer
	host document.Host
	name string
}

// read looks up a block's directives in the table, and tells what there is to tell.
func (t *translation) read(scope string, b *block) {
	for _, l := range b.lines {
		k := keywordNamed(scope, l.key)
		if k == nil {
			t.Error(l.at, "leave it out", "Piranha knows no directive %q here", l.key)
			continue
		}
		value, rest := l.value, ""
		if i := strings.IndexAny(value, " \t"); i >= 0 && !k.list {
			value, rest = value[:i], value[i:]
		}
		if strings.HasPrefix(l.value, `"`) {
			value, rest = quoted(l.value)
		}
		if rest = strings.TrimSpace(rest); rest != "" {
			t.Warn(l.from, "write it into a line of its own, behind #", "%q behind the value of %s is taken for a comment", rest, l.key)
		}
		l.value = value
		if b.values[l.key] != nil {
			t.Warn(l.at, "leave one of them out", "%s is there twice, and the last one counts", l.key)
		}
		b.values[l.key] = l
		_, err := strconv.ParseInt(value, 10, 32)
		switch {
		case value == "":
			t.Error(l.from, "leave it out, or write its value", "%s has no value", l.key)
			delete(b.values, l.key)
		case k.number && err != nil:
			t.Error(l.from, "", "%s must be a number", l.key)
		case k.fate == document.Refused && value != k.harmless:
			t.Error(l.at, k.remark, "%s = %s can't be had", l.key, value)
		case k.fate != document.Idle || value == k.harmless || k.harmless == always:
		case k.lost:
			t.Warn(l.at, "", "%s has no effect: %s", l.key, k.remark)
		default:
			t.Note(l.at, "", "%s has no effect: %s", l.key, k.remark)
		}
	}
}

// set writes a key that a directive stands for, after its comments.
func (t *translation) set(l *line, key string, data any) {
	t.Comment(l.at, l.before...)
	l.before = nil
	t.Set(l.from, key, data)
}
