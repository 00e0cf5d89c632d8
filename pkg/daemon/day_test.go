package daemon

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
)

var hours = flag.Int("hours", 2, "how many simulated hours TestDay lives through")

// What TestDay allows the heap to be larger by in the end than after the first hour, and how often it looks at most at once: what is freed by
// a finalizer goes with a later collection.
const (
	heapSlack   = 1 << 20
	collections = 5
)

// Hours of reloads, failures, drift, refusals, orders and restarts leave nothing behind: whenever the first configuration is back and all
// servers are up, there are as many goroutines as after the first hour, and no more memory.
func TestDay(t *testing.T) {
	seed := rand.Uint64()
	synctest.Test(t, func(t *testing.T) {
		m := &model{Rand: rand.New(rand.NewPCG(seed, 0)), down: make(map[netip.AddrPort]bool)}
		base := m.configure()
		m.house = start(t, new(ipvstest.Kernel), t.TempDir(), base)
		var goroutines int
		var heap uint64
		for hour := range *hours {
			for end := time.Now().Add(time.Hour); time.Now().Before(end); {
				m.event()
				m.events = m.events[max(0, len(m.events)-20):]
				m.pass(time.Duration(m.IntN(60)) * time.Second)
				m.log.Reset()
			}
			for a, down := range m.down {
				if down {
					m.flip(a)
				}
			}
			m.found.Clear()
			m.took.Store(0) // no probe is under way when it is looked
			m.write(base)
			m.reloaded()
			m.pass(time.Hour) // wishes expire
			m.settle()
			m.log.Reset()
			m.kernel.Commands()
			m.kernel.Changes()
			n, used := runtime.NumGoroutine(), heapUsed(heap+heapSlack)
			if hour == 0 {
				goroutines, heap = n, used
			}
			t.Logf("hour %d: %d goroutines, %d kB", hour+1, n, used>>10)
			if n > goroutines && hour > 0 || used > heap+heapSlack && hour > 0 || t.Failed() {
				t.Errorf("seed %d, hour %d: %d goroutines, were %d; %d kB of memory, were %d; the last events: %s",
					seed, hour+1, n, goroutines, used>>10, heap>>10, strings.Join(m.events, "; "))
				break
			}
		}
		m.stop()
	})
}

// heapUsed returns what is in use, which is asked for again while it is more than enough.
func heapUsed(enough uint64) uint64 {
	var s runtime.MemStats
	for range collections {
		runtime.GC()
		if runtime.ReadMemStats(&s); s.HeapAlloc <= enough {
			break
		}
	}
	return s.HeapAlloc
}

// Reset forgets what was written.
func (l *logbook) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = bytes.Buffer{}
}
