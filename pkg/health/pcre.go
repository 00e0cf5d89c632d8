package health

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// translate writes a pattern of PCRE2 in the common language of package regexp and regexp2, in which it means the same. What
// can't be said there is an error, which is errNotLinear if only package regexp has no word for it.
//
// It exists because both take most of PCRE2's syntax but some of it with another meaning, as $, \s or [[:alpha:]], and a check
// must not come to another verdict for that.
func translate(pattern []rune, options map[string]bool, linear bool) (string, error) {
	t := translator{in: pattern, linear: linear, options: options, names: map[string]int{}, atom: -1}
	t.modes = modes{
		caseless:  options["caseless"],
		dotall:    options["dotall"],
		multiline: options["multiline"],
		extended:  options["extended"],
		ungreedy:  options["ungreedy"],
		noCapture: options["no_auto_capture"],
	}
	for t.at < len(t.in) {
		if err := t.next(); err != nil {
			return "", err
		}
	}
	if len(t.open) > 0 {
		return "", t.errorf(len(t.in), "a parenthesis is not closed")
	}
	if t.highest > t.groups {
		return "", fmt.Errorf("there is no group %d", t.highest)
	}
	return string(t.out), nil
}

var errNotLinear = errors.New("not in linear time")

// modes are what (?ismxUn) turns on for the rest of a group. None of them is left to an engine: each has its own idea of, say, what
// a set has to do with case.
type modes struct{ caseless, dotall, multiline, extended, ungreedy, noCapture bool }

type translator struct {
	in, out []rune
	at      int // in in
	linear  bool
	options map[string]bool
	modes
	open    []group
	names   map[string]int // of groups
	groups  int            // so far
	highest int            // that is referred to
	atom    int            // where in out begins what a quantifier would repeat; -1: nothing
}

// group is one that is not closed yet.
type group struct {
	modes
	start int // in out
}

func (t *translator) errorf(at int, format string, args ...any) error {
	return fmt.Errorf(format+" at offset %d of %q", append(args, at, string(t.in))...)
}

func (t *translator) emit(s string) { t.out = append(t.out, []rune(s)...) }

// item emits something that can be repeated.
func (t *translator) item(s string) {
	t.atom = len(t.out)
	t.emit(s)
}

// anchor emits what can't be repeated: what matches between characters, and what separates or repeats.
func (t *translator) anchor(s string) {
	t.emit(s)
	t.atom = -1
}

// backtracking emits an item that package regexp doesn't have.
func (t *translator) backtracking(s string) error {
	if t.linear {
		return errNotLinear
	}
	t.item(s)
	return nil
}

// ahead says whether the pattern goes on with a text.
func (t *translator) ahead(s string) bool {
	return strings.HasPrefix(string(t.in[t.at:min(len(t.in), t.at+len(s))]), s)
}

// until returns what is before a rune and goes behind it.
func (t *translator) until(end rune) (string, bool) {
	i := slices.Index(t.in[t.at:], end)
	if i < 0 {
		return "", false
	}
	s := string(t.in[t.at : t.at+i])
	t.at += i + 1
	return s, true
}

func (t *translator) next() error {
	c, start := t.in[t.at], t.at
	t.at++
	switch c {
	case '\\':
		return t.escape()
	case '[':
		return t.class()
	case '(':
		return t.openGroup()
	case ')':
		if len(t.open) == 0 {
			return t.errorf(start, "a parenthesis is closed that is not open")
		}
		g := t.open[len(t.open)-1]
		t.open = t.open[:len(t.open)-1]
		t.emit(")")
		t.modes, t.atom = g.modes, g.start
	case '|':
		t.anchor("|")
	case '.':
		if t.dotall {
			t.item("(?s:.)")
		} else {
			t.item(`[^\n]`)
		}
	case '^':
		switch {
		case !t.multiline:
			t.anchor(`\A`)
		case t.options["alt_circumflex"]:
			t.anchor("(?m:^)")
		case t.linear:
			return errNotLinear
		default:
			t.anchor(`(?:\A|(?m:^)(?!\z))`)
		}
	case '$':
		switch {
		case t.multiline:
			t.anchor("(?m:$)")
		case t.options["dollar_endonly"]:
			t.anchor(`\z`)
		default:
			return t.end()
		}
	case '*', '+', '?':
		return t.quantifier(start, string(c))
	case '{':
		q, err := t.braces(start)
		switch {
		case err != nil:
			return err
		case q != "":
			return t.quantifier(start, q)
		}
		t.item(`\{`)
	default:
		switch {
		case t.extended && c == '#':
			if _, more := t.until('\n'); !more {
				t.at = len(t.in)
			}
		case t.extended && strings.ContainsRune(" \t\n\v\f\r", c):
		default:
			t.literal(c)
		}
	}
	return nil
}

// literal emits a character that stands for itself, and for its other cases if they don't matter.
func (t *translator) literal(c rune) {
	text := t.span(c, c)
	if text != quote(c) {
		text = "[" + text + "]"
	}
	t.item(text)
}

// span returns the characters from one to another as they are written in brackets, with their other cases if they don't matter.
func (t *translator) span(from, to rune) string {
	text := quote(from)
	if to != from {
		text += "-" + quote(to)
	}
	if !t.caseless {
		return text
	}
	last := rune(unicode.MaxASCII) // A byte above has no other case.
	if t.options["utf"] {
		last = rune(unicode.CaseRanges[len(unicode.CaseRanges)-1].Hi)
	}
	var b strings.Builder
	b.WriteString(text)
	for c := from; c <= min(to, last); c++ {
		for other := unicode.SimpleFold(c); other != c; other = unicode.SimpleFold(other) {
			if other <= last && (other < from || other > to) {
				b.WriteString(quote(other))
			}
		}
	}
	return b.String()
}

// end emits what matches at the end and before a newline there.
func (t *translator) end() error {
	if !t.linear {
		t.anchor(`\Z`)
		return nil
	}
	// At the end of the pattern it makes no difference that the newline is part of the match.
	if t.at < len(t.in) && !(len(t.open) == 0 && t.in[t.at] == '|') {
		return errNotLinear
	}
	t.anchor(`(?:\n?\z)`)
	return nil
}

// braces reads the rest of {2}, {2,} or {2,4}. It returns nothing for what is no such thing, and stays before it.
func (t *translator) braces(start int) (q string, err error) {
	from := t.at
	body, closed := t.until('}')
	low, high, comma := strings.Cut(body, ",")
	if !closed || !digits(low) || comma && high != "" && !digits(high) {
		t.at = from
		return "", nil
	}
	const limit = 65535 // PCRE2's
	least, err := strconv.Atoi(low)
	most := least
	if err == nil && high != "" {
		most, err = strconv.Atoi(high)
	}
	switch {
	case err != nil, least > limit, most > limit:
		return "", t.errorf(start, "a repetition is limited to %d", limit)
	case most < least:
		return "", t.errorf(start, "the numbers of a repetition are out of order")
	case !comma:
		return fmt.Sprintf("{%d}", least), nil
	case high == "":
		return fmt.Sprintf("{%d,}", least), nil
	}
	return fmt.Sprintf("{%d,%d}", least, most), nil
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func (t *translator) quantifier(start int, q string) error {
	if t.atom < 0 {
		return t.errorf(start, "nothing to repeat")
	}
	start = t.atom
	t.anchor(q) // What is repeated is not repeated again: PCRE2 has (?:a{2}){3} for that.
	lazy := t.ungreedy
	switch {
	case t.ahead("+"):
		t.at++
		if t.linear {
			return errNotLinear
		}
		t.out = slices.Insert(t.out, start, []rune("(?>")...)
		t.emit(")")
		return nil
	case t.ahead("?"):
		t.at++
		lazy = !lazy
	}
	if lazy {
		t.emit("?")
	}
	return nil
}

// The characters of PCRE2's classes, by pairs of first and last.
const (
	wordSet       = "09AZ__az"
	horizontalSet = "\t\t  \u00a0\u00a0"
	verticalSet   = "\n\r\u0085\u0085"
)

// set returns the characters that \d, \s, \w, \h, \v and the like stand for, nil if the rune is none of them.
func (t *translator) set(c rune) []rune {
	var s string
	switch unicode.ToLower(c) {
	case 'd':
		s = "09"
	case 's':
		s = "\t\r  "
	case 'w':
		s = wordSet
	case 'h':
		s = horizontalSet
		if t.options["utf"] {
			s += "\u1680\u1680\u180e\u180e\u2000\u200a\u202f\u202f\u205f\u205f\u3000\u3000"
		}
	case 'v':
		s = verticalSet
		if t.options["utf"] {
			s += "\u2028\u2029"
		}
	default:
		return nil
	}
	if unicode.IsUpper(c) {
		return complement([]rune(s))
	}
	return []rune(s)
}

// complement returns the pairs between the given ones, which are in order.
func complement(pairs []rune) []rune {
	var out []rune
	var from rune
	for i := 0; i < len(pairs); i += 2 {
		if from < pairs[i] {
			out = append(out, from, pairs[i]-1)
		}
		from = pairs[i+1] + 1
	}
	if from <= unicode.MaxRune {
		out = append(out, from, unicode.MaxRune)
	}
	return out
}

// writePairs returns pairs as they are written in brackets.
func writePairs(pairs []rune) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		b.WriteString(quote(pairs[i]))
		if pairs[i] != pairs[i+1] {
			b.WriteString("-" + quote(pairs[i+1]))
		}
	}
	return b.String()
}

// quote returns a character as a literal, in brackets or not.
func quote(c rune) string {
	if c == '-' || !utf8.ValidRune(c) { // regexp2 has \- begin no range; a surrogate is in no text, but in tables
		return fmt.Sprintf(`\x{%x}`, c)
	}
	if c < 0x80 && c != '_' && (unicode.IsPunct(c) || unicode.IsSymbol(c)) {
		return `\` + string(c)
	}
	return string(c)
}

// escape translates what follows a backslash outside of brackets.
func (t *translator) escape() error {
	start := t.at - 1
	if t.at == len(t.in) {
		return t.errorf(start, "a backslash at the end")
	}
	c := t.in[t.at]
	if s := t.set(c); s != nil {
		t.at++
		t.item("[" + writePairs(s) + "]")
		return nil
	}
	t.at++
	const (
		word   = "[0-9A-Z_a-z]"
		edge   = `(?:(?<=` + word + `)(?!` + word + `)|(?<!` + word + `)(?=` + word + `))`
		noEdge = `(?:(?<=` + word + `)(?=` + word + `)|(?<!` + word + `)(?!` + word + `))`
	)
	switch {
	case c == 'A', c == 'z':
		t.anchor(`\` + string(c))
		return nil
	case c == 'Z':
		return t.end()
	case c == 'b' && !t.linear:
		t.anchor(edge)
		return nil
	case c == 'B' && !t.linear:
		t.anchor(noEdge)
		return nil
	case c == 'b', c == 'B':
		t.anchor(`\` + string(c))
		return nil
	case c == 'N' && !t.ahead("{"):
		t.item(`[^\n]`)
		return nil
	case c == 'R':
		return t.backtracking(`(?>\r\n|[` + writePairs(t.set('v')) + `])`)
	case c == 'p', c == 'P':
		p, err := t.property(start, c)
		t.item("[" + p + "]")
		return err
	case c == 'Q':
		for t.at < len(t.in) && !t.ahead(`\E`) {
			t.literal(t.in[t.at])
			t.at++
		}
		return nil
	case c == 'E':
		return nil
	case c == 'k' && t.ahead("<"), c == 'k' && t.ahead("{"), c == 'k' && t.ahead("'"):
		end := map[rune]rune{'<': '>', '{': '}', '\'': '\''}[t.in[t.at]]
		t.at++
		return t.named(start, end)
	case c == 'g':
		return t.groupReference(start)
	case c >= '1' && c <= '9':
		if t.at < len(t.in) && digits(string(t.in[t.at])) {
			return t.errorf(start, `\%c%c may be a group or a character: write \g{10} or \o{12}`, c, t.in[t.at])
		}
		return t.reference(int(c - '0'))
	}
	r, err := t.character(start, c)
	t.literal(r)
	return err
}
