package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unicode"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// answerLimit is how many bytes a server may send to a probe that expects no more than some lines.
const answerLimit = 1 << 20

// dial connects to the check's target as connect does. The connection is closed when the context is done, so that whatever
// uses it fails at once, and what forgets it leaks nothing. Close resets it. It fails after answerLimit bytes from the server.
func dial(ctx context.Context, c health.Check) (net.Conn, error) {
	return dialUpTo(ctx, c, answerLimit)
}

// dialUpTo is dial with a limit of its own.
func dialUpTo(ctx context.Context, c health.Check, limit int64) (net.Conn, error) {
	file, err := connect(ctx, c)
	if err != nil {
		return nil, err
	}
	return newConn(ctx, c, file, limit, "tcp"), nil
}

// dialUDP returns a connection over UDP to the check's target, as dialPackets does.
func dialUDP(ctx context.Context, c health.Check) (net.Conn, error) {
	return dialPackets(ctx, c, "udp", unix.SOCK_DGRAM, 0)
}

// dialPackets connects a socket for packets to the check's target, with the check's source, interface and mark. A Write sends a
// packet and a Read takes one, and ends at the context's end or at an earlier deadline of its own, after which the connection may
// still be used. What comes from elsewhere is not seen. ICMP errors that the target's host, a router or our own host has for us are
// errors of the next call, also those that may pass, such as that nobody answers ARP.
func dialPackets(ctx context.Context, c health.Check, network string, kind, protocol int, settings ...func(fd, domain int) error) (net.Conn, error) {
	fd, err := begin(c, kind, protocol, append(settings, reportErrors)...)
	if err != nil {
		return nil, err
	}
	return newConn(ctx, c, os.NewFile(uintptr(fd), ""), answerLimit, network), nil
}

// reportErrors has a socket report all ICMP errors. Without it the kernel keeps to itself what may pass.
func reportErrors(fd, domain int) error {
	if domain == unix.AF_INET {
		return unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_RECVERR, 1)
	}
	return unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_RECVERR, 1)
}

// conn is a net.Conn on the file of a socket. One of package net would need a second descriptor and six system calls more.
type conn struct {
	counted
	file   *os.File
	forget func() bool // ends the watch on ctx
	target netip.AddrPort
}

func newConn(ctx context.Context, c health.Check, file *os.File, limit int64, network string) *conn {
	n := &conn{file: file, target: c.Target, counted: counted{wire: file, ctx: ctx, timeout: c.Timeout, network: network, limit: limit}}
	n.forget = context.AfterFunc(ctx, func() { file.Close() })
	if traced(ctx) {
		step(ctx, "connected to %s from %s (%s)", n.RemoteAddr(), n.LocalAddr(), network)
	}
	return n
}

// counted is a connection from which no more comes than a limit, and whose errors say why.
type counted struct {
	wire    io.ReadWriteCloser
	ctx     context.Context
	timeout time.Duration
	network string
	limit   int64
	got     atomic.Int64 // bytes from the server
}

func (c *counted) Read(b []byte) (int, error) {
	room := c.limit - c.got.Load()
	if int64(len(b)) > room+1 {
		b = b[:room+1] // one more, to see whether there is more
	}
	n, err := c.wire.Read(b)
	if errors.Is(err, io.EOF) && c.network != "tcp" { // an empty datagram
		err = nil
	}
	if int64(n) > room {
		return int(room), fmt.Errorf("the server sent more than %d bytes", c.limit)
	}
	c.got.Add(int64(n))
	return n, c.why(err)
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.wire.Write(b)
	return n, c.why(err)
}

// why returns the reason behind an error of the wire's.
func (c *counted) why(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	switch end := c.ctx.Err(); {
	case errors.Is(end, context.DeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return lateError{c.timeout, c.got.Load() > 0}
	case end != nil:
		return end
	case errors.Is(err, os.ErrClosed):
		return net.ErrClosed
	}
	if path, is := errors.AsType[*os.PathError](err); is {
		return path.Err
	}
	return err
}

func (c *counted) Close() error { return c.wire.Close() }

func (c *conn) Close() error {
	c.forget()
	return c.counted.Close()
}

// CloseWrite tells the server that nothing more comes.
func (c *conn) CloseWrite() error {
	raw, err := c.file.SyscallConn()
	if err != nil {
		return c.why(err)
	}
	var failure error
	err = raw.Control(func(fd uintptr) { failure = unix.Shutdown(int(fd), unix.SHUT_WR) })
	return c.why(errors.Join(err, failure))
}

func (c *conn) RemoteAddr() net.Addr { return c.address(c.target) }

func (c *conn) LocalAddr() net.Addr {
	var own netip.AddrPort
	if raw, err := c.file.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			name, _ := unix.Getsockname(int(fd))
			switch name := name.(type) {
			case *unix.SockaddrInet4:
				own = netip.AddrPortFrom(netip.AddrFrom4(name.Addr), uint16(name.Port))
			case *unix.SockaddrInet6:
				own = netip.AddrPortFrom(netip.AddrFrom16(name.Addr).WithZone(c.target.Addr().Zone()), uint16(name.Port))
			}
		})
	}
	return c.address(own)
}

func (c *conn) address(a netip.AddrPort) net.Addr {
	if c.network == "tcp" {
		return net.TCPAddrFromAddrPort(a)
	}
	return net.UDPAddrFromAddrPort(a)
}

// Deadlines only shorten what the context leaves.
func (c *conn) SetDeadline(t time.Time) error      { return c.why(c.file.SetDeadline(t)) }
func (c *conn) SetReadDeadline(t time.Time) error  { return c.why(c.file.SetReadDeadline(t)) }
func (c *conn) SetWriteDeadline(t time.Time) error { return c.why(c.file.SetWriteDeadline(t)) }

// SyscallConn is for clients that look at a connection before they use it again.
func (c *conn) SyscallConn() (syscall.RawConn, error) { return c.file.SyscallConn() }

// lateError is the end of a check's time.
type lateError struct {
	limit   time.Duration
	started bool // the server has sent something
}

func (e lateError) Error() string {
	if e.started {
		return fmt.Sprintf("no complete answer within %s", e.limit)
	}
	return fmt.Sprintf("no answer within %s", e.limit)
}

func (e lateError) Is(target error) bool {
	return target == context.DeadlineExceeded || target == os.ErrDeadlineExceeded
}
func (e lateError) Timeout() bool   { return true }
func (e lateError) Temporary() bool { return false }

// worded is an error in the words of somebody who looks at a server.
type worded struct {
	text string
	error
}

func (w worded) Error() string { return w.text }
func (w worded) Unwrap() error { return w.error }

// inWords says what clients and the context put too tersely: that the time was over, or that the server hung up. What a server
// said may be long, and anything.
func inWords(ctx context.Context, c health.Check, err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	var late lateError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		text = strings.TrimSuffix(strings.TrimSuffix(text, "EOF"), "unexpected ") + "the server closed the connection"
	case errors.Is(err, context.DeadlineExceeded) && !errors.As(err, &late):
		text = strings.TrimSuffix(text, context.DeadlineExceeded.Error()) + lateError{limit: c.Timeout}.Error()
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && !errors.As(err, &late):
		// A client took what was there for the whole.
		text = excerpt(text, 200) + fmt.Sprintf("; %s", lateError{c.Timeout, true})
	}
	if text = excerpt(text, 300); text == err.Error() {
		return err
	}
	return worded{text, err}
}

// excerpt returns the beginning of a text that may come from a server, fit for a line of a terminal or a log.
func excerpt(text string, most int) string {
	cut := len(text) > most
	if cut {
		text = text[:most]
	}
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r == '\r':
			return -1
		case unicode.IsPrint(r) && r != unicode.ReplacementChar:
			return r
		}
		return '?'
	}, text)
	if cut {
		text += "..."
	}
	return text
}
