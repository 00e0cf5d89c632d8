package health_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// A history has the last results as they were, to the millisecond and the microsecond, whatever their order and number.
func TestHistory(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 1))
	for range 200 {
		var h health.History
		var want []health.Run
		c := health.New(policy, start.Local(), 0)
		for range random.IntN(3 * health.Kept) {
			began := c.Deadline()
			c, _ = c.Start(began)
			r := health.Result{Took: time.Duration(random.IntN(5_000_000)) * time.Microsecond}
			switch random.IntN(6) {
			case 0:
				r.Err = "connection refused"
			case 1:
				r.Err = fmt.Sprint("status ", random.IntN(100))
			case 2:
				r.Warning = "the certificate ends tomorrow"
			case 3:
				r.Advice = health.Advice{Kind: health.Weigh, Value: random.Int32N(100)}
			}
			ended := began.Add(r.Took)
			c = c.Step(ended, r)
			h.Add(c)
			want = append(want, health.Run{At: ended.Truncate(time.Millisecond), Result: r, State: c.State})
		}
		slices.Reverse(want)
		want = want[:min(len(want), health.Kept)]
		if got := slices.Collect(h.All()); !slices.Equal(got, want) {
			t.Fatalf("got\n%v\nwant\n%v", got, want)
		}
	}
}

// A clock that jumps spoils no more than the times.
func TestHistoryWhenTheClockJumps(t *testing.T) {
	var h health.History
	c := after(t, policy, pass)
	for _, at := range []time.Duration{0, -time.Hour, 100 * 24 * time.Hour} {
		c.LastRun = start.Add(at)
		h.Add(c)
	}
	got := slices.Collect(h.All())
	if len(got) != 3 || !got[0].At.Equal(start.Add(100*24*time.Hour+pass.Took)) || got[1].At.After(got[0].At) || got[2].At.After(got[1].At) {
		t.Errorf("%v", got)
	}
}

// What the histories of servers cost that fail now and then, and of those that never fail twice in the same way.
func TestHistoryIsSmall(t *testing.T) {
	const histories = 1000
	for _, test := range []struct {
		name   string
		errors int
		most   uint64 // bytes
	}{{"one error", 1, 300}, {"a hundred errors", 100, 500}} {
		results := []health.Checker{after(t, policy, pass)}
		for i := range test.errors {
			results = append(results, after(t, policy, health.Result{Err: fmt.Sprint("status ", i)}))
		}
		list := make([]health.History, histories)
		before := allocated()
		for i := range list {
			for n := range max(len(results), 2*health.Kept) {
				list[i].Add(results[n%len(results)])
			}
		}
		each := (allocated() - before) / histories
		if runtime.KeepAlive(list); each > test.most {
			t.Errorf("%s: %d bytes each; want at most %d", test.name, each, test.most)
		}
	}
}

func allocated() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
