package vrrpio

import (
	"net/netip"
	"time"

	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// link is a socket with the instances that share it.
type link struct {
	spec
	socket  socket // nil: not open yet
	err     error  // why it can't be opened
	members map[uint8]*instance
	out     []datagram // that are to leave; those behind its length have memory for more

	rejected map[vrrp.Reject]uint64 // packets that are no instance's
	unknown  [256]bool              // VRIDs of them that were logged
}

// put adds a packet to those that are to leave. It copies the bytes.
func (k *link) put(in *instance, packet []byte, to netip.Addr, due time.Time) {
	n := len(k.out)
	if n < cap(k.out) {
		k.out = k.out[:n+1]
	} else {
		k.out = append(k.out, datagram{})
	}
	d := &k.out[n]
	d.data = append(d.data[:0], packet...)
	d.from, d.to, d.ttl, d.in, d.due = in.source, to, in.TTL, in, due
}

// flush sends what is to leave. It returns the worst that was too late, if any.
func (k *link) flush() (worst late) {
	for rest := k.out; len(rest) > 0; {
		n, err := k.socket.send(rest)
		now := time.Now()
		for i := range rest[:n] {
			worst = worst.or(rest[i].in.sent(rest[i].due, now))
		}
		if rest = rest[n:]; err != nil {
			rest[0].in.failed(err)
			rest = rest[1:]
		}
	}
	k.out = k.out[:0]
	return worst
}
