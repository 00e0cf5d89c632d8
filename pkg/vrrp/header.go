package vrrp

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// Numbers of IP protocols: that of VRRP, and that of the authentication header in front of it.
const (
	ProtocolVRRP = 112
	ProtocolAH   = 51
)

const (
	ipv4HeaderLen = 20
	headerLenVRRP = 8
	authDataLen   = 8 // of version 2, at the end of the message
	tos           = 0xC0
	defaultTTL    = 255 // RFC 9568 5.1.1.3: also what multicast adverts must have
	advertisement = 1   // the only type there is
)

func headerLen(ip []byte) int { return int(ip[0]&0xF) * 4 }

// appendIPv4 begins a packet with its IP header. Its length and checksum come at the end of Encode.
func (c *Codec) appendIPv4(b []byte, to netip.Addr) []byte {
	ttl, protocol := uint8(defaultTTL), uint8(ProtocolVRRP)
	if !to.IsMulticast() && c.in.TTL != 0 {
		ttl = c.in.TTL
	}
	if c.in.Auth.Type == AuthAH {
		protocol = ProtocolAH
	}
	b = append(b, 0x45, tos, 0, 0, byte(c.id>>8), byte(c.id), 0, 0, ttl, protocol, 0, 0)
	b = append(b, c.own.AsSlice()...)
	return append(b, to.AsSlice()...)
}

// appendMessage adds the VRRP message (RFC 3768 5.1, RFC 9568 5.1).
func (c *Codec) appendMessage(b []byte, to netip.Addr) []byte {
	start, a := len(b), c.last
	b = append(b, a.Version<<4|advertisement, a.VRID, a.Priority, uint8(len(a.Addrs)))
	if a.Version == 2 {
		b = append(b, byte(c.in.Auth.Type), byte(a.Interval/time.Second))
	} else {
		b = binary.BigEndian.AppendUint16(b, uint16(a.Interval/centisecond)&maxInterval)
	}
	b = append(b, 0, 0)
	for _, addr := range a.Addrs {
		b = append(b, addr.AsSlice()...)
	}
	if a.Version == 2 {
		var data [authDataLen]byte
		if c.in.Auth.Type == AuthPASS {
			data = c.in.Auth.Password
		}
		b = append(b, data[:]...)
	}
	setChecksum(b[start:], c.startSum(a.Version, to, len(b)-start))
	return b
}

// Of version 3: the unit of the interval, and the largest one there is room for.
const (
	centisecond = 10 * time.Millisecond
	maxInterval = 0xFFF
)

// message is a packet whose parts are where they should be.
type message struct {
	Packet
	ah      []byte    // nil: none
	body    []byte    // of VRRP: header, addresses, authentication data of version 2
	trailer []byte    // of auth_hmac; nil: none
	now     time.Time // of day
	sum     sumKind
	stamp   stamp
}

// parse finds the parts of a packet. It answers for the first two checks, the authentication header and the length.
func (c *Codec) parse(p Packet, now time.Time) (*message, Reject) {
	p.From = p.From.WithZone("")
	m := &message{Packet: p, body: p.payload(), now: now}
	if p.From.Is6() != c.in.IPv6 {
		return nil, RejectLength
	}
	if p.AH != (c.in.Auth.Type == AuthAH) {
		return nil, RejectAuthHeader
	}
	if p.AH {
		if len(m.body) < ahLen {
			return nil, RejectLength
		}
		m.ah, m.body = m.body[:ahLen], m.body[ahLen:]
		if m.ah[0] != ProtocolVRRP || m.ah[1] != ahLengthField {
			return nil, RejectAuthHeader
		}
	}
	if len(m.body) < headerLenVRRP {
		return nil, RejectLength
	}
	count := int(m.body[3])
	length := headerLenVRRP + count*m.addrLen()
	if m.version() == 2 {
		length += authDataLen
	} else if count == 0 && len(c.in.Addresses) > 0 { // RFC 9568 5.2.5
		return nil, RejectLength
	}
	switch {
	case len(m.body) == length:
	case c.in.HMAC != nil && len(m.body) == length+trailerLen:
		m.body, m.trailer = m.body[:length], m.body[length:]
	default:
		return nil, RejectLength
	}
	if m.body[1] != c.in.VRID {
		return nil, RejectUnknownVRID
	}
	return m, 0
}

func (m *message) version() uint8  { return m.body[0] >> 4 }
func (m *message) kind() uint8     { return m.body[0] & 0xF }
func (m *message) priority() uint8 { return m.body[2] }

func (m *message) addrLen() int {
	if m.From.Is4() {
		return 4
	}
	return 16
}

func (m *message) interval() time.Duration {
	if m.version() == 2 {
		return time.Duration(m.body[5]) * time.Second
	}
	return time.Duration(binary.BigEndian.Uint16(m.body[4:])&maxInterval) * centisecond
}

// advert returns the content.
func (m *message) advert(unsigned bool) Advert {
	a := Advert{
		Version:  m.version(),
		VRID:     m.body[1],
		Priority: m.priority(),
		Interval: m.interval(),
		Addrs:    make([]netip.Addr, m.body[3]),
	}
	rest := m.body[headerLenVRRP:]
	for i := range a.Addrs {
		a.Addrs[i], _ = netip.AddrFromSlice(rest[:m.addrLen()])
		rest = rest[m.addrLen():]
	}
	a.Unauthenticated = unsigned
	return a
}
