package daemon

import (
	"log/slog"
	"time"

	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/engine"
)

// takeNews takes what is new of checks. All of it happened before now; ten thousand servers that come up at a start are as many calls for the time
// otherwise, each of which is a system call where the kernel has no faster one.
func (o *owner) takeNews() {
	now := time.Now()
	for _, r := range o.board.take() {
		o.take(r, now)
	}
	if o.stale {
		o.soon()
	}
}

// take keeps the news of a check, and tells of it and of the servers whose state it changes.
func (o *owner) take(r engine.Report, now time.Time) {
	servers, ours := o.roster.servers[r.Check]
	if !ours {
		return // the late news of a check that a reload removed
	}
	was, is := o.verdicts.Of(r.Check), r.Checker
	changed := is.State != was.State
	var before []health.State
	if changed {
		before = make([]health.State, len(servers))
		for i, s := range servers {
			before[i] = desired.Judge(s.RealServer, o.verdicts.Of).State
		}
	}
	o.verdicts[r.Check] = is
	o.tellCheck(r.Check, servers, &was, &is, now)
	if is.Standing == was.Standing && is.Since.Equal(was.Since) {
		return
	}
	o.memoir.turned()
	for i, s := range servers {
		delete(o.outcomes, s.service)
		if !changed {
			continue
		}
		if v := desired.Judge(s.RealServer, o.verdicts.Of); v.State != before[i] {
			o.tellServer(s, before[i], v, now)
		}
	}
	o.stale = true
}

// catchUp has the verdicts be those of this moment, so that a new check takes over the newest that is known.
func (o *owner) catchUp() {
	o.takeNews()
	o.board.copyTo(o.verdicts)
}

// tellCheck logs what is new of a check.
func (o *owner) tellCheck(id health.ID, servers []server, was, is *health.Checker, now time.Time) {
	c, last := id.Check(), is.LastResult
	warned := last.Warning != was.LastResult.Warning
	changed := is.State != was.State
	failed := c.LogAllFailures && last.Err != "" && !changed && is.Probes > was.Probes
	held, wasHeld := is.Held(), was.Held()
	holds := held.IsZero() != wasHeld.IsZero() && is.State == health.Down
	if !changed && !warned && !failed && !holds {
		return
	}
	log := o.paced(about{check: id}, now, func() *slog.Logger {
		return o.log.With("service", services(servers), "server", servers[0].Destination.Addr.String(), "check", label(c))
	})
	if changed {
		log.Info("check changed", "from", was.State.String(), "to", is.State.String(), "reason", last.Err, "took", last.Took)
	}
	if failed {
		log.Info("a check failed", "failures", is.Failures, "reason", last.Err, "took", last.Took)
	}
	switch {
	case !holds:
	case wasHeld.IsZero():
		log.Info("hold-down begins: the check passes again, and has to go on with it", "until", held)
	default:
		log.Info("hold-down ends: the check fails again", "reason", last.Err)
	}
	switch {
	case !warned:
	case last.Warning != "":
		log.Warn("check warns", "reason", last.Warning)
	default:
		log.Info("check warns no longer", "reason", was.LastResult.Warning)
	}
}

// tellServer tells that the state of a server has changed.
func (o *owner) tellServer(s server, from health.State, to health.Verdict, now time.Time) {
	o.events.Add(event.Event{
		Kind: event.Server, Service: s.service.Name, Server: s.Destination.Addr.String(), From: from.String(), To: to.State.String(), Reason: why(s.RealServer, to),
	})
	o.pacedServer(s.service.Name, s.Destination.Addr, now).Info("server changed", "from", from.String(), "to", to.State.String(), "reason", why(s.RealServer, to))
}
