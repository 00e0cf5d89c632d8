package dialect

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/config/dialect/dialecthost"
	"github.com/ipvsd/ipvsd/pkg/config/document"
)

const web = `virtual_server 192.0.2.1 80 {
  delay_loop 6
  lb_algo rr
  lb_kind NAT
  protocol TCP
  real_server 198.51.100.1 80 {
    TCP_CHECK {
      connect_timeout 3
    }
  }
}
`

// host is a Host without anything but files.
type host struct {
	document.Host
	files map[string]string
}

func (h host) ReadFile(name string) ([]byte, error) {
	if text, ok := h.files[name]; ok {
		return []byte(text), nil
	}
	return nil, fs.ErrNotExist
}

func (h host) Glob(pattern string) (names []string, err error) {
	for name := range h.files {
		if ok, _ := filepath.Match(pattern, name); ok {
			names = append(names, name)
		}
	}
	return names, nil
}

func (host) Hostname() string     { return "host" }
func (host) Getenv(string) string { return "" }

// A version of a foreign file in which other lines have changed has the same objects; what an included file says counts, and
// counts again when it has changed.
func TestVersions(t *testing.T) {
	var l Loader
	h := host{files: map[string]string{"/etc/b.conf": strings.ReplaceAll(web, "192.0.2.1", "192.0.2.2")}}
	load := func(text string) *Loaded {
		r := l.Load("/etc/a.conf", text, h, document.Settings{})
		if r.Config == nil || r.Dialect != Keepalived || len(r.Config.VirtualServers) != 2 {
			t.Fatal(r.Format(r.Problems))
		}
		return r
	}
	first := load(web + "include b.conf\n").Config.VirtualServers
	second := load("! a comment\n\n" + web + "include b.conf\n").Config.VirtualServers
	if first[0] != second[0] || first[1] != second[1] {
		t.Error("what has not changed is another object")
	}
	h.files["/etc/b.conf"] = strings.ReplaceAll(h.files["/etc/b.conf"], "rr", "wlc")
	third := load(web + "include b.conf\n").Config.VirtualServers
	if third[0] != second[0] || third[1] == second[1] || third[1].Services[0].Scheduler != "wlc" {
		t.Error("the included file's change is lost, or more is changed than that")
	}
}

// What a client has read is what is read elsewhere, and nothing else is.
func TestSealed(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	main := filepath.Join(dir, "a.conf")
	write("b.conf", web)
	write("c.conf", strings.ReplaceAll(web, "192.0.2.1", "192.0.2.2"))
	const text = "include [bc].conf\n"
	r := NewRecorder(dialecthost.New())
	var l Loader
	want := l.Load(main, text, r, document.Settings{})
	if want.Config == nil || len(want.Config.VirtualServers) != 2 {
		t.Fatal(want.Format(want.Problems))
	}
	write("b.conf", "nonsense")
	write("d.conf", web)
	sealed := Sealed{dialecthost.New(), r.Files}
	got := new(Loader).Load(main, text, sealed, document.Settings{})
	if got.Text != want.Text || got.Format(got.Problems) != want.Format(want.Problems) {
		t.Errorf("got\n%s%s", got.Text, got.Format(got.Problems))
	}
	if _, err := sealed.ReadFile(filepath.Join(dir, "d.conf")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// Strictly, a warning is an error.
func TestStrictly(t *testing.T) {
	r := new(Loader).Load("/etc/a.conf", strings.ReplaceAll(web, "rr", "rr\n  frob 1"), host{}, document.Settings{})
	if r.Config == nil || r.Problems.Err() != nil || len(r.Problems) == 0 {
		t.Fatal(r.Format(r.Problems))
	}
	if r.Strictly(); r.Config != nil || r.Problems.Err() == nil {
		t.Error(r.Format(r.Problems))
	}
}

// An unlucky host is the fault in the reader that nobody has found yet.
type unlucky struct{ host }

func (unlucky) ReadFile(string) ([]byte, error) { panic("no luck") }

// A file that the reader panics over is refused, in words for who operates and for who mends it, and what is loaded next is whole.
func TestFault(t *testing.T) {
	var l Loader
	h := host{files: map[string]string{"/etc/b.conf": web}}
	text := "include b.conf\n" + strings.ReplaceAll(web, "192.0.2.1", "192.0.2.2")
	before := l.Load("/etc/a.conf", text, h, document.Settings{})
	r := l.Load("/etc/a.conf", text, unlucky{h}, document.Settings{})
	said := r.Format(r.Problems)
	if r.Config != nil || r.Dialect != Keepalived || r.Problems.Err() == nil ||
		!strings.HasPrefix(said, "/etc/a.conf:1:1: a fault in ipvsd, please report it: panic: no luck at load_test.go:") {
		t.Errorf("%v %v\n%s", r.Config != nil, r.Dialect, said)
	}
	after := l.Load("/etc/a.conf", text, h, document.Settings{})
	if before.Config == nil || after.Config == nil || len(after.Config.VirtualServers) != 2 {
		t.Errorf("before:\n%s\nafter:\n%s", before.Format(before.Problems), after.Format(after.Problems))
	}
}
