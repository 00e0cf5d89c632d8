package config

import (
	"cmp"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// withoutMark drops the byte order mark that editors on Windows write. The library does so too, and then doesn't count it.
func withoutMark(source string) string { return strings.TrimLeft(source, "\uFEFF") }

// parse reads the text as TOML. It reports what is wrong with the syntax and then returns nil; there is one such error at
// most, since after it nobody can tell what the rest means.
func parse(text string, r *report) map[string]any {
	if !utf8.ValidString(text) {
		at := 0
		for i, c := range text {
			if _, n := utf8.DecodeRuneInString(text[i:]); c == utf8.RuneError && n == 1 {
				at = i
				break
			}
		}
		r.fail(spot{span: span{at, at + 1}}, "save the file as UTF-8", "this is not a text in UTF-8")
		return nil
	}
	var tree map[string]any
	_, err := toml.Decode(text, &tree)
	if err == nil {
		return tree
	}
	at, message := span{}, err.Error()
	if broken, ok := errors.AsType[toml.ParseError](err); ok {
		message = broken.Message
		from := max(0, min(broken.Position.Start, len(text))) // -1 has been seen
		to := from + broken.Position.Len
		// The library stands behind the line when it misses something at its end; we stand on its last character.
		if from > 0 && (from == len(text) || text[from] == '\n') {
			from, to = from-1, from
		}
		for from > 0 && from < len(text) && !utf8.RuneStart(text[from]) {
			from--
		}
		at = span{from, to}
	}
	message, hint := explain(message)
	line, _, _ := strings.Cut(text[strings.LastIndexByte(text[:at.from], '\n')+1:], "\n")
	if strings.HasSuffix(strings.TrimSpace(line), "{") && !strings.Contains(line, "=") {
		hint = "this is how keepalived.conf is written; here blocks are tables: [global_defs], [[virtual_server]]"
	}
	r.fail(spot{span: at}, hint, "%s", printable(message))
	return nil
}

// explain puts the library's words into those of a reader who doesn't know TOML's grammar.
func explain(message string) (readable, hint string) {
	if _, rest, ok := strings.Cut(message, "Key '"); ok {
		key, _, _ := strings.Cut(rest, "'")
		return key[strings.LastIndexByte(key, '.')+1:] + " is there twice",
			"a keyword stands once in a table; tables that repeat have two brackets: [[virtual_server]]"
	}
	message = strings.TrimSuffix(strings.TrimSuffix(message, "."), " instead")
	for _, e := range explanations {
		if strings.Contains(message, e.has) {
			return cmp.Or(e.readable, message), e.hint
		}
	}
	return message, "TOML is described on https://toml.io"
}

var explanations = []struct{ has, readable, hint string }{
	{"strings cannot contain newlines", "the string does not end on its line", `close it with a double quote`},
	{"expected '.' or '='", "after a keyword there must be an equals sign", `write: keyword = value`},
	{"expected key separator", "after a keyword there must be an equals sign", `write: keyword = value`},
	{"unexpected '='", "there is no keyword before the equals sign", `write: keyword = value`},
	{"key name appears blank", "there is no keyword before the equals sign", `write: keyword = value`},
	{"expected a top-level item to end with a newline", "something follows the value",
		`words and addresses stand in double quotes, one keyword a line: lb_algo = "rr"`},
	{"expected value", "there is no value that TOML knows",
		`words and addresses stand in double quotes: lb_algo = "rr"; switches are true or false`},
	{"Invalid float", "this is not a number", `addresses stand in double quotes: "192.0.2.1:80"`},
	{"invalid float", "this is not a number", `addresses stand in double quotes: "192.0.2.1:80"`},
	{"leading zeroes", "a number must not begin with 0", "leave the 0 out, or write an octal number as 0o17"},
	{"floats must start with a digit", "a number must begin with a digit", "write 0.5, not .5"},
	{"Invalid datetime", "this is not a number", `addresses stand in double quotes: "192.0.2.1:80"`},
	{"is out of range for int64", "the number is too large", "no keyword takes more than 4294967295"},
	{"expected a digit", "this is not a number", `words and addresses stand in double quotes: lb_algo = "rr"`},
	{"expected a comma (',') or array terminator", "the list is not closed, or a comma is missing",
		`write: ["10.0.100.2:80", "10.0.100.3:80"]`},
	{"unexpected comma", "there is a comma too many", "one comma between two values, none before the first"},
	{"inline table", "", `write: { connect_port = 80, retry = 2 }`},
	{"table name", "the header of a table is broken", "write: [global_defs] or [[virtual_server]]"},
	{"table array name", "the header of a table is broken", "write two brackets on each side: [[virtual_server]]"},
	{"invalid escape", "", `write a backslash as \\`},
	{"NULL bytes", "this is not a text in UTF-8", "save the file as UTF-8; it may be UTF-16"},
	{"unexpected EOF", "the file ends too early", "close what is open: a quote, a bracket or a brace"},
}
