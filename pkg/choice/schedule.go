package choice

import (
	"fmt"
	"net/netip"
)

// schedule asks the scheduler, as for the first packet of a connection.
func (a *Answer) schedule(q *Question) {
	s := q.Service
	if len(a.Candidates) == 0 {
		a.because("The service has no server: the client is refused (ICMP port unreachable).")
		a.chosen(ByNobody, netip.AddrPort{}, true)
		return
	}
	switch s.Scheduler {
	case "sh", "dh", "mh":
		a.hash(q)
		return
	}
	open := false
	for i := range a.Candidates {
		open = open || a.Candidates[i].Can
	}
	if !open {
		a.because("No server takes new connections: the client is refused (ICMP port unreachable).")
		a.chosen(ByNobody, netip.AddrPort{}, true)
		return
	}
	if p, known := preferences[s.Scheduler]; known {
		a.prefer(s.Scheduler, p)
		return
	}
	a.share(s.Scheduler)
}

// A preference is a scheduler that follows from the counters: the best server in the order of the table.
type preference struct {
	rule   string
	allows func(*Candidate) bool
	better func(c, best *Candidate) bool // strictly, or the earlier one stays
	shows  func(*Candidate) string
}

// overhead is ip_vs_dest_conn_overhead: an active connection counts as 256 inactive ones.
func overhead(c *Candidate) int64 { return int64(c.Active)<<8 + int64(c.Inactive) }

func next(c *Candidate) int64 { return int64(c.Active) + 1 }

func everyone(*Candidate) bool { return true }

// cheaper compares what is divided by the weight, without dividing, as the kernel does it.
func cheaper(load func(*Candidate) int64) func(c, best *Candidate) bool {
	return func(c, best *Candidate) bool { return load(best)*int64(c.Weight) > load(c)*int64(best.Weight) }
}

func perWeight(name string, load func(*Candidate) int64) func(*Candidate) string {
	return func(c *Candidate) string {
		return fmt.Sprintf("%s %d / weight %d = %.3g", name, load(c), c.Weight, float64(load(c))/float64(c.Weight))
	}
}

func idle(c *Candidate) bool { return c.Active == 0 }

var preferences = map[string]preference{
	"lc": {"the fewest connections, an active one counting as 256 inactive ones", everyone,
		func(c, best *Candidate) bool { return overhead(c) < overhead(best) },
		func(c *Candidate) string { return fmt.Sprintf("connections %d", overhead(c)) }},
	"wlc": {"the fewest connections for its weight, an active one counting as 256 inactive ones", everyone, cheaper(overhead), perWeight("connections", overhead)},
	"sed": {"the shortest expected delay: active connections and one more, for its weight", everyone, cheaper(next), perWeight("active and one", next)},
	"nq": {"the first one without active connections; if there is none, the shortest expected delay", everyone,
		func(c, best *Candidate) bool { return !idle(best) && (idle(c) || cheaper(next)(c, best)) }, perWeight("active and one", next)},
	"fo": {"the one with the greatest weight", everyone,
		func(c, best *Candidate) bool { return c.Weight > best.Weight },
		func(c *Candidate) string { return fmt.Sprintf("weight %d", c.Weight) }},
	"ovf": {"the greatest weight among those with no more active connections than that",
		func(c *Candidate) bool { return int64(c.Active) <= int64(c.Weight) },
		func(c, best *Candidate) bool { return c.Weight > best.Weight },
		func(c *Candidate) string { return fmt.Sprintf("%d active, weight %d", c.Active, c.Weight) }},
}

// prefer decides by the counters.
func (a *Answer) prefer(name string, p preference) {
	for i := range a.Candidates {
		c := &a.Candidates[i]
		switch {
		case !c.Can:
		case !p.allows(c):
			c.Can, c.Why = false, p.shows(c)
		case c.maybe:
			c.Why = p.shows(c) + "; " + c.Why
		default:
			c.Why = p.shows(c)
		}
	}
	pick := func(maybe bool) (best *Candidate) {
		for i := range a.Candidates {
			c := &a.Candidates[i]
			if c.Can && (maybe || !c.maybe) && (best == nil || p.better(c, best)) {
				best = c
			}
		}
		return best
	}
	a.because("%s chooses %s; of equals the first in the table's order.", name, p.rule)
	with, without := pick(true), pick(false)
	switch with {
	case nil:
		a.because("None qualifies: the client is refused (ICMP port unreachable).")
		a.chosen(ByNobody, netip.AddrPort{}, true)
	case without:
		a.because("Now that is %s: %s.", with.Server, with.Why)
		a.chosen(ByScheduler, with.Server, true)
		a.doubt("The next connection of anybody changes the counters.")
	default:
		a.because("Now that is %s, if it is not still closed by its threshold.", with.Server)
		a.How = ByScheduler
	}
}

// share tells what is known of a scheduler that keeps its place, or its dice, to itself.
func (a *Answer) share(name string) {
	a.How = ByScheduler
	weighted := name != "rr"
	var sum float64
	n := 0
	weigh := func(c *Candidate) float64 {
		switch {
		case !c.Can:
			return 0
		case weighted:
			return float64(c.Weight)
		}
		return 1
	}
	for i := range a.Candidates {
		if sum += weigh(&a.Candidates[i]); a.Candidates[i].Can {
			n++
		}
	}
	switch name {
	case "rr":
		a.because("rr takes the servers in turn. Whose turn it is, the kernel doesn't tell.")
	case "wrr":
		a.because("wrr takes the servers in turn, as often as their weights say. Whose turn it is, the kernel doesn't tell.")
	case "twos":
		a.because("twos draws two servers by their weights, and takes the one with fewer connections for its weight.")
	case "lblc", "lblcr":
		a.because("%s keeps a virtual address with the server that it had; a new one gets the fewest connections for its weight. What it remembers, the kernel doesn't tell.", name)
	default:
		a.because("The scheduler %s is not known here.", name)
	}
	for i := range a.Candidates {
		c := &a.Candidates[i]
		if !c.Can || name != "rr" && name != "wrr" {
			continue
		}
		c.Share = weigh(c) / sum
		if !c.maybe {
			c.Why = fmt.Sprintf("%.3g %% of new connections", 100*c.Share)
		}
	}
	if n == 1 {
		for i := range a.Candidates {
			if c := &a.Candidates[i]; c.Can {
				a.because("Only %s takes new connections.", c.Server)
				a.chosen(ByScheduler, c.Server, !c.maybe)
			}
		}
	}
}
