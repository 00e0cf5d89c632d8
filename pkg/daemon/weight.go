package daemon

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// slowStart is what events call it.
const slowStart = "slow start"

// weight is what the weight of a server is, and why.
type weight struct {
	advised int32     // configured, and advised by its checks
	reason  string    // who advises it; empty: it is as configured
	slow    time.Time // end of the slow start; zero: there is none
}

// weigh returns the weight of a server by what is known of its checks and what the operator wants. Slowly says whether it is one that may have
// a slow start.
func weigh(rs *config.RealServer, wish admin.Effect, slowly bool, v health.Verdict, known func(health.ID) health.Checker, now time.Time) weight {
	var reasons []string
	var advice []health.Advice
	for _, id := range rs.Checks {
		a := known(id).Advice
		if form := status.AdviceOf(a); form != nil {
			advice = append(advice, a)
			reasons = append(reasons, label(id.Check())+" "+form.String())
		}
	}
	w := weight{advised: health.Advised(desired.Weight(rs, wish), advice...), reason: strings.Join(reasons, ", ")}
	returned := v.Returned
	if wish.Returned.After(returned) {
		returned = wish.Returned
	}
	slowly = slowly && v.Alive && wish.Mode == admin.Serves
	if end := returned.Add(rs.SlowStart); slowly && w.advised > 1 && !returned.IsZero() && now.Before(end) {
		w.slow = end
	}
	return w
}

// weigh tells what is new of the weights of a virtual server's servers.
func (t *told) weigh(o *owner, outcome *desired.Outcome, now time.Time) {
	for i, rs := range all(t.vs) {
		v := desired.Judge(rs, o.verdicts.Of)
		wish := o.wishes.On(rs.Destination.Addr, t.vs.Name, now)
		was, is := t.weights[i], weigh(rs, wish, i < len(t.vs.RealServers) && outcome.StartsSlowly(), v, o.verdicts.Of, now)
		t.weights[i] = is
		changed := is.advised != was.advised && is.reason+was.reason != "" // otherwise the configuration did it
		begins, ends := was.slow.Before(is.slow), v.Alive && wish.Mode == admin.Serves && is.slow.IsZero() && !was.slow.IsZero()
		if !changed && !begins && !ends {
			continue
		}
		log := o.pacedServer(t.vs.Name, rs.Destination.Addr, now)
		e := event.Event{Kind: event.Weight, Service: t.vs.Name, Server: rs.Destination.Addr.String()}
		if changed {
			e.From, e.To, e.Reason = strconv.Itoa(int(was.advised)), strconv.Itoa(int(is.advised)), cmp.Or(is.reason, "no advice any more")
			o.events.Add(e)
			log.Info("server weight changed", "from", was.advised, "to", is.advised, "reason", cmp.Or(is.reason, "no advice any more"))
		}
		if begins {
			e.From, e.To, e.Reason = "", slowStart, "until "+is.slow.Format(time.RFC3339)
			o.events.Add(e)
			log.Info("slow start begins", "weight", is.advised, "until", is.slow)
		}
		if ends {
			e.From, e.To, e.Reason = slowStart, strconv.Itoa(int(is.advised)), ""
			o.events.Add(e)
			log.Info("slow start ends", "weight", is.advised)
		}
	}
}
