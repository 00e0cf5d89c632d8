package vrrp

import (
	"encoding/binary"
	"net/netip"
)

// sumKind is which of the checksums in use a packet has.
type sumKind uint8

const (
	sumRight sumKind = iota
	sumOld           // keepalived up to 1.3.6: unicast, with the multicast group in the pseudo header
)

// multicastGroup was in the pseudo header of unicast adverts until keepalived 1.3.6.
var multicastGroup = netip.AddrFrom4([4]byte{224, 0, 0, 18})

// sum adds the bytes, an even number of them, to a sum of 16 bit numbers (RFC 1071).
func sum(s uint32, b []byte) uint32 {
	for ; len(b) > 1; b = b[2:] {
		s += uint32(binary.BigEndian.Uint16(b))
	}
	return s
}

// fold makes a checksum of a sum.
func fold(s uint32) uint16 {
	for s > 0xFFFF {
		s = s&0xFFFF + s>>16
	}
	return ^uint16(s)
}

// pseudoSum is the sum of the pseudo header (RFC 9568 5.2.8).
func pseudoSum(from, to netip.Addr, length int) uint32 {
	s := uint32(ProtocolVRRP) + uint32(length)
	s = sum(s, from.AsSlice())
	return sum(s, to.AsSlice())
}

// startSum is what the checksum of a message that we send begins with.
func (c *Codec) startSum(version uint8, to netip.Addr, length int) uint32 {
	switch {
	case version == 2, c.in.ChecksumAsV2 && !c.in.IPv6:
		return 0
	case c.oldChecksum && !to.IsMulticast():
		return pseudoSum(c.own, multicastGroup, length)
	}
	return pseudoSum(c.own, to, length)
}

// setChecksum fills in the checksum of a message.
func setChecksum(message []byte, start uint32) {
	message[6], message[7] = 0, 0
	binary.BigEndian.PutUint16(message[6:], fold(sum(start, message)))
}

// checkChecksum accepts the checksum of our version. With v3_checksum_as_v2 there may be a pseudo header or not, and a unicast
// packet may have that of keepalived up to 1.3.6, if the configuration says so.
func (c *Codec) checkChecksum(m *message) Reject {
	summed := m.body
	if c.in.IPv6 && m.trailer != nil { // the kernel's reaches to the end
		summed = m.body[:len(m.body)+trailerLen]
	}
	good := func(start uint32) bool { return fold(sum(start, summed)) == 0 }
	switch {
	case m.version() == 2:
		if good(0) {
			return 0
		}
	case good(pseudoSum(m.From, m.To, len(summed))):
		return 0
	case c.in.IPv6:
	case c.in.ChecksumAsV2 && good(0):
		return 0
	case c.in.OldUnicastChecksum && !m.To.IsMulticast() && good(pseudoSum(m.From, multicastGroup, len(summed))):
		m.sum = sumOld
		return 0
	}
	return RejectChecksum
}
