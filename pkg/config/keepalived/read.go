package keepalived

import (
	"strings"
	"unicode/utf8"

	"github.com/ipvsd/ipvsd/pkg/config/document"
)

// limits keep a file that repeats itself from using up the machine. keepalived has none.
type limits struct {
	lines    int // in all, with those that are included and repeated
	length   int // bytes of a line, after variables have been replaced
	depth    int // files and variables within each other
	findings int // things to say about the syntax
}

// normal leaves room for each example of the manual.
var normal = limits{lines: 4_000_000, length: 64 << 10, depth: 64, findings: 200}

// longest is how many bytes of a line keepalived reads; it takes what follows for another line.
const longest = 1023

// statement is a line as it comes to be read: without its comment, its conditions met, its variables replaced.
type statement struct {
	parts   []segment // until the next one is read
	comment string    // at its end; or all there is
}

// reader reads the lines of a file and of those that it includes.
type reader struct {
	host      document.Host
	say       *document.Writer
	limits    limits
	id        string // that conditions ask for
	stack     []feed // the last is read from
	variables map[string][]source
	missed    map[string]bool   // variables that there are not
	sources   map[string]string // of all files that were read, by name
	parts     []segment         // of the last statement
	check     includeCheck
	count     int  // of lines
	random    int  // of numbers that were drawn
	stopped   bool // for good
}

// feed is where lines come from: a file, a variable of several lines, what a sequence repeats.
type feed interface {
	// next returns the next line, with its comment if it is of a file.
	next(r *reader) (source, bool)
}

// next returns the next line that is not read over.
func (r *reader) next() (statement, bool) {
	for len(r.stack) > 0 && !r.stopped {
		raw, ok := r.stack[len(r.stack)-1].next(r)
		if !ok {
			r.pop()
			continue
		}
		if r.count++; r.count > r.limits.lines {
			r.stop(raw, "of what is repeated, leave out what isn't used", "there are more than %d lines, with what is included and repeated", r.limits.lines)
			break
		}
		if s, ok := r.statement(raw); ok {
			return s, true
		}
	}
	return statement{}, false
}

// stop ends the reading with an error.
func (r *reader) stop(s source, hint, format string, args ...any) {
	r.say.Error(s.all(), hint, format, args...)
	r.stopped = true
}

func (r *reader) push(at source, f feed) {
	if len(r.stack) >= r.limits.depth {
		r.stop(at, "something includes or repeats itself", "includes and variables are more than %d deep", r.limits.depth)
		return
	}
	r.stack = append(r.stack, f)
}

func (r *reader) pop() {
	if f, ok := r.stack[len(r.stack)-1].(*fileFeed); ok {
		r.check = f.check
	}
	r.stack = r.stack[:len(r.stack)-1]
}

// statement makes a statement of a line. Not ok: there is nothing left of it, or others take its place.
func (r *reader) statement(raw source) (statement, bool) {
	s, said := r.uncommented(raw)
	out := statement{comment: said}
	for replacements := 0; ; replacements++ {
		if strings.HasPrefix(s.text, "@") {
			var unmet bool
			if s, unmet = r.condition(s); unmet {
				return out, false
			}
			continue
		}
		if strings.HasPrefix(s.text, "~") && r.repeat(s) {
			return out, false
		}
		if r.define(s, raw) {
			return statement{comment: said}, said != ""
		}
		replaced, more, changed := r.replace(s)
		if r.stopped {
			return out, false
		}
		if !changed {
			break
		}
		if replacements >= r.limits.depth || len(replaced.text) > r.limits.length {
			r.stop(s, "a variable that is part of itself has no end", "replacing the variables of this line comes to no end")
			return out, false
		}
		if s = replaced; len(more) > 0 {
			r.push(s, &bodyFeed{more})
		}
	}
	if s.replaced > 0 {
		if end, _ := comment(s.text); end < len(s.text) {
			r.say.Warn(s.all(), "put it between double quotes", "a %c comes from a variable, and keepalived takes it for the beginning of a comment", s.text[end])
			s = s.cut(0, end)
		}
	}
	if strings.Contains(s.text, "include_check") {
		if found := strings.Fields(s.text); found[0] == "include_check" {
			r.checks(found[1:])
		}
	}
	var unmatched bool
	r.parts, unmatched = segments(r.parts[:0], s)
	out.parts = r.parts
	if unmatched {
		r.say.Warn(s.all(), "a second one is missing", "a double quote has no partner: keepalived loses what is behind it")
	}
	if last := len(out.parts) - 1; last >= 0 && out.parts[last].include {
		r.include(out.parts[last].source)
		out.parts = out.parts[:last]
	}
	return out, true
}

// uncommented takes the comment from a line.
func (r *reader) uncommented(raw source) (s source, said string) {
	end, escaped := comment(raw.text)
	if end < len(raw.text) {
		said = strings.TrimRight(strings.TrimLeft(raw.text[end:], "#!"), blanks+"#")
		if said == "" {
			said = " "
		}
	}
	if escaped {
		r.say.Warn(raw.at(end-1, end+1), "put it between double quotes",
			"keepalived takes \\%c for the beginning of a comment, but for keywords of global_defs", raw.text[end])
		end--
	}
	return raw.cut(0, end), said
}

// bodyFeed is the lines of a variable but the first.
type bodyFeed struct{ lines []source }

func (b *bodyFeed) next(*reader) (source, bool) {
	if len(b.lines) == 0 {
		return source{}, false
	}
	l := b.lines[0]
	b.lines = b.lines[1:]
	return l, true
}

// fileFeed is the lines of a file.
type fileFeed struct {
	name  string
	rest  string
	line  int
	check includeCheck // of the file that includes it
}

func (f *fileFeed) next(r *reader) (source, bool) {
	if f.rest == "" {
		return source{}, false
	}
	text, rest, _ := strings.Cut(f.rest, "\n")
	f.rest = rest
	f.line++
	s := source{text: text, file: f.name, line: f.line, column: 1}
	if i := strings.IndexByte(text, 0); i >= 0 {
		r.say.Error(s.at(i, i+1), "write the file anew, or leave the byte out",
			"there is a byte 0, as in a file that is damaged or no text: keepalived would take what it can read of it")
		s.text = text[:i]
	}
	if len(s.text) > longest && strings.Trim(s.text[longest:], blanks) != "" {
		r.say.Assume(s.at(longest, len(s.text)), "make several lines of it", "keepalived reads lines of up to %d bytes, and takes what is from here on for a line of its own", longest)
	}
	if !utf8.ValidString(s.text) {
		s.text = strings.ToValidUTF8(s.text, "\ufffd")
	}
	return s, true
}
