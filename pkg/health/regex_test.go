package health

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"
	"unicode"
)

// What is expected is what PCRE2 10.42 says, not what keepalived makes of it (see probe.HTTP).
func TestRegex(t *testing.T) {
	const text = "abcdef\nghijkl\nxyz\n"
	for _, test := range []struct {
		pattern, options, text string
		min, max               int
		want                   bool
	}{
		{pattern: "ghi", text: text, want: true},
		{pattern: "zzz", text: text},
		{pattern: "", text: "", want: true},
		{pattern: "GHI", text: text},
		{pattern: "GHI", options: "caseless", text: text, want: true},
		{pattern: "(?i)GHI", text: text, want: true},
		{pattern: "(?i:G)hi|(?i:X)yz", text: text, want: true},
		{pattern: "a(?i)BC(?-i)DEF", text: text},
		{pattern: "a(?s).+(?-s:.)z$", text: text, want: true},
		{pattern: "a((?s).)+.y", text: text, want: true},
		{pattern: "a(?s:.)+.x", text: text},

		// Case makes no difference to letters, but to sets of characters it does, and bytes above ASCII have none.
		{pattern: `\W`, options: "caseless", text: "sk"},
		{pattern: `\W`, options: "caseless utf", text: "sk"},
		{pattern: `^\w+$`, options: "caseless utf", text: "\u017f\u212a"},
		{pattern: `[\W]`, options: "caseless utf", text: "sk"},
		{pattern: `[^\W]`, options: "caseless utf", text: "\u017f\u212a"},
		{pattern: `[[:alpha:]]`, options: "caseless utf", text: "\u017f"},
		{pattern: `^[[:upper:]][[:lower:]]`, options: "caseless", text: "aA", want: true},
		{pattern: `[[:^upper:]]`, options: "caseless", text: "a"},
		{pattern: `\p{Lu}`, options: "caseless utf", text: "a"},
		{pattern: `[\P{Lu}]`, options: "caseless utf", text: "A"},
		{pattern: `\b`, options: "caseless utf", text: "\u017f"},
		{pattern: `S[k][\x{17f}]`, options: "caseless utf", text: "\u017f\u212as", want: true},
		{pattern: `[^\x{17f}]`, options: "caseless utf", text: "sS"},
		{pattern: `[ŵ-ƀ]`, options: "caseless utf", text: "S", want: true},
		{pattern: `ß[ǆ]Σ`, options: "caseless utf", text: "ẞǅς", want: true},
		{pattern: "\xe9", options: "caseless", text: "\xe9", want: true},
		{pattern: "\xe9", options: "caseless", text: "\xc9"},
		{pattern: "[\xe0-\xef]", options: "caseless", text: "\xc9"},
		{pattern: `(a)\1`, options: "caseless", text: "aA", want: true},
		{pattern: `(a)\1`, text: "aA"},

		{pattern: "ghi", min: 7, text: text, want: true},
		{pattern: "ghi", min: 8, text: text},
		{pattern: "ghi", min: 1000, text: text},
		{pattern: "ghi", max: 7, text: text, want: true},
		{pattern: "ghi", max: 6, text: text},
		{pattern: "^def", min: 3, text: text},
		{pattern: "^def", options: "multiline", min: 3, text: text},
		{pattern: "^ghi", options: "multiline", min: 7, text: text, want: true},
		{pattern: "(?<=c)def", min: 3, text: text, want: true},
		{pattern: `\bdef`, min: 3, text: text},
		{pattern: "ok", min: 4, text: "ééok", want: true},
		{pattern: "ok", options: "utf", min: 4, max: 4, text: "ééok", want: true},
		{pattern: "ok", options: "utf", min: 5, text: "ééok"},
		{pattern: "k", max: 3, text: "\xe9\xe9ok", want: true},
		{pattern: "k", max: 2, text: "\xe9\xe9ok"},

		{pattern: "f$", text: text},
		{pattern: "f$", options: "multiline", text: text, want: true},
		{pattern: "f(?m:$)", text: text, want: true},
		{pattern: "z$", text: text, want: true},
		{pattern: "z$|nothing$", text: text, want: true},
		{pattern: "(z$)", text: text, want: true},
		{pattern: "(z$)\n", text: text, want: true},
		{pattern: "z$", options: "dollar_endonly", text: text},
		{pattern: `z\Z`, text: text, want: true},
		{pattern: `z\z`, text: text},
		{pattern: "z\n$", options: "dollar_endonly", text: text, want: true},
		{pattern: "^OK$", text: "OK", want: true},
		{pattern: "^OK$", text: "OK\n\n"},
		{pattern: "^$", text: "", want: true},
		{pattern: "^$", options: "multiline", text: "abc\n"},
		{pattern: "^$", options: "multiline alt_circumflex", text: "abc\n", want: true},
		{pattern: "abc", options: "firstline", text: text, want: true},
		{pattern: "ghi", options: "firstline", text: text},
		{pattern: "\nghi", options: "firstline", text: text, want: true},
		{pattern: "f.g", text: text},
		{pattern: "f.g", options: "dotall", text: text, want: true},
		{pattern: `f\Ng`, options: "dotall", text: text},
		{pattern: "g h # comment\n i", options: "extended", text: text, want: true},
		{pattern: "(?x) g h  +  i", text: text, want: true},
		{pattern: "g h i", text: text},

		{pattern: `a\sb`, text: "a\vb", want: true},
		{pattern: `a[\s]b`, text: "a\vb", want: true},
		{pattern: `a[^\s]b`, text: "a\vb"},
		{pattern: `a\Sb`, text: "a\vb"},
		{pattern: `a\hb\vc\Hd\Ve`, text: "a\tb\nc-d-e", want: true},
		{pattern: `^\w+$`, text: "é"},
		{pattern: `\d`, options: "utf", text: "٣"},
		{pattern: `\p{Nd}`, options: "utf", text: "٣", want: true},
		{pattern: `\P{Nd}`, options: "utf", text: "٣"},
		{pattern: `[\p{^Nd}]`, options: "utf", text: "٣"},
		{pattern: `\pL\pN`, text: "a1", want: true},
		{pattern: `\p{Greek}`, options: "utf", text: "λ", want: true},
		{pattern: `(?=\p{Greek})\P{Latin}`, options: "utf", text: "λ", want: true},
		{pattern: `(?=.)[\P{L}\p{Lu}]`, text: "kK", want: true},
		{pattern: `(?=.)[^\P{L}\p{Lu}]`, text: "K1"},
		{pattern: `[[:alpha:]_-]{3}[[:^digit:]]`, text: "a_-x", want: true},
		{pattern: `^[[:][[:a]+[[=]$`, text: "[:a=", want: true},
		{pattern: `^[[:abc[:digit:]]+$`, text: "a[:1", want: true},
		{pattern: `^[[:punct:]]+$`, text: `!"#$%&'()*+,-./:;<=>?@[\]^_` + "`{|}~", want: true},
		{pattern: `[]x]`, text: "]", want: true},
		{pattern: `[]`, options: "allow_empty_class", text: "]"},
		{pattern: `[^]`, options: "allow_empty_class", text: "]", want: true},
		{pattern: `[a-c-[b]`, text: "[", want: true},
		{pattern: `[\]\x41\Q.-\E]{5}`, text: "]A.-A", want: true},
		{pattern: `[\w-z]`, text: "-", want: true},

		{pattern: "a.b", text: "aéb"},
		{pattern: "a..b", text: "aéb", want: true},
		{pattern: "a.b", options: "utf", text: "aéb", want: true},
		{pattern: "aéb", text: "aéb", want: true},
		{pattern: "^a[é]b", text: "aéb"},
		{pattern: "ok", options: "utf", text: "\xff\xfeok", want: true},
		{pattern: `\xc3\xa9`, text: "é", want: true},
		{pattern: `\x{e9}`, options: "utf", text: "é", want: true},
		{pattern: `\o{101}\0\012\cA\e\x`, text: "A\x00\n\x01\x1b\x00", want: true},
		{pattern: `\Qa.b\E+`, text: "a.bbb", want: true},
		{pattern: `\Qa.b\E`, text: "axb"},
		{pattern: `a{,3}b`, text: "a{,3}b", want: true},
		{pattern: `^(?:a{2}){3}$`, text: "aaaaaa", want: true},
		{pattern: `^a{00}b{01,02}c{3,}$`, text: "bbccc", want: true},
		{pattern: `^a{01}$`, text: "a{01}"},
		{pattern: `^a{2,}b`, text: "aab", want: true},
		{pattern: `x{1001}`, text: strings.Repeat("x", 1001), want: true},

		{pattern: `(\w+) \1`, text: "foo foo", want: true},
		{pattern: `(\w+) \1`, text: "foo bar"},
		{pattern: `(?<w>\w)(x)\g{w}\g{-1}\2\k<w>(?P=w)`, text: "axaxxaa", want: true},
		{pattern: `(a)?x\1b`, text: "xb"},
		{pattern: `(a)(?<n>b)\1`, options: "no_auto_capture", text: "abb", want: true},
		{pattern: `^(?!.*error).*OK`, text: "all OK", want: true},
		{pattern: `^(?!.*error).*OK`, text: "error OK"},
		{pattern: `a++b`, text: "aab", want: true},
		{pattern: `a++ab`, text: "aab"},
		{pattern: `(?>a+)ab`, text: "aab"},
		{pattern: `(?>a+?)ab`, text: "aab", want: true},
		{pattern: `(?>a+)ab`, options: "ungreedy", text: "aab", want: true},
		{pattern: `a\Rb`, text: "a\r\nb", want: true},
		{pattern: `o\bk`, text: "ok"},
		{pattern: `o\Bk`, text: "ok", want: true},
		{pattern: `(?=x)?\bé`, text: "é"},
		{pattern: `a(?#what)b`, text: "ab", want: true},
	} {
		r := Regex{Pattern: test.pattern, Options: ListOf(strings.Fields(test.options)...), MinOffset: test.min, MaxOffset: test.max}
		for range 2 {
			m, err := r.Compile()
			if err != nil {
				t.Errorf("%q %s: %v", test.pattern, test.options, err)
				break
			}
			got, err := m.Match([]byte(test.text))
			if got != (test.want != r.NoMatch) || err != nil {
				t.Errorf("%q %s min %d max %d no_match %v on %.50q: %v, %v", test.pattern, test.options, test.min, test.max, r.NoMatch,
					test.text, got, err)
			}
			r.NoMatch = true
		}
	}
}

func TestRegexThatIsRefused(t *testing.T) {
	for _, test := range []struct {
		regex Regex
		want  string
	}{
		{Regex{Pattern: "gh("}, `regex: a parenthesis is not closed at offset 3 of "gh("`},
		{Regex{Pattern: "gh)"}, `regex: a parenthesis is closed that is not open at offset 2 of "gh)"`},
		{Regex{Pattern: "a[b-"}, `regex: a bracket is not closed at offset 1 of "a[b-"`},
		{Regex{Pattern: "a[z-b]"}, `regex: a range ends before it begins at offset 1 of "a[z-b]"`},
		{Regex{Pattern: "a[[:foo:]]"}, `regex: [:foo:] is not known here at offset 1 of "a[[:foo:]]"`},
		{Regex{Pattern: "[[=a=]]"}, `regex: [=a=] is not known here at offset 0 of "[[=a=]]"`},
		{Regex{Pattern: "a[:alpha:]"}, `regex: [:alpha:] belongs into brackets, as in [[:alpha:]], at offset 1 of "a[:alpha:]"`},
		{Regex{Pattern: "a{2}{3}"}, `regex: nothing to repeat at offset 4 of "a{2}{3}"`},
		{Regex{Pattern: "a{3,2}"}, `regex: the numbers of a repetition are out of order at offset 1 of "a{3,2}"`},
		{Regex{Pattern: "a{2,65536}"}, `regex: a repetition is limited to 65535 at offset 1 of "a{2,65536}"`},
		{Regex{Pattern: "a{99999999999999999999}"}, `regex: a repetition is limited to 65535 at offset 1 of "a{99999999999999999999}"`},
		{Regex{Pattern: "^*a"}, `regex: nothing to repeat at offset 1 of "^*a"`},
		{Regex{Pattern: `\b+a`}, `regex: nothing to repeat at offset 2 of "\\b+a"`},
		{Regex{Pattern: "(?m)$?a"}, `regex: nothing to repeat at offset 5 of "(?m)$?a"`},
		{Regex{Pattern: "a|*"}, `regex: nothing to repeat at offset 2 of "a|*"`},
		{Regex{Pattern: `a\`}, `regex: a backslash at the end at offset 1 of "a\\"`},
		{Regex{Pattern: `a\Kb`}, `regex: \K is not known here at offset 1 of "a\\Kb"`},
		{Regex{Pattern: `\x{100}`}, `regex: "100" is no character, or needs the option utf, at offset 0 of "\\x{100}"`},
		{Regex{Pattern: `(a)\2`}, `regex: there is no group 2`},
		{Regex{Pattern: `(?<a>b)(?<a>c)`}, `regex: there are two groups "a", without the option dupnames at offset 7 of "(?<a>b)(?<a>c)"`},
		{Regex{Pattern: `(?R)`}, `regex: (?R is not known here at offset 0 of "(?R)"`},
		{Regex{Pattern: `(*UTF)a`}, `regex: verbs such as (*UTF) are not known here at offset 0 of "(*UTF)a"`},
		{Regex{Pattern: `\p{Klingon}`}, `regex: \p{Klingon} is not known here at offset 0 of "\\p{Klingon}"`},
		{Regex{Pattern: "a", Options: ListOf("nosuch")}, `regex_options: there is no option "nosuch"`},
		{Regex{Pattern: "a", Options: ListOf("utf", "ucp")},
			`regex_options: ucp is not possible here: \d, \s, \w and \b are ASCII here: write \p{Nd}, \p{L} and the like`},
		{Regex{Pattern: "a", Options: ListOf("utf", "never_utf")}, "regex_options: utf and never_utf contradict each other"},
		{Regex{Pattern: "\xff", Options: ListOf("utf")}, "regex: not UTF-8, as the option utf says"},
		{Regex{Pattern: "a", MinOffset: 10, MaxOffset: 5}, "regex_min_offset 10 is above regex_max_offset 5"},
		{Regex{Pattern: "a", MinOffset: -1}, "regex: an offset is negative"},
	} {
		if _, err := test.regex.Compile(); err == nil || err.Error() != test.want {
			t.Errorf("%+v: %v\nwant %s", test.regex, err, test.want)
		}
	}
}

// Every category and script is the same to both engines, within brackets and without.
func TestRegexProperties(t *testing.T) {
	samples := []rune{0, '\n', ' ', '1', 'A', 'a', '_', 0x7f, 0xad, 'é', 'ǅ', 'λ', 'Я', 0x378, 0x5d0, 0x661, 0x2028, 0x3042, 0x4e00, 0xe000, 0xfffd, 0xffff, 0x1f600, 0x10ffff}
	tables := maps.Clone(unicode.Scripts)
	maps.Copy(tables, unicode.Categories)
	for name, table := range tables {
		for _, form := range []string{`\A\p{%s}`, `\A\P{%s}`, `\A[\p{%s}]`, `\A[\P{%s}]`, `\A[^\P{%s}]`} {
			pattern := fmt.Sprintf(form, name)
			linear, err := Regex{Pattern: pattern, Options: ListOf("utf", "dotall")}.Compile()
			if err != nil {
				t.Fatal(err)
			}
			other, err := Regex{Pattern: "(?=.)" + pattern, Options: ListOf("utf", "dotall")}.Compile()
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range samples {
				not := strings.Contains(form, "P") != strings.Contains(form, "^")
				want := unicode.Is(table, c) != not
				one, _ := linear.Match([]byte(string(c)))
				two, _ := other.Match([]byte(string(c)))
				if one != want || two != want {
					t.Errorf("%s on %U: %v and %v, want %v", pattern, c, one, two, want)
				}
			}
		}
	}
}

func TestRegexOptionsAreKeepalived(t *testing.T) {
	const manual = `allow_empty_class alt_bsux alt_circumflex alt_verbnames auto_callout caseless dollar_endonly dotall dupnames
		extended firstline match_unset_backref multiline never_backslash_c never_ucp never_utf no_auto_capture no_auto_possess
		no_dotstar_anchor no_start_optimize ucp ungreedy use_offset_limit utf`
	if got, want := strings.Join(RegexOptions(), " "), strings.Join(strings.Fields(manual), " "); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestRegexThatTakesTooLong(t *testing.T) {
	m, err := Regex{Pattern: `^(a+)+\1$`}.Compile()
	if err != nil {
		t.Fatal(err)
	}
	m.backtrack.MatchTimeout = time.Millisecond
	_, err = m.Match([]byte(strings.Repeat("a", 50) + "!"))
	if want := "the regex \"^(a+)+\\\\1$\" takes more than 1s on this text"; err == nil || err.Error() != want {
		t.Errorf("%v; want %s", err, want)
	}
}

// FuzzRegex has both engines, where both know a pattern, agree on where it matches.
func FuzzRegex(f *testing.F) {
	for _, pattern := range []string{`^OK$`, `(?i)a[^\w-]*?\bé|\x41{2,3}`, `[[:alpha:]\d]+(?m:^b$)`, `\pL(?<n>x)`, `(?x) a # b`, `\Qa\E+`} {
		f.Add(pattern, "OK\nab aé 1", uint8(3))
	}
	f.Add("[--1]", "0", uint8('z'))
	f.Add(`\W`, "S", uint8('V'))
	f.Add("0{00}", "0", uint8(0))
	f.Fuzz(func(t *testing.T, pattern, text string, options uint8) {
		if len(pattern) > 100 || len(text) > 100 {
			return // in time
		}
		var names []string
		for i, name := range []string{"utf", "caseless", "multiline", "dotall", "ungreedy", "dollar_endonly", "extended", "firstline"} {
			if options&(1<<i) != 0 {
				names = append(names, name)
			}
		}
		r := Regex{Pattern: pattern, Options: ListOf(names...)}
		one, err := r.Compile()
		if err != nil {
			return
		}
		at, err := one.find([]byte(text))
		if one.linear == nil || err != nil {
			return
		}
		r.MinOffset, r.MaxOffset = 1, 0 // has the other engine compile it
		other, err := r.Compile()
		if err != nil {
			return // one engine only knows large counts
		}
		other.regex.MinOffset = 0
		if got, err := other.find([]byte(text)); err == nil && got != at {
			t.Errorf("%q %v on %q: at %d in linear time, at %d otherwise", pattern, names, text, at, got)
		}
	})
}

// What may take long is known before: it is not to hold up other probes.
func TestRegexBrief(t *testing.T) {
	for pattern, want := range map[string]bool{
		"": true, "content": true, `<title>[^<]*ok[^<]*</title>`: true, `"status":\s*"(up|ok)"`: true, `a*a*a*a*a*b`: true,
		`(.*a.{900}b)`: false, `(a|aa){1,300}b`: false, `(x*a?){1000}b$`: false, `(a)\1`: false, `(?=a)b`: false,
	} {
		m, err := Regex{Pattern: pattern}.Compile()
		if err != nil {
			t.Fatal(err)
		}
		if m.Brief() != want {
			t.Errorf("%s: %v", pattern, !want)
		}
	}
}
