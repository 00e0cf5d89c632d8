package daemon

import (
	"maps"
	"time"

	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/health"
)

// decide brings the desired state up to date. Virtual servers of which nothing has changed are not decided again.
func (o *owner) decide() {
	facts := o.facts(o.verdicts)
	all := make([]desired.Outcome, len(o.cfg.VirtualServers))
	o.until, o.alive, o.servers = time.Time{}, 0, 0
	turned := false
	for i, vs := range o.cfg.VirtualServers {
		outcome, known := o.outcomes[vs]
		if !known || !outcome.Until.IsZero() && !facts.Now.Before(outcome.Until) {
			outcome = desired.Decide(vs, facts)
			o.outcomes[vs] = outcome
			o.ledger.Leave(&outcome, facts.Now)
			turned = turned || o.quorums[vs.Name] != outcome.Quorum
			o.quorums[vs.Name] = outcome.Quorum
			o.announce(vs, outcome)
		}
		if u := outcome.Until; !u.IsZero() && (o.until.IsZero() || u.Before(o.until)) {
			o.until = u
		}
		all[i] = outcome
		o.alive += outcome.Alive
		o.servers += len(vs.RealServers)
	}
	o.want, o.stale = desired.Assemble(all, o.ledger.Owned), false
	o.routers.Services(o.quorums)
	if turned {
		quorums := maps.Clone(o.quorums)
		o.memoir.quorums.Store(&quorums)
		o.memoir.turned()
	}
	if !o.pending() {
		o.routers.Checked()
	}
}

// pending says whether a virtual server has not been checked yet. One whose checks rest is not waited for.
func (o *owner) pending() bool {
	for _, vs := range o.cfg.VirtualServers {
		if o.quorums[vs.Name] == health.Unchecked && !o.suspension.suspended[vs.Name] {
			return true
		}
	}
	return false
}

// facts are what decisions rest on now, with the given verdicts.
func (o *owner) facts(v desired.Verdicts) desired.Facts {
	return desired.Facts{Verdicts: v, Owned: o.ledger.Owned, Left: o.ledger.Left, Quorums: o.quorums, Wishes: o.wishes, Now: time.Now()}
}
