package vrrp

import (
	"crypto/subtle"
	"encoding/binary"
)

// checks are those behind parse, in keepalived's order.
var checks = [...]func(*Codec, *message) Reject{
	(*Codec).checkTTL, (*Codec).checkVersion, (*Codec).checkTrailer, (*Codec).checkAuth, (*Codec).checkInterval, (*Codec).checkType,
	(*Codec).checkIPLength, (*Codec).checkChecksum, (*Codec).checkCast, (*Codec).checkOwner, (*Codec).checkPeer, (*Codec).checkOurs,
}

func (c *Codec) checkTTL(m *message) Reject {
	if len(c.in.Peers) == 0 && m.TTL != defaultTTL {
		return RejectTTL
	}
	return 0
}

func (c *Codec) checkVersion(m *message) Reject {
	if m.version() != c.in.Version {
		return RejectVersion
	}
	return 0
}

func (c *Codec) checkTrailer(m *message) Reject {
	if c.in.HMAC == nil {
		return 0
	}
	return c.hmac.check(m)
}

// checkAuth is for the authentication of version 2.
func (c *Codec) checkAuth(m *message) Reject {
	if c.in.Version != 2 {
		return 0
	}
	if AuthType(m.body[4]) != c.in.Auth.Type {
		return RejectAuthType
	}
	switch c.in.Auth.Type {
	case NoAuth:
	case AuthPASS:
		if subtle.ConstantTimeCompare(m.body[len(m.body)-authDataLen:], c.in.Auth.Password[:]) == 0 {
			return RejectPassword
		}
	case AuthAH:
		return c.ah.check(m)
	}
	return 0
}

func (c *Codec) checkInterval(m *message) Reject {
	if interval := m.interval(); interval == 0 || m.version() == 2 && interval != c.in.AdvertInterval {
		return RejectInterval
	}
	return 0
}

func (c *Codec) checkType(m *message) Reject {
	if m.kind() != advertisement {
		return RejectType
	}
	return 0
}

func (c *Codec) checkIPLength(m *message) Reject {
	if !c.in.IPv6 && int(binary.BigEndian.Uint16(m.Data[2:])) != len(m.Data) {
		return RejectIPLength
	}
	return 0
}

func (c *Codec) checkCast(m *message) Reject {
	if m.To.IsMulticast() != (len(c.in.Peers) == 0) {
		return RejectCast
	}
	return 0
}

func (c *Codec) checkOwner(*message) Reject {
	if c.in.OwnerIgnoreAdverts && c.in.Priority == 255 {
		return RejectOwner
	}
	return 0
}

// checkPeer holds the sender against the list of peers. Without check_unicast_src a router that is not in it counts as well.
func (c *Codec) checkPeer(m *message) Reject {
	for _, peer := range c.in.Peers {
		if peer.Addr.WithZone("") != m.From {
			continue
		}
		if m.TTL < peer.MinTTL || peer.MaxTTL != 0 && m.TTL > peer.MaxTTL {
			return RejectPeerTTL
		}
		return 0
	}
	if c.in.CheckSource {
		return RejectPeer
	}
	return 0
}

func (c *Codec) checkOurs(m *message) Reject {
	if m.From == c.own {
		return RejectOurs
	}
	return 0
}

// accept remembers what a packet that passed all checks changes.
func (c *Codec) accept(m *message) {
	c.oldChecksum = m.sum == sumOld
	if m.ah != nil {
		c.ah.sequence = m.sequence()
	}
	if m.trailer != nil {
		c.hmac.accept(m, len(c.in.Peers))
	}
}
