package doctor

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
)

var sgr = map[Severity]string{Problem: "31", Warning: "33", Note: "2"}

// Text prints the report for people, with colours if wanted.
func (r *Report) Text(w io.Writer, color bool) error {
	var b bytes.Buffer
	for _, f := range r.Findings {
		f.Where, f.On = printable(f.Where), printable(f.On)
		severity := strings.ToUpper(string(f.Severity))
		if color {
			severity = "\x1b[" + sgr[f.Severity] + "m" + severity + "\x1b[0m"
		}
		fmt.Fprintf(&b, "%s %s: %s\n", severity, f.ID, f.Where)
		wrap(&b, f.What)
		wrap(&b, "Why it matters: "+f.Why)
		if len(f.Mend) > 0 {
			on := ""
			if f.On != "" {
				on = " on " + f.On
			}
			fmt.Fprintf(&b, "  To mend it, type%s:\n", on)
			for _, command := range f.Mend {
				fmt.Fprintf(&b, "    %s\n", printable(command))
			}
		}
		if f.Then != "" {
			wrap(&b, f.Then)
		}
		fmt.Fprintln(&b)
	}
	if len(r.Findings) == 0 {
		fmt.Fprint(&b, "Nothing found.\n\n")
	}
	if len(r.Unseen) > 0 {
		fmt.Fprintln(&b, "What was not, or can't be, seen from here:")
		for _, u := range r.Unseen {
			wrap(&b, u.ID+": "+u.Why)
		}
		fmt.Fprintln(&b)
	}
	_, err := w.Write(b.Bytes()[:b.Len()-1]) // without the last empty line
	return err
}

// printable is a text without what moves a terminal's cursor: names of interfaces, chains and units can have it.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, text)
}

// wrap prints a text in lines that a terminal holds, indented.
func wrap(w io.Writer, text string) {
	const width, indent = 100, "  "
	line := indent
	for word := range strings.FieldsSeq(text) {
		word = printable(word)
		if len(line)+1+len(word) > width && len(line) > len(indent) {
			fmt.Fprintln(w, line)
			line = indent
		}
		if len(line) > len(indent) {
			line += " "
		}
		line += word
	}
	fmt.Fprintln(w, line)
}
