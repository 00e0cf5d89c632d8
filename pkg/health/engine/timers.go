package engine

import "time"

// timers is a heap of jobs (container/heap), the one whose time comes first on top.
type timers []*job

func (t timers) Len() int { return len(t) }

func (t timers) Less(i, j int) bool { return t[i].at < t[j].at }

func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].index, t[j].index = int32(i), int32(j)
}

func (t *timers) Push(x any) {
	j := x.(*job)
	j.index = int32(len(*t))
	*t = append(*t, j)
}

func (t *timers) Pop() any {
	last := len(*t) - 1
	j := (*t)[last]
	(*t)[last] = nil
	*t = (*t)[:last]
	j.index = -1
	return j
}

// strides are distances between moments at which probes start together. Each is a multiple of all that follow.
var strides = [...]time.Duration{
	100 * time.Millisecond, 50 * time.Millisecond, 10 * time.Millisecond, 5 * time.Millisecond,
	time.Millisecond, 500 * time.Microsecond, 100 * time.Microsecond,
}

// together puts a moment off by no more than a hundredth of the time until then, to one that others are put off to as well. To
// wake up is much of what a probe costs, and is the same for one and for many (contrib/bench).
func together(at, now time.Duration) time.Duration {
	for _, s := range strides {
		if s <= (at-now)/100 {
			return (at + s - 1) / s * s
		}
	}
	return at
}
