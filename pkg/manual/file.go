package manual

import (
	"regexp"
	"strings"
)

var (
	heading = regexp.MustCompile(`^\s*#?(\[+[\w".]+\]+)\s*(?:#\s*(.*))?$`)
	keyword = regexp.MustCompile(`^\s*#?((?:[a-z][\w-]*|[A-Z]+_[A-Z]+|"[^"]+") = .*)$`)
	// remark parts a value from the comment behind it: a value may have marks in quotes.
	remark = regexp.MustCompile(`^((?:[^#"']|"(?:\\.|[^"\\])*"|'[^']*')*?)\s+#\s+(.*)$`)
	behind = regexp.MustCompile(`^\s{8,}#\s*(.*)$`)
	ruler  = regexp.MustCompile(`^# -{3,}\s*(.*)$`)
)

// File returns ipvsd.toml(5), made of the reference: comments are the text, and keywords with their values the items of lists.
func File(reference string) []byte {
	p := begin("IPVSD.TOML", "5")
	p.macro("Sh NAME")
	p.macro("Nm ipvsd.toml")
	p.macro("Nd configuration of ipvsd")
	p.macro("Sh DESCRIPTION")
	f := &file{page: p, fresh: true}
	for line := range strings.Lines(reference) {
		f.line(strings.TrimRight(line, "\r\n"))
	}
	f.end()
	p.macro("Sh FILES")
	p.macro("Bl -tag -width Ds")
	p.macro("It Pa /etc/ipvsd/ipvsd.toml")
	p.text("What ipvsd reads unless it is told another file.")
	p.macro("El")
	p.macro("Sh SEE ALSO")
	p.macro("Xr ipvsctl 1 ,")
	p.macro("Xr ipvsd 8")
	return []byte(p.String())
}

// file is a page in the making.
type file struct {
	*page
	words []string // of the paragraph, or of an item's description
	list  bool     // a list is open
	fresh bool     // nothing stands in the section yet
}

func (f *file) line(line string) {
	switch {
	case strings.TrimSpace(line) == "":
		f.flush()
	case ruler.MatchString(line):
		f.flush()
		if text := ruler.FindStringSubmatch(line)[1]; strings.Trim(text, "-") != "" {
			f.words = append(f.words, text)
		}
	case heading.MatchString(line):
		m := heading.FindStringSubmatch(line)
		before := f.words // a table is described before its name
		f.words = nil
		f.end()
		kind := "Table "
		if strings.HasPrefix(m[1], "[[") {
			kind = "List of tables "
		}
		f.macro("Ss " + quoted(kind+strings.Trim(m[1], "[]")))
		f.fresh = true
		f.words = before
		if m[2] != "" {
			f.words = append(f.words, m[2])
		}
		f.flush()
	case keyword.MatchString(line):
		f.flush()
		text := keyword.FindStringSubmatch(line)[1]
		if m := remark.FindStringSubmatch(text); m != nil {
			text, f.words = m[1], []string{m[2]}
		}
		if !f.list {
			f.macro("Bl -tag -width Ds")
			f.list = true
		}
		f.macro("It Li " + quoted(strings.TrimSpace(text)))
	case f.list && len(f.words) > 0 && behind.MatchString(line):
		f.words = append(f.words, behind.FindStringSubmatch(line)[1])
	case strings.HasPrefix(strings.TrimSpace(line), "#"):
		if f.list {
			f.end()
		}
		f.words = append(f.words, strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "#")))
	default: // a value of several lines
		f.words = append(f.words, strings.TrimSpace(line))
	}
}

// flush writes the text that was collected.
func (f *file) flush() {
	if len(f.words) == 0 {
		return
	}
	if !f.list && !f.fresh {
		f.macro("Pp")
	}
	text := strings.Join(f.words, " ")
	if !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, ":") {
		text += "."
	}
	f.prose(text)
	f.words, f.fresh = nil, false
}

// end closes a list.
func (f *file) end() {
	f.flush()
	if f.list {
		f.macro("El")
		f.list = false
	}
}
