package vipnl

import (
	"bytes"
	"encoding/binary"
	"iter"
	"maps"
	"net/netip"

	"golang.org/x/sys/unix"
)

// nested marks an attribute that is made of others.
const nested = 1 << 15

// each goes through a message's attributes, with their types without flags. What is cut off is left out.
func each(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= unix.SizeofRtAttr {
			n := int(binary.NativeEndian.Uint16(b))
			if n < unix.SizeofRtAttr || n > len(b) || !yield(binary.NativeEndian.Uint16(b[2:])&0x3fff, b[unix.SizeofRtAttr:n]) {
				return
			}
			b = b[min((n+3)&^3, len(b)):]
		}
	}
}

// attributes are those of a message by type.
func attributes(b []byte) map[uint16][]byte { return maps.Collect(each(b)) }

// body is a message that is being put together.
type body []byte

func (b *body) attr(kind uint16, value []byte) {
	*b = binary.NativeEndian.AppendUint16(*b, uint16(unix.SizeofRtAttr+len(value)))
	*b = binary.NativeEndian.AppendUint16(*b, kind)
	*b = append(*b, value...)
	*b = append(*b, make([]byte, -len(value)&3)...)
}

func (b *body) u8(kind uint16, v uint8)         { b.attr(kind, []byte{v}) }
func (b *body) u16(kind uint16, v uint16)       { b.attr(kind, binary.NativeEndian.AppendUint16(nil, v)) }
func (b *body) u32(kind uint16, v uint32)       { b.attr(kind, binary.NativeEndian.AppendUint32(nil, v)) }
func (b *body) be64(kind uint16, v uint64)      { b.attr(kind, binary.BigEndian.AppendUint64(nil, v)) }
func (b *body) text(kind uint16, v string)      { b.attr(kind, append([]byte(v), 0)) }
func (b *body) addr(kind uint16, a netip.Addr)  { b.attr(kind, a.AsSlice()) }
func (b *body) inside(kind uint16, inside body) { b.attr(kind|nested, inside) }

// number is an attribute's, 0 if it is not there.
func number(attrs map[uint16][]byte, kind uint16) uint32 {
	if v := attrs[kind]; len(v) >= 4 {
		return binary.NativeEndian.Uint32(v)
	}
	return 0
}

func text(v []byte) string { return string(bytes.TrimRight(v, "\x00")) }

// addrOf is an attribute's address, zero if it is not there.
func addrOf(v []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(v)
	return a
}
