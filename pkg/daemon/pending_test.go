package daemon

import (
	"os"
	"path/filepath"
	"testing"
)

// A record that names no configurations is one that can't be read: nothing could be gone back to.
func TestPendingRecord(t *testing.T) {
	f := files{pending: filepath.Join(t.TempDir(), "pending.json")}
	if p, err := f.readPending(); p != nil || err != nil {
		t.Errorf("without a record: %v, %v", p, err)
	}
	for text, good := range map[string]bool{
		`{"revision": 2, "back": 1}`: true,
		`{"revision": 2}`:            false,
		`{}`:                         false,
		`null`:                       false,
		``:                           false,
		`{"revision": 2, `:           false,
	} {
		if err := os.WriteFile(f.pending, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if p, err := f.readPending(); (err == nil) != good || (p != nil) != good {
			t.Errorf("%q: %v, %v", text, p, err)
		}
	}
}
