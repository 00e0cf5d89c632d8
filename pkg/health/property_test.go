package health_test

import (
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// FuzzChecker holds any history of a check against what its policy promises. The first bytes are the policy, the others what
// happens, a byte each.
func FuzzChecker(f *testing.F) {
	f.Add([]byte{10, 2, 1, 0, 3, 2, 40, 100, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1})
	f.Add([]byte{2, 0, 5, 1, 1, 0, 0, 0, 3, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0, 3, 0, 4})
	f.Add([]byte{1, 1, 1, 0, 2, 0, 250, 255, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{1, 0, 0, 0, 0, 0, 2, 9, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 9 {
			return
		}
		o := observer{T: t, now: start, policy: health.Policy{
			DelayLoop: tenths(b[0]) + 1, Retry: int(b[1] % 8), DelayBeforeRetry: tenths(b[2]), Alpha: b[3]%2 == 1,
			Rise: int(b[4] % 8), FastInterval: tenths(b[5] % 16), HoldDown: tenths(b[6]), HoldDownMax: tenths(b[7]), Turns: int(b[8] % 5),
		}}
		o.checker = health.New(o.policy, start, float64(b[0])/256)
		o.forget()
		for _, event := range b[9:] {
			took := tenths(event >> 3)
			switch event % 8 {
			case 7:
				o.resume(took)
			case 6:
				o.skip(took)
			case 4, 5:
				o.step(health.Result{Err: "failed", Took: took})
			default:
				o.step(health.Result{Took: took})
			}
		}
	})
}

func tenths(n byte) time.Duration { return time.Duration(n) * 100 * time.Millisecond }

// observer keeps its own books of what happens to a checker.
type observer struct {
	*testing.T
	policy    health.Policy
	checker   health.Checker
	now       time.Time
	failures  int          // in a row
	successes int          // in a row, watched
	recovered time.Time    // the end of the first of those
	turns     map[int]bool // of those
	probes    uint64
}

func (o *observer) forget() { o.successes, o.turns = 0, map[int]bool{} }

func (o *observer) start() (turn int) {
	o.Helper()
	began := o.checker.Deadline()
	if began.Before(o.now) {
		o.Fatalf("due at %s, before %s", began, o.now)
	}
	if most := max(o.policy.DelayLoop, o.policy.DelayBeforeRetry, o.policy.FastInterval) * 104 / 100; began.Sub(o.now) > most {
		o.Fatalf("due %s later; want at most %s", began.Sub(o.now), most)
	}
	c, ok := o.checker.Start(began)
	turn, one := c.Turn()
	if !ok || one != (o.policy.Turns > 1) || turn < 0 || turn >= max(o.policy.Turns, 1) {
		o.Fatalf("started %v, turn %d, %v, of %d", ok, turn, one, o.policy.Turns)
	}
	o.checker, o.now = c, began
	return turn
}

func (o *observer) resume(after time.Duration) {
	o.now = o.now.Add(after)
	o.checker = o.checker.Resume(o.now)
	o.forget()
}

func (o *observer) skip(took time.Duration) {
	o.start()
	was := o.checker
	o.now = o.now.Add(took)
	if is := o.checker.Skip(o.now); is.Resume(o.now) != was.Resume(o.now) {
		o.Fatalf("a probe that came to nothing counted: %+v became %+v", was, is)
	} else {
		o.checker = is
	}
}

func (o *observer) step(r health.Result) {
	turn := o.start()
	was := o.checker
	o.now = o.now.Add(r.Took)
	is := was.Step(o.now, r)
	o.checker = is
	o.probes++
	if r.Err == "" {
		if o.successes++; o.successes == 1 {
			o.recovered = o.now
		}
		o.failures, o.turns[turn] = 0, true
	} else {
		o.failures++
		o.forget()
	}
	if is.Probes != o.probes || is.Failures != o.failures || is.Successes != o.successes || is.Running() || is.LastResult != r {
		o.Fatalf("%d probes, %d failures, %d successes in a row: %+v", o.probes, o.failures, o.successes, is)
	}
	rounds := 1
	if was.State == health.Down {
		rounds = max(o.policy.Rise, 1)
	}
	upward := o.successes >= rounds*max(o.policy.Turns, 1) && len(o.turns) == max(o.policy.Turns, 1) &&
		(was.State != health.Down || o.now.Sub(o.recovered) >= o.policy.HoldDown)
	downward := was.State == health.Unchecked && r.Err != "" || was.State == health.Up && o.failures > o.policy.Retry
	switch {
	case is.State == was.State && is.Since.Equal(was.Since) && is.Was == was.Was:
		if downward || upward && was.State == health.Unchecked ||
			upward && o.successes > 1+rounds*o.policy.Turns && o.now.Sub(o.recovered) >= max(o.policy.HoldDown, o.policy.HoldDownMax) && was.State == health.Down {
			o.Fatalf("still %v after %d failures, %d successes", is.State, o.failures, o.successes)
		}
	case !is.Since.Equal(o.now) || is.Was != was.State:
		o.Fatalf("%+v became %+v", was, is)
	case is.State == health.Up && !upward, is.State == health.Down && !downward, is.State == health.Unchecked:
		o.Fatalf("%v became %v after %d failures, %d successes in %d turns since %s", was.State, is.State, o.failures, o.successes, len(o.turns), o.recovered)
	}
	if held := is.Held(); !held.IsZero() {
		if hold := held.Sub(o.recovered); is.State != health.Down || hold < o.policy.HoldDown || hold > max(o.policy.HoldDown, o.policy.HoldDownMax) {
			o.Fatalf("held for %s: %+v", hold, is)
		}
	}
	if is.Alive() != (is.State == health.Up || is.State == health.Unchecked && !o.policy.Alpha) {
		o.Fatalf("alive %v: %+v", is.Alive(), is)
	}
}
