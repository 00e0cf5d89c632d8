package config

import (
	"net/netip"
	"slices"
	"strings"
)

// Names and tags are what people call servers by, on command lines too: so they have nothing that a shell or ipvsctl would take for
// something else, and none looks like an address.
var (
	label = kind{words: "a word such as \"web1\"", read: func(v any) (any, *wrong) {
		s, ok := v.(string)
		if !ok || s == "" || len(s) > 63 || strings.ContainsFunc(s, func(r rune) bool { return !labelRune(r) }) {
			return nil, &wrong{hint: "it may have up to 63 letters, digits, dots, dashes and underscores"}
		}
		if _, err := netip.ParseAddr(s); err == nil {
			return nil, &wrong{hint: "an address is no name: ipvsctl takes it for one"}
		}
		return s, nil
	}}

	labels = kind{words: `a word, or a list of words such as ["rack1", "php"]`, read: func(v any) (any, *wrong) {
		words, w := texts.read(v)
		if w != nil {
			return nil, w
		}
		var list []string
		for _, word := range words.([]string) {
			if _, w := label.read(word); w != nil {
				return nil, w
			}
			list = append(list, word)
		}
		slices.Sort(list)
		return slices.Compact(list), nil
	}}
)

func labelRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._-", r)
}

// given returns what a keyword is set to in a block, whatever its default is in other tables.
func given[T any](name string, b *block) (data T) {
	if v := b.value(name); v != nil {
		data, _ = v.data.(T)
	}
	return data
}
