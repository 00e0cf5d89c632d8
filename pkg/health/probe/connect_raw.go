package probe

import (
	"fmt"
	"math"
	"net/netip"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// The system calls of each TCP check are raw ones: none of them waits for anything, and the runtime need not hear of them.

func family(c health.Check) int {
	if c.Target.Addr().Is4() {
		return 0
	}
	return 1
}

// connectTo is connect(2), to an address without a zone.
func connectTo(fd int, target netip.AddrPort) error {
	var port [2]byte
	port[0], port[1] = byte(target.Port()>>8), byte(target.Port())
	if target.Addr().Is4() {
		addr := unix.RawSockaddrInet4{Family: unix.AF_INET, Port: *(*uint16)(unsafe.Pointer(&port)), Addr: target.Addr().As4()}
		return rawConnect(fd, unsafe.Pointer(&addr), unix.SizeofSockaddrInet4)
	}
	addr := unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: *(*uint16)(unsafe.Pointer(&port)), Addr: target.Addr().As16()}
	return rawConnect(fd, unsafe.Pointer(&addr), unix.SizeofSockaddrInet6)
}

// disconnect resets the connection of a socket, or has it try no longer.
func disconnect(fd int) error {
	addr := unix.RawSockaddr{Family: unix.AF_UNSPEC}
	return rawConnect(fd, unsafe.Pointer(&addr), unix.SizeofSockaddrInet4)
}

func rawConnect(fd int, addr unsafe.Pointer, size uintptr) error {
	_, _, errno := unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(addr), size)
	if errno != 0 {
		return errno
	}
	return nil
}

// send is send(2). One that the server has closed is an error and no signal.
func send(fd int, b []byte) (n int, err error) {
	return result(unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_NOSIGNAL, 0, 0))
}

// receive is recv(2).
func receive(fd int, b []byte) (n int, err error) {
	return result(unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), 0, 0, 0))
}

func result(n, _ uintptr, errno unix.Errno) (int, error) {
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// setTimer has a timerfd fire once.
func setTimer(fd int, after time.Duration) {
	at := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(after))}
	_, _, _ = unix.RawSyscall6(unix.SYS_TIMERFD_SETTIME, uintptr(fd), 0, uintptr(unsafe.Pointer(&at)), 0, 0, 0)
}

// ready is epoll_wait(2) without waiting.
func ready(epoll int, events []unix.EpollEvent) (n int) {
	got, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(got)
}

// portRange is the ports that the kernel connects from by itself.
type portRange struct {
	low, high uint16
	read      time.Time
}

// mayMeetItself says whether a connection that the check makes may be one of a socket with itself.
func (k *Connector) mayMeetItself(c health.Check) bool {
	port := c.Target.Port()
	if c.Source.Port() != 0 {
		return c.Source.Port() == port
	}
	const fresh = time.Minute // who changes it does it at boot
	if k.seen.Sub(k.ports.read) > fresh {
		k.ports = portRange{0, math.MaxUint16, k.seen}
		if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
			_, _ = fmt.Sscan(string(text), &k.ports.low, &k.ports.high)
		}
	}
	return k.ports.low <= port && port <= k.ports.high
}
