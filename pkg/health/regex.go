package health

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"regexp/syntax"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

// regexLimit is how long a pattern that has to go back and forth may take. Most of them take microseconds; one that doesn't
// come to an end must not keep a processor busy until the next probe.
const regexLimit = time.Second

// RegexOptions returns the names that keepalived has for the options of a regex, those that Compile refuses included.
func RegexOptions() []string {
	return slices.Sorted(maps.Keys(regexOptions))
}

// regexOptions says of each of keepalived's options why it is refused, if it is. Those that do nothing here tune PCRE2, or allow
// what is allowed anyway, or forbid what isn't known here at all.
var regexOptions = map[string]string{
	"allow_empty_class":   "", // [] matches nothing and [^] everything
	"alt_bsux":            `\u and \x have another meaning with it: write \x{...} without it`,
	"alt_circumflex":      "", // with multiline, ^ matches after a newline at the very end, too
	"alt_verbnames":       "", // verbs are refused
	"auto_callout":        "", // does nothing
	"caseless":            "",
	"dollar_endonly":      "", // $ does not match before a newline at the end
	"dotall":              "",
	"dupnames":            "",
	"extended":            "",
	"firstline":           "", // the match must begin in the first line
	"match_unset_backref": "a reference to a group that took no part never matches here: write (?:...|) instead",
	"multiline":           "",
	"never_backslash_c":   "", // \C is refused
	"never_ucp":           "", // as is ucp
	"never_utf":           "", // contradicts utf
	"no_auto_capture":     "",
	"no_auto_possess":     "", // tunes
	"no_dotstar_anchor":   "", // tunes
	"no_start_optimize":   "", // tunes
	"ucp":                 `\d, \s, \w and \b are ASCII here: write \p{Nd}, \p{L} and the like`,
	"ungreedy":            "", // says which text matches, not whether one does
	"use_offset_limit":    "", // is always on
	"utf":                 "", // the text and the pattern are UTF-8 instead of bytes
}

// Matcher is a compiled Regex. It may be used by several goroutines at once.
type Matcher struct {
	regex     Regex
	linear    *regexp.Regexp  // one of them; this one takes time in proportion to the text
	backtrack *regexp2.Regexp // and this one, if need be, much more
	brief     bool
	utf       bool
	firstLine bool
}

// Compile prepares the regex for use. The syntax is PCRE2's as far as ipvsd knows it, and what it does not know is an error
// that says where in the pattern: nothing means another thing than in keepalived.
func (r Regex) Compile() (*Matcher, error) {
	options := map[string]bool{}
	for name := range r.Options.All() {
		why, known := regexOptions[name]
		if !known {
			return nil, fmt.Errorf("regex_options: there is no option %q", name)
		}
		if why != "" {
			return nil, fmt.Errorf("regex_options: %s is not possible here: %s", name, why)
		}
		options[name] = true
	}
	switch {
	case options["utf"] && options["never_utf"]:
		return nil, errors.New("regex_options: utf and never_utf contradict each other")
	case options["utf"] && !utf8.ValidString(r.Pattern):
		return nil, errors.New("regex: not UTF-8, as the option utf says")
	case r.MinOffset < 0, r.MaxOffset < 0:
		return nil, errors.New("regex: an offset is negative")
	case r.MaxOffset != 0 && r.MinOffset > r.MaxOffset:
		return nil, fmt.Errorf("regex_min_offset %d is above regex_max_offset %d", r.MinOffset, r.MaxOffset)
	}
	m := &Matcher{regex: r, utf: options["utf"], firstLine: options["firstline"]}
	pattern := []rune(r.Pattern)
	if !m.utf {
		pattern = bytesAsRunes([]byte(r.Pattern))
	}
	// Only the other engine can begin in the middle of a text and still see what is before.
	if r.MinOffset == 0 {
		if text, err := translate(pattern, options, true); err == nil {
			m.linear, err = regexp.Compile(text)
			if err == nil {
				m.brief = briefly(text)
				return m, nil
			}
		}
	}
	text, err := translate(pattern, options, false)
	if err != nil {
		return nil, fmt.Errorf("regex: %w", err)
	}
	if m.backtrack, err = regexp2.Compile(text, 0); err != nil {
		return nil, fmt.Errorf("regex: %w", err)
	}
	m.backtrack.MatchTimeout = regexLimit
	return m, nil
}

// Brief says whether Match takes some milliseconds at most for a text of 16 KiB. All but patterns with many repetitions do.
func (m *Matcher) Brief() bool { return m.brief }

// briefly says so of a pattern of package regexp's. What that takes grows with the text and with the length of the program.
func briefly(pattern string) bool {
	const instructions = 64
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return false
	}
	program, err := syntax.Compile(tree.Simplify())
	return err == nil && len(program.Inst) <= instructions
}

// Match says whether a text is as it should be, NoMatch and the offsets considered. Unless the option utf is set, a text is
// bytes, each of which is a character. The error says that the time was not enough to find out.
func (m *Matcher) Match(text []byte) (bool, error) {
	start, err := m.find(text)
	if err != nil {
		return false, err
	}
	found := start >= 0
	if found && m.regex.MaxOffset > 0 && start > m.regex.MaxOffset {
		found = false
	}
	if found && m.firstLine && bytes.IndexByte(text[:start], '\n') >= 0 {
		found = false
	}
	return found != m.regex.NoMatch, nil
}

// find returns where the first match begins, in bytes, -1 if there is none.
func (m *Matcher) find(text []byte) (int, error) {
	if m.linear != nil {
		return m.findLinear(text), nil
	}
	if m.regex.MinOffset > len(text) {
		return -1, nil
	}
	from := m.regex.MinOffset
	var runes []rune
	if m.utf {
		from = utf8.RuneCount(text[:from])
		runes = []rune(string(text))
	} else {
		runes = bytesAsRunes(text)
	}
	match, err := m.backtrack.FindRunesMatchStartingAt(runes, from)
	switch {
	case err != nil:
		return -1, fmt.Errorf("the regex %q takes more than %s on this text", m.regex.Pattern, regexLimit)
	case match == nil:
		return -1, nil
	}
	start := match.Index
	if m.utf {
		start = 0
		for range match.Index {
			_, size := utf8.DecodeRune(text[start:])
			start += size
		}
	}
	return start, nil
}

func (m *Matcher) findLinear(text []byte) int {
	// Package regexp takes texts as UTF-8. Other bytes than ASCII must become characters of their own.
	bare := m.utf || isASCII(text)
	if !bare {
		text = []byte(string(bytesAsRunes(text)))
	}
	match := m.linear.FindIndex(text)
	if match == nil {
		return -1
	}
	if bare {
		return match[0]
	}
	return utf8.RuneCount(text[:match[0]])
}

func isASCII(text []byte) bool {
	for _, b := range text {
		if b >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func bytesAsRunes(text []byte) []rune {
	runes := make([]rune, len(text))
	for i, b := range text {
		runes[i] = rune(b)
	}
	return runes
}
