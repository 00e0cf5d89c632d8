package vrrp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"testing"
	"time"
)

func vectorKey() []byte {
	key := make([]byte, 32)
	for i := range key {
		key[i] = byte(i)
	}
	return key
}

func withHMAC(in Instance) Instance {
	in.VRID, in.Priority = 51, 200
	in.HMAC = &HMAC{Keys: map[uint8][]byte{1: vectorKey()}, Active: 1, TimeWindow: 5 * time.Second}
	return in
}

var (
	signed3 = withHMAC(Instance{Version: 3, AdvertInterval: time.Second, Addresses: wireVIP, Multicast: wireGroup4})
	signed6 = withHMAC(Instance{Version: 3, IPv6: true, AdvertInterval: time.Second, Addresses: wireVIP6, Multicast: wireGroup6})
	signed2 = withHMAC(Instance{Version: 2, AdvertInterval: time.Second, Addresses: wireVIP, Multicast: wireGroup4})
)

// The vectors were not made by this package, but by a dozen lines of Python's hmac, hashlib and struct written from the description of the
// trailer: key 00..1f with ID 1, VRID 51, priority 200, interval 1 s, sent at 1750000000.5.
func TestHMACVectors(t *testing.T) {
	for _, c := range []struct {
		name     string
		in       Instance
		from, to netip.Addr
		want     string
	}{
		{"v3 IPv4", signed3, wireFrom4, wireGroup4,
			"3133c8010064a171c0000264" + "01010000684ee18080000000ada413abf7449d9f231fe27fca981636"},
		{"v3 IPv6", signed6, wireLocal6, wireGroup6,
			"3133c80200649f21fe80000000000000000000000000010020010db8000000000000000000000100" +
				"01010000684ee180800000000e2e2e69ed53911adcb4da552385da58"},
		{"v2 IPv4", signed2, wireFrom4, wireGroup4,
			"2133c80100015465c00002640000000000000000" + "01010000684ee1808000000010d7cb56f14268ff3fb10c501a5c7f96"},
	} {
		t.Run(c.name, func(t *testing.T) {
			packet := NewCodec(&c.in).Encode(advertOf(c.in, 200), c.from, c.to, wireTime)
			p := received(t, packet, c.in.IPv6, c.from, c.to)
			if got := hex.EncodeToString(p.payload()); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			for at := range p.payload() { // a change of any byte is noticed
				changed := p
				changed.Data = bytes.Clone(p.Data)
				changed.payload()[at] ^= 0x10
				if _, err := NewCodec(&c.in).Decode(changed, wireTime); err == nil {
					t.Errorf("with byte %d changed it is believed", at)
				}
			}
			if _, err := NewCodec(&c.in).Decode(p, wireTime); err != nil {
				t.Error(err)
			}
		})
	}
}

// sign returns a packet of another router.
func sign(t *testing.T, in Instance, from string, at time.Time) Packet {
	t.Helper()
	source := netip.MustParseAddr(from)
	return received(t, bytes.Clone(NewCodec(&in).Encode(advertOf(in, 200), source, in.Multicast, at)), in.IPv6, source, in.Multicast)
}

// decoded is what became of a packet: nil or why not.
func decoded(c *Codec, p Packet, now time.Time) error {
	_, err := c.Decode(p, now)
	return err
}

func TestHMACFreshness(t *testing.T) {
	for _, c := range []struct {
		skew time.Duration
		want error
	}{
		{0, nil}, {5 * time.Second, nil}, {-5 * time.Second, nil}, {6 * time.Second, RejectTrailer}, {-6 * time.Second, RejectTrailer},
		{100 * 365 * 24 * time.Hour, RejectTrailer},
	} {
		p := sign(t, signed3, "192.0.2.2", wireTime)
		if got := decoded(NewCodec(&signed3), p, wireTime.Add(c.skew)); !errors.Is(got, c.want) {
			t.Errorf("%v later: %v, want %v", c.skew, got, c.want)
		}
		monotonic := signed3
		monotonic.HMAC = &HMAC{Keys: signed3.HMAC.Keys, Active: 1, TimeWindow: 5 * time.Second, Monotonic: true}
		if got := decoded(NewCodec(&monotonic), p, wireTime.Add(c.skew)); got != nil {
			t.Errorf("monotonic, %v later: %v", c.skew, got)
		}
	}
}

func TestHMACReplay(t *testing.T) {
	codec := NewCodec(&signed3)
	at := func(ms int) time.Time { return wireTime.Add(time.Duration(ms) * time.Millisecond) }
	older, newer := sign(t, signed3, "192.0.2.2", at(0)), sign(t, signed3, "192.0.2.2", at(100))
	other := sign(t, signed3, "192.0.2.3", at(0))
	for i, step := range []struct {
		p    Packet
		want error
	}{
		{newer, nil}, {newer, RejectReplay}, {older, RejectReplay}, {other, nil}, {other, RejectReplay}, {newer, RejectReplay},
	} {
		if got := decoded(codec, step.p, at(200)); !errors.Is(got, step.want) {
			t.Errorf("step %d: %v, want %v", i, got, step.want)
		}
	}

	// Four senders are remembered: a fifth has the one forgotten that was not heard for the longest time.
	first := sign(t, signed3, "192.0.2.3", at(300))
	if err := decoded(codec, first, at(300)); err != nil { // now 192.0.2.2 is that one
		t.Fatal(err)
	}
	for _, from := range []string{"192.0.2.4", "192.0.2.5", "192.0.2.6"} {
		if err := decoded(codec, sign(t, signed3, from, at(400)), at(400)); err != nil {
			t.Fatal(err)
		}
	}
	if err := decoded(codec, first, at(400)); !errors.Is(err, RejectReplay) {
		t.Errorf("of a sender that is remembered: %v", err)
	}
	if len(codec.hmac.heard) != maxSenders {
		t.Errorf("%d senders are remembered, want %d", len(codec.hmac.heard), maxSenders)
	}
	if err := decoded(codec, newer, at(400)); err != nil {
		t.Errorf("of a sender that is forgotten: %v", err)
	}
}

// Seconds wrap around in 2106, and packets are ordered over that.
func TestHMACWrapsAround(t *testing.T) {
	last := time.Unix(1<<32-1, 0)
	receiver := NewCodec(&signed3)
	before, after := sign(t, signed3, "192.0.2.2", last), sign(t, signed3, "192.0.2.2", last.Add(2*time.Second))
	for i, step := range []struct {
		p    Packet
		want error
	}{
		{before, nil}, {after, nil}, {before, RejectReplay},
	} {
		if err := decoded(receiver, step.p, last.Add(2*time.Second)); !errors.Is(err, step.want) {
			t.Errorf("step %d: %v, want %v", i, err, step.want)
		}
	}
}

// A clock that is put back a little must not make packets that look like old ones; one that is put back far is the right one.
func TestHMACClockPutBack(t *testing.T) {
	sender, receiver := NewCodec(&signed3), NewCodec(&signed3)
	send := func(sent, heard time.Time) error {
		t.Helper()
		p := received(t, sender.Encode(advertOf(signed3, 200), wireFrom4, wireGroup4, sent), false, wireFrom4, wireGroup4)
		return decoded(receiver, p, heard)
	}
	for _, back := range []time.Duration{0, 0, time.Second, 3 * time.Second} {
		if err := send(wireTime.Add(-back), wireTime); err != nil {
			t.Errorf("put back %v: %v", back, err)
		}
	}
	year := 365 * 24 * time.Hour
	if err := send(wireTime.Add(year), wireTime); !errors.Is(err, RejectTrailer) {
		t.Errorf("from the future: %v", err)
	}
	if err := send(wireTime.Add(time.Second), wireTime.Add(time.Second)); err != nil {
		t.Errorf("when the clock is right again: %v", err)
	}
}

func TestHMACModes(t *testing.T) {
	with := func(mode HMACMode) Instance {
		in := signed3
		in.HMAC = &HMAC{Keys: signed3.HMAC.Keys, Active: 1, TimeWindow: 5 * time.Second, Mode: mode}
		return in
	}
	plain, wrongKey := signed3, signed3
	plain.HMAC = nil
	wrongKey.HMAC = &HMAC{Keys: map[uint8][]byte{1: bytes.Repeat([]byte{7}, 32)}, Active: 1}
	for _, c := range []struct {
		name             string
		sender, receiver Instance
		want             error
		unauthenticated  bool
	}{
		{"enforce to enforce", with(Enforce), with(Enforce), nil, false},
		{"none to enforce", plain, with(Enforce), RejectTrailer, false},
		{"none to permissive", plain, with(Permissive), nil, true},
		{"none to receive-only", plain, with(ReceiveOnly), nil, true},
		{"receive-only to enforce", with(ReceiveOnly), with(Enforce), RejectTrailer, false},
		{"receive-only to none", with(ReceiveOnly), plain, nil, false},
		{"permissive to receive-only", with(Permissive), with(ReceiveOnly), nil, false},
		{"enforce to none", with(Enforce), plain, RejectLength, false},
		{"wrong key to permissive", wrongKey, with(Permissive), RejectTrailer, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			advert, err := NewCodec(&c.receiver).Decode(sign(t, c.sender, "192.0.2.2", wireTime), wireTime)
			if !errors.Is(err, c.want) || advert.Unauthenticated != c.unauthenticated {
				t.Errorf("%v, unauthenticated %v; want %v, %v", err, advert.Unauthenticated, c.want, c.unauthenticated)
			}
		})
	}
}

// Keys are changed one router after the other: all know the new one before the first uses it.
func TestHMACKeyChange(t *testing.T) {
	both := signed3
	both.HMAC = &HMAC{Keys: map[uint8][]byte{1: vectorKey(), 9: bytes.Repeat([]byte{9}, 64)}, Active: 1, TimeWindow: 5 * time.Second}
	next := both
	changed := *both.HMAC
	changed.Active = 9
	next.HMAC = &changed
	for _, sender := range []Instance{signed3, both, next} {
		if err := decoded(NewCodec(&both), sign(t, sender, "192.0.2.2", wireTime), wireTime); err != nil {
			t.Error(err)
		}
	}
	if err := decoded(NewCodec(&signed3), sign(t, next, "192.0.2.2", wireTime), wireTime); !errors.Is(err, RejectTrailer) {
		t.Errorf("key that is not known: %v", err)
	}
}

// A trailer of another type is not for us, whatever is in it.
func TestHMACType(t *testing.T) {
	p := sign(t, signed3, "192.0.2.2", wireTime)
	message, trailer := p.payload()[:12], p.payload()[12:]
	trailer[0] = 2
	copy(trailer[macAt:], NewCodec(&signed3).hmac.mac(1, message, trailer, p.From))
	if err := decoded(NewCodec(&signed3), p, wireTime); !errors.Is(err, RejectTrailer) {
		t.Errorf("%v, want %v", err, RejectTrailer)
	}
}

// The MAC covers the source: nobody can send another router's advert as his own.
func TestHMACCoversSource(t *testing.T) {
	p := sign(t, signed3, "192.0.2.2", wireTime)
	p.From = netip.MustParseAddr("192.0.2.9")
	setChecksum(p.payload()[:12], pseudoSum(p.From, p.To, 12))
	if err := decoded(NewCodec(&signed3), p, wireTime); !errors.Is(err, RejectTrailer) {
		t.Errorf("%v, want %v", err, RejectTrailer)
	}
}
