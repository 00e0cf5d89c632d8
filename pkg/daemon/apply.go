package daemon

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/config/dialect"
	"github.com/ipvsd/ipvsd/pkg/config/dialect/dialecthost"
	"github.com/ipvsd/ipvsd/pkg/config/difference"
	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// lookAgain is how long at most the daemon waits before it looks whether the time for a confirmation is over, or tries again to write
// the former configuration: a timer doesn't count while the machine is suspended.
const lookAgain = 10 * time.Second

func conflict(format string, args ...any) error {
	return &control.ConflictError{Text: fmt.Sprintf(format, args...)}
}

// Apply takes a configuration in place of the daemon's file. The file is written once the configuration is known to be valid, and before it is
// in force. What it includes is read beside the daemon's file, and stays as it is.
func (o *owner) Apply(ctx context.Context, a control.Application) (*status.Answer, error) {
	o.reloads.Lock()
	defer o.reloads.Unlock()
	return o.apply(ctx, a, status.Revision{Why: status.ByApply, From: a.Name})
}

// Rollback takes a configuration of the history again; without a number the one before. While one waits for its confirmation, that ends.
func (o *owner) Rollback(ctx context.Context, r control.Return) (*status.Answer, error) {
	o.reloads.Lock()
	defer o.reloads.Unlock()
	if o.awaited != nil && r.Number == 0 {
		return o.goBack(ctx, whoOf(ctx), r.Reason)
	}
	if r.Number == 0 {
		n := o.archive.former()
		if n == 0 {
			return nil, conflict("there is no former configuration in the history")
		}
		r.Number = n
	}
	file, err := o.archive.file(r.Number, o.files.config)
	if err != nil {
		return nil, conflict("%v", err)
	}
	if others := otherIncludes(file); len(others) > 0 && !r.Force {
		return nil, conflict("files that configuration %d includes are not as they were, and a rollback leaves them alone: %s. Put them back (ipvsctl history show %d --include FILE prints one), or take it with them as they are: --force",
			r.Number, strings.Join(others, ", "), r.Number)
	}
	return o.apply(ctx, control.Application{Name: o.files.config, Text: file.Text, Taking: r.Taking},
		status.Revision{Why: status.ByRollback, From: o.files.config, Of: r.Number})
}

func (o *owner) apply(ctx context.Context, a control.Application, r status.Revision) (*status.Answer, error) {
	if err := o.unlessPending(); err != nil {
		return nil, err
	}
	onDisk, err := os.ReadFile(o.files.config)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err == nil && !a.Force && textHash(onDisk) != o.inForce {
		return nil, conflict("%s was changed since the daemon took it, and that would be lost: ipvsctl plan shows the changes, ipvsctl reload takes them, --force overwrites them", o.files.config)
	}
	back := o.archive.current()
	if a.Confirm > 0 && back == 0 {
		return nil, conflict("there would be nothing to go back to: the configuration in force is not in the history: %v", o.archive.err)
	}

	reading := o.options.Reading
	reading.Strict = reading.Strict || a.Strict
	before := o.loader
	host := dialect.NewRecorder(dialecthost.New())
	cfg, answer := reading.load(&o.loader, o.files.config, string(a.Text), host)
	file := &control.File{Name: o.files.config, Text: a.Text, ConfigID: reading.ConfigID, Texts: host.Texts, Globs: host.Globs}
	if cfg != nil && !a.Force {
		if cfg, err = o.ifWhole(ctx, cfg, &answer, "if that is what you want: --force"); err != nil {
			return nil, err
		}
	}
	if cfg == nil {
		o.loader = before
		return answer.Answer, nil
	}
	r.Who, r.Reason, r.Taken = whoOf(ctx), a.Reason, time.Now()
	if err := o.prepare(cfg, file, r, back, a.Confirm); err != nil {
		o.loader = before
		return nil, err
	}
	got, err := o.enforce(ctx, cfg, answer)
	if err == nil {
		got.Revision, got.Pending = o.archive.current(), o.pendingStatus()
	}
	return got, err
}

// prepare keeps a configuration in the history, notes that it waits for a confirmation if it is to, and writes its file: in this order, so that
// whatever happens in between, a daemon that starts then finds its way back.
func (o *owner) prepare(cfg *config.Config, file *control.File, r status.Revision, back int, confirm time.Duration) error {
	kept := o.keep(r, file, cfg)
	if confirm > 0 {
		if kept != nil {
			return conflict("the configuration can't be kept in the history, so there would be no safe way back: %v", kept)
		}
		boot, since := o.uptime()
		p := &pending{Revision: o.archive.current(), Back: back, Applied: textHash(file.Text), Boot: boot, Deadline: since + confirm, Who: r.Who}
		if err := o.files.writePending(p); err != nil {
			return errors.Join(err, o.archive.drop())
		}
		o.awaited = p
	}
	if err := o.files.replaceConfig(file.Text); err != nil {
		if kept == nil {
			err = errors.Join(err, o.archive.drop())
		}
		if o.awaited != nil {
			o.awaited = nil
			err = errors.Join(err, o.files.writePending(nil))
		}
		return err
	}
	o.inForce, o.read = textHash(file.Text), stampOf(o.files.config)
	if o.awaited != nil {
		o.tellPending()
		select {
		case o.armed <- struct{}{}:
		default:
		}
	}
	return nil
}

// enforce makes a configuration the one in force. Its file is where it belongs, so that who asked for it has gone is no reason not to.
func (o *owner) enforce(ctx context.Context, cfg *config.Config, answer answer) (*status.Answer, error) {
	was, err := insist(o, func(context.Context) *config.Config { return o.members.base })
	if err != nil {
		return nil, err
	}
	answer.Configuration = difference.Of(was, cfg)
	o.makeFiles(cfg)
	who := whoOf(ctx)
	return insist(o, func(ctx context.Context) *status.Answer {
		notify(reloading())
		o.reload(ctx, who, cfg, answer)
		notify(ready, o.summary())
		return answer.Answer
	})
}

// Confirm keeps the configuration that waits for it.
func (o *owner) Confirm(ctx context.Context) (*status.Revision, error) {
	o.reloads.Lock()
	defer o.reloads.Unlock()
	p := o.awaited
	if p == nil {
		text := "no configuration waits for a confirmation"
		if n := len(o.archive.list); n > 0 && o.archive.list[n-1].Why == status.Unconfirmed {
			text += fmt.Sprintf(": the time was over, and configuration %d is in force again since %s", o.archive.list[n-1].Of, o.archive.list[n-1].Taken.Format(time.DateTime))
		}
		return nil, conflict("%s", text)
	}
	if p.returned != nil {
		return nil, conflict("it is too late: %s", o.pendingStatus())
	}
	r, err := o.archive.revision(p.Revision)
	if err != nil {
		return nil, err
	}
	if err := o.files.writePending(nil); err != nil {
		return nil, fmt.Errorf("the confirmation can't be written down, and the daemon goes back as it was told: %w", err)
	}
	o.awaited = nil
	o.tellPending()
	o.log.Info("the configuration is confirmed", "revision", p.Revision, "who", whoOf(ctx))
	return r, nil
}

// History returns which configurations were taken.
func (o *owner) History(context.Context) (*status.History, error) {
	o.reloads.Lock()
	defer o.reloads.Unlock()
	h := &status.History{At: time.Now(), Revisions: slices.Clone(o.archive.list), Pending: o.pendingStatus()}
	slices.Reverse(h.Revisions)
	if h.Revisions == nil {
		h.Revisions = []status.Revision{} // [] rather than null
	}
	if o.archive.err != nil {
		h.Error = o.archive.err.Error()
	}
	return h, nil
}

// Revision returns a configuration of the history.
func (o *owner) Revision(_ context.Context, number int) (*control.File, error) {
	o.reloads.Lock()
	defer o.reloads.Unlock()
	f, err := o.archive.file(number, o.files.config)
	if err != nil {
		return nil, conflict("%v", err)
	}
	return f, nil
}

// goBack takes the configuration before the one that waits for its confirmation, as it was with all that it included. It is in force, and in
// the history, even if its file can't be written; that alone is tried again.
func (o *owner) goBack(ctx context.Context, who, reason string) (*status.Answer, error) {
	if o.awaited.returned == nil {
		if err := o.goneBack(ctx, who, reason); err != nil {
			return nil, err
		}
	}
	p := o.awaited
	back := p.returned
	err := o.files.putBack(p, back.file, o.log)
	if err == nil {
		o.inForce, o.read = textHash(back.file.Text), stampOf(o.files.config)
		err = o.files.writePending(nil)
	}
	if err != nil {
		stuck, again := *back, *p // the status reads what is told
		stuck.err, again.returned = err.Error(), &stuck
		o.awaited = &again
		o.tellPending()
		return nil, fmt.Errorf("the former configuration is in force again, but not in its file: %w", err)
	}
	o.awaited, o.stuck = nil, ""
	o.tellPending()
	back.answer.Revision = o.archive.current()
	return back.answer, nil
}

// goneBack has the former configuration be in force, and in the history.
func (o *owner) goneBack(ctx context.Context, who, reason string) error {
	p := *o.awaited
	file, err := o.archive.file(p.Back, o.files.config)
	if err != nil {
		return fmt.Errorf("the way back is lost: %w", err)
	}
	before := o.loader
	reading := o.options.Reading
	reading.Strict = false // it was in force
	host := dialect.Sealed{Host: dialecthost.New(), Files: dialect.Files{Texts: file.Texts, Globs: file.Globs}}
	cfg, answer := reading.load(&o.loader, o.files.config, string(file.Text), host)
	if cfg == nil {
		o.loader = before
		return fmt.Errorf("the former configuration %d is not valid any more: %s", p.Back, answer.Rejected)
	}
	o.log.Warn("going back to the former configuration", "revision", p.Revision, "back", p.Back, "who", who, "reason", reason)
	got, err := o.enforce(ctx, cfg, answer)
	if err != nil {
		return err
	}
	why := status.Unconfirmed
	if who != "" {
		why = status.ByRollback
	}
	_ = o.keep(status.Revision{Taken: time.Now(), Why: why, Who: who, Reason: reason, From: o.files.config, Of: p.Back}, file, cfg) // it was told
	p.returned = &returned{file: file, answer: got}
	o.awaited = &p
	return nil
}

// awaitConfirmations goes back when the time for a confirmation is over. It runs until the context is done.
func (o *owner) awaitConfirmations(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.armed:
		case <-timer.C:
		}
		timer.Reset(o.awaitConfirmation(ctx))
	}
}

func (o *owner) awaitConfirmation(ctx context.Context) time.Duration {
	o.reloads.Lock()
	defer o.reloads.Unlock()
	if o.awaited == nil {
		return time.Hour // or when there is one
	}
	if left := o.awaited.left(o.uptime()); left > 0 && o.awaited.returned == nil {
		return min(left, lookAgain)
	}
	if _, err := o.goBack(ctx, "", "nobody confirmed configuration "+fmt.Sprint(o.awaited.Revision)); err != nil && ctx.Err() == nil {
		if text := err.Error(); text != o.stuck {
			o.stuck = text
			o.log.Error("the former configuration can't be restored; it is tried again", "err", err)
		}
	}
	return lookAgain
}

// unlessPending refuses what would take another configuration while one waits for its confirmation.
func (o *owner) unlessPending() error {
	if p := o.pendingStatus(); p != nil {
		return conflict("%s. %s; then try again", p, p.Hint())
	}
	return nil
}

func (o *owner) pendingStatus() *status.Pending {
	if o.awaited == nil {
		return nil
	}
	return o.awaited.status(o.awaited.left(o.uptime()))
}

// tellPending has the status show what waits for a confirmation.
func (o *owner) tellPending() { o.shown.Store(o.awaited) }

// keep adds a configuration to the history, and says so if it can't.
func (o *owner) keep(r status.Revision, file *control.File, cfg *config.Config) error {
	spare := []int{o.archive.current()}
	if o.awaited != nil {
		spare = append(spare, o.awaited.Back, o.awaited.Revision)
	}
	before := o.archive.err
	err := o.archive.add(r, file, cfg, spare...)
	if err != nil && before == nil {
		o.log.Warn("the configuration can't be kept in the history", "dir", o.archive.dir, "err", err)
	}
	return err
}

// begin keeps the configuration of the start in the history, and takes up what waits for a confirmation.
func (o *owner) begin(p *pending, read *control.File, cfg *config.Config) {
	archive, err := openArchive(o.files.history)
	if err != nil {
		o.log.Warn("not all of the history can be read", "dir", o.files.history, "err", err)
	}
	o.archive, o.awaited, o.inForce = archive, p, textHash(read.Text)
	o.tellPending()
	r := status.Revision{Taken: time.Now(), Why: status.AtStart, From: o.files.config}
	if p != nil && p.restored {
		r.Why, r.Of, r.Reason = status.Unconfirmed, p.Back, fmt.Sprintf("nobody confirmed configuration %d before the daemon was started again", p.Revision)
		o.awaited = nil
		o.tellPending()
	}
	_ = o.keep(r, read, cfg) // it was told
}

// otherIncludes names the files that a configuration included which are not as they were.
func otherIncludes(f *control.File) (names []string) {
	host := dialecthost.New()
	for _, name := range slices.Sorted(maps.Keys(f.Texts)) {
		switch text, err := host.ReadFile(name); {
		case err != nil:
			names = append(names, name+" (gone)")
		case !bytes.Equal(text, f.Texts[name]):
			names = append(names, name+" (changed)")
		}
	}
	for _, pattern := range slices.Sorted(maps.Keys(f.Globs)) {
		found, _ := host.Glob(pattern) // a pattern that was read once is one
		for _, name := range found {
			if !slices.Contains(f.Globs[pattern], name) {
				names = append(names, name+" (new)")
			}
		}
	}
	return names
}

// whoOf names the user who asks, if one does.
func whoOf(ctx context.Context) string {
	who := control.WhoOf(ctx)
	switch {
	case who.By == control.BySocket && who.UID == nil:
		return ""
	case who.Login != "":
		return fmt.Sprintf("%s (%s)", who, who.Login)
	}
	return who.String()
}

func textHash(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
