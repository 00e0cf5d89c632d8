package piranha

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/config/document"
)

// line is a directive: KEY = VALUE.
type line struct {
	key, value string
	at, from   document.Origin // of the key, and of the value
	before     []string        // comments on the lines before it
}

// block is what stands between braces, or the file as a whole.
type block struct {
	keyword, name string
	at            document.Origin
	before        []string
	lines         []*line
	blocks        []*block
	values        map[string]*line // by key; the last one counts
}

// number returns the number that a directive is set to.
func (b *block) number(key string, usual int64) int64 {
	if l := b.values[key]; l != nil {
		if n, err := strconv.ParseInt(l.value, 10, 32); err == nil {
			return n
		}
	}
	return usual
}

// text returns what a directive is set to.
func (b *block) text(key, usual string) string {
	if l := b.values[key]; l != nil {
		return l.value
	}
	return usual
}

// from returns where a directive is, or else where the block begins.
func (b *block) from(key string) document.Origin {
	if l := b.values[key]; l != nil {
		return l.from
	}
	return b.at
}

// scan splits a file into blocks.
func (t *translation) scan(source string) *block {
	top := &block{values: make(map[string]*line)}
	open := []*block{top}
	var comments []string
	for n, text := range strings.Split(strings.TrimPrefix(source, "\ufeff"), "\n") {
		content := strings.TrimSpace(text)
		if content == "" {
			continue
		}
		start := strings.Index(text, content)
		at := t.origin(n, text, start, len(content))
		inner := open[len(open)-1]
		key, value, assigned := strings.Cut(content, "=")
		switch {
		case strings.HasPrefix(content, "#"):
			comments = append(comments, strings.TrimPrefix(content, "#"))
			continue
		case content == "}":
			if len(open) == 1 {
				t.Error(at, "leave it out", "there is no block to end")
				continue
			}
			open = open[:len(open)-1]
			continue
		case strings.HasSuffix(content, "{"):
			words := strings.Fields(strings.TrimSuffix(content, "{"))
			b := &block{at: at, before: comments, values: make(map[string]*line)}
			if len(words) > 0 {
				b.keyword, b.name = words[0], strings.Join(words[1:], " ")
			}
			known := b.keyword == "virtual" || b.keyword == "failover"
			if len(open) > 1 {
				known = inner.keyword == "virtual" && b.keyword == "server"
			}
			if !known {
				t.Error(at, "blocks are virtual NAME { and, in it, server NAME {", "Piranha knows no such block here")
			} else {
				inner.blocks = append(inner.blocks, b)
			}
			open = append(open, b)
		case !assigned:
			t.Error(at, "write KEY = VALUE", "the line is no directive")
		default:
			l := &line{key: strings.TrimSpace(key), value: strings.TrimSpace(value), before: comments}
			l.at = t.origin(n, text, start, len(l.key))
			l.from = at
			if l.value != "" {
				l.from = t.origin(n, text, start+strings.LastIndex(content, l.value), len(l.value))
			}
			inner.lines = append(inner.lines, l)
		}
		comments = nil
	}
	if len(open) > 1 {
		t.Error(open[len(open)-1].at, "add } at its end", "the block is not closed")
	}
	return top
}

// quoted returns what stands in quotes, with its escapes as they are, and what is behind them.
func quoted(s string) (value, rest string) {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return s[1:i], s[i+1:]
		}
	}
	return s[1:], ""
}

// unescaped replaces \r, \n and the like.
func unescaped(s string) string {
	return strings.NewReplacer(`\r`, "\r", `\n`, "\n", `\t`, "\t", `\"`, `"`, `\\`, `\`).Replace(s)
}

// origin is a place on a line, from a byte on.
func (t *translation) origin(n int, text string, from, width int) document.Origin {
	return document.Origin{
		Position: config.Position{File: t.name, Line: n + 1, Column: utf8.RuneCountInString(text[:from]) + 1},
		Width:    utf8.RuneCountInString(text[from : from+width]),
	}
}
