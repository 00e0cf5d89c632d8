//go:build kernel

package vrrp

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"golang.org/x/sys/unix"
)

// hostile is a packet that some router would rather not believe.
type hostile struct {
	name   string
	kind   kindOfHost
	packet func(*Packet)
	theirs string // what the statistics of keepalived 2.2.7 count of it; of many things that it drops they count nothing
	ours   string // word of our Reject; empty: believed
}

// kindOfHost is the configuration of the instance that gets it.
type kindOfHost uint8

const (
	hostV2 kindOfHost = iota
	hostPASS
	hostAH
	hostV3
	hostV3Unicast
	hostV6
)

// as returns the configuration, with intervals so long that no instance wants to be active during the test.
func (k kindOfHost) as(vrid uint8) wireCase {
	in := Instance{Version: 2, AdvertInterval: 100 * time.Second}
	words := ""
	switch k {
	case hostV2:
	case hostPASS:
		words, in.Auth = authPASS, Auth{AuthPASS, secret}
	case hostAH:
		words, in.Auth = authAH, Auth{AuthAH, secret}
	case hostV3:
		in.Version = 3
	case hostV3Unicast:
		words = "unicast_src_ip 192.0.2.1\nunicast_peer {\n192.0.2.2\n}\n"
		in.Version, in.Peers, in.CheckSource, in.OldUnicastChecksum = 3, []Peer{{Addr: source4}}, true, true
	case hostV6:
		in.Version, in.IPv6 = 3, true
	}
	if in.Version == 3 {
		in.AdvertInterval = 40 * time.Second
	}
	c := wireCase{name: fmt.Sprint(vrid), keepalived: words, in: in}
	c.complete(vrid)
	c.in.Priority = 100
	return c
}

func resum(change func(*Packet)) func(*Packet) {
	return func(p *Packet) {
		change(p)
		b, start := body(p), uint32(0)
		if b[0]>>4 != 2 {
			start = pseudoSum(p.From, p.To, len(b))
		}
		setChecksum(b, start)
		relength(p)
	}
}

// relength has the IP header say the truth.
func relength(p *Packet) {
	if p.From.Is4() {
		ipLength(0)(p)
	}
}

func both(first, then func(*Packet)) func(*Packet) {
	return func(p *Packet) { first(p); then(p) }
}

func more(n int) func(*Packet) {
	return func(p *Packet) { p.Data = append(p.Data, make([]byte, n)...); relength(p) }
}

func less(n int) func(*Packet) {
	return func(p *Packet) { p.Data = p.Data[:len(p.Data)-n]; relength(p) }
}

func sequence(to byte) func(*Packet) {
	return func(p *Packet) {
		p.payload()[11] = to
		resign(p)
	}
}

// resign makes the ICV right again.
func resign(p *Packet) {
	var s ahState
	s.setKey(Auth{AuthAH, secret})
	s.sign(p.Data, !p.To.IsMulticast())
}

// addresses puts others there.
func addresses(list ...netip.Addr) func(*Packet) {
	return func(p *Packet) {
		head := len(p.Data) - len(body(p)) + headerLenVRRP
		v2 := body(p)[0]>>4 == 2
		body(p)[3] = byte(len(list))
		p.Data = p.Data[:head]
		for _, addr := range list {
			p.Data = append(p.Data, addr.AsSlice()...)
		}
		if v2 {
			p.Data = append(p.Data, make([]byte, authDataLen)...)
		}
	}
}

func nothing(*Packet) {}

// Where we differ, on purpose:
//   - Another number of addresses keepalived 2.2.7 drops, other addresses of the same number it only counts, as we do both: while a
//     cluster gets one address more, router by router, there would be two active ones. Later ones are said to count only, too.
//   - Interval 0 in version 3 makes a backup keepalived active at once. We don't believe it.
//   - After one packet with the checksum of 1.3.6 keepalived believes no other, so the good one behind it is what it drops. We believe both.
//   - What comes from no peer keepalived drops, and counts as received.
var hostiles = []hostile{
	{"a good one", hostV2, nothing, "received", ""},
	{"unexpected AH", hostV2, both(unexpectedAH, relength), "", "auth_header"},
	{"without the AH that is expected", hostAH, func(p *Packet) {
		p.Data = slices.Delete(p.Data, ipv4HeaderLen, ipv4HeaderLen+ahLen)
		p.Data[9], p.AH = ProtocolVRRP, false
		relength(p)
	}, "", "auth_header"},
	{"4 bytes too long", hostV2, more(4), "length", "length"},
	{"8 bytes too short", hostV2, less(8), "length", "length"},
	{"7 bytes of VRRP", hostV2, less(13), "", "length"},
	{"more addresses than there are", hostV2, resum(put(3, 2)), "length", "length"},
	{"no address, but one is there", hostV2, resum(put(3, 0)), "length", "length"},
	{"no address", hostV2, resum(addresses()), "address list", ""},
	{"another address", hostV2, resum(addresses(own4)), "received, address list", ""},
	{"255 addresses", hostV2, resum(addresses(slices.Repeat([]netip.Addr{own4}, 255)...)), "address list", ""},
	{"TTL 254", hostV2, ttl(254), "ttl", "ttl"},
	{"version 3 instead of 2", hostV2, resum(other), "", "version"},
	{"version 3 of the length of 2", hostV2, resum(put(0, 0x31)), "length", "length"},
	{"version 2 instead of 3", hostV3, resum(both(put(0, 0x21), more(8))), "", "version"},
	{"version 15", hostV3, resum(put(0, 0xF1)), "", "version"},
	{"PASS that is not expected", hostV2, resum(put(4, 1)), "authentication type mismatch", "auth_type"},
	{"no PASS", hostPASS, resum(put(4, 0)), "authentication type mismatch", "auth_type"},
	{"an unknown authentication", hostV2, resum(put(4, 9)), "authentication invalid type", "auth_type"},
	{"another password", hostPASS, resum(put(-3, 'x')), "authentication failure", "password"},
	{"another ICV", hostAH, func(p *Packet) { p.payload()[12] ^= 1 }, "authentication failure", "icv"},
	{"sequence number 0", hostAH, sequence(0), "authentication failure", "replay"},
	{"another interval", hostV2, resum(put(5, 99)), "", "interval"},
	{"interval 0", hostV2, resum(put(5, 0)), "", "interval"},
	{"another interval in version 3", hostV3, resum(put(5, 1)), "received", ""},
	{"interval 0 in version 3", hostV3, resum(both(put(4, 0), put(5, 0))), "received", "interval"},
	{"reserved bits in version 3", hostV3, resum(func(p *Packet) { body(p)[4] |= 0xF0 }), "received", ""},
	{"no address in version 3", hostV3, resum(addresses()), "address list", "length"},
	{"type 2", hostV2, resum(ofType(2)), "invalid type", "type"},
	{"type 0 in version 3", hostV3, resum(ofType(0)), "invalid type", "type"},
	{"wrong checksum", hostV2, flip(6), "", "checksum"},
	{"wrong checksum in version 3", hostV3, flip(6), "", "checksum"},
	{"no pseudo header", hostV3, func(p *Packet) { setChecksum(body(p), 0) }, "", "checksum"},
	{"IP options", hostV2, func(p *Packet) {
		p.Data = slices.Insert(p.Data, 20, 1, 1, 1, 0)
		p.Data[0] = 0x46
		relength(p)
	}, "received", ""},
	{"unicast", hostV2, destination("192.0.2.1"), "", "cast"},
	{"unicast in version 3", hostV3, resum(destination("192.0.2.1")), "", "cast"},
	{"multicast to a unicast instance", hostV3Unicast, resum(destination("224.0.0.18")), "", "cast"},
	{"from no peer", hostV3Unicast, resum(func(p *Packet) {
		p.From = netip.MustParseAddr("192.0.2.3")
		copy(p.Data[12:], p.From.AsSlice())
	}), "received", "peer"},
	{"unicast, TTL 1", hostV3Unicast, ttl(1), "received", ""},
	{"unicast, checksum of 1.3.6", hostV3Unicast, func(p *Packet) {
		setChecksum(body(p), pseudoSum(p.From, wireGroup4, len(body(p))))
	}, "", ""},
	{"unicast, wrong checksum", hostV3Unicast, flip(6), "", "checksum"},
	{"IPv6, hop limit 254", hostV6, func(p *Packet) { p.TTL = 254 }, "ttl", "ttl"},
	{"IPv6, wrong checksum", hostV6, flip(6), "", "checksum"},
	{"IPv6, too short", hostV6, resum(less(16)), "length", "length"},
	{"IPv6, another address", hostV6, resum(addresses(wireFrom6, wireLocal6)), "received, address list", ""},
	{"IPv6, type 3", hostV6, resum(ofType(3)), "invalid type", "type"},
	{"IPv6, interval 0", hostV6, resum(both(put(4, 0), put(5, 0))), "received", "interval"},
}

// A real keepalived gets the packets too, one instance each, and then a good one. What it counts is in the table beside what we say.
func TestKernelHostile(t *testing.T) {
	l := newLink(t)
	var conf strings.Builder
	conf.WriteString("global_defs {\nvrrp_check_unicast_src\n}\n")
	for i, h := range hostiles {
		c := h.kind.as(uint8(i + 1))
		conf.WriteString(c.block())
	}
	process, tmp := l.start(t, conf.String())
	process.WaitLog(patience, fmt.Sprintf("(VI_%d) Entering BACKUP STATE", len(hostiles)))

	for i, h := range hostiles {
		c := h.kind.as(uint8(i + 1))
		from, to := source4, c.to[0]
		switch {
		case c.in.IPv6:
			from = l.peer
		case len(c.in.Peers) > 0:
			to = own4
		}
		sender, receiver := NewCodec(&c.in), NewCodec(&c.in)
		encode := func() Packet {
			return received(t, bytes.Clone(sender.Encode(c.advert(150), from, to, wireTime)), c.in.IPv6, from, to)
		}
		bad := encode()
		h.packet(&bad)
		good := encode()
		l.send(t, bad)
		l.send(t, good)

		word := ""
		if _, err := receiver.Decode(bad, wireTime); err != nil {
			word = wordOf(err)
		}
		if word != h.ours {
			t.Errorf("%s: we say %q, want %q", h.name, word, h.ours)
		}
		if _, err := receiver.Decode(good, wireTime); err != nil {
			t.Errorf("%s: of the good one behind it we say %v", h.name, err)
		}
	}

	var counted []string
	lab.WaitFor(t, patience, "the last packet of each to be counted", func() (err error) {
		process.Signal(syscall.SIGUSR2)
		counted, err = readStats(filepath.Join(tmp, "keepalived.stats"))
		if err == nil && len(counted) != len(hostiles) {
			err = fmt.Errorf("%d instances", len(counted))
		}
		return err
	})
	for i, h := range hostiles {
		if counted[i] != h.theirs {
			t.Errorf("%s: keepalived counts %q, want %q", h.name, counted[i], h.theirs)
		}
	}
}

// readStats returns of each instance what it counts, but for its own adverts and the good packet. All must have got something.
func readStats(file string) (counted []string, err error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for _, block := range strings.Split(string(data), "VRRP Instance: ")[1:] {
		var words []string
		section, word := "", map[string]string{"authentication errors": "authentication", "priority zero": "priority zero"}
		for _, line := range strings.Split(block, "\n")[1:] {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			n, err := strconv.Atoi(strings.TrimSpace(value))
			switch {
			case err != nil:
				section = strings.ToLower(name)
			case name == "Received" && section == "advertisements":
				if n == 0 {
					return nil, fmt.Errorf("the good packet is not there yet: %s", block)
				}
				n--
				fallthrough
			case section != "advertisements":
				words = append(words, slices.Repeat([]string{strings.TrimSpace(word[section] + " " + strings.ToLower(name))}, n)...)
			}
		}
		counted = append(counted, strings.Join(words, ", "))
	}
	return counted, nil
}

// send puts a packet on the cable, as it is.
func (l *link) send(t *testing.T, p Packet) {
	t.Helper()
	ip, ethertype := bytes.Clone(p.Data), uint16(unix.ETH_P_IP)
	var mac [8]byte
	if hardware, err := net.ParseMAC(l.keepalived.MAC("eth0")); err != nil {
		t.Fatal(err)
	} else {
		copy(mac[:], hardware)
	}
	if p.From.Is4() {
		ip[10], ip[11] = 0, 0
		n := fold(sum(0, ip[:headerLen(ip)]))
		ip[10], ip[11] = byte(n>>8), byte(n)
		if p.To.IsMulticast() {
			to := p.To.As4()
			copy(mac[:], []byte{0x01, 0x00, 0x5E, to[1] & 0x7F, to[2], to[3]})
		}
	} else {
		ip, ethertype = underIPv6(p.Data, p.From, p.To), unix.ETH_P_IPV6
		ip[7] = p.TTL
		if p.To.IsMulticast() {
			to := p.To.As16()
			copy(mac[:], []byte{0x33, 0x33, to[12], to[13], to[14], to[15]})
		}
	}
	err := l.other.Do(func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		eth0, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		return unix.Sendto(fd, ip, 0, &unix.SockaddrLinklayer{Protocol: ethertype<<8 | ethertype>>8, Ifindex: eth0.Index, Halen: 6, Addr: mac})
	})
	if err != nil {
		t.Fatalf("send: %v", err)
	}
}
