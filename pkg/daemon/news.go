package daemon

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/ipvsd/ipvsd/pkg/alert"
	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/health"
)

// told is what the scripts and the log were told of a virtual server. Each step compares it with what is now. The rules are
// keepalived's, with three differences: nothing is told twice, a quorum is lost at the start only when it is known to be, and
// omega tells of live servers also while the sorry servers have their clients.
type told struct {
	vs       *config.VirtualServer
	servers  []health.State // of vs.Servers, in that order; Unchecked: nothing yet
	weights  []weight       // of the same
	quorum   health.State   // Unchecked: nothing yet
	sorry    bool
	failOpen bool

	label  string           // in alerts
	first  bool             // rs_init_notifies
	fresh  config.Phase     // of what is told of a server or the quorum for the first time
	checks [][]health.State // of servers that have several
}

func newTold(vs *config.VirtualServer, label string, fresh config.Phase) *told {
	servers := all(vs)
	t := &told{
		vs: vs, servers: make([]health.State, len(servers)), weights: make([]weight, len(servers)),
		label: label, fresh: fresh, checks: make([][]health.State, len(servers)),
	}
	for i, rs := range servers {
		t.weights[i].advised = rs.Destination.Weight
	}
	return t
}

// all returns the servers of a virtual server, numbered.
func all(vs *config.VirtualServer) []*config.RealServer { return slices.Collect(vs.Servers()) }

// notification is a script that is to run, and why.
type notification struct {
	service string         // name of the virtual server
	server  string         // empty: it is about the quorum
	event   string         // the keyword that names the script
	script  *config.Script // nil: there is none
	news    alert.News
}

// transition is a line for the log.
type transition struct {
	of                        aspect
	service, from, to, reason string
}

// aspect is what changes of a virtual server.
type aspect uint8

const (
	ofQuorum aspect = iota
	ofSorry
	ofFailOpen
)

// step takes what was decided of a virtual server, and what its servers are, and returns what there is to tell.
//
// That a server is up from the beginning, because no check has said otherwise, is no news; that one with alpha is, after its
// first check, is, and with rs_init_notifies all are. The quorum is told as soon as there is one; that there is none is news at the beginning only where sorry
// servers take over.
func (t *told) step(o desired.Outcome, of func(health.ID) health.Checker) (list []notification, lines []transition) {
	up := 0
	for i, rs := range all(t.vs) {
		was, v := t.servers[i], desired.Judge(rs, of)
		checked := len(list)
		list = t.stepChecks(list, i, rs, v, of)
		more := len(list) > checked
		if v.State != health.Down && i < len(t.vs.RealServers) {
			up++
		}
		switch {
		case v.State == health.Down && was != health.Down:
			t.servers[i] = health.Down
			list = append(list, t.about(rs, "notify_down", rs.NotifyDown).because(v, t.phase(was), more))
		case v.Alive && was != health.Up:
			t.servers[i] = health.Up
			if was == health.Down || alpha(rs) || t.first {
				list = append(list, t.about(rs, "notify_up", rs.NotifyUp).because(v, t.phase(was), more))
			}
		}
	}
	if was := t.quorum; o.Quorum != was && o.Quorum != health.Unchecked {
		t.quorum = o.Quorum
		switch {
		case o.Quorum == health.Up:
			list = append(list, t.aboutQuorum("quorum_up", t.vs.QuorumUp).having(o.Live, was, t.phase(was)))
		case was == health.Up || len(t.vs.SorryServers) > 0:
			list = append(list, t.aboutQuorum("quorum_down", t.vs.QuorumDown).having(o.Live, was, t.phase(was)))
		}
		if was != health.Unchecked || o.Quorum == health.Down {
			lines = append(lines, transition{ofQuorum, t.vs.Name, was.String(), o.Quorum.String(),
				fmt.Sprintf("live weight %d, quorum %d", o.Live, t.vs.Quorum.Needed)})
		}
	}
	if o.Sorry != t.sorry {
		list = append(list, t.aboutFallback(o.Sorry)...)
		reason := "the quorum is there again"
		switch {
		case o.Sorry:
			reason = "the quorum is lost"
		case o.Quorum != health.Up:
			reason = "none of them is alive"
		}
		lines = append(lines, transition{ofSorry, t.vs.Name, sorry(t.sorry), sorry(o.Sorry), reason})
	}
	if o.FailOpen != t.failOpen {
		lines = append(lines, transition{ofFailOpen, t.vs.Name, onOff(t.failOpen), onOff(o.FailOpen),
			fmt.Sprintf("%d of %d servers up", up, len(t.vs.RealServers))})
	}
	t.sorry, t.failOpen = o.Sorry, o.FailOpen
	return list, lines
}

// place is what tells a server of a virtual server from the others, also in the next configuration.
type place struct {
	addr  netip.AddrPort
	sorry bool
}

// become takes the virtual server of the same name in the next configuration, and returns what there is to tell of servers
// that are gone: they are down, as far as their scripts are concerned.
func (t *told) become(next *config.VirtualServer, label string) (list []notification) {
	was := *t
	*t = *newTold(next, label, config.Reloading)
	t.quorum, t.sorry, t.failOpen = was.quorum, was.sorry, was.failOpen
	at := make(map[place]int, len(t.servers))
	for i, rs := range all(next) {
		at[place{rs.Destination.Addr, i >= len(next.RealServers)}] = i
	}
	for i, rs := range all(was.vs) {
		if j, stays := at[place{rs.Destination.Addr, i >= len(was.vs.RealServers)}]; stays {
			t.servers[j], t.weights[j] = was.servers[i], was.weights[i]
			if len(was.checks[i]) == len(all(next)[j].Checks) {
				t.checks[j] = was.checks[i]
			}
		} else if was.servers[i] == health.Up {
			reason := "it left the configuration"
			if rs.From != "" {
				reason = rs.From + " no longer names it"
			}
			list = append(list, was.about(rs, "notify_down", rs.NotifyDown).gone(config.Reloading, reason))
		}
	}
	return list
}

// leave returns what there is to tell when the virtual server has left the configuration.
func (t *told) leave() []notification {
	const reason = "it left the configuration"
	list := t.down(config.Reloading, reason)
	if t.quorum == health.Up {
		list = append(list, t.aboutQuorum("quorum_down", t.vs.QuorumDown).gone(config.Reloading, reason))
	}
	return list
}

// stop returns what there is to tell when the daemon stops, whose last word on each quorum is that it is lost.
func (t *told) stop() []notification {
	if !t.vs.Omega {
		return nil
	}
	const reason = "the daemon stops"
	return append(t.down(config.Stopping, reason), t.aboutQuorum("quorum_down", t.vs.QuorumDown).gone(config.Stopping, reason))
}

// down tells of the servers that were up.
func (t *told) down(phase config.Phase, reason string) (list []notification) {
	for i, rs := range all(t.vs) {
		if t.servers[i] == health.Up {
			list = append(list, t.about(rs, "notify_down", rs.NotifyDown).gone(phase, reason))
		}
	}
	return list
}

func (t *told) about(rs *config.RealServer, event string, s *config.Script) notification {
	return notification{t.vs.Name, rs.Destination.Addr.String(), event, s, t.newsOf(rs, event == "notify_up")}
}

func (t *told) aboutQuorum(event string, s *config.Script) notification {
	return notification{service: t.vs.Name, event: event, script: s, news: t.newsOf(nil, event == "quorum_up")}
}

// alpha says whether a server has no clients before its first check.
func alpha(rs *config.RealServer) bool {
	return slices.ContainsFunc(rs.Checks, func(id health.ID) bool { return id.Check().Alpha })
}

func sorry(serve bool) string {
	if serve {
		return "serving"
	}
	return "idle"
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
