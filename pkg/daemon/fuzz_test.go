package daemon

import (
	"encoding/json"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/member"
	"github.com/ipvsd/ipvsd/pkg/status"
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

// Whatever waits for its confirmation, by a record, the file of the configuration is as it was, or as the history has it.
func FuzzPending(f *testing.F) {
	dir := f.TempDir()
	files := filesIn(Options{ConfigFile: filepath.Join(dir, "ipvsd.toml"), StateDir: dir})
	a, err := openArchive(files.history)
	if err != nil {
		f.Fatal(err)
	}
	texts := []string{"# one\n", "# two\n", "# edited\n"}
	for _, text := range texts[:2] {
		if err := a.add(status.Revision{Why: status.ByApply}, &control.File{Text: []byte(text)}, &config.Config{}); err != nil {
			f.Fatal(err)
		}
	}
	for _, text := range []string{
		`{"revision": 2, "back": 1, "applied": "` + textHash([]byte(texts[2])) + `", "boot": "b", "deadline": 7}`, `{"revision": 2, "back": 1, "boot": "b"}`, `{"revision": 2, "back": 1}`,
		`{"revision": 2, "back": 9}`, `{"revision": -1, "back": 1}`, `{"revision": 1, "back": 2, "boot": "b", "deadline": -9223372036854775808}`, `null`, `{`, ``,
	} {
		f.Add([]byte(text), int64(5))
	}
	f.Fuzz(func(t *testing.T, text []byte, since int64) {
		for name, text := range map[string][]byte{files.pending: text, files.config: []byte(texts[2])} {
			if err := os.WriteFile(name, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		p := files.resume(slog.New(slog.DiscardHandler), "b", time.Duration(since))
		is, err := os.ReadFile(files.config)
		switch {
		case err != nil, p == nil && string(is) != texts[2]:
			t.Errorf("%q, %v, and nothing waits", is, err)
		case p != nil && p.restored && (p.Back > 2 || string(is) != texts[p.Back-1]), p != nil && !p.restored && string(is) != texts[2]:
			t.Errorf("%q, while %+v", is, p)
		}
	})
}

// Whatever records of the state directory say, a start goes on from them, with verdicts that come to an end, and could write them again.
func FuzzRecords(f *testing.F) {
	for _, text := range []string{
		`{"tcp 192.0.2.1:80": ["198.51.100.1:80"]}`, `{"tcp 192.0.2.1:80": ["198.51.100.9:80"]}`, `{"conntrack": {"was": "0", "is": "1"}}`, `{"checks": {"a": {"State": "down"}}, "quorums": {"tcp 192.0.2.1:80": "down"}}`,
		`{"version": 1, "wishes": [{"server": "198.51.100.1", "what": "drain", "since": "2026-11-22T12:00:00Z"}]}`, `{"": null}`, `null`, `{`, ``,
	} {
		f.Add([]byte(text))
	}
	cfg, problems := config.Load("ipvsd.toml", []byte(web))
	if problems.Err() != nil {
		f.Fatal(problems)
	}
	for id := range cfg.Checks() {
		f.Add([]byte(`{"checks": {"` + id.Check().Key() + `": {"State": "up", "Next": "9999-01-01T00:00:00Z", "Held": "9999-01-01T00:00:00Z"}}}`))
	}
	dir, log, now := f.TempDir(), slog.New(slog.DiscardHandler), time.Unix(1e9, 0)
	files := filesIn(Options{ConfigFile: filepath.Join(dir, "ipvsd.toml"), StateDir: dir})
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, name := range []string{files.record, files.changed, files.wishes, files.memory} {
			if err := os.WriteFile(name, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		owned, errOwned := files.readOwned()
		changed, errChanged := files.readChanged()
		wishes := files.recallWishes(log)
		m := files.recallMemory(log)
		facts := m.recall(cfg, desired.Facts{Owned: owned, Wishes: wishes, Now: now}, ipvs.Table{}, func() float64 { return 0 })
		for id, c := range facts.Verdicts {
			if wait := c.Deadline().Sub(now); wait > 24*time.Hour {
				t.Errorf("%s waits %v for its next check", id.Check().Key(), wait)
			}
		}
		for _, s := range desired.Compute(cfg, facts) {
			if s.Want != desired.Present {
				continue
			}
			configured := 0
			for _, d := range s.Destinations { // a record may have others, which are to go
				if slices.Contains([]netip.AddrPort{first, second, third}, d.Addr) {
					configured++
				} else if d.Want == desired.Present {
					t.Errorf("%s has %s", s.ServiceKey, d.Addr)
				}
			}
			if configured != 3 {
				t.Errorf("%s has %d of its servers", s.ServiceKey, configured)
			}
		}
		for what, v := range map[string]any{"owned": owned, "changed": changed, "wishes": wishes, "memory": m} {
			if _, err := json.Marshal(v); err != nil && !strings.Contains(err.Error(), "year") {
				t.Errorf("%s can't be written again: %v", what, err)
			}
		}
		if errOwned == nil && owned == nil || errChanged == nil && changed == nil {
			t.Error("a record is nothing, and not an error")
		}
	})
}
