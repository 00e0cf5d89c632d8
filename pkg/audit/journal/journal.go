// Package journal keeps the audit log in files: one that is appended to, and a few older ones. One goroutine, Run's, writes; nobody waits for
// the disk but who asks for entries.
package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ipvsd/ipvsd/pkg/audit"
)

// Limits of the log on the disk: (older + 1) * maxSize bytes.
const (
	maxSize = 4 << 20 // bytes of a file
	older   = 4       // files besides the one that is appended to: audit.log.1 is the youngest of them
	waiting = 1024    // entries that wait to be written; more are lost
	readers = 4       // of the files at once: each has all of them open
)

// MaxEntries is how many entries are returned at most.
const MaxEntries = 10000

// Journal is the audit log.
type Journal struct {
	path  string
	log   *slog.Logger
	queue chan message
	gone  chan struct{} // closed when Run has ended
	reads chan struct{} // of capacity readers

	// Of Run's goroutine:
	size   int64 // that a file may have
	file   *os.File
	lost   uint64 // since the start
	untold uint64 // of those, since the last entry that could be written
	fault  error  // why nothing can be written

	now  atomic.Pointer[trouble] // of the above, for who asks
	full chan struct{}
}

// trouble is what there is to know of entries that are lost.
type trouble struct {
	lost  uint64
	fault string
}

// Trouble says how many entries were lost since the start, and why none can be written now; empty: the last one was.
func (j *Journal) Trouble() (lost uint64, fault string) {
	if t := j.now.Load(); t != nil {
		return t.lost, t.fault
	}
	return 0, ""
}

// message is an entry, or a question.
type message struct {
	entry audit.Entry
	ask   chan<- held // nil: it is an entry
}

// held is what there was when it was asked for.
type held struct {
	files []*os.File // the oldest first
	lost  uint64
	err   error // why nothing can be written
	open  error
}

// New returns the journal at a path. Nothing is opened before Run.
func New(path string, log *slog.Logger) *Journal {
	return &Journal{path: path, log: log, queue: make(chan message, waiting), gone: make(chan struct{}), reads: make(chan struct{}, readers), full: make(chan struct{}, waiting), size: maxSize}
}

// Record has an entry written, soon. It never waits.
func (j *Journal) Record(e audit.Entry) {
	select {
	case j.queue <- message{entry: e}:
	default: // the disk doesn't take what there is
		select {
		case j.full <- struct{}{}:
		default:
		}
	}
}

// Run writes until the context is done, and then what waits.
func (j *Journal) Run(ctx context.Context) {
	defer func() {
		close(j.gone)
		if j.file != nil {
			_ = j.file.Close() // each entry is on the disk
		}
	}()
	for {
		select {
		case m := <-j.queue:
			j.take(m)
			continue
		case <-ctx.Done():
		}
		for {
			select {
			case m := <-j.queue:
				j.take(m)
			default:
				return
			}
		}
	}
}

func (j *Journal) take(m message) {
	for {
		select {
		case <-j.full:
			j.miss(errors.New("the disk is too slow"))
			continue
		default:
		}
		break
	}
	if m.ask != nil {
		h := held{lost: j.lost, err: j.fault}
		h.files, h.open = j.open()
		m.ask <- h
		return
	}
	if err := j.write(m.entry); err != nil {
		j.miss(err)
	}
}

// miss notes that an entry is lost.
func (j *Journal) miss(err error) {
	if j.fault == nil {
		j.log.Error("the audit log can't be written; what is done meanwhile is not in it", "file", j.path, "err", err)
	}
	j.fault = err
	j.lost++
	j.untold++
	j.now.Store(&trouble{j.lost, err.Error()})
}

// write appends an entry, and before it one about those that were lost.
func (j *Journal) write(e audit.Entry) error {
	if j.untold > 0 {
		note := audit.Entry{At: time.Now(), Who: "ipvsd", Action: "audit", Error: fmt.Sprintf("%d entries before this one could not be written: %v", j.untold, j.fault)}
		if err := j.append(note); err != nil {
			return err
		}
		j.log.Info("the audit log is written again", "file", j.path, "lost", j.untold)
		j.untold, j.fault = 0, nil
		j.now.Store(&trouble{lost: j.lost})
	}
	return j.append(e)
}

func (j *Journal) append(e audit.Entry) error {
	line, err := e.Line()
	if err != nil {
		return err
	}
	size, err := j.ready(int64(len(line)))
	if err != nil {
		return err
	}
	n, err := j.file.Write(line)
	if err == nil {
		return j.file.Sync()
	}
	if n > 0 && j.file.Truncate(size) != nil {
		_ = j.close() // the half line is ended by who opens it again
	}
	return err
}

// ready has a file open that so many bytes fit into, and returns its size.
func (j *Journal) ready(more int64) (int64, error) {
	for range 2 {
		if j.file != nil { // somebody may have taken it away
			named, err := os.Lstat(j.path)
			own, e := j.file.Stat()
			if err != nil || e != nil || !os.SameFile(named, own) {
				_ = j.close()
			}
		}
		if j.file == nil {
			if err := j.openLast(); err != nil {
				return 0, err
			}
		}
		info, err := j.file.Stat()
		if err != nil || info.Size() == 0 || info.Size()+more <= j.size {
			if err != nil {
				return 0, err
			}
			return info.Size(), nil
		}
		if err := j.rotate(); err != nil {
			return 0, err
		}
	}
	return 0, errors.New("the file changes while it is written")
}

// openLast opens the file that is appended to, and ends its last line.
func (j *Journal) openLast() error {
	if err := os.MkdirAll(filepath.Dir(j.path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(j.path, os.O_RDWR|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file", j.path)
	}
	if err == nil && info.Size() > 0 {
		end := make([]byte, 1)
		if _, err = f.ReadAt(end, info.Size()-1); err == nil && end[0] != '\n' {
			_, err = f.Write([]byte("\n"))
		}
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	j.file = f
	return nil
}

func (j *Journal) close() error {
	err := j.file.Close()
	j.file = nil
	return err
}

// rotate makes the file the youngest of the older ones. The oldest goes if there is no place otherwise: where a file can't be renamed, as
// with chattr +a, this is tried again for each entry.
func (j *Journal) rotate() error {
	if err := j.close(); err != nil {
		return err
	}
	n := 1
	for n < older {
		if _, err := os.Lstat(j.name(n)); errors.Is(err, fs.ErrNotExist) {
			break
		}
		n++
	}
	for ; n > 0; n-- {
		if err := os.Rename(j.name(n-1), j.name(n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// name is that of a file, 0 of the one that is appended to.
func (j *Journal) name(n int) string {
	if n == 0 {
		return j.path
	}
	return fmt.Sprintf("%s.%d", j.path, n)
}

// open opens all files.
func (j *Journal) open() (list []*os.File, err error) {
	for n := older; n >= 0; n-- {
		f, err := os.OpenFile(j.name(n), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			for _, f := range list {
				err = errors.Join(err, f.Close())
			}
			return nil, err
		default:
			list = append(list, f)
		}
	}
	return list, nil
}

var errEnded = errors.New("the audit log is closed: the daemon stops")

// Entries returns the last so many entries since a time, those included that were recorded before it was asked for. Zero is all, MaxEntries at
// most.
func (j *Journal) Entries(ctx context.Context, since time.Time, last int) (*audit.Report, error) {
	if last <= 0 || last > MaxEntries {
		last = MaxEntries
	}
	select {
	case j.reads <- struct{}{}:
		defer func() { <-j.reads }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	answer := make(chan held, 1)
	select {
	case j.queue <- message{ask: answer}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-j.gone:
		return nil, errEnded
	}
	var h held
	select {
	case h = <-answer: // it comes whatever the context does: there are files in it
	case <-j.gone:
		return nil, errEnded
	}
	r := &audit.Report{Entries: []audit.Entry{}, Lost: h.lost}
	if h.err != nil {
		r.Error = h.err.Error()
	}
	err := h.open
	for _, f := range h.files {
		if err == nil {
			err = r.Add(io.LimitReader(f, 2*maxSize), since, last)
		}
		err = errors.Join(err, f.Close())
	}
	return r, err
}
