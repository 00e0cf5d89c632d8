package etcdsource

import (
	"path"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/member"
)

// Whatever a key is set to, its servers have addresses that a server can have, and names that are one, or none: its own, or the key's last part.
func FuzzParse(f *testing.F) {
	for key, value := range map[string]string{
		"/web/a": "198.51.100.1:80", "/web/b": `{"address":"::1","name":"n","weight":2}`, "": "198.51.100.1", "/web/a b\n": "198.51.100.1", "/": `[{"targets":["198.51.100.1"]}]`, "x": "",
	} {
		f.Add(key, []byte(value))
	}
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		list, err := parse(key, value)
		if err != nil {
			return // and the list is nobody's
		}
		for _, m := range list {
			if !member.Usable(m.Addr) || m.Weight != nil && *m.Weight < 0 || m.Name != "" && !member.IsName(m.Name) {
				t.Errorf("%q %q: %+v", key, value, m)
			}
		}
		if len(list) == 1 && member.IsName(path.Base(key)) && list[0].Name == "" {
			t.Errorf("the server of %q has no name", key)
		}
	})
}
