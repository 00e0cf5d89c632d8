package config

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// command is a script: one text, or a list of text, user and group.
var command = kind{words: `a command such as "/usr/local/bin/notify up", or ["COMMAND", "USER", "GROUP"]`,
	read: func(v any) (any, *wrong) {
		words, w := texts.read(v)
		if w != nil {
			return nil, w
		}
		list := words.([]string)
		if len(list) == 0 || len(list) > 3 {
			return nil, &wrong{hint: "after the command come a user and a group at most; arguments stand with the command"}
		}
		argv, w := splitWords(list[0])
		if w != nil {
			return nil, w
		}
		switch {
		case len(argv) == 0:
			return nil, &wrong{message: "there is no command"}
		case !strings.HasPrefix(argv[0], "/"):
			return nil, &wrong{message: fmt.Sprintf("%q is not an absolute path", argv[0]),
				hint: "commands are run without a shell: write where the program is, as in /usr/local/bin/notify"}
		}
		s := Script{Argv: argv}
		w = s.runAs(list[1:])
		return s, w
	}}

// account is who scripts are run as: "USER", "USER GROUP" or a list of them.
var account = kind{words: `a user, or a user and a group: "USER GROUP"`, read: func(v any) (any, *wrong) {
	words, w := texts.read(v)
	if w != nil {
		return nil, w
	}
	list := words.([]string)
	if _, ok := v.(string); ok {
		list = strings.Fields(list[0])
	}
	if len(list) == 0 || len(list) > 2 {
		return nil, &wrong{}
	}
	var s Script
	w = s.runAs(list)
	return s, w
}}

// runAs takes user and group, if they are there.
func (s *Script) runAs(names []string) *wrong {
	for i, name := range names {
		if name == "" || strings.ContainsAny(name, " \t\r\n:/") {
			return &wrong{message: fmt.Sprintf("%q is no name of a user or group", name), hint: "a name or a number"}
		}
		if i == 0 {
			s.User = name
		} else {
			s.Group = name
		}
	}
	return nil
}

// SplitCommand returns the words of a command as it will be run, for those who translate one. The error says what is wrong with it.
func SplitCommand(command string) ([]string, error) {
	words, w := splitWords(command)
	if w != nil {
		return nil, errors.New(w.message)
	}
	return words, nil
}

// JoinCommand is the reverse of SplitCommand.
func JoinCommand(words []string) string { return joinWords(words) }

// splitWords splits a command into words like keepalived: at blanks, except within quotes. A backslash takes the meaning
// from the next character, but not within single quotes.
func splitWords(s string) ([]string, *wrong) {
	var words []string
	var word strings.Builder
	inWord, quote := false, rune(0)
	if strings.ContainsRune(s, 0) {
		return nil, &wrong{message: "a command has no NUL in it"}
	}
	for i := 0; i < len(s); {
		c, size := utf8.DecodeRuneInString(s[i:])
		i += size
		switch {
		case c == '\\' && quote != '\'':
			if i == len(s) {
				return nil, &wrong{message: "the command ends with a backslash", hint: `write a backslash as \\\\ here`}
			}
			c, size = utf8.DecodeRuneInString(s[i:])
			i += size
			inWord = true
			word.WriteRune(c)
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			inWord, quote = true, c
		case quote == 0 && strings.ContainsRune(" \t\r\n", c):
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		default:
			inWord = true
			word.WriteRune(c)
		}
	}
	if quote != 0 {
		return nil, &wrong{message: fmt.Sprintf("the quote %c is not closed", quote),
			hint: `in double quotes of TOML write \" for a quote: "/bin/logger \"the web is down\""`}
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

// joinWords is the reverse of splitWords.
func joinWords(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = w
		if w == "" || strings.ContainsAny(w, " \t\r\n\"'\\") {
			quoted[i] = `"` + strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(w) + `"`
		}
	}
	return strings.Join(quoted, " ")
}
