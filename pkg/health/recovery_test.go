package health_test

import (
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
)

func under(change func(*health.Policy)) health.Policy {
	p := policy
	change(&p)
	return p
}

func TestRiseSuccessesInARow(t *testing.T) {
	p := under(func(p *health.Policy) { p.Rise = 3 })
	expect(t, after(t, p, pass), health.Up, true) // the first result decides, whatever it is
	expect(t, after(t, p, fail, pass, pass), health.Down, false)
	expect(t, after(t, p, fail, pass, pass, fail, pass, pass), health.Down, false)
	c := after(t, p, fail, pass, pass, fail, pass, pass)
	if c.Successes != 2 || c.Missing() != 1 || c.Reason() != "passed 2 of 3 times" {
		t.Errorf("%d successes, %d missing, %q", c.Successes, c.Missing(), c.Reason())
	}
	c = probe(t, c, pass)
	expect(t, c, health.Up, true)
	if c.Was != health.Down || c.Missing() != 0 || c.Reason() != "" {
		t.Errorf("was %v, %d missing, %q", c.Was, c.Missing(), c.Reason())
	}
}

func TestFastIntervalWhileResultsPointAway(t *testing.T) {
	const fast, loop = 100 * time.Millisecond, 10 * time.Second
	slow := health.Result{Err: "no answer within 3s", Took: 3 * time.Second}
	p := under(func(p *health.Policy) { p.FastInterval, p.Rise = fast, 2 })
	for _, test := range []struct {
		name    string
		results []health.Result
		next    time.Duration // from the start of the last probe
	}{
		{"up", []health.Result{pass}, loop},
		{"up and failing", []health.Result{pass, fail}, fast},
		{"up and failing, slowly", []health.Result{pass, slow}, slow.Took},
		{"up again", []health.Result{pass, fail, pass}, loop},
		{"down", []health.Result{pass, fail, fail, fail}, loop},
		{"down at first", []health.Result{fail}, loop},
		{"down and passing", []health.Result{fail, pass}, fast},
		{"down and failing again", []health.Result{fail, pass, fail}, loop},
		{"up after all", []health.Result{fail, pass, pass}, loop},
	} {
		c := after(t, p, test.results...)
		if next := c.Deadline().Sub(c.LastRun); next != test.next {
			t.Errorf("%s: the next probe starts %s after the last; want %s", test.name, next, test.next)
		}
	}
	p.HoldDown, p.Rise = time.Minute, 1
	if c := after(t, p, fail, pass); c.Deadline().Sub(c.LastRun) != loop {
		t.Errorf("held: the next probe starts %s after the last; want %s: nothing points away", c.Deadline().Sub(c.LastRun), loop)
	}
}

func TestHoldDownTheServerHasToPassForSoLong(t *testing.T) {
	p := under(func(p *health.Policy) { p.HoldDown = 25 * time.Second })
	c := after(t, p, fail, pass)
	began := c.Since.Add(10 * time.Second) // when the first success ended
	for _, next := range []time.Duration{10 * time.Second, 20 * time.Second} {
		expect(t, c, health.Down, false)
		if want := began.Add(25 * time.Second); !c.Held().Equal(want) {
			t.Fatalf("held until %s; want %s", c.Held(), want)
		}
		if got := c.Deadline().Sub(began.Add(-pass.Took)); got != next {
			t.Fatalf("the next probe starts %s after the first success; want %s", got, next)
		}
		c = probe(t, c, pass)
	}
	if !c.Deadline().Equal(c.Held()) {
		t.Errorf("the next probe is due %s; want it at the end of the hold, %s", c.Deadline(), c.Held())
	}
	if failed := probe(t, c, fail); !failed.Held().IsZero() || failed.State != health.Down {
		t.Errorf("%v, held until %s after a failure", failed.State, failed.Held())
	}
	c = probe(t, c, pass)
	expect(t, c, health.Up, true)
	if !c.Held().IsZero() {
		t.Errorf("held until %s although it is up", c.Held())
	}
}

// The hold doubles each time that a server fails within HoldDownMax after it came back, and halves for each HoldDownMax after which
// it fails only.
func TestHoldDownGrowsAndIsForgiven(t *testing.T) {
	p := under(func(p *health.Policy) {
		p.DelayLoop, p.Retry, p.Warmup = time.Second, 0, 0
		p.HoldDown, p.HoldDownMax = 10*time.Second, 35*time.Second
	})
	c := health.New(p, start, 0)
	for i, step := range []struct{ up, hold time.Duration }{
		{time.Second, 10 * time.Second}, // it did not come back
		{time.Second, 20 * time.Second},
		{30 * time.Second, 35 * time.Second},
		{time.Second, 35 * time.Second},
		{36 * time.Second, 20 * time.Second},
		{time.Second, 35 * time.Second},
		{71 * time.Second, 10 * time.Second},
		{time.Hour, 10 * time.Second},
		{time.Second, 20 * time.Second},
	} {
		c = probe(t, c, pass)
		for c.State != health.Up {
			c = probe(t, c, pass)
		}
		for came := c.Since; c.Deadline().Sub(came) < step.up; {
			c = probe(t, c, pass)
		}
		c = probe(t, c, fail)
		c = probe(t, c, pass)
		if got := c.Held().Sub(c.LastRun.Add(pass.Took)); c.State != health.Down || got != step.hold {
			t.Errorf("time %d, up for %s: %v, held for %s; want %s", i, step.up, c.State, got, step.hold)
		}
	}
}

func TestHoldDownMaxShorterThanHoldDownMeansNothing(t *testing.T) {
	p := under(func(p *health.Policy) { p.HoldDown, p.HoldDownMax, p.Retry = time.Minute, time.Second, 0 })
	c := after(t, p, fail, pass, pass, pass, pass, pass, pass, pass)
	c = probe(t, probe(t, c, fail), pass)
	if got := c.Held().Sub(c.LastRun.Add(pass.Took)); got != time.Minute {
		t.Errorf("held for %s; want a minute", got)
	}
}

func TestTurns(t *testing.T) {
	p := under(func(p *health.Policy) { p.Turns, p.Retry = 3, 1 })
	c := health.New(p, start, 0)
	for i, step := range []struct {
		turn   int
		result health.Result
		state  health.State
	}{
		{0, pass, health.Unchecked}, {1, pass, health.Unchecked}, {2, pass, health.Up},
		{0, pass, health.Up}, {1, fail, health.Up}, {1, pass, health.Up}, {2, fail, health.Up}, {2, pass, health.Up}, {0, pass, health.Up},
		{1, fail, health.Up}, {1, fail, health.Down}, {1, fail, health.Down},
		{1, pass, health.Down}, {0, pass, health.Down}, {1, pass, health.Down}, {2, fail, health.Down},
		{2, pass, health.Down}, {0, pass, health.Down}, {1, pass, health.Down}, {2, pass, health.Up}, {0, pass, health.Up},
	} {
		if n, one := c.Turn(); n != step.turn || !one {
			t.Fatalf("probe %d is for turn %d, %v; want %d", i, n, one, step.turn)
		}
		if c = probe(t, c, step.result); c.State != step.state {
			t.Fatalf("%v after probe %d; want %v", c.State, i, step.state)
		}
	}
	if n, one := after(t, policy, pass).Turn(); n != 0 || one {
		t.Errorf("turn %d, %v without turns", n, one)
	}
	p.Turns = 2
	if n, _ := probe(t, c, pass).Under(p, start).Turn(); n != 0 {
		t.Errorf("turn %d of 2", n)
	}
}

func TestTurnsRiseIsWholeRounds(t *testing.T) {
	p := under(func(p *health.Policy) { p.Turns, p.Rise = 2, 3 })
	c := after(t, p, fail)
	if c.Missing() != 1+2*3 {
		t.Errorf("%d successes are missing; want the one that failed, and three rounds of two", c.Missing())
	}
}

func TestDownIntervalOfHTTP(t *testing.T) {
	p := under(func(p *health.Policy) { p.Turns, p.DelayBeforeRetry = 1, 30*time.Second })
	for _, results := range [][]health.Result{{fail}, {pass, fail, fail, fail}} {
		if c := after(t, p, results...); c.Deadline().Sub(c.LastRun) != 30*time.Second {
			t.Errorf("the next probe starts %s after the last; want the longer of delay_loop and delay_before_retry", c.Deadline().Sub(c.LastRun))
		}
	}
	if c := after(t, p, fail, pass); c.Deadline().Sub(c.LastRun) != policy.DelayLoop {
		t.Errorf("the next probe starts %s after a success; want delay_loop", c.Deadline().Sub(c.LastRun))
	}
}

func TestSkipDoesNotCount(t *testing.T) {
	for _, loop := range []time.Duration{100 * time.Millisecond, time.Hour} {
		p := under(func(p *health.Policy) { p.DelayLoop = loop })
		c := after(t, p, pass, fail)
		running, _ := c.Start(c.Deadline())
		now := c.Deadline().Add(time.Millisecond)
		k := running.Skip(now)
		if got := k.Deadline().Sub(now); got != min(loop, time.Second) {
			t.Errorf("it is due again in %s", got)
		}
		if k, c = k.Resume(start), c.Resume(start); k != c {
			t.Errorf("\n%+v became\n%+v", c, k)
		}
	}
	if c := after(t, policy, pass); c.Skip(start) != c {
		t.Error("a probe was skipped although none ran")
	}
}

func TestAdviceIsOfTheLastResultThatPassed(t *testing.T) {
	advises := func(n int32) health.Result {
		return health.Result{Finding: health.Finding{Advice: health.Advice{Kind: health.Weigh, Value: n}, Warning: "soon"}}
	}
	bad := health.Result{Err: "no answer", Finding: health.Finding{Advice: health.Advice{Kind: health.Weigh, Value: 1}}}
	for _, test := range []struct {
		name    string
		results []health.Result
		want    health.Finding
	}{
		{"advice", []health.Result{pass, advises(5)}, advises(5).Finding},
		{"other advice", []health.Result{advises(5), advises(7)}, advises(7).Finding},
		{"a failure that is forgiven", []health.Result{advises(5), bad}, advises(5).Finding},
		{"down", []health.Result{advises(5), bad, bad, bad, bad}, advises(5).Finding},
		{"taken back", []health.Result{advises(5), pass}, health.Finding{}},
		{"never", []health.Result{bad}, health.Finding{}},
	} {
		c := after(t, policy, test.results...)
		if c.LastResult.Finding != test.want || c.Advice != test.want.Advice {
			t.Errorf("%s: %+v, %+v; want %+v", test.name, c.LastResult.Finding, c.Advice, test.want)
		}
	}
}

// A server that nobody looked at has to pass anew.
func TestResumeBeginsTheRecoveryAnew(t *testing.T) {
	p := under(func(p *health.Policy) { p.HoldDown = time.Minute })
	c := after(t, p, fail, pass, pass).Resume(start.Add(time.Hour))
	c = probe(t, c, pass)
	expect(t, c, health.Down, false)
	if want := start.Add(time.Hour + time.Minute + pass.Took); !c.Held().Equal(want) {
		t.Errorf("held until %s; want %s", c.Held(), want)
	}
}

// A reload must not end a hold, nor forget how often it has doubled.
func TestAnotherPolicyKeepsTheHold(t *testing.T) {
	p := under(func(p *health.Policy) { p.HoldDown, p.HoldDownMax, p.Retry = time.Minute, time.Hour, 0 })
	c := after(t, p, fail, pass)
	for c.State != health.Up {
		c = probe(t, c, pass)
	}
	c = probe(t, probe(t, c, fail), pass)
	held := c.Held()
	if d := held.Sub(c.LastRun.Add(pass.Took)); d != 2*time.Minute {
		t.Fatalf("held for %s", d)
	}
	p.Retry = 3
	if d := c.Under(p, c.Deadline()); !d.Held().Equal(held) || d.Successes != c.Successes || d.Was != c.Was {
		t.Errorf("\n%+v became\n%+v", c, d)
	}
}
