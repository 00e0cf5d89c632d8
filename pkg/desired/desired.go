// Package desired says what the kernel should hold: a pure function of the configuration, the verdicts of the health checks, what the
// operator wants of servers at the moment, and the record of what was ours before. Each virtual server is decided for itself (Decide); the state is what they come to
// together (Assemble).
//
// It does not look at the kernel. Where the answer depends on what is there (a server that no check has judged yet stays
// as it is found), the State says so, and package reconcile, which sees both sides, acts on it.
package desired

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// State is all that is ours and how it should be, sorted by key. What it does not mention is somebody else's.
type State []Service

// Service is one service of ours.
type Service struct {
	ipvs.Service
	Want         Want          // Present or Absent; when Absent only the key counts
	Destinations []Destination // sorted by address
}

// Destination returns the server with this address, nil if there is none.
func (s *Service) Destination(addr netip.AddrPort) *Destination {
	i, found := slices.BinarySearchFunc(s.Destinations, addr, compareAddr)
	if !found {
		return nil
	}
	return &s.Destinations[i]
}

// Destination is one server of a service of ours.
type Destination struct {
	ipvs.Destination // when Absent only the address counts
	Want             Want
}

// Want is how an object should be found in the kernel.
type Want uint8

const (
	// Present as described.
	Present Want = iota
	// Absent altogether.
	Absent
	// AsFound is for a server without a verdict: not added when absent, kept as described when present, but still at
	// weight 0 if found so. The kernel is the memory of the verdicts that an earlier run of the daemon reached.
	AsFound
	// Kept is for a server that left the configuration and may go as soon as it is known whether another one works:
	// until then it stays as it is found.
	Kept
	// Draining is for a server that left the configuration and may finish its connections: it has weight 0 if it is found,
	// and goes with the last of them.
	Draining
)

// Verdicts are the states of all checks. A check without an entry is unchecked.
type Verdicts map[health.ID]health.Checker

// Of returns what is known of a check.
func (v Verdicts) Of(id health.ID) health.Checker {
	if k, known := v[id]; known {
		return k
	}
	return health.New(id.Check().Policy, time.Time{}, 0)
}

// Follow changes the verdicts to those on other checks. As in the probe engine, which learns of it later, an added check
// takes over what another one with the same Subject knew, be it removed or not, or else is unchecked.
func (v Verdicts) Follow(removed, added []health.ID, now time.Time) {
	legacy := health.LegacyFor(added, maps.Keys(v), v.Of)
	for _, c := range removed {
		delete(v, c)
	}
	for _, c := range added {
		k, known := legacy.Heir(c, now)
		if !known {
			k = health.New(c.Check().Policy, now, 0)
		}
		v[c] = k
	}
}
