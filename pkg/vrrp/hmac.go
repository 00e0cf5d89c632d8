package vrrp

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"net/netip"
	"slices"
	"time"
)

// The trailer of keepalived's auth_hmac: type, key, two reserved bytes, stamp, MAC.
const (
	trailerLen  = 28
	trailerType = 1
	stampAt     = 4
	macAt       = 12
	maxSenders  = 4 // that are remembered, if there are not more unicast peers
)

// stamp orders the packets of one sender: 32 bits of seconds, 16 of fractions of them, 16 of a counter of packets.
type stamp uint64

func stampAtTime(now time.Time) stamp {
	fraction := stamp(now.Nanosecond()) << 16 / stamp(time.Second)
	return stamp(now.Unix())<<32 | fraction<<16
}

// after compares like serial numbers (RFC 1982), for the seconds wrap around.
func (s stamp) after(other stamp) bool { return int64(s-other) > 0 }

// age is how long before or after now a stamp was made, in whole seconds.
func (s stamp) age(now time.Time) time.Duration {
	return (time.Duration(int32(uint32(now.Unix())-uint32(s>>32))) * time.Second).Abs()
}

// hmacState is what makes and checks trailers.
type hmacState struct {
	conf  *HMAC // nil: there are none
	macs  map[uint8]hash.Hash
	sent  stamp
	heard []sender // the latest first
}

// sender is what is remembered of another router.
type sender struct {
	addr netip.Addr
	last stamp
}

func (s *hmacState) setKeys(conf *HMAC) {
	s.conf, s.macs = conf, nil
	if conf == nil {
		return
	}
	s.macs = make(map[uint8]hash.Hash, len(conf.Keys))
	for id, key := range conf.Keys {
		s.macs[id] = hmac.New(sha256.New, key)
	}
}

func (s *hmacState) sends() bool {
	return s.conf != nil && s.conf.Mode != ReceiveOnly && s.macs[s.conf.Active] != nil
}

// next makes a stamp that is later than the last one, also if the clock was put back a little. If it was put back by more than others
// accept, it is what they go by.
func (s *hmacState) next(now time.Time) {
	if !s.sends() {
		return
	}
	n := stampAtTime(now)
	if s.sent == 0 || n.after(s.sent) || !s.conf.Monotonic && s.sent.age(now) > s.conf.TimeWindow {
		s.sent = n
	} else {
		s.sent++
	}
}

// append adds the trailer of the message that begins at start.
func (s *hmacState) append(b []byte, start int, from netip.Addr) []byte {
	trailer := len(b)
	b = append(b, trailerType, s.conf.Active, 0, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(s.sent))
	return append(b, s.mac(s.conf.Active, b[start:trailer], b[trailer:], from)...)
}

// mac covers a pseudo header, the message without its checksum and the trailer up to the MAC.
func (s *hmacState) mac(key uint8, body, trailer []byte, from netip.Addr) []byte {
	family := byte(4)
	if from.Is6() {
		family = 6
	}
	var pseudo [20]byte
	pseudo[0], pseudo[1], pseudo[2] = family, body[0]>>4, body[1]
	copy(pseudo[4:], from.AsSlice())
	var none [sha256.Size / 2]byte
	m := s.macs[key]
	m.Reset()
	m.Write(pseudo[:])
	m.Write(body[:6])
	m.Write(none[:2])
	m.Write(body[8:])
	m.Write(trailer[:macAt])
	m.Write(none[:])
	return m.Sum(nil)[:len(none)]
}

// check looks at the age first, then at the MAC, then whether the packet was seen before.
func (s *hmacState) check(m *message) Reject {
	if m.trailer == nil {
		if s.conf.Mode == Enforce {
			return RejectTrailer
		}
		return 0
	}
	m.stamp = stamp(binary.BigEndian.Uint64(m.trailer[stampAt:]))
	if m.trailer[0] != trailerType || s.macs[m.trailer[1]] == nil {
		return RejectTrailer
	}
	if !s.conf.Monotonic && m.stamp.age(m.now) > s.conf.TimeWindow {
		return RejectTrailer
	}
	if !hmac.Equal(m.trailer[macAt:], s.mac(m.trailer[1], m.body, m.trailer, m.From)) {
		return RejectTrailer
	}
	for _, known := range s.heard {
		if known.addr == m.From && !m.stamp.after(known.last) {
			return RejectReplay
		}
	}
	return 0
}

// accept remembers the stamp of a packet, and forgets who was not heard for the longest time.
func (s *hmacState) accept(m *message, peers int) {
	i := slices.IndexFunc(s.heard, func(known sender) bool { return known.addr == m.From })
	if i < 0 {
		i = min(len(s.heard), max(maxSenders, peers)-1)
		s.heard = append(s.heard[:i], sender{})
	}
	copy(s.heard[1:i+1], s.heard[:i])
	s.heard[0] = sender{m.From, m.stamp}
}
