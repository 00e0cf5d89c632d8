package config

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// kind is a form of values.
type kind struct {
	words string                  // what a value must be, as in "weight must be ..."
	read  func(any) (any, *wrong) // to the Go value, or what is wrong with it
}

// wrong is why a value can't be read. Without a message the kind's words say it.
type wrong struct{ message, hint string }

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
		d, err := time.ParseDuration(v)
		if err != nil {
			hint := `units are "ms", "s", "m" and "h"; a number without quotes is seconds`
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

// endpoint is an address with or without a port.
type endpoint struct {
	addr    netip.Addr
	port    uint16
	hasPort bool
}

var (
	hostPort = kind{words: `"ADDRESS:PORT"`, read: func(v any) (any, *wrong) {
		s, ok := v.(string)
		if !ok {
			return nil, &wrong{hint: `write "192.0.2.1:80" or "[2001:db8::1]:80", in double quotes`}
		}
		return readEndpoint(s)
	}}

	address = kind{words: "an IP address", read: func(v any) (any, *wrong) {
		s, ok := v.(string)
		if !ok {
			return nil, &wrong{hint: `write "192.0.2.1" or "2001:db8::1", in double quotes`}
		}
		a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
		if err != nil {
			if _, err := netip.ParseAddrPort(s); err == nil {
				return nil, &wrong{hint: "the port has a keyword of its own"}
			}
			return nil, notAnAddress(s)
		}
		if w := unusable(a); w != nil {
			return nil, w
		}
		return a, nil
	}}
)

func readEndpoint(s string) (any, *wrong) {
	e := endpoint{}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		e = endpoint{ap.Addr(), ap.Port(), true}
	} else if a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")); err == nil {
		e = endpoint{addr: a}
	} else {
		host, port := s, ""
		if i := strings.LastIndexAny(s, ": "); i >= 0 {
			host, port = s[:i], s[i+1:]
		}
		a, err := netip.ParseAddr(strings.Trim(host, "[]"))
		switch {
		case err == nil && strings.Contains(s, " "):
			return nil, &wrong{message: fmt.Sprintf("%q has a blank in it", s),
				hint: fmt.Sprintf("write %q", joinHostPort(a, port))}
		case err == nil && a.Is6() && !strings.HasPrefix(s, "["):
			return nil, &wrong{message: fmt.Sprintf("%q is not an IPv6 address", s),
				hint: `with a port write "[2001:db8::1]:80"`}
		case err == nil:
			return nil, &wrong{message: fmt.Sprintf("port %q is not a number from 1 to 65535", port),
				hint: fmt.Sprintf("write %q", joinHostPort(a, "80"))}
		}
		return nil, notAnAddress(host)
	}
	if w := unusable(e.addr); w != nil {
		return nil, w
	}
	return e, nil
}

func joinHostPort(a netip.Addr, port string) string {
	if a.Is6() {
		return "[" + a.String() + "]:" + port
	}
	return a.String() + ":" + port
}

func notAnAddress(s string) *wrong {
	w := &wrong{message: fmt.Sprintf("%q is not an IP address", s)}
	switch {
	case s == "":
		w.message = "there is no address"
	case strings.Contains(s, "/"):
		w.hint = "an address has no prefix length here"
	case strings.ContainsAny(s, "ghijklmnopqrstuvwxyzGHIJKLMNOPQRSTUVWXYZ"):
		w.hint = "names are not resolved in this version: write the IP address"
	}
	return w
}

// unusable says why nothing can be sent to an address.
func unusable(a netip.Addr) *wrong {
	switch {
	case a.Zone() != "":
		return &wrong{message: fmt.Sprintf("%q names an interface", a), hint: "write the address only; checks have bind_if"}
	case a.Is4In6():
		return &wrong{message: fmt.Sprintf("%q is an IPv4 address written as IPv6", a),
			hint: fmt.Sprintf("write %s instead", a.Unmap())}
	case a.IsUnspecified():
		return &wrong{message: fmt.Sprintf("%s stands for no address", a), hint: "write the address of one host"}
	case a.IsMulticast(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return &wrong{message: fmt.Sprintf("%s is not the address of one host", a), hint: "write the address of one host"}
	}
	return nil
}

// otherSchedulers are what other balancers call the kernel's.
var otherSchedulers = map[string]string{
	"roundrobin": "rr", "round-robin": "rr", "round_robin": "rr", "leastconn": "lc", "least_conn": "lc", "maglev": "mh",
	"source": "sh", "random": "twos",
}

var (
	scheduler = kind{words: "a scheduler", read: func(v any) (any, *wrong) {
		s, ok := v.(string)
		if !ok {
			return nil, &wrong{hint: `write the name in double quotes: "rr"`}
		}
		if s = strings.ToLower(s); ipvs.KnownScheduler(s) {
			return s, nil
		}
		hint := "schedulers are " + strings.Join(ipvs.Schedulers, ", ")
		if near := cmp.Or(otherSchedulers[s], closest(s, ipvs.Schedulers)); near != "" {
			hint = fmt.Sprintf("did you mean %q? ", near) + hint
		}
		return nil, &wrong{message: fmt.Sprintf("the kernel has no scheduler %q", v), hint: hint}
	}}

	// persistence is a time; the bare keyword of keepalived is true here.
	persistence = kind{words: `1 to 2678400 whole seconds, a duration such as "5m", true (360 s) or false`,
		read: func(v any) (any, *wrong) {
			switch v {
			case true:
				return bareTimeout, nil
			case false:
				return time.Duration(0), nil
			case int64(0):
				return nil, &wrong{hint: "write false, or leave it out"}
			}
			return wholeSeconds(time.Second, month).read(v)
		}}

	// granularity is how many leading bits of a client's address count for persistence.
	granularity = kind{words: `a prefix length (1 to 128) or a netmask ("255.255.255.0")`, read: func(v any) (any, *wrong) {
		if n, ok := v.(int64); ok && n >= 1 && n <= 128 {
			return uint8(n), nil
		}
		s, _ := v.(string)
		if n, err := strconv.ParseUint(strings.TrimPrefix(s, "/"), 10, 8); err == nil && n >= 1 && n <= 128 {
			return uint8(n), nil
		}
		a, err := netip.ParseAddr(s)
		if err != nil {
			return nil, &wrong{}
		}
		bits, ended := uint8(0), false
		for _, b := range a.AsSlice() {
			for i := 7; i >= 0; i-- {
				switch one := b>>i&1 == 1; {
				case one && ended:
					return nil, &wrong{message: fmt.Sprintf("netmask %s has a hole", a)}
				case one:
					bits++
				default:
					ended = true
				}
			}
		}
		if bits == 0 {
			return nil, &wrong{}
		}
		return bits, nil
	}}

	// timeouts takes "tcp 900 tcpfin 120 udp 300" or a table of the same words.
	timeouts = kind{words: `like "tcp 900 tcpfin 120 udp 300"`, read: func(v any) (any, *wrong) {
		var t LVSTimeouts
		set := func(name string, v any) *wrong {
			d, w := wholeSeconds(0, month).read(v)
			if w != nil {
				return &wrong{message: fmt.Sprintf("%s: a timeout is 0 to 2678400 whole seconds, not %s", name, shown(v))}
			}
			switch name {
			case "tcp":
				t.TCP = d.(time.Duration)
			case "tcpfin":
				t.TCPFin = d.(time.Duration)
			case "udp":
				t.UDP = d.(time.Duration)
			default:
				return &wrong{message: fmt.Sprintf("%q is not tcp, tcpfin or udp", name)}
			}
			return nil
		}
		switch v := v.(type) {
		case map[string]any:
			for _, name := range sortedKeys(v) {
				if w := set(name, v[name]); w != nil {
					return nil, w
				}
			}
			return t, nil
		case string:
			word := strings.Fields(v)
			for ; len(word) >= 2; word = word[2:] {
				n, err := strconv.ParseInt(word[1], 10, 64)
				if err != nil {
					return nil, &wrong{message: fmt.Sprintf("%q after %s is not a number of seconds", word[1], word[0])}
				}
				if w := set(word[0], n); w != nil {
					return nil, w
				}
			}
			if len(word) == 0 && v != "" {
				return t, nil
			}
		}
		return nil, &wrong{}
	}}
)
