package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/reconcile"
)

// stop does with each service what its on_stop says, after the scripts have been told.
func (o *owner) stop() error {
	o.announceStop()
	if o.options.KeepTable {
		o.log.Info("stopped; the table stays as it is")
		return nil
	}
	want := desired.AtStop(o.cfg, o.facts(o.verdicts))
	if len(want) == 0 {
		o.log.Info("stopped; the table stays as it is")
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	o.reconciler.Retry() // there is no later
	round, err := o.reconciler.Round(ctx, time.Now(), want, reconcile.Changes)
	for _, f := range round.Refused {
		err = errors.Join(err, f.Err)
	}
	if err != nil && !errors.Is(err, ipvs.ErrUnavailable) { // without IPVS there is no table to change
		return fmt.Errorf("on_stop: services of ours may still be in the table: %w", err)
	}
	removed := 0
	for i := range want {
		if want[i].Want == desired.Absent {
			removed++
			delete(o.ledger.Owned, want[i].ServiceKey)
		}
	}
	o.log.Info("stopped; services of ours are removed from the table, quiesced or left in it",
		"removed", removed, "quiesced", len(want)-removed, "left", len(o.ledger.Owned)-(len(want)-removed), "steps", len(round.Taken))
	o.record()
	return nil
}

// onStop returns what becomes of a virtual server's services when the daemon stops.
func (o *owner) onStop(vs *config.VirtualServer) string {
	if o.options.KeepTable {
		return config.StopLeaves
	}
	return vs.OnStop
}
