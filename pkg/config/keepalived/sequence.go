package keepalived

import (
	"regexp"
	"strconv"
	"strings"
)

var (
	sequence     = regexp.MustCompile(`^~SEQ(x?)[ \t]*\([ \t]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*,([^()]*)\)`)
	anyReference = regexp.MustCompile(`\$(?:[A-Za-z_]\w*|\{[A-Za-z_]\w*\})`)
	list         = regexp.MustCompile(`^~LST[ \t]*\(([^()]*)\)`)
)

// repeat reads "~SEQ(name, start, step, end) line" and "~LST(name, value, ...) line": the line is read again and again, with a
// variable of that name. False: it is neither.
func (r *reader) repeat(s source) bool {
	if !strings.HasPrefix(s.text, "~SEQ") && !strings.HasPrefix(s.text, "~LST") {
		return false
	}
	head, _, closed := strings.Cut(s.text, ")")
	head = anyReference.ReplaceAllStringFunc(head, func(ref string) string { // here one may end without a blank, too
		if lines := r.variables[strings.Trim(ref, "${}")]; len(lines) == 1 {
			return lines[0].text
		}
		return ref
	})
	if closed {
		head += ")"
	}
	if m := sequence.FindStringSubmatch(head); m != nil {
		l := loop{names: []string{m[2]}, hex: m[1] != ""}
		if l.bounds(strings.Split(m[3], ",")) {
			return r.loop(s, l)
		}
	} else if m := list.FindStringSubmatch(head); m != nil {
		var l loop
		if l.list(m[1]) {
			return r.loop(s, l)
		}
	}
	r.say.Warn(s.all(), "write ~SEQ(name, start, step, end) or ~LST(name, value, value)", "keepalived can't read what is to be repeated, and leaves the line out")
	return true
}

// loop is the feed of a line that is repeated. A list has values, a sequence numbers.
type loop struct {
	line   source
	names  []string
	values [][]string
	hex    bool
	value  int64 // of a sequence, before it is written
	step   int64
	end    int64
}

// loop begins to repeat what is behind the parenthesis.
func (r *reader) loop(s source, l loop) bool {
	l.line = s.cut(strings.IndexByte(s.text, ')')+1, len(s.text))
	r.push(s, &l)
	return true
}

// bounds reads [[start,] step,] end: two are start and end.
func (l *loop) bounds(words []string) bool {
	var v []int64
	for _, w := range words {
		n, err := strconv.ParseInt(strings.ToLower(strings.Trim(w, blanks)), 0, 32)
		if err != nil {
			return false
		}
		v = append(v, n)
	}
	switch len(v) {
	case 1:
		l.value, l.end = 1, v[0]
		if v[0] < 0 {
			l.value = -1
		}
	case 2:
		l.value, l.end = v[0], v[1]
	case 3:
		l.value, l.step, l.end = v[0], v[1], v[2]
		return l.step > 0 && l.value <= l.end || l.step < 0 && l.value >= l.end
	default:
		return false
	}
	if l.step = 1; l.value > l.end {
		l.step = -1
	}
	return true
}

// list reads "name, value, ..." or "{name, name}, {value, value}, ...".
func (l *loop) list(text string) bool {
	rows := rows(text)
	if len(rows) < 2 {
		return false
	}
	l.names = rows[0]
	for _, n := range l.names {
		if !definition.MatchString("$" + n + "=") {
			return false
		}
	}
	for _, row := range rows[1:] {
		if len(row) > len(l.names) {
			return false
		}
		l.values = append(l.values, row)
	}
	return true
}

// rows splits a list at its commas; what stands in braces is one row of several.
func rows(text string) [][]string {
	var all [][]string
	for text = strings.Trim(text, blanks); ; {
		var item string
		if strings.HasPrefix(text, "{") {
			inner, rest, ok := strings.Cut(text[1:], "}")
			if !ok {
				return nil
			}
			var row []string
			for w := range strings.SplitSeq(inner, ",") {
				row = append(row, strings.Trim(w, blanks))
			}
			all = append(all, row)
			text = strings.Trim(rest, blanks)
			if text == "" {
				return all
			}
			if text[0] != ',' {
				return nil
			}
			text = strings.Trim(text[1:], blanks)
			continue
		}
		var more bool
		item, text, more = strings.Cut(text, ",")
		item, text = strings.Trim(item, blanks), strings.Trim(text, blanks)
		if strings.ContainsAny(item, blanks) {
			return nil
		}
		all = append(all, []string{item})
		if !more {
			return all
		}
	}
}

func (l *loop) next(r *reader) (source, bool) {
	if l.values != nil || l.step == 0 {
		if len(l.values) == 0 {
			return source{}, false
		}
		for i, n := range l.names {
			value := ""
			if i < len(l.values[0]) {
				value = l.values[0][i]
			}
			r.set(n, l.line.replace(value))
		}
		l.values = l.values[1:]
		return l.line, true
	}
	if l.step > 0 && l.value > l.end || l.step < 0 && l.value < l.end {
		return source{}, false
	}
	text := strconv.FormatInt(l.value, 10)
	if l.hex {
		text = strconv.FormatInt(l.value, 16)
	}
	r.set(l.names[0], l.line.replace(text))
	l.value += l.step
	return l.line, true
}
