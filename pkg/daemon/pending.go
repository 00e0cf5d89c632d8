package daemon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// pending is a configuration that the daemon leaves again unless somebody confirms it. It is on the disk before the configuration is. Its
// time is that of the machine's boot, which nobody can set, and which goes on while the machine is suspended: after another boot it is over.
type pending struct {
	Revision int           `json:"revision"`
	Back     int           `json:"back"`
	Applied  string        `json:"applied"` // textHash of the configuration's file
	Boot     string        `json:"boot"`
	Deadline time.Duration `json:"deadline"` // since the boot
	Who      string        `json:"who,omitempty"`

	restored bool      // the former configuration is in its place again
	returned *returned // it is in force again, but not in its file; nil: it is not in force
}

// returned is the former configuration when it is in force again, and only its file is not as it should be.
type returned struct {
	file   *control.File
	answer *status.Answer
	err    string // why
}

// uptime is how long ago the machine was started, and which start that was.
func uptime() (boot string, since time.Duration) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil { // then nothing is known across a restart of the daemon, and it goes back
		id = fmt.Appendf(nil, "unknown of process %d", os.Getpid())
	}
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) // which every kernel has
	return strings.TrimSpace(string(id)), time.Duration(t.Nano())
}

// left is how long there is time for a confirmation; 0 or less: none.
func (p *pending) left(boot string, since time.Duration) time.Duration {
	if p.Boot != boot {
		return 0
	}
	return p.Deadline - since
}

func (p *pending) status(left time.Duration) *status.Pending {
	s := &status.Pending{Revision: p.Revision, Back: p.Back, Left: left, Until: time.Now().Add(left), Who: p.Who}
	if p.returned != nil {
		s.Unwritten = p.returned.err
	}
	return s
}

// readPending returns what waits for a confirmation; nil: nothing.
func (f files) readPending() (*pending, error) {
	text, err := os.ReadFile(f.pending)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	p := new(pending)
	if err == nil {
		err = json.Unmarshal(text, p)
	}
	if err == nil && (p.Revision < 1 || p.Back < 1) {
		err = errors.New("it names no configurations")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.pending, err)
	}
	return p, nil
}

func (f files) writePending(p *pending) error {
	if p != nil {
		text, err := json.Marshal(p)
		if err != nil {
			return err
		}
		return writeText(f.pending, text)
	}
	if err := os.Remove(f.pending); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncDir(filepath.Dir(f.pending))
}

// resumeLocked is resume for a daemon that has no locks yet: another one may have to do with the state directory.
func (f files) resumeLocked(o Options) (*pending, error) {
	if p, err := f.readPending(); p == nil && err == nil {
		return nil, nil
	}
	locks, err := lockDirectory(o.StateDir)
	if err != nil {
		return nil, err
	}
	boot, since := uptime()
	p := f.resume(o.Log, boot, since)
	for _, l := range locks {
		_ = l.Close() // nothing was written there
	}
	return p, nil
}

// resume returns what waits for a confirmation when the daemon starts. If the time is over, or the machine was started since, the former
// configuration is in its place again, to be read from there. Where that fails the daemon starts all the same, and tries again while it runs.
func (f files) resume(log *slog.Logger, boot string, since time.Duration) *pending {
	p, err := f.readPending()
	if err != nil {
		aside := f.pending + ".unread"
		log.Error("whether a configuration waits for its confirmation can't be read: the file is taken as it is, and stays", "file", aside,
			"err", errors.Join(err, os.Rename(f.pending, aside)))
		return nil
	}
	if p != nil && p.left(boot, since) <= 0 {
		if err := f.restore(p, log); err != nil {
			log.Error("the former configuration can't be restored", "err", err)
		}
	}
	return p
}

// restore puts the former configuration in its place.
func (f files) restore(p *pending, log *slog.Logger) error {
	archive, err := openArchive(f.history)
	if err != nil {
		log.Warn("not all of the history can be read", "dir", f.history, "err", err)
	}
	file, err := archive.file(p.Back, f.config)
	if err != nil {
		return fmt.Errorf("configuration %d was not confirmed, but the way back is lost: %w", p.Revision, err)
	}
	if err := errors.Join(f.putBack(p, file, log), f.writePending(nil)); err != nil {
		return err
	}
	log.Warn("the configuration was not confirmed in time: the former one is in its place again", "revision", p.Revision, "back", p.Back, "file", f.config)
	p.restored = true
	return nil
}

// putBack writes the former configuration. A file that somebody has changed since is kept beside it.
func (f files) putBack(p *pending, former *control.File, log *slog.Logger) error {
	text, err := os.ReadFile(f.config)
	if err == nil && textHash(text) != p.Applied && !bytes.Equal(text, former.Text) {
		aside := f.config + ".edited"
		log.Warn("the configuration file was changed while it waited for a confirmation: the changes are kept in another file", "file", aside)
		if err := replace(aside, text); err != nil {
			return err
		}
	}
	return f.replaceConfig(former.Text)
}

// replaceConfig puts a text in the place of the configuration file, all of it or none, with the mode and the owner that it had. A symbolic
// link stays one.
func (f files) replaceConfig(text []byte) error { return replace(f.config, text) }

func replace(name string, text []byte) (err error) {
	target, err := filepath.EvalSymlinks(name)
	if errors.Is(err, fs.ErrNotExist) {
		target, err = name, nil
	}
	if err != nil {
		return err
	}
	mode, uid, gid := fs.FileMode(0o600), -1, -1
	if info, err := os.Stat(target); err == nil {
		owner := info.Sys().(*syscall.Stat_t)
		mode, uid, gid = info.Mode().Perm(), int(owner.Uid), int(owner.Gid)
	}
	tmp, err := os.CreateTemp(filepath.Dir(target), "."+filepath.Base(target)+".") // no pattern of an include matches a dot
	if err != nil {
		return fmt.Errorf("%s can't be replaced: %w; under systemd ipvsd may write to /etc/ipvsd alone, and a drop-in with ReadWritePaths= names another directory", name, err)
	}
	_, err = tmp.Write(text)
	err = errors.Join(err, tmp.Chmod(mode)) // while it is ours: the unit has no CAP_FOWNER
	if uid >= 0 && err == nil {
		err = tmp.Chown(uid, gid)
	}
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), target)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("%s can't be replaced: %w", name, err), os.Remove(tmp.Name()))
	}
	return syncDir(filepath.Dir(target))
}
