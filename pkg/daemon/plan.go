package daemon

import (
	"context"
	"errors"
	"fmt"
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

// Plan returns what a daemon that was started now with this file would change. It knows no verdicts: servers that are in
// the table stay, the others wait for their checks.
func Plan(ctx context.Context, stateDir string, file control.File) (*status.Answer, error) {
	cfg, answer := load(new(config.Loader), file.Name, string(file.Text))
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
	k, err := ipvsnl.Open()
	if err != nil {
		return nil, err
	}
	facts := desired.Facts{Owned: owned, Now: time.Now()}
	return answer.Answer, errors.Join(answer.plan(ctx, namespace{k, ipvsproc.Default}, cfg, facts, s), k.Close())
}

// answer is an Answer in the making.
type answer struct {
	*status.Answer
	problems config.Diagnostics
}

// load returns the configuration of a file that a client sent, or else of the daemon's own; nil if it is rejected. It may
// take seconds and touches nothing of the owner's state but the loader, which belongs to who holds reloads: it runs in the
// goroutine of whoever asks.
func (o *owner) load(file *control.File) (*config.Config, answer) {
	if file != nil {
		return load(new(config.Loader), file.Name, string(file.Text))
	}
	text, err := o.files.readConfig()
	if err != nil {
		return nil, answer{Answer: &status.Answer{Rejected: fmt.Sprintln(err)}}
	}
	return load(&o.loader, o.files.config, text)
}

func load(loader *config.Loader, file, source string) (*config.Config, answer) {
	cfg, problems := loader.Load(file, source)
	if problems.Err() != nil {
		return nil, answer{Answer: &status.Answer{Rejected: excerpts(problems, source)}, problems: problems}
	}
	problems = problems.With(unfit(cfg))
	return cfg, answer{&status.Answer{Warnings: excerpts(problems, source)}, problems}
}

// excerpts copies a source, which may be long, only where there is something to say about it.
func excerpts(problems config.Diagnostics, source string) string {
	if len(problems) == 0 {
		return ""
	}
	return problems.Format([]byte(source))
}

// Check returns what there is to say about a configuration file on this host: besides what is wrong with it, which scripts of it
// can't be run, and which files of its checks can't be read.
func Check(file control.File) *status.Answer {
	_, answer := load(new(config.Loader), file.Name, string(file.Text))
	return answer.Answer
}

// plan fills in what would have to change.
func (a answer) plan(ctx context.Context, k kernel, cfg *config.Config, facts desired.Facts, s settings) error {
	table, err := k.Read(ctx, nil)
	if err != nil {
		return err
	}
	set, err := planSettings(ctx, k, cfg, s)
	if err != nil {
		return err
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
