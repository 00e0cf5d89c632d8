package engine

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
)

// runner is what the goroutine of Run owns. A job is in exactly one place: in timers, in the queue of a lane, or its probe is
// under way; one whose probe a Connector makes is in timers then, too, until its time is up. One that is suspended is in none.
type runner struct {
	*Engine
	epoch    time.Time
	jobs     map[health.ID]*job
	rests    map[health.ID]bool // suspended
	timers   timers
	ordinary lane
	scripts  lane
	pace     pace
	timer    *time.Timer
	alarm    time.Duration // what the timer is set to
	probes   sync.WaitGroup
}

// never is later than all else.
const never = time.Duration(math.MaxInt64)

func newRunner(e *Engine) *runner {
	return &runner{
		Engine:   e,
		epoch:    time.Now(),
		jobs:     make(map[health.ID]*job),
		rests:    make(map[health.ID]bool),
		ordinary: lane{places: e.places},
		scripts:  lane{places: DefaultScripts},
		timer:    time.NewTimer(never),
		alarm:    never,
	}
}

// job is a check while it is set. When one is removed and set again, that is another job.
type job struct {
	check   health.ID
	checker health.Checker
	kind    *kind
	lane    *lane
	flight  *flight       // the probe that is under way; nil: none
	at      time.Duration // since epoch: when it is due; of one in flight, when its time is up
	index   int32         // in timers; -1: not there
	talks   bool          // its probes are talks of the connector's
	removed bool
	hurried bool // due again when the probe that is under way ends
}

// flight is a probe that is under way.
type flight struct {
	*job
	start   time.Time
	abandon func() error       // what a connector does
	cancel  context.CancelFunc // of anything else
}

// ending is how a probe ended.
type ending struct {
	*flight
	finding health.Finding
	err     error
	at      time.Time
}

// empty does what the inbox says, unless that may be the end of probes by the engine's own.
func (r *runner) empty(ctx context.Context, box *inbox) {
	r.mu.Lock()
	todo := *box
	*box = inbox{}
	if r.rang {
		r.rang, r.alarm = false, never
	}
	r.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	for _, end := range todo.endings {
		r.finish(end)
	}
	for _, c := range todo.changes {
		r.change(c)
	}
}

// change takes jobs away, adds others, and has some rest.
func (r *runner) change(c change) {
	now := time.Now()
	if c.freeze != nil {
		known := make(map[health.ID]health.Checker, len(r.jobs))
		for id, j := range r.jobs {
			known[id] = j.checker
		}
		c.freeze(known)
	}
	if l := c.limits; l != nil {
		r.ordinary.places = min(cmp.Or(l.InFlight, r.places), r.places)
		r.scripts.places = cmp.Or(l.Scripts, DefaultScripts)
		r.pace = paceOf(l.PerSecond)
	}
	for _, check := range c.suspended {
		r.rests[check] = true
		if j := r.jobs[check]; j != nil {
			r.remove(j)
			r.jobs[check] = &job{check: check, checker: j.checker, kind: j.kind, lane: j.lane, talks: j.talks, index: -1}
		}
	}
	for _, check := range c.resumed {
		if j := r.jobs[check]; j != nil && r.rests[check] {
			j.checker = j.checker.Resume(now)
			r.schedule(j, now)
		}
		delete(r.rests, check)
	}
	for _, check := range c.hurried {
		switch j := r.jobs[check]; {
		case j == nil || r.rests[check]:
		case j.flight != nil:
			j.hurried = true
		case j.index >= 0:
			heap.Remove(&r.timers, int(j.index))
			r.hurry(j, now)
		}
	}
	legacy := health.LegacyFor(c.added, maps.Keys(r.jobs), func(id health.ID) health.Checker { return r.jobs[id].checker })
	for _, check := range c.removed {
		if j := r.jobs[check]; j != nil {
			r.remove(j)
		}
		delete(r.rests, check)
	}
	for _, l := range []*lane{&r.ordinary, &r.scripts} {
		l.queue = slices.DeleteFunc(l.queue, func(j *job) bool { return j.removed })
	}
	for _, check := range c.added {
		if r.jobs[check] == nil {
			r.add(check, legacy, now)
		}
	}
	r.checks.Store(int64(len(r.jobs)))
}

func (r *runner) add(id health.ID, legacy health.Legacy, now time.Time) {
	c := id.Check()
	checker, known := r.heirs[id]
	if known {
		delete(r.heirs, id)
	} else {
		checker, known = legacy.Heir(id, now)
	}
	if !known {
		checker = health.New(c.Policy, now, r.random())
	}
	j := &job{check: id, checker: checker, kind: r.kind(c.Type), lane: &r.ordinary, index: -1}
	if _, script := c.Spec.(health.Misc); script {
		j.lane = &r.scripts
	}
	j.talks = r.connector != nil && r.connector.Talks(c)
	r.jobs[id] = j
	if !r.rests[id] {
		r.schedule(j, now)
	}
	r.report(Report{Check: id, Checker: checker})
}

// remove forgets a job, but leaves it in a queue.
func (r *runner) remove(j *job) {
	delete(r.jobs, j.check)
	j.removed = true
	if j.index >= 0 {
		heap.Remove(&r.timers, int(j.index))
	}
	switch f := j.flight; {
	case f == nil:
	case f.abandon != nil:
		_ = f.abandon()
		r.land(f)
	default:
		f.cancel() // its place is free when it has ended
	}
}

// schedule has a job wait for its next probe.
func (r *runner) schedule(j *job, now time.Time) {
	j.at = together(j.checker.Deadline().Sub(r.epoch), now.Sub(r.epoch))
	heap.Push(&r.timers, j)
}

// hurry has the next probe of a job be due now.
func (r *runner) hurry(j *job, now time.Time) {
	j.checker = j.checker.Hurry(now)
	j.hurried = false
	r.schedule(j, now)
}

// land frees the place of a probe that has ended.
func (r *runner) land(f *flight) {
	f.flight = nil
	f.lane.running--
	r.running.Add(-1)
}

// finish judges the result of a probe, and has the next one wait.
func (r *runner) finish(end ending) {
	j := end.job
	if j.flight != end.flight {
		return // it was abandoned
	}
	r.land(end.flight)
	if j.removed {
		return
	}
	if j.index >= 0 {
		heap.Remove(&r.timers, int(j.index))
	}
	counts := !probe.Local(end.err)
	if counts {
		result := health.Result{Took: end.at.Sub(end.start), Finding: end.finding}
		if end.err != nil {
			result.Err = cmp.Or(end.err.Error(), "no reason given")
		}
		j.kind.count(result)
		j.checker = j.checker.Step(end.at, result)
	} else {
		if !errors.Is(end.err, probe.ErrEarly) { // nothing is wrong with this host
			j.kind.skip(end.err)
		}
		j.checker = j.checker.Skip(end.at)
	}
	if j.hurried {
		r.hurry(j, end.at)
	} else {
		r.schedule(j, end.at)
	}
	if counts {
		r.report(Report{Check: j.check, Checker: j.checker})
	}
}

// startDue starts the probes that are due, those that waited first, ends those whose time is up, and sets the timer.
func (r *runner) startDue(ctx context.Context) {
	began := time.Now()
	now := began.Sub(r.epoch)
	clock := clock{now: began}
	for l := r.waiting(); l != nil && r.pace.take(now); l = r.waiting() {
		r.start(ctx, l.queue[0], clock.read())
		l.queue = l.queue[1:]
	}
	for len(r.timers) > 0 && r.timers[0].at <= now {
		j := heap.Pop(&r.timers).(*job)
		switch f, l := j.flight, j.lane; {
		case f != nil && f.abandon != nil:
			err := f.abandon()
			if ctx.Err() != nil {
				return // the connector may have ended before it could tell
			}
			r.finish(ending{flight: f, err: err, at: began})
		case f != nil:
			f.cancel()
		case len(l.queue) == 0 && l.free() && r.pace.take(now):
			r.start(ctx, j, clock.read())
		default:
			l.queue = append(l.queue, j)
			r.waited.Add(1)
		}
	}
	r.queued.Store(int64(len(r.ordinary.queue) + len(r.scripts.queue)))
	alarm := never
	if len(r.timers) > 0 {
		alarm = r.timers[0].at
	}
	if r.waiting() != nil {
		alarm = min(alarm, max(r.pace.next, now+breath))
	}
	if alarm != r.alarm {
		r.alarm = alarm
		if r.connector != nil {
			r.connector.Wake(alarm-now, r.ring)
		} else {
			r.timer.Reset(alarm - now)
		}
	}
}

// breath is how long probes that wait for pace do so together.
const breath = 10 * time.Millisecond

// waiting returns the lane whose next probe can be started as far as places go, and has waited longest; nil if there is none.
func (r *runner) waiting() (first *lane) {
	for _, l := range []*lane{&r.ordinary, &r.scripts} {
		if len(l.queue) > 0 && l.free() && (first == nil || l.queue[0].at < first.queue[0].at) {
			first = l
		}
	}
	return first
}

// clock is read when probes start together. Where the kernel lends processes no clock, as in User Mode Linux, a reading costs as much
// as half a probe, so it is looked at for some at a time only, which are started within a tenth of a millisecond.
type clock struct {
	now  time.Time
	used int
}

func (c *clock) read() time.Time {
	if c.used++; c.used%8 == 0 {
		c.now = time.Now()
	}
	return c.now
}

func (r *runner) start(ctx context.Context, j *job, now time.Time) {
	r.lateness.add(now.Sub(r.epoch) - j.at)
	j.checker, _ = j.checker.Start(now)
	f := &flight{job: j, start: now}
	j.flight = f
	j.lane.running++
	r.running.Add(1)
	check := j.check.Check()
	if _, tcp := check.Spec.(health.TCP); tcp && r.connector != nil {
		var err error
		f.abandon, err = r.connector.Connect(check, func(err error, at time.Time) { r.tell(ending{flight: f, err: err, at: at}) })
		if err != nil {
			r.tell(ending{flight: f, err: err, at: now})
			return
		}
		j.at = now.Sub(r.epoch) + check.Timeout
		heap.Push(&r.timers, j)
		return
	}
	if n, one := j.checker.Turn(); one {
		ctx = probe.WithTurn(ctx, n)
	}
	if j.talks {
		j.at = now.Sub(r.epoch) + check.Timeout
		heap.Push(&r.timers, j)
		f.cancel = r.connector.Talk(ctx, check, func(finding health.Finding, err error, at time.Time) { r.tell(ending{f, finding, err, at}) })
		return
	}
	ctx, f.cancel = context.WithTimeout(ctx, check.Timeout)
	r.probes.Go(func() {
		finding, err := probe.Try(ctx, r.run, check)
		at := time.Now()
		f.cancel()
		r.tell(ending{f, finding, err, at})
	})
}
