package vrrp

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/golden"
)

// wireCase is one configuration, in keepalived's words and in ours. That both make the same packets of it is what
// TestKernelWire shows; here the packets are held against a file.
type wireCase struct {
	name       string
	keepalived string // what its block has beside the words that all have
	in         Instance
	to         []netip.Addr
}

var (
	wireGroup4 = netip.MustParseAddr("224.0.0.18")
	wireGroup6 = netip.MustParseAddr("ff02::12")
	wireFrom4  = netip.MustParseAddr("192.0.2.1")
	wireFrom6  = netip.MustParseAddr("2001:db8::1")
	wireLocal6 = netip.MustParseAddr("fe80::1")
	wirePeers4 = addrs("192.0.2.2", "192.0.2.3")
	wirePeers6 = addrs("2001:db8::2", "2001:db8::3")
	wireVIP    = addrs("192.0.2.100")
	wireVIP6   = addrs("fe80::100", "2001:db8::100")
)

func addrs(texts ...string) (all []netip.Addr) {
	for _, text := range texts {
		all = append(all, netip.MustParseAddr(text))
	}
	return all
}

func peers(of []netip.Addr) (all []Peer) {
	for _, addr := range of {
		all = append(all, Peer{Addr: addr})
	}
	return all
}

// manyVIPs are 20 behind the first one.
func manyVIPs(first int) (vips []netip.Addr) {
	for i := range 20 {
		vips = append(vips, netip.AddrFrom4([4]byte{198, 51, 100, byte(first + i + 1)}))
	}
	return vips
}

var secret = [8]byte([]byte("secret\x00\x00"))

const (
	unicast4  = "unicast_src_ip 192.0.2.1\nunicast_peer {\n192.0.2.2\n192.0.2.3\n}\n"
	unicast6  = "unicast_src_ip 2001:db8::1\nunicast_peer {\n2001:db8::2\n2001:db8::3\n}\n"
	excluded4 = "virtual_ipaddress_excluded {\n192.0.2.201\n2001:db8::201\n}\n"
	excluded6 = "virtual_ipaddress_excluded {\n2001:db8::202\n192.0.2.202\n}\n"
	authPASS  = "authentication {\nauth_type PASS\nauth_pass secret\n}\n"
	authAH    = "authentication {\nauth_type AH\nauth_pass secret\n}\n"
)

// wireCases numbers the VRIDs from 1. An address that is not given follows from the VRID.
func wireCases() []wireCase {
	second, short := time.Second, 500*time.Millisecond
	pass, ah := Auth{AuthPASS, secret}, Auth{AuthAH, secret}
	cases := []wireCase{
		{"v2", "", Instance{Version: 2, AdvertInterval: second}, nil},
		{"v2, 2 s, 20 addresses", "", Instance{Version: 2, AdvertInterval: 2 * second, Addresses: manyVIPs(0)}, nil},
		{"v2, excluded addresses", excluded4, Instance{Version: 2, AdvertInterval: second}, nil},
		{"v2, PASS", authPASS, Instance{Version: 2, AdvertInterval: second, Auth: pass}, nil},
		{"v2, AH", authAH, Instance{Version: 2, AdvertInterval: second, Auth: ah}, nil},
		{"v2, unicast", unicast4, Instance{Version: 2, AdvertInterval: second, Peers: peers(wirePeers4)}, nil},
		{"v2, unicast, AH", unicast4 + authAH, Instance{Version: 2, AdvertInterval: second, Peers: peers(wirePeers4), Auth: ah}, nil},
		{"v2, unicast, AH, TTL 7", unicast4 + authAH + "unicast_ttl 7\n",
			Instance{Version: 2, AdvertInterval: second, Peers: peers(wirePeers4), TTL: 7, Auth: ah}, nil},
		{"v3", "", Instance{Version: 3, AdvertInterval: short}, nil},
		{"v3, another group", "mcast_dst_ip 224.0.0.99\n",
			Instance{Version: 3, AdvertInterval: short, Multicast: netip.MustParseAddr("224.0.0.99")}, nil},
		{"v3, 20 addresses", "", Instance{Version: 3, AdvertInterval: short, Addresses: manyVIPs(100)}, nil},
		{"v3, checksum as v2", "v3_checksum_as_v2\n", Instance{Version: 3, AdvertInterval: short, ChecksumAsV2: true}, nil},
		{"v3, unicast", unicast4, Instance{Version: 3, AdvertInterval: short, Peers: peers(wirePeers4)}, nil},
		{"v3, unicast, TTL 7", unicast4 + "unicast_ttl 7\n",
			Instance{Version: 3, AdvertInterval: short, Peers: peers(wirePeers4), TTL: 7}, nil},
		{"v3, 40.95 s", "", Instance{Version: 3, AdvertInterval: 40950 * time.Millisecond}, nil},
		{"v3, IPv6", "", Instance{Version: 3, IPv6: true, AdvertInterval: short}, nil},
		{"v3, IPv6, excluded addresses", excluded6, Instance{Version: 3, IPv6: true, AdvertInterval: short}, nil},
		{"v3, IPv6, unicast", unicast6, Instance{Version: 3, IPv6: true, AdvertInterval: short, Peers: peers(wirePeers6)}, nil},
		{"v3, IPv6, unicast, TTL 7", unicast6 + "unicast_ttl 7\n",
			Instance{Version: 3, IPv6: true, AdvertInterval: short, Peers: peers(wirePeers6), TTL: 7}, nil},
	}
	for i := range cases {
		cases[i].complete(uint8(i + 1))
	}
	return cases
}

// complete fills in what follows from the rest.
func (c *wireCase) complete(vrid uint8) {
	in := &c.in
	in.Name, in.VRID, in.Priority = c.name, vrid, 240
	if in.Addresses == nil && in.IPv6 {
		in.Addresses = addrs(fmt.Sprintf("fe80::1:%x", vrid), fmt.Sprintf("2001:db8::1:%x", vrid))
	} else if in.Addresses == nil {
		in.Addresses = []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, 100 + vrid})}
	}
	for _, peer := range in.Peers {
		c.to = append(c.to, peer.Addr)
	}
	if c.to != nil {
		return
	}
	if !in.Multicast.IsValid() {
		in.Multicast = wireGroup4
		if in.IPv6 {
			in.Multicast = wireGroup6
		}
	}
	c.to = []netip.Addr{in.Multicast}
}

// block is the configuration in keepalived's words.
func (c *wireCase) block() string {
	var b strings.Builder
	fmt.Fprintf(&b, "vrrp_instance VI_%d {\ninterface eth0\nstate BACKUP\nvirtual_router_id %[1]d\npriority %d\nversion %d\nadvert_int %v\n%s",
		c.in.VRID, c.in.Priority, c.in.Version, c.in.AdvertInterval.Seconds(), c.keepalived)
	b.WriteString("virtual_ipaddress {\n")
	for _, addr := range c.in.Addresses {
		fmt.Fprintf(&b, "%v\n", addr)
	}
	b.WriteString("}\n}\n")
	return b.String()
}

// from is the address that the adverts come from.
func (c *wireCase) from() netip.Addr {
	switch {
	case !c.in.IPv6:
		return wireFrom4
	case len(c.in.Peers) == 0:
		return wireLocal6
	}
	return wireFrom6
}

func (c *wireCase) advert(priority uint8) Advert { return advertOf(c.in, priority) }

func advertOf(in Instance, priority uint8) Advert {
	return Advert{Version: in.Version, VRID: in.VRID, Priority: priority, Interval: in.AdvertInterval, Addrs: in.Addresses}
}

// wireTime is when the packets of these tests were sent.
var wireTime = time.Unix(1750000000, 500_000_000)

// encodeAll returns the packets of one advert, one for each peer.
func (c *wireCase) encodeAll(codec *Codec, priority uint8) (packets [][]byte) {
	packets = append(packets, bytes.Clone(codec.Encode(c.advert(priority), c.from(), c.to[0], wireTime)))
	for _, to := range c.to[1:] {
		packets = append(packets, bytes.Clone(codec.Again(to)))
	}
	return packets
}

// received is the packet as a raw socket gives it.
func received(tb testing.TB, data []byte, ipv6 bool, from, to netip.Addr) Packet {
	tb.Helper()
	if ipv6 {
		return Packet{Data: data, From: from, To: to, TTL: 255}
	}
	p, ok := ParseIPv4(data)
	if !ok || p.From != from || p.To != to {
		tb.Fatalf("it should be an IPv4 packet from %v to %v: %x", from, to, data)
	}
	return p
}

// The file shows every byte of two adverts and the priority 0 at the end.
func TestWireGolden(t *testing.T) {
	var b strings.Builder
	for _, c := range wireCases() {
		codec := NewCodec(&c.in)
		fmt.Fprintf(&b, "# %s\n", c.name)
		for _, priority := range []uint8{240, 240, 0} {
			for _, packet := range c.encodeAll(codec, priority) {
				for line := range slices.Chunk(packet, 32) {
					b.WriteString(hex.EncodeToString(line) + "\n")
				}
				b.WriteByte('\n')
			}
		}
	}
	golden.Check(t, "testdata/wire.golden", []byte(b.String()))
}

func TestRoundTrip(t *testing.T) {
	for _, c := range wireCases() {
		t.Run(c.name, func(t *testing.T) {
			sender := NewCodec(&c.in)
			for i, to := range c.to {
				receiver := NewCodec(&c.in) // of the same peers: its own address is not among them, so nobody minds
				for _, priority := range []uint8{1, 100, 255, 0} {
					p := received(t, c.encodeAll(sender, priority)[i], c.in.IPv6, c.from(), to)
					if vrid, ok := p.VRID(); !ok || vrid != c.in.VRID {
						t.Errorf("VRID() = %d, %v, want %d", vrid, ok, c.in.VRID)
					}
					got, err := receiver.Decode(p, wireTime)
					if err != nil {
						t.Fatalf("priority %d: %v", priority, err)
					}
					if want := c.advert(priority); !sameAdvert(got, want) {
						t.Errorf("got %+v, want %+v", got, want)
					}
				}
			}
		})
	}
}

func sameAdvert(a, b Advert) bool {
	return a.Version == b.Version && a.VRID == b.VRID && a.Priority == b.Priority && a.Interval == b.Interval &&
		a.Unauthenticated == b.Unauthenticated && slices.Equal(a.Addrs, b.Addrs)
}

func TestIPHeader(t *testing.T) {
	c := wireCases()[0]
	codec := NewCodec(&c.in)
	codec.id = 0xFFFE
	for _, want := range []uint16{0xFFFF, 1, 2} { // 0 would have the kernel choose
		p := codec.Encode(c.advert(100), c.from(), c.to[0], wireTime)
		if got := uint16(p[4])<<8 | uint16(p[5]); got != want {
			t.Errorf("ID %d, want %d", got, want)
		}
		if p[0] != 0x45 || p[1] != 0xC0 || int(p[2])<<8|int(p[3]) != len(p) || p[6]|p[7] != 0 || p[8] != 255 || p[9] != 112 {
			t.Errorf("IP header %x", p[:20])
		}
		if fold(sum(0, p[:20])) != 0 {
			t.Errorf("wrong checksum in the IP header %x", p[:20])
		}
	}
}

// A reload must not let counters begin anew: the others would take it for a replay.
func TestChangeKeepsCounters(t *testing.T) {
	c := wireCases()[4]
	sender, receiver := NewCodec(&c.in), NewCodec(&c.in)
	for range 3 {
		packet := c.encodeAll(sender, 100)[0]
		if _, err := receiver.Decode(received(t, packet, false, c.from(), c.to[0]), wireTime); err != nil {
			t.Fatal(err)
		}
		sender.Change(&c.in)
		receiver.Change(&c.in)
	}
	if sender.ah.sequence != 3 || sender.id != 3 || receiver.ah.sequence != 3 {
		t.Errorf("counters: sequence %d and %d, ID %d; want 3", sender.ah.sequence, receiver.ah.sequence, sender.id)
	}
}

func TestEncodeDoesNotAllocate(t *testing.T) {
	c := wireCases()[0]
	codec := NewCodec(&c.in)
	advert := c.advert(100)
	codec.Encode(advert, c.from(), c.to[0], wireTime)
	if n := testing.AllocsPerRun(100, func() { codec.Encode(advert, c.from(), c.to[0], wireTime) }); n > 0 {
		t.Errorf("%v allocations for each advert: the thread that sends should not wait for the garbage collector", n)
	}
}

// BenchmarkCodec is what an advert costs on its way out and in.
func BenchmarkCodec(b *testing.B) {
	for _, in := range []Instance{plain2, pass2, ah2, plain3, hmac3} {
		name := fmt.Sprintf("v%d,auth=%d,hmac=%v", in.Version, in.Auth.Type, in.HMAC != nil)
		sender, advert := NewCodec(&in), advertOf(in, 150)
		b.Run("encode,"+name, func(b *testing.B) {
			for b.Loop() {
				sender.Encode(advert, source4, wireGroup4, wireTime)
			}
		})
		receiver := NewCodec(&in)
		p := received(b, sender.Encode(advert, source4, wireGroup4, wireTime), false, source4, wireGroup4)
		b.Run("decode,"+name, func(b *testing.B) {
			for b.Loop() {
				receiver.ah.sequence, receiver.hmac.heard = 0, nil
				if _, err := receiver.Decode(p, wireTime); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
