package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/reconcile"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// round makes the table what it should be, and sets when to look again. It returns what it found and did. In how many parts
// the table is read is for reconcile.Reconciler; with reconcile.Whole all of it is known afterwards.
func (o *owner) round(ctx context.Context, parts int) reconcile.Round {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	news := o.stale
	start := time.Now()
	if parts != reconcile.Changes {
		o.swept = start
	}
	o.owed = time.Since(o.swept) > turn
	o.passTime(ctx, start)
	o.renewPace(start)
	if o.stale || !o.until.IsZero() && !start.Before(o.until) {
		o.decide()
	}
	// Before the table, so that what leaves it leaves as they say.
	o.tune(ctx, start, parts == reconcile.Whole)
	o.keeper.first(o.files.record)
	round, err := o.reconciler.Round(ctx, start, o.want, parts)
	if errors.Is(ctx.Err(), context.Canceled) {
		return round // the daemon stops
	}
	if errors.Is(err, ipvs.ErrUnavailable) {
		o.settings.looked = time.Time{} // they have gone with the module
	}
	took := time.Since(start)
	o.took.Add(took)
	if err == nil && parts != reconcile.Changes && o.ledger.Leaving() {
		o.disown(round.Table)
	}
	if err == nil && parts == reconcile.Whole {
		o.state.Foreign = nil
		for _, f := range round.Plan.Foreign {
			o.state.Foreign = append(o.state.Foreign, f.String())
		}
	}
	if o.note(round, err, start) || news {
		notify(o.summary())
	}
	o.tell(round, took)

	rest := min(resyncShare*o.usual.add(took), unseen)
	switch {
	case err != nil:
		o.due = time.Now().Add(again)
	case len(round.Taken) > 0:
		o.due = time.Now().Add(max(10*debounce, rest)) // see that it is as it should be
	default:
		o.due = time.Now().Add(max(resync, rest))
		for _, owed := range []time.Time{o.reconciler.Deadline(), o.settings.tuner.Deadline()} {
			if !owed.IsZero() && owed.Before(o.due) {
				o.due = owed
			}
		}
	}
	if o.owed {
		o.due = time.Now()
	}
	return round
}

// usual is what the last rounds took, to tell a table that takes its time from a round that another program kept waiting.
type usual [3]time.Duration

// add adds a round, and returns what the quickest of the last ones took.
func (u *usual) add(took time.Duration) time.Duration {
	copy(u[1:], u[:])
	u[0] = took
	return slices.Min(u[:])
}

// note keeps for the status what came of a round. It says whether the table began or ceased to be a problem.
func (o *owner) note(round reconcile.Round, err error, at time.Time) (turned bool) {
	before := o.state.Error
	o.state.Error = ""
	if err != nil {
		o.state.Error = err.Error()
	} else {
		o.state.Read = at
	}
	if len(round.Taken)+len(o.settings.round.Taken) > 0 {
		o.state.Changed = at
	}
	table, set := o.reconciler.Totals(), o.settings.tuner.Totals()
	o.state.Changes, o.state.Drift = table.Steps+set.Steps, table.Drift+set.Drift
	o.state.Refused = nil
	for _, f := range o.reconciler.Failures() {
		o.state.Refused = append(o.state.Refused,
			status.Refused{Reason: f.Err.Error(), Since: f.Since, Attempts: f.Attempts, Next: f.Next})
	}
	for _, f := range o.settings.tuner.Failures() {
		o.state.Refused = append(o.state.Refused,
			status.Refused{Reason: f.Err.Error(), Since: f.Since, Attempts: f.Attempts, Next: f.Next})
	}
	switch {
	case o.state.Error == before:
		return false
	case err != nil:
		o.log.Error("the kernel's table can't be kept", "err", err)
		o.events.Add(event.Event{Kind: event.Table, To: "not kept", Reason: err.Error()})
	default:
		o.events.Add(event.Event{Kind: event.Table, To: "kept"})
		o.log.Info("the kernel's table can be kept again")
	}
	return true
}

// detail is how many repairs, and how many refusals, of one round are logged one by one.
const detail = 20

// tell tells what a round did.
func (o *owner) tell(round reconcile.Round, took time.Duration) {
	o.tellEvents(&round)
	for _, s := range round.Drift[:min(detail, len(round.Drift))] {
		o.log.Warn("somebody else changed the table", "repair", s.String())
	}
	if more := len(round.Drift) - detail; more > 0 {
		o.log.Warn("somebody else changed much of the table", "more", more)
	}
	for _, f := range round.Refused[:min(detail, len(round.Refused))] {
		level := slog.LevelWarn
		if f.Attempts > 1 {
			level = slog.LevelDebug // no news; the status has it
		}
		o.log.Log(context.Background(), level, "the kernel refused a change; it will be tried again",
			"service", f.Err.Command.Service.ServiceKey.String(), "err", f.Err)
	}
	if more := len(round.Refused) - detail; more > 0 {
		o.log.Warn("the kernel refused many changes; see ipvsctl status", "more", more)
	}
	if n := len(round.Taken); n > 0 {
		o.log.Info("table changed", "steps", n, "took", took.Round(time.Microsecond))
	}
	if !o.log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	for _, s := range round.Taken {
		o.log.Debug("table changed", "step", s.String())
	}
}

// parts returns in how many parts the next round reads the table. With news nothing may be in its way; without, it is the turn
// of some of what nobody has looked at for the longest time, and also between two rounds with news if that is owed.
func (o *owner) parts() int {
	if o.stale && !o.owed {
		return reconcile.Changes
	}
	return sweep
}

// disown drops from the record what the configuration does not name and the table, as it was read, no longer has.
func (o *owner) disown(table ipvs.Table) {
	changed, shrank := o.ledger.Forget(table)
	for _, vs := range changed {
		delete(o.outcomes, vs)
	}
	if shrank {
		o.record()
		o.decide() // at once: the status tells outcomes
	}
}

// summary is the line that systemctl status shows.
func (o *owner) summary() string {
	if o.state.Error != "" {
		return "STATUS=" + o.state.Error
	}
	text := fmt.Sprintf("STATUS=services: %d, servers alive: %d of %d", len(o.cfg.VirtualServers), o.alive, o.servers)
	text += o.rolesSummary()
	if o.config.Rejected != "" {
		text += "; a newer configuration was rejected"
	}
	return text
}
