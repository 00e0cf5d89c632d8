package probe

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// watched is after what the content of a file may be another: it is complete, or there is another file of its name, or none.
	// Not what is written bit by bit: who overwrites a file leaves it empty for a moment.
	watched = unix.IN_CLOSE_WRITE | unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE
	// relook is how often directories that weren't there are looked for again.
	relook = 5 * time.Second
)

// WatchFiles calls a function with the path of each file that has been written, exchanged, made or removed, until the context is
// done; once also with each as soon as its directory is watched. A directory that isn't there yet is waited for. Only what local
// programs do is seen, and of a symbolic link only that it itself is exchanged.
func WatchFiles(ctx context.Context, paths []string, changed func(path string)) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("inotify: %w (see the sysctls fs.inotify)", err)
	}
	file := os.NewFile(uintptr(fd), "inotify")
	defer file.Close()
	defer context.AfterFunc(ctx, func() { file.Close() })()
	w := watcher{file: file, files: map[string]map[string][]string{}, dirs: map[int32]string{}, missing: map[string]bool{}, changed: changed}
	for _, path := range paths {
		dir, name := filepath.Split(filepath.Clean(path))
		if w.files[dir] == nil {
			w.files[dir], w.missing[dir] = map[string][]string{}, true
		}
		w.files[dir][name] = append(w.files[dir][name], path)
	}
	b := make([]byte, 64<<10)
	for {
		err := w.look()
		if err == nil {
			err = file.SetReadDeadline(time.Now().Add(relook))
		}
		if err == nil {
			var n int
			n, err = file.Read(b)
			w.take(b[:max(n, 0)])
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			return fmt.Errorf("inotify: %w", err)
		}
	}
}

// watcher knows what is watched of what is to be.
type watcher struct {
	file    *os.File
	files   map[string]map[string][]string // by directory and name: the paths that were asked for
	dirs    map[int32]string               // that are watched, by watch descriptor
	missing map[string]bool                // directories that are not
	changed func(string)
}

// look begins to watch the directories that it can and doesn't yet.
func (w *watcher) look() error {
	for dir := range w.missing {
		raw, err := w.file.SyscallConn()
		if err != nil {
			return err
		}
		var wd int
		var failure error
		err = raw.Control(func(fd uintptr) {
			wd, failure = unix.InotifyAddWatch(int(fd), dir, watched|unix.IN_MOVE_SELF|unix.IN_ONLYDIR)
		})
		switch {
		case err != nil:
			return err
		case errors.Is(failure, unix.ENOENT), errors.Is(failure, unix.ENOTDIR):
			continue
		case failure != nil:
			return fmt.Errorf("directory %s: %w", dir, failure)
		}
		w.dirs[int32(wd)] = dir
		delete(w.missing, dir)
		w.tell(dir)
	}
	return nil
}

// take takes events (inotify(7)).
func (w *watcher) take(b []byte) {
	for len(b) >= unix.SizeofInotifyEvent {
		wd, mask := int32(binary.NativeEndian.Uint32(b)), binary.NativeEndian.Uint32(b[4:])
		end := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(b[12:]))
		name, _, _ := bytes.Cut(b[unix.SizeofInotifyEvent:end], []byte{0})
		b = b[end:]
		dir, known := w.dirs[wd]
		switch {
		case mask&unix.IN_Q_OVERFLOW != 0: // something was lost
			for _, dir := range w.dirs {
				w.tell(dir)
			}
		case !known:
		case mask&(unix.IN_IGNORED|unix.IN_MOVE_SELF) != 0:
			// The directory has gone, or is another's now; what it is called like may be there already.
			delete(w.dirs, wd)
			w.missing[dir] = true
			w.tell(dir)
		default:
			for _, path := range w.files[dir][string(name)] {
				w.changed(path)
			}
		}
	}
}

// tell tells of all files of a directory.
func (w *watcher) tell(dir string) {
	for _, paths := range w.files[dir] {
		for _, path := range paths {
			w.changed(path)
		}
	}
}
