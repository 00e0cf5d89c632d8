package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// kind is a form of values.
type kind struct {
	words string                  // what a value must be, as in "weight must be ..."
	read  func(any) (any, *wrong) // to the Go value, or what is wrong with it
}

// wrong is why a value can't be read. Without a message the kind's words say it.
type wrong struct {
	message, hint string

	within bool // it is about a part of a text
	part   span
}

// month is the longest time that the kernel and keepalived take for timeouts.
const month = 31 * 24 * time.Hour

var (
	boolean = kind{words: "true or false", read: func(v any) (any, *wrong) {
		switch v := v.(type) {
		case bool:
			return v, nil
		case string:
			switch strings.ToLower(v) {
			case "true", "yes", "on":
				return nil, &wrong{hint: "write true, without quotes"}
			case "false", "no", "off":
				return nil, &wrong{hint: "write false, without quotes"}
			}
		case int64:
			return nil, &wrong{hint: "write true for 1 and false for 0"}
		}
		return nil, &wrong{}
	}}

	text = kind{words: "a text in double quotes", read: func(v any) (any, *wrong) {
		if s, ok := v.(string); ok && s != "" {
			return s, nil
		}
		return nil, &wrong{}
	}}

	// device is the name of a network interface, as the kernel takes it.
	device = kind{words: `an interface such as "eth1"`, read: func(v any) (any, *wrong) {
		s, ok := v.(string)
		if !ok || s == "" || len(s) > 15 || strings.ContainsAny(s, "/: \t\n") {
			return nil, &wrong{hint: "a name has up to 15 characters, without blanks, slashes and colons"}
		}
		return s, nil
	}}

	// texts is what keepalived lists between braces or as several words.
	texts = kind{words: "a text, or a list of texts", read: func(v any) (any, *wrong) {
		switch v := v.(type) {
		case string:
			return []string{v}, nil
		case []any:
			var list []string
			for _, item := range v {
				s, ok := item.(string)
				if !ok {
					return nil, &wrong{}
				}
				list = append(list, s)
			}
			return list, nil
		}
		return nil, &wrong{}
	}}
)

// integer is a whole number within bounds.
func integer(least, most int64) kind {
	return kind{words: fmt.Sprintf("a whole number from %d to %d", least, most), read: func(v any) (any, *wrong) {
		n, ok := v.(int64)
		if s, quoted := v.(string); quoted {
			if _, err := strconv.ParseInt(s, 10, 64); err == nil {
				return nil, &wrong{hint: "write the number without quotes"}
			}
		}
		if !ok || n < least || n > most {
			return nil, &wrong{}
		}
		return n, nil
	}}
}

// seconds is a time: a number of seconds, or a string that says its unit.
func seconds(least, most time.Duration) kind {
	words := fmt.Sprintf(`%s to %s seconds, or a duration such as "1500ms"`, plain(least), plain(most))
	return kind{words: words, read: func(v any) (any, *wrong) {
		d, w := duration(v)
		if w == nil && (d < least || d > most) {
			w = &wrong{}
		}
		return d, w
	}}
}

// wholeSeconds is a time that the kernel counts in seconds.
func wholeSeconds(least, most time.Duration) kind {
	words := fmt.Sprintf(`%s to %s whole seconds, or a duration such as "5m"`, plain(least), plain(most))
	return kind{words: words, read: func(v any) (any, *wrong) {
		d, w := duration(v)
		if w == nil && d%time.Second != 0 {
			w = &wrong{hint: "the kernel counts this in whole seconds"}
		}
		if w == nil && (d < least || d > most) {
			w = &wrong{}
		}
		return d, w
	}}
}

func duration(v any) (time.Duration, *wrong) {
	switch v := v.(type) {
	case int64:
		if v < math.MinInt32 || v > math.MaxInt32 {
			return 0, &wrong{}
		}
		return time.Duration(v) * time.Second, nil
	case float64:
		if !(math.Abs(v) <= math.MaxInt32) { // NaN too
			return 0, &wrong{}
		}
		return time.Duration(math.Round(v*1e6)) * time.Microsecond, nil
	case string:
		if days, ok := strings.CutSuffix(v, "d"); ok {
			if n, err := strconv.ParseUint(days, 10, 16); err == nil {
				return time.Duration(n) * 24 * time.Hour, nil
			}
		}
		d, err := time.ParseDuration(v)
		if err != nil {
			hint := `units are "ms", "s", "m", "h" and "d"; a number without quotes is seconds`
			if _, err := strconv.ParseFloat(v, 64); err == nil {
				hint = "write the number without quotes, or add a unit: \"" + v + "s\""
			}
			return 0, &wrong{hint: hint}
		}
		return d, nil
	}
	return 0, &wrong{}
}

// plain prints a time as a number of seconds.
func plain(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }

// oneOf is one of a few words, in any case.
func oneOf(words ...string) kind {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strconv.Quote(w)
	}
	all := strings.Join(quoted, ", ")
	if n := len(quoted) - 1; n > 0 {
		all = strings.Join(quoted[:n], ", ") + " or " + quoted[n]
	}
	return kind{words: all, read: func(v any) (any, *wrong) {
		s, ok := v.(string)
		if !ok {
			return nil, &wrong{}
		}
		for _, w := range words {
			if strings.EqualFold(w, s) {
				return w, nil
			}
		}
		if near := closest(s, words); near != "" {
			return nil, &wrong{hint: fmt.Sprintf("did you mean %q?", near)}
		}
		return nil, &wrong{}
	}}
}

// either is the first of several kinds that takes the value.
func either(kinds ...kind) kind {
	words := make([]string, len(kinds))
	for i, k := range kinds {
		words[i] = k.words
	}
	return kind{words: strings.Join(words, ", or "), read: func(v any) (any, *wrong) {
		var why *wrong
		for _, k := range kinds {
			data, w := k.read(v)
			if w == nil {
				return data, nil
			}
			if why == nil || why.hint == "" {
				why = w
			}
		}
		return nil, why
	}}
}
