// Package ldirectord reads a ldirectord.cf, in the grammar and with the meanings of ldirectord 1.186, and writes it as ipvsd's
// TOML (package document). Every directive is honoured, mapped, or refused with what to write instead: the table of them says which.
//
// What ldirectord would refuse although it is plain what is meant, such as a comment behind a global directive, is taken with a
// warning; what it would take for something else than its author meant is an error. What its checks pass by mistake (a mailbox
// server that can't be reached, without a login) is checked, and a warning says so.
//
// The stages, a file each: scan (text to lines), keyword (the table of directives), value (what stands behind the sign of equality),
// global, service, server, check (the TOML of each). Nothing here opens a file or starts a goroutine.
package ldirectord

import (
	"strings"

	"github.com/ipvsd/ipvsd/pkg/config/document"
)

// Translate reads a ldirectord.cf. The name is what the diagnostics call it. Names of hosts and ports are asked of the host.
func Translate(name string, source []byte, host document.Host, settings document.Settings) *document.Document {
	t := &translation{Writer: new(document.Writer), host: host, abroad: settings.Elsewhere, name: name, once: make(map[string]bool)}
	top, sections, trailer := t.scan(string(source))
	t.global = t.values(inGlobal, top)
	services := make([]*service, 0, len(sections))
	for _, s := range sections {
		services = append(services, t.read(s))
	}
	t.globalDefs(top, services)
	for _, s := range services {
		if s.ok {
			t.service(s)
		}
	}
	if len(trailer) > 0 {
		t.Insert(document.Origin{}, "\n")
		t.Comment(document.Origin{}, trailer...)
	}
	d := t.Document(name, map[string]string{name: string(source)})
	d.Reword = func(hint string) string { return hints[hint] }
	return d
}

// hints are those of package config that come of what a ldirectord.cf has, or has not, in its words.
var hints = map[string]string{
	"add TCP_CHECK = true, or TCP_CHECK = false if that is meant":           "write checktype=connect, unless that is meant",
	`write real_servers = ["10.0.100.2:80"]`:                                "write real=10.0.100.2:80 gate below it",
	"write [[virtual_server]] with an address, a protocol and real_servers": "write virtual=ADDRESS:PORT, with lines real= below it",
}

// translation is one file on its way.
type translation struct {
	*document.Writer
	host   document.Host
	abroad bool // it need not be the host that the file is for
	name   string
	global values          // what is said for all services
	once   map[string]bool // what was told and need not be told again
}

// noteOnce tells what is the same for many lines.
func (t *translation) noteOnce(at document.Origin, hint, text string) {
	if !t.once[text] {
		t.once[text] = true
		t.Note(at, hint, "%s", text)
	}
}

// warnOnce is the same, for warnings.
func (t *translation) warnOnce(at document.Origin, hint, text string) {
	if !t.once[text] {
		t.once[text] = true
		t.Warn(at, hint, "%s", text)
	}
}

// comments writes the comments of lines that have not been written.
func (t *translation) comments(lines ...*line) {
	for _, l := range lines {
		t.Comment(l.at, l.comments()...)
	}
}

// remaining writes the comments of lines for which there is no line here, those at their ends with what they are about.
func (t *translation) remaining(lines ...*line) {
	for _, l := range lines {
		if l.behind != "" {
			l.behind = " " + l.key + ": " + strings.TrimSpace(l.behind)
		}
		t.comments(l)
	}
}

// set writes a key that a directive stands for, after its comments.
func (t *translation) set(v *value, key string, data any) {
	t.comments(v.line)
	t.Set(v.line.from, key, data)
}

// put writes a key for a directive, or for its default: then it comes from the line at.
func (t *translation) put(v *value, at *line, key string, data any) {
	if v == nil {
		t.Set(at.at, key, data)
		return
	}
	t.set(v, key, data)
}
