package config

import (
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The TOML library says where a syntax error is, but not where a value is: its index has one slot for each dotted key, so
// of several [[virtual_server]] all would stand where the last one does. This file scans the surface of a document a
// second time, for positions only. It trusts the library: what it is given has been accepted.

// span is a part of the text, in bytes.
type span struct{ from, to int }

// place is where a value stands, with the places of what it holds: the fields of a table, the items of an array.
type place struct {
	key    span // of its name; in an array of tables, of the last part of the header
	value  span // of a table: its header, or the inline table
	fields map[string]*place
	items  []*place
}

// field returns the place of a field. Should it not be known, the whole table has to do.
func (p *place) field(name string) *place {
	if f := p.fields[name]; f != nil {
		return f
	}
	return p
}

// item returns the place of an item of an array. Should it not be known, the whole array has to do.
func (p *place) item(i int) *place {
	if i < len(p.items) {
		return p.items[i]
	}
	return p
}

// at returns the place that a dotted key leads to, made if need be. On the way, an array of tables stands for its last one.
func (p *place) at(key []keyPart) *place {
	for _, k := range key {
		if n := len(p.items); n > 0 {
			p = p.items[n-1]
		}
		f := p.fields[k.name]
		if f == nil {
			f = &place{key: k.span, value: k.span}
			if p.fields == nil {
				p.fields = make(map[string]*place, 4)
			}
			p.fields[k.name] = f
		}
		p = f
	}
	return p
}

// keyPart is one part of a dotted key.
type keyPart struct {
	name string
	span
}

// locate returns the places of everything in a document.
func locate(text string) *place {
	s := scanner{text: text}
	root := &place{}
	table := root
	for s.skip(" \t\r\n"); s.at < len(s.text); s.skip(" \t\r\n") {
		if s.peek() == '[' {
			table = s.header(root)
		} else {
			s.pair(table)
		}
	}
	return root
}

type scanner struct {
	text string
	at   int
	key  []keyPart // the last dotted key
}

// peek returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

// skip goes over these characters and over comments.
func (s *scanner) skip(these string) {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == '#':
			for s.at < len(s.text) && s.text[s.at] != '\n' {
				s.at++
			}
		case strings.IndexByte(these, c) >= 0:
			s.at++
		default:
			return
		}
	}
}

// header reads [a.b] or [[a.b]] and returns the table that it opens.
func (s *scanner) header(root *place) *place {
	from := s.at
	array := strings.HasPrefix(s.text[s.at:], "[[")
	s.skip("[ \t")
	key := s.dottedKey()
	s.skip(" \t")
	for n := 0; s.peek() == ']' && n < 2; n++ {
		s.at++
	}
	table := root.at(key)
	opened := &place{key: key[len(key)-1].span, value: span{from, s.at}}
	if len(table.items) == 0 {
		table.key, table.value = opened.key, opened.value
	}
	if !array {
		return table
	}
	table.items = append(table.items, opened)
	return opened
}

// pair reads key = value into a table.
func (s *scanner) pair(table *place) {
	p := table.at(s.dottedKey())
	s.skip(" \t")
	s.at = min(s.at+1, len(s.text)) // =
	s.skip(" \t")
	s.value(p)
}

func (s *scanner) value(p *place) {
	from := s.at
	switch s.peek() {
	case '"', '\'':
		s.quoted()
	case '[':
		s.at++
		for s.skip(" \t\r\n,"); s.at < len(s.text) && s.text[s.at] != ']'; s.skip(" \t\r\n,") {
			item := &place{}
			s.value(item)
			item.key = item.value
			p.items = append(p.items, item)
		}
		s.at++
	case '{':
		s.at++
		for s.skip(" \t\r\n,"); s.at < len(s.text) && s.text[s.at] != '}'; s.skip(" \t\r\n,") {
			s.pair(p)
		}
		s.at++
	default: // a number, a boolean, a date, perhaps with a blank before its time
		end := strings.IndexAny(s.text[s.at:], ",]}#\n")
		if end < 0 {
			end = len(s.text) - s.at
		}
		word := strings.TrimRight(s.text[s.at:s.at+end], " \t\r")
		s.at += max(len(word), 1)
	}
	s.at = min(s.at, len(s.text))
	p.value = span{from, s.at}
}

// quoted goes over a string of any of the four sorts.
func (s *scanner) quoted() {
	quote := s.text[s.at : s.at+1]
	end := quote
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(s.text[s.at:], triple) {
		end = triple
	}
	s.at += len(end)
	for s.at < len(s.text) && !strings.HasPrefix(s.text[s.at:], end) {
		if s.text[s.at] == '\\' && quote == `"` {
			s.at++
		}
		s.at++
	}
	s.at += len(end)
	for len(end) == 3 && s.at < len(s.text) && s.text[s.at] == quote[0] {
		s.at++ // """ends with a "quote"""" of its own
	}
	s.at = min(s.at, len(s.text))
}

// dottedKey reads the parts of a key. There is always one, however broken the text. They hold until the next call.
func (s *scanner) dottedKey() []keyPart {
	s.key = s.key[:0]
	for {
		s.skip(" \t")
		from := s.at
		if c := s.peek(); c == '"' || c == '\'' {
			s.quoted()
			name := strings.TrimSuffix(s.text[from+1:s.at], string(c))
			if c == '"' {
				name = unescape(name)
			}
			s.key = append(s.key, keyPart{name, span{from, s.at}})
		} else {
			for s.at < len(s.text) && strings.IndexByte(" \t\r\n.=]#", s.text[s.at]) < 0 {
				s.at++
			}
			s.key = append(s.key, keyPart{s.text[from:s.at], span{from, s.at}})
		}
		s.skip(" \t")
		if s.peek() != '.' {
			return s.key
		}
		s.at++
	}
}

// unescape replaces the escape sequences of a basic string.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		digits := 0
		switch c := s[i]; c {
		case 'x':
			digits = 2
		case 'u':
			digits = 4
		case 'U':
			digits = 8
		default:
			if k := strings.IndexByte("btnfre", c); k >= 0 {
				c = "\b\t\n\f\r\x1b"[k]
			}
			b.WriteByte(c)
			continue
		}
		end := min(i+1+digits, len(s))
		if code, err := strconv.ParseUint(s[i+1:end], 16, 32); err == nil {
			b.WriteRune(rune(code))
		}
		i = end - 1
	}
	return b.String()
}

// lines tells lines and columns of offsets. Asked in ascending order, as a walk over a document does, it reads each
// character once however long the lines are.
type lines struct {
	file   string
	text   string
	starts []int // offset of each line

	from   int // the last question, from here to column characters have been counted
	line   int
	column int
}

func newLines(file, text string) *lines {
	l := &lines{file: file, text: text, starts: []int{0}, line: -1}
	for i := range len(text) {
		if text[i] == '\n' {
			l.starts = append(l.starts, i+1)
		}
	}
	return l
}

// position returns the place of a byte.
func (l *lines) position(offset int) Position {
	offset = max(0, min(offset, len(l.text)))
	line := sort.SearchInts(l.starts, offset+1) - 1
	if line != l.line || offset < l.from {
		l.line, l.from, l.column = line, l.starts[line], 1
	}
	l.column += utf8.RuneCountInString(l.text[l.from:offset])
	l.from = offset
	return Position{File: l.file, Line: line + 1, Column: l.column}
}

// width returns how many characters of a span stand on its first line, at least one.
func (l *lines) width(s span) int {
	text := l.text[max(0, min(s.from, len(l.text))):max(0, min(s.to, len(l.text)))]
	text, _, _ = strings.Cut(text, "\n")
	return max(1, utf8.RuneCountInString(strings.TrimRight(text, "\r")))
}
