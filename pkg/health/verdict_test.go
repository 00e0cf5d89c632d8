package health_test

import (
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
			health.Verdict{State: health.Down, Since: since(40), Err: "connection refused"}},
		{"down since the first went down, for the reason of the first in the list", []health.Checker{down, longDown},
			health.Verdict{State: health.Down, Since: since(5), Err: "connection refused"}},
		{"down counts more than unchecked", []health.Checker{fresh, down, waiting},
			health.Verdict{State: health.Down, Since: since(40), Err: "connection refused"}},
		{"a forgiven failure doesn't explain why it is down", []health.Checker{shaky, down},
			health.Verdict{State: health.Down, Since: since(40), Err: "connection refused"}},
		{"a forgiven failure", []health.Checker{up, shaky},
			health.Verdict{State: health.Up, Alive: true, Since: since(20), Err: "once"}},
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
