package bfd

import (
	"encoding/binary"
	"errors"
	"time"
)

// The ports of RFC 5881 (4) and RFC 5883 (5), and the source ports of RFC 5881.
const (
	Port         = 3784
	MultihopPort = 4784
	SourcePorts  = 49152 // and above
)

// packetLen is the mandatory section of a control packet.
const packetLen = 24

// Packet is a BFD control packet (RFC 5880, 4.1) without authentication.
type Packet struct {
	Diag       Diag
	State      State
	Poll       bool
	Final      bool
	Demand     bool
	Multiplier uint8
	My, Your   uint32 // discriminators
	// Intervals go over the wire in microseconds.
	DesiredMinTx, RequiredMinRx, RequiredMinEchoRx time.Duration
}

// State is a session's (RFC 5880, 6.8.1).
type State uint8

// The states.
const (
	AdminDown State = iota
	Down
	Init
	Up
)

// String returns the RFC's word.
func (s State) String() string { return [...]string{"AdminDown", "Down", "Init", "Up"}[s&3] }

// Diag is why a session changed its state the last time (RFC 5880, 4.1).
type Diag uint8

// The diagnostics that this package knows.
const (
	NoDiagnostic     Diag = 0
	TimeExpired      Diag = 1 // control detection time expired
	NeighborDown     Diag = 3 // neighbor signaled session down
	AdministrateDown Diag = 7
)

// Bits of the second byte.
const (
	bitPoll       = 1 << 5
	bitFinal      = 1 << 4
	bitAuth       = 1 << 2
	bitDemand     = 1 << 1
	bitMultipoint = 1 << 0
)

// Encode returns the packet's bytes.
func (p Packet) Encode() []byte {
	b := make([]byte, packetLen)
	b[0] = 1<<5 | byte(p.Diag)
	b[1] = byte(p.State) << 6
	for _, f := range []struct {
		set bool
		bit byte
	}{{p.Poll, bitPoll}, {p.Final, bitFinal}, {p.Demand, bitDemand}} {
		if f.set {
			b[1] |= f.bit
		}
	}
	b[2], b[3] = p.Multiplier, packetLen
	binary.BigEndian.PutUint32(b[4:], p.My)
	binary.BigEndian.PutUint32(b[8:], p.Your)
	for i, d := range []time.Duration{p.DesiredMinTx, p.RequiredMinRx, p.RequiredMinEchoRx} {
		binary.BigEndian.PutUint32(b[12+4*i:], uint32(d/time.Microsecond))
	}
	return b
}

// Errors of Decode, in the order of RFC 5880, 6.8.6.
var (
	ErrVersion       = errors.New("not version 1 of BFD")
	ErrLength        = errors.New("shorter than it says, or than a packet is")
	ErrMultiplier    = errors.New("a detect multiplier of 0")
	ErrMultipoint    = errors.New("a multipoint packet")
	ErrDiscriminator = errors.New("a discriminator of 0")
	ErrAuth          = errors.New("authenticated, which this session is not")
	ErrPollFinal     = errors.New("poll and final at once")
)

// Decode reads a packet and makes those checks of RFC 5880, 6.8.6, that need no session.
func Decode(b []byte) (p Packet, err error) {
	switch {
	case len(b) < packetLen:
		return p, ErrLength
	case b[0]>>5 != 1:
		return p, ErrVersion
	case b[3] < packetLen || int(b[3]) > len(b):
		return p, ErrLength
	case b[2] == 0:
		return p, ErrMultiplier
	case b[1]&bitMultipoint != 0:
		return p, ErrMultipoint
	case binary.BigEndian.Uint32(b[4:]) == 0:
		return p, ErrDiscriminator
	}
	p = Packet{
		Diag: Diag(b[0] & 0x1f), State: State(b[1] >> 6),
		Poll: b[1]&bitPoll != 0, Final: b[1]&bitFinal != 0, Demand: b[1]&bitDemand != 0,
		Multiplier: b[2], My: binary.BigEndian.Uint32(b[4:]), Your: binary.BigEndian.Uint32(b[8:]),
		DesiredMinTx: micro(b[12:]), RequiredMinRx: micro(b[16:]), RequiredMinEchoRx: micro(b[20:]),
	}
	switch {
	case p.Your == 0 && p.State != Down && p.State != AdminDown:
		return p, ErrDiscriminator
	case b[1]&bitAuth != 0:
		return p, ErrAuth
	case p.Poll && p.Final:
		return p, ErrPollFinal
	}
	return p, nil
}

func micro(b []byte) time.Duration {
	return time.Duration(binary.BigEndian.Uint32(b)) * time.Microsecond
}
