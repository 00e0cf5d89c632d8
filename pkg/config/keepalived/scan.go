package keepalived

import (
	"strings"
	"unicode/utf8"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/config/document"
)

// blanks are what separates words: not the blanks of Unicode.
const blanks = " \t\n\v\f\r"

// source is a piece of text, and where it stands in a file. The text may be another one than stands there, when variables
// have been replaced in it: then all of it is at one place.
type source struct {
	text     string
	file     string
	line     int
	column   int // of the first character of text, from 1
	replaced int // characters that the original has where text is not what stands there; 0: it is
}

// at returns the place of the bytes from..to of the text.
func (s source) at(from, to int) document.Origin {
	if s.replaced > 0 {
		return document.Origin{Position: config.Position{File: s.file, Line: s.line, Column: s.column}, Width: s.replaced}
	}
	column := s.column + utf8.RuneCountInString(s.text[:from])
	return document.Origin{Position: config.Position{File: s.file, Line: s.line, Column: column}, Width: max(1, utf8.RuneCountInString(s.text[from:to]))}
}

// ruler finds the places of a line's parts, in their order, in one pass.
type ruler struct {
	source
	counted int // bytes that are in column
}

func (r *ruler) at(from, to int) document.Origin {
	r.advance(from)
	return source{r.text[from:to], r.file, r.line, r.column, r.replaced}.all()
}

func (r *ruler) cut(from, to int) source {
	r.advance(from)
	return source{r.text[from:to], r.file, r.line, r.column, r.replaced}.cut(0, to-from)
}

func (r *ruler) advance(to int) {
	if r.replaced == 0 {
		r.column += utf8.RuneCountInString(r.text[r.counted:to])
		r.counted = to
	}
}

// all is the place of all of the text.
func (s source) all() document.Origin { return s.at(0, len(s.text)) }

// cut returns the bytes from..to of the text, without blanks around.
func (s source) cut(from, to int) source {
	text := s.text[from:to]
	trimmed := strings.TrimLeft(text, blanks)
	if s.replaced == 0 {
		s.column += utf8.RuneCountInString(s.text[:from+len(text)-len(trimmed)])
	}
	s.text = strings.TrimRight(trimmed, blanks)
	return s
}

// replace returns the same place with another text.
func (s source) replace(text string) source {
	if s.replaced == 0 {
		s.replaced = max(1, utf8.RuneCountInString(s.text))
	}
	s.text = text
	return s
}

// comment returns where a comment begins that ends a line, len(text) if there is none: at a "#" or a "!" that is not between
// double quotes. Escaped says that there is a backslash before it. A backslash keeps keepalived's first process, which reads
// global_defs, from taking it for one; it is gone by the time that the others read, and to them it is a comment.
func comment(text string) (begin int, escaped bool) {
	quoted := false
	for i := range len(text) {
		switch text[i] {
		case '"':
			quoted = !quoted
		case '#', '!':
			if !quoted {
				return i, i > 0 && text[i-1] == '\\'
			}
		}
	}
	return len(text), false
}

// words appends the words of a line. Double quotes make one word of what is between them, and end the word before them; nothing else is
// special. What stands behind a quote that has no partner is lost.
func words(found []Word, of source) []Word {
	s := &ruler{source: of}
	for i := 0; i < len(s.text); {
		switch c := s.text[i]; {
		case strings.IndexByte(blanks, c) >= 0:
			i++
		case c == '"':
			length := strings.IndexByte(s.text[i+1:], '"')
			if length < 0 {
				return found
			}
			end := i + 1 + length
			found = append(found, Word{Text: s.text[i+1 : end], Quoted: true, At: s.at(i, end+1)})
			i = end + 1
		default:
			end := len(s.text)
			if length := strings.IndexAny(s.text[i:], blanks+`"`); length >= 0 {
				end = i + length
			}
			found = append(found, Word{Text: s.text[i:end], At: s.at(i, end)})
			i = end
		}
	}
	return found
}

// shellWords splits a line as keepalived does for keywords with commands and regular expressions: quotes of both kinds can
// stand within a word, and a backslash takes the meaning from what follows, or gives one to a letter as in C.
func shellWords(of source) (found []Word, err string) {
	s := &ruler{source: of}
	var word strings.Builder
	for i := 0; i < len(s.text); {
		if strings.IndexByte(blanks, s.text[i]) >= 0 {
			i++
			continue
		}
		begin, quote, quoted := i, byte(0), false
		word.Reset()
		for ; i < len(s.text); i++ {
			c := s.text[i]
			switch {
			case c == '\\':
				if i+1 == len(s.text) {
					return found, "nothing follows the backslash at the end"
				}
				b, used := escape(s.text[i+1:])
				word.WriteByte(b)
				i += used
				continue
			case quote == 0 && (c == '"' || c == '\''):
				quote, quoted = c, true
				continue
			case c == quote && quote != 0:
				quote = 0
				continue
			}
			if quote == 0 && strings.IndexByte(blanks, c) >= 0 {
				break
			}
			word.WriteByte(c)
		}
		if quote != 0 {
			return found, "there is no second " + string(quote)
		}
		found = append(found, Word{Text: word.String(), Quoted: quoted, At: s.at(begin, i)})
	}
	return found, ""
}

// letters are what a letter means behind a backslash.
var letters = map[byte]byte{'a': '\a', 'b': '\b', 'E': 0x1b, 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v'}

// escape returns what stands for the text behind a backslash, and how many bytes of it.
func escape(s string) (b byte, used int) {
	c := s[0]
	switch {
	case c == 'x' && len(s) > 1 && hexDigit(s[1]) >= 0:
		for used = 1; used < len(s) && hexDigit(s[used]) >= 0; used++ {
			b = b<<4 | byte(hexDigit(s[used]))
		}
		return b, used
	case c >= '0' && c <= '7':
		for used < len(s) && used < 3 && s[used] >= '0' && s[used] <= '7' {
			b = b<<3 | (s[used] - '0')
			used++
		}
		return b, used
	case c == 'c' && len(s) > 1:
		return s[1] & 0x1f, 2
	case letters[c] != 0:
		return letters[c], 1
	}
	return c, 1
}

func hexDigit(c byte) int {
	i := strings.IndexByte("0123456789abcdefABCDEF", c)
	if i > 15 {
		i -= 6
	}
	return i
}

// segment is a part of a line: a brace, an include, or what stands between.
type segment struct {
	source
	brace   byte // '{', '}', or 0
	include bool // the text is an include and all that follows it
}

// segments appends the parts of a line, which it splits at the braces that are not between double quotes. What begins with an include has the rest of the
// line for its pattern, braces and all.
func segments(parts []segment, of source) (all []segment, unmatched bool) {
	if of.text == "" {
		return parts, false
	}
	s := &ruler{source: of}
	begin, quoted := 0, false
	for i := 0; i <= len(s.text); i++ {
		switch {
		case i < len(s.text) && s.text[i] == '"':
			quoted = !quoted
		case i < len(s.text) && (quoted || s.text[i] != '{' && s.text[i] != '}'):
		default:
			if part := s.cut(begin, len(s.text)); includes(part.text) {
				return append(parts, segment{source: part, include: true}), false
			}
			if part := s.cut(begin, i); part.text != "" {
				parts = append(parts, segment{source: part})
			}
			if i < len(s.text) {
				parts = append(parts, segment{source: s.cut(i, i+1), brace: s.text[i]})
			}
			begin = i + 1
		}
	}
	return parts, quoted
}
