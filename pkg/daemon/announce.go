package daemon

import (
	"context"
	"time"

	"github.com/ipvsd/ipvsd/pkg/alert"
	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/script"
)

const (
	// notifyLimit is how long a notification's script may run. The next one of its virtual server waits for it.
	notifyLimit = time.Minute
	// stopLimit is how long, at the stop, scripts may go on that run or wait, those of omega included.
	stopLimit = 10 * time.Second
)

// announce logs, and runs scripts for, what is new of a virtual server since it was decided before.
func (o *owner) announce(vs *config.VirtualServer, outcome desired.Outcome) {
	t := o.told[vs.Name]
	if t == nil {
		t = newTold(vs, o.labels[vs], o.fresh)
		o.told[vs.Name] = t
	}
	t.first = o.cfg.GlobalDefs.RSInitNotifies
	t.weigh(o, &outcome, time.Now())
	list, lines := t.step(outcome, o.verdicts.Of)
	for _, l := range lines {
		o.events.Add(l.event())
		log := o.log.With("service", l.service, "from", l.from, "to", l.to, "reason", l.reason)
		switch l.of {
		case ofQuorum:
			log.Info("quorum changed")
		case ofSorry:
			log.Info("sorry servers changed")
		case ofFailOpen:
			log.Info("fail-open changed")
		}
	}
	o.queue(list)
}

// announceReload runs scripts for what a reload took away.
func (o *owner) announceReload(removed, added []*config.VirtualServer) {
	o.labels = alert.Labels(o.cfg.VirtualServers)
	for _, vs := range o.cfg.VirtualServers {
		if t := o.told[vs.Name]; t != nil {
			t.label = o.labels[vs] // its place in a group may be another
		}
	}
	if len(o.told) > 0 {
		o.fresh = config.Reloading
	}
	defer o.herald.Change(&o.cfg.GlobalDefs) // after the last word on what is gone
	if len(removed) == 0 {
		return
	}
	next := make(map[string]*config.VirtualServer, len(added))
	for _, vs := range added {
		next[vs.Name] = vs
	}
	for _, vs := range removed {
		switch t := o.told[vs.Name]; {
		case t == nil: // it was never decided
		case next[vs.Name] != nil:
			o.queue(t.become(next[vs.Name], o.labels[next[vs.Name]]))
		default:
			o.queue(t.leave())
			delete(o.told, vs.Name)
		}
	}
}

// announceStop runs the scripts for the stop, and waits for those and what else still runs.
func (o *owner) announceStop() {
	for _, vs := range o.cfg.VirtualServers {
		if t := o.told[vs.Name]; t != nil {
			o.queue(t.stop())
			if o.onStop(vs) == config.StopRemoves && len(vs.Mail.To) > 0 { // only mails tell of these, and there may be very many
				o.tellAlerts(t.purged())
			}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	o.scripts.Close(ctx)
}

// queue tells of notifications, and queues their scripts: one after another for each virtual server, in this order.
func (o *owner) queue(list []notification) {
	o.tellAlerts(list)
	for _, n := range list {
		if n.script == nil {
			continue
		}
		log := o.log.With("service", n.service)
		if n.server != "" {
			log = log.With("server", n.server)
		}
		log = log.With("event", n.event, "script", n.script.Argv[0])
		o.scripts.Add(script.Job{
			Command: script.Command(*n.script),
			Queue:   n.service,
			Object:  n.server,
			Timeout: notifyLimit,
			Done:    script.Logged(log),
		})
	}
}
