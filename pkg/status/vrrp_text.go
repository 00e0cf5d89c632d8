package status

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// The words of states.
var (
	active  = vrrp.Active.String()
	backup  = vrrp.Backup.String()
	atFault = vrrp.Fault.String()
)

// Of returns what concerns an instance, or a sync group with its members.
func (s *VRRP) Of(name string) (*VRRP, error) {
	one := VRRP{At: s.At, Thread: s.Thread, Error: s.Error, Instances: []VirtualRouter{}}
	members := []string{name}
	for i := range s.Groups {
		if g := &s.Groups[i]; g.Name == name {
			one.Groups, members = append(one.Groups, *g), g.Members
		}
	}
	objects := make(map[Object]bool)
	for i := range s.Instances {
		v := &s.Instances[i]
		if !slices.Contains(members, v.Name) {
			continue
		}
		one.Instances = append(one.Instances, *v)
		for j := range v.Contribs {
			objects[v.Contribs[j].Object] = true
		}
	}
	if len(one.Instances) == 0 {
		return nil, fmt.Errorf("there is no instance or sync group %q: %s", name, s.names())
	}
	for _, o := range s.Objects {
		if objects[o.Object] {
			one.Objects = append(one.Objects, o)
		}
	}
	for i := range s.Sessions {
		if objects[Object{vrrp.TrackBFD.String(), s.Sessions[i].Name}] {
			one.Sessions = append(one.Sessions, s.Sessions[i])
		}
	}
	for _, e := range s.Events {
		if slices.Contains(members, e.Instance) || e.Group == name {
			one.Events = append(one.Events, e)
		}
	}
	return &one, nil
}

func (s *VRRP) names() string {
	var names []string
	for i := range s.Groups {
		names = append(names, s.Groups[i].Name)
	}
	for i := range s.Instances {
		names = append(names, s.Instances[i].Name)
	}
	if len(names) == 0 {
		return "there are none"
	}
	if rest := len(names) - shown; rest > 0 {
		names = append(names[:shown], fmt.Sprintf("and %d more", rest))
	}
	return "there are " + strings.Join(names, ", ")
}

// Text prints the instances, the groups and the BFD sessions as tables, and what is wrong with the thread that sends the adverts.
func (s *VRRP) Text(w io.Writer, style Style) error {
	var b strings.Builder
	if s.Error != "" {
		fmt.Fprintf(&b, "%s %s\n", style.paint(red, "The virtual routers don't run:"), printable(s.Error))
	}
	c := columns{style: style}
	c.row(head("INSTANCE"), head("GROUP"), head("INTERFACE"), headRight("VRID"), head("STATE"), headRight("FOR"), headRight("PRIORITY"),
		head("ACTIVE"), headRight("ADVERT"), headRight("HELD"), head("WHY"))
	for i := range s.Instances {
		c.row(s.Instances[i].cells(s.At)...)
	}
	_ = c.write(&b, "") // a Builder takes everything
	if len(s.Groups) > 0 {
		b.WriteByte('\n')
		c := columns{style: style}
		c.row(head("GROUP"), head("STATE"), headRight("FOR"), head("MEMBERS"), head("WHY"))
		for i := range s.Groups {
			g := &s.Groups[i]
			c.row(cell{text: g.Name}, cell{text: g.State, sgr: stateColor(g.State)}, cell{text: since(s.At, g.Since), right: true},
				cell{text: strings.Join(g.Members, " ")}, cell{text: g.Reason, sgr: dim})
		}
		_ = c.write(&b, "")
	}
	s.sessions(&b, style)
	if denied := s.Thread.Denied; len(denied) > 0 {
		fmt.Fprintf(&b, "\n%s\n", style.paint(yellow, "adverts may be late: "+printable(strings.Join(denied, "; "))))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (v *VirtualRouter) cells(now time.Time) []cell {
	priority := cell{text: strconv.Itoa(int(v.Effective)), right: true}
	if v.Effective != v.Priority {
		priority.text += "/" + strconv.Itoa(int(v.Priority)) // as it is / as it is configured
		priority.sgr = yellow
	}
	interval := v.Interval
	if v.State != active && v.Learned > 0 {
		interval = v.Learned
	}
	held := cell{text: fmt.Sprintf("%d of %d", v.Held.Present, v.Held.Wished), right: true}
	if v.Held.Present != v.Held.Wished {
		held.sgr = yellow
	}
	return []cell{
		{text: v.Name}, {text: cmp.Or(v.Group, "-")}, {text: v.Interface}, {text: strconv.Itoa(int(v.VRID)), right: true},
		{text: v.State, sgr: stateColor(v.State)}, {text: since(now, v.Since), right: true}, priority,
		{text: v.activeRouter(now)}, {text: brief(interval), right: true}, held, {text: strings.Join(v.why(now), "; "), sgr: dim},
	}
}

// activeRouter says who is active, as far as this router knows.
func (v *VirtualRouter) activeRouter(now time.Time) string {
	if v.State == active {
		return "this one"
	}
	if other := v.heard(now); other != nil {
		return fmt.Sprintf("%s (%d)", other.Addr, other.Priority)
	}
	return "-"
}

// why returns all there is to say about an instance's state.
func (v *VirtualRouter) why(now time.Time) (list []string) {
	if v.State == atFault && len(v.Faults) > 0 {
		list = append(list, v.Faults...)
	} else if v.Reason != "" {
		list = append(list, v.Reason)
	}
	switch {
	case v.HandingOver:
		list = append(list, "hands over")
	case v.Yielded:
		list = append(list, "was switched over and leaves the role to the other router")
	case v.Waits == "preempt delay", v.Waits == "startup delay":
		list = append(list, v.Waits+", "+ahead(now, v.Deadline)+" more")
	case v.Waits == "group":
		list = append(list, "waits for the other members of "+v.Group)
	}
	for _, d := range v.doubts(now) {
		list = append(list, d.what)
	}
	return append(list, v.Held.problems()...)
}

// doubt is what is wrong with another router's adverts, and what can be done about it.
type doubt struct{ what, hint string }

// doubts returns what is wrong with the adverts that come now. Two routers of which one ignores the other are both active.
func (v *VirtualRouter) doubts(now time.Time) (list []doubt) {
	recent := max(10*time.Second, 3*v.Interval)
	believed := func(p PeerRouter) bool {
		return p.Addr == v.Counters.LastRejected.From && p.Last.After(v.Counters.LastRejected.At)
	}
	if l := v.Counters.LastRejected; l != nil && now.Sub(l.At) <= recent && !slices.ContainsFunc(v.Peers, believed) {
		why := rejectOf(l.Why)
		list = append(list, doubt{fmt.Sprintf("adverts of %s are ignored: %s", l.From, why.Text()), why.Hint()})
	}
	for i := range v.Peers {
		if p := &v.Peers[i]; p.Mismatched && now.Sub(p.Last) <= recent {
			list = append(list, doubt{
				fmt.Sprintf("%s lists other addresses", p.Addr),
				"compare virtual_ipaddress on all routers of the VRID; two clusters on one network need different ones",
			})
		}
	}
	return list
}

// rejectOf returns the reason of a word.
func rejectOf(word string) vrrp.Reject {
	for r := vrrp.RejectAuthHeader; r < vrrp.RejectState; r++ {
		if r.String() == word {
			return r
		}
	}
	return vrrp.RejectState
}

// problems returns what is not on the host as it is wished.
func (h *Held) problems() (list []string) {
	for _, f := range h.Failed {
		list = append(list, "refused: "+f)
	}
	for _, c := range h.Conflicts {
		list = append(list, "conflict: "+c)
	}
	return list
}

func stateColor(state string) string {
	switch state {
	case active:
		return green
	case atFault:
		return red
	case backup:
		return ""
	}
	return yellow
}

// summary prints what a summary has of the virtual routers: the counts, and every one that is not as one would like it.
func (s *VRRP) summary(line func(sgr, label, format string, args ...any)) {
	count := make(map[string]int)
	for i := range s.Instances {
		count[s.Instances[i].State]++
	}
	var states []string
	for _, state := range []string{active, backup, atFault, vrrp.Initialize.String()} {
		if n := count[state]; n > 0 {
			states = append(states, fmt.Sprintf("%d %s", n, state))
		}
	}
	if len(s.Instances) > 0 || s.Error != "" {
		line("", "vrrp", "%s", strings.Join(append([]string{counted(len(s.Instances), "instance")}, states...), ", "))
	}
	if s.Error != "" {
		line(red, "vrrp", "does not run: %s", printable(s.Error))
	}
	for i := range s.Instances {
		v := &s.Instances[i]
		if v.State == atFault {
			line(red, "fault", "%s for %s: %s", v.Name, since(s.At, v.Since), printable(strings.Join(v.why(s.At), "; ")))
			continue
		}
		for _, d := range v.doubts(s.At) {
			line(red, "adverts", "%s: %s; %s", v.Name, printable(d.what), d.hint)
		}
		for _, p := range v.Held.problems() {
			line(red, "address", "%s: %s", v.Name, printable(p))
		}
		if v.Counters.SendErrors > 0 {
			line(yellow, "adverts", "%s: %d could not be sent, the last: %s", v.Name, v.Counters.SendErrors, printable(v.Counters.LastSendError))
		}
		if v.Counters.Late > 0 {
			line(yellow, "adverts", "%s: %d left late, the worst by %s", v.Name, v.Counters.Late, brief(v.Counters.Latest))
		}
	}
	s.sessionSummary(line)
	for _, d := range s.Thread.Denied {
		line(yellow, "adverts", "may be late: %s", printable(d))
	}
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
