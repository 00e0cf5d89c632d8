package keepalived

import (
	"path"
	"slices"
	"strings"
)

// includeCheck is what is wrong with an include that finds nothing.
type includeCheck uint8

const (
	checkReadable includeCheck = 1 << iota // a file can't be read
	checkMatch                             // nothing matches
	checkWildcard                          // nothing matches, where there is a wildcard
	checkBrace                             // nothing matches a name of several in braces
	checkAll      = checkReadable | checkMatch | checkWildcard | checkBrace
)

// includeChecks are the words of include_check.
var includeChecks = map[string]includeCheck{
	"readable": checkReadable, "match": checkMatch | checkReadable, "wildcard_match": checkWildcard | checkReadable, "brace_match": checkBrace | checkReadable,
}

// includeKeywords are what include can be called, with what each wants to be checked.
var includeKeywords = map[string]includeCheck{
	"include": 0, "includer": checkReadable, "includem": checkMatch, "includew": checkWildcard, "includeb": checkBrace, "includea": checkAll,
}

// checks reads include_check, from which on includes find or miss their files more strictly.
func (r *reader) checks(words []string) {
	if len(words) == 0 {
		r.check = checkAll
		return
	}
	if w := words[0]; w[0] != '+' && w[0] != '-' {
		r.check = 0
	}
	for _, w := range words {
		if name, less := strings.CutPrefix(w, "-"); less {
			r.check &^= includeChecks[name] &^ checkReadable
			if name == "readable" {
				r.check &^= checkReadable
			}
		} else {
			r.check |= includeChecks[strings.TrimPrefix(w, "+")]
		}
	}
}

// includes says whether a line is an include. To keepalived it is one only if something follows.
func includes(text string) bool {
	if !strings.HasPrefix(text, "include") {
		return false
	}
	end := strings.IndexAny(text, blanks)
	if end < 0 {
		return false
	}
	_, ok := includeKeywords[text[:end]]
	return ok
}

// include begins to read the files of an include. A name that isn't absolute is one beside the file that has the include.
func (r *reader) include(s source) {
	end := strings.IndexAny(s.text, blanks)
	check := r.check | includeKeywords[s.text[:end]]
	name := s.cut(end, len(s.text))
	if strings.HasPrefix(name.text, `"`) {
		r.say.Warn(name.all(), "leave the quotes out", "to keepalived the quotes are part of the file's name")
	}
	var files []*fileFeed
	alternatives := braces(name.text)
	for _, pattern := range alternatives {
		if !path.IsAbs(pattern) {
			pattern = path.Join(path.Dir(name.file), pattern)
		}
		matches, err := r.host.Glob(pattern)
		if err != nil {
			r.say.Warn(name.all(), "", "%v", err)
		}
		if len(matches) == 0 {
			r.missing(name, pattern, check, len(alternatives) > 1)
		}
		for _, m := range matches {
			text, known := r.sources[m] // of the same moment, if it is read again
			if !known {
				content, err := r.host.ReadFile(m)
				if err != nil {
					r.found(name, check&checkReadable != 0, "%v", err)
					continue
				}
				text = string(content)
			}
			files = append(files, r.file(m, text))
		}
	}
	for _, f := range slices.Backward(files) { // the last that is put on the stack is the first that is read
		r.push(name, f)
	}
}

// missing tells of a pattern that no file matches.
func (r *reader) missing(name source, pattern string, check includeCheck, several bool) {
	wild := strings.ContainsAny(pattern, "*?[")
	wrong := !wild && !several && check&checkMatch != 0 || wild && check&checkWildcard != 0 || several && check&checkBrace != 0
	r.found(name, wrong || check&checkMatch != 0, "there is no file %s", pattern)
}

func (r *reader) found(name source, wrong bool, format string, args ...any) {
	if wrong {
		r.say.Error(name.all(), "", format, args...)
		return
	}
	r.say.Warn(name.all(), "", format, args...)
}

// file returns the lines of a file.
func (r *reader) file(name, text string) *fileFeed {
	r.sources[name] = text
	f := &fileFeed{name: name, rest: text, check: r.check}
	if rest, ok := strings.CutPrefix(text, "\ufeff"); ok {
		f.rest = rest
		at := source{file: name, line: 1, column: 1, text: firstWord(rest)}
		if end, _ := comment(at.text); at.text != "" && end > 0 {
			r.say.Assume(at.all(), "save the file without it", "there is a byte order mark, which keepalived takes for the beginning of the first word")
		}
	}
	return f
}

func firstWord(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	word, _, _ := strings.Cut(strings.Trim(line, blanks), " ")
	return word
}

// most is how many names braces may make of one.
const most = 1000

// braces returns the patterns that a pattern with braces stands for: a{b,c}d for abd and acd.
func braces(pattern string) []string {
	open := strings.IndexByte(pattern, '{')
	if open < 0 {
		return []string{pattern}
	}
	depth, begin := 0, open+1
	var parts []string
	for i := open; i < len(pattern); i++ {
		switch pattern[i] {
		case '{':
			depth++
		case ',':
			if depth == 1 {
				parts = append(parts, pattern[begin:i])
				begin = i + 1
			}
		case '}':
			if depth--; depth > 0 {
				continue
			}
			parts = append(parts, pattern[begin:i])
			var all []string
			for _, p := range parts {
				if len(all) < most {
					all = append(all, braces(pattern[:open]+p+pattern[i+1:])...)
				}
			}
			return all
		}
	}
	return []string{pattern} // it isn't closed
}
