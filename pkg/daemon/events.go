package daemon

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/alert"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/reconcile"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// Events returns what has happened, in the goroutine of whoever asks: it does not wait for the owner, nor the owner for it.
func (o *owner) Events(ctx context.Context, q event.Query) iter.Seq2[event.Item, error] {
	return o.events.Watch(ctx, q)
}

// event returns what watchers are told of a transition.
func (t transition) event() event.Event {
	kind := [...]event.Kind{ofQuorum: event.Quorum, ofSorry: event.Sorry, ofFailOpen: event.FailOpen}[t.of]
	return event.Event{Kind: kind, Service: t.service, From: t.from, To: t.to, Reason: t.reason}
}

// wishEvent returns what watchers are told of a wish.
func wishEvent(w *admin.Wish, from, to, reason, who string) event.Event {
	return event.Event{Kind: event.Wish, Service: w.Service, Server: w.Server.String(), From: from, To: to, Reason: reason, Who: who}
}

// wishText is what is wanted: "drain", "weight 3".
func wishText(w *admin.Wish) string {
	if w.What == admin.Weight {
		return fmt.Sprintf("%v %d", w.What, w.Weight)
	}
	return w.What.String()
}

// wishReason is why it is wanted, and for how long.
func wishReason(w *admin.Wish) string {
	var list []string
	if w.Reason != "" {
		list = append(list, w.Reason)
	}
	if !w.Deadline.IsZero() {
		list = append(list, "deadline "+w.Deadline.Format(time.RFC3339))
	}
	if !w.Expires.IsZero() {
		list = append(list, "expires "+w.Expires.Format(time.RFC3339))
	}
	return strings.Join(list, ", ")
}

// firstProblem is the first line of a rejection, and how many more it has.
func firstProblem(text string) string {
	first, rest, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if more := strings.Count(rest, "\n") + 1; rest != "" {
		first += fmt.Sprintf(" (and %d lines more: ipvsctl status)", more)
	}
	return first
}

// tellEvents tells watchers what a round mended, and what the kernel refused for the first time.
func (o *owner) tellEvents(round *reconcile.Round) {
	for _, s := range round.Drift[:min(detail, len(round.Drift))] {
		o.events.Add(event.Event{Kind: event.Drift, Reason: s.String()})
	}
	if more := len(round.Drift) - detail; more > 0 {
		o.events.Add(event.Event{Kind: event.Drift, Reason: fmt.Sprintf("%d more", more)})
	}
	told, more := 0, 0
	for _, f := range round.Refused {
		switch {
		case f.Attempts > 1: // no news
		case told == detail:
			more++
		default:
			told++
			o.events.Add(event.Event{Kind: event.Refused, Object: f.Err.Command.Service.ServiceKey.String(), Reason: f.Err.Error()})
		}
	}
	if more > 0 {
		o.events.Add(event.Event{Kind: event.Refused, Reason: fmt.Sprintf("%d more: ipvsctl status", more)})
	}
}

// tellSettingEvents tells watchers what became of settings.
func (o *owner) tellSettingEvents(round *reconcile.SettingsRound) {
	for _, s := range round.Drift {
		o.events.Add(event.Event{Kind: event.Drift, Object: s.Name, Reason: s.String()})
	}
	for _, f := range round.Refused {
		if f.Attempts < 2 {
			o.events.Add(event.Event{Kind: event.Refused, Reason: f.Err.Error()})
		}
	}
	for _, s := range round.Taken {
		if role, daemon := desired.SyncRoles[s.Name]; daemon {
			to := "started"
			if s.Is == "" {
				to = "stopped"
			}
			o.events.Add(event.Event{Kind: event.SyncRole, Object: role.String(), To: to, Reason: s.String()})
		}
	}
}

// hearRouters passes on what virtual routers tell, and tells watchers.
func (o *owner) hearRouters(list ...alert.News) {
	for i := range list {
		n := &list[i]
		if !n.Event || n.Again {
			continue
		}
		e := event.Event{At: n.At, Kind: event.Router, Instance: n.Name, From: n.From, To: n.Kind, Reason: n.Reason}
		if n.About == alert.AGroup {
			e.Kind, e.Instance, e.Group = event.SyncGroup, "", n.Name
		}
		if n.Priority > 0 && e.Reason == "" {
			e.Reason = fmt.Sprintf("priority %d", n.Priority)
		}
		o.events.Add(e)
	}
	o.herald.Tell(list...)
}

// hearObject tells watchers of what virtual routers depend on. Quorums have events of their own.
func (o *owner) hearObject(object vrrp.Object, was, is vrrp.Reading) {
	from, to := upDown(was.Up), upDown(is.Up)
	switch object.Kind {
	case vrrp.TrackService, vrrp.TrackChecks:
		return
	case vrrp.TrackFile:
		from, to = strconv.Itoa(was.Value), strconv.Itoa(is.Value)
	default:
	}
	if !was.Known {
		from = ""
	}
	if from != to {
		o.events.Add(event.Event{Kind: event.Tracked, Object: object.Kind.String() + " " + object.Name, From: from, To: to, Reason: is.Reason})
	}
}

func upDown(up bool) string {
	if up {
		return "up"
	}
	return "down"
}
