package vipnl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// message is one of rtnetlink's, without its header.
type message struct {
	kind  uint16 // RTM_NEWADDR and so on
	flags uint16
	own   bool // news of what this Keeper has asked for itself
	body  []byte
}

// family is the first byte of all of these.
func (m message) family() uint8 {
	if len(m.body) == 0 {
		return unix.AF_UNSPEC
	}
	return m.body[0]
}

// rtnetlink is the kernel's tables of links, addresses, routes and rules, in one network namespace.
type rtnetlink interface {
	// do has the kernel carry out requests, in this order, and returns what it said to each. It goes on after an error.
	do([]message) []error
	// list returns what the kernel has, for a request of the kind RTM_GET...
	list(message) ([]message, error)
	// join adds groups (RTNLGRP_...) to those that there is news of.
	join(groups ...int) error
	// news has something whenever there may be something to receive.
	news() <-chan struct{}
	// receive returns what has been announced, without waiting. unix.ENOBUFS: something was lost.
	receive() ([]message, error)
	close() error
}

const (
	// together is how many requests are sent with one system call: all of them failing must fit into the receive buffer.
	together = 100
	// receiveBuffer is the size asked for: news of many addresses at once.
	receiveBuffer = 4 << 20
	// answerTime is how long an answer is waited for, in seconds; the kernel gives it within the system call that asks.
	answerTime = 10
	// datagramLen is the longest datagram that the kernel makes of a list.
	datagramLen = 64 << 10
)

// kernel is the rtnetlink of the thread that opened it. All but news is for one goroutine.
type kernel struct {
	requests int // file descriptor
	port     uint32
	events   *os.File
	raw      syscall.RawConn
	there    chan struct{} // news
	more     chan struct{} // all has been received: it is waited for more
	sequence uint32
	buffer   []byte
}

// openKernel returns the rtnetlink of the calling thread's network namespace, with news of these groups (RTNLGRP_...).
func openKernel(groups ...int) (*kernel, error) {
	k := &kernel{
		there: make(chan struct{}, 1), more: make(chan struct{}, 1), buffer: make([]byte, datagramLen),
	}
	var err error
	if k.requests, err = openRoute(0); err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	// Both are pleasant to have, not needed: short answers (Linux 4.3), with words (4.12).
	_ = unix.SetsockoptInt(k.requests, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1)
	_ = unix.SetsockoptInt(k.requests, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1)
	// Lists may be of one protocol (4.20); older kernels return all, which does.
	_ = unix.SetsockoptInt(k.requests, unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1)
	if err := unix.SetsockoptTimeval(k.requests, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: answerTime}); err != nil {
		return nil, errors.Join(err, unix.Close(k.requests))
	}
	if me, err := unix.Getsockname(k.requests); err != nil {
		return nil, errors.Join(err, unix.Close(k.requests))
	} else if me, ok := me.(*unix.SockaddrNetlink); ok {
		k.port = me.Pid
	}
	fd, err := openRoute(unix.SOCK_NONBLOCK)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open a netlink socket: %w", err), unix.Close(k.requests))
	}
	k.events = os.NewFile(uintptr(fd), "rtnetlink")
	if k.raw, err = k.events.SyscallConn(); err == nil {
		err = k.join(groups...)
	}
	if err != nil {
		return nil, errors.Join(err, k.events.Close(), unix.Close(k.requests))
	}
	go k.wait()
	return k, nil
}

func (k *kernel) join(groups ...int) error {
	for _, g := range groups {
		var err error
		if e := k.raw.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, g)
		}); e != nil || err != nil {
			return fmt.Errorf("join netlink group %d: %w", g, errors.Join(e, err))
		}
	}
	return nil
}

func openRoute(flags int) (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|flags, unix.NETLINK_ROUTE)
	if err != nil {
		return 0, err
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil { // without CAP_NET_ADMIN
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// wait says when there is something to receive, until the socket is closed. It only polls: a look at the first message would take the kernel's
// word that some were lost, which that says once.
func (k *kernel) wait() {
	defer close(k.there)
	for {
		err := k.raw.Read(func(fd uintptr) bool {
			n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
			return n != 0
		})
		if err != nil {
			return
		}
		k.there <- struct{}{}
		if _, open := <-k.more; !open {
			return
		}
	}
}

func (k *kernel) news() <-chan struct{} { return k.there }

func (k *kernel) close() error {
	err := k.events.Close() // which ends wait, unless it waits for more
	close(k.more)
	for range k.there {
	}
	return errors.Join(err, unix.Close(k.requests))
}

func (k *kernel) receive() ([]message, error) {
	var list []message
	var n int
	var errno error
	for {
		if err := k.raw.Control(func(fd uintptr) { n, _, errno = unix.Recvfrom(int(fd), k.buffer, unix.MSG_DONTWAIT) }); err != nil {
			return nil, err
		}
		switch {
		case errno == unix.EINTR:
			continue
		case errno == unix.EAGAIN:
			select {
			case k.more <- struct{}{}:
			default:
			}
			return list, nil
		case errno != nil:
			return nil, errno // ENOBUFS: what else is there will be received, too
		}
		for m, rest := cut(k.buffer[:n]); m != nil; m, rest = cut(rest) {
			n := m.message()
			n.own = m.port() == k.port
			list = append(list, n)
		}
	}
}

// framed is a message with its header.
type framed []byte

// cut takes the first message off a datagram.
func cut(b []byte) (first framed, rest []byte) {
	if len(b) < unix.NLMSG_HDRLEN {
		return nil, nil
	}
	n := int(binary.NativeEndian.Uint32(b))
	if n < unix.NLMSG_HDRLEN || n > len(b) {
		return nil, nil
	}
	return b[:n], b[min((n+3)&^3, len(b)):]
}

func (f framed) kind() uint16     { return binary.NativeEndian.Uint16(f[4:]) }
func (f framed) flags() uint16    { return binary.NativeEndian.Uint16(f[6:]) }
func (f framed) sequence() uint32 { return binary.NativeEndian.Uint32(f[8:]) }

func (f framed) port() uint32 { return binary.NativeEndian.Uint32(f[12:]) }

// message is a copy.
func (f framed) message() message {
	return message{kind: f.kind(), flags: f.flags(), body: append([]byte(nil), f[unix.NLMSG_HDRLEN:]...)}
}

func appendMessage(b []byte, m message, flags uint16, sequence uint32) []byte {
	b = binary.NativeEndian.AppendUint32(b, uint32(unix.NLMSG_HDRLEN+len(m.body)))
	b = binary.NativeEndian.AppendUint16(b, m.kind)
	b = binary.NativeEndian.AppendUint16(b, m.flags|flags|unix.NLM_F_REQUEST)
	b = binary.NativeEndian.AppendUint32(b, sequence)
	b = binary.NativeEndian.AppendUint32(b, 0)
	b = append(b, m.body...)
	return append(b, make([]byte, -len(b)&3)...)
}

// do sends many requests at once, of which the last alone asks for an answer: the kernel takes them in order, and answers the
// others if they fail.
func (k *kernel) do(requests []message) []error {
	errs := make([]error, len(requests))
	for at := 0; at < len(requests); at += together {
		part := requests[at:min(at+together, len(requests))]
		if err := k.exchange(part, errs[at:]); err != nil {
			for i := range part {
				errs[at+i] = err
			}
		}
	}
	return errs
}

func (k *kernel) exchange(part []message, errs []error) error {
	first := k.sequence + 1
	var b []byte
	for i, m := range part {
		var flags uint16
		if i == len(part)-1 {
			flags = unix.NLM_F_ACK
		}
		k.sequence++
		b = appendMessage(b, m, flags, k.sequence)
	}
	if err := unix.Sendto(k.requests, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("ask the kernel: %w", err)
	}
	for {
		n, err := k.read()
		if err != nil {
			return err
		}
		for f, rest := cut(k.buffer[:n]); f != nil; f, rest = cut(rest) {
			i := f.sequence() - first
			if f.kind() != unix.NLMSG_ERROR || i >= uint32(len(part)) {
				continue // an answer to what was given up
			}
			errs[i] = answer(f)
			if i == uint32(len(part)-1) {
				return nil
			}
		}
	}
}

// read waits for a datagram of answers.
func (k *kernel) read() (int, error) {
	for {
		n, _, err := unix.Recvfrom(k.requests, k.buffer, 0)
		switch err {
		case nil:
			return n, nil
		case unix.EINTR:
		default:
			return 0, fmt.Errorf("wait for the kernel's answer: %w", err)
		}
	}
}

// answer is what NLMSG_ERROR says: nil is yes.
func answer(f framed) error {
	body := f[unix.NLMSG_HDRLEN:]
	if len(body) < 4+unix.NLMSG_HDRLEN {
		return errors.New("the kernel's answer is too short")
	}
	code := int32(binary.NativeEndian.Uint32(body))
	if code == 0 {
		return nil
	}
	errno := unix.Errno(-code)
	at := 4 + unix.NLMSG_HDRLEN
	if f.flags()&unix.NLM_F_CAPPED == 0 {
		at = 4 + int(binary.NativeEndian.Uint32(body[4:]))
	}
	if f.flags()&unix.NLM_F_ACK_TLVS != 0 && at <= len(body) {
		if text := attributes(body[at:])[unix.NLMSGERR_ATTR_MSG]; len(text) > 1 {
			return fmt.Errorf("%w (%s)", errno, text[:len(text)-1])
		}
	}
	return errno
}

func (k *kernel) list(request message) ([]message, error) {
	for range 5 {
		list, interrupted, err := k.dump(request)
		if err != nil || !interrupted {
			return list, err
		}
	}
	return nil, errors.New("the kernel's table changes all the time")
}

func (k *kernel) dump(request message) (list []message, interrupted bool, err error) {
	k.sequence++
	b := appendMessage(nil, request, unix.NLM_F_DUMP, k.sequence)
	if err := unix.Sendto(k.requests, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, false, fmt.Errorf("ask the kernel: %w", err)
	}
	for {
		n, err := k.read()
		if err != nil {
			return nil, false, err
		}
		for f, rest := cut(k.buffer[:n]); f != nil; f, rest = cut(rest) {
			if f.sequence() != k.sequence {
				continue
			}
			interrupted = interrupted || f.flags()&unix.NLM_F_DUMP_INTR != 0
			switch f.kind() {
			case unix.NLMSG_ERROR:
				return nil, false, answer(f)
			case unix.NLMSG_DONE:
				return list, interrupted, nil
			default:
				list = append(list, f.message())
			}
		}
	}
}
