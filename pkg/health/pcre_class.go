package health

import (
	"cmp"
	"strconv"
	"strings"
	"unicode"
)

// posixSets are the characters of [[:alpha:]] and its like, by pairs of first and last, in order.
var posixSets = map[string]string{
	"alnum":  "09AZaz",
	"alpha":  "AZaz",
	"ascii":  "\x00\x7f",
	"blank":  "\t\t  ",
	"cntrl":  "\x00\x1f\x7f\x7f",
	"digit":  "09",
	"graph":  "!~",
	"lower":  "az",
	"print":  " ~",
	"punct":  "!/:@[`{~",
	"space":  "\t\r  ",
	"upper":  "AZ",
	"word":   wordSet,
	"xdigit": "09AFaf",
}

// class translates what follows an opening bracket.
func (t *translator) class() error {
	start := t.at - 1
	if name, mark, ok := t.posixName(); ok {
		name = "[" + mark + name + mark + "]"
		return t.errorf(start, "%s belongs into brackets, as in [%s],", name, name)
	}
	not := t.ahead("^")
	if not {
		t.at++
	}
	var items strings.Builder
	for first := true; ; first = false {
		switch {
		case t.at >= len(t.in):
			return t.errorf(start, "a bracket is not closed")
		case t.ahead("]") && (!first || t.options["allow_empty_class"]):
			t.at++
			t.item(brackets(not, items.String()))
			return nil
		}
		item, err := t.classItem(start)
		if err != nil {
			return err
		}
		items.WriteString(item)
	}
}

// brackets returns the class of some items, or of none.
func brackets(not bool, items string) string {
	switch {
	case items == "" && not:
		return `[\x00-` + string(unicode.MaxRune) + `]`
	case items == "":
		return `[^\x00-` + string(unicode.MaxRune) + `]`
	case not:
		return "[^" + items + "]"
	default:
		return "[" + items + "]"
	}
}

// classItem translates a character, a range or a set in brackets.
func (t *translator) classItem(start int) (string, error) {
	if t.ahead("[") {
		t.at++
		if name, mark, ok := t.posixName(); ok {
			return t.posix(start, name, mark)
		}
		t.at--
	}
	from, set, err := t.classCharacter(start)
	if err != nil || set != "" {
		return set, err
	}
	if from < 0 || !t.ahead("-") || t.at+1 >= len(t.in) || t.in[t.at+1] == ']' {
		if from < 0 {
			return "", nil
		}
		return t.span(from, from), nil
	}
	t.at++
	to, set, err := t.classCharacter(start)
	switch {
	case err != nil:
		return "", err
	case set != "", to < 0:
		return "", t.errorf(start, "a range ends with no character")
	case to < from:
		return "", t.errorf(start, "a range ends before it begins")
	}
	return t.span(from, to), nil
}

// classCharacter reads one character, or what stands for a set of them. It is -1 for what stands for nothing.
func (t *translator) classCharacter(start int) (c rune, set string, err error) {
	c = t.in[t.at]
	t.at++
	if c != '\\' {
		return c, "", nil
	}
	if t.at == len(t.in) {
		return 0, "", t.errorf(start, "a bracket is not closed")
	}
	c = t.in[t.at]
	t.at++
	if s := t.set(c); s != nil {
		return 0, writePairs(s), nil
	}
	switch c {
	case 'b':
		return '\b', "", nil
	case 'p', 'P':
		set, err = t.property(start, c)
		return 0, set, err
	case 'E':
		return -1, "", nil
	case 'Q':
		text, ends := string(t.in[t.at:]), false
		if text, _, ends = strings.Cut(text, `\E`); !ends {
			return 0, "", t.errorf(start, "a bracket is not closed")
		}
		var b strings.Builder
		for _, r := range text {
			b.WriteString(t.span(r, r))
		}
		t.at += len([]rune(text)) + len(`\E`)
		if b.Len() == 0 {
			return -1, "", nil
		}
		return 0, b.String(), nil
	}
	c, err = t.character(t.at-2, c)
	return c, "", err
}

// posixName reads what follows the bracket of a [:name:], or of its like with . or =. It returns false for what only begins so.
func (t *translator) posixName() (name, mark string, ok bool) {
	for _, mark := range []string{":", ".", "="} {
		if !t.ahead(mark) {
			continue
		}
		from := t.at
		t.at++
		text, closed := t.until(']')
		name, marked := strings.CutSuffix(text, mark)
		if closed && marked && !strings.Contains(name, "[") {
			return name, mark, true
		}
		t.at = from
	}
	return "", "", false
}

// posix returns the characters of a [:name:] or [:^name:].
func (t *translator) posix(start int, name, mark string) (string, error) {
	set, not := strings.CutPrefix(name, "^")
	if t.caseless && (set == "upper" || set == "lower") {
		set = "alpha"
	}
	pairs := []rune(posixSets[set])
	switch {
	case len(pairs) == 0 || mark != ":":
		return "", t.errorf(start, "[%s%s%s] is not known here", mark, name, mark)
	case not:
		pairs = complement(pairs)
	}
	return writePairs(pairs), nil
}

// property reads the rest of \pL, \p{Lu} or \p{^Lu}, and returns its characters as they are written in brackets.
func (t *translator) property(start int, letter rune) (string, error) {
	if t.at == len(t.in) {
		return "", t.errorf(start, `\%c without a property`, letter)
	}
	name := string(t.in[t.at])
	t.at++
	if name == "{" {
		var closed bool
		if name, closed = t.until('}'); !closed {
			return "", t.errorf(start, `\%c{ is not closed`, letter)
		}
	}
	if rest, not := strings.CutPrefix(name, "^"); not {
		name = rest
		letter ^= 'p' ^ 'P'
	}
	table := cmp.Or(unicode.Categories[name], unicode.Scripts[name])
	switch {
	case table == nil:
		return "", t.errorf(start, `\%c{%s} is not known here`, letter, name)
	case t.linear:
		return `\` + string(letter) + "{" + name + "}", nil
	}
	pairs := pairsOf(table) // regexp2 has no scripts, and has [\P{L}\p{Lu}] match no Lu.
	if letter == 'P' {
		pairs = complement(pairs)
	}
	return writePairs(pairs), nil
}

// pairsOf returns the characters of a table, in order.
func pairsOf(table *unicode.RangeTable) (pairs []rune) {
	add := func(low, high, stride rune) {
		if stride == 1 {
			pairs = append(pairs, low, high)
			return
		}
		for c := low; c <= high; c += stride {
			pairs = append(pairs, c, c)
		}
	}
	for _, r := range table.R16 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	for _, r := range table.R32 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	return pairs
}

// character reads the rest of an escape that stands for one character, whose first one after the backslash is c.
func (t *translator) character(start int, c rune) (rune, error) {
	limit := rune(0xff)
	if t.options["utf"] {
		limit = unicode.MaxRune
	}
	number := func(text string, base int) (rune, error) {
		n, err := strconv.ParseUint(text, base, 32)
		if err != nil || rune(n) > limit || n > unicode.MaxRune {
			return 0, t.errorf(start, "%q is no character, or needs the option utf,", text)
		}
		return rune(n), nil
	}
	take := func(most int, of string) string {
		from := t.at
		for t.at < len(t.in) && t.at-from < most && strings.ContainsRune(of, t.in[t.at]) {
			t.at++
		}
		return string(t.in[from:t.at])
	}
	switch c {
	case 'a':
		return '\a', nil
	case 'e':
		return 0x1b, nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case '0':
		return number("0"+take(2, "01234567"), 8)
	case 'o', 'x':
		base := map[rune]int{'o': 8, 'x': 16}[c]
		if t.ahead("{") {
			t.at++
			text, _ := t.until('}')
			return number(text, base)
		}
		if c == 'x' {
			return number("0"+take(2, "0123456789abcdefABCDEF"), 16)
		}
	case 'c':
		if t.at < len(t.in) && t.in[t.at] >= ' ' && t.in[t.at] <= '~' {
			t.at++
			return unicode.ToUpper(t.in[t.at-1]) ^ 0x40, nil
		}
	default:
		if c > 0x7f || !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			return c, nil
		}
	}
	return 0, t.errorf(start, `\%c is not known here`, c)
}
