package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
)

// Where the record can't be written, the table is kept all the same, the status says so, and the record follows when it can.
func TestRecordIsWrittenWhenItCanBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		h := start(t, new(ipvstest.Kernel), dir, web)
		h.pass(time.Second)
		h.files.record = filepath.Join(dir, "state", "owned.json")
		obstacle := filepath.Join(dir, "state")
		if err := os.WriteFile(obstacle, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		h.write(strings.ReplaceAll(web, "192.0.2.1", "192.0.2.2"))
		h.reloaded()
		h.pass(time.Minute)
		if s := h.status(); !strings.Contains(s.Table.Record, "not a directory") {
			t.Errorf("status: %+v", s.Table)
		}
		if err := os.Remove(obstacle); err != nil {
			t.Fatal(err)
		}
		h.pass(unseen)
		owned, err := h.files.readOwned()
		if s := h.status(); err != nil || len(owned) != 1 || s.Table.Record != "" {
			t.Errorf("%v: on record: %v, status: %+v", err, owned, s.Table)
		}
		h.stop()
		if n := strings.Count(h.log.String(), "can't be written"); n != 1 {
			t.Errorf("logged %d times", n)
		}
	})
}

// Two daemons, in namespaces of their own with sockets of their own, would overwrite each other's record.
func TestStateDirectoryIsLocked(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	locks, err := lockDirectory(dir)
	if err != nil || len(locks) != 1 {
		t.Fatal(locks, err)
	}
	if _, err := lockDirectory(dir); !errors.Is(err, ErrRunning) || !strings.Contains(err.Error(), "--state-dir") {
		t.Errorf("taken twice: %v", err)
	}
	if err := locks[0].Close(); err != nil {
		t.Fatal(err)
	}
	locks, err = lockDirectory(dir)
	if err != nil || len(locks) != 1 {
		t.Fatal(locks, err)
	}
	if err := locks[0].Close(); err != nil {
		t.Fatal(err)
	}
	if locks, err := lockDirectory("/dev/null/state"); err != nil || len(locks) != 0 {
		t.Errorf("where no directory can be: %v, %v", locks, err)
	}
}
