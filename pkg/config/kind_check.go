package config

import (
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/health"
)

var (
	// password is a text that no message shows.
	password = kind{words: "a text in double quotes", read: func(v any) (any, *wrong) {
		s, ok := v.(string)
		if !ok || s == "" || strings.ContainsAny(s, "\x00\r\n") {
			return nil, &wrong{message: "it must be a text in double quotes, on one line"}
		}
		return s, nil
	}}

	// path is where a file is.
	path = kind{words: "an absolute path", read: func(v any) (any, *wrong) {
		s, ok := v.(string)
		if !ok || !strings.HasPrefix(s, "/") || strings.ContainsRune(s, 0) {
			return nil, &wrong{hint: `write where the file is, as in "/etc/ipvsd/file"`}
		}
		return s, nil
	}}

	// needed is how many checks must pass; 0 stands for all.
	needed = kind{words: `"all", "any" or a number`, read: func(v any) (any, *wrong) {
		switch n, _ := v.(int64); {
		case v == "all":
			return int64(0), nil
		case v == "any":
			return int64(1), nil
		case n >= 1 && n <= math.MaxInt32:
			return n, nil
		}
		return nil, &wrong{}
	}}

	// factor is a weight that may be negative.
	factor = integer(-math.MaxInt32, math.MaxInt32)

	// datagram is a number of bytes.
	datagram = integer(0, math.MaxUint16)

	// payload is bytes in keepalived's form of hexadecimal digits.
	payload = kind{words: `hexadecimal digits such as "DE AD BE EF"`, read: func(v any) (any, *wrong) {
		bytes, _, w := hexadecimal(v, false)
		return bytes, w
	}}

	// replyPattern is whether there must be an answer, or what it must begin with.
	replyPattern = kind{words: `true, false, or hexadecimal digits such as "DE AD XX EF", where X is any`, read: func(v any) (any, *wrong) {
		if on, ok := v.(bool); ok {
			return reply{needed: on}, nil
		}
		bytes, mask, w := hexadecimal(v, true)
		return reply{true, bytes, mask}, w
	}}

	// domain is a name in the DNS.
	domain = kind{words: `a name such as "www.example.org"`, read: func(v any) (any, *wrong) {
		s, ok := v.(string)
		if !ok || s == "" || strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' }) {
			return nil, &wrong{hint: "letters outside of ASCII are written as xn--..."}
		}
		if s == "." {
			return s, nil
		}
		s = strings.TrimSuffix(s, ".")
		for label := range strings.SplitSeq(s, ".") {
			if label == "" || len(label) > 63 {
				return nil, &wrong{hint: "what is between two dots has 1 to 63 characters"}
			}
		}
		if len(s) > 253 {
			return nil, &wrong{hint: "a name has up to 253 characters"}
		}
		return s, nil
	}}
)

// hexadecimal reads bytes as keepalived does: two digits are one, a blank ends it. It returns which bits of them count.
func hexadecimal(v any, any bool) (bytes, mask string, w *wrong) {
	s, _ := v.(string)
	words := strings.Fields(s)
	if len(words) == 0 {
		return "", "", &wrong{}
	}
	var value, counts []byte
	for _, word := range words {
		for len(word) > 0 {
			n := min(2, len(word))
			written := word[:n]
			digits := strings.ToUpper(written)
			word = word[n:]
			bits := strings.Map(func(c rune) rune {
				if c == 'X' && any {
					return '0'
				}
				return 'F'
			}, digits)
			if n == 1 {
				digits, bits = "0"+digits, "F"+bits
			}
			if any {
				digits = strings.ReplaceAll(digits, "X", "0")
			}
			b, err := hex.DecodeString(digits)
			if err != nil {
				return "", "", &wrong{message: fmt.Sprintf("%q is not hexadecimal", written), hint: "digits are 0 to 9 and A to F; blanks may be between bytes"}
			}
			m, _ := hex.DecodeString(bits) // made of 0 and F
			value, counts = append(value, b[0]), append(counts, m[0])
		}
	}
	if len(value) > 65507 {
		return "", "", &wrong{message: fmt.Sprintf("%d bytes are more than a datagram holds", len(value)), hint: "65507 at most"}
	}
	return string(value), string(counts), nil
}

var (
	// hostName is a host for others to understand, with a port perhaps.
	hostName = kind{words: `a host name such as "www.example.org"`, read: func(v any) (any, *wrong) {
		s, ok := v.(string)
		switch {
		case !ok || s == "" || strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' }):
			return nil, &wrong{}
		case strings.Contains(s, "://"):
			return nil, &wrong{hint: "write the host only, without the scheme"}
		case strings.ContainsAny(s, `/?#@\"`):
			return nil, &wrong{hint: "write the host only"}
		}
		return s, nil
	}}

	// urlPath is what stands in the first line of a request.
	urlPath = kind{words: `a path such as "/health"`, read: func(v any) (any, *wrong) {
		s, ok := v.(string)
		switch {
		case !ok || strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' }):
			return nil, &wrong{hint: "other characters are written as in an address of a browser: %20 is a blank"}
		case strings.HasPrefix(s, "https://"):
			return nil, &wrong{hint: "a proxy is asked for http://HOST/...; with the server itself write SSL_GET and virtualhost"}
		case !strings.HasPrefix(s, "/") && (!strings.HasPrefix(s, "http://") || s == "http://"):
			return nil, &wrong{hint: "it begins with /, or with http:// for a proxy"}
		}
		return s, nil
	}}

	// token is the name of a line of a header.
	token = kind{words: `the name of a header such as "X-Weight"`, read: func(v any) (any, *wrong) {
		if s, ok := v.(string); ok && isToken(s) {
			return s, nil
		}
		return nil, &wrong{}
	}}

	// httpVersion is a version of HTTP; those that are numbers may be written as such.
	httpVersion = kind{words: `"1.0", "1.0C", "1.1" or "2"`, read: func(v any) (any, *wrong) {
		switch v {
		case 1.0:
			v = "1.0"
		case 1.1:
			v = "1.1"
		case int64(2), 2.0:
			v = "2"
		}
		return oneOf("1.0", "1.0C", "1.1", "2").read(v)
	}}

	// statusCodes are codes, and ranges of them, as text or list.
	statusCodes = kind{words: `codes such as 200 or "200-299 301", from 100 to 599`, read: func(v any) (any, *wrong) {
		var set health.StatusSet
		add := func(from, to string) bool {
			a, err := strconv.Atoi(from)
			b, err2 := strconv.Atoi(to)
			return err == nil && err2 == nil && set.Add(a, b)
		}
		items, isList := v.([]any)
		if !isList {
			items = []any{v}
		}
		for _, item := range items {
			words := []string{fmt.Sprint(item)}
			switch item := item.(type) {
			case string:
				words = strings.Fields(item)
			case int64:
			default:
				return nil, &wrong{}
			}
			for _, word := range words {
				from, to, ranged := strings.Cut(word, "-")
				if !ranged {
					to = from
				}
				if !add(from, to) {
					return nil, &wrong{message: fmt.Sprintf("%q is neither a code from 100 to 599 nor a range of them", word),
						hint: `write status_code = "200-299 301"`}
				}
			}
		}
		if set == (health.StatusSet{}) {
			return nil, &wrong{}
		}
		return set, nil
	}}

	// digest is a sum of MD5.
	digest = kind{words: "the MD5 of a body, 32 hexadecimal digits", read: func(v any) (any, *wrong) {
		s, _ := v.(string)
		if b, err := hex.DecodeString(s); err != nil || len(b) != 16 {
			return nil, &wrong{hint: "genhash -s SERVER -p PORT -u PATH prints it, and so does curl URL | md5sum"}
		}
		return strings.ToLower(s), nil
	}}

	// regexOptions are words, in one text or a list.
	regexOptions = kind{words: "a text, or a list of texts", read: func(v any) (any, *wrong) {
		words, w := texts.read(v)
		if w != nil {
			return nil, w
		}
		names := strings.Fields(strings.Join(words.([]string), " "))
		for _, name := range names {
			if !slices.Contains(health.RegexOptions(), name) {
				w := &wrong{message: fmt.Sprintf("there is no option %q", name),
					hint: "options are " + strings.Join(health.RegexOptions(), ", ")}
				if near := closest(name, health.RegexOptions()); near != "" {
					w.hint = fmt.Sprintf("did you mean %q?", near)
				}
				return nil, w
			}
		}
		slices.Sort(names)
		options := health.ListOf(slices.Compact(names)...)
		if _, err := (health.Regex{Options: options}).Compile(); err != nil {
			return nil, &wrong{message: strings.TrimPrefix(err.Error(), "regex_options: ")}
		}
		return options, nil
	}}

	// headers are lines of the header of a request.
	headers = kind{words: `a table such as { Accept = "text/html" }`, read: func(v any) (any, *wrong) {
		t, ok := v.(map[string]any)
		if !ok {
			return nil, &wrong{}
		}
		var list []health.Header
		for _, name := range sortedKeys(t) {
			s, ok := t[name].(string)
			switch hint := ourHeaders[strings.ToLower(name)]; {
			case hint != "":
				return nil, &wrong{message: fmt.Sprintf("the header %s is written by the check", name), hint: hint}
			case !isToken(name):
				return nil, &wrong{message: fmt.Sprintf("%q is no name of a header", name)}
			case !ok || strings.ContainsAny(s, "\x00\r\n"):
				return nil, &wrong{message: fmt.Sprintf("the header %s must be a text in double quotes, on one line", name)}
			}
			list = append(list, health.Header{Name: name, Value: s})
		}
		return health.ListOf(list...), nil
	}}

	// assertions are paths and values, or paths alone.
	assertions = kind{words: `a table such as { "checks.0.status" = "UP" }, or a list of paths that must be there`,
		read: func(v any) (any, *wrong) {
			var list []health.Assertion
			switch v := v.(type) {
			case string:
				list = append(list, health.Assertion{Path: v})
			case []any:
				for _, item := range v {
					s, ok := item.(string)
					if !ok {
						return nil, &wrong{}
					}
					list = append(list, health.Assertion{Path: s})
				}
			case map[string]any:
				var w *wrong
				if list, w = assert(list, "", v); w != nil {
					return nil, w
				}
			}
			if len(list) == 0 || slices.ContainsFunc(list, func(a health.Assertion) bool { return a.Path == "" }) {
				return nil, &wrong{}
			}
			slices.SortFunc(list, func(a, b health.Assertion) int { return strings.Compare(a.Path, b.Path) })
			return health.ListOf(list...), nil
		}}
)

// ourHeaders are headers that have keywords, or that a check can't go without.
var ourHeaders = map[string]string{
	"host": "write virtualhost", "connection": "write http_protocol", "content-length": "leave it out: it is the length of body",
	"transfer-encoding": "leave it out",
}

// assert adds what a table asserts; tables in it are longer paths.
func assert(list []health.Assertion, prefix string, t map[string]any) ([]health.Assertion, *wrong) {
	for _, name := range sortedKeys(t) {
		a := health.Assertion{Path: prefix + name}
		switch v := t[name].(type) {
		case map[string]any:
			var w *wrong
			if list, w = assert(list, a.Path+".", v); w != nil {
				return nil, w
			}
			continue
		case string:
			a.Value = v
		case bool, int64, float64:
			a.Value = fmt.Sprint(v)
		default:
			return nil, &wrong{message: fmt.Sprintf("%s must be a text, a number, true or false", a.Path)}
		}
		list = append(list, a)
	}
	return list, nil
}

// isToken says whether a text can be a name in a header, as RFC 9110, section 5.6.2, has it.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return c <= ' ' || c > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
	})
}

// listOf is a list of so many values of a kind.
func listOf(one kind, length int) kind {
	return kind{words: fmt.Sprintf("a list of %d", length), read: func(v any) (any, *wrong) {
		items, ok := v.([]any)
		if !ok || len(items) != length {
			return nil, &wrong{}
		}
		for _, item := range items {
			if _, w := one.read(item); w != nil {
				return nil, w
			}
		}
		return items, nil
	}}
}
