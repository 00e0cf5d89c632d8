package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/ipvsd/ipvsd/pkg/desired"
)

// files is what the daemon reads and writes on disk.
type files struct {
	config  string
	record  string // of desired.Owned
	changed string // of desired.Changed
}

func filesIn(o Options) files {
	return files{
		config: o.ConfigFile, record: filepath.Join(o.StateDir, "owned.json"), changed: filepath.Join(o.StateDir, "settings.json"),
	}
}

// maxConfig is the size of a configuration, in bytes, that is taken for one: about a million servers. To read one takes some
// 35 times its size of memory.
const maxConfig = 64 << 20

// readConfig returns the text of the configuration. Only a regular file is one: what may have no end, or none to write it,
// must not hold up a daemon.
func (f files) readConfig() (string, error) {
	// Non-blocking: the other end of a pipe need not be there. A regular file doesn't care.
	file, err := os.OpenFile(f.config, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s: not a regular file", f.config)
	}
	var text strings.Builder
	text.Grow(int(min(info.Size(), maxConfig)))
	_, err = io.Copy(&text, io.LimitReader(file, maxConfig+1))
	if err == nil && text.Len() > maxConfig {
		err = fmt.Errorf("%s: larger than %d MB", f.config, maxConfig>>20)
	}
	return text.String(), err
}

// readOwned returns the record of what is ours; an absent one is empty.
func (f files) readOwned() (desired.Owned, error) { return read[desired.Owned](f.record) }

// writeOwned replaces the record of what is ours.
func (f files) writeOwned(owned desired.Owned) error { return write(f.record, owned) }

// readChanged returns the record of what settings were before; an absent one is empty.
func (f files) readChanged() (desired.Changed, error) { return read[desired.Changed](f.changed) }

// writeChanged replaces the record of what settings were before. There is none when there is nothing to put back.
func (f files) writeChanged(changed desired.Changed) error {
	if len(changed) > 0 {
		return write(f.changed, changed)
	}
	if err := os.Remove(f.changed); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
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

// write replaces a record as a whole: after a crash it is either the old or the new one.
func write(name string, record any) error {
	text, err := json.Marshal(record)
	if err != nil {
		return err
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
	return nil
}
