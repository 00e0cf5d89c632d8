package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ipvsd/ipvsd/pkg/internal/golden"
)

// reloads holds that a Config survives being printed and loaded, and that printing it again changes nothing.
func reloads(t *testing.T, c *Config) {
	t.Helper()
	text := Format(c)
	again, found := Load("formatted.toml", text)
	if again == nil {
		t.Fatalf("Format wrote what is no configuration:\n%s\n%s", found.Format(text), text)
	}
	if second := Format(again); string(second) != string(text) {
		t.Fatalf("printed again:\n%s", cmp.Diff(string(text), string(second)))
	}
	if reflect.DeepEqual(c, again) {
		return // what follows takes seconds for large groups
	}
	opts := []cmp.Option{
		cmpopts.EquateComparable(netip.AddrPort{}, netip.Addr{}), cmpopts.EquateEmpty(),
	}
	if diff := cmp.Diff(c, again, opts...); diff != "" {
		t.Fatalf("(-before +after):\n%s\n%s", diff, text)
	}
}

func TestFormatExamples(t *testing.T) {
	files, err := filepath.Glob("../../examples/*.toml")
	if err != nil || len(files) < 3 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if c, _ := Load(file, text); c != nil { // TestExamples tells why not
				reloads(t, c)
			}
		})
	}
}

// What Format writes is meant to be read: settings that servers share stand once, short forms where they will do.
func TestFormatIsReadable(t *testing.T) {
	const file = "testdata/format.toml"
	c, found := Load(file, read(t, file))
	if c == nil || len(found) > 0 {
		t.Fatal(found)
	}
	reloads(t, c)
	golden.Check(t, "testdata/format.golden", Format(c))
}
