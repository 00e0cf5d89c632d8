package daemon

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// The history is bounded, keeps what is still needed, goes on after a restart, and is for root alone.
func TestArchive(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "history")
	a, err := openArchive(dir)
	if err != nil {
		t.Fatal(err)
	}
	add := func(text string, spare ...int) {
		t.Helper()
		f := &control.File{Text: []byte(text), Texts: map[string][]byte{"/etc/part": []byte("part of " + text)}, Globs: map[string][]string{"/etc/*": {"/etc/part"}}}
		if err := a.add(status.Revision{Why: status.ByReload}, f, &config.Config{}, spare...); err != nil {
			t.Fatal(err)
		}
	}
	for n := range mostRevisions + 10 {
		add(fmt.Sprintf("text %d\n", n+1), 3)
		add(fmt.Sprintf("text %d\n", n+1), 3) // which is no news
	}
	if len(a.list) != mostRevisions || a.list[0].Number != 3 || a.current() != mostRevisions+10 {
		t.Errorf("%d kept, from %d to %d", len(a.list), a.list[0].Number, a.current())
	}
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != mostRevisions {
		t.Errorf("%v: %d directories", err, len(entries))
	}
	if a, err = openArchive(dir); err != nil || len(a.list) != mostRevisions || a.current() != mostRevisions+10 {
		t.Fatalf("%v: %d kept, the last is %d", err, len(a.list), a.current())
	}
	f, err := a.file(3, "name")
	if err != nil || string(f.Text) != "text 3\n" || string(f.Texts["/etc/part"]) != "part of text 3\n" || len(f.Globs["/etc/*"]) != 1 || f.Name != "name" {
		t.Errorf("%v: %+v", err, f)
	}
	if n := a.former(); n != mostRevisions+9 {
		t.Errorf("the former is %d", n)
	}

	for name, damage := range map[string]func() error{
		"was changed":             func() error { return os.WriteFile(filepath.Join(a.place(3), "config"), []byte("other"), 0o600) },
		"unexpected end of JSON":  func() error { return os.WriteFile(filepath.Join(a.place(3), "revision.json"), nil, 0o600) },
		"it says that it is numb": func() error { return os.Rename(a.place(30), a.place(999)) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		if name == "was changed" {
			if _, err := a.file(3, ""); err == nil {
				t.Errorf("%s: no error", name)
			}
			continue
		}
		again, err := openArchive(dir)
		if err == nil || !strings.Contains(err.Error(), name) || len(again.list) == 0 {
			t.Errorf("%s: %v, %d kept", name, err, len(again.list))
		}
	}
}

// Large configurations are fewer.
func TestArchiveOfLargeFiles(t *testing.T) {
	a, err := openArchive(filepath.Join(t.TempDir(), "history"))
	if err != nil {
		t.Fatal(err)
	}
	for n := range 6 {
		text := append(make([]byte, mostRevisionBytes/4), byte(n))
		if err := a.add(status.Revision{Why: status.ByApply}, &control.File{Text: text}, &config.Config{}); err != nil {
			t.Fatal(err)
		}
	}
	if len(a.list) != leastRevisions {
		t.Errorf("%d kept", len(a.list))
	}
}

// What can't be kept is said, and is not in the history.
func TestArchiveThatCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	a := &archive{dir: filepath.Join(file, "history")}
	if err := a.add(status.Revision{}, &control.File{}, &config.Config{}); err == nil || a.err == nil || a.current() != 0 {
		t.Errorf("%v: %+v", err, a)
	}
}
