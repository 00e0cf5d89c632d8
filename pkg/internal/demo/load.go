package main

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

func httpLoad(c *lab.NATCluster) lab.Request {
	return func() (string, error) {
		a, err := c.Get()
		return a.Server, err
	}
}

func dnsLoad(c *lab.NATCluster) lab.Request { return c.Query }

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
	lab.Seen
}

// outage stops a server under load, waits until it is out of the table, sees that nothing fails from then on, and starts
// it again.
func (s *stage) outage(name string, server *lab.Server, send lab.Request, out, in func() error, while func()) outage {
	var o outage
	l := lab.StartLoad(send)
	began := time.Now()
	server.Stop()
	s.wait(name+" out of the table", out)
	o.detected = time.Since(began)
	// What was on its way when the server left may still fail; what starts now may not.
	l.Mark()
	while()
	s.wait("100 more requests", func() error { return l.After(100) })
	if n, err := l.FailedAfterMark(); n > 0 {
		s.Fatalf("%d requests failed after %s was out of the table, the last one: %w", n, name, err)
	}
	s.say("%s is out of the table %v after it stopped; since then no request failed.", name, rounded(o.detected))

	server.Start()
	began = time.Now()
	s.wait(name+" back in the table", in)
	s.wait("a request for "+name, func() error { return l.Answered(name) })
	o.recovered = time.Since(began)
	o.Seen = l.Stop()
	s.say("%s serves again %v after its return. %d of %d requests failed, all before it was out.",
		name, rounded(o.recovered), o.Failed, o.Sent)
	return o
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
