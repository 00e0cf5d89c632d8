package top

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/health"
)

// field is a column that is as wide as it is, and left out where the screen is too narrow.
type field struct {
	title string
	width int
	need  int // it is there where all fields with a smaller need are, and it fits
	left  bool
	cell  func(*Model, *row) Span
}

// fields are all of them, from left to right, between the name and the note.
var fields = []field{
	{"HEALTH", 9, 1, true, func(_ *Model, r *row) Span { return r.health() }},
	{"WEIGHT", 7, 4, false, func(_ *Model, r *row) Span { return r.weight() }},
	{"ACTIVE", 6, 2, false, func(_ *Model, r *row) Span { return Span{number(float64(r.active())), Plain} }},
	{"INACT", 5, 7, false, func(_ *Model, r *row) Span { return Span{number(float64(r.inactive())), Plain} }},
	{"CONN/S", 6, 3, false, func(_ *Model, r *row) Span { return Span{number(r.rate.Connections), Plain} }},
	{bytesTitle, 7, 5, false, func(_ *Model, r *row) Span { return Span{number(r.rate.InBytes + r.rate.OutBytes), Plain} }},
	{"IN-B/S", 6, bothNeed, false, func(_ *Model, r *row) Span { return Span{number(r.rate.InBytes), Plain} }},
	{"OUT-B/S", 7, bothNeed, false, func(_ *Model, r *row) Span { return Span{number(r.rate.OutBytes), Plain} }},
}

const bytesTitle = "BYTES/S"

// Widths of what is not in fields, and what is needed when.
const (
	leastName = 22
	leastNote = 17
	noteNeed  = 6
	bothNeed  = 8 // bytes in and out, instead of both together
)

// layout is what a screen has room for.
type layout struct {
	name, note int // widths; note 0: there is none
	fields     []field
}

func (m *Model) layout(rows []row) layout {
	l := layout{name: leastName}
	rest := m.size.Width - leastName
	in := make(map[int]bool)
	for need := 1; need <= bothNeed; need++ {
		width := 0
		for _, f := range fields {
			if f.need == need {
				width += f.width + 1
			}
			if need == bothNeed && f.title == bytesTitle {
				width -= f.width + 1 // they replace it
			}
		}
		if need == noteNeed {
			width = leastNote + 1
		}
		if rest < width {
			break
		}
		rest -= width
		in[need] = true
	}
	for _, f := range fields {
		switch {
		case !in[f.need]:
		case f.title == bytesTitle && in[bothNeed]:
		default:
			l.fields = append(l.fields, f)
		}
	}
	longest := leastName
	for i := range rows {
		longest = max(longest, cells(m.label(&rows[i])))
	}
	grow := min(max(rest, 0), longest-leastName)
	if !in[noteNeed] {
		grow = max(rest, 0)
	} else {
		l.note = leastNote + rest - grow - 1 // there are two blanks before it
	}
	l.name += grow
	return l
}

func (l *layout) title() (line Line) {
	line.add(Dim, "%-*s", l.name, "SERVICE, SERVER")
	for _, f := range l.fields {
		if f.left {
			line.add(Dim, " %-*s", f.width, f.title)
		} else {
			line.add(Dim, " %*s", f.width, f.title)
		}
	}
	if l.note > 0 {
		line.add(Dim, "  NOTE")
	}
	return line
}

func (l *layout) line(m *Model, r *row) (line Line) {
	style := Plain
	if r.server == nil {
		style = Bold
	}
	line.add(style, "%s", pad(short(m.label(r), l.name, true), l.name, true))
	for _, f := range l.fields {
		s := f.cell(m, r)
		line.add(s.Style, " %s", pad(short(s.Text, f.width, f.left), f.width, f.left))
	}
	if l.note > 0 {
		if s := m.note(r); s.Text != "" {
			line.add(s.Style, "  %s", short(s.Text, l.note, true))
		}
	}
	return line
}

// label is how a row is called.
func (m *Model) label(r *row) string {
	var text string
	switch {
	case r.server == nil && r.service.Group != "":
		return r.service.Key.String() + " " + r.service.Group
	case r.server == nil:
		return r.service.Key.String()
	case m.shape == tree:
		text = "  "
	}
	text += r.server.Addr.String()
	if r.server.Name != "" {
		text += " " + r.server.Name
	}
	if r.server.Sorry {
		text += " (sorry)"
	}
	return text
}

// health is how a server is, or how many of a service serve.
func (r *row) health() Span {
	if r.server == nil {
		serving, all := r.service.Count()
		style := Good
		switch {
		case serving == 0:
			style = Bad
		case serving < all:
			style = Warn
		}
		return Span{fmt.Sprintf("%d/%d", serving, all), style}
	}
	switch {
	case r.server.Off:
		return Span{"off", Warn}
	case len(r.server.Checks) == 0:
		return Span{"no check", Dim}
	case r.server.Health == health.Up:
		return Span{"up", Good}
	case r.server.Health == health.Down:
		return Span{"down", Bad}
	}
	return Span{r.server.Health.String(), Warn}
}

// weight is what a server's is in the table, and in the configuration if that is another one.
func (r *row) weight() Span {
	if r.server == nil {
		return Span{}
	}
	text := "-"
	if r.server.InTable {
		text = strconv.Itoa(int(r.server.TableWeight))
		if r.server.TableWeight == r.server.Weight {
			return Span{text, Plain}
		}
	}
	style := Warn
	if r.server.Sorry {
		style = Plain // it waits
	}
	return Span{text + "/" + strconv.Itoa(int(r.server.Weight)), style}
}

// note is what is special about a row.
func (m *Model) note(r *row) Span {
	now := m.snapshot.At
	if r.server == nil {
		notes := r.service.Notes()
		if len(notes) == 0 && m.shape == services && m.sort == byOrder {
			return Span{strings.Join(r.service.Options, " "), Dim}
		}
		return Span{strings.Join(notes, ", "), Bad}
	}
	why := strings.Join(r.server.Why(now), "; ")
	if m.shape == servers {
		why = strings.TrimSuffix(nameOf(r.service)+"; "+why, "; ")
	}
	style := Dim
	if w := serves(r.server); w != nil {
		style = Warn
		state := "disabled"
		switch n := left(r.service, r.server); {
		case w.What != admin.Drain || w.Ended:
		case n > 0:
			state = fmt.Sprintf("drains, %s left", number(float64(n)))
		default:
			state = "drained"
		}
		why = state + "; " + why
	}
	return Span{why, style}
}

// number returns a number in at most four characters: 999, 1.2k, 35k, 1.2M.
func number(f float64) string {
	if f < 9.95 && f != float64(int64(f)) {
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	if f < 999.5 {
		return strconv.FormatFloat(f, 'f', 0, 64)
	}
	for _, unit := range []string{"k", "M", "G", "T", "P"} {
		if f /= 1000; f < 9.95 {
			return strconv.FormatFloat(f, 'f', 1, 64) + unit
		} else if f < 999.5 {
			return strconv.FormatFloat(f, 'f', 0, 64) + unit
		}
	}
	return "much"
}
