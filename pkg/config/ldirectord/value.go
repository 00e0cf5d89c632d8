package ldirectord

import (
	"strconv"
	"strings"
)

// value is what a directive is set to.
type value struct {
	line *line
	data any // int64, bool or string
}

// values are the directives of a service, or those for all of them.
type values map[string]*value

// number returns the first number that is written, or what holds if none is.
func number(usual int64, from ...*value) int64 {
	for _, v := range from {
		if v != nil {
			return v.data.(int64)
		}
	}
	return usual
}

// yes says whether a switch is on.
func yes(v *value, usual bool) bool {
	if v == nil {
		return usual
	}
	return v.data.(bool)
}

// word returns a text, empty if there is none.
func word(v *value) string {
	if v == nil {
		return ""
	}
	return v.data.(string)
}

// kind reads what stands behind the sign of equality; it says what is wrong with it.
type kind func(t *translation, l *line) (any, bool)

// whole is a number from least on. Of "5x", ldirectord takes the number.
func whole(least int64) kind {
	return func(t *translation, l *line) (any, bool) {
		digits := func(c rune) bool { return c >= '0' && c <= '9' }
		text := unquoted(l.value)
		number := text
		if i := strings.IndexFunc(text, digits); i >= 0 {
			number = text[i:]
		}
		if i := strings.IndexFunc(number, func(c rune) bool { return !digits(c) }); i >= 0 {
			number = number[:i]
		}
		n, err := strconv.ParseInt(number, 10, 32)
		if err != nil || n < least {
			t.Error(l.from, "", "%s must be a whole number from %d on", l.key, least)
			return nil, false
		}
		if number != text {
			t.Warn(l.from, "", "%s is no number; ldirectord takes %d of it", l.value, n)
		}
		return n, true
	}
}

func yesNo(t *translation, l *line) (any, bool) {
	switch s := unquoted(l.value); {
	case s == "yes" || s == "no":
		return s == "yes", true
	case strings.EqualFold(s, "yes") || strings.EqualFold(s, "no"):
		t.Warn(l.from, "write "+strings.ToLower(s), "ldirectord refuses %s", s)
		return strings.EqualFold(s, "yes"), true
	}
	t.Error(l.from, "", "%s must be yes or no", l.key)
	return nil, false
}

// text may have quotes.
func text(t *translation, l *line) (any, bool) {
	s := unquoted(l.value)
	if s == "" && l.value == "" {
		t.Error(l.at, "", "%s has no value", l.key)
		return nil, false
	}
	return s, true
}

// quoted is a text that ldirectord wants in quotes.
func quoted(t *translation, l *line) (any, bool) {
	if l.value != "" && (len(l.value) < 2 || !strings.HasPrefix(l.value, `"`) || !strings.HasSuffix(l.value, `"`)) {
		t.Warn(l.from, "write the value in double quotes", "ldirectord refuses %s without quotes", l.key)
	}
	return text(t, l)
}

// unquoted takes off quotes around a text.
func unquoted(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// oneOf is one of a few words.
func oneOf(words ...string) kind {
	return func(t *translation, l *line) (any, bool) {
		s := unquoted(l.value)
		for _, w := range words {
			if strings.EqualFold(s, w) {
				if s != w {
					t.Warn(l.from, "write "+w, "%s is written %s", l.key, w)
				}
				return w, true
			}
		}
		t.Error(l.from, "", "%s must be one of %s", l.key, strings.Join(words, ", "))
		return nil, false
	}
}

// values reads directives. Of one that is there twice, the last counts.
func (t *translation) values(in place, lines []*line) values {
	m := make(values)
	for _, l := range lines {
		k := keywordNamed(in, l.key)
		if k == nil {
			t.unknown(in, l)
			continue
		}
		if k.fate == refused {
			t.Error(l.at, k.remark, "%s can't be had", l.key)
			continue
		}
		if k.read == nil {
			continue // of which there may be several
		}
		data, ok := k.read(t, l)
		if !ok {
			continue
		}
		name := k.name
		if first := m[name]; first != nil {
			t.Warn(l.at, "leave one of them out", "%s is there twice, and the last one counts: the other is on line %d", name, first.line.at.Line)
		}
		m[name] = &value{l, data}
		if k.fate == idle && data != false {
			if k.lost {
				t.Warn(l.at, "", "%s has no effect: %s", name, k.remark)
			} else {
				t.Note(l.at, "", "%s has no effect: %s", name, k.remark)
			}
		}
	}
	return m
}

// unknown tells of a directive that is not in the table.
func (t *translation) unknown(in place, l *line) {
	other := keywordNamed(inGlobal, l.key)
	hint := "man ldirectord lists all directives"
	switch {
	case in == inGlobal && keywordNamed(inService, l.key) != nil:
		hint = "it belongs to a service: indent it by 4 blanks or a tab, below virtual, without a blank line between"
	case in == inService && other != nil:
		hint = "it is for all services: write it at the beginning of a line"
	case foreign[l.key]:
		hint = "it is a directive of l7directord, which balances without IPVS"
	}
	t.Error(l.at, hint, "ldirectord knows no directive %q here", l.key)
}

// foreign are directives of l7directord, which has the grammar from here.
var foreign = map[string]bool{
	"retryinterval": true, "configinterval": true, "module": true, "sorryserver": true, "maxconn": true, "qosup": true, "qosdown": true,
	"realdowncallback": true, "realrecovercallback": true, "customcheck": true, "sslconfigfile": true, "socketoption": true,
	"accesslog": true, "accesslogfile": true, "session_thread_pool_size": true,
}
