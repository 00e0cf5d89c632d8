package daemon

import (
	"time"

	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/health"
)

// decide computes the desired state anew.
func (o *owner) decide() {
	facts := o.facts(o.verdicts)
	outcomes := make([]desired.Outcome, len(o.cfg.VirtualServers))
	quorums := make(map[string]health.State, len(outcomes))
	for i, vs := range o.cfg.VirtualServers {
		outcomes[i] = desired.Decide(vs, facts)
		quorums[vs.Name] = outcomes[i].Quorum
	}
	o.want, o.outcomes, o.quorums, o.stale = desired.Assemble(outcomes, o.owned), outcomes, quorums, false
}

// facts are what decisions rest on now, with the given verdicts.
func (o *owner) facts(v desired.Verdicts) desired.Facts {
	return desired.Facts{Verdicts: v, Owned: o.owned, Quorums: o.quorums, Now: time.Now()}
}
