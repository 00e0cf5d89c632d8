package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/desired"
)

// files is what the daemon reads and writes on disk.
type files struct {
	config  string // what it includes is beside it
	record  string // of desired.Owned
	changed string // of desired.Changed
	wishes  string // of admin.State
	audit   string // log, of package journal
	members string // of what sources said
	memory  string // of a memory
	history string // directory of an archive
	pending string // of a pending
}

func filesIn(o Options) files {
	return files{
		config: o.ConfigFile, record: filepath.Join(o.StateDir, "owned.json"), changed: filepath.Join(o.StateDir, "settings.json"),
		wishes: filepath.Join(o.StateDir, "admin.json"), members: filepath.Join(o.StateDir, "members.json"),
		audit: filepath.Join(o.StateDir, "audit.log"), memory: filepath.Join(o.StateDir, "verdicts.json"),
		history: filepath.Join(o.StateDir, "history"), pending: filepath.Join(o.StateDir, "pending.json"),
	}
}

// readOwned returns the record of what is ours; an absent one is empty.
func (f files) readOwned() (desired.Owned, error) { return read[desired.Owned](f.record) }

// readChanged returns the record of what settings were before; an absent one is empty.
func (f files) readChanged() (desired.Changed, error) { return read[desired.Changed](f.changed) }

// readWishes returns what the operator wants of servers; an absent record is nothing.
func (f files) readWishes() (s admin.State, err error) {
	text, err := os.ReadFile(f.wishes)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		if err = json.Unmarshal(text, &s); err != nil {
			err = fmt.Errorf("%s: %w", f.wishes, err)
		}
	}
	return s, err
}

// recallWishes returns what the operator wanted of servers before the start. A record that can't be read is set aside, since the next wish
// would overwrite it: starting matters more.
func (f files) recallWishes(log *slog.Logger) admin.State {
	s, err := f.readWishes()
	if err != nil {
		aside := f.wishes + ".unread"
		log.Error("what was wanted of servers can't be read: none drains, and none is disabled, until you say so again", "file", aside,
			"err", errors.Join(err, os.Rename(f.wishes, aside)))
	}
	return s.Anchored(time.Now())
}

// read returns a record; an absent one is empty, and so is one that can't be read.
func read[M ~map[K]V, K comparable, V any](name string) (M, error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return M{}, nil
	}
	if err != nil {
		return M{}, err
	}
	var record M
	if err := json.Unmarshal(text, &record); err != nil {
		return M{}, fmt.Errorf("%s: %w", name, err)
	}
	if record == nil { // "null"
		record = M{}
	}
	return record, nil
}

// writeText replaces a record as a whole: after a crash it is either the old or the new one. Without a text there is none.
func writeText(name string, text []byte) error {
	if text == nil {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := syncDir(filepath.Dir(name)); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	// One name, not a new one each time: the directory is locked, and what a crash leaves behind is overwritten.
	tmp, err := os.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = tmp.Write(text)
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return syncDir(filepath.Dir(name))
}

// syncDir has the names in a directory last through a loss of power, too: what is in a file is of no use without its name.
func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	err = errors.Join(d.Sync(), d.Close())
	if errors.Is(err, syscall.EINVAL) { // a file system that has nothing to do for it
		return nil
	}
	return err
}
