package member_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/member"
)

// text is a member in a line: "10.0.0.1:80 weight 2 name web1 tags a b".
func text(list []member.Member) string {
	var lines []string
	for _, m := range list {
		line := m.Addr.String()
		if m.Port != 0 {
			line += fmt.Sprintf(" port %d", m.Port)
		}
		if m.Weight != nil {
			line += fmt.Sprintf(" weight %d", *m.Weight)
		}
		if m.Name != "" {
			line += " name " + m.Name
		}
		lines = append(lines, strings.TrimSpace(line+" "+strings.Join(m.Tags, " ")))
	}
	return strings.Join(lines, "\n")
}

func TestParse(t *testing.T) {
	json := func(s string) ([]member.Member, error) { return member.ParseJSON([]byte(s)) }
	toml := func(s string) ([]member.Member, error) { return member.ParseTOML([]byte(s)) }
	value := func(s string) ([]member.Member, error) { return member.ParseValue([]byte(s)) }
	for _, tt := range []struct {
		name  string
		parse func(string) ([]member.Member, error)
		in    string
		want  string // or part of the error, after "error: "
	}{
		{"file_sd of Prometheus", json, `[{"targets": ["10.0.0.2:80", "10.0.0.1:80"], "labels": {"env": "prod", "tags": "web, php", "weight": "3", "__meta a": "b c"}}]`,
			"10.0.0.1 port 80 weight 3 env=prod php web\n10.0.0.2 port 80 weight 3 env=prod php web"},
		{"a table in JSON", json, `{"servers": [{"address": "2001:db8::1", "name": "web1", "tags": ["web"], "weight": 0}]}`, "2001:db8::1 weight 0 name web1 web"},
		{"nobody", json, "[]", ""},
		{"nobody at all", toml, "", ""},
		{"TOML", toml, "[[servers]]\ntargets = [\"10.0.0.1\", \"[2001:db8::1]:81\"]\nweight = 2\ntags = [\"web\"]\n", "10.0.0.1 weight 2 web\n2001:db8::1 port 81 weight 2 web"},
		{"twice", json, `[{"targets": ["10.0.0.1"], "name": "a"}, {"targets": ["10.0.0.1", "::ffff:10.0.0.1"], "name": "b"}]`, "10.0.0.1 name a"},
		{"a key of etcd", value, ` {"address": "10.0.0.1:80", "tags": ["web"]} `, "10.0.0.1 port 80 web"},
		{"an address in etcd", value, "10.0.0.1:80\n", "10.0.0.1 port 80"},

		{"cut", json, `[{"targets": ["10.0.0.1:80"`, "error: unexpected EOF"},
		{"empty file", json, "", "error: EOF"},
		{"two values", json, "[] []", "error: something follows"},
		{"unknown key", json, `[{"target": ["10.0.0.1"]}]`, `error: unknown field "target"`},
		{"unknown key in TOML", toml, "[[servers]]\ntarget = [\"10.0.0.1\"]\n", "error: servers.target is unknown"},
		{"a name", json, `[{"targets": ["web1:80"]}]`, `error: group 1: "web1:80" is no address`},
		{"no server's", value, "0.0.0.0:80", "error: no address of a server"},
		{"a zone", value, "fe80::1%eth0", "error: no address of a server"},
		{"port 0", value, "10.0.0.1:0", "error: there is no port 0"},
		{"weight", json, `[{"targets": ["10.0.0.1"], "weight": -1}]`, "error: there is no weight -1"},
		{"weight of a label", json, `[{"targets": ["10.0.0.1"], "labels": {"weight": "much"}}]`, "error: no number"},
		{"tag", json, `[{"targets": ["10.0.0.1"], "tags": ["a b"]}]`, `error: "a b" can't be a tag`},
		{"address as a name", json, `[{"targets": ["10.0.0.1"], "name": "10.0.0.1"}]`, "error: can't be a name"},
	} {
		got, err := tt.parse(tt.in)
		if part, wrong := strings.CutPrefix(tt.want, "error: "); wrong {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: got %q, %v, want an error with %q", tt.name, text(got), err, part)
			}
			continue
		}
		if err != nil || text(got) != tt.want {
			t.Errorf("%s: got\n%s\n%v, want\n%s", tt.name, text(got), err, tt.want)
		}
	}
}

// A file that becomes unreadable counts as it was, one that is unreadable from the beginning keeps the source from answering.
func TestShelf(t *testing.T) {
	var s member.Shelf
	broken := errors.New("unexpected EOF")
	report := func(want, warning, failure string) {
		t.Helper()
		r := s.Report(api)
		if got := text(r.Members); got != want || !strings.HasPrefix(r.Warning, warning) || (warning == "") != (r.Warning == "") ||
			!strings.HasPrefix(r.Err, failure) || (failure == "") != (r.Err == "") {
			t.Errorf("got %q, %q, %q, want %q, %q, %q", got, r.Warning, r.Err, want, warning, failure)
		}
	}
	s.Put("a.json", servers("1"), nil)
	s.Put("b.json", nil, broken)
	report("", "", "b.json: unexpected EOF")
	s.Put("b.json", servers("2"), nil)
	report("10.0.100.1\n10.0.100.2", "", "")
	s.Put("b.json", nil, broken)
	s.Put("c.json", nil, broken)
	report("10.0.100.1\n10.0.100.2", "b.json: unexpected EOF; it counts as it was before (and 1 more)", "")
	s.Keep(func(name string) bool { return name == "a.json" })
	report("10.0.100.1", "", "")
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`[{"targets":["10.0.0.1:80"],"labels":{"a":"b"}}]`, "[[servers]]\ntargets=[\"::1\"]\n", "10.0.0.1:80", `{"address":"[::1]:80","weight":2}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, parse := range []func([]byte) ([]member.Member, error){member.ParseJSON, member.ParseTOML, member.ParseValue} {
			list, err := parse(b)
			if err != nil {
				continue
			}
			for i, m := range list {
				if !member.Usable(m.Addr) || m.Weight != nil && *m.Weight < 0 || m.Name != "" && !member.IsName(m.Name) {
					t.Errorf("%+v", m)
				}
				if i > 0 && !list[i-1].Addr.Less(m.Addr) && list[i-1].Port >= m.Port {
					t.Errorf("%v is not after %v", m, list[i-1])
				}
			}
		}
	})
}
