package doctor

import (
	"encoding/binary"
	"net/netip"
)

// What frames consist of: IEEE 802.3, RFC 791, RFC 8200, RFC 4302, RFC 9568, net/netfilter/ipvs/ip_vs_sync.c.
const (
	etherLen              = 14
	etherIPv4, etherIPv6  = 0x0800, 0x86dd
	ipv4Len, ipv6Len      = 20, 40
	protoUDP              = 17
	protoAH, protoVRRP    = 51, 112
	udpLen, syncHeaderLen = 8, 8
	syncPort, syncPorts   = 8848, 64 // the ports that sync daemons use unless told otherwise
)

// OverhearAdvert reads an Ethernet frame with a VRRP advert, in an authentication header too. Nothing of it is verified.
func OverhearAdvert(frame []byte) (a Advert, ok bool) {
	from, _, protocol, b, ok := packet(frame)
	if ok && protocol == protoAH && len(b) > 2 {
		protocol = b[0]
		b = b[min((int(b[1])+2)*4, len(b)):]
	}
	if !ok || protocol != protoVRRP || len(b) < 8 || b[0]&0xf != 1 {
		return Advert{}, false
	}
	return Advert{From: from, VRID: b[1], Priority: b[2], Count: 1}, true
}

// OverhearSync reads an Ethernet frame with a message of an IPVS sync daemon, which is on one of the ports from this one on; 0 is the
// kernel's usual.
func OverhearSync(frame []byte, port uint16) (s Sync, ok bool) {
	from, to, protocol, b, ok := packet(frame)
	if !ok || protocol != protoUDP || !to.IsMulticast() || len(b) < udpLen+syncHeaderLen {
		return Sync{}, false
	}
	if port == 0 {
		port = syncPort
	}
	at, size := binary.BigEndian.Uint16(b[2:]), int(binary.BigEndian.Uint16(b[4:]))
	if at < port || at-port >= syncPorts || size < udpLen+syncHeaderLen || size > len(b) {
		return Sync{}, false
	}
	b = b[udpLen:size]
	if int(binary.BigEndian.Uint16(b[2:])) != len(b) {
		return Sync{}, false
	}
	s = Sync{From: from, SyncID: b[1], Count: 1}
	if b[0] == 0 && b[5] == 1 && b[6] == 0 && b[7] == 0 { // as the kernel tells them apart
		s.Version = 1
	}
	return s, true
}

// packet returns the ends of an IP packet, its protocol and what it carries. Fragments and IPv6 extensions before the protocol are no
// packets here: nobody sends adverts or sync messages with them.
func packet(frame []byte) (from, to netip.Addr, protocol byte, payload []byte, ok bool) {
	if len(frame) < etherLen {
		return
	}
	b := frame[etherLen:]
	switch binary.BigEndian.Uint16(frame[12:]) {
	case etherIPv4:
		if len(b) < ipv4Len || b[0]>>4 != 4 || binary.BigEndian.Uint16(b[6:])&0x3fff != 0 {
			return
		}
		head, size := int(b[0]&0xf)*4, int(binary.BigEndian.Uint16(b[2:]))
		if head < ipv4Len || size < head || size > len(b) {
			return
		}
		return netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:])), b[9], b[head:size], true
	case etherIPv6:
		if len(b) < ipv6Len || b[0]>>4 != 6 {
			return
		}
		size := ipv6Len + int(binary.BigEndian.Uint16(b[4:]))
		if size > len(b) {
			return
		}
		return netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:])), b[6], b[ipv6Len:size], true
	}
	return
}

// OverhearNeighbour returns the ICMPv6 message of an Ethernet frame if it comes from this network, as vip.NAClaim wants it.
func OverhearNeighbour(frame []byte) (message []byte, ok bool) {
	const icmpv6, fresh = 58, 255
	_, _, protocol, b, ok := packet(frame)
	if !ok || protocol != icmpv6 || binary.BigEndian.Uint16(frame[12:]) != etherIPv6 || frame[etherLen+7] != fresh {
		return nil, false
	}
	return b, true
}
