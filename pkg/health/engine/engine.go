// Package engine runs health checks when they are due: the Engine decides when, package probe does it, and health.Checker
// judges the results.
//
// Run of an Engine is one goroutine that owns all Checkers and reports. TCP checks, and talks as long as they get little, need no other
// than the Connector's, which is one for all of them. Any other probe has a goroutine while it is under way, and a check that
// waits has none. All have ended when Run returns.
package engine

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
)

// Engine runs checks when they are due. Its methods may be called from any goroutine.
type Engine struct {
	run       probe.Func
	connector Connector
	report    func(Report)
	places    int
	random    func() float64

	mu     sync.Mutex
	inbox  inbox                        // for the goroutine of Run; guarded by mu
	rang   bool                         // the connector's alarm did; guarded by mu
	dirty  chan struct{}                // there is something in it
	counts map[string]*kind             // by Check.Type; guarded by mu
	heirs  map[health.ID]health.Checker // see Adopt; of the goroutine of Run

	checks, running, queued atomic.Int64
	waited                  atomic.Uint64
	lateness                histogram
}

// Connector runs TCP checks, and others that it can. The one for real is probe.Connector.
type Connector interface {
	// Connect starts a probe. It calls done by a goroutine of the connector's when the probe has ended, with when that was, unless
	// it returns an error itself. Abandon ends the probe, whose time is up or whose result nobody waits for any more, and returns what that
	// says of the server; if it ends just then done may be called all the same.
	Connect(c health.Check, done func(error, time.Time)) (abandon func() error, err error)
	// Talks says whether Talk can run a check.
	Talks(c health.Check) bool
	// Talk starts a probe. It calls done once, by any goroutine, when the probe has ended, with when that was. The time of the probe is up
	// when cancel is called; then it ends soon.
	Talk(ctx context.Context, c health.Check, done func(health.Finding, error, time.Time)) (cancel context.CancelFunc)
	// Wake has a goroutine of the connector's call a function after some time, instead of the one of the call before.
	Wake(after time.Duration, f func())
	// Run serves probes until the context is done. It is called once.
	Run(ctx context.Context)
}

// Report is news of a check.
type Report struct {
	Check   health.ID
	Checker health.Checker
}

// Option changes what New makes.
type Option func(*Engine)

// Places sets how many probes other than scripts may be under way at once, whatever Limit says.
func Places(n int) Option { return func(e *Engine) { e.places = n } }

// Random sets the source of fractions in [0,1) that spread the probes over time. The default is math/rand/v2.
func Random(f func() float64) Option { return func(e *Engine) { e.random = f } }

// ConnectBy has TCP checks, and others that it can run, be run by a connector, which Run runs, too. The default is the same function as for all others.
func ConnectBy(c Connector) Option { return func(e *Engine) { e.connector = c } }

// New returns an engine that probes with run, normally probe.Probe, and tells report of every check that is added and of every
// result, one after the other from the goroutine of Run. Report must not block: nothing is probed meanwhile.
func New(run probe.Func, report func(Report), opts ...Option) *Engine {
	e := &Engine{
		run:    run,
		report: report,
		places: DefaultPlaces,
		random: rand.Float64,
		dirty:  make(chan struct{}, 1),
		counts: make(map[string]*kind),
	}
	for _, o := range opts {
		o(e)
	}
	return e
}

// inbox is what the goroutine of Run has not looked at yet.
type inbox struct {
	changes []change
	endings []ending
}

// change is what one call of Change, Suspend, Resume, Now or Limit asks for.
type change struct {
	removed, added, suspended, resumed, hurried []health.ID
	limits                                      *Limits
	freeze                                      func(map[health.ID]health.Checker)
}

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

// Now has the next probe of checks be due at once, and right after the one that is under way, if one is; it never blocks. It does
// nothing to suspended ones. The list is the engine's from then on.
func (e *Engine) Now(checks []health.ID) { e.ask(change{hurried: checks}) }

// Limit changes how much the checks may take together; it never blocks. Probes that are under way go on.
func (e *Engine) Limit(l Limits) { e.ask(change{limits: &l}) }

// Freeze has f called with what is known of all checks, by the goroutine of Run: until f returns no probe is started, and no result counts.
// It never blocks.
func (e *Engine) Freeze(f func(map[health.ID]health.Checker)) { e.ask(change{freeze: f}) }

// Adopt has checks that are added go on with what another engine knew of them, in place of beginning as unchecked. It is called once, before
// Run; the map is the engine's from then on.
func (e *Engine) Adopt(known map[health.ID]health.Checker) { e.heirs = known }

func (e *Engine) ask(c change) {
	e.mu.Lock()
	e.inbox.changes = append(e.inbox.changes, c)
	e.mu.Unlock()
	e.wake()
}

func (e *Engine) tell(end ending) {
	e.mu.Lock()
	e.inbox.endings = append(e.inbox.endings, end)
	e.mu.Unlock()
	e.wake()
}

// ring is what a connector calls when the time has come that startDue has set.
func (e *Engine) ring() {
	e.mu.Lock()
	e.rang = true
	e.mu.Unlock()
	e.wake()
}

func (e *Engine) wake() {
	select {
	case e.dirty <- struct{}{}:
	default:
	}
}

// kind returns the counters of a type of check.
func (e *Engine) kind(name string) *kind {
	e.mu.Lock()
	defer e.mu.Unlock()
	k := e.counts[name]
	if k == nil {
		k = &kind{name: strings.Clone(name)}
		e.counts[k.name] = k
	}
	return k
}

// Stats returns the engine's figures.
func (e *Engine) Stats() Stats {
	return Stats{
		Checks:  int(e.checks.Load()),
		Running: int(e.running.Load()),
		Waiting: int(e.queued.Load()),
		Waited:  e.waited.Load(),
	}
}

// Lateness returns how late probes were started, compared with their schedule.
func (e *Engine) Lateness() Histogram { return e.lateness.read() }

// Types returns the counters of each type of check that there ever was, by name.
func (e *Engine) Types() []TypeStats {
	e.mu.Lock()
	kinds := slices.SortedFunc(maps.Values(e.counts), func(a, b *kind) int { return strings.Compare(a.name, b.name) })
	e.mu.Unlock()
	list := make([]TypeStats, len(kinds))
	for i, k := range kinds {
		list[i] = k.read()
	}
	return list
}

// Run probes until the context is done, and returns its error when the last probe has ended. It may be called once.
func (e *Engine) Run(ctx context.Context) error {
	r := newRunner(e)
	defer r.timer.Stop()
	if e.connector != nil {
		r.probes.Go(func() { e.connector.Run(ctx) })
	}
	for ctx.Err() == nil {
		r.startDue(ctx)
		select {
		case <-ctx.Done():
		case <-e.dirty:
			r.empty(ctx, &e.inbox)
		case <-r.timer.C:
			r.alarm = never
		}
	}
	r.probes.Wait()
	e.running.Store(0)
	e.queued.Store(0)
	return ctx.Err()
}
