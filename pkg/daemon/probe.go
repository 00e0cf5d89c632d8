package daemon

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
	"github.com/ipvsd/ipvsd/pkg/status"
)

const (
	probesAtOnce = 4    // of one request
	maxSteps     = 1000 // of one probe that are kept
)

// prober runs checks for people, beside the engine.
type prober struct {
	run   probe.Func
	mu    sync.Mutex
	ended bool           // guarded by mu; no more of them
	busy  sync.WaitGroup // requests
	ctx   context.Context
	end   context.CancelFunc
}

func newProber(run probe.Func) *prober {
	p := &prober{run: run}
	p.ctx, p.end = context.WithCancel(context.Background())
	return p
}

// errStops is why nothing is probed.
var errStops = errors.New("the daemon stops")

// Probe runs the checks that a query asks for once, in the goroutine of whoever asks.
func (o *owner) Probe(ctx context.Context, q status.CheckQuery) (*status.Probes, error) {
	f, err := q.Filter()
	if err != nil {
		return nil, err
	}
	list, err := ask(ctx, o, func(context.Context) []asked {
		var list []asked
		for _, id := range checksOf(o.cfg, f) {
			if c := o.check(id, o.board.of(id)); f.Match(&c) {
				list = append(list, asked{id.Check(), sharers(o.roster.servers[id])})
			}
		}
		return list
	})
	if err != nil {
		return nil, err
	}
	return o.prober.all(ctx, list)
}

// Probe runs the checks that a file has for a server, once, as the daemon would. If the answer is that the file is rejected, it
// ran none.
func Probe(ctx context.Context, file control.File, q status.CheckQuery) (*status.Probes, *status.Answer, error) {
	f, err := q.Filter()
	if err != nil {
		return nil, nil, err
	}
	cfg, answer := Reading{ConfigID: file.ConfigID}.sent(&file)
	if cfg == nil {
		return nil, answer.Answer, nil
	}
	r := newRoster()
	for _, vs := range cfg.VirtualServers {
		r.add(vs)
	}
	var list []asked
	for _, id := range checksOf(cfg, f) {
		c := id.Check()
		if f.Match(&status.Check{Type: c.Type}) {
			list = append(list, asked{c, sharers(r.servers[id])})
		}
	}
	defer probe.ClosePlugins()
	p, err := newProber(new(sessions).before(probe.Probe)).all(ctx, list)
	return p, answer.Answer, err
}

// asked is a check that somebody wants to have run.
type asked struct {
	health.Check
	servers []status.CheckedBy
}

// all runs checks, a few at once.
func (p *prober) all(ctx context.Context, list []asked) (*status.Probes, error) {
	p.mu.Lock()
	if p.ended {
		p.mu.Unlock()
		return nil, errStops
	}
	p.busy.Add(1)
	p.mu.Unlock()
	defer p.busy.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.ctx, cancel)()

	result := &status.Probes{At: time.Now(), Probes: make([]status.Probe, len(list))}
	places := make(chan struct{}, probesAtOnce)
	var running sync.WaitGroup
	for i, a := range list {
		places <- struct{}{}
		running.Go(func() {
			defer func() { <-places }()
			result.Probes[i] = p.once(ctx, a)
		})
	}
	running.Wait()
	return result, cmp.Or(p.ctx.Err(), ctx.Err())
}

// once runs a check.
func (p *prober) once(ctx context.Context, a asked) status.Probe {
	r := status.Probe{Type: a.Type, What: what(a.Spec), Target: a.Target, Servers: a.servers, Steps: []status.Step{}}
	ctx, cancel := context.WithTimeout(ctx, a.Timeout)
	defer cancel()
	start := time.Now()
	var mu sync.Mutex // a step may come after the end of a probe that left something behind
	finding, err := probe.Try(probe.WithSteps(ctx, func(s probe.Step) {
		mu.Lock()
		defer mu.Unlock()
		if len(r.Steps) == maxSteps {
			r.More++
			return
		}
		r.Steps = append(r.Steps, status.Step{After: s.At.Sub(start), Text: s.Text})
	}), p.run, a.Check)
	mu.Lock()
	defer mu.Unlock()
	r.Took, r.Warning, r.Advice = time.Since(start), finding.Warning, status.AdviceOf(finding.Advice)
	if err != nil {
		r.Error = cmp.Or(err.Error(), "no reason given")
	}
	return r
}

// close ends what is under way, and returns when nothing is any more, nor will be.
func (p *prober) close() {
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	p.end()
	p.busy.Wait()
}
