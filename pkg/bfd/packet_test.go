package bfd

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

// The example is put together by hand from RFC 5880, 4.1.
var wire = []byte{
	0x21, 0xe0, 5, 24, // version 1, diagnostic 1; up, poll; multiplier, length
	0, 0, 0, 1, 0, 0, 0, 2,
	0, 0, 0x27, 0x10, 0, 0, 0x4e, 0x20, 0, 0, 0, 0, // 10 ms, 20 ms, none
}

func TestCodec(t *testing.T) {
	want := Packet{
		Diag: TimeExpired, State: Up, Poll: true, Multiplier: 5, My: 1, Your: 2,
		DesiredMinTx: 10 * time.Millisecond, RequiredMinRx: 20 * time.Millisecond,
	}
	got, err := Decode(wire)
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if b := want.Encode(); !bytes.Equal(b, wire) {
		t.Errorf("% x", b)
	}
}

// RFC 5880, 6.8.6: what is discarded.
func TestRFC5880_6_8_6_Discard(t *testing.T) {
	for _, c := range []struct {
		what  string
		spoil func([]byte) []byte
		want  error
	}{
		{"version", func(b []byte) []byte { b[0] = 0x41; return b }, ErrVersion},
		{"short", func(b []byte) []byte { return b[:23] }, ErrLength},
		{"empty", func([]byte) []byte { return nil }, ErrLength},
		{"length too small", func(b []byte) []byte { b[3] = 23; return b }, ErrLength},
		{"length too large", func(b []byte) []byte { b[3] = 25; return b }, ErrLength},
		{"multiplier", func(b []byte) []byte { b[2] = 0; return b }, ErrMultiplier},
		{"multipoint", func(b []byte) []byte { b[1] |= 1; return b }, ErrMultipoint},
		{"my discriminator", func(b []byte) []byte { b[7] = 0; return b }, ErrDiscriminator},
		{"your discriminator", func(b []byte) []byte { b[11] = 0; return b }, ErrDiscriminator},
		{"authenticated", func(b []byte) []byte { b[1] |= 4; return append(b, 0, 0) }, ErrAuth},
		{"poll and final", func(b []byte) []byte { b[1] |= 0x10; return b }, ErrPollFinal},
	} {
		if _, err := Decode(c.spoil(bytes.Clone(wire))); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	down := bytes.Clone(wire)
	down[1], down[11] = byte(Down)<<6, 0
	if _, err := Decode(down); err != nil {
		t.Errorf("the first packet of a session: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(wire)
	f.Add(append(bytes.Clone(wire), 1, 2, 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Decode(b)
		if err != nil {
			return
		}
		if q, err := Decode(p.Encode()); err != nil || q != p {
			t.Errorf("%+v became %+v, %v", p, q, err)
		}
		s := NewSession(config(), 1, func() float64 { return 0.5 }, start)
		s.Received(p, start)
		s.Tick(s.Deadline())
	})
}
