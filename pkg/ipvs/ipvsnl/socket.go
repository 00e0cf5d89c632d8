package ipvsnl

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"time"
	"unsafe"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// socket is where a Client meets the kernel; tests put a script in its place.
//
// The kernel handles a message within the system call that sends it, so that the answers are there when send returns,
// as far as the receive buffer and, for dumps, one datagram allow.
type socket interface {
	// family returns the number of the family IPVS, having the kernel load its module if it can.
	family() (uint16, error)
	send(messages []byte) error
	// receive returns the datagrams that are there. If there are none it waits for one until the deadline, or, without
	// wait, returns none. They are valid until the next call. unix.ENOBUFS says that the kernel dropped answers.
	receive(wait bool) ([][]byte, error)
	setDeadline(time.Time) error
	close() error
}

const (
	// sendBuffer and receiveBuffer are the sizes that the socket asks for.
	sendBuffer    = 1 << 20
	receiveBuffer = 2 << 20

	// datagramLen is the longest datagram that the kernel makes of a dump: netlink_dump looks at what the reader offers
	// and goes up to 32 kB.
	datagramLen = 32 << 10
	// datagrams is how many are read with one system call. The end of a dump comes in a datagram of its own.
	datagrams = 8
)

// rawSocket is a netlink socket that is read and written with as few system calls as possible.
type rawSocket struct {
	conn *netlink.Conn
	raw  syscall.RawConn

	buffers  [datagrams][]byte
	vectors  [datagrams]unix.Iovec
	headers  [datagrams]mmsghdr
	received [datagrams][]byte
}

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	header unix.Msghdr
	len    uint32
}

// openSocket makes a socket in the calling thread's network namespace. It returns the sizes of its buffers, which an
// unprivileged process can't choose.
func openSocket() (s *rawSocket, sendLen, receiveLen int, err error) {
	conn, err := netlink.Dial(genetlink.Protocol, nil)
	if err != nil {
		return nil, 0, 0, err
	}
	s = &rawSocket{conn: conn}
	if sendLen, receiveLen, err = s.prepare(); err != nil {
		return nil, 0, 0, errors.Join(err, conn.Close())
	}
	return s, sendLen, receiveLen, nil
}

func (s *rawSocket) prepare() (sendLen, receiveLen int, err error) {
	// A short answer carries the header of what it answers, not all of it (Linux 4.3), and words (4.12). Both are
	// pleasant to have, not needed.
	for _, o := range []netlink.ConnOption{netlink.CapAcknowledge, netlink.ExtendedAcknowledge} {
		if err := s.conn.SetOption(o, true); err != nil && !errors.Is(err, unix.ENOPROTOOPT) {
			return 0, 0, err
		}
	}
	if err := errors.Join(s.conn.SetWriteBuffer(sendBuffer), s.conn.SetReadBuffer(receiveBuffer)); err != nil {
		return 0, 0, err
	}
	if sendLen, err = s.conn.WriteBuffer(); err != nil {
		return 0, 0, err
	}
	if receiveLen, err = s.conn.ReadBuffer(); err != nil {
		return 0, 0, err
	}
	if s.raw, err = s.conn.SyscallConn(); err != nil {
		return 0, 0, err
	}
	for i := range s.headers {
		s.buffers[i] = make([]byte, datagramLen)
		s.vectors[i].Base = unsafe.SliceData(s.buffers[i])
		s.vectors[i].SetLen(datagramLen)
		s.headers[i].header.Iov = &s.vectors[i]
		s.headers[i].header.SetIovlen(1)
	}
	return sendLen, receiveLen, nil
}

func (s *rawSocket) family() (uint16, error) {
	f, err := genetlink.NewConn(s.conn).GetFamily(familyName)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, fmt.Errorf("%w (netlink family %s)", ipvs.ErrUnavailable, familyName)
	case err != nil:
		return 0, fmt.Errorf("find netlink family %s: %w", familyName, err)
	}
	return f.ID, nil
}

func (s *rawSocket) send(messages []byte) error {
	var errno error
	err := s.raw.Write(func(fd uintptr) bool {
		_, errno = unix.Write(int(fd), messages)
		return errno != unix.EAGAIN
	})
	return errors.Join(err, errno)
}

func (s *rawSocket) receive(wait bool) ([][]byte, error) {
	var n uintptr
	var errno unix.Errno
	read := func(fd uintptr) {
		n, _, errno = unix.Syscall6(unix.SYS_RECVMMSG, fd,
			uintptr(unsafe.Pointer(&s.headers[0])), datagrams, unix.MSG_DONTWAIT, 0, 0)
	}
	var err error
	if wait {
		err = s.raw.Read(func(fd uintptr) bool {
			read(fd)
			return errno != unix.EAGAIN
		})
	} else {
		err = s.raw.Control(read) // which asks no deadline
	}
	switch {
	case err != nil:
		return nil, err
	case errno == unix.EAGAIN:
		return nil, nil
	case errno != 0:
		return nil, errno
	}
	for i := range n {
		if s.headers[i].header.Flags&unix.MSG_TRUNC != 0 {
			return nil, fmt.Errorf("netlink datagram of more than %d bytes", datagramLen)
		}
		s.received[i] = s.buffers[i][:s.headers[i].len]
	}
	return s.received[:n], nil
}

func (s *rawSocket) setDeadline(t time.Time) error { return s.conn.SetDeadline(t) }

func (s *rawSocket) close() error { return s.conn.Close() }
