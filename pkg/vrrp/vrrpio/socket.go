package vrrpio

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// traffic is the class of adverts, Internetwork Control (CS6). With IPv4 it is in the header that the codec makes.
const traffic = 0xC0

// openRaw opens a socket that receives what is sent to the group or address that it is bound to, on its interface alone.
func openRaw(s spec) (int, error) {
	family := unix.AF_INET
	if s.ipv6 {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, s.protocol)
	if err == nil {
		err = s.set(fd)
		if err != nil {
			unix.Close(fd)
		}
	}
	switch {
	case errors.Is(err, unix.EPERM):
		return -1, fmt.Errorf("%v: %w: ipvsd needs CAP_NET_RAW", s, err)
	case err != nil:
		return -1, fmt.Errorf("%v: %w", s, err)
	}
	return fd, nil
}

// sendBuffer has room for the adverts of a thousand instances, with many addresses, that a busy interface does not take at once: those
// that find no room are lost, and they would be the same ones every time.
const sendBuffer = 4 << 20

func (s spec) set(fd int) error {
	set := setter{fd: fd}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, sendBuffer) != nil {
		set.int("SO_SNDBUF", unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer)
	}
	if s.buffer > 0 {
		// Beyond net.core.rmem_max it takes a capability.
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, s.buffer) != nil {
			set.int("SO_RCVBUF", unix.SOL_SOCKET, unix.SO_RCVBUF, s.buffer)
		}
	}
	if s.device != "" {
		set.call("SO_BINDTODEVICE", unix.BindToDevice(fd, s.device))
	}
	if s.ipv6 {
		s.setIPv6(&set)
	} else {
		s.setIPv4(&set)
	}
	if set.err == nil {
		set.call("bind", unix.Bind(fd, s.address(s.bound)))
	}
	return set.err
}

func (s spec) setIPv4(set *setter) {
	set.int("IP_HDRINCL", unix.SOL_IP, unix.IP_HDRINCL, 1)
	set.int("IP_MULTICAST_ALL", unix.SOL_IP, unix.IP_MULTICAST_ALL, 0)
	if s.bound.IsMulticast() {
		group := &unix.IPMreqn{Multiaddr: s.bound.As4(), Ifindex: int32(s.index)}
		set.call("IP_ADD_MEMBERSHIP", unix.SetsockoptIPMreqn(set.fd, unix.SOL_IP, unix.IP_ADD_MEMBERSHIP, group))
		set.call("IP_MULTICAST_IF", unix.SetsockoptIPMreqn(set.fd, unix.SOL_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(s.index)}))
		set.int("IP_MULTICAST_LOOP", unix.SOL_IP, unix.IP_MULTICAST_LOOP, 0)
	}
}

func (s spec) setIPv6(set *setter) {
	set.int("IPV6_CHECKSUM", unix.SOL_IPV6, unix.IPV6_CHECKSUM, 6) // where it is in a message: the kernel fills it in, and checks it
	set.int("IPV6_RECVHOPLIMIT", unix.SOL_IPV6, unix.IPV6_RECVHOPLIMIT, 1)
	set.int("IPV6_RECVPKTINFO", unix.SOL_IPV6, unix.IPV6_RECVPKTINFO, 1)
	set.int("IPV6_MULTICAST_ALL", unix.SOL_IPV6, unix.IPV6_MULTICAST_ALL, 0)
	set.int("IPV6_TCLASS", unix.SOL_IPV6, unix.IPV6_TCLASS, traffic)
	if s.bound.IsMulticast() {
		group := &unix.IPv6Mreq{Multiaddr: s.bound.As16(), Interface: uint32(s.index)}
		set.call("IPV6_ADD_MEMBERSHIP", unix.SetsockoptIPv6Mreq(set.fd, unix.SOL_IPV6, unix.IPV6_ADD_MEMBERSHIP, group))
		set.int("IPV6_MULTICAST_IF", unix.SOL_IPV6, unix.IPV6_MULTICAST_IF, s.index)
		set.int("IPV6_MULTICAST_HOPS", unix.SOL_IPV6, unix.IPV6_MULTICAST_HOPS, 255)
		set.int("IPV6_MULTICAST_LOOP", unix.SOL_IPV6, unix.IPV6_MULTICAST_LOOP, 0)
	}
}

// address is what bind wants.
func (s spec) address(a netip.Addr) unix.Sockaddr {
	if !s.ipv6 {
		return &unix.SockaddrInet4{Addr: a.As4()}
	}
	return &unix.SockaddrInet6{Addr: a.As16(), ZoneId: s.zone(a)}
}

// zone is the interface that an address is meant on.
func (s spec) zone(a netip.Addr) uint32 {
	if a.IsLinkLocalUnicast() || a.IsMulticast() {
		return uint32(s.index)
	}
	return 0
}

// setter sets options until one fails.
type setter struct {
	fd  int
	err error
}

func (s *setter) int(name string, level, option, value int) {
	if s.err == nil {
		s.call(name, unix.SetsockoptInt(s.fd, level, option, value))
	}
}

func (s *setter) call(name string, err error) {
	if s.err == nil && err != nil {
		s.err = fmt.Errorf("%s: %w", name, err)
	}
}
