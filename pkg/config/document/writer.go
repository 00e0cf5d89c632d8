package document

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/config"
)

// Writer writes the TOML of a Document, one statement after the other. The zero value is ready.
type Writer struct {
	text    strings.Builder
	origins []Origin
	found   config.Diagnostics
	indent  string
	odd     bool
	bare    bool
	dropped int
}

// Item is a value of a list, on a line of its own.
type Item struct {
	At       Origin
	Value    any      // as for Set
	Comments []string // of the original, on the lines before it
	Behind   string   // comment of the original at the end of its line; empty: none
}

func (w *Writer) line(at Origin, text string) {
	w.text.WriteString(w.indent)
	w.text.WriteString(text)
	w.text.WriteByte('\n')
	w.origins = append(w.origins, at)
}

// Comment writes lines of comment, without their marks. Blanks at their beginning are kept: they may be of a block that was taken out.
func (w *Writer) Comment(at Origin, lines ...string) {
	for _, l := range lines {
		l = strings.Map(printable, l)
		if strings.TrimLeft(l, " \t") == l {
			l = " " + l
		}
		w.line(at, strings.TrimRight("#"+l, " \t"))
	}
}

// Table begins a table: header is what stands in the brackets, such as Header("vrrp_instance", "VI_1"), and array says whether
// they are double. A blank line comes before it, and the lines of comment that belong to it. Depth is how far it is indented.
func (w *Writer) Table(at Origin, header string, array bool, depth int, comments ...string) {
	w.Gap()
	w.indent = strings.Repeat("  ", depth)
	w.Comment(at, comments...)
	if array {
		header = "[" + header + "]"
	}
	w.line(at, "["+header+"]")
}

// Gap writes a blank line, unless it would be the first.
func (w *Writer) Gap() {
	w.indent = ""
	if w.text.Len() > 0 {
		w.line(Origin{}, "")
	}
}

// Set writes "key = value". A value is a string, a bool, a number, a []string (on the same line), or Raw.
func (w *Writer) Set(at Origin, key string, value any) { w.line(at, Key(key)+" = "+literal(value)) }

// List writes a list with a line for each value.
func (w *Writer) List(at Origin, key string, items []Item) {
	w.line(at, Key(key)+" = [")
	before := w.indent
	w.indent += "  "
	for _, i := range items {
		w.Comment(i.At, i.Comments...)
		behind := ""
		if i.Behind != "" {
			behind = " # " + strings.TrimSpace(strings.Map(printable, i.Behind))
		}
		w.line(i.At, literal(i.Value)+","+behind)
	}
	w.indent = before
	w.line(at, "]")
}

// Insert writes lines that are TOML already, all from one place.
func (w *Writer) Insert(at Origin, text string) {
	w.indent = ""
	for line := range strings.Lines(text) {
		w.line(at, strings.TrimSuffix(line, "\n"))
	}
}

// Report says what was found elsewhere.
func (w *Writer) Report(found config.Diagnostics) { w.found = append(w.found, found...) }

// Error says what keeps the file from being used, and the hint what to write instead.
func (w *Writer) Error(at Origin, hint, format string, args ...any) {
	w.say(config.Error, at, hint, format, args...)
}

// Warn says what is used, but perhaps not as its author thinks.
func (w *Writer) Warn(at Origin, hint, format string, args ...any) {
	w.say(config.Warning, at, hint, format, args...)
}

// Drop warns of what the tool that the file was written for leaves out, and tells of when it tests the file.
func (w *Writer) Drop(at Origin, hint, format string, args ...any) {
	w.dropped++
	w.Assume(at, hint, format, args...)
}

// Assume warns of what that tool adds to the file, and tells of when it tests it.
func (w *Writer) Assume(at Origin, hint, format string, args ...any) {
	w.odd = true
	w.say(config.Warning, at, hint, format, args...)
}

// Skip warns of what that tool leaves out, too, but without a word of it when it tests the file.
func (w *Writer) Skip(at Origin, hint, format string, args ...any) {
	w.dropped++
	w.Warn(at, hint, format, args...)
}

// Odd says that the tool, when it tests the file, tells of something that package config or the host has a warning for.
func (w *Writer) Odd() { w.odd = true }

// Bare says that the tool, when it tests the file, complains that its scripts are not guarded.
func (w *Writer) Bare() { w.bare = true }

// Note says what is good to know and needs nobody to do anything.
func (w *Writer) Note(at Origin, hint, format string, args ...any) {
	w.say(config.Note, at, hint, format, args...)
}

func (w *Writer) say(s config.Severity, at Origin, hint, format string, args ...any) {
	w.found = append(w.found, config.Diagnostic{Position: at.Position, Width: max(at.Width, 1), Severity: s, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// Document returns what was written, and said, of the file that was named.
func (w *Writer) Document(name string, sources map[string]string) *Document {
	return &Document{Name: name, Text: w.text.String(), Origins: append([]Origin{}, w.origins...), Found: w.found, Odd: w.odd, Bare: w.bare, Dropped: w.dropped, Sources: sources}
}

// Raw is a value that is TOML already.
type Raw string

// Header joins the parts of a table's name, quoted where they have to be.
func Header(parts ...string) string {
	quoted := make([]string, len(parts))
	for i, p := range parts {
		quoted[i] = Key(p)
	}
	return strings.Join(quoted, ".")
}

// Key returns a key as TOML has it, in quotes if it is not bare.
func Key(key string) string {
	for _, c := range key {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", c) {
			return Quote(key)
		}
	}
	if key == "" {
		return `""`
	}
	return key
}

func literal(value any) string {
	switch v := value.(type) {
	case string:
		return Quote(v)
	case []string:
		quoted := make([]string, len(v))
		for i, s := range v {
			quoted[i] = Quote(s)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	case float64:
		s := strconv.FormatFloat(v, 'f', -1, 64)
		if v == float64(int64(v)) { // package config takes whole numbers wherever it takes others
			s = strconv.FormatInt(int64(v), 10)
		}
		return s
	}
	return fmt.Sprint(value)
}

// Quote returns a string as a basic one of TOML.
func Quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\t':
			b.WriteString(`\t`)
		case c == '\r':
			b.WriteString(`\r`)
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, c)
		default:
			b.WriteRune(c) // a byte that is no UTF-8 has become U+FFFD, which is all that TOML can hold
		}
	}
	b.WriteByte('"')
	return b.String()
}

// printable makes a blank of what a comment of TOML may not have.
func printable(c rune) rune {
	if c < ' ' && c != '\t' || c == 0x7f {
		return ' '
	}
	return c
}
