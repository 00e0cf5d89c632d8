package vrrpio

import (
	"net/netip"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// The system calls that golang.org/x/sys/unix has no function for, or one that lets go of the processor.

// header is struct mmsghdr.
type header struct {
	unix.Msghdr
	n uint32
}

const (
	atOnce  = 64   // datagrams of a sendmmsg
	perRead = 32   // of a recvmmsg
	room    = 4608 // bytes of a received one: 255 IPv6 addresses, and headers
	control = 128  // bytes of ancillary data
)

// outgoing is what sendmmsg reads.
type outgoing struct {
	headers  []header
	vectors  [atOnce]unix.Iovec
	names4   [atOnce]unix.RawSockaddrInet4
	names6   [atOnce]unix.RawSockaddrInet6
	controls [atOnce][control]byte
}

func newOutgoing() *outgoing { return &outgoing{headers: make([]header, atOnce)} }

// write sends as many as it can at once.
func (o *outgoing) write(s *rawSocket, batch []datagram) (int, error) {
	batch = batch[:min(len(batch), atOnce)]
	for i := range batch {
		d, h := &batch[i], &o.headers[i]
		o.vectors[i] = unix.Iovec{Base: &d.data[0]}
		o.vectors[i].SetLen(len(d.data))
		h.Msghdr = unix.Msghdr{Iov: &o.vectors[i]}
		h.SetIovlen(1)
		if s.ipv6 {
			o.names6[i] = unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: d.to.As16(), Scope_id: s.zone(d.to)}
			h.Name, h.Namelen = (*byte)(unsafe.Pointer(&o.names6[i])), unix.SizeofSockaddrInet6
			h.Control = &o.controls[i][0]
			h.SetControllen(ancillary(o.controls[i][:], s, d))
		} else {
			o.names4[i] = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: d.to.As4()}
			h.Name, h.Namelen = (*byte)(unsafe.Pointer(&o.names4[i])), unix.SizeofSockaddrInet4
		}
	}
	flags := unix.MSG_DONTWAIT
	if s.bound.IsMulticast() {
		flags |= unix.MSG_DONTROUTE
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&o.headers[0])), uintptr(len(batch)), uintptr(flags), 0, 0)
	runtime.KeepAlive(batch)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// ancillary writes the source, and with unicast the hop limit, of an IPv6 packet. It returns how long that is.
func ancillary(b []byte, s *rawSocket, d *datagram) int {
	info := put(b, unix.IPV6_PKTINFO, unix.SizeofInet6Pktinfo)
	*(*unix.Inet6Pktinfo)(info) = unix.Inet6Pktinfo{Addr: d.from.As16(), Ifindex: uint32(s.index)}
	n := unix.CmsgSpace(unix.SizeofInet6Pktinfo)
	if d.ttl == 0 || d.to.IsMulticast() {
		return n
	}
	*(*int32)(put(b[n:], unix.IPV6_HOPLIMIT, 4)) = int32(d.ttl)
	return n + unix.CmsgSpace(4)
}

// put begins an item of ancillary data, and returns where its content goes.
func put(b []byte, kind int32, length int) unsafe.Pointer {
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	h.Level, h.Type = unix.SOL_IPV6, kind
	h.SetLen(unix.CmsgLen(length))
	return unsafe.Pointer(&b[unix.CmsgLen(0)])
}

// incoming is what recvmmsg writes.
type incoming struct {
	headers  []header
	vectors  [perRead]unix.Iovec
	names    [perRead]unix.RawSockaddrInet6
	controls [perRead][control]byte
	data     [perRead][room]byte
}

func newIncoming() *incoming { return &incoming{headers: make([]header, perRead)} }

// read delivers what has come to a socket. It returns how many packets that were.
func (r *incoming) read(s *rawSocket) int {
	for i := range r.headers {
		r.vectors[i] = unix.Iovec{Base: &r.data[i][0]}
		r.vectors[i].SetLen(room)
		h := &r.headers[i]
		h.Msghdr = unix.Msghdr{Iov: &r.vectors[i]}
		h.SetIovlen(1)
		if s.ipv6 {
			h.Name, h.Namelen = (*byte)(unsafe.Pointer(&r.names[i])), unix.SizeofSockaddrInet6
			h.Control = &r.controls[i][0]
			h.SetControllen(control)
		}
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&r.headers[0])), perRead, unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0 // nothing there, or the interface went down
	}
	for i := range int(n) {
		if p, ok := r.packet(s, i); ok {
			s.deliver(p)
		}
	}
	return int(n)
}

func (r *incoming) packet(s *rawSocket, i int) (vrrp.Packet, bool) {
	h := &r.headers[i]
	data := r.data[i][:h.n]
	if !s.ipv6 {
		return vrrp.ParseIPv4(data)
	}
	p := vrrp.Packet{Data: data, From: netip.AddrFrom16(r.names[i].Addr)}
	rest := r.controls[i][:h.Controllen]
	for len(rest) >= unix.CmsgLen(0) {
		c, content, behind, err := unix.ParseOneSocketControlMessage(rest)
		if err != nil {
			break
		}
		switch {
		case c.Level != unix.SOL_IPV6:
		case c.Type == unix.IPV6_PKTINFO && len(content) >= unix.SizeofInet6Pktinfo:
			p.To = netip.AddrFrom16([16]byte(content))
		case c.Type == unix.IPV6_HOPLIMIT && len(content) >= 4:
			p.TTL = uint8(*(*int32)(unsafe.Pointer(&content[0])))
		}
		rest = behind
	}
	return p, p.To.IsValid()
}

// armTimer sets a timerfd to a time of its clock, in nanoseconds.
func armTimer(fd int, at int64) error {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(at)}
	_, _, errno := unix.RawSyscall6(unix.SYS_TIMERFD_SETTIME, uintptr(fd), unix.TFD_TIMER_ABSTIME, uintptr(unsafe.Pointer(&spec)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// clock reads one of the kernel's clocks, in nanoseconds. These can't fail.
func clock(id int32) int64 {
	var t unix.Timespec
	_, _, _ = unix.RawSyscall(unix.SYS_CLOCK_GETTIME, uintptr(id), uintptr(unsafe.Pointer(&t)), 0)
	return t.Nano()
}
