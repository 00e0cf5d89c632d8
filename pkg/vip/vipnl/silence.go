package vipnl

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// NewSilencer returns a Silencer that silences nothing yet.
func NewSilencer() Silencer { return &silencer{held: make(map[netip.AddrPort]int)} }

// silencer listens where this host is to be silent, and its sockets take in nothing: the kernel resets what it has no socket for, and
// drops what a socket's filter refuses. IPVS comes before sockets, and has what it knows. The sockets need no firewall, and end with the
// process.
type silencer struct {
	held map[netip.AddrPort]int // sockets
}

func (s *silencer) Silence(list []netip.AddrPort) error {
	keep := make(map[netip.AddrPort]bool, len(list))
	var err error
	for _, at := range list {
		if keep[at] = true; s.held[at] != 0 {
			continue
		}
		socket, e := deaf(at)
		switch {
		case e == nil:
			s.held[at] = socket
		case errors.Is(e, unix.EADDRINUSE): // somebody serves there, or has a socket for all addresses: it is not ours to be silent
		default:
			err = errors.Join(err, fmt.Errorf("silence %s: %w", at, e))
		}
	}
	for at, socket := range s.held {
		if !keep[at] {
			_ = unix.Close(socket)
			delete(s.held, at)
		}
	}
	return err
}

// deaf returns a socket that listens at an address, which need not be on this host yet, and takes nothing in.
func deaf(at netip.AddrPort) (int, error) {
	family, level, free := unix.AF_INET, unix.IPPROTO_IP, unix.IP_FREEBIND
	var to unix.Sockaddr = &unix.SockaddrInet4{Port: int(at.Port())}
	if at.Addr().Is4() {
		to.(*unix.SockaddrInet4).Addr = at.Addr().As4()
	} else {
		family, level, free = unix.AF_INET6, unix.IPPROTO_IPV6, unix.IPV6_FREEBIND
		to = &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}
	}
	socket, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("socket: %w", err)
	}
	nothing := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0}
	err = unix.SetsockoptInt(socket, level, free, 1)
	if err == nil {
		err = unix.SetsockoptSockFprog(socket, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &nothing})
	}
	if err == nil {
		err = unix.Bind(socket, to)
	}
	if err == nil {
		err = unix.Listen(socket, 1)
	}
	if err != nil {
		_ = unix.Close(socket)
		return 0, err
	}
	return socket, nil
}
