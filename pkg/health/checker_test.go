package health_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
)

var (
	policy = health.Policy{
		DelayLoop:        10 * time.Second,
		Retry:            2,
		DelayBeforeRetry: time.Second,
		Warmup:           10 * time.Second,
	}
	start = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	pass  = health.Result{Took: time.Millisecond}
	fail  = health.Result{Err: "connection refused", Took: time.Millisecond}
)

// probe runs the checker's next probe at its deadline.
func probe(t *testing.T, c health.Checker, r health.Result) health.Checker {
	t.Helper()
	began := c.Deadline()
	c, ok := c.Start(began)
	if !ok {
		t.Fatalf("no probe starts at the deadline, %s", began)
	}
	c = c.Step(began.Add(r.Took), r)
	return c
}

// after returns a checker of the policy that has seen some results.
func after(t *testing.T, p health.Policy, results ...health.Result) health.Checker {
	t.Helper()
	c := health.New(p, start, 0)
	for _, r := range results {
		c = probe(t, c, r)
	}
	return c
}

func expect(t *testing.T, c health.Checker, s health.State, alive bool) {
	t.Helper()
	if c.State != s || c.Alive() != alive {
		t.Errorf("%v, alive %v; want %v, alive %v", c.State, c.Alive(), s, alive)
	}
}

// The names below are those of the rules in keepalived's checker state machine.

func TestNoAlphaIsAliveBeforeAnyCheck(t *testing.T) {
	expect(t, after(t, policy), health.Unchecked, true)
}

func TestNoAlphaFirstFailureOfTheFirstRunIsFinal(t *testing.T) {
	expect(t, after(t, policy, fail), health.Down, false)
}

func TestAlphaStartsDown(t *testing.T) {
	p := policy
	p.Alpha = true
	expect(t, after(t, p), health.Unchecked, false)
	expect(t, after(t, p, fail), health.Down, false)
}

func TestAlphaFirstSuccessAddsIt(t *testing.T) {
	p := policy
	p.Alpha = true
	expect(t, after(t, p, pass), health.Up, true)
	expect(t, after(t, p, fail, fail, pass), health.Up, true)
}

func TestRetryDownAfterRetryAndOneMoreFailures(t *testing.T) {
	expect(t, after(t, policy, pass, fail, fail), health.Up, true)
	expect(t, after(t, policy, pass, fail, fail, fail), health.Down, false)

	p := policy
	p.Retry = 0
	expect(t, after(t, p, pass, fail), health.Down, false)
}

func TestRetryCountsFailuresInARow(t *testing.T) {
	c := after(t, policy, pass, fail, fail, pass, fail, fail)
	expect(t, c, health.Up, true)
	if c.Failures != 2 || c.Failed != 4 || c.Probes != 6 {
		t.Errorf("%d failures in a row, %d of %d in all; want 2, 4 of 6", c.Failures, c.Failed, c.Probes)
	}
}

func TestRetryUpAfterOneSuccess(t *testing.T) {
	expect(t, after(t, policy, fail, fail, fail, fail, pass), health.Up, true)
}

func TestIntervals(t *testing.T) {
	slow := health.Result{Err: "no answer within 3s", Took: 3 * time.Second}
	for _, test := range []struct {
		name    string
		results []health.Result
		next    time.Duration // from the start of the last probe
	}{
		{"a success", []health.Result{pass}, 10 * time.Second},
		{"a failure that is forgiven, from its end", []health.Result{pass, slow}, 4 * time.Second},
		{"a failure that is not", []health.Result{pass, fail, fail, fail}, 10 * time.Second},
		{"down", []health.Result{fail, slow}, 10 * time.Second},
		{"a probe as long as the interval", []health.Result{{Took: 10 * time.Second}}, 10 * time.Second},
		{"a longer one", []health.Result{{Took: 12 * time.Second}}, 12 * time.Second},
	} {
		c := after(t, policy, test.results...)
		if next := c.Deadline().Sub(c.LastRun); next != test.next {
			t.Errorf("after %s the next probe starts %s after the last; want %s", test.name, next, test.next)
		}
	}
}

func TestWarmupFirstRunAtARandomMomentWithinIt(t *testing.T) {
	for _, jitter := range []float64{0, 0.25, 0.999} {
		want := time.Duration(float64(policy.Warmup) * jitter)
		if got := health.New(policy, start, jitter).Deadline().Sub(start); got != want {
			t.Errorf("random %v: the first probe is after %s; want %s", jitter, got, want)
		}
	}
}

func TestStartBeforeTheDeadlineDoesNothing(t *testing.T) {
	c := after(t, policy, pass)
	for _, early := range []time.Duration{1, 10 * time.Second} {
		if d, ok := c.Start(c.Deadline().Add(-early)); ok || d != c {
			t.Errorf("started %s early", early)
		}
	}
}

func TestNeverTwoProbesAtOnce(t *testing.T) {
	c, ok := health.New(policy, start, 0).Start(start)
	if !ok || !c.Running() || !c.Deadline().IsZero() {
		t.Fatalf("started %v, running %v, deadline %v; want a running probe and no deadline", ok, c.Running(), c.Deadline())
	}
	if d, ok := c.Start(start.Add(time.Hour)); ok || d != c {
		t.Error("a second probe started beside the first")
	}
}

func TestResultWithoutAProbeDoesNothing(t *testing.T) {
	c := after(t, policy, pass)
	if d := c.Step(start.Add(time.Hour), fail); d != c {
		t.Error("a result was taken although no probe ran")
	}
}

func TestSinceFollowsTheState(t *testing.T) {
	c := health.New(policy, start, 0)
	since := start
	for i, step := range []struct {
		result  health.Result
		changed bool
	}{{pass, true}, {pass, false}, {fail, false}, {fail, false}, {fail, true}, {fail, false}, {pass, true}} {
		began := c.Deadline()
		c, _ = c.Start(began)
		ended := began.Add(step.result.Took)
		before := c.State
		c = c.Step(ended, step.result)
		if step.changed {
			since = ended
		}
		if changed := c.State != before; changed != step.changed || !c.Since.Equal(since) {
			t.Errorf("result %d: changed %v, since %s; want %v, %s", i, changed, c.Since, step.changed, since)
		}
		if !c.LastRun.Equal(began) || c.LastResult != step.result {
			t.Errorf("result %d: last run %s %v; want %s %v", i, c.LastRun, c.LastResult, began, step.result)
		}
	}
}

func TestAnotherPolicyKeepsTheState(t *testing.T) {
	p := policy
	p.DelayLoop, p.Retry, p.Alpha = 30*time.Second, 0, true
	now := start.Add(2 * time.Second)
	up, down := after(t, policy, pass), after(t, policy, fail)
	forgiven, _ := after(t, policy, pass, fail).Start(start.Add(time.Hour))

	for _, c := range []health.Checker{up, down} {
		d := c.Under(p, now)
		if d.State != c.State || d.Since != c.Since || d.Probes != c.Probes || d.Deadline() != c.Deadline() {
			t.Errorf("%+v became %+v; want the same state and deadline", c, d)
		}
		if d = probe(t, d, c.LastResult); d.Deadline().Sub(d.LastRun) != p.DelayLoop {
			t.Errorf("the interval is %s; want the new %s", d.Deadline().Sub(d.LastRun), p.DelayLoop)
		}
	}
	if d := probe(t, forgiven.Under(p, now), fail); d.State != health.Down {
		t.Errorf("%v after a failure that the new policy doesn't forgive; want down", d.State)
	}
	p.DelayLoop = time.Second
	if d := up.Under(p, now); !d.Deadline().Equal(now) {
		t.Errorf("the next probe is due %s later; want at once", d.Deadline().Sub(now))
	}
	p.Warmup = 0
	expect(t, after(t, policy).Under(p, now), health.Unchecked, false)
}

// Checks that start together have to spread over their interval, and stay spread: at no time may they all be due at once.
func TestResumeKeepsTheStateAndProbesAtOnce(t *testing.T) {
	for name, c := range map[string]health.Checker{"up": after(t, policy, pass, fail), "unchecked": health.New(policy, start, 0.5)} {
		running, ok := c.Start(c.Deadline())
		if !ok {
			t.Fatal("no probe starts")
		}
		later := start.Add(time.Hour)
		r := running.Resume(later)
		if r.Running() || r.Deadline() != later || r.State != c.State || r.Since != c.Since || r.Failures != c.Failures {
			t.Errorf("%s: %+v became %+v", name, running, r)
		}
	}
}

func TestChecksThatShareAnIntervalStaySpread(t *testing.T) {
	const checks, rounds = 500, 300
	p := policy
	p.Warmup = p.DelayLoop
	due := map[time.Duration]int{} // by tenths of a second
	for i := range checks {
		c := health.New(p, start, float64(i)/checks)
		for n := range rounds {
			due[c.Deadline().Sub(start)/(100*time.Millisecond)]++
			before := c.Deadline()
			c = probe(t, c, pass)
			if d := c.Deadline().Sub(before); d < p.DelayLoop || d > p.DelayLoop*103/100 {
				t.Fatalf("check %d, round %d: an interval of %s; want %s to 3%% more", i, n, d, p.DelayLoop)
			}
		}
	}
	for at, n := range due {
		if n > 4*checks/100 {
			t.Errorf("%d of %d checks are due within the 0.1 s at %s; evenly spread it were %d", n, checks, at*100*time.Millisecond,
				checks/100)
		}
	}
}

func TestStateText(t *testing.T) {
	for s, text := range map[health.State]string{health.Unchecked: "unchecked", health.Up: "up", health.Down: "down"} {
		b, err := json.Marshal(s)
		if err != nil || string(b) != `"`+text+`"` {
			t.Errorf("%v is %s, %v in JSON; want %q", s, b, err, text)
		}
		back := health.State(99)
		if err := json.Unmarshal(b, &back); err != nil || back != s {
			t.Errorf("%s is read as %v, %v; want %v", b, back, err, s)
		}
	}
	var s health.State
	if err := s.UnmarshalText([]byte("sideways")); err == nil {
		t.Error("no error for a state that doesn't exist")
	}
}

func TestSubjectIsAllButTheTiming(t *testing.T) {
	c := health.Check{Type: "TCP_CHECK", FWMark: 7, Timeout: time.Second, LogAllFailures: true, Policy: policy}
	if got, want := c.Subject(), (health.Check{Type: "TCP_CHECK", FWMark: 7}); got != want {
		t.Errorf("%+v; want %+v", got, want)
	}
}
