package health

// Quorum is how much weight of live servers a service needs (keepalived's quorum and hysteresis).
//
//	             live >= Needed+Hysteresis
//	          .-----------------------------.
//	          |                             v
//	Unchecked, Down                         Up
//	          ^                             |
//	          '-----------------------------'
//	           live == 0 or < Needed-Hysteresis
//
// It begins Unchecked, and becomes Down from there only once no verdict that is still to come could make it Up.
type Quorum struct {
	Needed     int64 // at least 1
	Hysteresis int64 // less than Needed
}

// Step returns the state that follows, given the weight of the servers that are alive and of those no check has judged yet.
func (q Quorum) Step(s State, live, unchecked int64) State {
	needed := q.Needed
	switch s {
	case Up:
		needed -= q.Hysteresis
	default:
		needed += q.Hysteresis
	}
	needed = max(needed, 1)
	switch {
	case live >= needed:
		return Up
	case live+unchecked < needed:
		return Down
	}
	// What is still to come decides.
	return s
}

// Share is a number of servers: at least Count of them, or Percent of all, rounded up. The zero value is none.
type Share struct {
	Count   int
	Percent int
}

// Of returns how many servers the share of so many is.
func (s Share) Of(all int) int { return max(min(s.Count, all), (all*s.Percent+99)/100) }
