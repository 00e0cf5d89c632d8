package relay

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// dial returns what sends to the group of a sync daemon as the kernel does: by its interface, from an address of it, not to this host; or
// with a TTL of 0 to nobody else.
func dial(d ipvs.SyncDaemon) (io.WriteCloser, error) {
	link, err := net.InterfaceByName(d.Interface)
	if err != nil {
		return nil, fmt.Errorf("interface %s of the sync daemon: %w", d.Interface, err)
	}
	group := d.Group
	if group.Is6() {
		group = group.WithZone(link.Name)
	}
	from, err := source(link, group.Is6())
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{LocalAddr: net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0)), Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) { failed = set(int(fd), d, link.Index) })
		return errors.Join(err, failed)
	}}
	conn, err := dialer.Dial("udp", netip.AddrPortFrom(group, d.Port).String())
	if err != nil {
		return nil, fmt.Errorf("send to the sync daemons' group: %w", err)
	}
	return conn, nil
}

func set(fd int, d ipvs.SyncDaemon, index int) error {
	loop := 0
	if d.TTL == 0 {
		loop = 1
	}
	if d.Group.Is6() {
		return errors.Join(
			unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, index),
			unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, int(d.TTL)),
			unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP, loop))
	}
	return errors.Join(
		unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(index)}),
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_TTL, int(d.TTL)),
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, loop))
}

// source returns the address of an interface that packets come from.
func source(link *net.Interface, ipv6 bool) (netip.Addr, error) {
	list, err := link.Addrs()
	for _, a := range list {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil || prefix.Addr().Is6() != ipv6 {
			continue
		}
		if addr := prefix.Addr(); addr.IsLinkLocalUnicast() && ipv6 {
			return addr.WithZone(link.Name), nil
		} else if !ipv6 {
			return addr, nil
		}
	}
	if err == nil {
		err = fmt.Errorf("interface %s of the sync daemon has no address to send from", link.Name)
	}
	return netip.Addr{}, err
}
