package health

import "time"

// Verdict is what all the checks of one server together make of it.
type Verdict struct {
	State    State     // Up if enough checks are, Down if too many are, otherwise Unchecked
	Alive    bool      // enough checks say so
	Since    time.Time // of State, as far as the checks tell it; zero for a server without checks
	Returned time.Time // when it last ceased to be Down; zero: it is Down, or never was
	// Err is why the server is down: the reason of the first check that is. Otherwise it is the first failure that is being
	// forgiven, or that other checks make up for, and empty if there is none.
	Err string
}

// Judge returns the verdict on a server that has these checks, of which so many are needed; 0: all. One without any is always
// up.
func Judge(needed int, checks ...Checker) Verdict {
	if needed == 0 || needed > len(checks) {
		needed = len(checks)
	}
	v := Verdict{State: together(needed, checks, time.Time{})}
	alive := 0
	for i := range checks {
		c := &checks[i]
		if c.Alive() {
			alive++
		}
		if c.State == v.State && (v.Since.IsZero() || c.Since.Before(v.Since)) {
			v.Since = c.Since
		}
		if v.Err == "" && (c.State == Down || v.State != Down && c.LastResult.Err != "") {
			v.Err = c.Reason()
		}
	}
	v.Alive = alive >= needed
	// Each check remembers its last change. By that it is known what the server was before the last of these changes, then before
	// the last but one, and so on.
	changed := false
	for at := latest(checks, time.Time{}); !at.IsZero(); at = latest(checks, at) {
		was := together(needed, checks, at)
		if was != v.State && !changed {
			v.Since, changed = at, true
		}
		if was == Down && v.State != Down {
			v.Returned = at
		}
		if changed && (v.State == Down || was == Down) {
			break
		}
	}
	return v
}

// together returns what the checks come to, or came to just before a moment that is not zero.
func together(needed int, checks []Checker, before time.Time) State {
	up, down := 0, 0
	for i := range checks {
		s := checks[i].State
		if !before.IsZero() && !checks[i].Since.Before(before) {
			s = checks[i].Was
		}
		switch s {
		case Up:
			up++
		case Down:
			down++
		case Unchecked:
		}
	}
	switch {
	case up >= needed:
		return Up
	case down > len(checks)-needed:
		return Down
	}
	return Unchecked
}

// latest returns when the last change of a check was, before a moment that is not zero.
func latest(checks []Checker, before time.Time) (last time.Time) {
	for i := range checks {
		if at := checks[i].Since; at.After(last) && (before.IsZero() || at.Before(before)) {
			last = at
		}
	}
	return last
}
