package main

import (
	"sync"
	"time"
)

// A clock ticks so often, and when a tick comes later than this, the lab stood still.
const (
	tick = 20 * time.Millisecond
	late = 50 * time.Millisecond
)

// clock is the time of a run, without what the whole lab stood still for: the kernel that it runs on gets no processor then, and so nobody in it
// does. A goroutine of its own has it beat.
type clock struct {
	mu      sync.Mutex
	at      time.Duration // at the last beat
	last    time.Time     // that one
	still   time.Duration // it stood still for so long, in all
	longest time.Duration
	gaps    int
}

// start sets it to 0.
func (c *clock) start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.last, c.still, c.longest, c.gaps = 0, time.Now(), 0, 0, 0
}

// now returns the time, which stands still when the next beat is late.
func (c *clock) now() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at + min(time.Since(c.last), late)
}

// beat returns for how long the lab stood still before it; most often 0.
func (c *clock) beat() (at, gap time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	passed := now.Sub(c.last)
	c.at, c.last = c.at+min(passed, late), now
	if gap = max(0, passed-late); gap > 0 {
		c.still, c.longest, c.gaps = c.still+gap, max(c.longest, gap), c.gaps+1
	}
	return c.at, gap
}

// stood returns how often it stood still, for how long in all, and at most.
func (c *clock) stood() (gaps int, all, longest time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gaps, c.still, c.longest
}
