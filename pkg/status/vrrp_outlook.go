package status

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// Outlook is who would be active if something happened, as far as this router knows. It knows other routers by the adverts that
// it heard, and only the active one sends any: of a backup that was never active it knows nothing.
type Outlook struct {
	Instance string `json:"instance"`
	Group    string `json:"group,omitempty"`
	State    string `json:"state"`
	Priority uint8  `json:"effective_priority"`
	Cases    []Case `json:"cases"`
}

// Case is one thing that may happen.
type Case struct {
	If     string        `json:"if"`
	Active string        `json:"active"`           // who is then: "this router", an address, "a backup", "nobody"
	Within time.Duration `json:"within,omitempty"` // at most; absent: nothing changes, or nobody knows when
	Why    string        `json:"why"`
}

// Who is active.
const (
	thisRouter = "this router"
	someBackup = "a backup"
	nobody     = "nobody"
)

// thisStops is when the role is handed over; with ipvsctl switchover it is the same.
const thisStops = "this router stops"

// Explain says of each instance who would be active if this router, the active one or something tracked failed or came back.
func (s *VRRP) Explain() []Outlook {
	all := make([]Outlook, 0, len(s.Instances))
	for i := range s.Instances {
		v := &s.Instances[i]
		o := outlook{VirtualRouter: v, now: s.At, rival: v.strongest(), other: v.heard(s.At)}
		for j := range s.Instances { // with one member at fault the whole group is
			if m := &s.Instances[j]; v.Group != "" && m.Group == v.Group && m.Name != v.Name && len(m.Faults) > 0 {
				o.lame = m.Name
			}
		}
		cases := []Case{o.nothing()}
		switch {
		case v.State == active:
			cases = append(cases, o.stops(), o.dies())
		case o.other != nil:
			cases = append(cases, o.otherStops(), o.otherDies())
		}
		turned := make(map[Object]bool)
		for j := range v.Contribs { // the group may track what the instance does
			if k := &v.Contribs[j]; !turned[k.Object] {
				turned[k.Object] = true
				cases = append(cases, o.turns(k))
			}
		}
		all = append(all, Outlook{v.Name, v.Group, v.State, v.Effective, append(cases, o.returns())})
	}
	return all
}

// Cost adds to outlooks what a stop costs clients: with services in the table and no sync daemon the router that takes over resets
// the requests under way, which it knows nothing of.
func (s *Snapshot) Cost(all []Outlook) {
	if len(s.Services) == 0 || s.Settings == nil || s.Settings.Master != nil || s.Settings.Backup != nil {
		return
	}
	for i := range all {
		for j := range all[i].Cases {
			if c := &all[i].Cases[j]; c.If == thisStops {
				c.Why += "; requests under way are reset: there is no lvs_sync_daemon"
			}
		}
	}
}

// outlook is an instance, and the other routers that matter.
type outlook struct {
	*VirtualRouter
	now   time.Time
	rival *PeerRouter // the strongest one that was ever heard; nil: none
	other *PeerRouter // the active one, if it is not this one; nil: none is heard
	lame  string      // a member of its group that is at fault
}

// strongest returns the router that would win among the others; nil: none is known.
func (v *VirtualRouter) strongest() (best *PeerRouter) {
	for i := range v.Peers {
		if p := &v.Peers[i]; p.Priority > 0 && (best == nil || stronger(p.Priority, p.Addr, best.Priority, best.Addr)) {
			best = p
		}
	}
	return best
}

// heard returns the active router, if that is another one that is heard; nil: none is.
func (v *VirtualRouter) heard(now time.Time) *PeerRouter {
	switch {
	case v.State == active:
	case v.State == backup && v.ActiveRouter.IsValid() && v.ActivePriority > 0:
		return &PeerRouter{Addr: v.ActiveRouter, Priority: v.ActivePriority}
	case v.State != backup && len(v.Peers) > 0 && now.Sub(v.Peers[0].Last) <= v.silenceOf(1): // which takes no part, but hears
		return &v.Peers[0]
	}
	return nil
}

// stronger says who stays if both are active (RFC 9568, section 6.4.3).
func stronger(priority uint8, addr netip.Addr, than uint8, thanAddr netip.Addr) bool {
	return priority > than || priority == than && thanAddr.Less(addr)
}

// activeInterval is that of the active router.
func (v *VirtualRouter) activeInterval() time.Duration {
	if v.State != active && v.Learned > 0 {
		return v.Learned
	}
	return v.Interval
}

// skewOf is after how long a backup of a priority is active if the active router gives up.
func (v *VirtualRouter) skewOf(priority uint8) time.Duration {
	return vrrp.SkewTime(v.Version, priority, v.activeInterval())
}

// silenceOf is after how long a backup of a priority is active if the active router falls silent.
func (v *VirtualRouter) silenceOf(priority uint8) time.Duration {
	return time.Duration(v.DownAdverts)*v.activeInterval() + v.skewOf(priority)
}

// heir is who takes over from this router.
func (o *outlook) heir(within func(priority uint8) time.Duration, why string) Case {
	if o.rival == nil {
		return Case{Active: someBackup, Within: within(1), Why: why + "; no other router was ever heard, so nobody may be there"}
	}
	return Case{
		Active: o.rival.Addr.String(), Within: within(o.rival.Priority),
		Why: fmt.Sprintf("%s; %s had priority %d when it was last heard, %s ago", why, o.rival.Addr, o.rival.Priority, since(o.now, o.rival.Last)),
	}
}

func (o *outlook) nothing() Case {
	c := Case{If: "nothing happens", Active: thisRouter}
	switch {
	case o.HandingOver:
		c = o.heir(o.silenceOf, "it is handing over")
		c.If = "nothing happens"
	case o.State == active:
		c.Why = "it is, and hears no better router"
	case o.fault() != "":
		c.Active, c.Why = o.otherName(), "this router is at fault: "+o.fault()
	case o.State != backup:
		c.Active, c.Why = o.otherName(), o.Reason
	case o.wins(o.Effective):
		c.Within, c.Why = max(o.Deadline.Sub(o.now), 0), o.whyWins(o.Effective)
	case o.other == nil:
		c.Within, c.Why = max(o.Deadline.Sub(o.now), 0), "no other router is heard"
	default:
		c.Active, c.Why = o.otherName(), o.whyNot(o.Effective)
	}
	return c
}

// otherName is the active router, which is another one.
func (o *outlook) otherName() string {
	if o.other != nil {
		return o.other.Addr.String()
	}
	return nobody
}

// wins says whether this router, as a backup with a priority, would take the role from the active one.
func (o *outlook) wins(priority uint8) bool {
	return o.other != nil && !o.Yielded && (o.Preempt || o.Priority == 255) && priority > o.other.Priority
}

func (o *outlook) whyWins(priority uint8) string {
	why := fmt.Sprintf("its priority %d is above the %d of %s", priority, o.other.Priority, o.other.Addr)
	if o.PreemptDelay > 0 {
		why += ", and preempt_delay is " + brief(o.PreemptDelay)
	}
	return why
}

func (o *outlook) whyNot(priority uint8) string {
	switch {
	case priority <= o.other.Priority:
		return fmt.Sprintf("its priority %d is not above the %d of %s", priority, o.other.Priority, o.other.Addr)
	case o.Yielded:
		return "it was switched over, and waits until " + o.other.Addr.String() + " is gone"
	}
	return fmt.Sprintf("its priority %d is above the %d of %s, but it is nopreempt", priority, o.other.Priority, o.other.Addr)
}

func (o *outlook) stops() Case {
	c := o.heir(o.skewOf, "it says so with priority 0")
	c.If = thisStops
	return c
}

func (o *outlook) dies() Case {
	c := o.heir(o.silenceOf, fmt.Sprintf("%d adverts are missed", o.DownAdverts))
	c.If = "this router dies"
	return c
}

func (o *outlook) otherStops() Case {
	return o.inherits("the active router stops", o.skewOf, "the other one says so with priority 0")
}

func (o *outlook) otherDies() Case {
	return o.inherits("the active router dies", o.silenceOf, fmt.Sprintf("%d adverts are missed", o.DownAdverts))
}

// inherits is who takes over from the active router, which is another one.
func (o *outlook) inherits(what string, within func(priority uint8) time.Duration, why string) Case {
	third := slices.DeleteFunc(slices.Clone(o.Peers), func(p PeerRouter) bool { return p.Addr == o.other.Addr })
	best := (&VirtualRouter{Peers: third}).strongest()
	fault := o.fault()
	switch {
	case best != nil && (fault != "" || stronger(best.Priority, best.Addr, o.Effective, o.Source)):
		return Case{what, best.Addr.String(), within(best.Priority), why + o.than(best)}
	case fault != "":
		return Case{If: what, Active: nobody, Why: "this router is at fault: " + fault + "; no third one is known"}
	}
	return Case{what, thisRouter, within(o.Effective), why + "; no other backup of a higher priority was heard"}
}

func (o *outlook) than(best *PeerRouter) string {
	return fmt.Sprintf("; %s had priority %d when it was last heard, %s ago, ours is %d", best.Addr, best.Priority, since(o.now, best.Last), o.Effective)
}

// fault returns what keeps this router from being active.
func (o *outlook) fault() string {
	if len(o.Faults) > 0 {
		return strings.Join(o.Faults, "; ")
	}
	if o.lame != "" {
		return o.lame + " of its group is at fault"
	}
	return ""
}

// turns is what happens if a tracked object fails, or comes back.
func (o *outlook) turns(k *Contributes) Case {
	word, then := "fails", vrrp.Reading{Known: true}
	switch file := k.Kind == vrrp.TrackFile.String(); {
	case file && k.Value != 0:
		word = "has 0"
	case file:
		word, then.Value = "has 1", 1
	case !k.Known || !k.Up:
		word, then.Up = "is well", true
	}
	c := Case{If: k.Kind + " " + k.Name + " " + word, Active: thisRouter}
	if o.State != active {
		c.Active = o.otherName()
	}
	contribs := make([]vrrp.Contribution, len(o.Contribs))
	fails, matters := false, false
	for i := range o.Contribs {
		contribs[i] = o.Contribs[i].contribution()
		if o.Contribs[i].Object == k.Object {
			contribs[i] = contribs[i].With(then)
			fails, matters = fails || contribs[i].Fault, matters || !o.Contribs[i].Ignored
		}
	}
	priority := vrrp.EffectivePriority(o.Priority, contribs)
	others := slices.IndexFunc(contribs, func(k vrrp.Contribution) bool { return k.Fault })
	switch {
	case !matters:
		c.Why = "its weight has no effect on this priority"
	case fails && o.State == active:
		heir := o.heir(o.skewOf, "this router would be at fault, and says so with priority 0")
		if k.Kind == vrrp.TrackInterface.String() && (k.Name == o.Interface || k.Name == o.Parent) {
			heir = o.heir(o.silenceOf, "adverts leave by it, so this router can't say that it gives up")
		}
		heir.If = c.If
		return heir
	case fails:
		c.Why = "this router would be at fault, and could not take over"
	case o.State == active:
		return o.weighs(c, priority)
	case others >= 0:
		c.Why = fmt.Sprintf("this router is at fault all the same: %s %s", contribs[others].Track.Kind, contribs[others].Track.Name)
	case o.lame != "":
		c.Why = "this router is at fault all the same: " + o.lame + " of its group is"
	case o.other == nil:
		c.Active, c.Within, c.Why = thisRouter, o.silenceOf(priority), "no other router is heard"
	case o.wins(priority):
		c.Active, c.Within, c.Why = thisRouter, o.silenceOf(priority)+o.PreemptDelay, o.whyWins(priority)
	default:
		c.Why = o.whyNot(priority)
	}
	return c
}

// weighs is what another priority of this router leads to while it is active.
func (o *outlook) weighs(c Case, priority uint8) Case {
	change := fmt.Sprintf("its priority would be %d", priority)
	if priority == o.Effective {
		change = fmt.Sprintf("its priority stays %d", priority)
	}
	switch r := o.rival; {
	case r == nil && priority < o.Effective:
		c.Why = change + "; a backup above it would take over within " + brief(o.silenceOf(priority)) + ", none was ever heard"
	case r == nil:
		c.Why = change
	case r.Priority > priority:
		c.Active, c.Within = r.Addr.String(), o.silenceOf(r.Priority)
		c.Why = fmt.Sprintf("%s, below the %d that %s last had; unless that one is nopreempt", change, r.Priority, r.Addr)
	default:
		c.Why = fmt.Sprintf("%s, not below the %d that %s last had", change, r.Priority, r.Addr)
	}
	if o.Group != "" && c.Active != thisRouter {
		c.Why += "; all of " + o.Group + " goes with it"
	}
	return c
}

// returns is what happens when this router comes back after a stop.
func (o *outlook) returns() Case {
	c := Case{If: "this router returns after a stop", Active: thisRouter}
	heir, priority := o.rival, o.Effective
	if o.State != active && o.other != nil {
		heir = o.other
	}
	switch {
	case o.fault() != "":
		c.Active, c.Why = o.otherName(), "this router is at fault: "+o.fault()
	case heir == nil:
		c.Within, c.Why = o.silenceOf(priority)+o.PreemptDelay, "unless another router is active by then"
		if o.Preempt {
			c.Why += " and has a priority of " + fmt.Sprint(priority) + " or more"
		}
	case priority == 255 || o.Preempt && priority > heir.Priority:
		c.Within = o.silenceOf(priority) + o.PreemptDelay
		c.Why = fmt.Sprintf("its priority %d is above the %d of %s", priority, heir.Priority, heir.Addr)
		if o.PreemptDelay > 0 {
			c.Why += ", and preempt_delay is " + brief(o.PreemptDelay)
		}
	case !o.Preempt:
		c.Active, c.Why = heir.Addr.String(), "this router is nopreempt"
	default:
		c.Active, c.Why = heir.Addr.String(), fmt.Sprintf("its priority %d is not above the %d of %s", priority, heir.Priority, heir.Addr)
	}
	return c
}

// contribution returns the form in which package vrrp reckons with it.
func (k *Contributes) contribution() vrrp.Contribution {
	kind, _ := vrrp.KindNamed(k.Kind)
	return vrrp.Contribution{
		Track:   vrrp.Track{Object: vrrp.Object{Kind: kind, Name: k.Name}, Weight: k.Weight, Reverse: k.Reverse},
		Reading: vrrp.Reading{Known: k.Known, Up: k.Up, Value: k.Value, Reason: k.Reason}, Adds: k.Adds, Fault: k.Fault, Ignored: k.Ignored,
	}
}

// ExplainText prints outlooks, a table an instance.
func ExplainText(all []Outlook, w io.Writer, style Style) error {
	var b strings.Builder
	for i := range all {
		o := &all[i]
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s  %s\n", style.paint(bold, printable(o.Instance)),
			style.paint(stateColor(o.State), fmt.Sprintf("%s, priority %d", o.State, o.Priority)))
		c := columns{style: style}
		c.row(head("IF"), head("THEN ACTIVE"), headRight("WITHIN"), head("WHY"))
		for _, k := range o.Cases {
			within := "-"
			if k.Within > 0 {
				within = brief(k.Within)
			}
			who := cell{text: k.Active}
			switch k.Active {
			case thisRouter:
				who.sgr = green
			case nobody:
				who.sgr = red
			}
			c.row(cell{text: k.If}, who, cell{text: within, right: true}, cell{text: k.Why, sgr: dim})
		}
		_ = c.write(&b, "  ") // a Builder takes everything
	}
	_, err := io.WriteString(w, b.String())
	return err
}
