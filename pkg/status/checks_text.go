package status

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// Text prints the checks as a table.
func (s *Checks) Text(w io.Writer, style Style) error {
	c := columns{style: style}
	c.row(head("SERVER"), head("SERVICE"), head("CHECK"), head("TARGET"), head("STATE"), headRight("FOR"), headRight("LAST"),
		headRight("TOOK"), headRight("FAILURES"), headRight("NEXT"), head("WHY"))
	for i := range s.Checks {
		k := &s.Checks[i]
		last, took := "-", "-"
		if !k.LastRun.IsZero() {
			last, took = since(s.At, k.LastRun), brief(k.Took)
		}
		failures := cell{text: strconv.Itoa(k.Failures), right: true}
		if k.Failures > 0 {
			failures.sgr = yellow
		}
		server, service := sharers(k.Servers)
		c.row(cell{text: server}, cell{text: service}, cell{text: k.label()}, cell{text: target(k)},
			cell{text: k.State.String(), sgr: healthColor(k.State)}, cell{text: since(s.At, k.Since), right: true},
			cell{text: last, right: true}, cell{text: took, right: true}, failures,
			cell{text: k.next(s.At), right: true}, cell{text: strings.Join(k.why(s.At), "; "), sgr: dim})
	}
	return c.write(w, "")
}

// Details prints each check with all that is known of it, its last results and the servers that share it.
func (s *Checks) Details(w io.Writer, style Style) error {
	var b strings.Builder
	for i := range s.Checks {
		if i > 0 {
			b.WriteByte('\n')
		}
		s.Checks[i].details(&b, style, s.At)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (k *Check) details(b *strings.Builder, style Style, now time.Time) {
	server, _ := sharers(k.Servers)
	fmt.Fprintf(b, "%s  %s  %s\n", style.paint(bold, server), printable(k.label()),
		style.paint(healthColor(k.State), fmt.Sprintf("%s for %s", k.State, since(now, k.Since))))
	line := func(label, text string) {
		if text != "" {
			fmt.Fprintf(b, "  %s %s\n", style.paint(dim, fmt.Sprintf("%-8s", label)), printable(text))
		}
	}
	line("target", strings.Trim(target(k), "-"))
	for i := range k.Servers[:min(shown, len(k.Servers))] {
		line("of", of(&k.Servers[i]))
	}
	if rest := len(k.Servers) - shown; rest > 0 {
		line("", fmt.Sprintf("and %d more", rest))
	}
	last := "not yet"
	if !k.LastRun.IsZero() {
		last = fmt.Sprintf("%s, %s ago, took %s", outcome(k.Error), since(now, k.LastRun), brief(k.Took))
	}
	line("last", last)
	line("next", k.next(now))
	line("runs", fmt.Sprintf("%d, of which failed: %d; failures in a row: %d", k.Probes, k.Failed, k.Failures))
	for _, why := range k.why(now) {
		if why != k.Error {
			line("note", why)
		}
	}
	if len(k.History) == 0 {
		return
	}
	c := columns{style: style}
	c.row(headRight("AGO"), headRight("TOOK"), head("STATE"), head("RESULT"))
	for i := range k.History {
		r := &k.History[i]
		result := cell{text: outcome(r.Error), sgr: red}
		if r.Error == "" {
			result.sgr = green
		}
		if r.Warning != "" {
			result.text += "; warning: " + r.Warning
		}
		if r.Advice != nil {
			result.text += "; " + r.Advice.String()
		}
		c.row(cell{text: since(now, r.At), right: true}, cell{text: brief(r.Took), right: true},
			cell{text: r.State.String(), sgr: healthColor(r.State)}, result)
	}
	_ = c.write(b, "  ") // a Builder takes everything
}

// shown is how many of the servers that share a check are printed.
const shown = 20

// Text prints each probe with its steps.
func (p *Probes) Text(w io.Writer, style Style) error {
	var b strings.Builder
	for i := range p.Probes {
		if i > 0 {
			b.WriteByte('\n')
		}
		k := &p.Probes[i]
		label := Check{Type: k.Type, What: k.What}
		server, service := sharers(k.Servers)
		fmt.Fprintf(&b, "%s  %s  %s\n", style.paint(bold, server), printable(label.label()), style.paint(dim, service))
		line := func(after time.Duration, text string) {
			fmt.Fprintf(&b, "  %s %s\n", style.paint(dim, fmt.Sprintf("%9s", brief(after))), text)
		}
		for _, s := range k.Steps {
			line(s.After, strings.TrimRight(printable(s.Text), " "))
		}
		if k.More > 0 {
			fmt.Fprintf(&b, "  %9s and %d more steps\n", "", k.More)
		}
		if k.Error != "" {
			line(k.Took, style.paint(red, printable(outcome(k.Error))))
		} else {
			line(k.Took, style.paint(green, outcome("")))
		}
		if k.Warning != "" {
			fmt.Fprintf(&b, "  %9s %s\n", "", style.paint(yellow, printable("warning: "+k.Warning)))
		}
		if k.Advice != nil {
			fmt.Fprintf(&b, "  %9s %s\n", "", k.Advice)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// String says it in words: "advises 50% of the weight".
func (a *Advice) String() string {
	switch a.Kind {
	case "percent":
		return fmt.Sprintf("advises %d%% of the weight", a.Value)
	case "add":
		return fmt.Sprintf("advises weight %+d", a.Value)
	}
	return fmt.Sprintf("advises weight %d", a.Value)
}

// why returns all there is to say about a check's state.
func (k *Check) why(now time.Time) (list []string) {
	if k.Error != "" {
		list = append(list, k.Error)
	}
	if k.Warning != "" && !k.stale() {
		list = append(list, "warning: "+k.Warning)
	}
	if k.HeldUntil.After(now) {
		list = append(list, "held down for "+ahead(now, k.HeldUntil)+" more")
	}
	if k.State == health.Down && k.Passes > 0 && k.Missing > 0 {
		list = append(list, fmt.Sprintf("passed %d in a row, needs %d more", k.Passes, k.Missing))
	}
	if k.Advice != nil && !k.stale() {
		list = append(list, k.Advice.String())
	}
	if k.Suspended {
		list = append(list, "suspended: no address of its virtual servers is on this host")
	}
	return list
}

// stale says whether what the check learned when it last passed is no news any more.
func (k *Check) stale() bool { return k.State == health.Down && k.Error != "" }

// next says when the next probe is due.
func (k *Check) next(now time.Time) string {
	switch {
	case k.Suspended:
		return "never"
	case k.NextRun.IsZero():
		return "running"
	}
	return ahead(now, k.NextRun)
}

// sharers names the first of the servers that share a check, and its service, and counts the others.
func sharers(list []CheckedBy) (server, service string) {
	if len(list) == 0 {
		return "-", "-"
	}
	servers := make(map[string]bool)
	for i := range list {
		servers[list[i].Server.String()] = true
	}
	first := &list[0]
	server, service = first.Server.String(), cmp.Or(first.Group, first.Service.String())
	if first.Sorry {
		server += " (sorry)"
	}
	if n := len(servers); n > 1 {
		server += fmt.Sprintf(" and %d more", n-1)
	}
	if n := len(list); n > 1 {
		service += fmt.Sprintf(" and %d more", n-1)
	}
	return server, service
}

func of(r *CheckedBy) string {
	text := r.Server.String() + " of " + r.Service.String()
	if r.Group != "" {
		text += ", " + r.Group
	}
	if r.Sorry {
		text += ", as a sorry server"
	}
	return text
}

// label names a check: "HTTP_GET /health".
func (k *Check) label() string { return strings.TrimSpace(k.Type + " " + k.What) }

func target(k *Check) string {
	switch {
	case !k.Target.IsValid():
		return "-"
	case k.Target.Port() == 0:
		return k.Target.Addr().String()
	}
	return k.Target.String()
}

func outcome(err string) string {
	if err != "" {
		return "failed: " + err
	}
	return "passed"
}

// ahead says how long it is until t: "now", "350ms", "2.5s", "4m10s".
func ahead(now, t time.Time) string {
	switch d := t.Sub(now); {
	case d <= 0:
		return "now"
	case d < time.Minute:
		return brief(d)
	default:
		return d.Round(time.Second).String()
	}
}

// Printable is a text without what would do something to a terminal.
func Printable(s string) string { return printable(s) }

// PrintableLines is Printable, but for the ends of lines and for tabs.
func PrintableLines(s string) string { return printableLines(s) }

// printableLines is printable, but for the ends of lines and for tabs.
func printableLines(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsGraphic(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// printable replaces what would do something to a terminal: servers may send what they like.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}
