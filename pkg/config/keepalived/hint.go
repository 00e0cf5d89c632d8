package keepalived

import (
	"regexp"
	"strings"
)

// hints are those of package config that take more than another way to write a key.
var hints = map[string]string{
	"add TCP_CHECK = true, or TCP_CHECK = false if that is meant":           "write TCP_CHECK { } in each real_server, unless that is meant",
	`write real_servers = ["10.0.100.2:80"]`:                                "write real_server 10.0.100.2 80 { }",
	"write [[virtual_server]] with an address, a protocol and real_servers": "write a virtual_server with protocol and real_server in it",
}

// setting is a key of TOML with its value, in a hint.
var setting = regexp.MustCompile(`([A-Za-z_][\w-]*) = (true|false|\["[^"\]]*"\]|"[^"]*"|[0-9.]+)|\[([a-z_]+)\]`)

// reword returns a hint of package config, which is in words of TOML, as a keepalived.conf has it; empty if it has no such words.
func reword(hint string) string {
	if own, known := hints[hint]; known {
		return own
	}
	if strings.Contains(hint, "[[") {
		return ""
	}
	keywords := make(map[string]bool)
	for _, s := range scopes {
		for _, k := range s.keywords {
			keywords[k.name] = true
		}
	}
	plain := true
	own := setting.ReplaceAllStringFunc(hint, func(s string) string {
		m := setting.FindStringSubmatch(s)
		key, value := m[1], m[2]
		if key == "" {
			return m[3]
		}
		switch {
		case !keywords[key] || value == "false":
			plain = false
		case value == "true" && strings.ToUpper(key) == key:
			return key + " { }"
		case value == "true":
			return key
		case value[0] == '[':
			return key + " { " + strings.Trim(value, `[]"`) + " }"
		}
		return key + " " + strings.Trim(value, `"`)
	})
	if !plain || strings.Contains(own, " = ") {
		return ""
	}
	return strings.ReplaceAll(own, "; with false ", "; without it ")
}
