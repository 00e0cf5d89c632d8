package keepalived

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/config/document"
	"github.com/ipvsd/ipvsd/pkg/internal/corpus"
	"github.com/ipvsd/ipvsd/pkg/internal/golden"
)

// ids are for files that do not run without one.
var ids = map[string]string{"12-bfd-track-file-defines.conf": "samson", "06-conditional-host-lines.conf": "nfs1"}

// Each real file is translated, and what is written is as stable as what people write. What there is to say about them is in
// testdata, by line, without a word of theirs.
func TestCorpus(t *testing.T) {
	var b strings.Builder
	files := corpus.Files(t, "keepalived/*.conf")
	if len(files) == 0 {
		return // what is in testdata is about nothing
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		d := Translate(name, source, director{}, document.Settings{ConfigID: ids[name]})
		if again := Translate(name, source, director{}, document.Settings{ConfigID: ids[name]}); again.Text != d.Text {
			t.Errorf("%s: two translations differ", name)
		}
		c, found := d.Load(new(config.Loader))
		fmt.Fprintf(&b, "%s:", name)
		for _, severity := range []config.Severity{config.Error, config.Warning, config.Note} {
			if found.Count(severity) == 0 {
				continue
			}
			fmt.Fprintf(&b, " %ss at", severity)
			for _, f := range found {
				if f.Severity == severity {
					fmt.Fprintf(&b, " %d", f.Line)
				}
			}
			b.WriteString(".")
		}
		b.WriteString("\n")
		if c == nil {
			continue
		}
		text := config.Format(c)
		formatted, wrong := config.Load(name, text)
		if wrong.Err() != nil {
			t.Errorf("%s: what is formatted can't be loaded: %v\n%s", name, wrong.Err(), text)
			continue
		}
		if diff := cmp.Diff(string(text), string(config.Format(formatted))); diff != "" {
			t.Errorf("%s: formatting again makes another text:\n%s", name, diff)
		}
	}
	golden.Check(t, "testdata/corpus.golden", []byte(b.String()))
}
