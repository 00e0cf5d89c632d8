package reconcile

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Tuner keeps the settings of one network namespace as desired, as a Reconciler does its table. It is not safe for concurrent
// use: its owner calls it.
type Tuner struct {
	kernel Settable
	last   desired.Settings // that the last round reached, apart from what was refused
	done   bool             // last is set, and nothing has happened since that we don't know of
	failed map[string]SettingFailure
	totals Totals
}

// SettingFailure is a step that was refused and that will be tried again for as long as it is wanted.
type SettingFailure struct {
	Step     SettingStep
	Err      error
	Since    time.Time
	Attempts int
	Next     time.Time // not before then
}

// SettingsRound is what a round found and did.
type SettingsRound struct {
	Found   ipvs.Settings // as they are after all
	Plan    []SettingStep // all that differed, including what is held back after a refusal
	Taken   []SettingStep
	Drift   []SettingStep // what differed because somebody else changed it
	Refused []SettingFailure
	Over    []string // settings that are as they were before us, or somebody else's: nothing more is wanted of them
}

// NewTuner returns a Tuner for a kernel. It does nothing before Round.
func NewTuner(k Settable) *Tuner { return &Tuner{kernel: k, failed: make(map[string]SettingFailure)} }

// Round reads the settings and takes the steps that are due, after note has been told of the values among them that are about to
// be changed: what is to be put back one day must be on record before. What is refused is held back for a growing time (Deadline says until when); all
// else goes on. It is an error only that there is no IPVS, or that the context is done: it isn't known then how far the round
// came. That settings can't be read is a refusal.
func (t *Tuner) Round(ctx context.Context, now time.Time, want desired.Settings, note func([]SettingStep)) (SettingsRound, error) {
	found, err := ReadSettings(ctx, t.kernel)
	switch {
	case err != nil && fatal(ctx, err):
		t.done = t.done && !errors.Is(err, ipvs.ErrUnavailable) // they have gone with the module
		return SettingsRound{}, err
	case err != nil:
		return SettingsRound{Refused: []SettingFailure{t.refuse(now, SettingStep{}, err)}}, nil
	}
	t.totals.Rounds++
	round := SettingsRound{Found: found, Plan: DiffSettings(&found, want)}
	if t.done && len(round.Plan) > 0 {
		round.Drift = t.drift(&found, round.Plan)
	}
	due := t.due(now, round.Plan)
	if values := slices.DeleteFunc(slices.Clone(due), func(s SettingStep) bool {
		_, daemon := desired.SyncRoles[s.Name]
		return daemon || s.Back || s.Missing
	}); len(values) > 0 {
		note(values)
	}
	refused := make(map[string]bool)
	for _, s := range due {
		if refused[s.Name] {
			continue // a sync daemon that could not be stopped
		}
		switch err := s.take(ctx, t.kernel); {
		case err == nil:
			delete(t.failed, s.Name)
			round.Taken = append(round.Taken, s)
			t.totals.Steps++
		case fatal(ctx, err):
			t.done = false
			return round, err
		default:
			refused[s.Name] = true
			round.Refused = append(round.Refused, t.refuse(now, s, err))
		}
	}
	t.totals.Drift += uint64(len(round.Drift))
	t.last, t.done = want, true
	if len(round.Taken) > 0 {
		if again, err := ReadSettings(ctx, t.kernel); err == nil { // otherwise the next round will tell
			round.Found = again
		}
	}
	for i := range want {
		if want[i].Want == desired.Absent && !slices.ContainsFunc(round.Plan, func(s SettingStep) bool {
			return s.Name == want[i].Name && !slices.Contains(round.Taken, s)
		}) {
			round.Over = append(round.Over, want[i].Name)
		}
	}
	return round, nil
}

// fatal says whether an error is about more than the settings.
func fatal(ctx context.Context, err error) bool {
	return errors.Is(err, ipvs.ErrUnavailable) || ctx.Err() != nil
}

// drift returns the steps of a plan that would be needed for the settings of the last round as well.
func (t *Tuner) drift(found *ipvs.Settings, plan []SettingStep) (steps []SettingStep) {
	needed := DiffSettings(found, t.last)
	for _, s := range plan {
		if _, ours := t.failed[s.Name]; !ours && slices.Contains(needed, s) {
			steps = append(steps, s)
		}
	}
	return steps
}

// due returns the steps that need not wait, and forgets failures of which nothing is wanted any more. Another step on the same
// setting is another question, unless it is the one that follows.
func (t *Tuner) due(now time.Time, plan []SettingStep) (due []SettingStep) {
	wanted, waits := make(map[string]bool, len(plan)), make(map[string]bool)
	for _, s := range plan {
		wanted[s.Name] = true
		if f, ok := t.failed[s.Name]; ok && f.Step == s && now.Before(f.Next) {
			waits[s.Name] = true
		}
		if !waits[s.Name] {
			due = append(due, s)
		}
	}
	for name := range t.failed {
		if !wanted[name] {
			delete(t.failed, name)
		}
	}
	return due
}

func (t *Tuner) refuse(now time.Time, s SettingStep, err error) SettingFailure {
	f, again := t.failed[s.Name]
	if !again || f.Step != s {
		f = SettingFailure{Step: s, Since: now}
	}
	f.Err, f.Attempts, f.Next = err, f.Attempts+1, now.Add(pause(f.Attempts))
	t.failed[s.Name] = f
	t.totals.Refused++
	return f
}

// Retry has the next round take the steps that are held back as well.
func (t *Tuner) Retry() {
	for name, f := range t.failed {
		f.Next = f.Since
		t.failed[name] = f
	}
}

// Failures returns what was refused and is still wanted, by name.
func (t *Tuner) Failures() []SettingFailure {
	out := make([]SettingFailure, 0, len(t.failed))
	for _, f := range t.failed {
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b SettingFailure) int { return strings.Compare(a.Step.Name, b.Step.Name) })
	return out
}

// Totals returns the counts so far.
func (t *Tuner) Totals() Totals { return t.totals }

// Deadline returns when the first of the refused steps is to be tried again; zero if none was refused.
func (t *Tuner) Deadline() (first time.Time) {
	for _, f := range t.failed {
		if first.IsZero() || f.Next.Before(first) {
			first = f.Next
		}
	}
	return first
}
