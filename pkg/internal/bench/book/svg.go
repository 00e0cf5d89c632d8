package book

import (
	"fmt"
	"html"
	"slices"
	"strings"
)

// Where things are in a plot, in its units, which are pixels of a screen unless it is enlarged.
const (
	plotWidth = 760
	plotLeft  = 150 // of the axis; names are left of it
	plotRight = 600 // of the axis; figures are right of it
	lineStep  = 18  // from one bar to the next
)

// style has colours that can be told apart by those who see no red or no green, on light and on dark paper.
const style = `<style>
text{font:12px system-ui,sans-serif;fill:#1f2328}.t{font-weight:600}.h{font-size:14px;font-weight:600}.e{text-anchor:end}.m{text-anchor:middle}
.g{stroke:#8c959f;stroke-opacity:.4}.w{stroke:#1f2328;fill:none}
.c0{fill:#0072b2;stroke:#0072b2}.c1{fill:#d55e00;stroke:#d55e00}.c2{fill:#009e73;stroke:#009e73}.c3{fill:#b0559a;stroke:#b0559a}.c4{fill:#8a6d00;stroke:#8a6d00}
.l{fill:none;stroke-width:2}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.w{stroke:#e6edf3}
.c0{fill:#56b4e9;stroke:#56b4e9}.c1{fill:#ff9a4d;stroke:#ff9a4d}.c2{fill:#3fd0a4;stroke:#3fd0a4}.c3{fill:#e59fd0;stroke:#e59fd0}.c4{fill:#f0e442;stroke:#f0e442}.l{fill:none}}
</style>
`

// plots says whether there is anything to draw: lines need two places.
func (t *Table) plots() bool {
	known := 0
	for _, r := range t.Rows {
		if slices.ContainsFunc(t.Contenders, func(name string) bool { return r.Cells[name].known() }) {
			known++
		}
	}
	return known > 1 || known == 1 && t.X == ""
}

// SVG returns the plot of a table: lines where something grows, else bars. It is empty if there is nothing to draw.
func (t *Table) SVG() string {
	switch {
	case !t.plots():
		return ""
	case t.X != "":
		return t.lines()
	}
	return t.bars()
}

// picture is an SVG in the making.
type picture struct {
	strings.Builder
	height int
}

func (p *picture) add(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

func (p *picture) text(class string, x, y int, text string) {
	p.add(`<text class="%s" x="%d" y="%d">%s</text>`, class, x, y, html.EscapeString(text))
}

// whole puts a picture into its frame. Who does not see it is told what it shows.
func (p *picture) whole(t *Table) string {
	return fmt.Sprintf("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\" aria-labelledby=\"title desc\">\n"+
		"<title id=\"title\">%s</title>\n<desc id=\"desc\">%s</desc>\n%s%s</svg>\n",
		plotWidth, p.height, plotWidth, p.height, html.EscapeString(t.Title), html.EscapeString(t.told()), style, p.String())
}

// told says all figures in words.
func (t *Table) told() string {
	var rows []string
	for _, r := range t.Rows {
		var cells []string
		for _, contender := range t.Contenders {
			if c := r.Cells[contender]; c.known() {
				cells = append(cells, contender+" "+c.text(t.Unit))
			}
		}
		if len(cells) > 0 {
			rows = append(rows, strings.TrimSpace(r.Label+" "+t.X)+": "+strings.Join(cells, ", "))
		}
	}
	better := "Less is better. "
	if t.Unit.more() {
		better = "More is better. "
	}
	return better + strings.Join(rows, "; ") + "."
}

// axis is that of a table's figures and, where they are drawn, their spreads.
func (t *Table) axis() axis {
	var numbers []float64
	for _, r := range t.Rows {
		for _, contender := range t.Contenders {
			switch c := r.Cells[contender]; {
			case !c.known():
			case len(c.Of) > 0:
				numbers = append(numbers, c.figure())
			default:
				numbers = append(numbers, c.least(), c.most())
			}
		}
	}
	return newAxis(numbers)
}

// mark is what a number at the axis is called.
func (t *Table) mark(v float64) string {
	for _, r := range t.Rows {
		for _, c := range r.Cells {
			if len(c.Of) > 0 {
				return number(100*v) + " %"
			}
		}
	}
	return t.Unit.text(v)
}

func (t *Table) header(p *picture, a axis) {
	p.text("h", 8, 20, t.Title)
	how := "less is better"
	if t.Unit.more() {
		how = "more is better"
	}
	if a.decades {
		how += "; each power of ten takes the same room"
	}
	p.text("", 8, 38, how)
	p.height = 48
}

// bars draws a bar for each figure. A bar has to begin at 0, so there are dots where the axis does not.
func (t *Table) bars() string {
	p, a := new(picture), t.axis()
	t.header(p, a)
	top := p.height
	body := new(picture)
	y := top
	for _, r := range t.Rows {
		if !slices.ContainsFunc(t.Contenders, func(name string) bool { return r.Cells[name].known() }) {
			continue
		}
		body.text("t", 8, y+14, r.Label)
		y += lineStep + 2
		for n, contender := range t.Contenders {
			c := r.Cells[contender]
			if !c.known() {
				continue
			}
			middle := y + lineStep/2
			body.text("e", plotLeft-8, middle+4, contender)
			x := across(a, c.figure())
			end := x
			if a.decades {
				body.add(`<circle class="c%d" cx="%.1f" cy="%d" r="5"/>`, n%5, x, middle)
				end += 5
			} else {
				body.add(`<rect class="c%d" x="%d" y="%d" width="%.1f" height="12"/>`, n%5, plotLeft, middle-6, x-plotLeft)
			}
			if len(c.Of) == 0 && len(c.Values) > 1 {
				from, to := across(a, c.least()), across(a, c.most())
				body.add(`<path class="w" d="M%.1f %dH%.1fM%.1f %dv8M%.1f %dv8"/>`, from, middle, to, from, middle-4, to, middle-4)
				end = max(end, to)
			}
			figure, _, _ := strings.Cut(c.text(t.Unit), " (")
			body.text("", int(end)+8, middle+4, figure)
			y += lineStep
		}
		y += 8
	}
	for _, mark := range a.marks() {
		x := across(a, mark)
		p.add(`<path class="g" d="M%.1f %dV%d"/>`, x, top, y)
		p.text("m", int(x), y+16, t.mark(mark))
	}
	p.WriteString(body.String())
	p.height = y + 26
	return p.whole(t)
}

func across(a axis, v float64) float64 { return plotLeft + a.at(v)*(plotRight-plotLeft) }
