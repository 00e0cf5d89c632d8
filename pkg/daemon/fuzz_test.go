package daemon

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/member"
)

// A record of a configuration, whatever is in it, is one of the history only under its own number, and its text is had only if it is what was taken.
func FuzzRevision(f *testing.F) {
	const taken = "# seven\n"
	hash := hashOf(&control.File{Text: []byte(taken)})
	for _, text := range []string{
		`{"number": 7, "hash": "` + hash + `", "why": "apply"}`, `{"number": 7, "texts": {"/etc/a": "eA=="}, "globs": {"/etc/*": ["/etc/a"]}}`, `{"number": 8}`, `null`, `{`, ``,
		`{"number": 7, "hash": "` + hash + `", "texts": {"": null}}`,
	} {
		f.Add([]byte(text))
	}
	dir := f.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "7"), 0o700); err != nil {
		f.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "7", "config"), []byte(taken), 0o600); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(filepath.Join(dir, "7", "revision.json"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		a, err := openArchive(dir)
		if (len(a.list) == 1) != (err == nil) || err == nil && a.current() != 7 || a.former() != 0 {
			t.Fatalf("%d in it, the last is %d, the one before %d: %v", len(a.list), a.current(), a.former(), err)
		}
		file, err := a.file(7, "x")
		if err == nil && (string(file.Text) != taken || hashOf(file) != a.list[0].Hash) {
			t.Errorf("%+v is not what was taken", file)
		}
	})
}

// A record of members, whatever is in it, makes servers of nothing but addresses that a server can have, each once.
func FuzzMembers(f *testing.F) {
	cfg, problems := config.Load("ipvsd.toml", []byte(withMembers))
	if problems.Err() != nil {
		f.Fatal(problems)
	}
	vs := cfg.VirtualServers[0]
	name, err := json.Marshal(poolName(vs, &vs.Members[0]))
	if err != nil {
		f.Fatal(err)
	}
	seed := `{` + string(name) + `: {"members": [`
	for _, list := range []string{
		`{"address": "198.51.100.1"}, {"address": "198.51.100.1", "port": 81, "name": "a", "weight": 3, "tags": ["web"]}`, `{"address": "::ffff:198.51.100.1"}`,
		`{"address": "198.51.100.1"}, {"address": "198.51.100.1"}`, `{"address": "fe80::1%eth0"}, {"address": ""}, {"weight": -1}`, `{"address": "198.51.100.1", "name": "a\u001b[2J", "tags": ["\n"]}`,
	} {
		f.Add([]byte(seed + strings.ReplaceAll(list, `{"`, `{"from": "dns web.example.org", "`) + `]}}`))
	}
	f.Add([]byte(`{"x": null}`))
	f.Add([]byte(`null`))
	file := filepath.Join(f.TempDir(), "members.json")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		m := newMembers()
		m.pools = files{members: file}.recallMembers(slog.New(slog.DiscardHandler))
		m.follow(cfg, time.Unix(1e9, 0))
		for _, joined := range m.join(cfg).VirtualServers {
			seen := make(map[string]bool)
			for rs := range joined.Servers() {
				at := rs.Destination.Addr
				if !member.Usable(at.Addr()) || at.Addr().Is4In6() || rs.Name != "" && !member.IsName(rs.Name) || seen[at.String()] {
					t.Errorf("%s %q is a server", at, rs.Name)
				}
				seen[at.String()] = true
			}
		}
	})
}
