package bfdio

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/bfd"
)

// internet is the network of the namespace of the thread that calls.
type internet struct{}

// listen opens a socket for packets of all neighbors of a family.
func (internet) listen(at endpoint) (receiver, error) {
	network := "udp4"
	if at.ipv6 {
		network = "udp6"
	}
	conn, err := net.ListenPacket(network, ":"+strconv.Itoa(at.port()))
	if err != nil {
		return nil, fmt.Errorf("%w (another BFD daemon?)", err)
	}
	rx := &socketReceiver{PacketConn: conn}
	if at.ipv6 {
		rx.v6 = ipv6.NewPacketConn(conn)
		err = rx.v6.SetControlMessage(ipv6.FlagHopLimit, true)
	} else {
		rx.v4 = ipv4.NewPacketConn(conn)
		err = rx.v4.SetControlMessage(ipv4.FlagTTL, true)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return rx, nil
}

type socketReceiver struct {
	net.PacketConn
	v4  *ipv4.PacketConn
	v6  *ipv6.PacketConn
	buf [1500]byte
}

func (rx *socketReceiver) receive() (d datagram, err error) {
	var n int
	var from net.Addr
	if rx.v6 != nil {
		var m *ipv6.ControlMessage
		if n, m, from, err = rx.v6.ReadFrom(rx.buf[:]); m != nil {
			d.ttl = m.HopLimit
		}
	} else {
		var m *ipv4.ControlMessage
		if n, m, from, err = rx.v4.ReadFrom(rx.buf[:]); m != nil {
			d.ttl = m.TTL
		}
	}
	if err != nil {
		return d, err
	}
	if a, ok := from.(*net.UDPAddr); ok {
		d.from = a.AddrPort().Addr().Unmap().WithZone("")
	}
	d.data = append([]byte(nil), rx.buf[:n]...)
	return d, nil
}

// dial opens a socket to a neighbor, from a port that tells nobody which one is next (RFC 5881, 4).
func (internet) dial(c *bfd.Config) (sender, error) {
	to := netip.AddrPortFrom(c.Neighbor, uint16(of(c).port()))
	var last error
	for range 16 {
		port := bfd.SourcePorts + rand.IntN(1<<16-bfd.SourcePorts)
		dialer := net.Dialer{LocalAddr: &net.UDPAddr{IP: c.Source.AsSlice(), Port: port}}
		conn, err := dialer.DialContext(context.Background(), "udp", to.String())
		if err == nil {
			if err = setTTL(conn, c); err != nil {
				return nil, errors.Join(err, conn.Close())
			}
			return conn, nil
		}
		if last = err; !errors.Is(err, unix.EADDRINUSE) {
			break
		}
	}
	return nil, last
}

// setTTL also marks the packets as urgent: a router that is busy sends them first.
func setTTL(conn net.Conn, c *bfd.Config) error {
	const networkControl = 0xc0 // CS6
	if c.Neighbor.Is6() {
		p := ipv6.NewConn(conn)
		return errors.Join(p.SetHopLimit(int(ttlOf(c))), p.SetTrafficClass(networkControl))
	}
	p := ipv4.NewConn(conn)
	return errors.Join(p.SetTTL(int(ttlOf(c))), p.SetTOS(networkControl))
}
