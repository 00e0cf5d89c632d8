package probe

import (
	"context"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// MostIdle is how many descriptors a Connector keeps besides those of probes under way.
const MostIdle = 256

// Connector runs TCP checks as TCP does, but any number at once in one goroutine, and with fewer system calls. One epoll
// descriptor tells of all, and a socket is used again: connecting it to AF_UNSPEC resets its connection as closing it
// would, and gives back its port. So in the long run a check takes two system calls and its share of some more. HTTP checks without
// TLS take two more: Talk.
//
// Sockets with options of their check's are not used again: bound to an interface or an address, they would stay with an
// old one when that is made anew.
type Connector struct {
	file  *os.File // of epoll
	epoll int
	timer int // timerfd

	mu     sync.Mutex // held while epoll is asked, too, so that what it says of a socket is never old
	under  map[int32]*socket
	idle   [4][]*socket // IPv4, IPv6; the same of talks, of which epoll tells more
	kept   int          // in all of idle
	serial int32        // of the newest socket
	ports  portRange
	wake   func() // when the timer fires

	events []unix.EpollEvent // of the goroutine of Run, as the next
	ended  []*attempt
	heard  []*talk   // of which there is news
	seen   time.Time // when now was read
	fresh  bool      // it was, since there is the news

	talks sync.WaitGroup
}

// socket is one that is connecting, or idle. Epoll knows it by its serial, because its descriptor is another's as soon as it is
// closed, while it itself lives on for the moment between fork and exec of a process that is started just then.
type socket struct {
	fd, shelf int // where it is when idle
	serial    int32
	again     bool // it may be used again
	attempt   *attempt

	// Of one that has a talk instead:
	talk    *talk
	settled bool  // connect(2) has come to its end
	failure error // that one
	greeted bool  // the server may have said something before it was settled
}

// attempt is a probe.
type attempt struct {
	*Connector
	check  health.Check
	done   func(error, time.Time)
	socket *socket // nil: it has ended
	err    error   // how
}

// timerSerial is what epoll knows the timer by.
const timerSerial = 0

// NewConnector returns a connector, which is of use while it runs. Run closes it.
func NewConnector() (*Connector, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	timer, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		unix.Close(epoll)
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	err = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, timer, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: timerSerial})
	if err == nil {
		err = unix.SetNonblock(epoll, true) // or the runtime would not wait for it
	}
	if err != nil {
		unix.Close(epoll)
		unix.Close(timer)
		return nil, os.NewSyscallError("epoll", err)
	}
	return &Connector{
		file:   os.NewFile(uintptr(epoll), "epoll"),
		epoll:  epoll,
		timer:  timer,
		under:  make(map[int32]*socket),
		events: make([]unix.EpollEvent, 256),
		seen:   time.Now(),
	}, nil
}

// Run tells of probes that end, until the context is done. Those that are under way then are forgotten, and talks cancelled.
func (k *Connector) Run(ctx context.Context) {
	defer k.talks.Wait()
	defer k.close()
	stop := context.AfterFunc(ctx, func() { _ = k.file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	if raw, err := k.file.SyscallConn(); err == nil {
		_ = raw.Read(func(uintptr) bool {
			for k.harvest() {
			}
			return ctx.Err() != nil
		})
	}
}

func (k *Connector) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.under {
		if s.talk != nil {
			s.talk.cancel() // which closes it
			continue
		}
		unix.Close(s.fd)
	}
	for _, list := range k.idle {
		for _, s := range list {
			unix.Close(s.fd)
		}
	}
	k.under, k.idle = nil, [4][]*socket{}
	unix.Close(k.timer)
	k.file.Close()
}

// Wake has the goroutine of Run call a function after some time, instead of the one of the call before. A timer of package time would
// do, but the runtime's monitor wakes up beside each of them, some times over.
func (k *Connector) Wake(after time.Duration, f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.under != nil {
		k.wake = f
		setTimer(k.timer, max(after, 1)) // 0 would stop it
	}
}

// Connect starts a probe. Done is called by the goroutine of Run when it has ended: with nil if the server passed, and when that
// was. It is not called after an error of Connect's itself. Abandon ends a probe, whose time is up, and returns what that says of the server; done
// may be called all the same then if the probe ends just now.
func (k *Connector) Connect(c health.Check, done func(error, time.Time)) (abandon func() error, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.under == nil {
		return nil, os.ErrClosed
	}
	s, err := k.connect(c, family(c), unix.EPOLLOUT)
	if err != nil {
		return nil, err
	}
	a := &attempt{Connector: k, check: c, done: done, socket: s}
	s.attempt = a
	k.under[s.serial] = s
	return a.abandon, nil
}

// connect returns a socket of a shelf that is connecting to the check's target. A new one is to have these events.
func (k *Connector) connect(c health.Check, shelf int, events uint32) (*socket, error) {
	again := !c.Source.IsValid() && c.Interface == "" && c.FWMark == 0 && c.Target.Addr().Zone() == ""
	if idle := &k.idle[shelf]; again && len(*idle) > 0 {
		last := len(*idle) - 1
		s := (*idle)[last]
		*idle = (*idle)[:last]
		k.kept--
		err := begun(connectTo(s.fd, c.Target))
		if err != nil {
			k.rest(s)
			return nil, err
		}
		return s, nil
	}
	fd, err := begin(c, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	k.serial++
	s := &socket{fd: fd, shelf: shelf, serial: k.serial, again: again}
	event := unix.EpollEvent{Events: events | unix.EPOLLET, Fd: s.serial}
	if err := unix.EpollCtl(k.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("epoll_ctl", err)
	}
	return s, nil
}

// rest has a socket wait for another check, or closes it. Both reset its connection.
func (k *Connector) rest(s *socket) {
	s.attempt = nil
	if !s.again || k.kept >= MostIdle || k.under == nil || disconnect(s.fd) != nil {
		unix.Close(s.fd)
		return
	}
	k.kept++
	k.idle[s.shelf] = append(k.idle[s.shelf], s)
}

// end ends a probe.
func (k *Connector) end(a *attempt, err error) {
	s := a.socket
	a.socket, a.err = nil, err
	delete(k.under, s.serial)
	k.rest(s)
}

func (a *attempt) abandon() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.socket == nil || a.under == nil {
		return a.err
	}
	// The answer may have come in time, while this host was too busy to look.
	over, err := connected(a.socket.fd)
	if !over {
		err = lateError{limit: a.check.Timeout}
	}
	a.end(a, err)
	return err
}

// harvest tells of the probes that have ended. It returns whether it is to be called again before there is news.
func (k *Connector) harvest() (again bool) {
	k.fresh = false
	n, wake := k.look()
	if wake != nil {
		wake()
	}
	for i, a := range k.ended {
		a.done(a.err, k.now())
		k.ended[i] = nil
	}
	for i, t := range k.heard {
		t.hear(k.now)
		k.heard[i] = nil
	}
	// What went to rest has been news to epoll, and is no more if it is asked again.
	again = len(k.ended)+len(k.heard) > 0 || n == len(k.events)
	k.ended, k.heard = k.ended[:0], k.heard[:0]
	return again
}

// now is when there was the news that harvest has, for all probes that end with it.
func (k *Connector) now() time.Time {
	if !k.fresh {
		k.seen, k.fresh = time.Now(), true
	}
	return k.seen
}

// look asks epoll for news, and returns of how many sockets there were any, and whom to wake.
func (k *Connector) look() (n int, wake func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n = ready(k.epoll, k.events)
	for _, event := range k.events[:n] {
		s := k.under[event.Fd]
		if event.Fd == timerSerial {
			wake = k.wake
		}
		if s == nil {
			continue // it rests
		}
		if t := s.talk; t != nil {
			if !s.settled {
				s.settled, s.failure = k.settled(s, event.Events, t.check)
			}
			if s.settled {
				s.greeted = s.greeted || event.Events != unix.EPOLLOUT
				k.heard = append(k.heard, t)
			}
			continue
		}
		over, err := k.settled(s, event.Events, s.attempt.check)
		if over {
			k.ended = append(k.ended, s.attempt)
			k.end(s.attempt, err)
		}
	}
	return n, wake
}

// settled is connected, but asks less. One that can be written to is connected, unless there is more to say.
func (k *Connector) settled(s *socket, events uint32, c health.Check) (over bool, err error) {
	if events == unix.EPOLLOUT && !k.mayMeetItself(c) {
		return true, nil
	}
	return connected(s.fd)
}
