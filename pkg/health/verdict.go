package health

import (
	"slices"
	"time"
)

// Verdict is what all the checks of one server together make of it.
type Verdict struct {
	State State     // Down if any check is, otherwise Unchecked if any is, otherwise Up
	Alive bool      // every check says so
	Since time.Time // of State, as far as the checks tell it; zero for a server without checks
	// Err is why the server is down: the last error of the first check that is. Otherwise it is the first failure that
	// is being forgiven, and empty if there is none.
	Err string
}

// Judge returns the verdict on a server that has these checks. One without any is always up.
func Judge(checks ...Checker) Verdict {
	in := func(s State) bool { return slices.ContainsFunc(checks, func(c Checker) bool { return c.State == s }) }
	v := Verdict{State: Up, Alive: true}
	switch {
	case in(Down):
		v.State = Down
	case in(Unchecked):
		v.State = Unchecked
	}
	for _, c := range checks {
		v.Alive = v.Alive && c.Alive()
		if c.State == v.State {
			v.Since = pick(v.State, v.Since, c.Since)
		}
		if v.Err == "" && (c.State == Down || v.State != Down) {
			v.Err = c.LastResult.Err
		}
	}
	return v
}

// pick returns the moment from which a server is in a state: it is up since its last check came up, but down since the
// first of those that are went down.
func pick(s State, a, b time.Time) time.Time {
	if a.IsZero() || b.After(a) == (s == Up) {
		return b
	}
	return a
}
