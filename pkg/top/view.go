package top

import (
	"fmt"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/status"
)

// Style is how text looks. All that colours say is in the words, too.
type Style uint8

// The styles.
const (
	Plain Style = iota
	Bold
	Dim
	Good
	Warn
	Bad
)

// Span is text of one style, without control characters.
type Span struct {
	Text  string
	Style Style
}

// Line is a line of the screen. The one of the cursor is Selected, as wide as the screen.
type Line struct {
	Spans    []Span
	Selected bool
}

// width returns how many cells a line takes.
func (l *Line) width() (n int) {
	for _, s := range l.Spans {
		n += cells(s.Text)
	}
	return n
}

func (l *Line) add(style Style, format string, args ...any) {
	if text := printable(fmt.Sprintf(format, args...)); text != "" {
		l.Spans = append(l.Spans, Span{text, style})
	}
}

// fit returns the line in so many cells, with dots where something is missing.
func (l Line) fit(width int) Line {
	if l.width() <= width {
		return l
	}
	cut := Line{Selected: l.Selected}
	for _, s := range l.Spans {
		if n := cells(s.Text); n <= width && !(n == width && cut.width()+n < l.width()) {
			cut.Spans = append(cut.Spans, s)
			width -= n
			continue
		}
		cut.Spans = append(cut.Spans, Span{pad(short(s.Text, width, true), width, true), s.Style})
		break
	}
	return cut
}

// View returns the lines of the screen, no more than it has, and none wider than it is.
func (m Model) View() []Line {
	lines := m.head()
	foot := m.foot()
	if room := m.size.Height - len(lines) - len(foot); room > 0 {
		lines = append(lines, m.body(room)...)
	}
	lines = append(lines, foot...)
	lines = lines[:min(len(lines), max(m.size.Height, 0))]
	for i := range lines {
		lines[i] = lines[i].fit(m.size.Width)
	}
	return lines
}

// room is how many rows there is room for.
func (m *Model) room() int { return max(m.size.Height-len(m.head())-len(m.foot())-1, 1) }

// head is what is above the rows.
func (m *Model) head() []Line {
	var title Line
	s := m.snapshot
	if s == nil {
		title.add(Bold, "ipvsctl top")
		wait := Line{}
		wait.add(Dim, "the daemon has not answered yet")
		return append([]Line{title, wait}, m.trouble()...)
	}
	title.add(Bold, "%s", s.RouterID)
	title.add(Plain, "  ipvsd %s, up %s, %s", s.Version, status.Ago(s.At, s.Started), s.At.Local().Format(time.TimeOnly))
	if m.paused {
		title.add(Warn, "  paused")
	}
	lines := []Line{title, m.totals()}
	if s.VRRP != nil {
		lines = append(lines, routers(s.VRRP))
	}
	return append(lines, m.trouble()...)
}

// totals is how all services do together.
func (m *Model) totals() (l Line) {
	var rate status.Rate
	var active uint64
	lost, serving, all := 0, 0, 0
	for i := range m.snapshot.Services {
		v := &m.snapshot.Services[i]
		n, of := v.Count()
		serving, all = serving+n, all+of
		if n == 0 && !v.Sorry {
			lost++
		}
		r := m.rates[rowKey{service: v.Key}]
		rate.Connections += r.Connections
		rate.InBytes += r.InBytes
		rate.OutBytes += r.OutBytes
		whole := row{service: v}
		active += whole.active()
	}
	l.add(Plain, "services %d", len(m.snapshot.Services))
	if lost > 0 {
		l.add(Bad, " (%d dead)", lost)
	}
	style := Plain
	if serving < all {
		style = Warn
	}
	l.add(Plain, "  servers ")
	l.add(style, "%d/%d", serving, all)
	l.add(Plain, "  active %s  conn/s %s  B/s in %s out %s", number(float64(active)), number(rate.Connections), number(rate.InBytes), number(rate.OutBytes))
	if n := len(m.snapshot.Wishes); n > 0 {
		l.add(Warn, "  wishes %d", n)
	}
	return l
}

// routers is the line about VRRP.
func routers(v *status.VRRP) (l Line) {
	l.add(Bold, "VRRP")
	if v.Error != "" {
		l.add(Bad, "  %s", v.Error)
	}
	for i := range v.Instances {
		r := &v.Instances[i]
		style := map[string]Style{"MASTER": Good, "FAULT": Bad, "INIT": Warn}[r.State]
		l.add(Plain, "  %s ", r.Name)
		l.add(style, "%s", r.State)
		l.add(Dim, " %d", r.Effective)
	}
	return l
}

// trouble are lines about what is wrong as a whole.
func (m *Model) trouble() (lines []Line) {
	say := func(style Style, format string, args ...any) {
		var l Line
		l.add(style, format, args...)
		lines = append(lines, l)
	}
	if m.failed != nil {
		say(Bad, "the daemon is away since %s: %v", m.since.Local().Format(time.TimeOnly), m.failed)
	}
	if s := m.snapshot; s != nil {
		if s.Table.Error != "" {
			say(Bad, "the table can't be kept: %s", s.Table.Error)
		}
		if s.Config.Rejected != "" {
			say(Warn, "a newer configuration was rejected %s ago: ipvsctl status", status.Ago(s.At, s.Config.RejectedAt))
		}
	}
	return lines
}

// foot is what is below the rows: the latest event, and what is asked, typed or told, or else the keys.
func (m *Model) foot() (lines []Line) {
	if m.event != nil && m.size.Height >= 12 {
		var l Line
		style := Dim
		if m.event.Bad() {
			style = Bad
		}
		l.add(style, "%s %s %s", m.event.At.Local().Format(time.TimeOnly), m.event.Kind, m.event.Story())
		lines = append(lines, l)
	}
	var l Line
	switch {
	case m.asked != nil:
		l.add(Bold, "%s", m.question())
	case m.typing:
		l.add(Bold, "/%s_", m.filter)
		l.add(Dim, "  enter: done, esc: all")
	case m.message != "":
		style := Plain
		if m.bad {
			style = Bad
		}
		l.add(style, "%s", m.message)
	default:
		if m.filter != "" {
			l.add(Bold, "/%s  ", m.filter)
		}
		order := columnNames[m.sort]
		if m.reverse {
			order += ", reversed"
		}
		l.add(Dim, "q quit  ? help  / filter  v view  d drain  u undrain  s sort: %s", order)
	}
	return append(lines, l)
}

// body is the title of the rows, and those that are on the screen.
func (m *Model) body(room int) []Line {
	if m.help {
		return helpLines(room)
	}
	rows := m.rows()
	layout := m.layout(rows)
	lines := make([]Line, 0, room)
	lines = append(lines, layout.title())
	for i := m.first; i < len(rows) && len(lines) < room; i++ {
		l := layout.line(m, &rows[i])
		if l.Selected = i == m.index; l.Selected {
			l.Spans = append(l.Spans, Span{strings.Repeat(" ", max(m.size.Width-l.width(), 0)), Plain})
		}
		lines = append(lines, l)
	}
	if len(rows) == 0 && m.snapshot != nil && len(lines) < room {
		var l Line
		if l.add(Dim, "nothing matches /%s", m.filter); m.filter == "" {
			l = Line{}
			l.add(Dim, "there are no services")
		}
		lines = append(lines, l)
	}
	for len(lines) < room {
		lines = append(lines, Line{})
	}
	return lines
}

// helpText is what keys do.
var helpText = []string{
	"up down pgup pgdn home end   move, as k j g G do",
	"/          only what has a text in it: a service, server, name, tag, state, reason; esc: all",
	"s S        sort by the next column, or the one before; r: the other way round",
	"v          services with their servers, services alone, servers alone",
	"d u        drain the server of the cursor, or end its drain; asked again before",
	"p          pause, go on",
	"q          quit",
	"",
	"A weight such as 0/3 is the one in the kernel's table before the configured one; - is none: not in the table.",
	"Rates are reckoned from the kernel's counters, to which it adds every 2 seconds. Out rates are 0 under DR and TUN.",
	"any key: back",
}

func helpLines(room int) []Line {
	lines := make([]Line, room)
	for i := range min(room, len(helpText)) {
		lines[i].add(Plain, "%s", helpText[i])
	}
	return lines
}
