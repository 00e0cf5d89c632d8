package daemon

import (
	"sync"

	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/engine"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// board is where the engine leaves what is new of each check. It never waits there for the owner, who may be busy with the
// kernel for seconds, and the owner is not woken by results that change nothing. What changes several times before the owner
// looks is one piece of news; the history has all.
type board struct {
	mu     sync.Mutex
	checks map[health.ID]*posted // guarded by mu
	news   []health.ID           // that the owner has not seen, each once; guarded by mu
	dirty  chan struct{}         // there are some
}

// posted is the newest of a check.
type posted struct {
	checker health.Checker
	history health.History
	logAll  bool // log_all_failures
	isNews  bool // it is in news

	key string // Check.Key, which is not cheap, once it was needed; remember's alone
}

func newBoard() *board {
	return &board{checks: make(map[health.ID]*posted), dirty: make(chan struct{}, 1)}
}

// post is what the engine reports to. What it has of checks that nobody has any more is dropped.
func (b *board) post(r engine.Report) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.checks[r.Check]
	if p == nil {
		return
	}
	tells := p.newsworthy(&r.Checker)
	if r.Checker.Probes > p.checker.Probes {
		p.history.Add(r.Checker)
	}
	p.checker = r.Checker
	if !tells || p.isNews {
		return
	}
	p.isNews = true
	b.news = append(b.news, r.Check)
	select {
	case b.dirty <- struct{}{}:
	default:
	}
}

// take returns what is new since it was called before.
func (b *board) take() []engine.Report {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]engine.Report, 0, len(b.news))
	for _, id := range b.news {
		if p := b.checks[id]; p != nil { // nobody has removed it meanwhile
			p.isNews = false
			list = append(list, engine.Report{Check: id, Checker: p.checker})
		}
	}
	b.news = b.news[:0]
	return list
}

// change takes checks off and puts others on, with what is known of them.
func (b *board) change(removed, added []health.ID, known desired.Verdicts) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range removed {
		delete(b.checks, id)
	}
	for _, id := range added {
		b.checks[id] = &posted{checker: known[id], logAll: id.Check().LogAllFailures}
	}
}

// past returns the history of a check; an empty one if it is not on the board.
func (b *board) past(id health.ID) (h health.History) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.checks[id]; p != nil {
		h = p.history
	}
	return h
}

// adopt puts down what another process knew of a check that is on the board.
func (b *board) adopt(id health.ID, c health.Checker, h health.History) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.checks[id]; p != nil {
		p.checker, p.history = c, h
	}
}

// copyTo brings verdicts up to date, except those on which there is news: who takes that compares it with what he knew.
func (b *board) copyTo(v desired.Verdicts) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, p := range b.checks {
		if !p.isNews {
			v[id] = p.checker
		}
	}
}

// newsworthy says whether the owner has to know at once what has become of a check.
func (p *posted) newsworthy(is *health.Checker) bool {
	was := &p.checker
	return is.Standing != was.Standing || is.LastResult.Warning != was.LastResult.Warning ||
		is.Held().IsZero() != was.Held().IsZero() ||
		p.logAll && is.LastResult.Err != "" && is.Probes > was.Probes
}

// of returns the newest of a check that is on the board.
func (b *board) of(id health.ID) health.Checker {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.checks[id].checker
}

// history returns the last results of a check that is on the board, the newest first.
func (b *board) history(id health.ID) (list []status.Run) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for r := range b.checks[id].history.All() {
		list = append(list, status.Run{
			At: r.At, Took: r.Took, Error: r.Err, Warning: r.Warning, Advice: status.AdviceOf(r.Advice), State: r.State,
		})
	}
	return list
}
