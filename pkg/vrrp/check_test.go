package vrrp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"testing"
	"time"
)

// fault breaks a packet, or has the receiver expect another one.
type fault struct {
	name     string
	want     Reject
	packet   func(*Packet)
	receiver func(*Instance)
}

func body(p *Packet) []byte {
	if p.AH {
		return p.payload()[ahLen:]
	}
	return p.payload()
}

// put sets bytes of the VRRP message; from the end, if at is negative.
func put(at int, to byte) func(*Packet) {
	return func(p *Packet) {
		b := body(p)
		b[(at+len(b))%len(b)] = to
	}
}

func flip(at int) func(*Packet) {
	return func(p *Packet) { body(p)[at] ^= 1 }
}

func ttl(to uint8) func(*Packet) {
	return func(p *Packet) { p.Data[8], p.TTL = to, to }
}

func ipLength(by int) func(*Packet) {
	return func(p *Packet) { binary.BigEndian.PutUint16(p.Data[2:], uint16(len(p.Data)+by)) }
}

func destination(to string) func(*Packet) {
	return func(p *Packet) { p.To = netip.MustParseAddr(to); copy(p.Data[16:], p.To.AsSlice()) }
}

func ofType(to byte) func(*Packet) {
	return func(p *Packet) { body(p)[0] = body(p)[0]&0xF0 | to }
}

// other turns version 2 into 3: it has no authentication data.
func other(p *Packet) {
	body(p)[0] = 0x31
	p.Data = p.Data[:len(p.Data)-authDataLen]
}

func stripTrailer(p *Packet) { p.Data = p.Data[:len(p.Data)-trailerLen] }

func unexpectedAH(p *Packet) {
	p.Data[9], p.AH = ProtocolAH, true
	p.Data = slices.Insert(p.Data, ipv4HeaderLen, make([]byte, ahLen)...)
}

var (
	source4 = netip.MustParseAddr("192.0.2.2") // of the packets
	own4    = netip.MustParseAddr("192.0.2.1")

	plain2   = Instance{VRID: 51, Priority: 100, Version: 2, AdvertInterval: time.Second, Addresses: wireVIP, Multicast: wireGroup4, Source: own4}
	pass2    = with(plain2, func(in *Instance) { in.Auth = Auth{AuthPASS, secret} })
	ah2      = with(plain2, func(in *Instance) { in.Auth = Auth{AuthAH, secret} })
	plain3   = with(plain2, func(in *Instance) { in.Version = 3 })
	unicast3 = with(plain3, func(in *Instance) {
		in.Multicast, in.CheckSource = netip.Addr{}, true
		in.Peers = []Peer{{source4, 200, 254}}
		in.TTL = 250
	})
	hmac3     = withHMAC(plain3)
	ignorer   = func(in *Instance) { in.Priority, in.OwnerIgnoreAdverts = 255, true }
	sameOwn   = func(in *Instance) { in.Source = source4 }
	someOther = func(in *Instance) { in.Peers = []Peer{{Addr: netip.MustParseAddr("192.0.2.9")}} }
)

func with(in Instance, change func(*Instance)) Instance {
	change(&in)
	return in
}

// faultsOf holds, of each kind of instance, faults in the order in which they are looked for.
var faultsOf = []struct {
	name string
	in   Instance
	all  []fault
}{
	{"v2, PASS", pass2, []fault{
		{"an AH that was not expected", RejectAuthHeader, unexpectedAH, nil},
		{"AH is missing", RejectAuthHeader, nil, func(in *Instance) { in.Auth.Type = AuthAH }},
		{"a byte too long", RejectLength, func(p *Packet) { p.Data = append(p.Data, 0) }, nil},
		{"another VRID", RejectUnknownVRID, put(1, 52), nil},
		{"TTL 254", RejectTTL, ttl(254), nil},
		{"another authentication", RejectAuthType, put(4, 0), nil},
		{"another password", RejectPassword, put(-3, 'x'), nil},
		{"another interval", RejectInterval, put(5, 3), nil},
		{"another type", RejectType, ofType(2), nil},
		{"another length in the IP header", RejectIPLength, ipLength(4), nil},
		{"wrong checksum", RejectChecksum, flip(6), nil},
		{"unicast", RejectCast, destination("192.0.2.1"), nil},
		{"an owner that ignores adverts", RejectOwner, nil, ignorer},
		{"our own", RejectOurs, nil, sameOwn},
	}},
	{"v2, versions", plain2, []fault{
		{"a byte too short", RejectLength, func(p *Packet) { p.Data = p.Data[:len(p.Data)-1] }, nil},
		{"TTL 1", RejectTTL, ttl(1), nil},
		{"version 3", RejectVersion, other, nil},
		{"interval 0", RejectInterval, put(5, 0), nil},
	}},
	{"v2, AH", ah2, []fault{
		{"AH is not expected", RejectAuthHeader, nil, func(in *Instance) { in.Auth = Auth{} }},
		{"AH in front of something else", RejectAuthHeader, func(p *Packet) { p.payload()[0] = 6 }, nil},
		{"AH of another length", RejectAuthHeader, func(p *Packet) { p.payload()[1] = 5 }, nil},
		{"more addresses than there are", RejectLength, put(3, 2), nil},
		{"another authentication", RejectAuthType, put(4, 1), nil},
		{"another sequence number", RejectICV, func(p *Packet) { p.payload()[11]++ }, nil},
		{"another password", RejectICV, nil, func(in *Instance) { in.Auth.Password[0]++ }},
		{"another priority", RejectICV, put(2, 254), nil},
		{"another source", RejectICV, func(p *Packet) { p.From = own4; copy(p.Data[12:], own4.AsSlice()) }, nil},
	}},
	{"v3", plain3, []fault{
		{"255 addresses", RejectLength, put(3, 255), nil},
		{"no address, but one is there", RejectLength, put(3, 0), nil},
		{"no address", RejectLength, func(p *Packet) { body(p)[3] = 0; p.Data = p.Data[:len(p.Data)-4] }, nil},
		{"TTL 0", RejectTTL, ttl(0), nil},
		{"version 4", RejectVersion, put(0, 0x41), nil},
		{"no interval", RejectInterval, func(p *Packet) { body(p)[4], body(p)[5] = 0, 0 }, nil},
		{"type 0", RejectType, ofType(0), nil},
		{"a length of 0 in the IP header", RejectIPLength, ipLength(-32), nil},
		{"another address", RejectChecksum, put(-1, 7), nil},
		{"an owner that ignores adverts", RejectOwner, nil, ignorer},
		{"our own", RejectOurs, nil, sameOwn},
	}},
	{"v3, unicast", unicast3, []fault{
		{"wrong checksum", RejectChecksum, flip(7), nil},
		{"multicast", RejectCast, destination("224.0.0.18"), nil},
		{"an owner that ignores adverts", RejectOwner, nil, ignorer},
		{"no peer of ours", RejectPeer, nil, someOther},
		{"TTL above the peer's window", RejectPeerTTL, ttl(255), nil},
		{"TTL below the peer's window", RejectPeerTTL, ttl(199), nil},
		{"our own", RejectOurs, nil, sameOwn},
	}},
	{"v3, auth_hmac", hmac3, []fault{
		{"half a trailer", RejectLength, func(p *Packet) { p.Data = p.Data[:len(p.Data)-14] }, nil},
		{"TTL 254", RejectTTL, ttl(254), nil},
		{"version 5", RejectVersion, put(0, 0x51), nil},
		{"no trailer", RejectTrailer, stripTrailer, nil},
	}},
	{"v3, auth_hmac, trailer", hmac3, []fault{
		{"another type", RejectTrailer, put(-28, 2), nil},
		{"a key that is not known", RejectTrailer, put(-27, 2), nil},
		{"an hour ago", RejectTrailer, func(p *Packet) { p.payload()[18] -= 16 }, nil},
		{"another stamp", RejectTrailer, put(-18, 1), nil},
		{"another MAC", RejectTrailer, put(-1, 0), nil},
		{"another priority", RejectTrailer, put(2, 254), nil},
	}},
}

// outcome of a packet with some faults. What the faults change behind the checksum, the checksum covers, unless it is wrong itself.
func outcome(t *testing.T, in Instance, faults []fault) error {
	t.Helper()
	to := in.Multicast
	if len(in.Peers) > 0 {
		to = own4
	}
	p := received(t, bytes.Clone(NewCodec(&in).Encode(advertOf(in, 150), source4, to, wireTime)), false, source4, to)
	receiver := NewCodec(&in)
	good := Packet{Data: bytes.Clone(p.Data), From: p.From, To: p.To, TTL: p.TTL, AH: p.AH}
	summed := in.HMAC == nil
	for _, f := range faults {
		if f.receiver != nil {
			f.receiver(&receiver.in)
			receiver.Change(&receiver.in)
		}
		if f.packet != nil {
			f.packet(&p)
			summed = summed && f.want > RejectICV && f.want != RejectChecksum || f.want == RejectPassword || f.want == RejectAuthType
		}
	}
	if b := body(&p); summed && len(b) >= headerLenVRRP {
		start := uint32(0)
		if b[0]>>4 == 3 {
			start = pseudoSum(p.From, p.To, len(b))
		}
		setChecksum(b, start)
	}
	_, err := receiver.Decode(p, wireTime)
	if err != nil { // and then it changed nothing
		receiver.Change(&in)
		if _, err := receiver.Decode(good, wireTime); err != nil {
			t.Errorf("the next good one: %v", err)
		}
	}
	return err
}

func TestChecks(t *testing.T) {
	for _, kind := range faultsOf {
		if err := outcome(t, kind.in, nil); err != nil {
			t.Errorf("%s, without a fault: %v", kind.name, err)
		}
		for i, f := range kind.all {
			t.Run(kind.name+"/"+f.name, func(t *testing.T) {
				if got := outcome(t, kind.in, kind.all[i:i+1]); !errors.Is(got, f.want) {
					t.Errorf("alone: %v (%v), want %v", got, wordOf(got), f.want.String())
				}
			})
		}
	}
}

// Of several faults the first one in keepalived's order is told.
func TestOrderOfChecks(t *testing.T) {
	for _, kind := range faultsOf {
		for i, f := range kind.all {
			for j, later := range kind.all[i+1:] {
				if later.want == f.want {
					continue
				}
				t.Run(fmt.Sprintf("%s/%s/%s", kind.name, f.name, later.name), func(t *testing.T) {
					if got := outcome(t, kind.in, []fault{f, kind.all[i+1+j]}); !errors.Is(got, f.want) {
						t.Errorf("%v, want %v", wordOf(got), f.want.String())
					}
				})
			}
		}
	}
}

func wordOf(err error) string {
	if r, ok := errors.AsType[Reject](err); ok {
		return r.String()
	}
	return fmt.Sprint(err)
}

// Without check_unicast_src a router that is no peer counts too, but a peer's window holds.
func TestPeers(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Instance)
		want   error
	}{
		{"in the window", func(*Instance) {}, nil},
		{"no upper end", func(in *Instance) { in.Peers[0].MaxTTL = 0 }, nil},
		{"lowest", func(in *Instance) { in.Peers[0].MinTTL = 250 }, nil},
		{"highest", func(in *Instance) { in.Peers[0].MaxTTL = 250 }, nil},
		{"below", func(in *Instance) { in.Peers[0].MinTTL = 251 }, RejectPeerTTL},
		{"above", func(in *Instance) { in.Peers[0].MaxTTL = 249 }, RejectPeerTTL},
		{"below, source not checked", func(in *Instance) { in.Peers[0].MinTTL, in.CheckSource = 251, false }, RejectPeerTTL},
		{"no peer", someOther, RejectPeer},
		{"no peer, source not checked", func(in *Instance) { someOther(in); in.CheckSource = false }, nil},
		{"the second", func(in *Instance) {
			in.Peers = slices.Insert(in.Peers, 0, Peer{Addr: netip.MustParseAddr("192.0.2.9")})
		}, nil},
	} {
		in := unicast3
		in.Peers = slices.Clone(in.Peers)
		c.change(&in)
		if got := outcome(t, unicast3, []fault{{receiver: func(to *Instance) { *to = in }}}); !errors.Is(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// The pseudo header of version 3 is in dispute: each kind of router is to hear those that the configuration says it can.
func TestChecksums(t *testing.T) {
	asV2 := with(plain3, func(in *Instance) { in.ChecksumAsV2 = true })
	unicast := with(unicast3, func(in *Instance) { in.Multicast = wireGroup4; in.Peers = []Peer{{Addr: source4}, {Addr: own4}} })
	old := with(unicast, func(in *Instance) { in.OldUnicastChecksum = true })
	unicastAsV2 := with(unicast, func(in *Instance) { in.ChecksumAsV2 = true })
	const (
		pseudo, none, group, wrong = "pseudo header", "no pseudo header", "the group in it", "wrong"
	)
	for _, c := range []struct {
		name     string
		in       Instance
		accepted []string
	}{
		{"v3", plain3, []string{pseudo, group}}, // they are the same there
		{"v3_checksum_as_v2", asV2, []string{pseudo, none, group}},
		{"unicast", unicast, []string{pseudo}},
		{"unicast, old_unicast_checksum", old, []string{pseudo, group}},
		{"unicast, v3_checksum_as_v2", unicastAsV2, []string{pseudo, none}},
	} {
		to := wireGroup4
		if len(c.in.Peers) > 0 {
			to = own4
		}
		for _, sum := range []string{pseudo, none, group, wrong} {
			p := received(t, NewCodec(&c.in).Encode(advertOf(c.in, 150), source4, to, wireTime), false, source4, to)
			b := body(&p)
			switch sum {
			case pseudo:
				setChecksum(b, pseudoSum(source4, to, len(b)))
			case none:
				setChecksum(b, 0)
			case group:
				setChecksum(b, pseudoSum(source4, wireGroup4, len(b)))
			case wrong:
				setChecksum(b, 12345)
			}
			receiver := NewCodec(&c.in)
			if err := decoded(receiver, p, wireTime); (err == nil) != slices.Contains(c.accepted, sum) {
				t.Errorf("%s, %s: %v", c.name, sum, err)
			}
			// Who speaks the old way is answered in the old way, from the next advert on.
			answer := NewCodec(&c.in)
			if c.in.OldUnicastChecksum && sum == group {
				answer = receiver
				reply := received(t, receiver.Encode(advertOf(c.in, 150), own4, source4, wireTime), false, own4, source4)
				b := reply.payload()
				if fold(sum2(b, own4, wireGroup4)) != 0 {
					t.Error("the old way was not answered in the old way")
				}
			}
			reply := received(t, answer.Encode(advertOf(c.in, 150), own4, to, wireTime), false, own4, to)
			if b := reply.payload(); sum == pseudo && !c.in.ChecksumAsV2 && fold(sum2(b, own4, to)) != 0 {
				t.Errorf("%s: the new way was not answered in the new way", c.name)
			}
		}
	}
}

func sum2(b []byte, from, to netip.Addr) uint32 { return sum(pseudoSum(from, to, len(b)), b) }

func TestIPv6Checksum(t *testing.T) {
	in := with(plain3, func(in *Instance) {
		in.IPv6, in.Multicast, in.Addresses = true, wireGroup6, wireVIP6
		in.Source = wireLocal6
	})
	data := bytes.Clone(NewCodec(&in).Encode(advertOf(in, 150), netip.MustParseAddr("fe80::2"), wireGroup6, wireTime))
	p := Packet{Data: data, From: netip.MustParseAddr("fe80::2%eth0"), To: wireGroup6, TTL: 255}
	if err := decoded(NewCodec(&in), p, wireTime); err != nil {
		t.Errorf("with the zone that a socket tells: %v", err)
	}
	asV2 := with(in, func(in *Instance) { in.ChecksumAsV2 = true }) // which is for IPv4
	wrong := Packet{Data: bytes.Clone(data), From: p.From, To: p.To, TTL: 255}
	setChecksum(wrong.Data, 0)
	if err := decoded(NewCodec(&asV2), wrong, wireTime); !errors.Is(err, RejectChecksum) {
		t.Errorf("without pseudo header: %v", err)
	}
	p.To = netip.MustParseAddr("ff02::13")
	if err := decoded(NewCodec(&in), p, wireTime); !errors.Is(err, RejectChecksum) {
		t.Errorf("to another group: %v", err)
	}
}

// A socket tells the zone of a link-local address, a configuration may.
func TestZones(t *testing.T) {
	for _, c := range []struct {
		peer, own, from string
		want            error
	}{
		{"fe80::2", "fe80::1", "fe80::2%eth0", nil},
		{"fe80::2%eth0", "fe80::1%eth0", "fe80::2", nil},
		{"fe80::3", "fe80::1", "fe80::2%eth0", RejectPeer},
		{"fe80::2", "fe80::2%eth0", "fe80::2", RejectOurs},
		{"fe80::2", "fe80::2", "fe80::2%eth0", RejectOurs},
	} {
		to := netip.MustParseAddr("fe80::1")
		in := with(plain3, func(in *Instance) {
			in.IPv6, in.Addresses, in.Multicast, in.CheckSource = true, wireVIP6, netip.Addr{}, true
			in.Source, in.Peers = netip.MustParseAddr(c.own), peers(addrs(c.peer))
		})
		from := netip.MustParseAddr(c.from)
		data := NewCodec(&in).Encode(advertOf(in, 150), from, to, wireTime)
		if got := decoded(NewCodec(&in), Packet{Data: data, From: from, To: to, TTL: 64}, wireTime); !errors.Is(got, c.want) {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// Only an owner may ignore adverts, and only version 2 has authentication of its own.
func TestWhatDoesNotApply(t *testing.T) {
	for name, in := range map[string]Instance{
		"owner_ignore_adverts, priority 254": with(plain2, func(in *Instance) { in.OwnerIgnoreAdverts, in.Priority = true, 254 }),
		"owner":                              with(plain2, func(in *Instance) { in.Priority = 255 }),
	} {
		if err := outcome(t, in, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	want := NewCodec(&plain3).Encode(advertOf(plain3, 150), source4, wireGroup4, wireTime)
	for _, auth := range []AuthType{AuthPASS, AuthAH} {
		in := with(plain3, func(in *Instance) { in.Auth = Auth{auth, secret} })
		if got := NewCodec(&in).Encode(advertOf(in, 150), source4, wireGroup4, wireTime); !bytes.Equal(got, want) {
			t.Errorf("authentication %d in version 3: %x, want %x", auth, got, want)
		}
	}
}

// RFC 9568 5.2.6: the reserved bits in front of the interval are ignored.
func TestReservedBits(t *testing.T) {
	p := received(t, NewCodec(&plain3).Encode(advertOf(plain3, 150), source4, wireGroup4, wireTime), false, source4, wireGroup4)
	body(&p)[4] |= 0xF0
	setChecksum(body(&p), pseudoSum(source4, wireGroup4, len(body(&p))))
	if got, err := NewCodec(&plain3).Decode(p, wireTime); err != nil || got.Interval != time.Second {
		t.Errorf("%v, %v", got.Interval, err)
	}
}

func TestParseIPv4(t *testing.T) {
	good := NewCodec(&plain2).Encode(advertOf(plain2, 100), source4, wireGroup4, wireTime)
	for _, c := range []struct {
		name string
		data []byte
		ok   bool
	}{
		{"good", good, true},
		{"options", slices.Concat([]byte{0x46}, good[1:20], []byte{1, 1, 1, 0}, good[20:]), true},
		{"nothing", nil, false},
		{"19 bytes", good[:19], false},
		{"version 6", slices.Concat([]byte{0x65}, good[1:]), false},
		{"header too short", slices.Concat([]byte{0x44}, good[1:]), false},
		{"header longer than the packet", slices.Concat([]byte{0x4F}, good[1:]), false},
	} {
		p, ok := ParseIPv4(c.data)
		if ok != c.ok {
			t.Errorf("%s: %v, want %v", c.name, ok, c.ok)
		}
		if vrid, known := p.VRID(); known != ok || ok && vrid != 51 {
			t.Errorf("%s: VRID %d, %v", c.name, vrid, known)
		}
	}
}

func TestRejectWords(t *testing.T) {
	snake := regexp.MustCompile(`^[a-z]+(_[a-z0-9]+)*$`)
	seen := map[string]bool{}
	for r := RejectAuthHeader; r <= RejectState; r++ {
		if !snake.MatchString(r.String()) || seen[r.String()] {
			t.Errorf("%d: word %q", r, r)
		}
		seen[r.String()] = true
		if len(r.Error()) < 30 || r.Hint() == "" {
			t.Errorf("%v: text %q, hint %q", r.String(), r.Error(), r.Hint())
		}
	}
}
