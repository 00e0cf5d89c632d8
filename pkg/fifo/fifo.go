// Package fifo writes lines into named pipes for whoever reads there, and runs the scripts that do. A Set belongs to one goroutine;
// each script has one of its own.
package fifo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/script"
)

// pause is how long after a script has ended it is started again; it doubles up to maxPause.
const (
	pause    = time.Second
	maxPause = time.Minute
)

// readerLimit is how long a FIFO's script may read on when nothing more comes.
const readerLimit = time.Second

// Set is the FIFOs that lines are written into. The zero value has none. One goroutine at a time may use it.
type Set struct {
	open []*pipe
	run  func(context.Context, script.Command) (string, error) // nil: script.Run
}

// pipe is one of them.
type pipe struct {
	config.FIFO
	fd     int
	made   bool          // by us: it goes with us
	lost   uint64        // lines that nobody took
	losing bool          // the last one was
	reader *reader       // its script; nil: none
	ending chan struct{} // closed when nothing more is written
}

// Follow opens the FIFOs that are new and closes those that are gone. Where one can't be opened the next configuration tries it again.
func (p *Set) Follow(log *slog.Logger, want []config.FIFO) {
	is := func(f config.FIFO) func(*pipe) bool { return func(o *pipe) bool { return sameFIFO(o.FIFO, f) } }
	p.open = slices.DeleteFunc(p.open, func(o *pipe) bool {
		gone := !slices.ContainsFunc(want, func(f config.FIFO) bool { return is(f)(o) })
		if gone {
			o.close(context.Background())
		}
		return gone
	})
	for _, f := range want {
		if slices.ContainsFunc(p.open, is(f)) {
			continue
		}
		o, err := openPipe(f)
		if err != nil {
			log.Error("a FIFO can't be used; notifications don't get there", "fifo", f.Path, "err", err)
			continue
		}
		if f.Script != nil {
			o.reader = p.read(log, o)
		}
		p.open = append(p.open, o)
	}
}

func sameFIFO(a, b config.FIFO) bool {
	if a.Script != nil && b.Script != nil {
		if !slices.Equal(a.Script.Argv, b.Script.Argv) || a.Script.User != b.Script.User || a.Script.Group != b.Script.Group {
			return false
		}
		a.Script, b.Script = nil, nil
	}
	return a == b
}

// openPipe opens a FIFO, and makes it if there is none. It is open for reading too: so it can be without anybody else, and what is
// written stays there until somebody comes.
func openPipe(f config.FIFO) (*pipe, error) {
	p := &pipe{FIFO: f, ending: make(chan struct{})}
	switch err := unix.Mkfifo(f.Path, 0o644); {
	case err == nil:
		p.made = true
	case !errors.Is(err, unix.EEXIST):
		return nil, fmt.Errorf("make %s: %w", f.Path, err)
	}
	fd, err := unix.Open(f.Path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", f.Path, err)
	}
	var s unix.Stat_t
	if err := unix.Fstat(fd, &s); err != nil || s.Mode&unix.S_IFMT != unix.S_IFIFO {
		return nil, cmp.Or(errors.Join(err, unix.Close(fd)), fmt.Errorf("%s is no FIFO: choose another path, or remove it", f.Path))
	}
	p.fd = fd
	if !p.made {
		return p, nil
	}
	if err := p.give(); err != nil {
		return nil, errors.Join(err, unix.Close(fd), os.Remove(f.Path))
	}
	return p, nil
}

// give makes a FIFO its owner's: what is open, for the name may be another file's by now where others can write.
func (p *pipe) give() error {
	if err := unix.Fchmod(p.fd, 0o644); err != nil { // whatever the umask says
		return err
	}
	if p.User == "" && p.Group == "" {
		return nil
	}
	uid, gid := -1, -1
	if p.User != "" {
		u, err := user.Lookup(p.User)
		if err != nil {
			u, err = user.LookupId(p.User)
		}
		if err != nil {
			return fmt.Errorf("owner of %s: there is no user %s", p.Path, p.User)
		}
		if uid, err = strconv.Atoi(u.Uid); err != nil {
			return err
		}
		if gid, err = strconv.Atoi(u.Gid); err != nil {
			return err
		}
	}
	if p.Group != "" {
		g, err := user.LookupGroup(p.Group)
		if err != nil {
			g, err = user.LookupGroupId(p.Group)
		}
		if err != nil {
			return fmt.Errorf("owner of %s: there is no group %s", p.Path, p.Group)
		}
		if gid, err = strconv.Atoi(g.Gid); err != nil {
			return err
		}
	}
	return unix.Fchown(p.fd, uid, gid)
}

// Write writes a line, about a virtual router or about a virtual server, to all that are for such. What a full FIFO does not take is
// lost: nobody reads there, and we can't wait.
func (p *Set) Write(log *slog.Logger, router bool, line string) {
	for _, o := range p.open {
		if router && !o.VRRP || !router && !o.LVS {
			continue
		}
		_, err := unix.Write(o.fd, []byte(line)) // whole or not at all: it is short
		switch {
		case err != nil:
			o.lost++
			if !o.losing {
				log.Warn("a FIFO takes nothing more; its reader misses notifications", "fifo", o.Path, "err", err)
			}
		case o.losing:
			log.Info("a FIFO takes notifications again", "fifo", o.Path, "lost", o.lost)
		}
		o.losing = err != nil
	}
}

// reader is a goroutine that runs a script.
type reader struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// read runs a FIFO's script, again and again.
func (p *Set) read(log *slog.Logger, o *pipe) *reader {
	run := p.run
	if run == nil {
		run = script.Run
	}
	command := script.Command(*o.Script)
	command.Argv = append(slices.Clone(command.Argv), o.Path)
	log = log.With("fifo", o.Path, "script", command.Argv[0])
	ctx, cancel := context.WithCancel(context.Background())
	r := &reader{cancel, make(chan struct{})}
	go func() {
		defer close(r.done)
		for next := pause; ; next = min(2*next, maxPause) {
			start := time.Now()
			_, err := run(ctx, command)
			select {
			case <-o.ending:
				return
			default:
			}
			if time.Since(start) > maxPause {
				next = pause
			}
			log.Warn("the script that reads a FIFO has ended; it is started again", "in", next, "err", err)
			select {
			case <-o.ending:
				return
			case <-time.After(next):
			}
		}
	}()
	return r
}

// Close closes all.
func (p *Set) Close(ctx context.Context) {
	for _, o := range p.open {
		o.close(ctx)
	}
	p.open = nil
}

// close ends a pipe. Its script reads what is there, and has some time after that.
func (p *pipe) close(ctx context.Context) {
	close(p.ending)
	_ = unix.Close(p.fd)
	if p.reader != nil {
		select {
		case <-p.reader.done:
		case <-ctx.Done():
		case <-time.After(readerLimit):
		}
		p.reader.cancel()
		<-p.reader.done
	}
	if p.made {
		_ = os.Remove(p.Path)
	}
}
