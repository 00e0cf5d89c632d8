package vrrpio

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// RecordFile is where a Runner keeps a vrrp.Record for a process that comes after this one was killed. It is in memory: its writes wait for no
// disk, so the thread can do them.
type RecordFile struct {
	path string
	file *os.File
	boot vrrp.BootID
	rec  *vrrp.Record // nil: it is to be begun
}

// Remains are what a process that was killed has left.
type Remains = vrrp.Remains

// OpenRecord opens the file and returns what is in it from another process of this boot of the machine; nil: nothing that can be used. An error
// says why there can be no record.
func OpenRecord(path string) (*RecordFile, *Remains, error) {
	boot, err := bootID()
	if err != nil {
		return nil, nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, nil, err
	}
	r := &RecordFile{path: path, file: f, boot: boot}
	if err := inMemory(f); err != nil {
		r.Remove()
		return nil, nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, vrrp.MaxRecord))
	if err != nil {
		return r, nil, nil
	}
	remains, err := vrrp.ParseRecord(text)
	if err != nil || remains.Boot != boot {
		return r, nil, nil
	}
	return r, remains, nil
}

// Uptime is for how long the machine has been up, suspended or not.
func Uptime() time.Duration { return time.Duration(clock(unix.CLOCK_BOOTTIME)) }

// inMemory says why a file's writes could wait for a disk.
func inMemory(f *os.File) error {
	var s unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &s); err != nil {
		return os.NewSyscallError("fstatfs", err)
	}
	if s.Type != unix.TMPFS_MAGIC && s.Type != unix.RAMFS_MAGIC {
		return fmt.Errorf("%s is not in memory: its directory has to be a tmpfs", f.Name())
	}
	return nil
}

func bootID() (id vrrp.BootID, err error) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return id, err
	}
	digits := bytes.ReplaceAll(bytes.TrimSpace(text), []byte("-"), nil)
	if len(digits) != hex.EncodedLen(len(id)) {
		return id, fmt.Errorf("boot_id is %q, no UUID", digits)
	}
	_, err = hex.Decode(id[:], digits)
	return id, err
}

// Remove ends the record: whoever comes next starts anew.
func (r *RecordFile) Remove() {
	_ = os.Remove(r.path)
	r.Close()
}

// Close leaves it as it is.
func (r *RecordFile) Close() { _ = r.file.Close() }

// write writes what has changed.
func (r *RecordFile) write() error {
	text, at := r.rec.Changed()
	if len(text) == 0 {
		return nil
	}
	_, err := unix.Pwrite(int(r.file.Fd()), text, int64(at))
	return err
}

// touch has the record be brought up to date on an instance.
func (l *loop) touch(name string) {
	if in := l.named[name]; in != nil && l.record != nil && !in.touched {
		in.touched = true
		l.touched = append(l.touched, in)
	}
}

// renew begins the record anew, for another configuration.
func (l *loop) renew() {
	if l.record != nil {
		l.record.rec = nil
	}
}

// note brings the record up to date. It comes last, when all is sent: nothing waits for it, and who is killed before it has said more than the record
// says. What gives up a role comes after it.
func (l *loop) note(sent bool) {
	r := l.record
	if r == nil || l.held {
		return
	}
	if r.rec == nil {
		r.rec = l.router.Record(r.boot)
	}
	var now time.Time
	var up time.Duration
	if len(l.touched) > 0 {
		now, up, _ = l.net.now()
	}
	for _, in := range l.touched {
		in.touched = !sent
		if l.named[in.Name] == in { // it is still there
			l.router.Enter(r.rec, in.place, in.left, now, up, in.codec.Standing())
		}
	}
	if sent {
		l.touched = l.touched[:0]
	}
	if err := r.write(); err != nil {
		l.log.warn("the record of the virtual routers' roles can't be written; if ipvsd is killed, others take over", "file", r.path, "err", err)
		l.record = nil
		r.Remove()
	}
}

// leaveRecord ends it, at the end: if the others know that nobody is active here any more, it goes.
func (l *loop) leaveRecord() {
	switch {
	case l.record == nil:
	case l.told:
		l.record.Remove()
	default:
		l.record.Close()
	}
}

// recover ends that a Runner is held, and has it go on with what another process left that was killed. The rest starts as ever.
func (l *loop) recover(remains *Remains, fit map[string]bool) {
	l.held = false
	var up time.Duration
	l.now, up, l.slept = l.net.now()
	actions, resumed := l.router.Recover(l.now, up, remains, func(name string) bool {
		in := l.named[name]
		return fit[name] && in.why == "" && in.link != nil && in.link.err == nil && in.link.socket != nil
	})
	for _, name := range resumed {
		in := l.named[name]
		in.started = true
		in.codec.Resume(remains.Codec(&in.Instance))
	}
	l.do(actions)
	l.flush() // adverts wait for nothing
	for _, in := range l.instances {
		l.inform(in)
	}
	l.flush()
}

// Recover ends that a Runner is held. The instances go on that were active in a process that was killed a moment ago, of those for which all that
// they have on the host is there; see vrrp.Router.Recover. It returns when that is done.
func (r *Runner) Recover(ctx context.Context, remains *Remains, fit map[string]bool) error {
	_, err := ask(ctx, r, func(l *loop) struct{} {
		l.recover(remains, fit)
		return struct{}{}
	})
	return err
}
