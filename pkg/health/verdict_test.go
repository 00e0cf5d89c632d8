package health_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
)

func TestJudge(t *testing.T) {
	alpha := policy
	alpha.Alpha = true
	at := func(c health.Checker, s int) health.Checker {
		c.Since = start.Add(time.Duration(s) * time.Second)
		return c
	}
	var (
		up       = at(after(t, policy, pass), 20)
		later    = at(after(t, policy, pass), 30)
		shaky    = at(after(t, policy, pass, health.Result{Err: "once"}), 10)
		down     = at(after(t, policy, health.Result{Err: "connection refused"}), 40)
		longDown = at(after(t, policy, health.Result{Err: "no route to host"}), 5)
		fresh    = at(after(t, policy), 1)
		waiting  = at(after(t, alpha), 2)
	)
	since := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	for _, test := range []struct {
		name   string
		checks []health.Checker
		want   health.Verdict
	}{
		{"no check", nil, health.Verdict{State: health.Up, Alive: true}},
		{"one up", []health.Checker{up}, health.Verdict{State: health.Up, Alive: true, Since: since(20)}},
		{"up since the last came up", []health.Checker{later, up},
			health.Verdict{State: health.Up, Alive: true, Since: since(30)}},
		{"one down of two", []health.Checker{up, down},
			health.Verdict{State: health.Down, Since: since(40), Err: "connection refused", Check: 1}},
		{"down since the first went down, for the reason of the first in the list", []health.Checker{down, longDown},
			health.Verdict{State: health.Down, Since: since(5), Err: "connection refused"}},
		{"down counts more than unchecked", []health.Checker{fresh, down, waiting},
			health.Verdict{State: health.Down, Since: since(40), Err: "connection refused", Check: 1}},
		{"a forgiven failure doesn't explain why it is down", []health.Checker{shaky, down},
			health.Verdict{State: health.Down, Since: since(40), Err: "connection refused", Check: 1}},
		{"a forgiven failure", []health.Checker{up, shaky},
			health.Verdict{State: health.Up, Alive: true, Since: since(20), Err: "once", Check: 1}},
		{"unchecked counts more than up", []health.Checker{shaky, fresh},
			health.Verdict{State: health.Unchecked, Alive: true, Since: since(1), Err: "once"}},
		{"an unchecked alpha check keeps it out", []health.Checker{up, fresh, waiting},
			health.Verdict{State: health.Unchecked, Since: since(1)}},
	} {
		if got := health.Judge(0, test.checks...); got != test.want {
			t.Errorf("%s:\n got %+v\nwant %+v", test.name, got, test.want)
		}
	}
}

// at returns a checker of the policy that came to be in the last of some states at some second, each time out of the one before.
func at(t *testing.T, states ...any) health.Checker {
	t.Helper()
	p := policy
	p.Retry, p.DelayLoop, p.Warmup = 0, time.Second, 0
	c := health.New(p, start, 0)
	for i := 0; i < len(states); i += 2 {
		r := health.Result{}
		if states[i] == health.Down {
			r.Err = "down since " + fmt.Sprint(states[i+1])
		}
		c = c.Resume(start.Add(time.Duration(states[i+1].(int)) * time.Second))
		c = probe(t, c, r)
	}
	return c
}

// All of the checks, or so many of them, make a server be up. Since when it is, and since when it is not down any more, follows
// from what each check was before.
func TestJudgeNeeded(t *testing.T) {
	const u, d, never = health.Up, health.Down, -1
	up := func(s int) health.Checker { return at(t, u, s) }         // never seen down
	down := func(s int) health.Checker { return at(t, d, s) }       // never seen up
	back := func(s int) health.Checker { return at(t, d, 1, u, s) } // was down
	lost := func(s int) health.Checker { return at(t, u, 1, d, s) } // was up
	fresh := health.New(policy, start, 0)
	for _, test := range []struct {
		name            string
		needed          int
		checks          []health.Checker
		state           health.State
		alive           bool
		since, returned int
		err             string
	}{
		{"all: back with the last that is", 0, []health.Checker{back(10), back(20), up(30)}, u, true, 30, 20, ""},
		{"all: one never was away", 0, []health.Checker{up(10), back(20)}, u, true, 20, 20, ""},
		{"all: never away", 0, []health.Checker{up(10), up(20)}, u, true, 20, never, ""},
		{"all: lost with the first", 0, []health.Checker{lost(20), lost(10)}, d, false, 10, never, "down since 20"},
		{"any: one is enough", 1, []health.Checker{down(10), up(20)}, u, true, 20, never, "down since 10"},
		{"any: one never was away", 1, []health.Checker{up(10), back(20)}, u, true, 10, never, ""},
		{"any: back with the first", 1, []health.Checker{back(10), back(20)}, u, true, 10, 10, ""},
		{"any: the other one took over in time", 1, []health.Checker{lost(30), back(20)}, u, true, 20, never, "down since 30"},
		{"any: the other one was too late", 1, []health.Checker{lost(20), back(30)}, u, true, 30, 30, "down since 20"},
		{"any: lost with the last", 1, []health.Checker{lost(20), lost(10)}, d, false, 20, never, "down since 20"},
		{"any: one is still to come", 1, []health.Checker{down(10), fresh}, health.Unchecked, true, 0, never, "down since 10"},
		{"two of three", 2, []health.Checker{up(10), down(15), up(20)}, u, true, 20, never, "down since 15"},
		{"two of three, back", 2, []health.Checker{back(20), down(15), back(30)}, u, true, 30, 30, "down since 15"},
		{"two of three, lost", 2, []health.Checker{lost(20), lost(30), up(10)}, d, false, 30, never, "down since 20"},
		{"two of three, one is still to come", 2, []health.Checker{fresh, up(10), down(5)}, health.Unchecked, true, 0, never, "down since 5"},
		{"more than there are", 5, []health.Checker{up(10), back(20)}, u, true, 20, 20, ""},
		{"none", 3, nil, u, true, never, never, ""},
	} {
		v := health.Judge(test.needed, test.checks...)
		if v.State != test.state || v.Alive != test.alive || v.Err != test.err {
			t.Errorf("%s: %v, alive %v, %q; want %v, %v, %q", test.name, v.State, v.Alive, v.Err, test.state, test.alive, test.err)
		}
		for _, moment := range []struct {
			of   string
			got  time.Time
			want int
		}{{"since", v.Since, test.since}, {"returned", v.Returned, test.returned}} {
			if moment.want == never && !moment.got.IsZero() || moment.want != never && !moment.got.Truncate(time.Second).Equal(start.Add(time.Duration(moment.want)*time.Second)) {
				t.Errorf("%s: %s %s; want %d s", test.name, moment.of, moment.got.Sub(start), moment.want)
			}
		}
	}
}

// Why a server is down while its check passes again.
func TestJudgeTellsWhatIsMissing(t *testing.T) {
	p := policy
	p.Rise = 3
	if v := health.Judge(0, after(t, p, fail, pass)); v.State != health.Down || v.Err != "passed 1 of 3 times" {
		t.Errorf("%v, %q", v.State, v.Err)
	}
	p.Rise, p.HoldDown = 0, time.Hour
	if v := health.Judge(0, after(t, p, fail, pass)); v.State != health.Down || v.Err != "passes, but is held until 13:00:10" {
		t.Errorf("%v, %q", v.State, v.Err)
	}
}
