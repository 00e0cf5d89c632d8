package failover

import "github.com/ipvsd/ipvsd/pkg/status"

// kept is how many events are kept for who asks for them later.
const kept = 256

// ring is the latest events.
type ring struct {
	events [kept]status.Event
	seq    uint64 // of the last one; they count from 1
}

// add numbers an event and keeps it in the place of the oldest.
func (r *ring) add(e status.Event) {
	r.seq++
	e.Seq = r.seq
	r.events[r.seq%kept] = e
}

// after returns those that came after one of them, the oldest first.
func (r *ring) after(seq uint64) []status.Event {
	if r.seq > kept {
		seq = max(seq, r.seq-kept)
	}
	var list []status.Event
	for s := seq + 1; s <= r.seq; s++ {
		list = append(list, r.events[s%kept])
	}
	return list
}

// latest returns the last ones, the latest first.
func (r *ring) latest(n int) []status.Event {
	var list []status.Event
	for s := r.seq; s > 0 && len(list) < min(n, kept); s-- {
		list = append(list, r.events[s%kept])
	}
	return list
}
