package journal

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/audit"
)

// begin runs a journal. What it returns ends it.
func begin(t *testing.T, path string) (*Journal, func()) {
	t.Helper()
	j := New(path, slog.New(slog.DiscardHandler))
	return j, run(t, j)
}

func run(t *testing.T, j *Journal) func() {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		j.Run(ctx)
	}()
	end := func() {
		cancel()
		<-ended
	}
	t.Cleanup(end)
	return end
}

func entry(n int) audit.Entry {
	return audit.Entry{At: time.Unix(int64(1e9+n), 0), Who: "root", Action: "reload", Detail: fmt.Sprint("number ", n), Status: 200}
}

// entries returns the details of what is in the journal, and the report.
func entries(t *testing.T, j *Journal) (list []string, r *audit.Report) {
	t.Helper()
	r, err := j.Entries(t.Context(), time.Time{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range r.Entries {
		list = append(list, e.Detail+e.Error)
	}
	return list, r
}

// What was recorded is there, for who asks next, after a restart, and after a power failure in the middle of a line. Nobody else can read it.
func TestJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "audit.log")
	j, end := begin(t, path)
	j.Record(entry(1))
	j.Record(entry(2))
	if list, _ := entries(t, j); len(list) != 2 || list[1] != "number 2" {
		t.Error(list)
	}
	j.Record(entry(3))
	end() // writes what waits
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Fatal(err, info)
	}
	if err := os.Truncate(path, info.Size()-5); err != nil {
		t.Fatal(err)
	}
	j, _ = begin(t, path)
	j.Record(entry(4))
	if list, r := entries(t, j); len(list) != 3 || list[2] != "number 4" || r.Skipped != 1 {
		t.Error(list, r)
	}
	if r, err := j.Entries(t.Context(), time.Unix(1e9+2, 0), 1); err != nil || len(r.Entries) != 1 || r.Entries[0].Detail != "number 4" || !r.More {
		t.Error(r, err)
	}
}

// The log is in a few files of a size; the oldest entries go.
func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	j := New(path, slog.New(slog.DiscardHandler))
	j.size = 1000
	end := run(t, j)
	for n := range 200 {
		j.Record(entry(n))
	}
	list, _ := entries(t, j)
	if len(list) < 30 || len(list) > 60 || list[len(list)-1] != "number 199" {
		t.Error(len(list), list)
	}
	end()
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) != 1+older {
		t.Error(files, err)
	}
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.Size() > 1000 {
			t.Error(err, info.Size())
		}
	}
}

// A file that can't be renamed costs no older one, however often that is tried.
func TestRotationFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	j := New(path, slog.New(slog.DiscardHandler))
	j.size = 1000
	for n := 1; n < older; n++ {
		if err := os.WriteFile(j.name(n), fmt.Append(nil, n), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 10 {
		if err := j.openLast(); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil { // there is nothing to rename
			t.Fatal(err)
		}
		if err := j.rotate(); err != nil {
			t.Fatal(err)
		}
	}
	for n := 2; n <= older; n++ {
		if text, err := os.ReadFile(j.name(n)); string(text) != fmt.Sprint(n-1) {
			t.Errorf("%d: %q %v", n, text, err)
		}
	}
}

// What can't be written because the disk is full is counted, and noted in the log as soon as there is room; half a line is taken back. The
// limit of a file's size stands for the disk: write(2) fails alike, after a part of it.
func TestFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	j, _ := begin(t, path)
	j.Record(entry(1))
	entries(t, j)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	full := before
	full.Cur = uint64(info.Size()) + 20
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &full); err != nil {
		t.Fatal(err)
	}
	j.Record(entry(2))
	j.Record(entry(3))
	list, r := entries(t, j)
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || r.Lost != 2 || !strings.Contains(r.Error, "file too large") || r.Skipped != 0 {
		t.Error(list, r)
	}
	if lost, fault := j.Trouble(); lost != 2 || !strings.Contains(fault, "file too large") {
		t.Error(lost, fault)
	}
	j.Record(entry(4))
	list, r = entries(t, j)
	if lost, fault := j.Trouble(); lost != 2 || fault != "" {
		t.Error(lost, fault)
	}
	if len(list) != 3 || !strings.HasPrefix(list[1], "2 entries before this one could not be written: ") || list[2] != "number 4" || r.Lost != 2 || r.Error != "" || r.Skipped != 0 {
		t.Error(list, r)
	}
}

// A log that somebody takes away is begun anew, and one that is no file is not written to.
func TestTakenAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	j, _ := begin(t, path)
	j.Record(entry(1))
	entries(t, j)
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	j.Record(entry(2))
	if list, _ := entries(t, j); len(list) != 1 || list[0] != "number 2" {
		t.Error(list)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path+".old", path); err != nil {
		t.Fatal(err)
	}
	j.Record(entry(3))
	if r, err := j.Entries(t.Context(), time.Time{}, 0); err == nil {
		t.Error(r)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	j.Record(entry(4))
	if list, r := entries(t, j); len(list) != 2 || r.Lost != 1 {
		t.Error(list, r)
	}
}

// Nobody waits for a disk that takes nothing: here nobody writes at all.
func TestStuckDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	j := New(path, slog.New(slog.DiscardHandler))
	for n := range waiting + 10 {
		j.Record(entry(n))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := j.Entries(ctx, time.Time{}, 0); err == nil {
		t.Error("there is an answer")
	}
	end := run(t, j)
	if list, r := entries(t, j); len(list) != waiting+1 || r.Lost != 10 {
		t.Error(len(list), r.Lost)
	}
	end()
	if _, err := j.Entries(t.Context(), time.Time{}, 0); err == nil {
		t.Error("it answers after its end")
	}
}
