package status

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// Details prints each group and instance with all that is known of it.
func (s *VRRP) Details(w io.Writer, style Style) error {
	var b strings.Builder
	for i := range s.Groups {
		g := &s.Groups[i]
		fmt.Fprintf(&b, "%s  %s\n", style.paint(bold, g.Name), style.paint(stateColor(g.State), g.State+" for "+since(s.At, g.Since)))
		facts := facts{b: &b, style: style}
		facts.add("why", "%s", g.Reason)
		facts.add("members", "%s", strings.Join(g.Members, " "))
		b.WriteByte('\n')
	}
	for i := range s.Instances {
		if i > 0 {
			b.WriteByte('\n')
		}
		s.Instances[i].details(&b, style, s.At)
	}
	s.sessions(&b, style)
	if len(s.Events) > 0 {
		b.WriteByte('\n')
		s.events(&b, style)
	}
	fmt.Fprintf(&b, "\n%s\n", s.Thread.text(style))
	_, err := io.WriteString(w, b.String())
	return err
}

// facts prints labels and what there is to say, a line each.
type facts struct {
	b     *strings.Builder
	style Style
}

// add prints a line unless there is nothing to say.
func (f facts) add(label, format string, args ...any) {
	if text := fmt.Sprintf(format, args...); text != "" {
		fmt.Fprintf(f.b, "  %s %s\n", f.style.paint(dim, fmt.Sprintf("%-9s", label)), printable(text))
	}
}

func (v *VirtualRouter) details(b *strings.Builder, style Style, now time.Time) {
	fmt.Fprintf(b, "%s  %s\n", style.paint(bold, printable(v.Name)), style.paint(stateColor(v.State), v.State+" for "+since(now, v.Since)))
	f := facts{b, style}
	for i, why := range v.why(now) {
		f.add([]string{"why", ""}[min(i, 1)], "%s", why)
	}
	family := "IPv4"
	if v.IPv6 {
		family = "IPv6"
	}
	text := fmt.Sprintf("VRID %d on %s, %s, version %d", v.VRID, v.Interface, family, v.Version)
	if v.Parent != "" {
		text += ", made on " + v.Parent
	}
	if v.Group != "" {
		text += ", group " + v.Group
	}
	f.add("router", "%s", text)
	f.add("priority", "%s", v.priorities())
	f.add("active", "%s", strings.Trim(v.activeRouter(now), "-"))
	f.add("timers", "%s", v.timers(now))
	f.add("preempt", "%s", v.preemption())
	f.add("held", "%d of %d addresses, routes and rules", v.Held.Present, v.Held.Wished)
	for i, a := range v.Addresses[:min(shown, len(v.Addresses))] {
		f.add([]string{"serves", ""}[min(i, 1)], "%s", a)
	}
	if rest := len(v.Addresses) - shown; rest > 0 {
		f.add("", "and %d more", rest)
	}
	v.Counters.facts(f)
	if len(v.Held.PutBack) > 0 {
		f.add("put back", "%s, last: %s", counted(int(v.Counters.PutBack), "time"), v.Held.PutBack[0])
	}
	v.tables(b, style, now)
}

// priorities explains the effective priority.
func (v *VirtualRouter) priorities() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d, configured %d", v.Effective, v.Priority)
	for i := range v.Contribs {
		if k := &v.Contribs[i]; k.Adds != 0 {
			fmt.Fprintf(&text, ", %+d by %s %s", k.Adds, k.Kind, k.Name)
		}
	}
	return text.String()
}

func (v *VirtualRouter) timers(now time.Time) string {
	text := "adverts every " + brief(v.Interval)
	if v.Source.IsValid() {
		text += " from " + v.Source.String()
	}
	if v.Learned > 0 && v.Learned != v.Interval {
		text += ", the active router's every " + brief(v.Learned)
	}
	text += fmt.Sprintf("; skew %s, active down %s", brief(v.Skew), brief(v.ActiveDown))
	if v.Waits != "" && !v.Deadline.IsZero() {
		text += fmt.Sprintf("; %s in %s", v.Waits, ahead(now, v.Deadline))
	}
	return text
}

func (v *VirtualRouter) preemption() string {
	switch {
	case !v.Preempt:
		return "no: it leaves the role to a router of lower priority"
	case v.PreemptDelay > 0:
		return "after " + brief(v.PreemptDelay)
	}
	return "yes"
}

// facts prints the counters that say something.
func (c *RouterCounters) facts(f facts) {
	f.add("adverts", "%d sent, %d received; priority 0: %d sent, %d received", c.Sent, c.Received, c.PriorityZeroSent, c.PriorityZeroReceived)
	f.add("master", "became it %d times, left it %d times", c.BecameActive, c.LeftActive)
	for _, n := range []struct {
		label string
		n     uint64
		text  string
	}{
		{"late", c.Late, fmt.Sprintf("adverts that left later than a third of the interval, the worst by %s", brief(c.Latest))},
		{"errors", c.SendErrors, "adverts that could not be sent, the last: " + c.LastSendError},
		{"slept", c.SteppedDown, "times it gave up the role because this host did not run for too long"},
		{"lower", c.LowerWhileActive, "adverts of lower priority while active: another router thought it was"},
		{"mismatch", c.Mismatched, "adverts with other addresses than ours: compare virtual_ipaddress on all routers"},
		{"mismatch", c.IntervalMismatched, "adverts with another interval than ours: compare advert_int on all routers"},
		{"unsigned", c.Unauthenticated, "adverts without auth_hmac, believed because its mode is permissive"},
	} {
		if n.n > 0 {
			f.add(n.label, "%d %s", n.n, n.text)
		}
	}
	for _, why := range slices.Sorted(maps.Keys(c.Rejected)) {
		r := rejectOf(why)
		f.add("rejected", "%d for %s: %s; %s", c.Rejected[why], why, r.Text(), r.Hint())
	}
}

// tables prints what is tracked, who was heard, and the last transitions.
func (v *VirtualRouter) tables(b *strings.Builder, style Style, now time.Time) {
	if len(v.Contribs) > 0 {
		c := columns{style: style}
		c.row(head("TRACKED"), head("STATE"), headRight("WEIGHT"), headRight("ADDS"), head("WHY"))
		for i := range v.Contribs {
			c.row(v.Contribs[i].cells()...)
		}
		_ = c.write(b, "  ") // a Builder takes everything
	}
	if len(v.Peers) > 0 {
		c := columns{style: style}
		c.row(head("HEARD"), headRight("PRIORITY"), headRight("ADVERT"), headRight("AGO"), headRight("ADVERTS"))
		for i := range v.Peers {
			p := &v.Peers[i]
			c.row(cell{text: p.Addr.String()}, cell{text: strconv.Itoa(int(p.Priority)), right: true}, cell{text: brief(p.Interval), right: true},
				cell{text: since(now, p.Last), right: true}, cell{text: strconv.FormatUint(p.Adverts, 10), right: true})
		}
		_ = c.write(b, "  ")
	}
	if len(v.Transitions) > 0 {
		c := columns{style: style}
		c.row(headRight("AGO"), head("FROM"), head("TO"), head("WHY"))
		for i := range v.Transitions {
			t := &v.Transitions[i]
			c.row(cell{text: since(now, t.At), right: true}, cell{text: t.From}, cell{text: t.To, sgr: stateColor(t.To)}, cell{text: t.Reason, sgr: dim})
		}
		_ = c.write(b, "  ")
	}
}

func (k *Contributes) cells() []cell {
	state := cell{text: "up", sgr: green}
	switch {
	case !k.Known:
		state = cell{text: "unknown", sgr: yellow}
	case k.Kind == vrrp.TrackFile.String():
		state = cell{text: strconv.Itoa(k.Value)}
	case !k.Up:
		state = cell{text: "down", sgr: red}
	}
	weight := strconv.Itoa(k.Weight)
	if k.Reverse {
		weight += " reverse"
	}
	adds := cell{text: fmt.Sprintf("%+d", k.Adds), right: true}
	switch {
	case k.Fault:
		adds = cell{text: "fault", sgr: red, right: true}
	case k.Ignored:
		adds = cell{text: "ignored", sgr: dim, right: true}
	case k.Adds == 0:
		adds.text = "0"
	}
	return []cell{{text: k.Kind + " " + k.Name}, state, {text: weight, right: true}, adds, {text: k.Reason, sgr: dim}}
}

// events prints the last events, the latest first.
func (s *VRRP) events(b *strings.Builder, style Style) {
	c := columns{style: style}
	c.row(headRight("EVENT"), headRight("AGO"), head("OF"), head("WHAT"), headRight("PRIORITY"), head("WHY"))
	for _, e := range s.Events[:min(shown, len(s.Events))] {
		of := e.Instance
		if e.Group != "" {
			of = "group " + e.Group
		}
		priority := "-"
		if e.Priority > 0 {
			priority = strconv.Itoa(int(e.Priority))
		}
		c.row(cell{text: strconv.FormatUint(e.Seq, 10), right: true}, cell{text: since(s.At, e.At), right: true}, cell{text: of},
			cell{text: e.Kind, sgr: stateColor(e.Kind)}, cell{text: priority, right: true}, cell{text: e.Reason, sgr: dim})
	}
	_ = c.write(b, "")
}

// text says how the thread is that sends the adverts.
func (t *Thread) text(style Style) string {
	text := "adverts are sent by a thread of ordinary priority"
	if t.Realtime > 0 {
		text = fmt.Sprintf("adverts are sent by a real-time thread, SCHED_RR %d", t.Realtime)
	}
	if t.MemoryLocked {
		text += ", memory locked"
	}
	if len(t.CPUs) > 0 {
		text += ", on CPU " + strings.Trim(fmt.Sprint(t.CPUs), "[]")
	}
	for _, d := range t.Denied {
		text += "\n" + style.paint(yellow, printable(d))
	}
	return text
}
