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
	Err   string
	Check int // which check Err is of
}

// Tally counts what the checks of a server say.
type Tally struct{ all, up, down, alive int }

// Add counts a check.
func (t *Tally) Add(s Standing) {
	t.all++
	if s.Alive() {
		t.alive++
	}
	switch s.State {
	case Up:
		t.up++
	case Down:
		t.down++
	case Unchecked:
	}
}

// State returns what the checks come to if so many of them are needed; 0: all.
func (t Tally) State(needed int) State {
	switch needed = t.needed(needed); {
	case t.up >= needed:
		return Up
	case t.down > t.all-needed:
		return Down
	}
	return Unchecked
}

// Alive says whether the server may have clients if so many checks are needed; 0: all.
func (t Tally) Alive(needed int) bool { return t.alive >= t.needed(needed) }

func (t Tally) needed(n int) int {
	if n == 0 {
		return t.all
	}
	return min(n, t.all)
}

// Judge returns the verdict on a server that has these checks, of which so many are needed; 0: all. One without any is always
// up.
func Judge(needed int, checks ...Checker) Verdict {
	now := tally(checks, time.Time{})
	v := Verdict{State: now.State(needed), Alive: now.Alive(needed)}
	for i := range checks {
		c := &checks[i]
		if c.State == v.State && (v.Since.IsZero() || c.Since.Before(v.Since)) {
			v.Since = c.Since
		}
		if v.Err == "" && (c.State == Down || v.State != Down && c.LastResult.Err != "") {
			v.Err, v.Check = c.Reason(), i
		}
	}
	// Each check remembers its last change. By that it is known what the server was before the last of these changes, then before
	// the last but one, and so on.
	changed := false
	for at := latest(checks, time.Time{}); !at.IsZero(); at = latest(checks, at) {
		was := tally(checks, at).State(needed)
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

// tally counts the checks as they are, or as they were just before a moment that is not zero.
func tally(checks []Checker, before time.Time) (t Tally) {
	for i := range checks {
		s := checks[i].Standing
		if !before.IsZero() && !checks[i].Since.Before(before) {
			s.State = s.Was
		}
		t.Add(s)
	}
	return t
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
