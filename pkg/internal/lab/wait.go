package lab

import (
	"fmt"
	"time"
)

// Poll calls f until it returns nil or the limit is over; then it returns the last error.
func Poll(limit time.Duration, f func() error) error {
	deadline := time.After(limit)
	pause := time.NewTicker(20 * time.Millisecond)
	defer pause.Stop()
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-deadline:
			return fmt.Errorf("not within %v: %w", limit, err)
		case <-pause.C:
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
