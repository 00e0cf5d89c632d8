package health

import (
	"fmt"
	"time"
)

// State is what is known of a server.
type State uint8

// The states of a Checker and of a Verdict.
const (
	Unchecked State = iota // no probe has ended yet
	Up
	Down
)

// String returns "unchecked", "up" or "down".
func (s State) String() string {
	switch s {
	case Unchecked:
		return "unchecked"
	case Up:
		return "up"
	case Down:
		return "down"
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// MarshalText makes a state a JSON string.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *State) UnmarshalText(b []byte) error {
	for _, t := range []State{Unchecked, Up, Down} {
		if string(b) == t.String() {
			*s = t
			return nil
		}
	}
	return fmt.Errorf("%q is not unchecked, up or down", b)
}

// Checker is the state machine of one check. A zero Checker is of no use: make one with New.
//
//	            New
//	             |
//	             v
//	 .------ Unchecked -----.        Unchecked: alive unless alpha; any first result decides
//	 | pass            fail |        Up:        alive; probes each DelayLoop, and DelayBeforeRetry after a forgiven failure
//	 v                      v        Down:      not alive; probes each DelayLoop
//	Up ------------------> Down
//	 ^  Retry+1 failures    |
//	 |  in a row            |
//	 '----------------------'
//	          pass
//
// Beside its state it is either waiting for its Deadline or running a probe: Start leads from waiting to running, Step back.
type Checker struct {
	State      State
	Since      time.Time // of State; of an Unchecked one: when it was made
	LastRun    time.Time // when the last probe that ended was started; zero before the first
	LastResult Result    // of that probe
	Failures   int       // in a row, up to now
	Probes     uint64    // that ended
	Failed     uint64    // of those

	policy  Policy
	jitter  float64
	next    time.Time // when the next probe is due
	running time.Time // when the running probe was started; zero: none runs
}

// spread is by how much at most an interval is longer than DelayLoop.
const spread = 0.03

// New returns a checker that has its first probe at a random moment within the policy's Warmup. Jitter is the randomness, a
// fraction in [0,1): by it times spread every DelayLoop is longer, so that checks that share an interval don't stay in
// step. It adds to both delays alike, because checks that start late and then catch up would all meet after some rounds.
func New(p Policy, now time.Time, jitter float64) Checker {
	return Checker{
		Since:  now,
		policy: p,
		jitter: jitter,
		next:   now.Add(fraction(p.Warmup, jitter)),
	}
}

// Under returns the checker under another policy, without a running probe. What it knows of the server stays: a changed
// interval must not send clients to a server that is known to be down, nor take away one that is up. The next probe is
// due when it was, or when the new policy wants it if that is sooner.
func (c Checker) Under(p Policy, now time.Time) Checker {
	if c.State == Unchecked {
		return New(p, now, c.jitter)
	}
	due := c.next
	c.policy, c.running = p, time.Time{}
	c = c.become(c.State, now)
	if due.Before(c.next) {
		c.next = due
	}
	return c
}

// Resume returns the checker after a time without probes: it has none that runs, and the next one is due at once. What it
// knows of the server stays.
func (c Checker) Resume(now time.Time) Checker {
	c.running, c.next = time.Time{}, now
	return c
}

// Alive says whether the server may have clients as far as this check goes.
func (c Checker) Alive() bool { return c.State == Up || c.State == Unchecked && !c.policy.Alpha }

// Deadline returns when the next probe is due. It is zero while one runs.
func (c Checker) Deadline() time.Time {
	if c.Running() {
		return time.Time{}
	}
	return c.next
}

// Running says whether a probe is under way.
func (c Checker) Running() bool { return !c.running.IsZero() }

// Start notes that a probe starts now. It returns false, and changes nothing, before the Deadline and while one runs.
func (c Checker) Start(now time.Time) (Checker, bool) {
	if c.Running() || now.Before(c.next) {
		return c, false
	}
	c.running = now
	return c, true
}

// Step takes the result of the running probe, which ended now. Without a running probe it does nothing.
func (c Checker) Step(now time.Time, r Result) Checker {
	if !c.Running() {
		return c
	}
	c.LastRun, c.LastResult, c.running = c.running, r, time.Time{}
	c.Probes++
	if r.Err == "" {
		c.Failures = 0
		return c.become(Up, now)
	}
	c.Failures++
	c.Failed++
	if c.State == Up && c.Failures <= c.policy.Retry {
		// Counted from the end of the failed one, as keepalived does: a probe that timed out is not repeated at once.
		c.next = now.Add(c.policy.DelayBeforeRetry)
		return c
	}
	return c.become(Down, now)
}

// become enters or stays in a state, and has the next probe an interval after the start of the last one. It is due at once
// if that one took longer.
func (c Checker) become(s State, now time.Time) Checker {
	if c.State != s {
		c.State, c.Since = s, now
	}
	c.next = c.LastRun.Add(c.policy.DelayLoop + fraction(c.policy.DelayLoop, spread*c.jitter))
	if c.next.Before(now) {
		c.next = now
	}
	return c
}

func fraction(d time.Duration, f float64) time.Duration { return time.Duration(float64(d) * f) }
