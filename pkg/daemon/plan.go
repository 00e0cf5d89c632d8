package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvsnl"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvsproc"
	"github.com/ipvsd/ipvsd/pkg/reconcile"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// Plan returns what a daemon that was started now with this file would change. It knows the verdicts of the last run as far as
// the table has them, too; of other servers those that are in the table stay, and the rest waits for checks.
func Plan(ctx context.Context, stateDir string, file control.File) (*status.Answer, error) {
	cfg, answer := Reading{ConfigID: file.ConfigID}.sent(&file)
	if cfg == nil {
		return answer.Answer, nil
	}
	owned, err := filesIn(Options{StateDir: stateDir}).readOwned()
	if err != nil {
		return nil, err
	}
	var s settings
	if s.changed, err = filesIn(Options{StateDir: stateDir}).readChanged(); err != nil {
		return nil, err
	}
	if s.defaults, err = sysctlDefaults(); err != nil {
		return nil, err
	}
	wishes, err := filesIn(Options{StateDir: stateDir}).readWishes()
	if err != nil {
		return nil, err
	}
	k, err := ipvsnl.Open()
	if err != nil {
		return nil, err
	}
	m := newMembers() // who they were when a daemon last ran
	m.pools = filesIn(Options{StateDir: stateDir}).recallMembers(slog.New(slog.DiscardHandler))
	cfg = m.join(cfg)
	verdicts, err := filesIn(Options{StateDir: stateDir}).readMemory()
	if err != nil {
		return nil, err
	}
	facts := desired.Facts{Owned: owned, Wishes: wishes, Now: time.Now()}
	return answer.Answer, errors.Join(answer.plan(ctx, namespace{k, ipvsproc.Default}, cfg, facts, &verdicts, s), k.Close())
}

// plan fills in what would have to change; at a start, with what the last run knew.
func (a answer) plan(ctx context.Context, k kernel, cfg *config.Config, facts desired.Facts, start *memory, s settings) error {
	table, err := k.Read(ctx, nil)
	if err != nil {
		return err
	}
	set, err := planSettings(ctx, k, cfg, s)
	if err != nil {
		return err
	}
	if start != nil {
		facts = start.recall(cfg, facts, table, func() float64 { return 0 })
	}
	want := desired.Compute(cfg, facts)
	a.of(set, reconcile.Diff(table, want), want, table)
	return nil
}

// of fills in the steps of a plan, and the servers that will join later.
func (a answer) of(set []reconcile.SettingStep, plan reconcile.Plan, want desired.State, table ipvs.Table) {
	a.Changes = []string{}
	for _, s := range set {
		a.Changes = append(a.Changes, s.String())
	}
	for _, s := range plan.Steps {
		a.Changes = append(a.Changes, s.String())
	}
	for i := range want {
		found := table.Find(want[i].ServiceKey)
		if found != nil && found.Unread {
			continue // nothing is new there
		}
		for _, d := range want[i].Destinations {
			if d.Want == desired.AsFound && (found == nil || found.Destination(d.Addr) == nil) {
				a.Waiting = append(a.Waiting, fmt.Sprintf("for a first check to pass before %s joins %s", d.Addr, want[i].ServiceKey))
			}
		}
	}
}
