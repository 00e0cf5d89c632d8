package ipvsnl

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Netlink speaks the machine's byte order, except where the kernel's headers say otherwise.
var native = binary.NativeEndian

// errMalformed is the answer of something that isn't a Linux kernel, or of one that changed its mind about netlink.
var errMalformed = errors.New("malformed netlink message")

const (
	headerLen    = unix.SizeofNlMsghdr
	genlLen      = 4 // command, version, reserved (struct genlmsghdr)
	attrLen      = unix.SizeofNlAttr
	attrTypeMask = 0x3fff // without NLA_F_NESTED and NLA_F_NET_BYTEORDER
)

// align rounds a length up to what netlink puts messages and attributes at.
func align(n int) int { return (n + 3) &^ 3 }

// message is a netlink message in a receive buffer.
type message struct {
	typ   netlink.HeaderType
	flags netlink.HeaderFlags
	seq   uint32
	data  []byte
}

// cut takes the first message off b.
func cut(b []byte) (m message, rest []byte, err error) {
	if len(b) < headerLen {
		return message{}, nil, errMalformed
	}
	n := int(native.Uint32(b))
	if n < headerLen || n > len(b) {
		return message{}, nil, errMalformed
	}
	return message{
		typ:   netlink.HeaderType(native.Uint16(b[4:])),
		flags: netlink.HeaderFlags(native.Uint16(b[6:])),
		seq:   native.Uint32(b[8:]),
		data:  b[headerLen:n],
	}, b[min(align(n), len(b)):], nil
}

// payload returns the attributes of a message of the family, after the generic netlink header.
func (m message) payload() ([]byte, error) {
	if len(m.data) < genlLen {
		return nil, errMalformed
	}
	return m.data[genlLen:], nil
}

// errno returns the error number in a message of type Error, 0 in an acknowledgement, and the kernel's words for it
// (NLMSGERR_ATTR_MSG), which IPVS itself never has but netlink may.
func (m message) errno() (e ipvs.Errno, detail string, err error) {
	const original = 4 // the offset of the header of the message that is answered
	if len(m.data) < original+headerLen {
		return 0, "", errMalformed
	}
	e = ipvs.Errno(-int32(native.Uint32(m.data)))
	if m.flags&netlink.AcknowledgeTLVs == 0 {
		return e, "", nil
	}
	words := original + headerLen
	if m.flags&netlink.Capped == 0 {
		words = original + align(int(native.Uint32(m.data[original:])))
	}
	if words < original+headerLen || words > len(m.data) {
		return 0, "", errMalformed
	}
	a := attributes{rest: m.data[words:]}
	for a.next() {
		if a.typ == unix.NLMSGERR_ATTR_MSG {
			detail = string(a.text())
		}
	}
	return e, detail, a.err
}

// done returns the error number at the end of a dump.
func (m message) done() (ipvs.Errno, error) {
	if len(m.data) < 4 {
		return 0, errMalformed
	}
	return ipvs.Errno(-int32(native.Uint32(m.data))), nil
}

// attributes walks over netlink attributes where they lie, without copying. After the last next, err says whether they
// were well formed; a value that is too short for its type reads as zero and sets err too.
type attributes struct {
	rest []byte
	typ  uint16
	data []byte
	err  error
}

func (a *attributes) next() bool {
	if len(a.rest) < attrLen {
		if len(a.rest) > 0 {
			a.err = errMalformed
		}
		return false
	}
	n := int(native.Uint16(a.rest))
	if n < attrLen || n > len(a.rest) {
		a.err = errMalformed
		return false
	}
	a.typ = native.Uint16(a.rest[2:]) & attrTypeMask
	a.data = a.rest[attrLen:n]
	a.rest = a.rest[min(align(n), len(a.rest)):]
	return true
}

// has checks that the value has n bytes.
func (a *attributes) has(n int) bool {
	if len(a.data) < n {
		a.err = errMalformed
		return false
	}
	return true
}

func (a *attributes) u8() uint8 {
	if !a.has(1) {
		return 0
	}
	return a.data[0]
}

func (a *attributes) u16() uint16 {
	if !a.has(2) {
		return 0
	}
	return native.Uint16(a.data)
}

func (a *attributes) be16() uint16 {
	if !a.has(2) {
		return 0
	}
	return binary.BigEndian.Uint16(a.data)
}

func (a *attributes) u32() uint32 {
	if !a.has(4) {
		return 0
	}
	return native.Uint32(a.data)
}

// number reads 32 or 64 bits, whichever there are.
func (a *attributes) number() uint64 {
	if len(a.data) >= 8 {
		return native.Uint64(a.data)
	}
	return uint64(a.u32())
}

// text reads a string up to its NUL.
func (a *attributes) text() []byte {
	s, _, _ := bytes.Cut(a.data, []byte{0})
	return s
}

// builder appends netlink messages to b.
type builder struct{ b []byte }

// begin starts a message of the family and returns where, for end.
func (w *builder) begin(family uint16, cmd uint8, flags netlink.HeaderFlags, seq uint32) (start int) {
	start = len(w.b)
	w.b = native.AppendUint32(w.b, 0)
	w.b = native.AppendUint16(w.b, family)
	w.b = native.AppendUint16(w.b, uint16(netlink.Request|flags))
	w.b = native.AppendUint32(w.b, seq)
	w.b = native.AppendUint32(w.b, 0) // the port is the socket's, the kernel knows it
	w.b = append(w.b, cmd, familyVersion, 0, 0)
	return start
}

// end fills in the length of the message that was begun at start.
func (w *builder) end(start int) { native.PutUint32(w.b[start:], uint32(len(w.b)-start)) }

// acknowledge has the kernel answer the message at start in any case, not only when it refuses it.
func (w *builder) acknowledge(start int) {
	flags := native.Uint16(w.b[start+6:])
	native.PutUint16(w.b[start+6:], flags|uint16(netlink.Acknowledge))
}

// attr starts an attribute with n bytes of value, or, for endNest, one of unknown length if n is 0.
func (w *builder) attr(typ uint16, n int) {
	w.b = native.AppendUint16(w.b, uint16(attrLen+n))
	w.b = native.AppendUint16(w.b, typ)
}

func (w *builder) nest(typ uint16) (start int) {
	start = len(w.b)
	w.attr(typ, 0)
	return start
}

func (w *builder) endNest(start int) { native.PutUint16(w.b[start:], uint16(len(w.b)-start)) }

func (w *builder) u8(typ uint16, v uint8) {
	w.attr(typ, 1)
	w.b = append(w.b, v, 0, 0, 0)
}

func (w *builder) u16(typ, v uint16) {
	w.attr(typ, 2)
	w.b = append(native.AppendUint16(w.b, v), 0, 0)
}

func (w *builder) be16(typ, v uint16) {
	w.attr(typ, 2)
	w.b = append(binary.BigEndian.AppendUint16(w.b, v), 0, 0)
}

func (w *builder) u32(typ uint16, v uint32) {
	w.attr(typ, 4)
	w.b = native.AppendUint32(w.b, v)
}

func (w *builder) be32(typ uint16, v uint32) {
	w.attr(typ, 4)
	w.b = binary.BigEndian.AppendUint32(w.b, v)
}

// text appends a string with its NUL.
func (w *builder) text(typ uint16, s string) {
	w.attr(typ, len(s)+1)
	w.b = append(w.b, s...)
	w.b = append(w.b, 0)
	w.pad()
}

func (w *builder) bytes(typ uint16, v []byte) {
	w.attr(typ, len(v))
	w.b = append(w.b, v...)
	w.pad()
}

func (w *builder) pad() {
	for len(w.b)%4 != 0 {
		w.b = append(w.b, 0)
	}
}
