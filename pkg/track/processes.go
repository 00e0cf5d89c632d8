package track

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

const (
	// recount is how often all processes are looked at although the kernel tells of them: another program can have it stop that without our hearing of it.
	recount = 30 * time.Second
	// greeting is how long the kernel may take to say that it will tell.
	greeting = time.Second
)

// followProcesses counts processes: told by the kernel's connector of all that start and end, or else by looking every second.
func (w *watch) followProcesses(ctx context.Context, wanted map[string]config.Process, _ <-chan struct{}) {
	c, last := newCensus(wanted), make(map[string]vrrp.Reading)
	tell := func() {
		for name, p := range wanted {
			if r := judge(p, len(c.found[name])); r != last[name] {
				last[name] = r
				w.see(ctx, vrrp.Object{Kind: vrrp.TrackProcess, Name: name}, r)
			}
		}
	}
	if c.all() == nil { // instances wait for it
		tell()
	}
	if err := hear(ctx, c, tell); ctx.Err() == nil {
		w.log.Info("processes are counted every second: the kernel does not tell of them here", "err", err)
	}
	for ctx.Err() == nil {
		if err := c.all(); err != nil {
			w.log.Warn("processes can't be counted", "err", err)
		} else {
			tell()
		}
		pause(ctx)
	}
}

// hear counts processes as the kernel tells of them, until the context is done or it does not.
func hear(ctx context.Context, c *census, tell func()) error {
	conn, err := connect()
	if err != nil {
		return fmt.Errorf("process events connector: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })()
	defer func() { _, _ = conn.Write(listen(false)) }() // kernels before 6.6 would go on for nobody
	if _, err := conn.Write(listen(true)); err != nil {
		return fmt.Errorf("process events connector: %w", err)
	}
	until, heard := time.Now().Add(greeting), false
	b := make([]byte, 64<<10)
	for ctx.Err() == nil {
		_ = conn.SetReadDeadline(until)
		if ctx.Err() != nil {
			break
		}
		n, err := conn.Read(b)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && !heard:
			return errors.New("process events connector: no answer")
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, unix.ENOBUFS): // it is time, or some were lost
			if err := c.all(); err != nil {
				return err
			}
			until = time.Now().Add(recount)
			tell()
			continue
		case err != nil:
			return fmt.Errorf("process events connector: %w", err)
		}
		events, ok := parseEvents(b[:n])
		if !ok {
			return errors.New("process events connector: refused")
		}
		if !heard { // and all that was there before
			heard, until = true, time.Now()
		}
		if c.take(events) {
			tell()
		}
	}
	return ctx.Err()
}

// take counts what events say, and says whether that may have changed anything.
func (c *census) take(events []procEvent) (changed bool) {
	for _, e := range events {
		switch e.what {
		case procFork:
			c.forked(e.parent, e.pid)
		case procExec, procComm:
			c.look(e.pid)
		case procExit:
			c.ended(e.pid)
		default:
			continue
		}
		changed = true
	}
	return changed
}

// connect opens the process events connector (Documentation/driver-api/connector.rst, linux/cn_proc.h).
func connect() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_CONNECTOR)
	if err != nil {
		return nil, err
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: cnIdxProc}); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 1<<20) // what is lost is counted anew
	return os.NewFile(uintptr(fd), "process events"), nil
}

const (
	cnIdxProc, cnValProc = 1, 1
	cnHeader             = 20 // struct cn_msg
	eventHeader          = 16 // struct proc_event before its data

	procFork = 0x1
	procExec = 0x2
	procComm = 0x200
	procExit = 0x80000000
)

// listen returns the message that has the kernel tell of processes, or end it.
func listen(yes bool) []byte {
	const size = unix.SizeofNlMsghdr + cnHeader + 4
	b := make([]byte, size)
	le := binary.NativeEndian
	le.PutUint32(b, size)
	le.PutUint16(b[4:], unix.NLMSG_DONE)
	m := b[unix.SizeofNlMsghdr:]
	le.PutUint32(m, cnIdxProc)
	le.PutUint32(m[4:], cnValProc)
	le.PutUint16(m[16:], 4)
	op := uint32(1) // PROC_CN_MCAST_LISTEN
	if !yes {
		op = 2 // PROC_CN_MCAST_IGNORE
	}
	le.PutUint32(m[cnHeader:], op)
	return b
}

// procEvent is what the kernel tells of a process.
type procEvent struct {
	what        uint32
	pid, parent int
}

// parseEvents returns what netlink messages say of whole processes; of threads, nothing. It returns false if the kernel refuses
// to tell.
func parseEvents(b []byte) (events []procEvent, ok bool) {
	le := binary.NativeEndian
	for len(b) >= unix.SizeofNlMsghdr {
		size := int(le.Uint32(b))
		if size < unix.SizeofNlMsghdr || size > len(b) {
			break
		}
		m := b[unix.SizeofNlMsghdr:size]
		b = b[min((size+3)&^3, len(b)):]
		if len(m) < cnHeader+eventHeader+8 || le.Uint32(m) != cnIdxProc || le.Uint32(m[4:]) != cnValProc {
			continue
		}
		what, data := le.Uint32(m[cnHeader:]), m[cnHeader+eventHeader:]
		first, second := int(int32(le.Uint32(data))), int(int32(le.Uint32(data[4:])))
		switch {
		case what == 0: // the answer to listen
			if first != 0 {
				return nil, false
			}
		case what == procFork && len(data) >= 16:
			child, group := int(int32(le.Uint32(data[8:]))), int(int32(le.Uint32(data[12:])))
			if child == group {
				events = append(events, procEvent{what, child, second})
			}
		case first == second && (what == procExec || what == procComm || what == procExit):
			events = append(events, procEvent{what: what, pid: first})
		}
	}
	return events, true
}
