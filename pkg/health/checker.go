package health

import (
	"fmt"
	"time"
	"unique"
)

// Checker is the state machine of one check. A zero Checker is of no use: make one with New.
//
//	            New
//	             |
//	             v
//	 .------ Unchecked -----.        Unchecked: alive unless alpha or doubted; the first failure decides, or a success in each turn
//	 | pass            fail |        Up:        alive
//	 v                      v        Down:      not alive
//	Up ------------------> Down
//	 ^  Retry+1 failures    |
//	 |  in a row            |
//	 '----------------------'
//	  enough successes in a row, once the first of them is as long ago as the hold
//
// The next probe starts DelayLoop after the last one started, or
//
//	FastInterval                   as long as results point away from the state: Up and failing, Down or Unchecked and passing
//	DelayBeforeRetry from its end  after a forgiven failure, without FastInterval
//	DelayBeforeRetry               Down and failing, with Turns, if that is longer
//	when the hold ends             Down, and nothing else is missing, if that is sooner
//	a random part of DelayLoop     after the first, without Warmup: all start at once then, and must not stay in step
//
// The hold is HoldDown, and doubles each time a server that came back fails after less than HoldDownMax, up to HoldDownMax. For
// each whole HoldDownMax that the server was up before it failed, the hold is halved again.
//
// A server of several Turns has one of them checked each time, in order. One that fails has its turn again until it passes. If the
// server is down by then, all have their turn from the first on, and have to pass as often as Rise says. So does keepalived, with
// the difference that it forgives failures there (seen in 2.2.7; while a TCP_CHECK fails it also tries as often as retry says at
// the distance of delay_before_retry, which tells nothing new).
//
// Beside its state a Checker is either waiting for its Deadline or running a probe: Start leads from waiting to running, Step
// and Skip back.
type Checker struct {
	Standing

	// There are very many Checkers. They are kept small by the order of the fields, and share their policies.
	running bool
	doubled uint8 // how often the hold has
	turn    uint16

	Since      time.Time // of State; of an Unchecked one: when it was made
	LastRun    time.Time // when the last probe that ended was started; zero before the first
	LastResult Result    // of that probe; its Finding is that of the last one that passed
	Failures   int       // in a row, up to now
	Successes  int       // in a row, up to now
	Probes     uint64    // that ended
	Failed     uint64    // of those

	policy   unique.Handle[Policy]
	jitter   float64
	recovery time.Duration // from Since to the first of Successes
	next     time.Time     // when the next probe is due; while one runs, when it was started
}

// Standing is what a Checker says of its server, without when and why.
type Standing struct {
	State   State
	Was     State  // before
	alpha   bool   // as in the policy
	doubted bool   // see Doubt
	Advice  Advice // of the last result that passed
}

// Alive says whether the server may have clients as far as this check goes.
func (s Standing) Alive() bool {
	return s.State == Up || s.State == Unchecked && !s.alpha && !s.doubted
}

// spread is by how much at most an interval is longer than it should be.
const spread = 0.03

// soon is when a probe that could not be run is due again.
const soon = time.Second

// New returns a checker that has its first probe at a random moment within the policy's Warmup. Jitter is the randomness, a
// fraction in [0,1): by it times spread every DelayLoop is longer, so that checks that share an interval don't stay in
// step. It adds to both delays alike, because checks that start late and then catch up would all meet after some rounds.
func New(p Policy, now time.Time, jitter float64) Checker {
	return Checker{
		Standing: Standing{alpha: p.Alpha},
		Since:    now,
		policy:   unique.Make(p),
		jitter:   jitter,
		next:     now.Add(fraction(p.Warmup, jitter)),
	}
}

// Under returns the checker under another policy, without a running probe. What it knows of the server stays: a changed
// interval must not send clients to a server that is known to be down, nor take away one that is up. The next probe is
// due when it was, or when the new policy wants it if that is sooner.
func (c Checker) Under(p Policy, now time.Time) Checker {
	if c.State == Unchecked {
		n := New(p, now, c.jitter)
		if c.doubted {
			n = n.Doubt(now)
		}
		return n
	}
	due := c.next
	c.policy, c.alpha, c.running = unique.Make(p), p.Alpha, false
	c.turn %= p.turns()
	c = c.wait(p, now)
	if due.Before(c.next) {
		c.next = due
	}
	return c
}

// Resume returns the checker after a time without probes: it has none that runs, and the next one is due at once. What it
// knows of the server stays, but a server that is down has to pass from now on: nobody saw that it went on doing so.
func (c Checker) Resume(now time.Time) Checker {
	c.running, c.next, c.Successes = false, now, 0
	return c
}

// Doubt returns the checker of a server that an earlier process, or another program, left without clients: as long as it is unchecked it has
// none, whatever the policy presumes, and so its first probe is due at once.
func (c Checker) Doubt(now time.Time) Checker {
	c.doubted = true
	return c.Hurry(now)
}

// Hurry returns the checker with its next probe due now, unless one runs.
func (c Checker) Hurry(now time.Time) Checker {
	if !c.running {
		c.next = now
	}
	return c
}

// Held returns until when a server that passes again is down all the same. Zero: it is not held, or does not pass.
func (c Checker) Held() time.Time {
	if c.State != Down || c.Successes == 0 {
		return time.Time{}
	}
	hold := c.hold(c.rules())
	if hold == 0 {
		return time.Time{}
	}
	return c.Since.Add(c.recovery + hold)
}

// Reason returns why the server is not up as far as this check goes, or what goes wrong with it although it is; empty if
// there is nothing to say.
func (c Checker) Reason() string {
	if c.State != Down || c.LastResult.Err != "" {
		return c.LastResult.Err
	}
	if needed := c.needed(c.rules()); c.Successes < needed {
		return fmt.Sprintf("passed %d of %d times", c.Successes, needed)
	}
	return "passes, but is held until " + c.Held().Format(time.TimeOnly)
}

// Turn returns which of the policy's Turns is checked by the running probe, or else by the next one, from 0. Without turns it
// returns false: a probe checks all there is.
func (c Checker) Turn() (n int, one bool) { return int(c.turn), c.rules().Turns > 1 }

// rules returns the policy; of a Checker that was not made by New, the zero one.
func (c Checker) rules() (p Policy) {
	if c.policy != (unique.Handle[Policy]{}) {
		p = c.policy.Value()
	}
	return p
}

// Deadline returns when the next probe is due. It is zero while one runs.
func (c Checker) Deadline() time.Time {
	if c.running {
		return time.Time{}
	}
	return c.next
}

// Running says whether a probe is under way.
func (c Checker) Running() bool { return c.running }

// Start notes that a probe starts now. It returns false, and changes nothing, before the Deadline and while one runs.
func (c Checker) Start(now time.Time) (Checker, bool) {
	if c.running || now.Before(c.next) {
		return c, false
	}
	c.running, c.next = true, now
	return c, true
}

// Skip notes that the running probe came to nothing for a reason of this host, such as a lack of file descriptors. That says
// nothing of the server: it does not count, and the probe is due again soon.
func (c Checker) Skip(now time.Time) Checker {
	if c.running {
		c.running, c.next = false, now.Add(min(soon, c.interval(c.rules())))
	}
	return c
}

// Step takes the result of the running probe, which ended now. Without a running probe it does nothing.
func (c Checker) Step(now time.Time, r Result) Checker {
	if !c.running {
		return c
	}
	c.running, c.LastRun = false, c.next
	c.Probes++
	p := c.rules()
	if r.Err == "" {
		c.LastResult, c.Advice = r, r.Advice
		return c.pass(p, now)
	}
	r.Finding = c.LastResult.Finding
	c.LastResult = r
	return c.fail(p, now)
}

func (c Checker) pass(p Policy, now time.Time) Checker {
	c.turn = (c.turn + 1) % p.turns()
	if c.State == Down && c.Failures > 0 {
		c.turn = 0
	}
	c.Failures = 0
	c.Successes++
	if c.Successes == 1 {
		c.recovery = now.Sub(c.Since)
	}
	switch held := c.Held(); {
	case c.State == Up || c.Successes < c.needed(p):
		return c.wait(p, now)
	case now.Before(held):
		c = c.wait(p, now)
		if held.Before(c.next) {
			c.next = held
		}
		return c
	}
	return c.become(Up, p, now)
}

func (c Checker) fail(p Policy, now time.Time) Checker {
	c.Successes = 0
	c.Failures++
	c.Failed++
	switch {
	case c.State == Up && c.Failures <= p.Retry && p.FastInterval == 0:
		// Counted from the end of the failed one, as keepalived does: a probe that timed out is not repeated at once.
		c.next = now.Add(p.DelayBeforeRetry)
		return c
	case c.State == Up && c.Failures <= p.Retry, c.State == Down:
		return c.wait(p, now)
	}
	return c.become(Down, p, now)
}

// become enters another state.
func (c Checker) become(s State, p Policy, now time.Time) Checker {
	switch limit := p.holdLimit(); {
	case limit == 0 || c.State != Up:
	case now.Sub(c.Since) >= limit:
		c.doubled -= uint8(min(now.Sub(c.Since)/limit, time.Duration(c.doubled)))
	case c.Was == Down && c.hold(p) < limit:
		c.doubled++
	}
	c.State, c.Was, c.Since, c.doubted = s, c.State, now, false
	return c.wait(p, now)
}

// wait has the next probe an interval after the start of the last one. It is due at once if that one took longer.
func (c Checker) wait(p Policy, now time.Time) Checker {
	c.next = c.LastRun.Add(c.interval(p))
	if c.next.Before(now) {
		c.next = now
	}
	return c
}

// interval returns how long after the start of the last probe the next one starts.
func (c Checker) interval(p Policy) time.Duration {
	d := p.DelayLoop
	switch {
	case p.FastInterval > 0 && (c.State == Up && c.Failures > 0 || c.State != Up && c.Successes > 0 && c.Successes < c.needed(p)):
		return p.FastInterval
	case c.State == Down && c.Failures > 0 && p.Turns > 0:
		d = max(d, p.DelayBeforeRetry)
	case c.Probes == 1 && p.Warmup == 0:
		return d - fraction(d, c.jitter)
	}
	return d + fraction(d, spread*c.jitter)
}

// needed returns after how many successes in a row the server is up.
func (c Checker) needed(p Policy) int {
	n := int(p.turns())
	if c.State != Down {
		return n
	}
	n *= max(p.Rise, 1)
	if p.Turns > 1 {
		n++ // the one that failed, before the others
	}
	return n
}

// Missing returns how many more successes in a row bring the server up, as far as they are what it waits for; 0 while it is up.
func (c Checker) Missing() int {
	if c.State == Up {
		return 0
	}
	return max(c.needed(c.rules())-c.Successes, 0)
}

// hold returns for how long a server that is down has to pass.
func (c Checker) hold(p Policy) time.Duration {
	d := p.HoldDown
	for n := c.doubled; n > 0 && d < p.HoldDownMax; n-- {
		d *= 2
	}
	return min(d, p.holdLimit())
}

// holdLimit returns the longest hold, 0 if there is none at all.
func (p Policy) holdLimit() time.Duration {
	if p.HoldDown == 0 {
		return 0
	}
	return max(p.HoldDown, p.HoldDownMax)
}

func (p Policy) turns() uint16 { return uint16(max(p.Turns, 1)) }

func fraction(d time.Duration, f float64) time.Duration { return time.Duration(float64(d) * f) }
