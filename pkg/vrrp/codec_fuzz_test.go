package vrrp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"testing"
)

// fuzzed are the instances that get what FuzzDecode makes up.
var fuzzed = []Instance{
	plain2, pass2, ah2, plain3, unicast3, hmac3, signed2, signed6,
	with(hmac3, func(in *Instance) { h := *in.HMAC; h.Mode, h.Monotonic = Permissive, true; in.HMAC = &h }),
	with(plain3, func(in *Instance) { in.ChecksumAsV2 = true }),
	with(unicast3, func(in *Instance) { in.OldUnicastChecksum = true }),
	with(plain3, func(in *Instance) {
		in.IPv6, in.Addresses, in.Multicast = true, wireVIP6, wireGroup6
		in.Source = wireLocal6
	}),
}

// FuzzDecode gives any bytes to codecs of all kinds. None may panic, and what is believed must be right by other arithmetic than the
// codec's. The seeds are what keepalived sends (TestKernelWire).
func FuzzDecode(f *testing.F) {
	for _, c := range wireCases() {
		codec := NewCodec(&c.in)
		for _, packet := range c.encodeAll(codec, 240) {
			f.Add(packet)
		}
	}
	for _, in := range fuzzed {
		from, to := source4, in.Multicast
		if len(in.Peers) > 0 {
			to = own4
		}
		if in.IPv6 {
			from = wireFrom6
		}
		f.Add(bytes.Clone(NewCodec(&in).Encode(advertOf(in, 150), from, to, wireTime)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, in := range fuzzed {
			p, ok := ParseIPv4(data)
			if in.IPv6 {
				p, ok = Packet{Data: data, From: wireFrom6, To: wireGroup6, TTL: 255}, true
			}
			if !ok {
				continue
			}
			vrid, _ := p.VRID()
			codec := NewCodec(&in)
			advert, err := codec.Decode(p, wireTime)
			if err != nil {
				if _, ok := errors.AsType[Reject](err); !ok || wordOf(err) == "" {
					t.Fatalf("not a Reject: %v", err)
				}
				continue
			}
			if advert.VRID != vrid || vrid != in.VRID || advert.Version != in.Version || advert.Interval <= 0 {
				t.Errorf("%+v is not for %+v", advert, in)
			}
			if in.HMAC == nil && !plausible(in, p) {
				t.Errorf("believed: %x", data)
			}
			if in.Auth.Type == AuthAH || in.HMAC != nil && !advert.Unauthenticated {
				if _, err := codec.Decode(p, wireTime); !errors.Is(err, RejectReplay) {
					t.Errorf("again: %v", err)
				}
			}
		}
	})
}

// plausible checks a packet without a trailer in the simplest way: as numbers of 16 bits whose sum, with or without pseudo header, is
// a multiple of 65535.
func plausible(in Instance, p Packet) bool {
	b := p.payload()
	if p.AH {
		b = b[ahLen:]
	}
	if len(b)%2 != 0 || len(b) < 8 {
		return false
	}
	multiple := func(before []byte) bool {
		total := 0
		for pair := range slices.Chunk(slices.Concat(before, b), 2) {
			total += int(binary.BigEndian.Uint16(pair))
		}
		return total > 0 && total%65535 == 0
	}
	pseudo := func(to netip.Addr) []byte {
		return slices.Concat(p.From.AsSlice(), to.AsSlice(), []byte{0, 112, byte(len(b) >> 8), byte(len(b))})
	}
	return (in.Version == 2 || in.ChecksumAsV2) && multiple(nil) || in.Version == 3 && multiple(pseudo(p.To)) ||
		in.OldUnicastChecksum && multiple(pseudo(wireGroup4))
}
