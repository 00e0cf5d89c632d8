package config

import (
	"net/mail"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

var (
	// mailbox is an address of e-mail, with a name perhaps, as it stands in a header.
	mailbox = kind{words: `an address such as "ops@example.org" or "Operators <ops@example.org>"`, read: func(v any) (any, *wrong) {
		s, ok := v.(string)
		if !ok || strings.ContainsFunc(s, unicode.IsControl) {
			return nil, &wrong{}
		}
		if _, err := mail.ParseAddress(s); err == nil {
			return s, nil
		}
		if local, domain, _ := strings.Cut(s, "@"); strings.Trim(local+domain, letters+digits+"-_.+") == "" && local != "" && !strings.Contains(s, "@") {
			return s, nil // of a user of the mail server: "root"
		}
		return nil, &wrong{}
	}}

	// mailServer is a host with a port, 25 if there is none. Keepalived has a blank between them.
	mailServer = kind{words: `a host such as "mail.example.org", "192.0.2.25:587" or "192.0.2.25 587"`, read: func(v any) (any, *wrong) {
		s, ok := v.(string)
		if !ok {
			return nil, &wrong{}
		}
		return serverAndPort(s)
	}}

	// headline is a text for a header.
	headline = kind{words: "a text in double quotes, on one line", read: func(v any) (any, *wrong) {
		s, ok := v.(string)
		if !ok || strings.TrimSpace(s) == "" || strings.ContainsFunc(s, unicode.IsControl) {
			return nil, &wrong{}
		}
		return s, nil
	}}

	// phases are words of ldirectord's emailalertstatus.
	phases = kind{words: `"all", "none", or some of "starting", "running", "stopping" and "reloading"`, read: func(v any) (any, *wrong) {
		words, w := texts.read(v)
		if w != nil {
			return nil, &wrong{}
		}
		list := words.([]string)
		var sum Phase
		for _, word := range list {
			switch i := slices.Index(phaseNames, word); {
			case word == "all":
				sum |= allPhases
			case word == "none" && len(list) == 1:
			case i < 0:
				return nil, &wrong{}
			default:
				sum |= 1 << i
			}
		}
		if len(list) == 0 {
			return nil, &wrong{}
		}
		return sum, nil
	}}

	// webAddress is where a request goes.
	webAddress = kind{words: `an address such as "https://alerts.example.org/ipvsd"`, read: func(v any) (any, *wrong) {
		s, ok := v.(string)
		u, err := url.Parse(s)
		switch {
		case !ok || err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
			return nil, &wrong{message: "it must be an address such as \"https://alerts.example.org/ipvsd\""}
		case u.User != nil:
			return nil, &wrong{message: "an address with a password is nothing for this file", hint: "secret_file signs what is sent"}
		}
		return s, nil
	}}
)

const (
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits  = "0123456789"
)

// serverAndPort returns HOST:PORT for a host with a port behind a colon or a blank, or without one.
func serverAndPort(s string) (any, *wrong) {
	host, port := s, "25"
	if words := strings.Fields(s); len(words) == 2 {
		host, port = words[0], words[1]
	} else if a, err := netip.ParseAddrPort(s); err == nil {
		host, port = a.Addr().String(), strconv.Itoa(int(a.Port()))
	} else if before, after, found := strings.Cut(s, ":"); found && !strings.Contains(after, ":") {
		host, port = before, after
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return nil, &wrong{hint: "a port is a number from 1 to 65535"}
	}
	if a, err := netip.ParseAddr(host); err == nil {
		if a.Is6() {
			host = "[" + host + "]"
		}
	} else if host == "" || strings.Trim(host, letters+digits+"-_.") != "" {
		return nil, &wrong{}
	}
	return host + ":" + strconv.FormatUint(n, 10), nil
}
