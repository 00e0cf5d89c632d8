// Package manual writes manual pages in mdoc from what the programs say of themselves: a page for each verb of ipvsctl from its
// help, and ipvsd.toml(5) from examples/reference.toml, which a test holds against the table of keywords. The pages are golden
// files in contrib/man: the tests that compare them write them anew with -update. What is written here by hand is ipvsd(8)
// and ipvsctl(1). Nothing here starts a goroutine.
package manual

import (
	"fmt"
	"strings"
)

// date is that of the last change of form; mandoc wants one that every build has.
const date = "November 22, 2026"

// page collects lines of mdoc.
type page struct{ strings.Builder }

// begin writes a page's first lines.
func begin(title, section string) *page {
	p := new(page)
	p.macro(`\" Written by a test: see pkg/manual.`)
	p.macro("Dd " + date)
	p.macro("Dt " + title + " " + section)
	p.macro("Os")
	return p
}

// macro writes a line of mdoc as it is.
func (p *page) macro(line string) { fmt.Fprintf(p, ".%s\n", line) }

// prose writes text, a sentence or more a paragraph, in lines that no macro can hide in.
func (p *page) prose(text string) {
	for i, paragraph := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if i > 0 {
			p.macro("Pp")
		}
		line := ""
		for word := range strings.FieldsSeq(paragraph) {
			if line != "" && (len(line)+1+len(word) > 78 || ends(line)) {
				p.text(line)
				line = ""
			}
			line = strings.TrimSpace(line + " " + word)
		}
		p.text(line)
	}
}

// ends says whether a sentence ends with a line: mdoc wants a new line then.
func ends(line string) bool { return strings.HasSuffix(line, ".") && !strings.HasSuffix(line, "..") }

func (p *page) text(line string) {
	if line != "" {
		p.WriteString(escape(line) + "\n")
	}
}

// escape keeps what roff would take for its own.
func escape(s string) string {
	s = strings.ReplaceAll(s, `\`, `\e`)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}

// quoted makes one argument of a macro.
func quoted(s string) string {
	return `"` + strings.ReplaceAll(escape(s), `"`, `\(dq`) + `"`
}
