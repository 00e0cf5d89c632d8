package vipnl

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/mdlayher/socket"
	"golang.org/x/net/bpf"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/vip"
)

// ether is the wire of all Ethernet interfaces of a network namespace: one packet socket, by which frames leave and ARP comes in, and
// one for neighbour advertisements, which the kernel hands on without the many packets that are none.
type ether struct {
	ports  *ports
	ears   ears
	packet *socket.Conn
	na     *ipv6.PacketConn // nil: this kernel has no IPv6
	ending sync.WaitGroup
	closed atomic.Bool // by us: a reader that fails has nothing to say
}

// openWire opens the wire of the calling thread's network namespace.
func openWire(e ears) (wire, error) {
	w := &ether{ears: e}
	var err error
	if w.ports, err = openPorts(e.up); err != nil {
		return nil, err
	}
	if err := w.openSockets(); err != nil {
		return nil, errors.Join(err, w.close())
	}
	w.hear(w.ports.watch)
	w.hear(w.readARP)
	if w.na != nil {
		w.hear(w.readNA)
	}
	return w, nil
}

func (w *ether) openSockets() (err error) {
	if w.packet, err = socket.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0, "packet", nil); err != nil {
		return fmt.Errorf("packet socket (CAP_NET_RAW is needed): %w", err)
	}
	if err = w.listen(nil); err != nil {
		return err
	}
	if err = w.packet.Bind(&unix.SockaddrLinklayer{Protocol: network(unix.ETH_P_ARP)}); err != nil {
		return fmt.Errorf("bind the packet socket to ARP: %w", err)
	}
	conn, err := net.ListenPacket("ip6:ipv6-icmp", "::")
	if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("socket for neighbour advertisements: %w", err)
	}
	w.na = ipv6.NewPacketConn(conn)
	var advertisements ipv6.ICMPFilter
	advertisements.SetAll(true)
	advertisements.Accept(ipv6.ICMPTypeNeighborAdvertisement)
	if err = errors.Join(w.na.SetICMPFilter(&advertisements), w.na.SetControlMessage(ipv6.FlagInterface|ipv6.FlagHopLimit, true)); err != nil {
		return fmt.Errorf("filter of neighbour advertisements: %w", err)
	}
	return w.listen(nil)
}

// hear runs a reader until the wire is closed.
func (w *ether) hear(read func() error) {
	w.ending.Go(func() {
		if err := read(); !w.closed.Load() {
			w.ears.failed(err)
		}
	})
}

func (w *ether) close() error {
	w.closed.Store(true)
	err := w.ports.close()
	if w.packet != nil {
		err = errors.Join(err, w.packet.Close())
	}
	if w.na != nil {
		err = errors.Join(err, w.na.Close())
	}
	w.ending.Wait()
	return err
}

func (w *ether) send(n vip.Notice) error {
	if err := w.emit(n); err != nil {
		return fmt.Errorf("announce %s on %s: %w", n.Addr, n.Dev, err)
	}
	return nil
}

func (w *ether) emit(n vip.Notice) error {
	p, router, err := w.ports.get(n.Index)
	if err != nil || !p.ethernet || !p.arp || !p.up {
		return err
	}
	frame := vip.Frame(p.mac, n.Addr, router)
	to := unix.SockaddrLinklayer{Protocol: binary.NativeEndian.Uint16(frame[12:]), Ifindex: n.Index, Halen: 6}
	copy(to.Addr[:], frame)
	raw, err := w.packet.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	// Not to wait is the point: whoever takes an address away waits for us.
	err = raw.Control(func(fd uintptr) { sent = unix.Sendto(int(fd), frame, unix.MSG_DONTWAIT, &to) })
	if errors.Is(sent, unix.ENETDOWN) { // just now: Up will follow
		sent = nil
	}
	return errors.Join(err, sent)
}

// Where the address stands that is claimed, or the last 4 bytes of it: in an ARP frame, in a neighbour advertisement.
const (
	arpSender = 28
	naTarget  = 20
)

// claims is a filter that lets through what has one of the addresses at a place. With more of them than a program of the kernel may
// ask about, it lets through everything.
func claims(addrs []netip.Addr, place uint32) ([]bpf.RawInstruction, error) {
	const most = 4096 // BPF_MAXINSNS
	program := []bpf.Instruction{bpf.LoadAbsolute{Off: place, Size: 4}}
	for _, a := range addrs {
		if a.Is4() == (place == arpSender) {
			b := a.AsSlice()
			program = append(program,
				bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: binary.BigEndian.Uint32(b[len(b)-4:]), SkipTrue: 1},
				bpf.RetConstant{Val: math.MaxInt32})
		}
	}
	if program = append(program, bpf.RetConstant{Val: 0}); len(program) > most {
		program = []bpf.Instruction{bpf.RetConstant{Val: math.MaxInt32}}
	}
	return bpf.Assemble(program)
}

func (w *ether) listen(addrs []netip.Addr) error {
	arp, err := claims(addrs, arpSender)
	if err == nil {
		err = w.packet.SetBPF(arp)
	}
	if err != nil {
		return fmt.Errorf("filter of ARP for %d addresses: %w", len(addrs), err)
	}
	if w.na == nil {
		return nil
	}
	na, err := claims(addrs, naTarget)
	if err == nil {
		err = w.na.SetBPF(na)
	}
	if err != nil {
		return fmt.Errorf("filter of neighbour advertisements for %d addresses: %w", len(addrs), err)
	}
	return nil
}

func (w *ether) readARP() error {
	frame := make([]byte, 128)
	for {
		n, from, err := w.packet.Recvfrom(context.Background(), frame, 0)
		if err != nil {
			return fmt.Errorf("receive ARP: %w", err)
		}
		if c, ok := vip.ARPClaim(frame[:n]); ok {
			w.claimed(from.(*unix.SockaddrLinklayer).Ifindex, c)
		}
	}
}

func (w *ether) readNA() error {
	message := make([]byte, 1500)
	for {
		n, by, _, err := w.na.ReadFrom(message)
		if err != nil {
			return fmt.Errorf("receive neighbour advertisements: %w", err)
		}
		if c, ok := vip.NAClaim(message[:n]); ok && by != nil && by.HopLimit == 255 { // none from afar
			w.claimed(by.IfIndex, c)
		}
	}
}

func (w *ether) claimed(index int, c vip.Claim) {
	if !w.ports.ours(c.MAC) {
		w.ears.claimed(index, c)
	}
}

// network is a number in network byte order, as it lies in the memory of this machine.
func network(n uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], n)
	return binary.NativeEndian.Uint16(b[:])
}
