package main

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestClock: what a beat is late by the clock leaves out, whoever looks meanwhile, and no more.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c clock
		c.start()
		pass := func(d, want, gap time.Duration) {
			t.Helper()
			time.Sleep(d)
			before := c.now()
			if at, stood := c.beat(); at != want || stood != gap || before != want || c.now() != want {
				t.Errorf("after %v: %v, stood still for %v; before %v, then %v", d, at, stood, before, c.now())
			}
		}
		pass(tick, 20*time.Millisecond, 0)
		pass(late, 70*time.Millisecond, 0)
		pass(late+time.Second, 120*time.Millisecond, time.Second)
		pass(late+3*time.Second, 170*time.Millisecond, 3*time.Second)
		pass(tick, 190*time.Millisecond, 0)
		if gaps, all, longest := c.stood(); gaps != 2 || all != 4*time.Second || longest != 3*time.Second {
			t.Errorf("%d gaps, %v, at most %v", gaps, all, longest)
		}
	})
}

// TestNumber: what isn't there is not 0.
func TestNumber(t *testing.T) {
	const pattern = `(?m)^go_goroutines (\d+)`
	if n, err := number("# TYPE\ngo_goroutines 12\n", pattern); n != 12 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := number("go_threads 12\n", pattern); err == nil {
		t.Errorf("%d", n)
	}
}

// TestOrigin: an error tells the client's port of a connection that was made.
func TestOrigin(t *testing.T) {
	for text, want := range map[string]string{
		`Get "http://192.168.1.202:80/": read tcp 192.168.1.10:36400->192.168.1.202:80: read: connection reset by peer`: "36400",
		`192.168.1.10:36402->192.168.1.202:80: Get "http://192.168.1.202:80/": context deadline exceeded`:               "36402",
		`Get "http://192.168.1.202:80/": dial tcp 192.168.1.202:80: connect: connection refused`:                        "",
	} {
		got := ""
		if m := origin.FindStringSubmatch(text); m != nil {
			got = m[1]
		}
		if got != want {
			t.Errorf("%s: %q", text, got)
		}
	}
}
