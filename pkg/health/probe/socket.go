package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"reflect"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// connect opens a TCP connection to the check's target with the check's source, interface and mark. When closed it is
// reset, as keepalived does: no TIME_WAIT stays behind on either side. The connection's deadline is not set.
//
// Package net would do as well, but needs up to half as much processor time again (BenchmarkDialer), which limits how
// many servers a director can watch.
func connect(ctx context.Context, c health.Check) (*os.File, error) {
	fd, err := begin(c, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	conn := os.NewFile(uintptr(fd), "")
	if err := await(ctx, conn); err != nil {
		conn.Close()
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, lateError{limit: c.Timeout}
		}
		return nil, err
	}
	return conn, nil
}

// begin returns a socket that is connecting to the check's target, after settings.
func begin(c health.Check, kind, protocol int, settings ...func(fd, domain int) error) (fd int, err error) {
	target, domain, err := sockaddr(c.Target)
	if err != nil {
		return -1, err
	}
	fd, err = unix.Socket(domain, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	err = configure(fd, c)
	for _, set := range settings {
		if err == nil {
			err = set(fd, domain)
		}
	}
	if err == nil {
		err = begun(unix.Connect(fd, target))
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// begun returns what connect(2) on a non-blocking socket failed with.
func begun(err error) error {
	switch {
	case errors.Is(err, unix.EINPROGRESS):
		return nil
	case errors.Is(err, unix.EADDRNOTAVAIL), errors.Is(err, unix.EAGAIN): // for TCP, and for UDP
		return errNoSource
	}
	return err
}

// configure sets a new socket's options and source.
func configure(fd int, c health.Check) error {
	if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
		return fmt.Errorf("SO_LINGER: %w", err)
	}
	if c.Interface != "" {
		if err := unix.BindToDevice(fd, c.Interface); err != nil {
			return fmt.Errorf("bind_if %s: %w", c.Interface, err)
		}
	}
	if c.FWMark != 0 {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(c.FWMark)); err != nil {
			return fmt.Errorf("fwmark %d: %w", c.FWMark, err)
		}
	}
	source := c.Source
	if source.Port() != 0 {
		// Probes of several servers may use one source port at the same time.
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return fmt.Errorf("SO_REUSEADDR: %w", err)
		}
		if !source.IsValid() {
			source = netip.AddrPortFrom(unspecified(c.Target.Addr()), source.Port())
		}
	}
	if !source.IsValid() {
		return nil
	}
	addr, _, err := sockaddr(source)
	if err == nil {
		err = unix.Bind(fd, addr)
	}
	if err != nil {
		if source.Port() == 0 {
			return fmt.Errorf("bindto %s: %w", source.Addr(), err)
		}
		if errors.Is(err, unix.EACCES) {
			err = fmt.Errorf("%w: a low port needs CAP_NET_BIND_SERVICE in ipvsd's unit; or use a bind_port from 1024 on", err)
		}
		return fmt.Errorf("bindto %s: %w", source, err)
	}
	return nil
}

func unspecified(like netip.Addr) netip.Addr {
	if like.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// await returns nil as soon as the connection is there, and why it doesn't come otherwise.
func await(ctx context.Context, conn *os.File) error {
	stop := context.AfterFunc(ctx, func() { conn.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failure error
	err = raw.Write(func(fd uintptr) (done bool) {
		done, failure = connected(int(fd))
		return done
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(err, failure)
}

// connected says whether connect(2) has come to its end, and to which. A socket may be reported writable before it has.
func connected(fd int) (done bool, err error) {
	peer, err := syscall.Getpeername(fd)
	if err == syscall.ENOTCONN {
		errno, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && errno != 0 {
			err = unix.Errno(errno)
		}
		return err != nil, err
	}
	if err != nil {
		return true, err
	}
	// Where nobody listens, a socket of the target's own address and port gets connected to itself.
	own, err := syscall.Getsockname(fd)
	if err == nil && reflect.DeepEqual(own, peer) {
		err = unix.ECONNREFUSED
	}
	return true, err
}

// sockaddr converts an address to the kernel's form and tells its family.
func sockaddr(a netip.AddrPort) (addr unix.Sockaddr, domain int, err error) {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}, unix.AF_INET, nil
	}
	in6 := &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
	if zone := a.Addr().Zone(); zone != "" {
		link, err := net.InterfaceByName(zone)
		if err != nil {
			return nil, 0, fmt.Errorf("interface %s: %w", zone, err)
		}
		in6.ZoneId = uint32(link.Index)
	}
	return in6, unix.AF_INET6, nil
}
