package vrrp

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// Packet is what came in by a raw socket.
type Packet struct {
	// Data is the packet from its IP header on with IPv4, from behind the IP header on with IPv6, as raw sockets give it.
	Data     []byte
	From, To netip.Addr
	TTL      uint8 // or hop limit
	AH       bool  // it has an authentication header in front of the message
}

// ParseIPv4 reads the IP header of what a raw socket gave. The packet shares the bytes. False: they are no IPv4 packet.
func ParseIPv4(data []byte) (Packet, bool) {
	if len(data) < ipv4HeaderLen || data[0]>>4 != 4 || headerLen(data) < ipv4HeaderLen || headerLen(data) > len(data) {
		return Packet{}, false
	}
	return Packet{
		Data: data,
		From: netip.AddrFrom4([4]byte(data[12:])),
		To:   netip.AddrFrom4([4]byte(data[16:])),
		TTL:  data[8],
		AH:   data[9] == ProtocolAH,
	}, true
}

// VRID tells which virtual router the packet is for, before anything else of it is checked. False: it is too short to say.
func (p Packet) VRID() (uint8, bool) {
	message := p.payload()
	if p.AH {
		message = message[min(ahLen, len(message)):]
	}
	if len(message) < headerLenVRRP {
		return 0, false
	}
	return message[1], true
}

// payload is what follows the IP header.
func (p Packet) payload() []byte {
	if !p.From.Is4() {
		return p.Data
	}
	if len(p.Data) < ipv4HeaderLen {
		return nil
	}
	return p.Data[min(headerLen(p.Data), len(p.Data)):]
}

// Codec turns the adverts of one instance into packets and back, with all checks and the authentication. It keeps what the
// next packet depends on: counters of sent packets, and what tells replayed ones. It is not safe for concurrent use.
type Codec struct {
	in  Instance
	own netip.Addr // that adverts come from; zero: not known yet

	buf  []byte // of Encode
	last Advert // that was sent, and its ID
	id   uint16

	// oldChecksum: the last packet that was believed had the checksum of keepalived up to 1.3.6.
	oldChecksum bool
	ah          ahState
	hmac        hmacState
}

// NewCodec returns the codec of an instance.
func NewCodec(in *Instance) *Codec {
	c := &Codec{}
	c.Change(in)
	return c
}

// Change takes another configuration of the same instance. What tells replayed packets stays: other routers would take
// counters that begin anew for a replay.
func (c *Codec) Change(in *Instance) {
	c.in = *in
	if in.IPv6 || in.Version != 2 || in.HMAC != nil {
		c.in.Auth = Auth{}
	}
	if in.Source.IsValid() {
		c.own = in.Source.WithZone("")
	}
	c.ah.setKey(c.in.Auth)
	c.hmac.setKeys(c.in.HMAC)
}

// Encode returns the packet that says the advert: with IPv4 a whole IP packet for a socket with IP_HDRINCL, with IPv6 the
// message behind the IP header. The hop limit and traffic class of IPv6 are the socket's business. From and to must be of the
// instance's family, and now is the time of day, for auth_hmac. The bytes are good until the next call.
func (c *Codec) Encode(a Advert, from, to netip.Addr, now time.Time) []byte {
	c.own, c.last = from.WithZone(""), a
	if c.id++; c.id == 0 { // the kernel would put one of its own there
		c.id = 1
	}
	c.ah.next()
	c.hmac.next(now)
	return c.Again(to)
}

// Again returns the packet of the last advert for the next unicast peer. All peers get the same one, as keepalived's do: their
// packets have the same ID, sequence number and stamp.
func (c *Codec) Again(to netip.Addr) []byte {
	b := c.buf[:0]
	if !c.in.IPv6 {
		b = c.appendIPv4(b, to)
	}
	if c.in.Auth.Type == AuthAH {
		b = c.ah.append(b, c.own)
	}
	start := len(b)
	b = c.appendMessage(b, to)
	if c.hmac.sends() {
		b = c.hmac.append(b, start, c.own)
		if c.in.IPv6 { // the kernel sums up all that the packet carries
			setChecksum(b[start:], pseudoSum(c.own, to, len(b)-start))
		}
	}
	c.buf = b
	if !c.in.IPv6 {
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
		binary.BigEndian.PutUint16(b[10:], fold(sum(0, b[:ipv4HeaderLen])))
	}
	if c.in.Auth.Type == AuthAH {
		c.ah.sign(b, !to.IsMulticast())
	}
	return b
}

// Decode checks a packet in keepalived's order and returns what it says. The error is always a Reject, and then nothing of the packet
// had an effect. Now is the time of day, for auth_hmac.
//
// Not its business are addresses other than ours, which keepalived counts and believes all the same, and other intervals in
// version 3, which a backup learns.
func (c *Codec) Decode(p Packet, now time.Time) (Advert, error) {
	m, reject := c.parse(p, now)
	if reject != 0 {
		return Advert{}, reject
	}
	for _, check := range checks {
		if reject := check(c, m); reject != 0 {
			return Advert{}, reject
		}
	}
	c.accept(m)
	return m.advert(c.in.HMAC != nil && m.trailer == nil), nil
}

// Outrun skips a sequence number of AH, as keepalived does when it is active and hears a router of lower priority: that one may just be
// sending the next number.
func (c *Codec) Outrun() { c.ah.next() }
