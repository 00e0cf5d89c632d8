package config

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/vip"
)

// madeLink is what use_vmac and use_ipvlan say of an interface that is made.
type madeLink struct {
	on         bool
	name, base string
	mac        [6]byte
	octets     int // of the MAC address that are given: 0, 5 or 6
	addr       netip.Prefix
	mode       vip.LinkMode
	group      int64 // -1: not given
}

// macvlan takes true, a name, keepalived's line "NAME IF MAC netlink_notify_msg group G", or a table.
var macvlan = made(`true, a name such as "vrrp.51", or { name = "vrrp.51", mac = "00:00:5e:00:01:33" }`,
	[]string{"name", "interface", "mac", "group", "netlink_notify_msg"})

// ipvlan takes true, a name, keepalived's line "NAME IF ADDRESS bridge group G", or a table.
var ipvlan = made(`true, a text such as "vrrp.51 192.0.2.9/24", or { name = "vrrp.51", address = "192.0.2.9/24", mode = "bridge" }`,
	[]string{"name", "interface", "address", "mode", "group"})

func made(words string, fields []string) kind {
	return kind{words: words, read: func(v any) (any, *wrong) {
		l := madeLink{on: true, group: -1, mode: vip.Bridge}
		set := func(field string, v any) *wrong {
			if !slices.Contains(fields, field) {
				return unknownField(field, fields...)
			}
			return l.set(field, v)
		}
		switch v := v.(type) {
		case bool:
			l.on = v
		case string:
			word := strings.Fields(v)
			for i := 0; i < len(word); i++ {
				field, value := l.guess(word[i], fields), any(word[i])
				if field == "group" {
					if i++; i == len(word) {
						return nil, &wrong{message: "nothing follows the word group"}
					}
					n, err := strconv.ParseInt(word[i], 10, 64)
					if value = word[i]; err == nil {
						value = n
					}
				}
				if w := set(field, value); w != nil {
					return nil, w
				}
			}
			if len(word) == 0 {
				return nil, &wrong{}
			}
		case map[string]any:
			for _, field := range sortedKeys(v) {
				if w := set(field, v[field]); w != nil {
					return nil, w
				}
			}
		default:
			return nil, &wrong{}
		}
		return l, nil
	}}
}

// guess returns which field a word of the line is.
func (l *madeLink) guess(word string, fields []string) string {
	switch {
	case word == "group", word == "netlink_notify_msg":
		return word
	case slices.Contains(fields, "mac") && strings.Count(word, ":") >= 4:
		return "mac"
	case slices.Contains(fields, "mode") && slices.Contains(linkModes, word):
		return "mode"
	case slices.Contains(fields, "address") && strings.ContainsAny(word, "/:") || looksLikeAddress(word):
		return "address"
	case l.name == "":
		return "name"
	}
	return "interface"
}

func looksLikeAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// linkModes are the words of vip.LinkMode.
var linkModes = []string{vip.Private: "private", vip.Bridge: "bridge", vip.VEPA: "vepa"}

func (l *madeLink) set(field string, v any) *wrong {
	s, _ := v.(string)
	switch field {
	case "name", "interface":
		if _, w := device.read(v); w != nil {
			return &wrong{message: fmt.Sprintf("%s must be %s, not %s", field, device.words, shown(v)), hint: w.hint}
		}
		if field == "name" {
			l.name = s
		} else {
			l.base = s
		}
	case "mac":
		octets, err := hex.DecodeString(strings.ReplaceAll(s, ":", ""))
		if n := len(octets); err != nil || n < 5 || n > 6 || len(s) != 3*n-1 {
			return &wrong{message: fmt.Sprintf("%s is no MAC address", shown(v)), hint: `write "00:00:5e:00:01:33"; without the last part that is the virtual_router_id`}
		}
		if octets[0]&1 != 0 {
			return &wrong{message: fmt.Sprintf("%s is a multicast MAC address", shown(v)), hint: "the first part must be an even number"}
		}
		l.octets = copy(l.mac[:], octets)
	case "address":
		a, err := netip.ParsePrefix(s)
		if addr, err2 := netip.ParseAddr(s); err2 == nil {
			a, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil || unusable(a.Addr()) != nil {
			return &wrong{message: fmt.Sprintf("%s is no address that an interface can have", shown(v)), hint: `write "192.0.2.9/24"`}
		}
		l.addr = a
	case "mode":
		i := slices.Index(linkModes, s)
		if i < 0 {
			return &wrong{message: fmt.Sprintf("mode must be bridge, private or vepa, not %s", shown(v))}
		}
		l.mode = vip.LinkMode(i)
	case "group":
		n, ok := v.(int64)
		if !ok || n < 0 || n > 1<<32-1 {
			return &wrong{message: fmt.Sprintf("group must be a whole number from 0 to 4294967295, not %s", shown(v))}
		}
		l.group = n
	}
	return nil // netlink_notify_msg: changes of the interface are heard anyway
}

// hmacKey is a key of auth_hmac: its bytes, or where they are.
type hmacKey struct {
	bytes []byte
	file  string
}

// hmacKeys takes a table of keys by ID, or keepalived's line "ID KEY". A message never has a part of a key.
var hmacKeys = kind{words: `a table such as { 1 = "file:/etc/ipvsd/vrrp.key" }`, read: func(v any) (any, *wrong) {
	table, ok := v.(map[string]any)
	if s, line := v.(string); line {
		id, key, _ := strings.Cut(s, " ")
		table, ok = map[string]any{id: strings.TrimSpace(key)}, true
	}
	if !ok || len(table) == 0 {
		return nil, &wrong{message: "there are no keys"}
	}
	keys := make(map[uint8]hmacKey, len(table))
	for _, name := range sortedKeys(table) {
		id, err := strconv.ParseUint(name, 10, 8)
		if err != nil || id == 0 {
			return nil, &wrong{message: "the ID of a key is a number from 1 to 255"}
		}
		var k hmacKey
		s, _ := table[name].(string)
		digits, inHex := strings.CutPrefix(s, "hex:")
		switch file, inFile := strings.CutPrefix(s, "file:"); {
		case inFile:
			if _, w := path.read(file); w != nil {
				return nil, &wrong{message: fmt.Sprintf("after file: of key %d there must be an absolute path", id)}
			}
			k.file = file
		case inHex:
			if k.bytes, err = hex.DecodeString(digits); err != nil {
				return nil, &wrong{message: fmt.Sprintf("after hex: of key %d there must be pairs of hexadecimal digits", id)}
			}
		default:
			k.bytes = []byte(s)
		}
		if n := len(k.bytes); k.file == "" && (n < 32 || n > 64) {
			return nil, &wrong{message: fmt.Sprintf("key %d has %d bytes: it must have 32 to 64", id, n),
				hint: `make one with: printf 'hex:%s\n' $(openssl rand -hex 32)`}
		}
		keys[uint8(id)] = k
	}
	return keys, nil
}}
