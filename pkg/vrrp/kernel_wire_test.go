//go:build kernel

package vrrp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// keepalived runs with all configurations of wireCases, and is stopped when each has said something: then every byte of its packets,
// IP ID and sequence number of AH included, is what our codec says, and our codec believes them.
func TestKernelWire(t *testing.T) {
	l := newLink(t)
	// keepalived 2.2.7 does not know v3_checksum_as_v2, and 40 s are too long to wait.
	cases := slices.DeleteFunc(wireCases(), func(c wireCase) bool { return c.in.ChecksumAsV2 || c.in.AdvertInterval > 2*time.Second })
	var conf strings.Builder
	for _, c := range cases {
		conf.WriteString(c.block())
	}
	captured := l.capture(t)
	process, _ := l.start(t, conf.String())

	byVRID := func() (map[uint8][]Packet, error) {
		packets, err := captured.packets()
		of := make(map[uint8][]Packet)
		for _, p := range packets {
			vrid, _ := p.VRID()
			of[vrid] = append(of[vrid], p)
		}
		return of, err
	}
	lab.WaitFor(t, patience, "two adverts of each", func() error {
		of, err := byVRID()
		for _, c := range cases {
			if n := len(of[c.in.VRID]); err == nil && n < 2*len(c.to) {
				err = fmt.Errorf("%d of %s\n%s", n, c.name, process.Log())
			}
		}
		return err
	})
	_ = process.Stop() // it ends by the signal, with priority 0
	var all map[uint8][]Packet
	lab.WaitFor(t, patience, "priority 0 of each", func() (err error) {
		all, err = byVRID()
		for _, c := range cases {
			if err == nil && priorityOf(all[c.in.VRID][len(all[c.in.VRID])-1]) != 0 {
				err = fmt.Errorf("none of %s", c.name)
			}
		}
		return err
	})

	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.compare(t, l, all[c.in.VRID]) })
	}
}

func priorityOf(p Packet) uint8 {
	message := p.payload()
	if p.AH {
		message = message[ahLen:]
	}
	return message[2]
}

// compare holds the packets of one instance against ours.
func (c *wireCase) compare(t *testing.T, l *link, packets []Packet) {
	from := c.from()
	if from == wireLocal6 {
		from = l.local
	}
	ours := NewCodec(&c.in)
	receivers := make([]*Codec, len(c.to))
	for i := range receivers {
		receivers[i] = NewCodec(&c.in)
	}
	if len(packets)%len(c.to) != 0 {
		t.Fatalf("%d packets to %d peers", len(packets), len(c.to))
	}
	for i, theirs := range packets {
		priority := uint8(240)
		if i >= len(packets)-len(c.to) {
			priority = 0
		}
		advert, to := c.advert(priority), c.to[i%len(c.to)]
		packet := ours.Again(to)
		if i%len(c.to) == 0 {
			packet = ours.Encode(advert, from, to, wireTime)
		}
		if !bytes.Equal(packet, theirs.Data) || theirs.From != from || theirs.To != to {
			t.Fatalf("packet %d, %v to %v\nkeepalived, %v to %v:\n%x\nours:\n%x", i, theirs.From, theirs.To, from, to, theirs.Data, packet)
		}
		if want := c.ttl(); theirs.TTL != want {
			t.Errorf("packet %d: TTL %d, want %d", i, theirs.TTL, want)
		}
		got, err := receivers[i%len(c.to)].Decode(theirs, wireTime)
		if err != nil || !sameAdvert(got, advert) {
			t.Errorf("packet %d: %+v, %v", i, got, err)
		}
	}
	t.Logf("%d packets", len(packets))
}

// ttl is that of its packets. keepalived leaves it to the kernel with IPv6 and unicast.
func (c *wireCase) ttl() uint8 {
	switch {
	case c.in.TTL != 0:
		return c.in.TTL
	case c.in.IPv6 && len(c.in.Peers) > 0:
		return 64
	}
	return defaultTTL
}

// Two programs that know VRRP and nothing of us find nothing wrong with our packets.
func TestKernelObservers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pcap")
	pcap := binary.LittleEndian.AppendUint32(nil, 0xA1B2C3D4)
	pcap = append(pcap, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0) // of raw IP packets
	var names []string
	for _, c := range wireCases() {
		if c.in.ChecksumAsV2 {
			continue // which is wrong in their eyes, too
		}
		for i, packet := range c.encodeAll(NewCodec(&c.in), 240) {
			if c.in.IPv6 {
				packet = underIPv6(packet, c.from(), c.to[i])
			}
			names = append(names, c.name)
			pcap = append(pcap, make([]byte, 8)...)
			pcap = binary.LittleEndian.AppendUint32(pcap, uint32(len(packet)))
			pcap = binary.LittleEndian.AppendUint32(pcap, uint32(len(packet)))
			pcap = append(pcap, packet...)
		}
	}
	if err := os.WriteFile(file, pcap, 0o600); err != nil {
		t.Fatal(err)
	}
	here := lab.Here(t)

	shown := here.Run("tcpdump", "-n", "-vv", "-r", file)
	for _, word := range []string{"bad", "incorrect", "invalid", "truncated", "malformed", "[|"} {
		if strings.Contains(shown, word) {
			t.Errorf("tcpdump says %q:\n%s", word, shown)
		}
	}
	if n := strings.Count(shown, "VRRPv"); n != len(names) {
		t.Errorf("tcpdump found VRRP in %d packets of %d:\n%s", n, len(names), shown)
	}

	fields := []string{"-T", "fields", "-E", "separator=,"}
	for _, field := range []string{"vrrp.checksum.status", "ip.checksum.status", "_ws.malformed", "_ws.expert"} {
		fields = append(fields, "-e", field)
	}
	lines := strings.Split(here.Run(append([]string{"tshark", "-n", "-r", file, "-o", "ip.check_checksum:TRUE"}, fields...)...), "\n")
	for i, name := range names {
		want := "1,1,," // both good, not malformed
		if strings.Contains(name, "IPv6") {
			want = "1,,,"
		}
		if !strings.HasPrefix(lines[i], want) || strings.Contains(lines[i], "Error") || strings.Contains(lines[i], "Warning") {
			t.Errorf("tshark of %s: %s, want %s", name, lines[i], want)
		}
	}
	t.Logf("%d packets", len(names))
}

// underIPv6 puts an IP header in front of a message.
func underIPv6(message []byte, from, to netip.Addr) []byte {
	header := []byte{0x60 | tos>>4, 0, 0, 0, byte(len(message) >> 8), byte(len(message)), ProtocolVRRP, defaultTTL}
	return slices.Concat(header, from.AsSlice(), to.AsSlice(), message)
}

// An active keepalived that hears a router of lower priority with a higher sequence number of AH goes on from there, and so do we.
func TestKernelAHCounter(t *testing.T) {
	l := newLink(t)
	c := wireCase{keepalived: authAH, in: Instance{Version: 2, AdvertInterval: time.Second, Auth: Auth{AuthAH, secret}}}
	c.complete(51)
	captured := l.capture(t)
	l.start(t, c.block())
	theirs := func() []Packet {
		packets, err := captured.packets()
		if err != nil {
			t.Fatal(err)
		}
		return slices.DeleteFunc(packets, func(p Packet) bool { return p.From != wireFrom4 })
	}
	lab.WaitFor(t, patience, "keepalived to be active", func() error {
		if len(theirs()) < 2 {
			return fmt.Errorf("%d adverts", len(theirs()))
		}
		return nil
	})

	lower := NewCodec(&c.in)
	lower.ah.sequence = 999
	packet := received(t, bytes.Clone(lower.Encode(c.advert(100), source4, wireGroup4, wireTime)), false, source4, wireGroup4)
	l.send(t, packet)
	var after Packet
	lab.WaitFor(t, patience, "an advert behind it", func() error {
		all := theirs()
		after = all[len(all)-1]
		if binary.BigEndian.Uint32(after.payload()[8:]) < 1000 {
			return fmt.Errorf("%d adverts, the last one is %x", len(all), after.Data)
		}
		return nil
	})

	ours := NewCodec(&c.in)
	if err := decoded(ours, packet, wireTime); err != nil {
		t.Fatal(err)
	}
	ours.Outrun()
	ours.id = binary.BigEndian.Uint16(after.Data[4:]) - 1
	if got := ours.Encode(c.advert(240), wireFrom4, wireGroup4, wireTime); !bytes.Equal(got, after.Data) {
		t.Errorf("keepalived:\n%x\nours:\n%x", after.Data, got)
	}
}
