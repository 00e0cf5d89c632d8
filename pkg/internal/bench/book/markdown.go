package book

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Files returns all files of a book by their names: README.md and the plots. The chapters' JSON is the caller's.
func Files(chapters []Chapter, aims []Aim) map[string]string {
	files := make(map[string]string)
	var b strings.Builder
	b.WriteString(preface)
	for _, c := range chapters {
		fmt.Fprintf(&b, "- [%s](#%s)\n", c.Title, anchor(c.Title))
	}
	if len(aims) > 0 {
		b.WriteString("- [The aims](#the-aims)\n")
	}
	for _, c := range chapters {
		b.WriteString("\n")
		b.WriteString(c.Markdown())
		for _, t := range c.Tables {
			if plot := t.SVG(); plot != "" {
				files[c.plot(t)] = plot
			}
		}
	}
	if len(aims) > 0 {
		b.WriteString("\n")
		b.WriteString(Judge(aims, chapters))
	}
	files["README.md"] = b.String()
	return files
}

const preface = `# The benchmark book

Written by ` + "`make bench`" + `; don't edit it. Every value of every run is in the chapters' JSON beside it, of which ` + "`scripts/bench -render`" + ` writes this page and the plots
without measuring. Figures with more of a story to them are in [contrib/bench](../README.md).

All contenders of a table were measured in turns, on the same kernel, in the same boot. A figure is the median of all measurements, of an even
number the mean of the middle two (in brackets the best to the worst of them). **x** is how many times better ipvsd is; below 1 it is worse, and the row is marked *behind* and told again under
"What we lose", unless the difference is below 2 %. The lab is one processor, which directors, clients and servers share: ratios mean something on other machines,
rates and times do not.

`

// anchor is how a heading is linked to.
func anchor(title string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z':
			return r
		}
		return -1
	}, strings.ToLower(title))
}

func (c Chapter) plot(t *Table) string { return c.Name + "-" + t.Name + ".svg" }

// Markdown returns the chapter as text, with links to its plots.
func (c Chapter) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n", c.Title)
	var commands []string
	for _, boot := range c.Boots {
		commands = united(commands, []string{boot.Command})
	}
	for _, command := range commands {
		fmt.Fprintf(&b, "    %s\n", command)
	}
	b.WriteString("\n" + c.circumstances())
	for _, note := range c.Notes {
		fmt.Fprintf(&b, "\n%s\n", note)
	}
	for _, t := range c.Tables {
		if len(t.Rows) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n### %s\n\n%s", t.Title, t.markdown())
		if t.plots() {
			fmt.Fprintf(&b, "\n![%s](%s)\n", t.Title, c.plot(t))
		}
	}
	fmt.Fprintf(&b, "\n### What we lose: %s\n\n", strings.ToLower(c.Title))
	lost := c.Lost()
	for _, l := range lost {
		fmt.Fprintf(&b, "- %s\n", escape(l))
	}
	if len(lost) == 0 {
		b.WriteString("Nothing of what is measured here.\n")
	}
	return b.String()
}

// circumstances tells where and when it was measured.
func (c Chapter) circumstances() string {
	var b strings.Builder
	for n, boot := range c.Boots {
		if n == 0 {
			if boot.Quick {
				b.WriteString("**A quick run, to see that the chapter works: these figures mean nothing.**\n\n")
			}
			fmt.Fprintf(&b, "%s; %s; commit %s; %s.\n", boot.Machine, boot.Kernel, boot.Commit, strings.Join(boot.Versions, ", "))
		}
		fmt.Fprintf(&b, "%s: one boot, %s, average load %s before it.\n", boot.When, plural(boot.Runs, "run"), boot.Load)
		if boot.Unfit != "" {
			fmt.Fprintf(&b, "**It did not come to its end**: %s.\n", boot.Unfit)
		}
	}
	return b.String()
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (t *Table) markdown() string {
	var b strings.Builder
	used := t.used()
	fmt.Fprintf(&b, "| %s | %s |\n|%s\n", t.X, strings.Join(used, " | "), strings.Repeat(" --- |", len(used)+1))
	for _, r := range t.Rows {
		label := escape(r.Label)
		if len(t.lost(r)) > 0 {
			label += " *(behind)*"
		}
		cells := []string{label}
		for n, contender := range used {
			cells = append(cells, t.cell(r, contender, n == 0))
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	return b.String()
}

// used are the contenders of which there is anything, and ours.
func (t *Table) used() []string {
	return slices.DeleteFunc(slices.Clone(t.Contenders), func(name string) bool {
		return name != t.Contenders[0] && !slices.ContainsFunc(t.Rows, func(r *Row) bool {
			c := r.Cells[name]
			return c.known() || c.missed() != ""
		})
	})
}

func (t *Table) cell(r *Row, contender string, ours bool) string {
	c := r.Cells[contender]
	if c == nil {
		return "-"
	}
	text := c.text(t.Unit)
	if ours && text != "" {
		figure, spread, several := strings.Cut(text, " (")
		text = "**" + figure + "**"
		if several {
			text += " (" + spread
		}
	} else if times, known := t.Unit.better(r.Cells[t.Contenders[0]], c); known && !ours {
		if f := factor(times); f != "" {
			text += ": " + f
		}
	}
	if missed := c.missed(); missed != "" {
		text = strings.TrimPrefix(text+"; "+escape(missed), "; ")
	}
	return cmp.Or(text, "-")
}

// escape keeps a text within its cell, and from being taken for HTML.
func escape(text string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "\n", " ").Replace(text)
}

// Lost says in which rows others are better, the worst for us first.
func (c Chapter) Lost() (told []string) {
	var all []loss
	for _, t := range c.Tables {
		for _, r := range t.Rows {
			all = append(all, t.lost(r)...)
		}
	}
	slices.SortStableFunc(all, func(a, b loss) int {
		switch {
		case a.times < b.times:
			return -1
		case a.times > b.times:
			return 1
		}
		return 0
	})
	for _, l := range all {
		told = append(told, l.text)
	}
	return told
}

// loss is a row in which another one is better.
type loss struct {
	times float64
	text  string
}

func (t *Table) lost(r *Row) (all []loss) {
	ours := r.Cells[t.Contenders[0]]
	for _, contender := range t.Contenders[1:] {
		other := r.Cells[contender]
		times, known := t.Unit.better(ours, other)
		if !known || times >= 1-level {
			continue
		}
		label := r.Label
		if t.X != "" {
			label += " " + t.X
		}
		text := fmt.Sprintf("%s, %s: %s, %s %s", t.Title, label, cmp.Or(ours.text(t.Unit), "none"), contender, other.text(t.Unit))
		if f := factor(times); f != "" {
			text += ": " + f
		}
		if ours.known() && len(ours.Of) == 0 && touch(ours, other) {
			text += "; the spreads touch"
		}
		all = append(all, loss{times, text})
	}
	return all
}
