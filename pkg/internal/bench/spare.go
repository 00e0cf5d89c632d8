package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// spare is how much computing time nobody else wants: a thread counts as long as the machine has nothing better to do. What a
// program costs, with what the kernel does for it and with its servers, is what it leaves less. The kernel's accounts of processes
// are of no use for that in User Mode Linux: it looks every 10 ms who computes, and sees one that wakes up at multiples of that
// always or never.
type spare struct {
	counted atomic.Uint64
	rate    float64 // a second, on a machine with nothing to do
	stop    atomic.Bool
	done    sync.WaitGroup
}

// newSpare begins to count. Nothing else may run meanwhile.
func newSpare(b *bench) *spare {
	s := &spare{}
	refused := make(chan error, 1)
	s.done.Go(func() {
		runtime.LockOSThread() // and never unlock it: the thread ends with its goroutine
		refused <- unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}, 0)
		for !s.stop.Load() {
			s.counted.Add(1)
		}
	})
	b.Must(<-refused)
	began, counted := time.Now(), s.counted.Load()
	<-time.After(window / 4)
	s.rate = float64(s.counted.Load()-counted) / time.Since(began).Seconds()
	return s
}

// used returns how much computing time all others took for the length of the window, and how long that was.
func (s *spare) used() (used, took time.Duration) {
	began, counted := time.Now(), s.counted.Load()
	<-time.After(window)
	took = time.Since(began)
	left := time.Duration(float64(s.counted.Load()-counted) / s.rate * float64(time.Second))
	return max(took-left, 0), took
}

func (s *spare) end() {
	s.stop.Store(true)
	s.done.Wait()
}
