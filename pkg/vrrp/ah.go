package vrrp

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/binary"
	"hash"
	"net/netip"
)

// The authentication header (RFC 2402) with HMAC-MD5-96 (RFC 2403), as keepalived fills it in.
const (
	ahLen         = 24
	ahLengthField = 4 // in words of 32 bits, less two
	icvLen        = 12
	ahLast        = 0xFFFFFFFD // sequence number after which it begins anew
)

// ahState is what signs packets and tells those that were seen. Sent and received packets share one counter: a router that comes
// back learns from the active one how far it is.
type ahState struct {
	mac      hash.Hash
	sequence uint32
}

func (s *ahState) setKey(auth Auth) {
	s.mac = nil
	if auth.Type == AuthAH {
		s.mac = hmac.New(md5.New, auth.Password[:])
	}
}

func (s *ahState) next() {
	if s.sequence >= ahLast {
		s.sequence = 0
	}
	s.sequence++
}

// append adds a header without its ICV.
func (s *ahState) append(b []byte, from netip.Addr) []byte {
	b = append(b, ProtocolVRRP, ahLengthField, 0, 0)
	b = append(b, from.AsSlice()...) // keepalived's SPI
	b = binary.BigEndian.AppendUint32(b, s.sequence)
	return append(b, make([]byte, icvLen)...)
}

// sign fills in the ICV of an IPv4 packet.
func (s *ahState) sign(packet []byte, unicast bool) {
	ip, ah := packet[:ipv4HeaderLen], packet[ipv4HeaderLen:]
	copy(ah[icvAt:ahLen], s.icv(ip, ah[:ahLen], ah[ahLen:], unicast))
}

const icvAt = ahLen - icvLen

// icv covers what routers on the way don't change. The TTL of multicast can't change, so keepalived has it covered. No router
// sends options.
func (s *ahState) icv(ip, ah, body []byte, unicast bool) []byte {
	var head [ipv4HeaderLen]byte
	copy(head[:], ip)
	head[1], head[6], head[7], head[10], head[11] = 0, 0, 0, 0, 0
	if unicast {
		head[8] = 0
	}
	var none [icvLen]byte
	s.mac.Reset()
	s.mac.Write(head[:])
	s.mac.Write(ah[:icvAt])
	s.mac.Write(none[:])
	s.mac.Write(body)
	return s.mac.Sum(nil)[:icvLen]
}

// check says whether a header is right, and its packet a new one.
func (s *ahState) check(m *message) Reject {
	if received := m.sequence(); received <= s.sequence && s.sequence < ahLast {
		return RejectReplay
	}
	if !hmac.Equal(m.ah[icvAt:], s.icv(m.Data[:ipv4HeaderLen], m.ah, m.body, !m.To.IsMulticast())) {
		return RejectICV
	}
	return 0
}

// sequence is that of the authentication header.
func (m *message) sequence() uint32 { return binary.BigEndian.Uint32(m.ah[8:]) }
