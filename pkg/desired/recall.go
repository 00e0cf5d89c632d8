package desired

import (
	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Recall takes out of the facts, at a start, those verdicts and quorums of an earlier run that the table disproves: the record of them may be older
// than the table, and others may have changed that since. Where verdicts and table agree nothing is to be done, so that no server gets clients, or
// loses them, because of what a record says.
//
// It returns the checks that are to be doubted: those of servers that are left without clients in a service which has been there before. Whoever
// left them so, an earlier run, keepalived or a colleague, had a reason, and it would be wrong to presume that they live.
func Recall(virtualServers []*config.VirtualServer, f Facts, table ipvs.Table) (doubted map[health.ID]bool) {
	doubted = make(map[health.ID]bool)
	for {
		disproved := make(map[health.ID]bool)
		for _, vs := range virtualServers {
			if !agrees(vs, f, table, disproved, doubted) {
				delete(f.Quorums, vs.Name)
			}
		}
		if len(disproved) == 0 {
			return doubted
		}
		// Without its verdict a server may be presumed alive in another service, which it is out of: they are looked at again.
		for id := range disproved {
			delete(f.Verdicts, id)
		}
	}
}

// agrees says whether the table is as what is known would have it, and collects the checks whose verdicts it disproves, and those to be doubted.
func agrees(vs *config.VirtualServer, f Facts, table ipvs.Table, disproved, doubted map[health.ID]bool) bool {
	outcome, agree, n := Decide(vs, f), true, 0
	for rs := range vs.Servers() {
		if n++; n > len(vs.RealServers) && outcome.Quorum != health.Down {
			break // it is not what is known of sorry servers that has them serve, or not
		}
		differs, without := outcome.against(vs, rs, table)
		agree = agree && !differs
		for _, id := range rs.Checks {
			if _, known := f.Verdicts[id]; known && differs {
				disproved[id] = true
			}
			if without {
				doubted[id] = true
			}
		}
	}
	return agree
}

// against says whether the outcome differs from the table in whether a server has clients, and whether it would give some to one that has none in
// a service which is there.
func (o *Outcome) against(vs *config.VirtualServer, rs *config.RealServer, table ipvs.Table) (differs, without bool) {
	for i := range vs.Services {
		d, reaches := rs.For(&vs.Services[i])
		if !reaches {
			continue
		}
		want := o.Services[i].Destination(d.Addr)
		if want == nil || want.Want == AsFound {
			continue
		}
		service, serves := table.Find(vs.Services[i].ServiceKey), false
		if service != nil {
			is := service.Destination(d.Addr)
			serves = is != nil && is.Weight > 0
		}
		shall := want.Want == Present && want.Weight > 0
		differs = differs || shall != serves
		without = without || shall && !serves && service != nil
	}
	return differs, without
}
