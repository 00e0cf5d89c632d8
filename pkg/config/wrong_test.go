package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/golden"
)

// TestWrong holds what a user sees of each wrong file against the golden file beside it. Files whose names begin with
// "several" have several errors, the others one.
func TestWrong(t *testing.T) {
	files, err := filepath.Glob("testdata/wrong/*.toml")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(strings.TrimSuffix(name, ".toml"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c, found := Load(name, text)
			golden.Check(t, strings.TrimSuffix(file, ".toml")+".golden", []byte(found.Format(text)))
			if c != nil || found.Err() == nil {
				t.Errorf("the file was accepted, err %v", found.Err())
			}
			errors := found.Count(Error)
			if several := strings.HasPrefix(name, "several"); several != (errors > 1) {
				t.Errorf("%d errors", errors)
			}
			for _, d := range found {
				if d.Message == "" || d.Severity == Error && d.Hint == "" || d.Line < 1 || d.Column < 1 || d.Width < 1 || d.File != name {
					t.Errorf("incomplete: %+v", d)
				}
			}
		})
	}
}

func TestDiagnosticsAsJSON(t *testing.T) {
	text, err := os.ReadFile("testdata/wrong/several-in-repeated-tables.toml")
	if err != nil {
		t.Fatal(err)
	}
	_, found := Load("ipvsd.toml", text)
	got, err := json.MarshalIndent(found, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/diagnostics.json", append(got, '\n'))
	want := `ipvsd.toml:3:11: address: port "80x" is not a number from 1 to 65535 (and 5 more)`
	if got := found.Err().Error(); got != want {
		t.Errorf("error is %q, want %q", got, want)
	}
}
