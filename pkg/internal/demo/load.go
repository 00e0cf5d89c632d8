package main

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// request is one request of a client; it returns which server answered.
type request func() (server string, err error)

func httpLoad(c *lab.NATCluster) request {
	return func() (string, error) {
		a, err := c.Get()
		return a.Server, err
	}
}

func dnsLoad(c *lab.NATCluster) request { return c.Query }

// requests sends HTTP requests one after the other: the web servers must get these shares, and see the client's own address.
func (s *stage) requests(c *lab.NATCluster, want ...int) {
	share := map[string]int{}
	for range sum(want) {
		a, err := c.Get()
		s.Must(err)
		if a.Client.Addr() != lab.ClientAddr {
			s.Fatalf("%s saw the client as %s", a.Server, a.Client)
		}
		share[a.Server]++
	}
	s.shares("HTTP requests", share, c.Web, want)
	s.say("Every web server saw the client's own address, %s.", lab.ClientAddr)
}

// queries does the same with DNS queries.
func (s *stage) queries(c *lab.NATCluster, want ...int) {
	share := map[string]int{}
	for range sum(want) {
		server, err := c.Query()
		s.Must(err)
		share[server]++
	}
	s.shares("DNS queries", share, c.DNS, want)
}

// slack is how far a share may be off: a client's port that is used again while the kernel remembers it goes to the same
// server as before.
const slack = 5

func (s *stage) shares(what string, got map[string]int, servers []*lab.Server, want []int) {
	var text strings.Builder
	for i, server := range servers {
		name := server.Host.Name
		fmt.Fprintf(&text, "  %s %d", name, got[name])
		if d := got[name] - want[i]; d < -slack || d > slack {
			s.Fatalf("%s got %d %s, not %d: %v", name, got[name], what, want[i], got)
		}
	}
	s.say("%d %s:%s", sum(want), what, text.String())
}

func sum(numbers []int) (n int) {
	for _, i := range numbers {
		n += i
	}
	return n
}

// outage is what a client and an observer saw of a server's death and return.
type outage struct {
	detected  time.Duration // from its end until it was out of the table
	recovered time.Duration // from its return until a client got an answer from it
	silence   time.Duration // the longest time without an answer from any server
	sent      int
	failed    int
}

// outage stops a server under load, waits until it is out of the table, sees that nothing fails from then on, and starts
// it again.
func (s *stage) outage(name string, server *lab.Server, send request, out, in func() error, while func()) outage {
	var o outage
	l := startLoad(send)
	began := time.Now()
	server.Stop()
	s.wait(name+" out of the table", out)
	o.detected = time.Since(began)
	// What was on its way when the server left may still fail; what starts now may not.
	l.mark()
	while()
	s.wait("100 more requests", func() error { return l.after(100) })
	if n := l.failedAfterMark(); n > 0 {
		s.Fatalf("%d requests failed after %s was out of the table", n, name)
	}
	s.say("%s is out of the table %v after it stopped; since then no request failed.", name, rounded(o.detected))

	server.Start()
	began = time.Now()
	s.wait(name+" back in the table", in)
	s.wait("a request for "+name, func() error { return l.answered(name) })
	o.recovered = time.Since(began)
	o.sent, o.failed, o.silence = l.stop()
	s.say("%s serves again %v after its return. %d of %d requests failed, all before it was out.",
		name, rounded(o.recovered), o.failed, o.sent)
	return o
}

// load is a client that sends a request every 10 ms, whether or not those before are answered: one that is lost holds up
// no other.
type load struct {
	mu       sync.Mutex // guards the rest; held for no longer than a look
	sent     int
	failed   int
	answer   time.Time     // when the last one came
	silence  time.Duration // the longest time between two answers
	marked   int           // sent, at the mark
	broken   int           // failed, of those that started after the mark
	byName   map[string]int
	quit     atomic.Bool
	finished chan struct{}
}

func startLoad(send request) *load {
	l := &load{byName: map[string]int{}, finished: make(chan struct{}), marked: -1, answer: time.Now()}
	go func() {
		defer close(l.finished)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		var all sync.WaitGroup
		for !l.quit.Load() {
			late := l.isMarked()
			all.Go(func() {
				name, err := send()
				l.count(name, err, late)
			})
			<-tick.C
		}
		all.Wait()
	}()
	return l
}

func (l *load) count(name string, err error, late bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent++
	if err != nil {
		l.failed++
		if late {
			l.broken++
		}
		return
	}
	now := time.Now()
	l.silence, l.answer = max(l.silence, now.Sub(l.answer)), now
	l.byName[name]++
}

func (l *load) isMarked() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.marked >= 0
}

// mark divides the requests into those before and those after, and forgets who answered before.
func (l *load) mark() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.marked = l.sent
	clear(l.byName)
}

// after returns nil once so many requests were sent after the mark.
func (l *load) after(n int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if got := l.sent - l.marked; got < n {
		return fmt.Errorf("only %d were sent", got)
	}
	return nil
}

func (l *load) failedAfterMark() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.broken
}

// answered returns nil once a server answered a request after the mark.
func (l *load) answered(name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byName[name] == 0 {
		return fmt.Errorf("answered: %v", l.byName)
	}
	return nil
}

func (l *load) stop() (sent, failed int, silence time.Duration) {
	l.quit.Store(true)
	<-l.finished
	return l.sent, l.failed, l.silence
}

// throughput returns the HTTP requests a second that so many clients get answered in a while.
func throughput(c *lab.NATCluster, clients int, while time.Duration) float64 {
	var answered atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for range clients {
		all.Go(func() {
			for time.Since(began) < while {
				if _, err := c.Get(); err == nil {
					answered.Add(1)
				}
			}
		})
	}
	all.Wait()
	return float64(answered.Load()) / time.Since(began).Seconds()
}
