package control

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Of many who ask at once, the first has the first answer and all others the second, which was found out after they had asked. Who doesn't
// wait any longer leaves the others theirs.
func TestTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		times := 0
		s := newTogether(func(context.Context) (int, error) {
			times++
			n := times
			time.Sleep(time.Second)
			return n, errors.New("of " + time.Duration(n).String())
		})
		answers := make(chan int, 100)
		ask := func(ctx context.Context) {
			n, _ := s.ask(ctx)
			answers <- n
		}
		go ask(t.Context())
		synctest.Wait()
		for range 98 {
			go ask(t.Context())
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		go ask(impatient)
		count := make(map[int]int)
		for range 100 {
			count[<-answers]++
		}
		if times != 2 || count[0] != 1 || count[1] != 1 || count[2] != 98 {
			t.Errorf("found out %d times, answers %v", times, count)
		}
		if n, err := s.ask(t.Context()); n != 3 || err == nil {
			t.Errorf("%d %v", n, err)
		}
	})
}

// A mistake in finding out the answer is the trouble of who asks, whose request it ends, and not the daemon's.
func TestTogetherPanics(t *testing.T) {
	fails := true
	s := newTogether(func(context.Context) (int, error) {
		if fails {
			panic("a mistake")
		}
		return 1, nil
	})
	if _, err := s.ask(t.Context()); err == nil || !strings.Contains(err.Error(), "a mistake") {
		t.Error(err)
	}
	fails = false
	if n, err := s.ask(t.Context()); n != 1 || err != nil {
		t.Errorf("%d %v", n, err)
	}
}
