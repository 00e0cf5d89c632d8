package vrrpio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// kernel is the network of this host. The thread waits in epoll_wait, not in the runtime's poller, which would need another thread to
// wake this one. What does not block is called raw: with a system call of the usual kind another goroutine may get the processor meanwhile.
type kernel struct {
	epoll int
	timer int      // timerfd, armed with absolute times
	event *os.File // eventfd; a file, as somebody may still write when it is closed

	sockets map[int32]*rawSocket
	serial  int32
	events  []unix.EpollEvent
	ready   []*rawSocket // that have something to receive
	armed   time.Time    // what the timer waits for; zero: it has fired, or never did
	read    time.Time    // the clock
	began   time.Time    // a moment
	at      int64        // that moment in CLOCK_MONOTONIC

	in  *incoming
	out *outgoing
}

// What epoll knows those by that are no sockets. They are never read: an event is the edge to the next expiry, or write.
const (
	timerSerial = iota
	eventSerial
	lastSerial = eventSerial
)

func newKernel() (n network, err error) {
	k := &kernel{epoll: -1, timer: -1, sockets: map[int32]*rawSocket{}, serial: lastSerial, events: make([]unix.EpollEvent, 128)}
	defer func() {
		if err != nil {
			k.close()
		}
	}()
	if k.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if k.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	k.event = os.NewFile(uintptr(event), "eventfd")
	if err := k.watch(k.timer, timerSerial, unix.EPOLLIN|unix.EPOLLET); err != nil {
		return nil, err
	}
	if err := k.watch(event, eventSerial, unix.EPOLLIN|unix.EPOLLET); err != nil {
		return nil, err
	}
	k.in, k.out = newIncoming(), newOutgoing()
	k.began = time.Now()
	k.at = clock(unix.CLOCK_MONOTONIC)
	return k, nil
}

func (k *kernel) watch(fd int, serial int32, events uint32) error {
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(k.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: serial}))
}

func (k *kernel) open(s spec) (socket, error) {
	fd, err := openRaw(s)
	if err != nil {
		return nil, err
	}
	return &rawSocket{spec: s, fd: fd, out: k.out}, nil
}

func (k *kernel) listen(s socket, deliver func(vrrp.Packet)) error {
	raw := s.(*rawSocket)
	k.serial++
	raw.serial, raw.deliver = k.serial, deliver
	if err := k.watch(raw.fd, raw.serial, unix.EPOLLIN); err != nil {
		return err
	}
	k.sockets[raw.serial] = raw
	if all := len(k.sockets) + lastSerial + 1; len(k.events) < all { // what is not seen now would be later than the timers
		k.events = make([]unix.EpollEvent, 2*all)
	}
	return nil
}

func (k *kernel) ignore(s socket) {
	raw := s.(*rawSocket)
	delete(k.sockets, raw.serial)
	_ = unix.EpollCtl(k.epoll, unix.EPOLL_CTL_DEL, raw.fd, nil)
}

// wait arms the timer only for what is earlier than before: a backup whose deadline moves with every advert needs no system call
// for it, and wakes up for nothing once in a while.
func (k *kernel) wait(until time.Time) error {
	if !until.IsZero() && (k.armed.IsZero() || until.Before(k.armed)) {
		if err := armTimer(k.timer, max(k.at+int64(until.Sub(k.began)), 1)); err != nil {
			return err
		}
		k.armed = until
	}
	k.ready = k.ready[:0]
	n, err := k.poll(!until.IsZero() && until.Sub(k.read) < brief)
	if errors.Is(err, unix.EINTR) {
		return nil
	}
	if err != nil {
		return os.NewSyscallError("epoll_wait", err)
	}
	for _, e := range k.events[:n] {
		switch s := k.sockets[e.Fd]; {
		case e.Fd == timerSerial:
			k.armed = time.Time{}
		case s != nil:
			k.ready = append(k.ready, s)
		}
	}
	return nil
}

// brief is a wait that keeps its turn. After a system call of the usual kind that took longer than the runtime likes, its own thread looks
// around every 20 µs for some time, which costs more than all that is done about an advert.
const brief = 50 * time.Millisecond

func (k *kernel) poll(brief bool) (int, error) {
	if !brief {
		return unix.EpollWait(k.epoll, k.events, -1)
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(k.epoll), uintptr(unsafe.Pointer(&k.events[0])), uintptr(len(k.events)), ^uintptr(0), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// most is how many packets are received before the timers are looked at again: as many as all instances of a big
// host may have sent while this one did not run.
const most = 2048

// receive takes turns between the sockets, so that a flood on one doesn't keep the others waiting.
func (k *kernel) receive() {
	for budget := most; len(k.ready) > 0 && budget > 0; {
		more := k.ready[:0]
		for _, s := range k.ready {
			n := k.in.read(s)
			budget -= n
			if n == cap(k.in.headers) {
				more = append(more, s)
			}
		}
		k.ready = more
	}
}

// now reads the clock that stands still while the host is suspended later than the other one, so that it never tells too much.
func (k *kernel) now() (now time.Time, up, suspended time.Duration) {
	up = time.Duration(clock(unix.CLOCK_BOOTTIME))
	now = time.Now()
	k.read = now
	return now, up, up - time.Duration(k.at) - now.Sub(k.began)
}

func (k *kernel) wake() {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	_, _ = k.event.Write(one[:]) // an error says that it is closed
}

func (k *kernel) close() {
	for _, fd := range []int{k.epoll, k.timer} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	if k.event != nil {
		k.event.Close()
	}
}

// rawSocket is a raw socket, which is closed by who has it.
type rawSocket struct {
	spec
	fd      int
	serial  int32
	deliver func(vrrp.Packet)
	out     *outgoing
}

func (s *rawSocket) send(batch []datagram) (int, error) { return s.out.write(s, batch) }

func (s *rawSocket) close() { unix.Close(s.fd) }

// String is for errors.
func (s spec) String() string {
	return fmt.Sprintf("raw socket of protocol %d for %s on %q", s.protocol, s.bound, s.device)
}
