package lab

import (
	"fmt"
	"time"
)

// A look at what is waited for may cost a process, which takes long to start in User Mode Linux: what is waited for needs that processor, too.
const (
	shortestPause = 20 * time.Millisecond
	longestPause  = 500 * time.Millisecond
	looksInAPause = 3 // so many would fit in
)

// Poll calls f until it returns nil or the limit is over; then it returns the last error. The longer f takes the less often it is called.
func Poll(limit time.Duration, f func() error) error {
	deadline := time.After(limit)
	for {
		begin := time.Now()
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-deadline:
			return fmt.Errorf("not within %v: %w", limit, err)
		case <-time.After(min(max(shortestPause, looksInAPause*time.Since(begin)), longestPause)):
		}
	}
}

// WaitFor is Poll that ends the test when the limit is over. The message says what was waited for.
func WaitFor(tb TB, limit time.Duration, what string, f func() error) {
	tb.Helper()
	if err := Poll(limit, f); err != nil {
		tb.Fatalf("%s: %v", what, err)
	}
}
