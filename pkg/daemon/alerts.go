package daemon

import (
	"context"
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/alert"
	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// herald tells FIFOs, mail servers and webhooks: *teller.Teller. Nobody waits for it.
type herald interface {
	Change(c *config.GlobalDefs)
	Tell(list ...alert.News)
	Trial(ctx context.Context, c *config.Config) *status.Trials
}

// Trial sends a test to all that the configuration in force alerts, in the goroutine of whoever asks.
func (o *owner) Trial(ctx context.Context) (*status.Trials, error) {
	c, err := ask(ctx, o, func(context.Context) *config.Config { return o.cfg })
	if err != nil {
		return nil, err
	}
	return o.herald.Trial(ctx, c), nil
}

// phase is what the daemon is doing when it tells of something that was so before.
func (t *told) phase(was health.State) config.Phase {
	if was == health.Unchecked {
		return t.fresh
	}
	return config.Running
}

// newsOf is what is to be told of a server, or of the quorum.
func (t *told) newsOf(rs *config.RealServer, up bool) alert.News {
	n := alert.News{
		About: alert.AService, Name: t.label, Service: t.vs, Server: rs, Kind: alert.Down, Line: true, Event: true, Mail: true, Phase: config.Running,
		Quorum: alert.Quorum{Needed: t.vs.Quorum.Needed, Hysteresis: t.vs.Quorum.Hysteresis},
	}
	if up {
		n.Kind = alert.Up
	}
	if rs != nil {
		n.About = alert.AServer
		for i := range t.vs.SorryServers {
			if rs == &t.vs.SorryServers[i] {
				n.About = alert.ASorry
			}
		}
	}
	return n
}

// because says why a server changed.
func (n notification) because(v health.Verdict, phase config.Phase, checked bool) notification {
	n.news.Phase, n.news.Checked = phase, checked
	if checks := n.news.Server.Checks; len(checks) > 0 {
		n.news.Check = checks[0].Check().Type
		if n.news.Kind == alert.Down {
			n.news.Reason, n.news.Check = v.Err, checks[v.Check].Check().Type
		}
	}
	return n
}

// having says what a quorum is made of.
func (n notification) having(live int64, was health.State, phase config.Phase) notification {
	n.news.Quorum.Live, n.news.Phase = live, phase
	n.news.Quorum.First = was == health.Unchecked
	for i := range n.news.Service.RealServers {
		if alpha(&n.news.Service.RealServers[i]) {
			n.news.Quorum.First = false // nothing was up before
		}
	}
	return n
}

// gone says that something ends that was up.
func (n notification) gone(phase config.Phase, reason string) notification {
	n.news.Phase, n.news.Reason, n.news.Gone = phase, reason, true
	return n
}

// aboutFallback tells that the sorry servers begin or cease to serve.
func (t *told) aboutFallback(serve bool) (list []notification) {
	for i := range t.vs.SorryServers {
		n := t.newsOf(&t.vs.SorryServers[i], serve)
		n.About, n.Line, n.Event, n.Phase = alert.AFallback, false, false, t.phase(t.quorum)
		list = append(list, notification{service: t.vs.Name, news: n})
	}
	return list
}

// stepChecks tells of the checks of a server that has several. That one passes which was believed to do so is no news.
func (t *told) stepChecks(list []notification, i int, rs *config.RealServer, v health.Verdict, of func(health.ID) health.Checker) []notification {
	if len(rs.Checks) < 2 {
		return list
	}
	if t.checks[i] == nil {
		t.checks[i] = make([]health.State, len(rs.Checks))
	}
	for j, id := range rs.Checks {
		was, is := t.checks[i][j], of(id)
		if is.State == was || is.State == health.Unchecked {
			continue
		}
		t.checks[i][j] = is.State
		if is.State == health.Up && was == health.Unchecked && !id.Check().Alpha {
			continue
		}
		n := t.newsOf(rs, v.State != health.Down)
		n.About, n.Line, n.Event, n.Phase = alert.ACheck, false, false, t.phase(was)
		n.Check, n.Passed, n.Reason = id.Check().Type, is.State == health.Up, is.LastResult.Err
		list = append(list, notification{service: t.vs.Name, news: n})
	}
	return list
}

// purged tells of the servers that leave the table with the daemon.
func (t *told) purged() (list []notification) {
	for i := range t.vs.RealServers {
		if t.servers[i] == health.Up {
			n := t.newsOf(&t.vs.RealServers[i], false)
			n.Kind, n.Line, n.Event, n.Phase = alert.Stopped, false, false, config.Stopping
			list = append(list, notification{service: t.vs.Name, news: n})
		}
	}
	return list
}

// tellAlerts hands over what is new.
func (o *owner) tellAlerts(list []notification) {
	if len(list) == 0 {
		return
	}
	now := time.Now()
	for i := range list {
		list[i].news.At = now
		o.herald.Tell(list[i].news)
	}
}

// wishKind is what an order is in alerts.
func wishKind(w *admin.Wish) string {
	if w.Cleared {
		return alert.WishOver
	}
	return map[admin.What]string{admin.Drain: alert.WishDrain, admin.Disable: alert.WishDisable, admin.Weight: alert.WishWeight}[w.What]
}

// alertWish tells of a wish: who gives an order on one director is told by that one, and not by all that hear of it. There is one mail, to
// those who have mails about the first server that it is about and that has any.
func (o *owner) alertWish(w *admin.Wish, kind, by, reason string) {
	n := alert.News{
		At: time.Now(), About: alert.AWish, Kind: kind, Reason: reason, Event: true, Mail: true, Phase: config.Running,
		Wish: &alert.Wish{Server: w.Server.String(), Service: w.Service, Text: wishText(w), By: by},
	}
	for _, vs := range o.cfg.VirtualServers {
		for rs := range vs.Servers() {
			if n.Service == nil && !rs.NoMail && w.Covers(rs.Destination.Addr, vs.Name) {
				n.Service, n.Server = vs, rs
			}
		}
	}
	o.herald.Tell(n)
}
