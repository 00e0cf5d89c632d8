package failover

import (
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/ipvsd/ipvsd/pkg/alert"
	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/script"
	"github.com/ipvsd/ipvsd/pkg/status"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// What is told, in the words of keepalived's notifications, and some that it hasn't got.
const (
	stopped      = "STOP"
	deleted      = "DELETED"
	rxLowerPri   = "MASTER_RX_LOWER_PRI"
	priorityOf   = "_PRIORITY" // behind a state
	handedOver   = "HANDED_OVER"
	notHanded    = "NOT_HANDED_OVER"
	putBack      = "PUT_BACK"
	conflict     = "CONFLICT"
	refused      = "REFUSED"
	ofInstance   = "INSTANCE"
	ofGroup      = "GROUP"
	warningEvery = time.Minute // about the same
)

// news is something to be told of an instance or a group.
type news struct {
	at       time.Time
	of, name string // INSTANCE or GROUP
	kind     string
	from     string // of a transition
	priority uint8
	reason   string

	log     logged
	event   bool
	again   bool // the same was told within warningEvery
	line    bool // for the FIFOs
	notify  *config.Notify
	script  *config.Script // for this very event; nil: none
	keyword string         // that names it
}

// logged is which line the log gets.
type logged uint8

const (
	notLogged logged = iota
	instanceChanged
	instanceWentOn
	groupChanged
	instanceRemoved
	twoActive
	priorityChanged
	handed
	notHandedOver
	aloneAtStop
	addressClaimed
)

// say has something be told.
func (f *Failover) say(n news) {
	if n.event {
		e := status.Event{At: n.at, Kind: n.kind, From: n.from, Priority: n.priority, Reason: n.reason}
		if e.Instance = n.name; n.of == ofGroup {
			e.Instance, e.Group = "", n.name
		}
		f.events.add(e)
	}
	f.news = append(f.news, n)
}

// sayBecame tells of a transition. Scripts and FIFOs don't hear the same twice, nor of an instance that only begins, nor how it ends:
// there is STOP for that. Unlike what is said of keepalived, an instance of a group that is in that state already is told as the
// others are; no case was found in which keepalived 2.2.7 does otherwise.
func (f *Failover) sayBecame(at time.Time, m *member, b vrrp.Became) {
	n := news{
		at: at, of: ofInstance, name: m.config.Name, kind: b.To.String(), from: b.From.String(), priority: b.Priority, reason: b.Reason,
		log: instanceChanged, event: true,
	}
	if b.To != vrrp.Initialize && b.To != m.told && !f.stopping {
		m.told = b.To
		n.line, n.notify = true, &m.config.Notify
		n.keyword, n.script = stateScript(n.notify, b.To)
	}
	f.say(n)
}

func (f *Failover) sayGroupBecame(at time.Time, g *group, b vrrp.GroupBecame) {
	n := news{
		at: at, of: ofGroup, name: g.config.Name, kind: b.To.String(), from: b.From.String(), reason: b.Reason,
		log: groupChanged, event: true,
	}
	if b.To != vrrp.Initialize && b.To != g.told && !f.stopping {
		g.told = b.To
		n.line, n.notify = true, &g.config.Notify
		n.keyword, n.script = stateScript(n.notify, b.To)
	}
	f.say(n)
}

// sayNoticed tells of what is no transition.
func (f *Failover) sayNoticed(at time.Time, m *member, a vrrp.Noticed) {
	n := news{at: at, of: ofInstance, name: m.config.Name, priority: a.Priority, event: true}
	switch a.What {
	case vrrp.RxLowerPriority:
		n.kind, n.line, n.script, n.keyword = rxLowerPri, true, m.config.Notify.RxLowerPri, "notify_master_rx_lower_pri"
		n.reason = "another router thinks that it is active, with a lower priority"
		if at.Sub(m.warned) >= warningEvery {
			m.warned, n.log = at, twoActive
		} else {
			n.again = true
		}
	case vrrp.PriorityChanged:
		state := vrrp.Backup
		if m.state == vrrp.Active {
			state = vrrp.Active
		}
		n.kind, n.line, n.log = state.String()+priorityOf, m.config.Notify.PriorityChanges, priorityChanged
	case vrrp.HandedOver:
		n.kind, n.log = handedOver, handed
	case vrrp.NotHandedOver:
		n.kind, n.log, n.reason = notHanded, notHandedOver, "no other router took over"
		if f.stopping {
			n.log = aloneAtStop
		}
	}
	f.say(n)
}

// sayKept tells of something that an instance has on the host. Static tables have no events.
func (f *Failover) sayKept(at time.Time, m *member, kind, reason string) {
	if m != nil {
		f.say(news{at: at, of: ofInstance, name: m.config.Name, kind: kind, reason: reason, event: true})
	}
}

// sayRemoved tells of an instance that left the configuration. As in keepalived notify_fault does not run.
func (f *Failover) sayRemoved(at time.Time, m *member) {
	c := &m.config.Notify
	n := news{
		at: at, of: ofInstance, name: m.config.Name, kind: vrrp.Fault.String(), from: m.state.String(), priority: m.priority,
		reason: "it left the configuration", log: instanceRemoved, event: true,
	}
	switch {
	case c.TellDeleted:
		n.kind, n.line, n.notify, n.keyword, n.script = deleted, true, c, "notify_deleted", c.Deleted
	case m.told != vrrp.Fault:
		n.line, n.notify = true, c
	}
	f.say(n)
}

// sayStop tells all that took part of the daemon's end.
func (f *Failover) sayStop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	n := news{at: now, kind: stopped, event: true, line: true, keyword: "notify_stop", reason: "the daemon stops"}
	f.each(func(m *member) {
		if m.told != vrrp.Initialize {
			n.of, n.name, n.priority, n.notify, n.script = ofInstance, m.config.Name, m.priority, &m.config.Notify, m.config.Notify.Stop
			f.say(n)
		}
	}, func(g *group) {
		if g.told != vrrp.Initialize {
			n.of, n.name, n.priority, n.notify, n.script = ofGroup, g.config.Name, 0, &g.config.Notify, g.config.Notify.Stop
			f.say(n)
		}
	})
}

// sayAll writes all states into the FIFOs again: fifo_write_vrrp_states_on_reload.
func (f *Failover) sayAll(at time.Time) {
	f.each(func(m *member) {
		if m.told != vrrp.Initialize {
			f.say(news{at: at, of: ofInstance, name: m.config.Name, kind: m.told.String(), priority: m.priority, line: true})
		}
	}, func(g *group) {
		if g.told != vrrp.Initialize {
			f.say(news{at: at, of: ofGroup, name: g.config.Name, kind: g.told.String(), line: true})
		}
	})
}

// stateScript returns the script for a state, with the keyword that names it.
func stateScript(n *config.Notify, s vrrp.State) (string, *config.Script) {
	switch s {
	case vrrp.Active:
		return "notify_master", n.Master
	case vrrp.Backup:
		return "notify_backup", n.Backup
	default:
		return "notify_fault", n.Fault
	}
}

// tell tells what is new, in order: the roles first, because that is what others wait for.
func (f *Failover) tell() {
	f.mu.Lock()
	f.read()
	list := f.news
	f.news = nil
	var roles map[string]vrrp.State
	if f.moved {
		f.moved = false
		roles = make(map[string]vrrp.State, len(f.members))
		for name, m := range f.members {
			if roles[name] = m.state; m.role.open.Load() {
				roles[name] = vrrp.Active // as presumed
			}
		}
	}
	f.mu.Unlock()
	if roles != nil {
		f.roles(roles)
	}
	for i := range list {
		n := &list[i]
		if n.log != notLogged {
			n.logTo(f.log.With(n.attributes()...))
		}
		if n.line || n.event {
			f.told(n.alert())
		}
		f.queue(n)
	}
}

func (n *news) logTo(log *slog.Logger) {
	switch n.log {
	case notLogged:
	case instanceChanged:
		if n.kind == vrrp.Fault.String() {
			log.Warn("virtual router changed")
			return
		}
		log.Info("virtual router changed")
	case instanceWentOn:
		log.Info("went on as MASTER")
	case groupChanged:
		if n.kind == vrrp.Fault.String() {
			log.Warn("sync group changed")
			return
		}
		log.Info("sync group changed")
	case instanceRemoved:
		log.Info("virtual router removed")
	case twoActive:
		log.Warn("two active virtual routers")
	case priorityChanged:
		log.Info("priority changed")
	case handed:
		log.Info("handed over")
	case notHandedOver:
		log.Warn("not handed over")
	case aloneAtStop: // nothing to warn of: who stops a director that is alone knows that
		log.Info("not handed over")
	case addressClaimed:
		log.Warn("another host says that it has an address of this one")
	}
}

// attributes are those of the line in the log.
func (n *news) attributes() []any {
	list := []any{n.key(), n.name}
	if n.from != "" {
		list = append(list, "from", n.from, "to", n.kind)
	}
	if n.priority > 0 {
		list = append(list, "priority", n.priority)
	}
	if n.reason != "" {
		list = append(list, "reason", n.reason)
	}
	return list
}

// key is what logs call what it is about.
func (n *news) key() string {
	if n.of == ofGroup {
		return "group"
	}
	return "instance"
}

// alert returns what is told beyond scripts and log. E-mail is about states: there is none of the daemon's end.
func (n *news) alert() alert.News {
	a := alert.News{
		At: n.at, About: alert.AnInstance, Name: n.name, Kind: n.kind, From: n.from, Priority: n.priority, Reason: n.reason,
		Line: n.line, Event: n.event, Again: n.again,
	}
	if n.of == ofGroup {
		a.About = alert.AGroup
	}
	switch n.kind {
	case vrrp.Active.String(), vrrp.Backup.String(), vrrp.Fault.String():
		a.Mail = n.notify != nil && n.notify.Mail
	}
	return a
}

// queue has the scripts run: that for the very event with its own arguments, then the one for any with four more. They run one after
// another for each instance, unlike keepalived's.
func (f *Failover) queue(n *news) {
	if n.script != nil {
		f.run(n, n.keyword, n.script)
	}
	if n.notify != nil && n.notify.Any != nil {
		f.run(n, "notify", n.notify.Any, n.of, n.name, n.kind, strconv.Itoa(int(n.priority)))
	}
}

func (f *Failover) run(n *news, keyword string, s *config.Script, arguments ...string) {
	about := keyword
	if keyword != "notify" && n.notify != nil {
		about = "state"
	}
	f.scripts.Add(script.Job{
		Command: extended(s, arguments...), Queue: n.of + " " + n.name, Object: about, Timeout: notifyLimit,
		Done: script.Logged(f.log.With(n.key(), n.name, "event", n.kind, "script", s.Argv[0])),
	})
}

// extended returns the command of a script with more arguments.
func extended(s *config.Script, arguments ...string) script.Command {
	c := script.Command(*s)
	c.Argv = slices.Concat(c.Argv, arguments)
	return c
}
