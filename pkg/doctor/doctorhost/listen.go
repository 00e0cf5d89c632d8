package doctorhost

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/mdlayher/socket"
	"golang.org/x/net/bpf"
	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/doctor"
	"github.com/ipvsd/ipvsd/pkg/vip"
)

// asks is how often each address is asked for: frames get lost.
const asks = 3

// ear hears the frames of all Ethernet interfaces.
type ear struct {
	socket *socket.Conn
	names  map[int]string
	ours   map[string]bool // our MACs
	facts  *doctor.Facts
}

// listen asks for addresses and notes what is heard meanwhile, for so long.
func listen(ctx context.Context, f *doctor.Facts, long time.Duration) error {
	s, err := socket.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0, "packet", nil)
	if err != nil {
		return fmt.Errorf("can't listen: packet socket (CAP_NET_RAW is needed): %w", err)
	}
	defer s.Close() //nolint:errcheck // nothing is left to be sent
	filter, err := bpf.Assemble(append(untagged(), wanted()...))
	if err == nil {
		err = s.SetBPF(filter)
	}
	if err == nil {
		err = s.Bind(&unix.SockaddrLinklayer{Protocol: network16(unix.ETH_P_ALL)})
	}
	if err != nil {
		return fmt.Errorf("can't listen: %w", err)
	}
	e := &ear{socket: s, names: map[int]string{}, ours: map[string]bool{}, facts: f}
	interfaces, err := net.Interfaces()
	if err != nil {
		return fmt.Errorf("can't listen: %w", err)
	}
	for _, i := range interfaces {
		e.names[i.Index] = i.Name
		e.ours[i.HardwareAddr.String()] = true
	}
	questions := e.questions(interfaces)
	begin := time.Now()
	if err := s.SetWriteDeadline(begin.Add(long)); err != nil { // an interface may stand still
		return fmt.Errorf("can't listen: %w", err)
	}
	for n := range asks {
		for _, q := range questions {
			if err := e.send(q); err != nil {
				return err
			}
		}
		if err := e.hear(ctx, begin.Add(long*time.Duration(n+1)/asks)); err != nil {
			return err
		}
	}
	f.Listened = long
	return nil
}

// question is a frame that asks for an address on a link.
type question struct {
	index int
	frame []byte
}

// questions asks for the addresses of services, and of servers on the same network to know them by their MAC.
func (e *ear) questions(interfaces []net.Interface) (list []question) {
	f := e.facts
	var vips []netip.Addr
	if f.Table != nil {
		for _, s := range f.Table.Services {
			if s.Key.FWMark == 0 {
				vips = append(vips, s.Key.Addr.Addr())
			}
		}
	}
	if f.Daemon != nil && f.Daemon.VRRP != nil {
		for _, r := range f.Daemon.VRRP.Instances {
			for _, p := range r.Addresses {
				vips = append(vips, p.Addr())
			}
		}
	}
	slices.SortFunc(vips, netip.Addr.Compare)
	for i, a := range slices.Concat(slices.Compact(vips), servers(f)) {
		for _, l := range interfaces {
			if !e.reaches(l.Name, a) {
				continue
			}
			frame, ok := ask(a, l)
			if !ok {
				continue
			}
			list = append(list, question{l.Index, frame})
			if isVIP := i < len(slices.Compact(vips)); isVIP && !slices.Contains(f.Asked, a) {
				f.Asked = append(f.Asked, a)
			}
		}
	}
	return list
}

// reaches says whether neighbours on a link may have an address: it is on the link, or in the link's network.
func (e *ear) reaches(link string, a netip.Addr) bool {
	ethernet := slices.ContainsFunc(e.facts.Links, func(l doctor.Link) bool { return l.Name == link && l.Ethernet && l.Up && l.Kind != "dummy" })
	return ethernet && slices.ContainsFunc(e.facts.Addresses, func(own doctor.Address) bool {
		return own.Link == link && own.Prefix.Contains(a)
	})
}

// ask makes the frame. An ARP probe (RFC 5227) changes nobody's cache. A neighbour solicitation comes from the link-local address: from none
// it would be a duplicate detection, which makes another director give up an address that it is just taking.
func ask(a netip.Addr, l net.Interface) (frame []byte, ok bool) {
	if len(l.HardwareAddr) != 6 {
		return nil, false
	}
	if a.Is4() {
		target := a.As4()
		b := append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, l.HardwareAddr...)
		b = append(b, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1) // ARP: Ethernet, IPv4, a request
		b = append(append(b, l.HardwareAddr...), make([]byte, 4+6)...)
		return append(b, target[:]...), true
	}
	own, err := l.Addrs()
	if err != nil {
		return nil, false
	}
	for _, o := range own {
		p, err := netip.ParsePrefix(o.String())
		if err == nil && p.Addr().Is6() && p.Addr().IsLinkLocalUnicast() {
			return solicit(a.As16(), p.Addr().As16(), l.HardwareAddr)
		}
	}
	return nil, false
}

func solicit(target, from [16]byte, mac net.HardwareAddr) ([]byte, bool) {
	to := netip.MustParseAddr("ff02::1:ff00:0").As16()
	copy(to[13:], target[13:])
	body := append(make([]byte, 4), target[:]...)
	body = append(append(body, 1, 1), mac...) // option: our link-layer address
	m := icmp.Message{Type: ipv6.ICMPTypeNeighborSolicitation, Body: &icmp.RawBody{Data: body}}
	text, err := m.Marshal(icmp.IPv6PseudoHeader(from[:], to[:]))
	if err != nil {
		return nil, false
	}
	b := append([]byte{0x33, 0x33, to[12], to[13], to[14], to[15]}, mac...)
	b = append(b, 0x86, 0xdd, 0x60, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(len(text)))
	b = append(b, 58, 255)
	b = append(append(b, from[:]...), to[:]...)
	return append(b, text...), true
}

func (e *ear) send(q question) error {
	to := unix.SockaddrLinklayer{Ifindex: q.index, Halen: 6, Protocol: binary.NativeEndian.Uint16(q.frame[12:])}
	copy(to.Addr[:], q.frame)
	err := e.socket.Sendto(context.Background(), q.frame, 0, &to)
	lost := errors.Is(err, unix.ENETDOWN) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ENOBUFS) // as any frame may be
	if err != nil && !lost {
		return fmt.Errorf("ask the neighbours on %s: %w", e.names[q.index], err)
	}
	return nil
}

// hear notes frames until a moment. The socket isn't told of the context: a deadline of that would take the place of the moment.
func (e *ear) hear(ctx context.Context, until time.Time) error {
	if err := e.socket.SetReadDeadline(until); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = e.socket.SetReadDeadline(time.Unix(0, 1)) })()
	buf := make([]byte, 64<<10)
	for {
		n, from, err := e.socket.Recvfrom(context.Background(), buf, 0)
		if ctx.Err() != nil {
			return fmt.Errorf("listen: %w", ctx.Err())
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if errors.Is(err, unix.ENETDOWN) { // one of the interfaces
			continue
		}
		if err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		if at, ok := from.(*unix.SockaddrLinklayer); ok && at.Hatype == unix.ARPHRD_ETHER && !e.port(e.names[at.Ifindex]) {
			e.note(e.names[at.Ifindex], buf[:n])
		}
	}
}

// port says whether a link is part of a bridge or a bond, which hears the same frames and is what has addresses.
func (e *ear) port(link string) bool {
	return slices.ContainsFunc(e.facts.Links, func(l doctor.Link) bool { return l.Name == link && l.Port })
}

// note adds a frame to the facts.
func (e *ear) note(link string, frame []byte) {
	f := e.facts
	if a, ok := doctor.OverhearAdvert(frame); ok {
		a.Link = link
		i := slices.IndexFunc(f.Adverts, func(o doctor.Advert) bool { return o.Link == link && o.From == a.From && o.VRID == a.VRID })
		if i < 0 {
			f.Adverts = append(f.Adverts, a)
			return
		}
		f.Adverts[i].Priority = a.Priority
		f.Adverts[i].Count++
		return
	}
	if s, ok := doctor.OverhearSync(frame, e.syncPort()); ok {
		s.Link = link
		own := slices.ContainsFunc(f.Addresses, func(a doctor.Address) bool { return a.Prefix.Addr() == s.From })
		i := slices.IndexFunc(f.Syncs, func(o doctor.Sync) bool {
			return o.Link == link && o.From == s.From && o.SyncID == s.SyncID && o.Version == s.Version
		})
		switch {
		case own:
		case i < 0:
			f.Syncs = append(f.Syncs, s)
		default:
			f.Syncs[i].Count++
		}
		return
	}
	c, ok := vip.ARPClaim(frame)
	if message, is := doctor.OverhearNeighbour(frame); is {
		c, ok = vip.NAClaim(message)
	}
	mac := net.HardwareAddr(c.MAC[:]).String()
	if !ok || e.ours[mac] {
		return
	}
	if slices.Contains(f.Asked, c.Addr) {
		f.Claims = append(f.Claims, doctor.Claim{Link: link, Addr: c.Addr, MAC: mac})
	} else if known := (doctor.Neighbour{Link: link, Addr: c.Addr, MAC: mac}); !slices.Contains(f.Neighbours, known) {
		f.Neighbours = append(f.Neighbours, known)
	}
}

func (e *ear) syncPort() uint16 {
	if t := e.facts.Table; t != nil && t.Backup != nil {
		return t.Backup.Port
	} else if t != nil && t.Master != nil {
		return t.Master.Port
	}
	return 0
}

// network16 is a number in network byte order, as it lies in the memory of this machine.
func network16(n uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, n))
}
