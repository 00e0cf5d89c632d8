package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// weighted is a weight with its sign.
type weighted struct {
	weight  int
	reverse bool
}

// weighing is a weight, which keepalived lets the word reverse follow.
func weighing(most int64) kind {
	number := integer(-most, most)
	return kind{words: number.words + `, or a text such as "-20 reverse"`, read: func(v any) (any, *wrong) {
		var w weighted
		if s, ok := v.(string); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(s, " reverse"), 10, 64)
			if err != nil || !strings.HasSuffix(s, " reverse") {
				_, why := number.read(v)
				return nil, why
			}
			v, w.reverse = n, true
		}
		n, why := number.read(v)
		if why == nil {
			w.weight = int(n.(int64))
		}
		return w, why
	}}
}

// tracking is an item of a list of what is tracked.
type tracking struct {
	name string
	weighted
	weighs, turned bool // weight and reverse are written
}

// tracked takes a name, keepalived's line "NAME weight N reverse", or a table of the same words.
func tracked(most int64) kind {
	number := integer(-most, most)
	return kind{words: `a name, "NAME weight -20 reverse" or { name = "NAME", weight = -20 }`, read: func(v any) (any, *wrong) {
		var t tracking
		weigh := func(v any) *wrong {
			n, w := number.read(v)
			if w != nil {
				return &wrong{message: fmt.Sprintf("weight must be %s, not %s", number.words, shown(v)), hint: w.hint}
			}
			t.weight, t.weighs = int(n.(int64)), true
			return nil
		}
		switch v := v.(type) {
		case string:
			name, rest, has := strings.Cut(v, " weight ")
			words := strings.Fields(rest)
			if !has {
				if words = strings.Fields(name); len(words) > 1 && reverses(words[len(words)-1]) {
					name, words = strings.TrimSpace(strings.TrimSuffix(name, words[len(words)-1])), words[len(words)-1:]
				} else {
					words = nil
				}
			} else if len(words) > 0 {
				var n any = words[0]
				if number, err := strconv.ParseInt(words[0], 10, 64); err == nil {
					n = number
				}
				if w := weigh(n); w != nil {
					return nil, w
				}
				words = words[1:]
			} else {
				return nil, &wrong{message: "nothing follows the word weight"}
			}
			if len(words) > 1 || len(words) == 1 && !reverses(words[0]) {
				return nil, &wrong{message: fmt.Sprintf("%q after the weight is not reverse", strings.Join(words, " "))}
			}
			if len(words) == 1 {
				t.reverse, t.turned = words[0] == "reverse", true
			}
			t.name = strings.TrimSpace(name)
		case map[string]any:
			for _, field := range sortedKeys(v) {
				ok := true
				switch data := v[field]; field {
				case "name":
					t.name, ok = data.(string)
				case "weight":
					if w := weigh(data); w != nil {
						return nil, w
					}
				case "reverse":
					t.reverse, ok = data.(bool)
					t.turned = true
				default:
					return nil, unknownField(field, "name", "weight", "reverse")
				}
				if !ok {
					return nil, &wrong{}
				}
			}
		default:
			return nil, &wrong{}
		}
		if t.name == "" {
			return nil, &wrong{}
		}
		return t, nil
	}}
}

func reverses(word string) bool {
	return word == "reverse" || word == "noreverse" || word == "no_reverse"
}

// unknownField is a name in a small table that the table doesn't have.
func unknownField(name string, known ...string) *wrong {
	w := &wrong{message: fmt.Sprintf("there is no word %q", name), hint: "the words are " + strings.Join(known, ", ")}
	if near := closest(name, known); near != "" {
		w.hint = fmt.Sprintf("did you mean %q?", near)
	}
	return w
}

// initFile is what a file is made with: true, a number, or keepalived's line "N overwrite".
var initFile = kind{words: `true, a number, or a text such as "5 overwrite"`, read: func(v any) (any, *wrong) {
	f := TrackFile{Init: true}
	switch v := v.(type) {
	case bool:
		f.Init = v
	case int64:
		if v < -math.MaxInt32 || v > math.MaxInt32 {
			return nil, &wrong{}
		}
		f.Value = int(v)
	case string:
		number, overwrite := strings.CutSuffix(v, "overwrite")
		if f.Overwrite = overwrite; strings.TrimSpace(number) != "" {
			n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 32)
			if err != nil || !overwrite {
				return nil, &wrong{}
			}
			f.Value = int(n)
		} else if !overwrite {
			return nil, &wrong{}
		}
	default:
		return nil, &wrong{}
	}
	return f, nil
}}

// watched is an item of linkbeat_interfaces.
type watched struct{ name, how string }

// linkbeat takes "IF" or "IF MII".
var linkbeat = kind{words: `an interface such as "eth1", or "eth1 MII"`, read: func(v any) (any, *wrong) {
	s, _ := v.(string)
	words := strings.Fields(s)
	if len(words) == 0 || len(words) > 2 {
		return nil, &wrong{}
	}
	w := watched{name: words[0]}
	if _, why := device.read(words[0]); why != nil {
		return nil, why
	}
	if len(words) == 2 {
		how, why := oneOf("MII", "ETHTOOL", "IOCTL").read(words[1])
		if why != nil {
			return nil, &wrong{message: fmt.Sprintf("%q is not MII, ETHTOOL or IOCTL", words[1])}
		}
		w.how = how.(string)
	}
	return w, nil
}}

// linkDelays takes a table of interfaces: a time for both, or a table of down and up.
var linkDelays = kind{words: `a table such as { eth0 = { down = 1, up = 5 } }`, read: func(v any) (any, *wrong) {
	table, ok := v.(map[string]any)
	if !ok {
		return nil, &wrong{}
	}
	delays := make(map[string]LinkDelay, len(table))
	for _, name := range sortedKeys(table) {
		if _, w := device.read(name); w != nil {
			return nil, &wrong{message: fmt.Sprintf("%q is no name of an interface", name), hint: w.hint}
		}
		var d LinkDelay
		of := func(what string, v any, to *time.Duration) *wrong {
			t, w := duration(v)
			if w == nil && (t < 0 || t > 255*time.Second) {
				w = &wrong{}
			}
			if w != nil {
				return &wrong{message: fmt.Sprintf("%s%s is 0 to 255 seconds, not %s", what, name, shown(v)), hint: w.hint}
			}
			*to = t
			return nil
		}
		fields, ok := table[name].(map[string]any)
		if !ok {
			if w := of("", table[name], &d.Down); w != nil {
				return nil, w
			}
			d.Up = d.Down
		}
		for _, field := range sortedKeys(fields) {
			to := map[string]*time.Duration{"down": &d.Down, "up": &d.Up}[field]
			if to == nil {
				return nil, unknownField(field, "down", "up")
			}
			if w := of(field+" of ", fields[field], to); w != nil {
				return nil, w
			}
		}
		delays[name] = d
	}
	return delays, nil
}}
