package config

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/vip"
)

// Words of VRRP's keywords.
const (
	stateMaster  = "MASTER"
	stateBackup  = "BACKUP"
	matchExact   = "exact"
	matchInitial = "initial"
	matchPartial = "partial"
	policyMTU    = "MTU"
	policyAdvert = "ADVERT"
)

// lineOf is a line of keepalived.conf in double quotes.
func lineOf[T any](words string, parse func(string) (T, error)) kind {
	return kind{words: words, read: func(v any) (any, *wrong) {
		s, ok := v.(string)
		if !ok {
			return nil, &wrong{}
		}
		data, err := parse(s)
		if broken, ok := errors.AsType[*vip.LineError](err); ok {
			w := &wrong{message: broken.Error(), part: span{broken.Offset, broken.Offset + len(broken.Word)}, within: true}
			return nil, w
		}
		return data, nil
	}}
}

var (
	addressLine = lineOf(`an address such as "192.0.2.200/24 dev eth0"`, vip.ParseAddress)
	routeLine   = lineOf(`a route such as "198.51.100.0/24 via 192.0.2.254 dev eth0"`, vip.ParseRoute)
	ruleLine    = lineOf(`a rule such as "from 192.0.2.200 table 100"`, vip.ParseRule)
)

var (
	// word is a name of the user's, which stands in lines for scripts.
	word = kind{words: "a name without blanks and quotes", read: func(v any) (any, *wrong) {
		s, ok := v.(string)
		if !ok || !plainName(s) {
			return nil, &wrong{}
		}
		return s, nil
	}}

	// devicePrefix is the beginning of an interface's name, which has a number behind it.
	devicePrefix = kind{words: `the beginning of an interface's name, such as "vrrp"`, read: func(v any) (any, *wrong) {
		s, ok := v.(string)
		if _, w := device.read(v); !ok || w != nil || len(s) > 8 || strings.TrimRight(s, "0123456789") != s {
			return nil, &wrong{hint: "up to 8 characters, without blanks, slashes and colons, and no digit at the end: a number follows"}
		}
		return s, nil
	}}

	// shortPassword is read without ever being shown.
	shortPassword = kind{words: "a text in double quotes", read: func(v any) (any, *wrong) {
		s, ok := v.(string)
		switch {
		case !ok || s == "" || strings.ContainsAny(s, "\x00\r\n"):
			return nil, &wrong{message: "it must be a text in double quotes, on one line"}
		case len(s) > 8:
			return nil, &wrong{message: fmt.Sprintf("the password has %d bytes, and 8 are all that adverts carry", len(s)),
				hint: "write the first 8 only: keepalived takes those"}
		}
		return s, nil
	}}

	// expired is a priority; true is the highest that takes over.
	expired = kind{words: "true, or a priority from 1 to 254", read: func(v any) (any, *wrong) {
		switch v {
		case true:
			return int64(254), nil
		case false:
			return int64(0), nil
		}
		return integer(1, 254).read(v)
	}}

	// fifoPath is a path, or a list of path, user and group.
	fifoPath = kind{words: `a path such as "/run/vrrp.fifo", or ["PATH", "USER", "GROUP"]`, read: func(v any) (any, *wrong) {
		words, w := texts.read(v)
		if w != nil {
			return nil, w
		}
		list := words.([]string)
		if len(list) == 0 || len(list) > 3 {
			return nil, &wrong{}
		}
		if _, w := path.read(list[0]); w != nil {
			return nil, w
		}
		var owner Script
		w = owner.runAs(list[1:])
		return FIFO{Path: list[0], User: owner.User, Group: owner.Group}, w
	}}

	// processors are CPUs by number.
	processors = kind{words: `a number, or a text such as "0 2 4-6"`, read: func(v any) (any, *wrong) {
		var words []string
		switch v := v.(type) {
		case int64:
			words = []string{strconv.FormatInt(v, 10)}
		case string:
			words = strings.FieldsFunc(v, func(c rune) bool { return c == ' ' || c == ',' })
		}
		var list []int
		for _, w := range words {
			first, last, several := strings.Cut(w, "-")
			if !several {
				last = first
			}
			from, err := strconv.ParseUint(first, 10, 12)
			to, err2 := strconv.ParseUint(last, 10, 12)
			if err != nil || err2 != nil || from > to {
				return nil, &wrong{}
			}
			for ; from <= to; from++ {
				list = append(list, int(from))
			}
		}
		if len(list) == 0 {
			return nil, &wrong{}
		}
		slices.Sort(list)
		return slices.Compact(list), nil
	}}

	// processWords are a command and its parameters.
	processWords = kind{words: `a command such as "haproxy" or "/usr/sbin/haproxy -W"`, read: func(v any) (any, *wrong) {
		s, ok := v.(string)
		if !ok {
			return nil, &wrong{}
		}
		argv, w := splitWords(s)
		if w == nil && len(argv) == 0 {
			w = &wrong{}
		}
		return argv, w
	}}

	destination = kind{words: `a destination such as "default" or "198.51.100.0/24"`, read: func(v any) (any, *wrong) {
		s, _ := v.(string)
		if s == "default" || s == "default6" {
			return s, nil
		}
		if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
			return s, nil
		}
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, &wrong{}
		}
		if p != p.Masked() {
			return nil, &wrong{hint: fmt.Sprintf("the network is %q", p.Masked())}
		}
		return s, nil
	}}
)

// plainName says whether a name can stand in a line for scripts.
func plainName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c == 0x7f || c == '"' })
}

// milliseconds is a time that keepalived counts in those; a string says its unit.
func milliseconds(least, most time.Duration) kind {
	words := fmt.Sprintf(`%s to %s milliseconds, or a duration such as "300ms"`, plain(least*1000), plain(most*1000))
	return kind{words: words, read: func(v any) (any, *wrong) {
		d, w := duration(v)
		if _, text := v.(string); w == nil && !text {
			d = d / 1000
		}
		if w == nil && (d < least || d > most) {
			w = &wrong{}
		}
		return d, w
	}}
}

// neighbour is an item of unicast_peer.
type neighbour struct {
	addr      netip.Addr
	low, high uint8
	limited   bool
}

// peer takes an address, keepalived's line "ADDRESS min_ttl N max_ttl N", or a table of the same words.
var peer = kind{words: `an address, "ADDRESS min_ttl 254 max_ttl 255" or { address = "ADDRESS", min_ttl = 254 }`,
	read: func(v any) (any, *wrong) {
		fields, table := v.(map[string]any)
		if s, ok := v.(string); ok {
			words := strings.Fields(s)
			fields = make(map[string]any)
			if len(words)%2 != 1 {
				return nil, &wrong{}
			}
			fields["address"] = words[0]
			for i := 1; i < len(words); i += 2 {
				fields[words[i]] = words[i+1]
				if n, err := strconv.ParseInt(words[i+1], 10, 64); err == nil {
					fields[words[i]] = n
				}
			}
		} else if !table {
			return nil, &wrong{}
		}
		n := neighbour{high: 255}
		for _, field := range sortedKeys(fields) {
			switch field {
			case "address":
				a, w := address.read(fields[field])
				if w != nil {
					return nil, &wrong{message: w.message, hint: w.hint}
				}
				n.addr = a.(netip.Addr)
			case "min_ttl", "max_ttl":
				ttl, ok := fields[field].(int64)
				if !ok || ttl < 0 || ttl > 255 {
					return nil, &wrong{message: fmt.Sprintf("%s must be a whole number from 0 to 255, not %s", field, shown(fields[field]))}
				}
				if n.limited = true; field == "min_ttl" {
					n.low = uint8(ttl)
				} else {
					n.high = uint8(ttl)
				}
			default:
				return nil, unknownField(field, "address", "min_ttl", "max_ttl")
			}
		}
		switch {
		case !n.addr.IsValid():
			return nil, &wrong{message: "the peer has no address"}
		case n.low > n.high:
			return nil, &wrong{message: fmt.Sprintf("min_ttl %d is above max_ttl %d", n.low, n.high)}
		}
		return n, nil
	}}

// extra is the value of garp_extra_if.
type extra struct {
	every time.Duration
	all   bool
}

// extraIf is a time, with the word all before it for all interfaces.
var extraIf = kind{words: `0 to 86400 seconds, or a text such as "all 60"`, read: func(v any) (any, *wrong) {
	var e extra
	if s, ok := v.(string); ok && strings.HasPrefix(s, "all ") {
		e.all = true
		n, err := strconv.ParseInt(s[4:], 10, 32)
		if v = s[4:]; err == nil {
			v = n
		}
	}
	d, w := duration(v)
	if w == nil && (d < 0 || d > 24*time.Hour) {
		w = &wrong{}
	}
	e.every = d
	e.all = e.all && d > 0
	return e, w
}}
