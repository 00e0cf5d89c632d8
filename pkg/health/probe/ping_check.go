package probe

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// Ping is keepalived's PING_CHECK: the server passes if it answers an ICMP echo request (RFC 792, RFC 4443). The request is repeated
// as long as the time lasts, because one that is lost says nothing of the server. A socket for pings costs the kernel less than a
// raw one, which sees all that comes for others; but it may be opened only by groups in the sysctl net.ipv4.ping_group_range.
// Where we are not, the raw one does it, with CAP_NET_RAW; unlike keepalived we leave the sysctl alone.
func Ping(ctx context.Context, c health.Check) (f health.Finding, err error) {
	// A port would be the identifier of the request.
	c.Target = netip.AddrPortFrom(c.Target.Addr(), 0)
	if c.Source.IsValid() {
		c.Source = netip.AddrPortFrom(c.Source.Addr(), 0)
	} else {
		c.Source = netip.AddrPort{}
	}
	e := echo{v4: c.Target.Addr().Is4(), id: int(uint16(rand.Uint32())), seq: int(uint16(rand.Uint32()))}
	protocol := unix.IPPROTO_ICMPV6
	if e.v4 {
		protocol = unix.IPPROTO_ICMP
	}
	conn, err := dialPackets(ctx, c, "icmp", unix.SOCK_DGRAM, protocol)
	if errors.Is(err, unix.EACCES) {
		e.raw = true
		conn, err = dialPackets(ctx, c, "icmp", unix.SOCK_RAW, protocol, e.filter)
		if errors.Is(err, unix.EPERM) {
			err = fmt.Errorf("neither CAP_NET_RAW nor the sysctl net.ipv4.ping_group_range let us send pings: %w", err)
		}
	}
	if err != nil {
		return f, err
	}
	defer conn.Close()
	request, err := e.request()
	if err != nil {
		return f, err
	}
	return f, datagrams(ctx, conn, request, func(b []byte) (verdict, err error) { return nil, e.answers(b) })
}

// echo is an echo request.
type echo struct {
	v4, raw bool
	id, seq int
	token   [24]byte // random, to know our own again
}

func (e *echo) request() ([]byte, error) {
	for i := 0; i < len(e.token); i += 8 {
		binary.NativeEndian.PutUint64(e.token[i:], rand.Uint64())
	}
	m := icmp.Message{Type: ipv6.ICMPTypeEchoRequest, Body: &icmp.Echo{ID: e.id, Seq: e.seq, Data: e.token[:]}}
	if e.v4 {
		m.Type = ipv4.ICMPTypeEcho
	}
	return m.Marshal(nil) // the kernel fills in the checksum of ICMPv6, and the identifier of a socket for pings
}

// filter has a raw socket take replies only.
func (e *echo) filter(fd, _ int) error {
	if e.v4 {
		return unix.SetsockoptInt(fd, unix.SOL_RAW, icmpFilter, ^(1 << int(ipv4.ICMPTypeEchoReply)))
	}
	f := unix.ICMPv6Filter{Data: [8]uint32{^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0)}}
	f.Data[ipv6.ICMPTypeEchoReply/32] &^= 1 << (ipv6.ICMPTypeEchoReply % 32)
	return unix.SetsockoptICMPv6Filter(fd, unix.SOL_ICMPV6, unix.ICMPV6_FILTER, &f)
}

// icmpFilter is ICMP_FILTER of linux/icmp.h: a mask of the types that a socket doesn't want.
const icmpFilter = 1

// answers says why a packet is not the answer.
func (e *echo) answers(b []byte) error {
	protocol, want := unix.IPPROTO_ICMPV6, icmp.Type(ipv6.ICMPTypeEchoReply)
	if e.v4 {
		protocol, want = unix.IPPROTO_ICMP, ipv4.ICMPTypeEchoReply
		if e.raw { // the IP header comes along
			if len(b) < ipv4.HeaderLen || len(b) < int(b[0]&0xf)*4 {
				return errors.New("a packet without an IP header")
			}
			b = b[int(b[0]&0xf)*4:]
		}
	}
	m, err := icmp.ParseMessage(protocol, b)
	if err != nil {
		return err
	}
	reply, is := m.Body.(*icmp.Echo)
	switch {
	case m.Type != want || !is:
		return fmt.Errorf("ICMP %v", m.Type)
	case e.raw && reply.ID != e.id, reply.Seq != e.seq, !bytes.Equal(reply.Data, e.token[:]):
		return errors.New("an answer to another ping")
	}
	return nil
}
