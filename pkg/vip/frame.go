package vip

import (
	"encoding/binary"
	"net/netip"
)

// What the frames consist of: IEEE 802, RFC 826, RFC 8200, RFC 4861.
const (
	etherARP, etherIPv6 = 0x0806, 0x86dd
	arpEthernet, arpIP  = 1, 0x0800
	arpRequest          = 1
	icmpv6, adverts     = 58, 136 // neighbour advertisement
	hopLimit            = 255     // a router would have made it less
	flagRouter          = 0x80
	flagOverride        = 0x20
	targetLinkLayer     = 2 // option

	etherLen, arpLen, ipv6Len, naLen, optionLen = 14, 28, 40, 24, 8
)

// Frame is the Ethernet frame that tells all neighbours that an address is at this MAC: a gratuitous ARP (RFC 5227, 3) or an
// unsolicited neighbour advertisement (RFC 4861, 7.2.6). Router is for the latter: the host forwards IPv6. The bytes are keepalived's.
func Frame(mac [6]byte, addr netip.Addr, router bool) []byte {
	if addr.Is4() {
		return gratuitousARP(mac, addr.As4())
	}
	return unsolicitedNA(mac, addr.As16(), router)
}

func gratuitousARP(mac [6]byte, addr [4]byte) []byte {
	b := ether(etherLen+arpLen, [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, mac, etherARP)
	b = binary.BigEndian.AppendUint16(b, arpEthernet)
	b = binary.BigEndian.AppendUint16(b, arpIP)
	b = append(b, byte(len(mac)), byte(len(addr)), 0, arpRequest)
	b = append(b, mac[:]...)
	b = append(b, addr[:]...)
	b = append(b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff) // nobody reads the target's; keepalived's choice
	return append(b, addr[:]...)
}

var allNodes = netip.MustParseAddr("ff02::1").As16()

func unsolicitedNA(mac [6]byte, addr [16]byte, router bool) []byte {
	flags := byte(flagOverride)
	if router {
		flags |= flagRouter
	}
	b := ether(etherLen+ipv6Len+naLen+optionLen, [6]byte{0x33, 0x33, 0, 0, 0, 1}, mac, etherIPv6)
	b = append(b, 0x60, 0, 0, 0, 0, naLen+optionLen, icmpv6, hopLimit)
	b = append(b, addr[:]...)
	b = append(b, allNodes[:]...)
	b = append(b, adverts, 0, 0, 0, flags, 0, 0, 0)
	b = append(b, addr[:]...)
	b = append(b, targetLinkLayer, optionLen/8)
	b = append(b, mac[:]...)
	message := b[etherLen+ipv6Len:]
	binary.BigEndian.PutUint16(message[2:], checksum(b[etherLen+8:])) // with the addresses in front
	return b
}

func ether(size int, to, from [6]byte, kind uint16) []byte {
	b := append(make([]byte, 0, size), to[:]...)
	b = append(b, from[:]...)
	return binary.BigEndian.AppendUint16(b, kind)
}

// checksum is that of RFC 4443, 2.3, over an ICMPv6 message behind the two addresses of its header, which with length and protocol are
// the pseudo header. All our messages have an even length.
func checksum(b []byte) uint16 {
	sum := uint32(len(b)-32) + icmpv6
	for ; len(b) > 0; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// Claim is what a neighbour says: the address is at this MAC.
type Claim struct {
	Addr netip.Addr
	MAC  [6]byte
}

// ARPClaim reads the claim in an Ethernet frame with an ARP request or reply: its sender. A probe (RFC 5227) is none.
func ARPClaim(frame []byte) (c Claim, ok bool) {
	if len(frame) < etherLen+arpLen || binary.BigEndian.Uint16(frame[12:]) != etherARP {
		return c, false
	}
	b := frame[etherLen:]
	if binary.BigEndian.Uint16(b) != arpEthernet || binary.BigEndian.Uint16(b[2:]) != arpIP || b[4] != 6 || b[5] != 4 {
		return c, false
	}
	c.Addr, c.MAC = netip.AddrFrom4([4]byte(b[14:])), [6]byte(b[8:])
	return c, !c.Addr.IsUnspecified()
}

// NAClaim reads the claim in an ICMPv6 message that is a neighbour advertisement. One without a link-layer address is none: it answers
// somebody who knows it already.
func NAClaim(message []byte) (c Claim, ok bool) {
	if len(message) < naLen || message[0] != adverts || message[1] != 0 {
		return c, false
	}
	c.Addr = netip.AddrFrom16([16]byte(message[8:]))
	for b := message[naLen:]; len(b) >= optionLen; {
		size := int(b[1]) * 8
		if size == 0 || size > len(b) { // RFC 4861, 4.6: discard
			return c, false
		}
		if b[0] == targetLinkLayer && size == optionLen {
			c.MAC = [6]byte(b[2:])
			return c, true
		}
		b = b[size:]
	}
	return c, false
}
