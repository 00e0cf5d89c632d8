package keepalived

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/config/document"
	"github.com/ipvsd/ipvsd/pkg/internal/golden"
)

// director is a host whose programs and accounts are known. It has no other files than iproute2's names.
type director struct{ document.Host }

func (director) ReadFile(name string) ([]byte, error) {
	switch name {
	case "/etc/iproute2/rt_tables":
		return []byte("# reserved\n255\tlocal\n100 mine\n"), nil
	case "/etc/iproute2/rt_realms":
		return []byte("0x11 one\n"), nil
	case "/etc/ssl/open.key":
		return []byte("-----BEGIN PRIVATE KEY-----\n"), nil
	}
	return nil, fs.ErrNotExist
}

func (director) Hostname() string     { return "lb1.example.net" }
func (director) Getenv(string) string { return "" }
func (director) LookPath(program string) (string, error) {
	if path := "/usr/bin/" + program; slices.Contains([]string{"true", "false", "pidof", "echo", "cat"}, program) {
		return path, nil
	}
	if !strings.HasPrefix(program, "/") || strings.HasPrefix(program, "/no/") {
		return "", errors.New("there is no such program")
	}
	return program, nil
}
func (director) HasAccount(user, group string) bool {
	return slices.Contains([]string{"root", "nobody", "0"}, user)
}

func translated(t *testing.T, file string) *document.Document {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return Translate(filepath.Base(file), source, director{}, document.Settings{})
}

// Each file of testdata is the TOML beside it, with what is said of it.
func TestFiles(t *testing.T) {
	for _, file := range glob(t, "testdata/*/*.conf") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			d := translated(t, file)
			golden.Check(t, strings.TrimSuffix(file, ".conf")+".toml", []byte(d.Text))
			c, found := d.Load(new(config.Loader))
			var report bytes.Buffer
			if err := d.Print(&report, found); err != nil {
				t.Fatal(err)
			}
			golden.Check(t, strings.TrimSuffix(file, ".conf")+".report", report.Bytes())
			if c != nil {
				stable(t, c)
			}
		})
	}
}

// compat is where the files are that keepalived runs, too.
const compat = "../../internal/compat/testdata/*.conf"

// What keepalived runs in the lab is loaded without an error.
func TestFilesThatRun(t *testing.T) {
	for _, file := range glob(t, compat) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			d := translated(t, file)
			c, found := d.Load(new(config.Loader))
			if err := found.Err(); err != nil {
				t.Fatalf("%s\n%s", found.Format([]byte(d.Sources[d.Name])), d.Text)
			}
			stable(t, c)
		})
	}
}

// stable checks that a configuration is the same when it is written and read again.
func stable(t *testing.T, c *config.Config) {
	t.Helper()
	text := config.Format(c)
	again, found := new(config.Loader).Load("again.toml", string(text))
	if err := found.Err(); err != nil {
		t.Fatalf("what is written can't be read: %v\n%s", err, text)
	}
	if twice := config.Format(again); !bytes.Equal(text, twice) {
		t.Errorf("written again it is\n%s\nand not\n%s", twice, text)
	}
}

func glob(t testing.TB, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no files, %v", pattern, err)
	}
	return files
}

// Every keyword stands in a file that is translated here.
func TestKeywordsTried(t *testing.T) {
	tried := make(map[string]bool)
	var look func(in string, nodes []*Node)
	look = func(in string, nodes []*Node) {
		for _, n := range nodes {
			tried[in+" "+n.Text] = true
			if n.scope != nil {
				look(n.scope.name, n.Block)
			}
		}
	}
	for _, file := range append(glob(t, "testdata/*/*.conf"), glob(t, compat)...) {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p := &translation{Writer: new(document.Writer), host: director{}}
		root, _ := p.parse(file, source, document.Settings{}, newTable(), normal)
		look("", root.Block)
	}
	for _, s := range scopes {
		for _, k := range s.keywords {
			if !tried[s.name+" "+k.name] {
				t.Errorf("no file has %s in %q", k.name, s.name)
			}
			if k.fate != Honoured && k.remark == "" {
				t.Errorf("%s in %q is %s, and nobody says how", k.name, s.name, k.fate)
			}
		}
	}
}
