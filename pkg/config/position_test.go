package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// everyForm has each form of TOML's surface that the scanner has to get over.
const everyForm = `# a comment with [brackets] and "quotes"
bare = 1
"quoted key" = 'literal # not a comment'
'literal "key"' = "basic \" # still not"
"\u00e9\x41\"" = 2
dotted . "key" .end = [ 1, 2,
  3, # a comment, with a comma
  [ "nested", ']' ], { in = "line" }, ]
date = 1979-05-27 07:32:00 # with a blank
multi = """
one \
  two """""
literal = '''
'it''s' '''
inline = { a.b = 1, "c" = { d = [ { e = 1 } ] },
  f = 2, # over two lines
}
empty = {}
none = []
[table]
"käse" = "é"
`

func ExampleLoad() {
	_, found := Load("ipvsd.toml", []byte(`
[[virtual_server]]
address = "192.0.2.1:80"
lb_algo = "rr"
lb_kind = "drr"
`))
	for _, d := range found {
		fmt.Println(d)
	}
	// Output:
	// ipvsd.toml:2:1: warning: the virtual server has no real servers
	// ipvsd.toml:3:11: the virtual server has no protocol
	// ipvsd.toml:5:11: lb_kind must be "NAT", "DR" or "TUN", not "drr"
}

// The library reports both at line 6: its index knows one place for virtual_server.address.
func TestBadValueInEachOfRepeatedTables(t *testing.T) {
	_, found := Load("f", []byte(`[[virtual_server]]
protocol = "TCP"
address = "bad:1"

[[virtual_server]]
address = "worse:2"
protocol = "TCP"
  [[virtual_server.real_server]]
  address = "first:3"
  [[virtual_server.real_server]]
  address = "second:4"
`))
	var got []string
	for _, d := range found {
		if d.Severity == Error {
			got = append(got, fmt.Sprintf("%d:%d %s", d.Line, d.Column, d.Path))
		}
	}
	want := []string{
		"3:11 virtual_server[0].address",
		"6:11 virtual_server[1].address",
		"9:13 virtual_server[1].real_server[0].address",
		"11:13 virtual_server[1].real_server[1].address",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("errors at\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestPositionCountsCharacters(t *testing.T) {
	l := newLines("f", "eins\r\nzwölf = 3\n\ttab")
	for offset, want := range map[int]string{
		0: "f:1:1", 6: "f:2:1", 14: "f:2:8", 10: "f:2:4", 17: "f:3:1", 18: "f:3:2", 99: "f:3:5", -1: "f:1:1",
	} {
		if got := l.position(offset).String(); got != want {
			t.Errorf("offset %d is at %s, want %s", offset, got, want)
		}
	}
	if got := l.width(span{6, 13}); got != 6 {
		t.Errorf("zwölf and a blank are %d characters wide, want 6", got)
	}
}

// FuzzLocate holds the index against the library: everything that it decodes has a place, nothing else has one, and the
// text at that place decodes to the same value.
func FuzzLocate(f *testing.F) {
	f.Add([]byte(everyForm))
	f.Add([]byte("[[a]]\nb.c = 1\n[[a.d]]\n[[a.d]]\nx = 1\n[a.d.e]\n[[a]]\n[a.b]\n"))
	f.Add([]byte("[a.b.c]\n[a]\nx = 'y'\r\n[\"a\".'b' . d]\r\n"))
	f.Add([]byte("a = \"\"\"\"\"two quotes\"\"\"\"\"\nb = ''''one''''\n"))
	addFiles(f, "testdata/wrong/*.toml")
	addFiles(f, "../../examples/*.toml")
	f.Fuzz(func(t *testing.T, source []byte) {
		text := withoutMark(string(source))
		root := locate(text) // must end, whatever the text
		var tree map[string]any
		if _, err := toml.Decode(text, &tree); err != nil || !utf8.ValidString(text) {
			return
		}
		compare(t, text, "", tree, root)
	})
}

// addFiles makes files seeds of a fuzz target.
func addFiles(f *testing.F, pattern string) {
	f.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		f.Fatalf("no %s: %v", pattern, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
}

func compare(t *testing.T, text, path string, v any, p *place) {
	t.Helper()
	if p == nil {
		t.Fatalf("%s has no place in\n%s", path, text)
	}
	if p.value.from < 0 || p.value.to > len(text) || p.value.from > p.value.to {
		t.Fatalf("%s stands at %v of %d", path, p.value, len(text))
	}
	switch v := v.(type) {
	case map[string]any:
		if len(p.fields) != len(v) {
			t.Fatalf("%s has %d fields, the index %d, in\n%s", path, len(v), len(p.fields), text)
		}
		for name, field := range v {
			compare(t, text, path+"."+name, field, p.fields[name])
		}
	case []map[string]any:
		if len(p.items) != len(v) {
			t.Fatalf("%s has %d tables, the index %d, in\n%s", path, len(v), len(p.items), text)
		}
		for i, item := range v {
			compare(t, text, fmt.Sprintf("%s[%d]", path, i), item, p.items[i])
		}
	case []any:
		if len(p.items) != len(v) {
			t.Fatalf("%s has %d items, the index %d, in\n%s", path, len(v), len(p.items), text)
		}
		for i, item := range v {
			compare(t, text, fmt.Sprintf("%s[%d]", path, i), item, p.items[i])
		}
	default:
		var again map[string]any
		here := text[p.value.from:p.value.to]
		if _, err := toml.Decode("v = "+here, &again); err != nil || fmt.Sprint(again["v"]) != fmt.Sprint(v) {
			t.Fatalf("%s is %v, but at its place stands %q, in\n%s", path, v, here, text)
		}
	}
}
