package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ipvsd/ipvsd/pkg/desired"
)

// files is what the daemon reads and writes on disk.
type files struct {
	config string
	record string // of desired.Owned
}

func filesIn(o Options) files {
	return files{config: o.ConfigFile, record: filepath.Join(o.StateDir, "owned.json")}
}

// readOwned returns the record; an absent one is empty.
func (f files) readOwned() (desired.Owned, error) {
	owned := desired.Owned{}
	text, err := os.ReadFile(f.record)
	if errors.Is(err, fs.ErrNotExist) {
		return owned, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &owned)
	}
	if err != nil {
		return desired.Owned{}, fmt.Errorf("%s: %w", f.record, err)
	}
	return owned, nil
}

// writeOwned replaces the record as a whole: after a crash it is either the old or the new one.
func (f files) writeOwned(owned desired.Owned) error {
	text, err := json.Marshal(owned)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(f.record), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(f.record), filepath.Base(f.record)+".")
	if err != nil {
		return err
	}
	_, err = tmp.Write(text)
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), f.record)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}
