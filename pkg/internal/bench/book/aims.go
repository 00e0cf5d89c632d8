package book

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Aim is what a figure should be.
type Aim struct {
	Issue  int
	Wanted string // in words

	// The figure: a cell of ours, or how many times better than another contender's ours is. An aim whose Chapter is empty is measured by something
	// that is no chapter.
	Chapter, Table, Row string
	Against             string  // the other contender
	AtLeast, AtMost     float64 // what it has to be; of a figure with a unit AtMost, 0 where Zero is set
	Zero                bool
	Worst               bool // the worst of all measurements counts, not the median

	Before string // the figure where the book has none, and where it is from
	Met    Verdict
	Why    string // it is not met
}

// Verdict says whether an aim is met.
type Verdict string

// The verdicts.
const (
	Met     Verdict = "met"
	Partly  Verdict = "partly"
	Missed  Verdict = "**missed**"
	Unknown Verdict = "not measured"
)

// Judge returns the table of aims. Where the chapters have measured it, that counts; else the figure from before. A run of ours that brought no value
// is an aim missed, whatever the others brought.
func Judge(aims []Aim, chapters []Chapter) string {
	var b strings.Builder
	b.WriteString("## The aims\n\nWhat earlier issues wanted. A figure in italics is not of this book: its commands are in [contrib/bench](../README.md).\n\n" +
		"| issue | wanted | figure | | why not |\n| --- | --- | --- | --- | --- |\n")
	for _, a := range aims {
		figure, verdict := a.judge(chapters)
		why := a.Why
		if verdict == Met {
			why = ""
		}
		fmt.Fprintf(&b, "| %d | %s | %s | %s | %s |\n", a.Issue, escape(a.Wanted), escape(figure), verdict, escape(why))
	}
	return b.String()
}

func (a Aim) judge(chapters []Chapter) (figure string, verdict Verdict) {
	u, ours, other := a.find(chapters)
	if ours == nil {
		if a.Before == "" {
			return "", Unknown
		}
		return "*" + a.Before + "*", cmp.Or(a.Met, Unknown)
	}
	if a.Against != "" {
		times, known := u.better(ours, other)
		if !known {
			return "", Unknown
		}
		said := ours.said(u) + " against " + other.said(u)
		if f := factor(times); f != "" {
			said = f + ", " + said
		}
		return said, verdictOf(times >= a.AtLeast && ours.Missed == 0)
	}
	if !ours.known() {
		return ours.missed(), Unknown
	}
	v := ours.figure()
	if a.Worst && u.more() {
		v = ours.least()
	} else if a.Worst && len(ours.Of) == 0 {
		v = ours.most()
	}
	ok := a.AtMost == 0 || v <= a.AtMost
	ok = ok && v >= a.AtLeast && (!a.Zero || v == 0) && ours.Missed == 0
	return ours.said(u), verdictOf(ok)
}

// said is a figure, and how many runs brought none.
func (c *Cell) said(u Unit) string {
	text := c.text(u)
	if c.Missed > 0 {
		text = strings.TrimPrefix(text+"; "+c.missed(), "; ")
	}
	return text
}

func verdictOf(met bool) Verdict {
	if met {
		return Met
	}
	return Missed
}

// find returns the cells of an aim. Figures of a quick boot count for nothing.
func (a Aim) find(chapters []Chapter) (u Unit, ours, other *Cell) {
	for _, c := range chapters {
		if c.Name != a.Chapter || slices.ContainsFunc(c.Boots, func(b Boot) bool { return b.Quick }) {
			continue
		}
		for _, t := range c.Tables {
			for _, r := range t.Rows {
				if t.Name == a.Table && r.Label == a.Row {
					return t.Unit, r.Cells[t.Contenders[0]], r.Cells[a.Against]
				}
			}
		}
	}
	return "", nil, nil
}

// Dangling returns the aims that name a chapter which has no such row: a word in one of both has changed.
func Dangling(aims []Aim, chapters []Chapter) (names []string) {
	for _, a := range aims {
		for _, c := range chapters {
			if c.Name != a.Chapter {
				continue
			}
			if !slices.ContainsFunc(c.Tables, func(t *Table) bool {
				return t.Name == a.Table && slices.ContainsFunc(t.Rows, func(r *Row) bool { return r.Label == a.Row })
			}) {
				names = append(names, fmt.Sprintf("%s: chapter %s has no row %q in table %q", a.Wanted, a.Chapter, a.Row, a.Table))
			}
		}
	}
	return names
}
