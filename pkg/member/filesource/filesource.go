// Package filesource reads members from the files of a directory: *.json and *.toml, as Prometheus' file_sd has them. It looks whenever
// something in the directory changes, and every few seconds besides: on a network's file system nobody tells.
//
// Run is the goroutine of one source. A file that goes takes its servers with it; a directory that goes does not.
package filesource

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/member"
)

const (
	// relook is how often the directory is read without being told.
	relook = 5 * time.Second
	// lookout is how often it is looked for where it is not there.
	lookout = time.Second
	// settle is how long after a change it is read: files often change together.
	settle = 50 * time.Millisecond
	// maxFiles is how many files are read.
	maxFiles = 1000
	// changes is after what a file may be another. Not what is written bit by bit: who overwrites a file leaves it empty for a moment.
	changes = unix.IN_CLOSE_WRITE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE
)

// Run reads the directory until the context is done, and posts what is in it.
func Run(ctx context.Context, source member.Source, post func(member.Report)) {
	told := make(chan struct{}, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		watch(ctx, source.Name, told)
	}()
	defer func() { <-done }()
	d := directory{source: source}
	for {
		post(d.read())
		again := time.NewTimer(relook)
		select {
		case <-ctx.Done():
			again.Stop()
			return
		case <-again.C:
			continue
		case <-told:
			again.Reset(settle)
		}
		select {
		case <-ctx.Done():
			again.Stop()
			return
		case <-again.C:
		}
	}
}

// watch tells of changes in the directory, which may come later, until the context is done. Where it can't, there is relook.
func watch(ctx context.Context, dir string, told chan<- struct{}) {
	for ctx.Err() == nil {
		if fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK); err == nil {
			file := os.NewFile(uintptr(fd), "inotify")
			if _, err := unix.InotifyAddWatch(fd, dir, changes|unix.IN_MOVE_SELF|unix.IN_DELETE_SELF|unix.IN_ONLYDIR); err == nil {
				hear(ctx, file, told)
			}
			_ = file.Close()
		}
		again := time.NewTimer(lookout)
		select {
		case <-ctx.Done():
			again.Stop()
		case <-again.C:
		}
	}
}

// hear tells that something has changed, once more in the beginning, for what changed before. It returns when the directory
// is no longer of its name.
func hear(ctx context.Context, file *os.File, told chan<- struct{}) {
	defer context.AfterFunc(ctx, func() { _ = file.Close() })()
	b := make([]byte, 64<<10)
	for {
		select {
		case told <- struct{}{}:
		default: // it is told already
		}
		n, err := file.Read(b)
		if err != nil {
			return
		}
		for e := b[:n]; len(e) >= unix.SizeofInotifyEvent; {
			mask, length := binary.NativeEndian.Uint32(e[4:]), binary.NativeEndian.Uint32(e[12:])
			if mask&(unix.IN_IGNORED|unix.IN_MOVE_SELF|unix.IN_DELETE_SELF) != 0 {
				return
			}
			e = e[unix.SizeofInotifyEvent+int(length):]
		}
	}
}

// directory is what is known of the directory.
type directory struct {
	source member.Source
	shelf  member.Shelf
}

// read reads all files.
func (d *directory) read() member.Report {
	entries, err := os.ReadDir(d.source.Name)
	if err != nil {
		return member.Report{Source: d.source, Err: err.Error()}
	}
	there := make(map[string]bool, len(entries))
	for _, e := range entries {
		name := e.Name()
		parse := map[string]func([]byte) ([]member.Member, error){".json": member.ParseJSON, ".toml": member.ParseTOML}[filepath.Ext(name)]
		if parse == nil || strings.HasPrefix(name, ".") {
			continue
		}
		if len(there) == maxFiles {
			return member.Report{Source: d.source, Err: fmt.Sprintf("%s has more than %d files", d.source.Name, maxFiles)}
		}
		text, err := readFile(filepath.Join(d.source.Name, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has just gone
		}
		there[name] = true
		var list []member.Member
		if err == nil {
			list, err = parse(text)
		}
		d.shelf.Put(name, list, err)
	}
	d.shelf.Keep(func(name string) bool { return there[name] })
	return d.shelf.Report(d.source)
}

// readFile reads a file that is one, no pipe that would never end, and not too long.
func readFile(name string) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	switch info, err := f.Stat(); {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is no file")
	}
	text, err := io.ReadAll(io.LimitReader(f, member.MaxItem+1))
	if err == nil && len(text) > member.MaxItem {
		err = fmt.Errorf("it has more than %d bytes", member.MaxItem)
	}
	return text, err
}
