package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
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

// ImportOptions are how a table is imported.
type ImportOptions struct {
	Format string // of the file; empty: the file tells
	Merge  bool   // leave what is in the table and not in the file
	DryRun bool   // change nothing
}

// Import makes the kernel's table what a file says: services, servers with their weights, and those timeouts and sync daemons
// that are in the file. What is as it should be already is not touched, and what the kernel refuses does not hold up the rest.
// It makes no difference between what is ours and what is others', and does not look whether a daemon runs. A file without a
// word is refused: it is rather the output of a command that failed than a table without services.
func Import(ctx context.Context, file control.File, o ImportOptions) (*status.Answer, error) {
	name := o.Format
	if name == "" {
		name = formatOf(file.Text)
	}
	f, ok := formats[name]
	if !ok {
		return nil, fmt.Errorf("there is no format %q", name)
	}
	if len(bytes.TrimSpace(file.Text)) == 0 {
		return &status.Answer{Rejected: file.Name + ": it is empty, and all services would go: did the command that wrote it fail?\n" +
			"hint: to empty the table on purpose, import the line -C\n"}, nil
	}
	cfg, problems := f.read(file.Name, file.Text)
	text := problems.Format(file.Text)
	if problems.Err() != nil {
		return &status.Answer{Rejected: text}, nil
	}
	if name == FormatTOML {
		text = passedOver(cfg) // what a configuration is warned of is for who runs it
	}
	a := &status.Answer{Changes: []string{}, Warnings: text}
	client, err := ipvsnl.Open()
	if err != nil {
		return nil, err
	}
	return a, errors.Join(importTo(ctx, namespace{client, ipvsproc.Default}, cfg, o, a), client.Close())
}

// passedOver says what of a configuration is not for an import.
func passedOver(cfg *config.Config) string {
	more := len(cfg.GlobalDefs.LVSSysctl.Values) > 0
	for _, vs := range cfg.VirtualServers {
		more = more || len(vs.SorryServers) > 0 ||
			slices.ContainsFunc(vs.RealServers, func(rs config.RealServer) bool { return len(rs.Checks) > 0 })
	}
	if !more {
		return ""
	}
	return "note: checks, quorums, sorry servers, scripts and sysctls have no part in an import: every real server gets its weight\n"
}

// importTo makes a kernel what a configuration says, and fills in what that changed, or would change.
func importTo(ctx context.Context, k kernel, cfg *config.Config, o ImportOptions, a *status.Answer) error {
	table, err := k.Read(ctx, nil)
	if err != nil {
		return err
	}
	var owned desired.Owned
	if !o.Merge {
		owned = desired.Everything(table)
	}
	want := desired.Exact(cfg, owned)
	for i := range want {
		s := &want[i].Service
		if found := table.Find(s.ServiceKey); found != nil && s.Persistence == 0 && found.Persistence == 0 {
			s.Granularity = found.Granularity // it means nothing: no reason for an edit
		}
	}
	settings := desired.ComputeSettings(&config.Config{GlobalDefs: config.GlobalDefs{
		LVSTimeouts: cfg.GlobalDefs.LVSTimeouts, LVSSyncDaemon: cfg.GlobalDefs.LVSSyncDaemon,
	}}, nil, false, nil, nil)
	if o.DryRun {
		found, err := reconcile.ReadSettings(ctx, k)
		if err != nil {
			return err
		}
		for _, s := range reconcile.Diff(table, want).Steps {
			a.Changes = append(a.Changes, s.String())
		}
		for _, s := range reconcile.DiffSettings(&found, settings) {
			a.Changes = append(a.Changes, s.String())
		}
		return nil
	}
	now := time.Now()
	round, err := reconcile.New(known{k, table}).Round(ctx, now, want, reconcile.Whole)
	if err != nil {
		return err
	}
	for _, s := range round.Taken {
		a.Changes = append(a.Changes, s.String())
	}
	for _, r := range round.Refused {
		a.Refused = append(a.Refused, r.Err.Error())
	}
	// Last: the kernel starts no sync daemon while a server is of another family than its service.
	tuned, err := reconcile.NewTuner(k).Round(ctx, now, settings, func([]reconcile.SettingStep) {})
	for _, s := range tuned.Taken {
		a.Changes = append(a.Changes, s.String())
	}
	for _, r := range tuned.Refused {
		a.Refused = append(a.Refused, r.Err.Error())
	}
	return err
}

// known is a kernel whose table has been read just now.
type known struct {
	reconcile.Kernel
	table ipvs.Table
}

func (k known) Read(context.Context, map[ipvs.ServiceKey]bool) (ipvs.Table, error) {
	return k.table, nil
}
