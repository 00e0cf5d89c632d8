package vrrp

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

// sealed is the next packet of a codec.
func sealed(t *testing.T, c *Codec, from string) Packet {
	t.Helper()
	source := addrs(from)[0]
	return received(t, bytes.Clone(c.Encode(advertOf(c.in, 100), source, wireGroup4, wireTime)), false, source, wireGroup4)
}

func TestAHReplay(t *testing.T) {
	sender, receiver := NewCodec(&ah2), NewCodec(&ah2)
	first, second, third := sealed(t, sender, "192.0.2.2"), sealed(t, sender, "192.0.2.2"), sealed(t, sender, "192.0.2.2")
	for i, step := range []struct {
		p    Packet
		want error
	}{
		{first, nil}, {first, RejectReplay}, {third, nil}, {second, RejectReplay}, {third, RejectReplay},
	} {
		if got := decoded(receiver, step.p, wireTime); !errors.Is(got, step.want) {
			t.Errorf("step %d: %v, want %v", i, got, step.want)
		}
	}
}

// One counter is for what is sent and what is received: a router that comes back, with a counter of 0, goes on where the active
// one is, and is believed.
func TestAHGoesOnWhereOthersAre(t *testing.T) {
	active, back := NewCodec(&ah2), NewCodec(&ah2)
	active.ah.sequence = 1000
	if err := decoded(active, sealed(t, NewCodec(&ah2), "192.0.2.2"), wireTime); !errors.Is(err, RejectReplay) {
		t.Errorf("counter that began anew: %v, want %v", err, RejectReplay)
	}
	if err := decoded(back, sealed(t, active, "192.0.2.3"), wireTime); err != nil {
		t.Fatal(err)
	}
	if err := decoded(active, sealed(t, back, "192.0.2.2"), wireTime); err != nil {
		t.Error(err)
	}
}

func TestAHBeginsAnewAtTheEnd(t *testing.T) {
	sender, receiver := NewCodec(&ah2), NewCodec(&ah2)
	sender.ah.sequence, receiver.ah.sequence = ahLast-2, ahLast-2
	for _, want := range []uint32{ahLast - 1, ahLast, 1, 2} {
		if err := decoded(receiver, sealed(t, sender, "192.0.2.2"), wireTime); err != nil {
			t.Errorf("sequence %d: %v", want, err)
		}
		if sender.ah.sequence != want {
			t.Errorf("sequence %d, want %d", sender.ah.sequence, want)
		}
	}
}

// Routers on the way change TTL and checksum, and may change TOS; on unicast none of it is covered.
func TestAHCoversWhatStays(t *testing.T) {
	unicast := with(ah2, func(in *Instance) { in.Peers = peers(addrs("192.0.2.2")) })
	p := received(t, bytes.Clone(NewCodec(&unicast).Encode(advertOf(unicast, 100), source4, own4, wireTime)), false, source4, own4)
	p.Data[1], p.Data[8], p.Data[10], p.TTL = 0, 17, 99, 17
	if err := decoded(NewCodec(&unicast), p, wireTime); err != nil {
		t.Error(err)
	}
	options := p
	options.Data = slices.Insert(bytes.Clone(p.Data), ipv4HeaderLen, 1, 1, 1, 0)
	options.Data[0], options.Data[3] = 0x46, options.Data[3]+4
	if err := decoded(NewCodec(&unicast), options, wireTime); !errors.Is(err, RejectICV) {
		t.Errorf("with options: %v, want %v", err, RejectICV)
	}
	p.Data[5]++ // the ID
	if err := decoded(NewCodec(&unicast), p, wireTime); !errors.Is(err, RejectICV) {
		t.Errorf("another ID: %v, want %v", err, RejectICV)
	}
}

func TestAHOutruns(t *testing.T) {
	c := NewCodec(&ah2)
	lower := NewCodec(&ah2)
	lower.ah.sequence = 999
	if err := decoded(c, sealed(t, lower, "192.0.2.2"), wireTime); err != nil {
		t.Fatal(err)
	}
	c.Outrun()
	sealed(t, lower, "192.0.2.2")
	if err := decoded(lower, sealed(t, c, "192.0.2.3"), wireTime); err != nil {
		t.Errorf("by a router that has just sent another one: %v", err)
	}
}
