package script_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/script"
)

// journal is queues whose commands take as long as their argument says, and what became of them.
type journal struct {
	*script.Queues
	mu    sync.Mutex
	lines []string
	runs  int // at once
	most  int // of that
	began time.Time
}

func newJournal() *journal {
	j := &journal{began: time.Now()}
	j.Queues = script.NewQueues(func(ctx context.Context, c script.Command) (string, error) {
		j.count(1)
		defer j.count(-1)
		d, err := time.ParseDuration(c.Argv[1])
		if err != nil {
			return "", err
		}
		select {
		case <-time.After(d):
			return "fine", nil
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	})
	return j
}

func (j *journal) count(n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.runs += n
	j.most = max(j.most, j.runs)
}

// add adds a job that is called name; the queue and the object come before slashes.
func (j *journal) add(name, takes string) {
	queue, rest, _ := strings.Cut(name, "/")
	object, _, _ := strings.Cut(rest, "/")
	j.Add(script.Job{
		Command: script.Command{Argv: []string{name, takes}}, Queue: queue, Object: object, Timeout: time.Minute,
		Done: func(output string, err error) {
			j.mu.Lock()
			defer j.mu.Unlock()
			j.lines = append(j.lines, fmt.Sprint(time.Since(j.began), " ", name, " ", output, err))
		},
	})
}

func (j *journal) want(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(j.lines, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(j.lines, "\n"), strings.Join(want, "\n"))
	}
}

// The jobs of a queue run in order, other queues don't wait for it.
func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		j.add("a/x/down", "5s")
		j.add("a/y/down", "1s")
		j.add("b/x/down", "2s")
		j.add("a/x/up", "1s")
		time.Sleep(10 * time.Second)
		j.add("a/x/down", "1s")
		j.Close(t.Context())
		j.want(t,
			"2s b/x/down fine<nil>",
			"5s a/x/down fine<nil>",
			"6s a/y/down fine<nil>",
			"7s a/x/up fine<nil>",
			"11s a/x/down fine<nil>",
		)
	})
}

// A command that hangs is ended when its time is up. Of what waits for it about one object the oldest go.
func TestHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		j.add("a/x/0", "1h")
		time.Sleep(time.Second) // it runs
		j.add("a/y/0", "1s")
		for i := 1; i <= 18; i++ {
			j.add(fmt.Sprintf("a/x/%d", i), "0s")
		}
		j.Close(t.Context())
		want := []string{
			"1s a/x/1 " + script.ErrSuperseded.Error(),
			"1s a/x/2 " + script.ErrSuperseded.Error(),
			"1m0s a/x/0 it ran for more than 1m0s",
			"1m1s a/y/0 fine<nil>",
		}
		for i := 3; i <= 18; i++ {
			want = append(want, fmt.Sprintf("1m1s a/x/%d fine<nil>", i))
		}
		j.want(t, want...)
	})
}

// Not more than some commands run at once, and nobody has to wait to have one queued.
func TestPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		for i := range 1000 {
			j.add(fmt.Sprintf("%d/x/down", i), "1s")
		}
		if time.Since(j.began) != 0 {
			t.Errorf("it took %v to add them", time.Since(j.began))
		}
		j.Close(t.Context())
		if j.most != 32 || len(j.lines) != 1000 || time.Since(j.began) != 32*time.Second {
			t.Errorf("%d at once, %d done in %v", j.most, len(j.lines), time.Since(j.began))
		}
	})
}

// At the end what runs is stopped and what waits is dropped, once the time for it is up.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		j.add("a/x/down", "2s")
		j.add("a/x/up", "1h")
		j.add("a/y/down", "1s")
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		j.Close(ctx)
		j.want(t,
			"2s a/x/down fine<nil>",
			"5s a/x/up "+script.ErrClosed.Error(),
			"5s a/y/down "+script.ErrClosed.Error(),
		)
	})
}
