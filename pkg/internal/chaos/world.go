package chaos

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// World is the cluster that a seed has faults happen to: what differs between two of them.
type World struct {
	Seed      uint64
	Directors int           // two or three, "director1" and so on; the first has the highest priority
	Version   int           // of VRRP
	Interval  time.Duration // between two adverts
	NoPreempt bool
	Anchors   []string // a server of each service that nothing happens to, lest there be none
}

// Servers are the names of the real servers of the services, in the order of their addresses.
var Servers = map[string][]string{"web": {"web1", "web2", "web3"}, "dns": {"dns1", "dns2", "dns3"}}

// Services are the names of the services.
var Services = []string{"web", "dns"}

// ServiceOf is the service of a server.
func ServiceOf(server string) string { return strings.TrimRight(server, "123") }

// NewWorld returns the world of a seed.
func NewWorld(seed uint64) World {
	r := random(seed, 1)
	w := World{Seed: seed, Directors: 2 + r.IntN(2), NoPreempt: r.IntN(3) == 0}
	rhythms := []struct {
		version  int
		interval time.Duration
	}{{2, time.Second}, {3, 500 * time.Millisecond}, {3, 300 * time.Millisecond}}
	rhythm := rhythms[r.IntN(len(rhythms))]
	w.Version, w.Interval = rhythm.version, rhythm.interval
	for _, s := range Services {
		w.Anchors = append(w.Anchors, Servers[s][r.IntN(3)])
	}
	return w
}

// random is a source of numbers of a seed, one for each use: to draw more for one of them changes no other.
func random(seed, use uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, use)) }

// String is the world in a line.
func (w World) String() string {
	preempt := "preempting"
	if w.NoPreempt {
		preempt = "not preempting"
	}
	return fmt.Sprintf("seed %d: %d directors, VRRP version %d every %v, %s; nothing happens to %v", w.Seed, w.Directors, w.Version, w.Interval, preempt, w.Anchors)
}

// Director returns the name of a director, from 0.
func Director(n int) string { return fmt.Sprintf("director%d", n+1) }

// Variant is what a configuration says of the real servers: their weights. One that is not in it is not configured.
type Variant map[string]int

// NewVariant returns one of the configurations of a world. Number 0 has all servers with weight 1; the others have the anchors, and
// others of them, with some weights.
func (w World) NewVariant(number int) Variant {
	v := Variant{}
	r := random(w.Seed, 1000+uint64(number)) //nolint:gosec // small and positive
	for n, service := range Services {
		for _, server := range Servers[service] {
			weight, dropped := 1+r.IntN(3), r.IntN(4) == 0 && server != w.Anchors[n]
			switch {
			case number == 0:
				v[server] = 1
			case !dropped:
				v[server] = weight
			}
		}
	}
	return v
}
