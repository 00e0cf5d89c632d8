package chaos

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Breach is something that is not right and that no fault explains.
type Breach struct {
	At   time.Duration
	What string
}

// Request is one of a client.
type Request struct {
	Begin, End time.Duration
	Service    string
	Server     string // that it was sent to; empty: nobody knows
	Err        string // empty: it was answered
}

// Sample is what observers saw at about the same time.
type Sample struct {
	Begin, End time.Duration
	Directors  []Seen
	Elsewhere  []string            // virtual addresses on other hosts: "web3 has 192.168.1.200"
	Adverts    map[string][]string // who sent adverts since then, by virtual router; nil: nobody looked
	Since      time.Duration
}

// Seen is what was seen of a director.
type Seen struct {
	Name      string
	Addresses []string                  // the virtual ones that it has
	Table     map[string]map[string]int // weights, by server and service; nil: nobody looked
	Vitals    *Vitals                   // nil: nobody looked
}

// Vitals are what a process takes.
type Vitals struct {
	Process                 string // another one after a restart
	Goroutines, Descriptors int
	Memory                  int // resident, in KiB
}

// Judge holds what was seen against what should be. Its times are those of a clock that stands still when the whole lab does (Stood).
type Judge struct {
	world     World
	bounds    Bounds
	addresses []string
	faults    []felt
	gaps      []standstill
	upsets    []time.Duration
	baseline  map[string]Vitals
	explained map[Kind]int
	judged    Judged
}

// felt is a fault that has begun.
type felt struct {
	Fault
	begin, ending, end time.Duration // as it was: from when it is being ended, and until when; forever, as long as it lasts
	active             bool          // its target was active
}

type span struct{ from, to time.Duration }

func (s span) meets(t span) bool { return s.from <= t.to && t.from <= s.to }

// forever is the end of what lasts.
const forever = time.Duration(1<<63 - 1)

// NewJudge returns one for a world, whose virtual addresses must be on the active director, all of them.
func (w World) NewJudge(addresses ...string) *Judge {
	return &Judge{
		world: w, bounds: w.Bounds(), addresses: addresses, baseline: map[string]Vitals{}, explained: map[Kind]int{},
		judged: Judged{Requests: map[string]int{}},
	}
}

// Begin tells of a fault that is about to begin, and whether its target is the active director. Starting counts as a fault of all.
func (j *Judge) Begin(now time.Duration, f Fault, active bool) {
	j.faults = append(j.faults, felt{Fault: f, begin: now, ending: forever, end: forever, active: active})
}

// Ending tells that somebody begins to end it, which may take a while.
func (j *Judge) Ending(now time.Duration, f Fault) {
	if i := j.lasting(f); i >= 0 {
		j.faults[i].ending = now
	}
}

// End tells that it is over.
func (j *Judge) End(now time.Duration, f Fault) {
	if i := j.lasting(f); i >= 0 {
		j.faults[i].ending, j.faults[i].end = min(now, j.faults[i].ending), now
	}
}

func (j *Judge) lasting(f Fault) int {
	return slices.IndexFunc(j.faults, func(g felt) bool { return g.Fault == f && g.end == forever })
}

// Explained is how many requests failed that a kind of fault explains.
func (j *Judge) Explained() map[Kind]int { return maps.Clone(j.explained) }

func plus(t, d time.Duration) time.Duration {
	if t == forever {
		return t
	}
	return t + d
}

// losses are when requests like this one may be lost for a fault.
func (j *Judge) losses(f felt, r Request) span {
	n := f.nature()
	after := max(j.bounds.of(n.roles), j.bounds.of(n.table), Slack)
	switch {
	case n.of == aServer && ServiceOf(f.Target) != r.Service, f.Server != "" && ServiceOf(f.Server) != r.Service:
	case slices.Contains(j.dropped(f), r.Server): // was under way to it
		return span{f.begin, f.end}
	case n.loss == ifActive && f.active && n.absent && !j.alone(f):
		return span{f.begin, f.begin + j.bounds.Takeover}
	case n.loss == always, n.loss == ifActive && (f.active || !n.absent && j.mayTakeOver(f, after)):
		return span{f.begin, plus(f.end, after)}
	case n.loss == detecting:
		return span{f.begin, min(f.begin+j.bounds.Detect, plus(f.end, Slack))}
	case n.loss == during:
		return span{f.begin, plus(f.end, Slack)}
	}
	return span{forever, -1}
}

// mayTakeOver says whether the target of a fault may be active before what the fault did is mended: roles are in doubt meanwhile.
func (j *Judge) mayTakeOver(f felt, mended time.Duration) bool {
	effect := span{f.begin, plus(f.end, mended)}
	return slices.ContainsFunc(j.faults, func(g felt) bool { return g.Fault != f.Fault && slices.ContainsFunc(j.doubts(g), effect.meets) })
}

// dropped are the servers that a fault takes from a table.
func (j *Judge) dropped(f felt) (servers []string) {
	switch f.Kind {
	case DropServer:
		return []string{f.Server}
	case Reload:
	default:
		return nil
	}
	before := 0
	for _, g := range j.faults {
		if g.Kind == Reload && g.begin < f.begin {
			before = g.Number
		}
	}
	after := j.world.NewVariant(f.Number)
	for server := range j.world.NewVariant(before) {
		if _, left := after[server]; !left {
			servers = append(servers, server)
		}
	}
	return servers
}

// Asks says whether it depends on the server that a request was sent to whether its failure is explained.
func (j *Judge) Asks(r Request) bool {
	return slices.ContainsFunc(j.faults, func(f felt) bool {
		return f.begin <= r.End && r.Begin <= f.end && slices.ContainsFunc(j.dropped(f), func(s string) bool { return ServiceOf(s) == r.Service })
	})
}

// alone says whether nobody can be relied on to stand in for the target of a fault.
func (j *Judge) alone(f felt) bool {
	mine := span{f.begin, plus(f.end, j.bounds.Rejoin)}
	return slices.ContainsFunc(j.faults, func(g felt) bool {
		n := g.nature()
		if g.Target == f.Target || n.of != aDirector && g.Kind != Switchover {
			return false
		}
		return slices.ContainsFunc(j.doubts(g), mine.meets) || n.table != not && mine.meets(span{g.begin, plus(g.end, j.bounds.of(n.table))})
	})
}

// doubts are when it can't be told what role the target of a fault has. A switchover that lasts is one that is undone at its end.
func (j *Judge) doubts(f felt) []span {
	after := j.bounds.of(f.nature().roles)
	switch {
	case f.nature().roles == not:
		return nil
	case f.Kind == Switchover:
		return []span{{f.begin, f.begin + after}, {f.ending, plus(f.end, after)}}
	}
	return []span{{f.begin, plus(f.end, after)}}
}

// Request judges a request. Those that failed are explained if a fault made them fail that was in effect while they were under way.
func (j *Judge) Request(r Request) []Breach {
	if r.Err == "" {
		j.judged.Requests[r.Service]++
		return nil
	}
	way := span{r.Begin, r.End}
	for _, f := range j.faults {
		if j.losses(f, r).meets(way) {
			j.explained[f.Kind]++
			return nil
		}
	}
	if j.upset(way) {
		j.explained[Stall]++
		return nil
	}
	j.judged.Requests[r.Service]++
	to := ""
	if r.Server != "" {
		to = ", sent to " + r.Server + ","
	}
	return []Breach{{r.End, fmt.Sprintf("a request for %s that began at %s%s failed at %s, and no fault explains it: %s",
		r.Service, clock(r.Begin), to, clock(r.End), r.Err)}}
}

// rolesDisturbed says whether it can't be told at a time what role a director has. A director that takes no part, for so long that the
// others know, is absent.
func (j *Judge) rolesDisturbed(director string, from, to time.Duration) (disturbed, absent bool) {
	for _, f := range j.faults {
		n := f.nature()
		if f.Target != director && n.of != everyDirector || !slices.ContainsFunc(j.doubts(f), span{from, to}.meets) {
			continue
		}
		disturbed = true
		if n.absent && from > f.begin+j.bounds.Takeover && to < f.ending {
			absent = true
		}
	}
	return disturbed, absent
}

func (j *Judge) tableDisturbed(director string, from, to time.Duration) bool {
	return slices.ContainsFunc(j.faults, func(f felt) bool {
		n := f.nature()
		return n.table != not && f.Kind != Reload && f.Target == director && f.begin <= to && from <= plus(f.end, j.bounds.of(n.table))
	})
}

// Sample judges what observers saw.
func (j *Judge) Sample(s Sample) (breaches []Breach) {
	if j.upset(span{s.Begin, s.End}) {
		return nil
	}
	say := func(format string, args ...any) {
		breaches = append(breaches, Breach{s.End, fmt.Sprintf(format, args...)})
	}
	j.judgeRoles(s, say)
	j.judgeAdverts(s, say)
	for _, d := range s.Directors {
		disturbed, _ := j.rolesDisturbed(d.Name, s.Begin, s.End)
		if tables := j.tableDisturbed(d.Name, s.Begin, s.End); !tables && !disturbed || !tables && j.onlySwitched(d.Name, s) {
			if d.Table != nil {
				j.judgeTable(d, s, say)
			}
			if d.Vitals != nil {
				j.judgeVitals(d, say)
			}
		}
	}
	return breaches
}

// onlySwitched says whether nothing but its role is in doubt.
func (j *Judge) onlySwitched(director string, s Sample) bool {
	return !slices.ContainsFunc(j.faults, func(f felt) bool {
		return f.Target == director && f.nature().absent && f.begin <= s.End && s.Begin <= plus(f.end, j.bounds.Restart)
	})
}

func (j *Judge) judgeRoles(s Sample, say func(string, ...any)) {
	var sane, holders []string
	anybody := true // whoever is disturbed is absent
	for _, d := range s.Directors {
		disturbed, absent := j.rolesDisturbed(d.Name, s.Begin, s.End)
		if disturbed {
			anybody = anybody && absent
			continue
		}
		sane = append(sane, d.Name)
		if len(d.Addresses) > 0 {
			holders = append(holders, d.Name)
			if missing := without(j.addresses, d.Addresses); len(missing) > 0 {
				say("%s has %s but not %s", d.Name, strings.Join(d.Addresses, ", "), strings.Join(missing, ", "))
			}
		}
	}
	for _, e := range s.Elsewhere {
		say("%s", e)
	}
	if len(sane) == 0 || !anybody {
		return
	}
	j.judged.Roles++
	switch {
	case len(holders) > 1:
		say("%s have the virtual addresses at once", strings.Join(holders, " and "))
	case len(holders) == 0:
		say("nobody of %s has the virtual addresses", strings.Join(sane, ", "))
	case holders[0] != sane[0] && !j.world.NoPreempt && !j.switched(span{s.Begin, s.End}):
		say("%s has the virtual addresses, and not %s, which has the higher priority", holders[0], sane[0])
	}
}

// switched says whether somebody has handed over by hand: then nobody preempts, until that is undone.
func (j *Judge) switched(when span) bool {
	return slices.ContainsFunc(j.faults, func(f felt) bool {
		return f.Kind == Switchover && when.meets(span{f.begin, plus(f.end, j.bounds.Takeover)})
	})
}

// judgeAdverts holds that of each virtual router one director speaks.
func (j *Judge) judgeAdverts(s Sample, say func(string, ...any)) {
	for n := range j.world.Directors {
		if disturbed, _ := j.rolesDisturbed(Director(n), s.Since, s.End); disturbed || s.Adverts == nil {
			return
		}
	}
	j.judged.Adverts++
	for _, router := range slices.Sorted(maps.Keys(s.Adverts)) {
		if from := s.Adverts[router]; len(from) != 1 {
			say("adverts of virtual router %s came from %d directors (%s)", router, len(from), strings.Join(from, ", "))
		}
	}
}

func without(all, these []string) (left []string) {
	for _, a := range all {
		if !slices.Contains(these, a) {
			left = append(left, a)
		}
	}
	return left
}

// clock is how times of a run are shown.
func clock(t time.Duration) string { return fmt.Sprintf("%.1fs", t.Seconds()) }
