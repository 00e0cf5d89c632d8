package health

import (
	"fmt"
	"strconv"
	"strings"
)

// openGroup translates what follows an opening parenthesis.
func (t *translator) openGroup() error {
	start := t.at - 1
	before := t.modes
	emit := func(s string) {
		t.open = append(t.open, group{before, len(t.out)})
		t.emit(s)
		t.atom = -1
	}
	look := func(s string) error {
		t.at += len(s) - 1
		if t.linear {
			return errNotLinear
		}
		emit(s)
		return nil
	}
	switch {
	case t.ahead("*"):
		return t.errorf(start, "verbs such as (*UTF) are not known here")
	case !t.ahead("?"):
		if t.noCapture {
			emit("(?:")
			return nil
		}
		t.groups++
		emit("(")
		return nil
	case t.ahead("?#"):
		if _, closed := t.until(')'); !closed {
			return t.errorf(start, "a comment is not closed")
		}
		return nil
	case t.ahead("?>"), t.ahead("?="), t.ahead("?!"):
		return look("(" + string(t.in[t.at:t.at+2]))
	case t.ahead("?<="), t.ahead("?<!"):
		return look("(" + string(t.in[t.at:t.at+3]))
	case t.ahead("?P="):
		t.at += 3
		return t.named(start, ')')
	case t.ahead("?P<"), t.ahead("?<"), t.ahead("?'"):
		end := '>'
		if t.ahead("?'") {
			end = '\''
		}
		t.at += 2
		if t.ahead("<") {
			t.at++
		}
		name, ok := t.until(end)
		if !ok || strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789_") != "" || digits(name[:min(1, len(name))]) || name == "" {
			return t.errorf(start, "a group's name is not one")
		}
		if t.names[name] != 0 && !t.options["dupnames"] {
			return t.errorf(start, "there are two groups %q, without the option dupnames", name)
		}
		t.groups++
		if t.names[name] != 0 {
			t.names[name] = -1 // which one is meant would only be known when it matches
		} else {
			t.names[name] = t.groups
		}
		emit("(")
		return nil
	}
	// (?i-m) and (?i-m:...)
	t.at++
	on := true
	for ; t.at < len(t.in); t.at++ {
		switch c := t.in[t.at]; c {
		case ')':
			t.at++
			t.atom = -1
			return nil
		case ':':
			t.at++
			emit("(?:")
			return nil
		case '-':
			if !on {
				return t.errorf(start, "(? is not understood")
			}
			on = false
		case 'i':
			t.caseless = on
		case 's':
			t.dotall = on
		case 'm':
			t.multiline = on
		case 'x':
			t.extended = on
		case 'U':
			t.ungreedy = on
		case 'n':
			t.noCapture = on
		default:
			return t.errorf(start, "(?%c is not known here", c)
		}
	}
	return t.errorf(start, "a parenthesis is not closed")
}

// named emits a reference to a group by the name that ends with a rune.
func (t *translator) named(start int, end rune) error {
	name, closed := t.until(end)
	switch n := t.names[name]; {
	case !closed, n == 0:
		return t.errorf(start, "there is no group %q before this", name)
	case n < 0:
		return t.errorf(start, "two groups are called %q", name)
	default:
		return t.reference(n)
	}
}

func (t *translator) reference(n int) error {
	t.highest = max(t.highest, n)
	if t.caseless {
		return t.backtracking(fmt.Sprintf(`(?i:\%d)`, n))
	}
	return t.backtracking(fmt.Sprintf(`(?:\%d)`, n))
}

// groupReference translates the rest of \g1, \g{1}, \g{-1} and \g{name}.
func (t *translator) groupReference(start int) error {
	if !t.ahead("{") {
		end := t.at
		for end < len(t.in) && digits(string(t.in[end])) {
			end++
		}
		n, err := strconv.Atoi(string(t.in[t.at:end]))
		if err != nil || n == 0 {
			return t.errorf(start, `\g is not a number of a group here`)
		}
		t.at = end
		return t.reference(n)
	}
	t.at++
	from := t.at
	text, _ := t.until('}')
	n, err := strconv.Atoi(text)
	switch {
	case err != nil:
		t.at = from
		return t.named(start, '}')
	case n < 0:
		n += t.groups + 1
	}
	if n < 1 {
		return t.errorf(start, "there is no group %s", text)
	}
	return t.reference(n)
}
