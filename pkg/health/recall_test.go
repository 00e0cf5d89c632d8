package health

import (
	"encoding/json"
	"testing"
	"time"
)

// ran returns a checker that has had results, "+" for one that passed and "-" for one that failed, and the time after them.
func ran(p Policy, now time.Time, results string) (Checker, time.Time) {
	c := New(p, now, 0)
	for _, r := range results {
		now = c.Deadline()
		c, _ = c.Start(now)
		c = c.Step(now, Result{Err: map[rune]string{'-': "connection refused"}[r]})
	}
	return c, now
}

// After a kill a verdict keeps its date, and needs as much to change as it ever did, counted from the start.
func TestRecall(t *testing.T) {
	p := Policy{DelayLoop: 5 * time.Second, Retry: 2, DelayBeforeRetry: time.Second, Rise: 2, HoldDown: 20 * time.Second, HoldDownMax: time.Minute, Warmup: 4 * time.Second}
	for _, tt := range []struct {
		name, before, after string
		want                State
	}{
		{"up stays", "+", "--", Up},
		{"up fails", "+", "---", Down},
		{"up had failed already", "+--", "--", Up},
		{"down passes once", "-", "+", Down},
		{"down had passed already", "-+", "+", Down},
	} {
		t.Run(tt.name, func(t *testing.T) {
			was, killed := ran(p, time.Now(), tt.before)
			now := killed.Add(time.Hour)
			c := sent(t, was.Record(History{}, killed)).Recall(p, now, 0.5)
			if c.State != was.State || !c.Since.Equal(was.Since) || c.Deadline() != now.Add(2*time.Second) || c.Probes != was.Probes {
				t.Fatalf("recalled: %+v, was %+v", c, was)
			}
			for _, r := range tt.after {
				now = c.Deadline()
				c, _ = c.Start(now)
				c = c.Step(now, Result{Err: map[rune]string{'-': "connection refused"}[r]})
			}
			if c.State != tt.want {
				t.Errorf("after %q it is %s, want %s", tt.after, c.State, tt.want)
			}
		})
	}
	// A hold goes on: it has to pass for 20 s from the start.
	was, killed := ran(p, time.Now(), "+---")
	c := was.Record(History{}, killed).Recall(p, killed.Add(time.Minute), 0)
	c, _ = c.Start(c.Deadline())
	if c = c.Step(killed.Add(time.Minute), Result{}); !c.Held().Equal(killed.Add(80 * time.Second)) {
		t.Errorf("held for %v", c.Held().Sub(killed))
	}
}

// A record may be of a clock that was set back since, and may say anything.
func TestRecallOddRecords(t *testing.T) {
	p, now := Policy{DelayLoop: time.Second, HoldDown: time.Second, HoldDownMax: time.Minute}, time.Now()
	for _, text := range []string{
		`{"State":"down","Since":"2199-01-01T00:00:00Z","Next":"2199-01-01T00:00:00Z","Doubled":250}`, `{"State":"up","Was":"down","Since":"2199-01-01T00:00:00Z"}`, `{}`,
		`{"State":"unchecked","Doubted":true}`,
	} {
		var r Record
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatal(err)
		}
		c := r.Recall(p, now, 0)
		if c.Since.After(now) || c.Deadline().After(now.Add(time.Second)) {
			t.Errorf("%s: %+v", text, c)
		}
		c, _ = c.Start(c.Deadline())
		if c = c.Step(now, Result{}); c.State != Up && c.Held().After(now.Add(time.Minute)) {
			t.Errorf("%s: held until %s", text, c.Held())
		}
	}
}

// A server that is doubted is not presumed alive, whatever the policy is and becomes, and is probed at once. The first result decides.
func TestDoubt(t *testing.T) {
	now := time.Now()
	p := Policy{DelayLoop: time.Minute, Warmup: time.Minute}
	if !New(p, now, 0.5).Alive() {
		t.Fatal("the policy presumes that it lives")
	}
	c := New(p, now, 0.5).Doubt(now)
	other := p
	other.Retry = 3
	for name, c := range map[string]Checker{
		"as it is": c, "under another policy": c.Under(other, now), "of another process": must(sent(t, c.Record(History{}, now)).Checker(p, now)),
	} {
		if c.Alive() || c.State != Unchecked || c.Deadline().After(now) {
			t.Errorf("%s: %+v", name, c)
		}
		c, _ = c.Start(now)
		if passed := c.Step(now, Result{}); !passed.Alive() {
			t.Errorf("%s, and passes: %+v", name, passed)
		}
		if failed := c.Step(now, Result{Err: "no"}); failed.State != Down {
			t.Errorf("%s, and fails: %+v", name, failed)
		}
	}
}

func must(c Checker, _ History) Checker { return c }
