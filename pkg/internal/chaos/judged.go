package chaos

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Judged is how much was held against what should be: what a fault explains does not count.
type Judged struct {
	Requests map[string]int // by service
	Roles    int            // samples of addresses
	Tables   int            // of a director each
	Adverts  int            // of some seconds
	Vitals   int            // of a director each, compared with an earlier one
}

// Judged returns it.
func (j *Judge) Judged() Judged {
	judged := j.judged
	judged.Requests = maps.Clone(judged.Requests)
	return judged
}

// Least is what must have been judged in a run of a length. Who looks at nothing finds nothing.
func Least(length time.Duration) Judged {
	seconds := int(length.Seconds())
	least := Judged{Requests: map[string]int{}, Roles: seconds / 5, Tables: seconds / 5, Adverts: max(1, seconds/40), Vitals: max(1, seconds/40)}
	for _, s := range Services {
		least.Requests[s] = 4 * seconds
	}
	return least
}

// Lacks says of what a judge has seen less than the least.
func (j *Judge) Lacks(least Judged) (lacks []string) {
	say := func(what string, got, want int) {
		if got < want {
			lacks = append(lacks, fmt.Sprintf("%d %s were judged, expected at least %d", got, what, want))
		}
	}
	for _, s := range slices.Sorted(maps.Keys(least.Requests)) {
		say("requests for "+s, j.judged.Requests[s], least.Requests[s])
	}
	say("samples of addresses", j.judged.Roles, least.Roles)
	say("samples of tables", j.judged.Tables, least.Tables)
	say("samples of adverts", j.judged.Adverts, least.Adverts)
	say("samples of processes", j.judged.Vitals, least.Vitals)
	return lacks
}

// standstill is a time that the clock of the run did not count.
type standstill struct{ at, length time.Duration }

const (
	shortGap    = 100 * time.Millisecond // shorter ones upset nobody, however many
	upsetWithin = time.Second            // longer ones add up
)

// Stood tells that the whole lab stood still, at a time, for a length that the times of the run leave out: so everybody has been forgiven as
// much as that. Nobody is forgiven more, but if it is as much as adverts or checks bear: then another router may have taken over, and checks
// may have failed, which is a fault like any other.
func (j *Judge) Stood(at, length time.Duration) {
	if length < shortGap {
		return
	}
	j.gaps = append(j.gaps, standstill{at, length})
	total := time.Duration(0)
	for _, g := range slices.Backward(j.gaps) {
		if g.at <= at-upsetWithin {
			break
		}
		total += g.length
	}
	if total >= j.bears() {
		j.upsets = append(j.upsets, at)
	}
}

// bears is how long the lab may stand still without anybody's noticing: a standby director waits for three adverts, and the first of them
// may just have been due; a check has a limit.
func (j *Judge) bears() time.Duration { return min(3*j.world.Interval/2, CheckLimit/2) }

// Upsets is how often the lab stood still for so long that it counts as a fault.
func (j *Judge) Upsets() int { return len(j.upsets) }

func (j *Judge) upset(when span) bool {
	return slices.ContainsFunc(j.upsets, func(at time.Duration) bool { return when.meets(span{at - upsetWithin, at + j.bounds.Rejoin}) })
}
