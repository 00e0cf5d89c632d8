package daemon

import (
	"context"
	"errors"
	"maps"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/config/difference"
	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/reconcile"
	"github.com/ipvsd/ipvsd/pkg/status"
)

var _ control.Backend = (*owner)(nil)

// Status returns what there is to know, of a table read for the occasion.
func (o *owner) Status(ctx context.Context) (*status.Snapshot, error) {
	return ask(ctx, o, func(ctx context.Context) *status.Snapshot {
		o.takeNews()
		round := o.round(ctx, reconcile.Whole)
		s := o.snapshot(round.Table, time.Now())
		if info, err := o.kernel.Info(ctx); err == nil { // otherwise the round has said why
			s.Table.Version, s.Table.ConnBuckets = info.Version.String(), info.ConnTableSize
		}
		return s
	})
}

// Reload takes the configuration file as it is now. If it is invalid, nothing changes but the status. Strict makes errors of its
// warnings, this time.
func (o *owner) Reload(ctx context.Context, strict bool) (*status.Answer, error) {
	o.reloads.Lock() // lest of two at once the one that read the older file comes last
	defer o.reloads.Unlock()
	if err := o.unlessPending(); err != nil {
		return nil, err
	}
	began := allocated()
	defer func() {
		if allocated()-began > litter {
			go debug.FreeOSMemory()
		}
	}()
	reading := o.options.Reading
	reading.Strict = reading.Strict || strict
	before := o.loader
	o.read = stampOf(o.files.config)
	cfg, answer := o.load(nil, reading)
	if cfg != nil {
		var err error
		if cfg, err = o.ifWhole(ctx, cfg, &answer, reloadHint); err != nil {
			return nil, err
		}
	}
	if cfg == nil {
		o.loader = before // of the version that stays in force
		who := whoOf(ctx)
		return ask(ctx, o, func(ctx context.Context) *status.Answer {
			notify(reloading())
			o.reload(ctx, who, nil, answer)
			notify(ready, o.summary())
			return answer.Answer
		})
	}
	a, err := o.enforce(ctx, cfg, answer)
	if err == nil {
		o.inForce = textHash(answer.read.Text)
		_ = o.keep(status.Revision{Taken: time.Now(), Why: status.ByReload, Who: whoOf(ctx), From: o.files.config}, answer.read, cfg) // it was told
		a.Revision = o.archive.current()
	}
	return a, err
}

// litter is how much a reload may allocate without it being given back to the system at once. A large file in another tool's words takes many times
// its size; what little an edit of a large TOML file takes is no reason to look at all of the heap.
const litter = 64 << 20

// allocated is how many bytes the process has ever allocated.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// ifWhole returns a configuration, or nil if it does not look whole.
func (o *owner) ifWhole(ctx context.Context, cfg *config.Config, a *answer, hint string) (*config.Config, error) {
	return ask(ctx, o, func(context.Context) *config.Config { return o.whole(cfg, a, hint) })
}

func (o *owner) reload(ctx context.Context, who string, cfg *config.Config, answer answer) {
	if cfg == nil {
		o.config.Rejected, o.config.RejectedAt = answer.Rejected, time.Now()
		o.events.Add(event.Event{Kind: event.Reload, Object: o.files.config, To: "rejected", Reason: firstProblem(answer.Rejected), Who: who})
		o.log.Error("the configuration was rejected; the earlier one stays in force", "file", o.files.config)
		o.tellProblems(answer.problems)
		if len(answer.problems) == 0 { // it could not even be read
			o.log.Error("configuration", "problem", strings.TrimSpace(answer.Rejected))
		}
		return
	}
	o.dropped = answer.dropped
	o.adopt(cfg, answer.problems, time.Now())
	o.watch(ctx)
	o.watchFiles(ctx)
	o.members.run(ctx)
	o.log.Info("reloaded", "file", o.files.config)
	o.events.Add(event.Event{Kind: event.Reload, Object: o.files.config, To: "accepted", Who: who})
	o.reconciler.Retry() // somebody is waiting to see it
	o.settings.tuner.Retry()
	round := o.round(ctx, o.parts())
	for _, f := range o.settings.round.Refused {
		answer.Refused = append(answer.Refused, f.Err.Error())
	}
	for _, f := range round.Refused {
		answer.Refused = append(answer.Refused, f.Err.Error())
	}
	if o.state.Error != "" {
		answer.Refused = append(answer.Refused, o.state.Error)
		return
	}
	answer.of(o.settings.round.Taken, reconcile.Plan{Steps: round.Taken}, round.Want, round.Table)
}

// Plan returns what a reload, or the given file, would change now.
func (o *owner) Plan(ctx context.Context, file *control.File) (*status.Answer, error) {
	type planned struct {
		*status.Answer
		err error
	}
	o.reloads.Lock()
	cfg, answer := o.load(file, o.options.Reading)
	o.reloads.Unlock()
	if cfg == nil {
		return answer.Answer, nil
	}
	var was *config.Config
	p, err := ask(ctx, o, func(ctx context.Context) planned {
		was = o.members.base
		if file == nil && o.whole(cfg, &answer, reloadHint) == nil { // as a reload would say
			return planned{answer.Answer, nil}
		}
		with := o.members.join(cfg)
		facts := o.facts(o.verdictsOn(with))
		facts.Quorums = facts.Quorums.Under(with, o.cfg.VirtualServers)
		return planned{answer.Answer, answer.plan(ctx, o.kernel, with, facts, nil, o.settings)}
	})
	if err = errors.Join(err, p.err); err == nil && p.Rejected == "" {
		p.Configuration = difference.Of(was, cfg)
	}
	return p.Answer, err
}

// verdictsOn returns the verdicts as they would be if a configuration were taken.
func (o *owner) verdictsOn(cfg *config.Config) desired.Verdicts {
	o.catchUp()
	verdicts, now := maps.Clone(o.verdicts), time.Now()
	added := make([]health.ID, 0, len(verdicts))
	has := make(map[health.ID]bool, len(verdicts))
	for c := range cfg.Checks() {
		if _, known := verdicts[c]; !known && !has[c] {
			added = append(added, c)
		}
		has[c] = true
	}
	var removed []health.ID
	for c := range verdicts {
		if !has[c] {
			removed = append(removed, c)
		}
	}
	verdicts.Follow(removed, added, now)
	return verdicts
}
