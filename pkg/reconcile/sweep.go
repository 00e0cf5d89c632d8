package reconcile

import (
	"context"
	"maps"
	"slices"

	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// A round need not read every server: that costs the kernel about as much as programming them. It has to read the services,
// which are few, the servers of those services of which something is to change, and now and then each of the others, so that
// what somebody else did to them is found. A sweep goes over all services in so many rounds.

// Special numbers of parts of a sweep.
const (
	Changes = 0 // the round reads the services that are to change, and nothing of the others: the fastest
	Whole   = 1 // it reads everything
)

// atOnce is how many services may be read in one round although it is not their turn, only because they were changed.
const atOnce = 64

// few is which part of all services may be read one by one. Of more it is faster to read all, and the servers of these.
const few = 1. / 16

// read reads what a round looks at, and sets what it has to be compared with, and what the last round left there.
func (r *Reconciler) read(ctx context.Context, want desired.State, of map[ipvs.ServiceKey]bool, parts int) (Round, desired.State, error) {
	if parts != Changes || of == nil || float64(len(of)) > few*float64(len(want)) {
		for i := range want {
			if parts == Changes && want[i].Want == desired.Absent {
				delete(of, want[i].ServiceKey) // it goes with its servers, whichever they are
			}
		}
		table, err := r.kernel.Read(ctx, of)
		return Round{Table: table, Want: want}, r.last, err
	}
	keys := slices.SortedFunc(maps.Keys(of), ipvs.ServiceKey.Compare)
	table, err := r.kernel.ReadServices(ctx, keys)
	return Round{Table: table, Want: only(keys, want)}, only(keys, r.last), err
}

// only returns the services of a state that have one of the keys, which are sorted.
func only(keys []ipvs.ServiceKey, state desired.State) desired.State {
	var some desired.State
	for _, k := range keys {
		i, found := slices.BinarySearchFunc(state, k, func(s desired.Service, k ipvs.ServiceKey) int { return s.ServiceKey.Compare(k) })
		if found {
			some = append(some, state[i])
		}
	}
	return some
}

// part returns the services whose servers the next round reads; nil for all.
func (r *Reconciler) part(want desired.State, parts int) map[ipvs.ServiceKey]bool {
	if parts == Whole || !r.done {
		return nil
	}
	of := make(map[ipvs.ServiceKey]bool)
	for o := range r.failed {
		of[o.service] = true
	}
	changed(r.last, want, of)
	if parts == Changes {
		return of
	}
	turns := (len(want) + parts - 1) / parts
	for k := range r.touched { // to see that it is as it should be
		if len(of) >= max(turns, atOnce) {
			break // more of them in the next round
		}
		of[k] = true
	}
	for _, k := range r.draining {
		of[k] = true // to see the last connection end
	}
	for range turns {
		r.sweep++
		of[want[r.sweep%len(want)].ServiceKey] = true
	}
	return of
}

// changed adds to of the services of which is and was differ.
func changed(was, is desired.State, of map[ipvs.ServiceKey]bool) {
	if same(was, is) {
		return
	}
	for _, s := range is {
		for len(was) > 0 && was[0].ServiceKey.Compare(s.ServiceKey) < 0 {
			was = was[1:]
		}
		if len(was) == 0 || !equal(&was[0], &s) {
			of[s.ServiceKey] = true
		}
	}
}

// same says whether two states are one and the same.
func same(a, b desired.State) bool { return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) }

// draining returns the services with servers that go once they are idle.
func draining(state desired.State) (keys []ipvs.ServiceKey) {
	for i := range state {
		if slices.ContainsFunc(state[i].Destinations, func(d desired.Destination) bool { return d.Want == desired.Draining }) {
			keys = append(keys, state[i].ServiceKey)
		}
	}
	return keys
}

// equal says whether two wishes for a service are the same. Mostly one was taken over from the other, servers and all.
func equal(a, b *desired.Service) bool {
	if a.Service != b.Service || a.Want != b.Want || len(a.Destinations) != len(b.Destinations) {
		return false
	}
	return len(a.Destinations) == 0 || &a.Destinations[0] == &b.Destinations[0] || slices.Equal(a.Destinations, b.Destinations)
}
