package daemon

import (
	"context"
	"errors"
	"time"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/reconcile"
	"github.com/ipvsd/ipvsd/pkg/status"
)

var _ control.Backend = (*owner)(nil)

// Status returns what there is to know, of a table read for the occasion.
func (o *owner) Status(ctx context.Context) (*status.Snapshot, error) {
	return ask(ctx, o, func(ctx context.Context) *status.Snapshot {
		o.round(ctx, reconcile.Whole)
		s := o.snapshot(time.Now())
		if info, err := o.kernel.Info(ctx); err == nil { // otherwise the round has said why
			s.Table.Version, s.Table.ConnBuckets = info.Version.String(), info.ConnTableSize
		}
		return s
	})
}

// Reload takes the configuration file as it is now. If it is invalid, nothing changes but the status.
func (o *owner) Reload(ctx context.Context) (*status.Answer, error) {
	return ask(ctx, o, func(ctx context.Context) *status.Answer {
		notify(reloading())
		a := o.reload(ctx)
		notify(ready, o.summary())
		return a
	})
}

func (o *owner) reload(ctx context.Context) *status.Answer {
	cfg, answer := o.load(nil)
	if cfg == nil {
		o.config.Rejected, o.config.RejectedAt = answer.Rejected, time.Now()
		o.log.Error("the configuration was rejected; the earlier one stays in force", "file", o.files.config)
		o.tellProblems(answer.problems)
		return answer.Answer
	}
	o.adopt(cfg, answer.problems, time.Now())
	o.log.Info("reloaded", "file", o.files.config)
	round := o.round(ctx, o.parts())
	answer.of(round.Plan, o.want, round.Table)
	for _, e := range round.Refused {
		answer.Refused = append(answer.Refused, e.Error())
	}
	return answer.Answer
}

// Plan returns what a reload, or the given file, would change now.
func (o *owner) Plan(ctx context.Context, file *control.File) (*status.Answer, error) {
	type planned struct {
		*status.Answer
		err error
	}
	p, err := ask(ctx, o, func(ctx context.Context) planned {
		cfg, answer := o.load(file)
		if cfg == nil {
			return planned{answer.Answer, nil}
		}
		return planned{answer.Answer, answer.plan(ctx, o.kernel, cfg, o.verdicts.For(cfg, time.Now()), o.owned)}
	})
	return p.Answer, errors.Join(err, p.err)
}
