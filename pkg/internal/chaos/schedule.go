package chaos

import (
	"math/rand/v2"
	"slices"
	"time"
)

// quiet is what follows an episode, beside the longest time that its faults may be felt: everything is to be seen right for so long.
const quiet = 2 * time.Second

// Schedule returns what happens in a world within a time, in order. It is made of episodes: a few faults that overlap, and quiet.
func (w World) Schedule(length time.Duration) []Fault {
	r, bounds := random(w.Seed, 2), w.Bounds()
	var all []Fault
	for start := quiet; start < length; {
		episode := w.episode(r, start, 1+len(all))
		end := start
		for _, f := range episode {
			end = max(end, f.End()+bounds.felt(f))
		}
		if end+quiet > length {
			break
		}
		all = append(all, episode...)
		start = end + quiet
	}
	return all
}

// episode draws a few faults that begin within a few seconds. Nothing happens twice to the same at once.
func (w World) episode(r *rand.Rand, start time.Duration, number int) (faults []Fault) {
	for n := 1 + min(r.IntN(3), r.IntN(4)); n > 0; n-- {
		f := w.draw(r, number+len(faults))
		f.At = start + milliseconds(r, 0, 3*time.Second)
		if !slices.ContainsFunc(faults, f.collides) {
			faults = append(faults, f)
		}
	}
	slices.SortStableFunc(faults, func(a, b Fault) int { return int(a.At - b.At) })
	return faults
}

// collides says whether two can't happen at once.
func (f Fault) collides(g Fault) bool {
	if f.Kind == g.Kind && f.Target == g.Target {
		return true
	}
	operator := func(f Fault) bool {
		return f.Kind == Reload || f.Kind == Broken || f.Kind == Drain || f.Kind == Upgrade || f.Kind == UpgradeTop
	}
	switch {
	case f.Target != "" && f.Target == g.Target:
		return true
	case f.nature().of == everyDirector && operator(f) && g.nature().absent, g.nature().of == everyDirector && operator(g) && f.nature().absent:
		return true // operators need somebody to talk to
	}
	return operator(f) && operator(g)
}

func (w World) draw(r *rand.Rand, number int) Fault {
	total := 0
	for _, n := range natures {
		total += n.odds
	}
	var drawn nature
	at := r.IntN(total)
	for _, n := range natures {
		if drawn = n; at < n.odds {
			break
		}
		at -= n.odds
	}
	f := Fault{Kind: drawn.kind, For: milliseconds(r, drawn.lasts[0], drawn.lasts[1])}
	f.Number = drawn.number[0] + r.IntN(drawn.number[1]-drawn.number[0]+1)
	var servers []string
	for i, s := range Services {
		for _, name := range Servers[s] {
			if name != w.Anchors[i] {
				servers = append(servers, name)
			}
		}
	}
	server, director := servers[r.IntN(len(servers))], Director(r.IntN(w.Directors))
	switch drawn.of {
	case aDirector:
		f.Target = director
	case aServer:
		f.Target = server
	case everyDirector:
	}
	if drawn.server {
		f.Server = server
	}
	if f.Kind == Reload {
		f.Number = number
	}
	return f
}

func milliseconds(r *rand.Rand, from, to time.Duration) time.Duration {
	if to <= from {
		return from
	}
	return from + time.Duration(r.Int64N(int64((to-from)/time.Millisecond)))*time.Millisecond
}

// Bounds are how long things may take, by the intervals in the configuration. Each has Slack in it: time for a machine that is slow.
type Bounds struct {
	Takeover time.Duration // an active director is gone: until another one is active
	Detect   time.Duration // a server is gone: until it is out of the tables
	Recover  time.Duration // it is back: until it is in them
	Restart  time.Duration // a director is started: until all is as if it had always been there
	Rejoin   time.Duration // it can hear and speak again: the same
	Resync   time.Duration // somebody changed a table by hand: until it is as it was
	Repair   time.Duration // the same with addresses
}

// What the configuration has beside the interval of adverts; see arena's.
const (
	CheckEvery  = time.Second
	CheckLimit  = time.Second // connect_timeout: a check fails then
	RetryAfter  = 300 * time.Millisecond
	FirstChecks = 3 * time.Second // vrrp_wait_for_checks

	sweep   = 5 * time.Second         // all of a table is compared so often
	started = 1500 * time.Millisecond // it takes a director to start
)

// Slack is for a machine that is slow.
const Slack = 2 * time.Second

// Bounds returns those of a world.
func (w World) Bounds() Bounds {
	b := Bounds{
		Takeover: 4*w.Interval + Slack,
		Detect:   CheckEvery + RetryAfter + 2*CheckLimit + Slack,
		Recover:  CheckEvery + CheckLimit + Slack,
		Resync:   sweep + Slack,
		Repair:   time.Second + Slack,
	}
	b.Restart = started + FirstChecks + b.Takeover
	b.Rejoin = b.Takeover + b.Recover - Slack
	return b
}

func (b Bounds) of(p period) time.Duration {
	return map[period]time.Duration{restart: b.Restart, rejoin: b.Rejoin, takeover: b.Takeover, recovery: b.Recover, resync: b.Resync, repair: b.Repair}[p]
}

// felt is how long a fault may be felt after its end.
func (b Bounds) felt(f Fault) time.Duration {
	n := f.nature()
	after := max(b.of(n.roles), b.of(n.table))
	if n.of == aServer {
		after = max(after, b.Recover, b.Detect-f.For)
	}
	return max(after, Slack)
}
