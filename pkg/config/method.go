package config

import (
	"fmt"
	"strconv"
	"strings"

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
