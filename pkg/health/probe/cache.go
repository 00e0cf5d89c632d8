package probe

import "sync"

// cache keeps what is costly to make for the next probe. Of more than limit entries some have to go, which is left to chance: a
// round of checks asks for all of them in the same order again and again, where the oldest is the worst choice.
type cache[K comparable, V any] struct {
	limit   int
	mu      sync.Mutex
	entries map[K]V
}

// get returns what is kept under a key, false if nothing is.
func (c *cache[K, V]) get(k K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, kept := c.entries[k]
	return v, kept
}

// put keeps something under a key instead of what was there.
func (c *cache[K, V]) put(k K, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		c.entries = map[K]V{}
	}
	if _, there := c.entries[k]; !there && len(c.entries) >= c.limit {
		for other := range c.entries {
			delete(c.entries, other)
			break
		}
	}
	c.entries[k] = v
}
