package keepalived

import (
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/config/document"
	"github.com/ipvsd/ipvsd/pkg/internal/corpus"
)

// FuzzTranslate feeds whatever there is to the reader of keepalived.conf. It does not panic, takes neither long nor much room, and
// what it writes is TOML that package config can read: if that has an error, the place is one in the original.
func FuzzTranslate(f *testing.F) {
	for _, file := range slices.Concat(corpus.Files(f, "keepalived/*.conf"), glob(f, compat), glob(f, "testdata/*/*.conf")) {
		source, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(source), "high")
	}
	for _, text := range []string{
		"~SEQ(A,1,999999999) ~SEQ(B,1,999999999) x", "$A=$A\n$A", "include k.conf\ninclude k.conf", strings.Repeat("{", 1000), "vrrp_instance V {\nnotify \"a\\",
		"~LST({A,B},{1,2},{3,4}) virtual_server 10.0.0.${A} 8${B} {\nreal_server 10.1.0.1 80 {\nTCP_CHECK {\n}\n}\n}", "\ufeff\x00\xff{}", strings.Repeat("a", 1000) + "\x00" + strings.Repeat("b", 1000),
		"$I= \\\nvrrp_instance V${N} { \\\ninterface a \\\nvirtual_router_id ${N} \\\n}\n~SEQ(N,1,300) $I",
	} {
		f.Add(text, "x")
	}
	small := limits{lines: 5000, length: 4096, depth: 16, findings: 50}
	f.Fuzz(func(t *testing.T, text, id string) {
		start := time.Now()
		host := fuzzHost{director{}, files{"k.conf": text, "sub/a.conf": "global_defs {\n"}}
		d := translate("k.conf", []byte(text), host, document.Settings{ConfigID: id}, small)
		c, found := d.Load(new(config.Loader))
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("it took %v", took)
		}
		if c == nil && found.Err() == nil {
			t.Error("there is no configuration, and no error says why")
		}
		if len(d.Text) > 50_000_000 {
			t.Errorf("%d bytes of TOML for %d", len(d.Text), len(text))
		}
		for _, diagnostic := range found {
			lines := strings.Count(d.Sources[diagnostic.File], "\n") + 1
			if diagnostic.Line < 1 || diagnostic.Line > lines || diagnostic.Column < 1 || diagnostic.Message == "" {
				t.Errorf("%v: there are %d lines in %q", diagnostic, lines, diagnostic.File)
			}
			if strings.HasPrefix(diagnostic.Message, "toml") || strings.Contains(diagnostic.Message, "has no keyword") {
				t.Errorf("what is written is no good: %v\n%s", diagnostic, d.Text)
			}
		}
	})
}

// fuzzHost has the programs of one host and the files of another.
type fuzzHost struct {
	director
	files files
}

func (h fuzzHost) ReadFile(name string) ([]byte, error)     { return h.files.ReadFile(name) }
func (h fuzzHost) Glob(pattern string) ([]string, error)    { return h.files.Glob(pattern) }
func (fuzzHost) LookupPort(string, string) uint16           { return 0 }
func (h fuzzHost) LookupHost(name string) ([]string, error) { return h.files.LookupHost(name) }

// A file of nothing but ends of lines takes no more room than the lines that are read: the rest are too many.
func TestRoomForLines(t *testing.T) {
	text := []byte(strings.Repeat("\n", 8<<20))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	d := translate("k.conf", text, fuzzHost{}, document.Settings{}, limits{lines: 5000, length: 4096, depth: 16, findings: 50})
	runtime.ReadMemStats(&after)
	if room := after.TotalAlloc - before.TotalAlloc; room > 100<<20 {
		t.Errorf("%d MB for a file of %d MB", room>>20, len(text)>>20)
	}
	if _, found := d.Load(new(config.Loader)); found.Err() == nil {
		t.Error("nobody says that these are too many lines")
	}
}
