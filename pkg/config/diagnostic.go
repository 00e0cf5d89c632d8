package config

import (
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Severity says whether a Diagnostic keeps the file from being used.
type Severity uint8

// The severities.
const (
	Error   Severity = iota // the file is refused
	Warning                 // the file is used, but perhaps not as its author thinks
	Note                    // good to know; nobody has to do anything
)

func (s Severity) String() string { return [...]string{"error", "warning", "note"}[s] }

// MarshalText makes a severity a JSON string.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Diagnostic is one thing to say about a configuration file.
type Diagnostic struct {
	Position
	Width    int      `json:"width"` // characters to underline from Position on, at least 1
	Severity Severity `json:"severity"`
	Path     string   `json:"path,omitempty"` // virtual_server[1].real_server[0].weight; indices count from 0
	Message  string   `json:"message"`
	Hint     string   `json:"hint,omitempty"` // what to write instead
	Also     string   `json:"-"`              // lines that Once has left out: "lines 7, 9, 12 and 40 more"
}

// String returns the first line of what Print writes: "ipvsd.toml:4:11: message".
func (d Diagnostic) String() string {
	s := d.Position.String() + ": "
	if d.Severity != Error {
		s += d.Severity.String() + ": "
	}
	return s + d.Message
}

// Diagnostics is all there is to say about a file, in the order of the file.
type Diagnostics []Diagnostic

// Err returns nil if there are only warnings and notes, else an *InvalidError.
func (ds Diagnostics) Err() error {
	if ds.Count(Error) == 0 {
		return nil
	}
	return &InvalidError{ds}
}

// Strict returns the same with errors for warnings.
func (ds Diagnostics) Strict() Diagnostics {
	strict := slices.Clone(ds)
	for i := range strict {
		if strict[i].Severity == Warning {
			strict[i].Severity = Error
		}
	}
	return strict
}

// Count returns how many there are of a severity.
func (ds Diagnostics) Count(s Severity) int {
	n := 0
	for _, d := range ds {
		if d.Severity == s {
			n++
		}
	}
	return n
}

// InvalidError is the error of a file that was refused.
type InvalidError struct{ Diagnostics Diagnostics }

// Error returns the first error, and how many more there are.
func (e *InvalidError) Error() string {
	i := slices.IndexFunc(e.Diagnostics, func(d Diagnostic) bool { return d.Severity == Error })
	if i < 0 {
		return "invalid configuration"
	}
	s := e.Diagnostics[i].String()
	if more := e.Diagnostics.Count(Error) - 1; more > 0 {
		s += fmt.Sprintf(" (and %d more)", more)
	}
	return s
}

// Print writes each diagnostic of Once with the line of the source that it is about, the place underlined, and the hint.
func (ds Diagnostics) Print(w io.Writer, source []byte) error {
	if len(ds) == 0 {
		return nil
	}
	lines := strings.Split(withoutMark(string(source)), "\n")
	for _, d := range ds.Once() {
		if _, err := io.WriteString(w, d.format(lines)); err != nil {
			return err
		}
	}
	return nil
}

// Format returns what Print writes.
func (ds Diagnostics) Format(source []byte) string {
	var b strings.Builder
	ds.Print(&b, source) // a Builder never fails
	return b.String()
}

func (d Diagnostic) format(lines []string) string {
	var b strings.Builder
	b.WriteString(d.String() + "\n")
	if d.Line >= 1 && d.Line <= len(lines) {
		text, before, under := excerpt(withoutSecrets(strings.TrimRight(lines[d.Line-1], "\r")), d.Column, d.Width)
		number := fmt.Sprint(d.Line)
		fmt.Fprintf(&b, "  %s | %s\n", number, text)
		fmt.Fprintf(&b, "  %s | %s%s\n", strings.Repeat(" ", len(number)), before, strings.Repeat("^", under))
	}
	if d.Hint != "" {
		b.WriteString("hint: " + d.Hint + "\n")
	}
	if d.Also != "" {
		b.WriteString("also on " + d.Also + "\n")
	}
	return b.String()
}

// assignment is the beginning of one, in a line that may be no TOML; assigned is the value that follows.
var (
	assignment = regexp.MustCompile(`([\w-]+)["']?\s*=\s*`)
	// unassigned is the same where there is no sign between the two, as in keepalived.conf, there perhaps behind a brace.
	unassigned = regexp.MustCompile(`(?:^|[{}])\s*([\w-]+)\s+([^\s={}#!][^{}]*)`)
	// within is the same behind other words of the line, where only what can be nothing else counts.
	within   = regexp.MustCompile(`(?i)\s([\w-]*(?:passw|pwd|secret|authorization|_pass\b)[\w-]*)\s+([^\s={}#!].*)`)
	assigned = regexp.MustCompile(`^(?:"(?:\\.|[^"\\])*"?|'[^']*'?|\[[^\]]*\]?|\{.*|[^\s,}\]]+)`)
)

// secretive says whether a word is the name of what nobody should see, as well as it is spelled.
func secretive(word string) bool {
	word = strings.ToLower(word)
	switch {
	case strings.HasSuffix(word, "_file"), word == "authentication":
		return false
	case word == "pass", word == "pw", strings.HasSuffix(word, "_pass"), word == "key", strings.Trim(word, "0123456789") == "": // of auth_hmac
		return true
	}
	for _, part := range []string{"passw", "pwd", "secret", "authorization", "token", "cookie", "api-key", "api_key", "apikey"} {
		if strings.Contains(word, part) {
			return true
		}
	}
	return closest(word, []string{"passwd", "password", "secret", "authorization", "auth_pass"}) != ""
}

// withoutSecrets returns a line with stars for each character of a secret.
func withoutSecrets(line string) string {
	for _, m := range append(unassigned.FindAllStringSubmatchIndex(line, -1), within.FindAllStringSubmatchIndex(line, -1)...) {
		if secretive(line[m[2]:m[3]]) {
			return line[:m[4]] + strings.Repeat("*", utf8.RuneCountInString(line[m[4]:])) // and whatever follows
		}
	}
	var b strings.Builder
	from := 0
	for _, m := range assignment.FindAllStringSubmatchIndex(line, -1) {
		value := assigned.FindString(line[m[1]:])
		// Of a webhook, where many have a token in it; in the tables of checks there is none.
		hook := line[m[2]:m[3]] == "url" && strings.Contains(value, "://") &&
			(strings.Trim(line[:m[2]], " \t\"'") == "" || strings.Contains(line, "webhook"))
		if m[1] < from || !hook && !secretive(line[m[2]:m[3]]) {
			continue
		}
		if line[m[2]:m[3]] == "key" && strings.HasPrefix(strings.Trim(value, `"'`), "/") { // of SSL: where it is
			continue
		}
		b.WriteString(line[from:m[1]])
		b.WriteString(strings.Repeat("*", utf8.RuneCountInString(value)))
		from = m[1] + len(value)
	}
	return b.String() + line[from:]
}

// widest is how many characters of a source line are shown.
const widest = 140

// excerpt returns the part of a line that is worth showing, what to write before the underline, and its length.
func excerpt(line string, column, width int) (text, before string, under int) {
	r := []rune(printable(line))
	from := max(0, min(column-1, len(r)))
	first := 0
	if len(r) > widest && from > widest/2 {
		first = from - widest/2
	}
	last := min(len(r), first+widest)
	text = string(r[first:last])
	var lead strings.Builder
	if first > 0 {
		text = "... " + text
		lead.WriteString("    ")
	}
	if last < len(r) {
		text += " ..."
	}
	for _, c := range r[first:from] {
		if c != '\t' { // a tab is as wide below as above
			c = ' '
		}
		lead.WriteRune(c)
	}
	return text, lead.String(), max(1, min(width, last-from))
}

// printable replaces what a terminal might obey.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if c != '\t' && unicode.IsControl(c) {
			return utf8.RuneError
		}
		return c
	}, s)
}

// With returns these diagnostics and more of the same file, in its order.
func (ds Diagnostics) With(more Diagnostics) Diagnostics {
	return slices.Concat(ds, more).arrange()
}

// before says whether a diagnostic is about an earlier place of the file.
func (d Diagnostic) before(other Diagnostic) bool {
	return cmp.Or(cmp.Compare(d.Line, other.Line), cmp.Compare(d.Column, other.Column)) < 0
}

// arrange puts the diagnostics into the order of the file and drops those that say the same of the same place, as happens
// when many servers inherit one wrong value.
func (ds Diagnostics) arrange() Diagnostics {
	slices.SortStableFunc(ds, func(a, b Diagnostic) int {
		return cmp.Or(
			cmp.Compare(a.File, b.File), // a text made of another may have parts of several
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Severity, b.Severity),
			cmp.Compare(a.Message, b.Message),
		)
	})
	return slices.CompactFunc(ds, func(a, b Diagnostic) bool {
		return a.Position == b.Position && a.Message == b.Message
	})
}

// String returns "file:line:column".
func (p Position) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column) }

// spot is what a diagnostic is about: a part of the text, and the block and field that it belongs to.
type spot struct {
	span
	block *block // nil where the syntax is broken
	field string // empty for the block itself
}

func (s spot) path() string {
	switch {
	case s.block == nil:
		return s.field
	case s.field == "":
		return s.block.path()
	}
	return s.block.pathTo(s.field)
}

// report collects diagnostics on one file.
type report struct {
	lines   *lines
	line    func(int) string // Loader.Line
	found   Diagnostics
	outside places
}

func (r *report) diagnostic(s Severity, at spot, message, hint string) Diagnostic {
	return Diagnostic{
		Position: r.lines.position(at.from),
		Width:    r.lines.width(at.span),
		Severity: s,
		Path:     at.path(),
		Message:  message,
		Hint:     hint,
	}
}

// fail reports an error, with a hint what to write instead.
func (r *report) fail(at spot, hint, format string, args ...any) {
	r.found = append(r.found, r.diagnostic(Error, at, fmt.Sprintf(format, args...), hint))
}

// firstAt is the hint for what is there twice.
func (r *report) firstAt(at spot) string {
	return "the first one is on " + r.lineOf(at.from)
}

// lineOf is what a message calls the line of a byte.
func (r *report) lineOf(offset int) string {
	line := r.lines.position(offset).Line
	if r.line != nil {
		return r.line(line)
	}
	return fmt.Sprintf("line %d", line)
}

// warn reports what is allowed but probably not meant.
func (r *report) warn(at spot, hint, format string, args ...any) {
	r.found = append(r.found, r.diagnostic(Warning, at, fmt.Sprintf(format, args...), hint))
}

// shown quotes a value of the file for a message, shortened when it is long.
func shown(v any) string {
	switch v := v.(type) {
	case string:
		if utf8.RuneCountInString(v) > 60 {
			v = string([]rune(v)[:57]) + "..."
		}
		return fmt.Sprintf("%q", v)
	case []any, []map[string]any:
		return "a list"
	case map[string]any:
		return "a table"
	case fmt.Stringer: // the library's dates and times
		return "a date"
	}
	return fmt.Sprint(v)
}
