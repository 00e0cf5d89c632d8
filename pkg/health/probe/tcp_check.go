package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// TCP is keepalived's TCP_CHECK: the server passes if it accepts a connection, which is then reset.
func TCP(ctx context.Context, c health.Check) error {
	d := net.Dialer{KeepAlive: -1, ControlContext: func(_ context.Context, _, _ string, rc syscall.RawConn) (err error) {
		if e := rc.Control(func(fd uintptr) { err = setOptions(int(fd), c) }); e != nil {
			return e
		}
		return err
	}}
	if c.Source != (netip.AddrPort{}) {
		d.LocalAddr = net.TCPAddrFromAddrPort(c.Source)
	}
	conn, err := d.DialContext(ctx, "tcp", c.Target.String())
	if err != nil {
		return reason(err, c)
	}
	return conn.Close()
}

func setOptions(fd int, c health.Check) error {
	if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
		return os.NewSyscallError("SO_LINGER", err)
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
	return nil
}

// reason takes from an error what the reader of a check knows: addresses and system calls.
func reason(err error, c health.Check) error {
	var t interface{ Timeout() bool }
	if errors.As(err, &t) && t.Timeout() {
		return fmt.Errorf("no answer within %s", c.Timeout)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	if call, ok := errors.AsType[*os.SyscallError](err); ok {
		err = call.Err
	}
	return err
}
