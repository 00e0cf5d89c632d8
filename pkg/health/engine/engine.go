// Package engine runs health checks when they are due: the Engine decides when, package probe does it, and health.Checker
// judges the results.
//
// Run of an Engine is one goroutine that owns all Checkers and reports. Beside it there is one for each probe under way,
// which ends with its probe, and none for a check that waits. All have ended when Run returns.
package engine

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
)

// DefaultPlaces is how many probes may be under way at once unless Places says otherwise.
const DefaultPlaces = 1024

// Engine runs checks when they are due. Its methods may be called from any goroutine.
type Engine struct {
	run    probe.Func
	report func(Report)
	places int
	random func() float64

	mu      sync.Mutex
	changes []change      // that the goroutine of Run has not made yet; guarded by mu
	dirty   chan struct{} // there are some

	checks, running, waiting atomic.Int64
	waited                   atomic.Uint64
}

// Report is news of a check.
type Report struct {
	Check   health.ID
	Checker health.Checker
}

// Stats are an engine's figures at about the same moment.
type Stats struct {
	Checks  int    // that are set
	Running int    // probes under way, those of removed checks that still wind up included
	Waiting int    // probes that are due and wait for a place
	Waited  uint64 // probes that ever had to wait for one
}

// Option changes what New makes.
type Option func(*Engine)

// Places sets how many probes may be under way at once. A probe that is due when all places are taken gets the next one
// that becomes free.
func Places(n int) Option { return func(e *Engine) { e.places = n } }

// Random sets the source of fractions in [0,1) that spread the probes over time. The default is math/rand/v2.
func Random(f func() float64) Option { return func(e *Engine) { e.random = f } }

// New returns an engine that probes with run, normally probe.Probe, and tells report of every check that is added and of every
// result, one after the other from the goroutine of Run. Report must not block: nothing is probed meanwhile.
func New(run probe.Func, report func(Report), opts ...Option) *Engine {
	e := &Engine{
		run:    run,
		report: report,
		places: DefaultPlaces,
		random: rand.Float64,
		dirty:  make(chan struct{}, 1),
	}
	for _, o := range opts {
		o(e)
	}
	return e
}

// change is what one call of Change, Suspend or Resume asks for.
type change struct{ removed, added, suspended, resumed []health.ID }

// Change takes checks away and adds others, and never blocks. A check that is in neither list keeps its state and its
// schedule. A removed one is forgotten: its probe is cancelled and no more is heard of it. An added one is reported and
// starts as unchecked, but takes over the state of another one with the same Subject, be that one removed or not. To add
// what is there, or to remove what isn't, changes nothing. The lists are the engine's from then on.
func (e *Engine) Change(removed, added []health.ID) { e.ask(change{removed: removed, added: added}) }

// Suspend has checks not be probed until Resume, be they there or added later; it never blocks. What is known of them stays,
// a probe that is under way is cancelled and doesn't count. The list is the engine's from then on.
func (e *Engine) Suspend(checks []health.ID) { e.ask(change{suspended: checks}) }

// Resume has suspended checks be probed again, at once; it never blocks. The list is the engine's from then on.
func (e *Engine) Resume(checks []health.ID) { e.ask(change{resumed: checks}) }

func (e *Engine) ask(c change) {
	e.mu.Lock()
	e.changes = append(e.changes, c)
	e.mu.Unlock()
	select {
	case e.dirty <- struct{}{}:
	default:
	}
}

// Stats returns the engine's figures.
func (e *Engine) Stats() Stats {
	return Stats{
		Checks:  int(e.checks.Load()),
		Running: int(e.running.Load()),
		Waiting: int(e.waiting.Load()),
		Waited:  e.waited.Load(),
	}
}

// Run probes until the context is done, and returns its error when the last probe has ended. It may be called once.
func (e *Engine) Run(ctx context.Context) error {
	r := runner{
		Engine: e,
		jobs:   map[health.ID]*job{},
		rests:  map[health.ID]bool{},
		ended:  make(chan ending, e.places), // so that no probe ever waits for the runner
		timer:  time.NewTimer(0),
	}
	defer r.timer.Stop()
	for ctx.Err() == nil {
		r.startDue(ctx)
		select {
		case <-ctx.Done():
		case <-e.dirty:
			e.mu.Lock()
			changes := e.changes
			e.changes = nil
			e.mu.Unlock()
			for _, c := range changes {
				r.change(c)
			}
		case end := <-r.ended:
			r.finish(end)
		case <-r.timer.C:
		}
	}
	r.probes.Wait()
	r.running.Store(0)
	r.waiting.Store(0)
	return ctx.Err()
}

// runner is what the goroutine of Run owns. A job is in exactly one place: in timers, in queue, or its probe is under way. One
// that is suspended is in none.
type runner struct {
	*Engine
	jobs   map[health.ID]*job
	rests  map[health.ID]bool // suspended
	timers timers             // by Deadline
	queue  []*job             // due, and waiting for a place
	ended  chan ending
	timer  *time.Timer
	probes sync.WaitGroup
}

// job is a check while it is set. When one is removed and set again, that is another job.
type job struct {
	check   health.ID
	checker health.Checker
	index   int                // in timers; -1: not there
	cancel  context.CancelFunc // of the last probe; nil before the first
	removed bool
}

// ending is how the probe of a job ended.
type ending struct {
	*job
	result health.Result
	at     time.Time
}

// change takes jobs away, adds others, and has some rest.
func (r *runner) change(c change) {
	now := time.Now()
	for _, check := range c.suspended {
		r.rests[check] = true
		if j := r.jobs[check]; j != nil {
			r.remove(j)
			r.jobs[check] = &job{check: check, checker: j.checker, index: -1}
		}
	}
	for _, check := range c.resumed {
		if j := r.jobs[check]; j != nil && r.rests[check] {
			j.checker = j.checker.Resume(now)
			heap.Push(&r.timers, j)
		}
		delete(r.rests, check)
	}
	legacy := health.LegacyFor(c.added, r.checkers())
	for _, check := range c.removed {
		if j := r.jobs[check]; j != nil {
			r.remove(j)
		}
		delete(r.rests, check)
	}
	r.queue = slices.DeleteFunc(r.queue, func(j *job) bool { return j.removed })
	for _, check := range c.added {
		if r.jobs[check] != nil {
			continue
		}
		checker, known := legacy.Heir(check, now)
		if !known {
			checker = health.New(check.Check().Policy, now, r.random())
		}
		j := &job{check: check, checker: checker, index: -1}
		r.jobs[check] = j
		if !r.rests[check] {
			heap.Push(&r.timers, j)
		}
		r.report(Report{Check: check, Checker: checker})
	}
	r.checks.Store(int64(len(r.jobs)))
}

// checkers returns all that is known.
func (r *runner) checkers() iter.Seq2[health.ID, health.Checker] {
	return func(yield func(health.ID, health.Checker) bool) {
		for c, j := range r.jobs {
			if !yield(c, j.checker) {
				return
			}
		}
	}
}

// remove forgets a job, but leaves it in the queue.
func (r *runner) remove(j *job) {
	delete(r.jobs, j.check)
	j.removed = true
	if j.cancel != nil {
		j.cancel()
	}
	if j.index >= 0 {
		heap.Remove(&r.timers, j.index)
	}
}

// finish frees the place of a probe that has ended, and judges the result.
func (r *runner) finish(end ending) {
	r.running.Add(-1)
	if end.removed {
		return
	}
	j := end.job
	j.checker = j.checker.Step(end.at, end.result)
	heap.Push(&r.timers, j)
	r.report(Report{Check: j.check, Checker: j.checker})
}

// startDue starts the probes that are due, those that waited first, and sets the timer to the next one.
func (r *runner) startDue(ctx context.Context) {
	now := time.Now()
	for len(r.queue) > 0 && r.free() {
		r.start(ctx, r.queue[0], now)
		r.queue = r.queue[1:]
	}
	for len(r.timers) > 0 && !r.timers[0].checker.Deadline().After(now) {
		j := heap.Pop(&r.timers).(*job)
		if r.free() {
			r.start(ctx, j, now)
		} else {
			r.queue = append(r.queue, j)
			r.waited.Add(1)
		}
	}
	r.waiting.Store(int64(len(r.queue)))
	if len(r.timers) > 0 {
		r.timer.Reset(r.timers[0].checker.Deadline().Sub(now))
	}
}

func (r *runner) free() bool { return r.running.Load() < int64(r.places) }

func (r *runner) start(ctx context.Context, j *job, now time.Time) {
	j.checker, _ = j.checker.Start(now)
	check := j.check.Check()
	ctx, cancel := context.WithTimeout(ctx, check.Timeout)
	j.cancel = cancel
	r.running.Add(1)
	r.probes.Go(func() {
		finding, err := r.try(ctx, check)
		at := time.Now()
		cancel()
		result := health.Result{Took: at.Sub(now), Finding: finding}
		if err != nil {
			result.Err = cmp.Or(err.Error(), "no reason given")
		}
		r.ended <- ending{j, result, at}
	})
}

// try probes once. A probe that panics counts as failed: one server with a reply that nobody thought of must not end the
// director's work for all the others.
func (r *runner) try(ctx context.Context, c health.Check) (f health.Finding, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a fault in ipvsd, please report it: panic: %v at %s", p, panicSite())
		}
	}()
	return r.run(ctx, c)
}

// panicSite returns the file and line that panicked. It is called by the function that recovers.
func panicSite() string {
	pc := make([]uintptr, 16)
	frames := runtime.CallersFrames(pc[:runtime.Callers(3, pc)]) // without Callers, panicSite and the deferred function
	for {
		f, more := frames.Next()
		if !more || !strings.HasPrefix(f.Function, "runtime.") {
			return fmt.Sprintf("%s:%d", path.Base(f.File), f.Line)
		}
	}
}

// timers is a heap of jobs (container/heap), the one whose Deadline comes first on top.
type timers []*job

func (t timers) Len() int { return len(t) }

func (t timers) Less(i, j int) bool { return t[i].checker.Deadline().Before(t[j].checker.Deadline()) }

func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].index, t[j].index = i, j
}

func (t *timers) Push(x any) {
	j := x.(*job)
	j.index = len(*t)
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
