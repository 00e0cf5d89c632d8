package ipvsproc

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Whatever a kernel of tomorrow has in its files, what is read is one line, no longer than what is read at once, and means the same when it is
// read again; and what is taken for a value can be written.
func FuzzSysctls(f *testing.F) {
	for i, text := range []string{"1\n", "3\t50\n", "0-3,5\n", "", "\n", "-1\n", strings.Repeat("1,", 5000), "1\x00", "a\u0085b"} {
		f.Add(i, []byte(text))
	}
	d := Dir(filepath.Join(f.TempDir(), "vs"))
	if err := os.Mkdir(string(d), 0o755); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, i int, text []byte) {
		s := ipvs.SysctlTable[uint(i)%uint(len(ipvs.SysctlTable))]
		if err := os.WriteFile(d.file(s), text, 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := d.SomeSysctls(t.Context(), s.Name)
		value, read := got[s.Name]
		if err != nil || !read || len(got) != 1 {
			t.Fatalf("%v, %v", got, err)
		}
		if len(value) > 4096 || strings.ContainsAny(value, "\n\t") || !s.Same(value, s.Normal(value)) || s.Normal(value) != value {
			t.Errorf("%q is read as %q", text, value)
		}
		switch err := d.SetSysctl(t.Context(), s.Name, value); {
		case s.Check(value) == nil && err != nil, s.Check(value) != nil && !errors.Is(err, ipvs.EINVAL):
			t.Errorf("%q, which passes as %v, is written: %v", value, s.Check(value), err)
		}
		if again, err := d.SomeSysctls(t.Context(), s.Name); err != nil || again[s.Name] != value {
			t.Errorf("%q is %q when it is read again, %v", value, again[s.Name], err)
		}
	})
}
