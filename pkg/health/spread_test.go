package health_test

import (
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// Without a warm-up all checks start at once, and their second probes spread them over the interval.
func TestChecksThatStartAtOnceAreSpread(t *testing.T) {
	start := time.Unix(0, 0)
	p := health.Policy{DelayLoop: 10 * time.Second}
	for _, jitter := range []float64{0, 0.25, 0.5, 0.75} {
		for _, reason := range []string{"", "connection refused"} {
			c, _ := health.New(p, start, jitter).Start(start)
			c = c.Step(start, health.Result{Err: reason})
			second := start.Add(10*time.Second - time.Duration(jitter*10e9))
			if got := c.Deadline(); !got.Equal(second) {
				t.Errorf("jitter %g, %q: the second probe is due at %v; want %v", jitter, reason, got, second)
			}
			c, _ = c.Start(second)
			c = c.Step(second, health.Result{Err: reason})
			if got, want := c.Deadline().Sub(second), 10*time.Second+time.Duration(jitter*0.3e9); got != want {
				t.Errorf("jitter %g, %q: the third is due %v later; want %v", jitter, reason, got, want)
			}
		}
	}
}
