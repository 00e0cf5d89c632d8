package config

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// forwarding is the value of lvs_method: how packets get to a server.
type forwarding struct {
	ipvs.Forward
	ipvs.Tunnel
}

// method takes keepalived's words: NAT, DR, TUN [type ipip|gue port N|gre] [nocsum|csum|remcsum].
var method = kind{words: `"NAT", "DR" or "TUN"`, read: func(v any) (any, *wrong) {
	s, ok := v.(string)
	word := strings.Fields(s)
	if !ok || len(word) == 0 {
		return nil, &wrong{}
	}
	var m forwarding
	var err error
	if m.Forward, err = ipvs.ParseForward(word[0]); err != nil {
		w := &wrong{hint: map[string]string{
			"masq": `write "NAT"`, "gate": `write "DR"`, "route": `write "DR"`, "ipip": `write "TUN"`,
			"tunnel": `write "TUN"`, "fnat": "the kernel has no FNAT",
		}[strings.ToLower(word[0])]}
		if near := closest(word[0], []string{"NAT", "DR", "TUN"}); w.hint == "" && near != "" {
			w.hint = fmt.Sprintf("did you mean %q?", near)
		}
		return nil, w
	}
	if m.Forward != ipvs.Tun && len(word) > 1 {
		return nil, &wrong{message: fmt.Sprintf("%s takes no options such as %q", word[0], word[1]),
			hint: "type, port and checksums belong to TUN"}
	}
	if w := m.options(word[1:]); w != nil {
		return nil, w
	}
	return m, nil
}}

func (m *forwarding) options(word []string) *wrong {
	for i := 0; i < len(word); i++ {
		argument := ""
		if i+1 < len(word) {
			argument = strings.ToLower(word[i+1])
		}
		switch strings.ToLower(word[i]) {
		case "type":
			types := map[string]ipvs.TunnelType{"ipip": ipvs.IPIP, "gue": ipvs.GUE, "gre": ipvs.GRE}
			t, ok := types[argument]
			if !ok {
				return &wrong{message: fmt.Sprintf("tunnel type %q is not ipip, gue or gre", argument)}
			}
			m.Type = t
			i++
		case "port":
			p, err := strconv.ParseUint(argument, 10, 16)
			if err != nil || p == 0 {
				return &wrong{message: fmt.Sprintf("tunnel port %q is not a number from 1 to 65535", argument)}
			}
			m.Port = uint16(p)
			i++
		case "nocsum":
			m.Flags = ipvs.NoCsum
		case "csum":
			m.Flags = ipvs.Csum
		case "remcsum":
			m.Flags = ipvs.RemCsum
		default:
			return &wrong{message: fmt.Sprintf("TUN has no option %q", word[i]),
				hint: "options are type ipip, type gue port N, type gre, and nocsum, csum or remcsum"}
		}
	}
	switch {
	case m.Type == ipvs.GUE && m.Port == 0:
		return &wrong{message: "a GUE tunnel needs its UDP port", hint: `write "TUN type gue port 6080"`}
	case m.Type != ipvs.GUE && m.Port != 0:
		return &wrong{message: fmt.Sprintf("a tunnel of type %s has no port", m.Type), hint: "only type gue has one"}
	case m.Type == ipvs.IPIP && m.Flags != 0:
		return &wrong{message: "a tunnel of type ipip has no checksum", hint: "types gue and gre have one"}
	case m.Type != ipvs.GUE && m.Flags == ipvs.RemCsum:
		return &wrong{message: "remcsum works only with type gue", hint: "type gre takes csum"}
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
		var t ipvs.Timeouts
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

	// multicast is the group of a sync daemon.
	multicast = kind{words: `a multicast address such as "224.0.0.81"`, read: func(v any) (any, *wrong) {
		s, _ := v.(string)
		a, err := netip.ParseAddr(s)
		if err != nil || !a.IsMulticast() || a.Zone() != "" {
			return nil, &wrong{}
		}
		return a, nil
	}}

	// share is a number of servers, or a part of them.
	share = kind{words: `a number of servers, or a part of them such as "50%"`, read: func(v any) (any, *wrong) {
		if n, ok := v.(int64); ok && n >= 0 && n <= math.MaxInt32 {
			return health.Share{Count: int(n)}, nil
		}
		s, _ := v.(string)
		number, percent := strings.CutSuffix(s, "%")
		n, err := strconv.Atoi(number)
		switch {
		case err == nil && !percent:
			return nil, &wrong{hint: "a number of servers has no quotes, a part of them ends with %"}
		case err != nil || n < 1 || n > 100:
			return nil, &wrong{}
		}
		return health.Share{Percent: n}, nil
	}}
)

// sysctl is the value of one of the kernel's settings: a number, or a text where it is more than that.
func sysctl(s ipvs.Sysctl) kind {
	return kind{words: s.Wants(), read: func(v any) (any, *wrong) {
		var value string
		switch v := v.(type) {
		case int64:
			value = strconv.FormatInt(v, 10)
		case bool:
			return nil, &wrong{hint: "the kernel's switches are numbers: write 1 or 0"}
		case string:
			value = strings.Join(strings.Fields(v), " ")
		default:
			return nil, &wrong{}
		}
		if s.Check(value) != nil {
			return nil, &wrong{}
		}
		return value, nil
	}}
}
