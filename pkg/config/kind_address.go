package config

import (
	"fmt"
	"net/netip"
	"strings"
)

// endpoint is an address with or without a port.
type endpoint struct {
	addr netip.Addr
	port uint16 // 0: none is written, or 0 is
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

// listenAddress is an address of this host, or all of them, with a port.
var listenAddress = kind{words: `"ADDRESS:PORT"`, read: func(v any) (any, *wrong) {
	const hint = `write "127.0.0.1:9110" or "[::1]:9110", in double quotes; 0.0.0.0 and [::] stand for all addresses`
	s, _ := v.(string)
	at, err := netip.ParseAddrPort(s)
	if err != nil || at.Port() == 0 || at.Addr().IsMulticast() || at.Addr().Is4In6() {
		return nil, &wrong{hint: hint}
	}
	return at, nil
}}

func readEndpoint(s string) (any, *wrong) {
	e := endpoint{}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		e = endpoint{ap.Addr(), ap.Port()}
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
