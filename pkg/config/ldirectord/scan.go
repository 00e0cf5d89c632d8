package ldirectord

import (
	"strings"
	"unicode/utf8"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/config/document"
)

// line is a directive: KEY = VALUE.
type line struct {
	key, value string
	at, from   document.Origin // of the keyword, and of the value
	before     []string        // comments on the lines before it
	behind     string          // comment at its end
}

// comments returns the comments of a line, which are then written.
func (l *line) comments() []string {
	list := l.before
	if l.behind != "" {
		list = append(list, l.behind)
	}
	l.before, l.behind = nil, ""
	return list
}

// section is a virtual service: the line that begins it, and those below.
type section struct {
	*line
	lines []*line
}

// scan splits a file into the lines that are for all services, the services, and comments behind all of them.
func (t *translation) scan(source string) (top []*line, sections []*section, trailer []string) {
	var open *section
	blank := false // the section has been ended by a blank line
	for n, text := range strings.Split(strings.TrimPrefix(source, "\ufeff"), "\n") {
		if rest, dos := strings.CutSuffix(text, "\r"); dos {
			text = rest
			t.warnOnce(t.origin(n, text, 0, len(text)), "dos2unix converts it",
				"lines end with CR LF, which ldirectord takes as part of the values")
		}
		content := strings.TrimLeft(text, " \t")
		at := t.origin(n, text, len(text)-len(content), max(len(strings.TrimRight(content, " \t")), 1))
		switch {
		case strings.TrimSpace(content) == "":
			blank = true
			if len(trailer) > 0 && trailer[len(trailer)-1] != "" {
				trailer = append(trailer, "")
			}
			if open != nil && columns(text) > 4 {
				t.Warn(at, "leave the line empty", "ldirectord refuses a line of blanks within a service")
			}
			continue
		case content[0] == '#':
			trailer = append(trailer, strings.TrimPrefix(content, "#"))
			continue
		}
		indent := columns(text[:len(text)-len(content)])
		l := t.directive(n, text, open != nil && indent > 0)
		if l == nil {
			continue
		}
		if n := len(trailer); n > 0 && trailer[n-1] == "" {
			trailer = trailer[:n-1]
		}
		l.before, trailer = trailer, nil
		begins := l.key == "virtual" || l.key == "virtual6"
		switch {
		case begins:
			open = &section{line: l}
			sections = append(sections, open)
			if indent > 0 {
				t.Warn(at, "begin the line with "+l.key, "ldirectord refuses %s behind blanks", l.key)
			}
		case indent == 0:
			top, open = append(top, l), nil
		case open == nil:
			t.Warn(at, "begin the line with "+l.key, "ldirectord refuses directives behind blanks before the first service")
			top = append(top, l)
		case indent < 4:
			t.Error(at, "indent it by 4 blanks or a tab if it is for this service; begin the line with it if it is for all",
				"%s is indented by less than 4 blanks", l.key)
		default:
			if blank {
				t.Warn(at, "leave out the blank line before it", "ldirectord ends a service at a blank line, and refuses %s after it", l.key)
			}
			open.lines = append(open.lines, l)
		}
		blank = false
	}
	if n := len(trailer); n > 0 && trailer[n-1] == "" {
		trailer = trailer[:n-1]
	}
	return top, sections, trailer
}

// directive splits a line at the sign of equality, and cuts off a comment. It is nil if it is none, which is told.
func (t *translation) directive(n int, text string, inService bool) *line {
	l := &line{}
	if i := comment(text); i >= 0 {
		l.behind = strings.TrimLeft(text[i:], "#")
		if !inService && !strings.HasPrefix(strings.TrimSpace(text), "virtual") {
			t.warnOnce(t.origin(n, text, i, len(text)-i), "put the comment on a line of its own", "ldirectord takes a comment behind a directive for all services as part of the value, and refuses most")
		}
		text = text[:i]
	}
	if i := strings.IndexByte(text, '#'); i >= 0 && inService {
		t.Warn(t.origin(n, text, i, 1), "", "ldirectord takes a # for the beginning of a comment, even within quotes, and refuses the line; here it is part of the value")
	}
	key, value, assigned := strings.Cut(text, "=")
	start := len(key) - len(strings.TrimLeft(key, " \t"))
	l.key = strings.TrimSpace(key)
	l.at = t.origin(n, text, start, len(l.key))
	l.value = strings.TrimSpace(value)
	from := len(text) - len(strings.TrimLeft(value, " \t"))
	l.from = t.origin(n, text, from, max(len(l.value), 1))
	if assigned {
		return l
	}
	if l.key == "supervised" {
		t.Warn(l.at, "write supervised=yes", "ldirectord takes this, but wants a value")
		l.value, l.from = "yes", l.at
		return l
	}
	t.Error(l.at, "write KEYWORD=VALUE, or # before a comment", "ldirectord knows no command %q", l.key)
	return nil
}

// comment returns where a comment begins that is outside of quotes, -1 if there is none.
func comment(text string) int {
	quoted := false
	for i := range len(text) {
		switch {
		case text[i] == '"':
			quoted = !quoted
		case text[i] == '#' && !quoted:
			return i
		}
	}
	if i := strings.IndexByte(text, '#'); quoted && i >= 0 && strings.Count(text[:i], `"`)%2 == 0 {
		return i // the quote is in the comment
	}
	return -1
}

// columns returns how wide blanks are: a tab is four columns.
func columns(blanks string) int { return len(blanks) + 3*strings.Count(blanks, "\t") }

// origin is a place on a line, from a byte on.
func (t *translation) origin(n int, text string, from, width int) document.Origin {
	from = min(from, len(text))
	return document.Origin{
		Position: config.Position{File: t.name, Line: n + 1, Column: utf8.RuneCountInString(text[:from]) + 1},
		Width:    utf8.RuneCountInString(text[from:min(from+width, len(text))]),
	}
}
