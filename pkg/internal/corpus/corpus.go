// Package corpus finds configuration files of the field. They are other people's, and stay where they are: a machine without
// them has none to test with. Nothing here starts a goroutine.
package corpus

import (
	"path/filepath"
	"slices"
	"testing"
)

// dir has a directory for each tool.
const dir = "/work/shared/corpus"

// Files returns those that match a pattern, such as "keepalived/*.conf", sorted; none where there is no corpus.
func Files(tb testing.TB, pattern string) []string {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		tb.Fatal(err)
	}
	if tools, err := filepath.Glob(dir + "/*"); len(files) == 0 && (len(tools) > 0 || err != nil) {
		tb.Fatalf("there is a corpus in %s, but nothing of it is %s", dir, pattern)
	}
	slices.Sort(files)
	tb.Logf("%d files of the field", len(files))
	return files
}
