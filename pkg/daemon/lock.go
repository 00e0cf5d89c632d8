package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/ipvsd/ipvsd/pkg/control"
)

// ErrRunning is wrapped by New's error when another ipvsd has the network namespace or the socket.
var ErrRunning = errors.New("another ipvsd is running")

// takeLocks makes sure that this is the only ipvsd that writes to the table of its network namespace, and the only one on
// its socket and on its state directory. The kernel drops the locks when the process ends, however it ends.
func takeLocks(socket, stateDir string) ([]*os.File, error) {
	namespace, err := namespaceFiles()
	if err != nil {
		return nil, err
	}
	var locks []*os.File
	for _, take := range []func() ([]*os.File, error){ // the first that is taken says most about who has it
		func() ([]*os.File, error) { return lock(namespace+".lock", "in this network namespace") },
		func() ([]*os.File, error) { return lock(socket+".lock", "on the socket "+socket) },
		func() ([]*os.File, error) { return lockDirectory(stateDir) },
	} {
		taken, err := take()
		if err != nil {
			for _, f := range locks {
				_ = f.Close()
			}
			return nil, err
		}
		locks = append(locks, taken...)
	}
	return locks, nil
}

// namespaceFiles is how the names of files begin that are this network namespace's, until the machine's next start. They are in the
// default directory even when the socket is elsewhere: one namespace, one lock.
func namespaceFiles() (string, error) {
	ns, err := os.Stat("/proc/thread-self/ns/net")
	if err != nil {
		return "", fmt.Errorf("network namespace: %w", err)
	}
	return filepath.Join(filepath.Dir(control.Socket), fmt.Sprintf("netns-%d", ns.Sys().(*syscall.Stat_t).Ino)), nil
}

// lockDirectory takes the lock of the state directory itself, so that one that is full or read-only can be locked. One that
// can't be made or opened needs no lock: nobody can write there.
func lockDirectory(path string) ([]*os.File, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errors.Join(fmt.Errorf("%w with the state directory %s: give each its own --state-dir", ErrRunning, path), f.Close())
	}
	return []*os.File{f}, nil
}

// owned says of an error that is about rights to a directory of ours who should have made it: a user without rights can't.
func owned(err error, dir, setting string) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: %s must be of the user that ipvsd runs as: set %s in its unit, or run as root: install -d -m 700 -o USER %[2]s", err, dir, setting)
	}
	return err
}

// lock takes the lock of a file, or says which process has it.
func lock(path, what string) ([]*os.File, error) {
	dir := filepath.Dir(path)
	err := os.MkdirAll(dir, 0o700)
	var f *os.File
	if err == nil {
		f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("lock: %w", owned(err, dir, "RuntimeDirectory=ipvsd"))
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		pid, _ := io.ReadAll(io.LimitReader(f, 20))
		return nil, errors.Join(fmt.Errorf("%w %s, as process %s: stop it first", ErrRunning, what, bytes.TrimSpace(pid)), f.Close())
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = fmt.Fprintln(f, os.Getpid())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return []*os.File{f}, nil
}
