package book

import (
	"fmt"
	"strings"
)

// Where lines are.
const (
	linesLeft   = 90
	linesRight  = 730
	linesHeight = 280
)

// lines draws how figures grow: a line for each contender, with a mark of its own shape.
func (t *Table) lines() string {
	p, a := new(picture), t.axis()
	t.header(p, a)
	p.height += t.legend(p)
	top, bottom := p.height, p.height+linesHeight
	var xs []float64
	for _, r := range t.Rows {
		xs = append(xs, r.X)
	}
	wide := newAxis(xs)
	x := func(v float64) float64 { return linesLeft + wide.at(v)*(linesRight-linesLeft) }
	y := func(v float64) float64 { return float64(bottom) - a.at(v)*linesHeight }

	for _, mark := range a.marks() {
		p.add(`<path class="g" d="M%d %.1fH%d"/>`, linesLeft, y(mark), linesRight)
		p.text("e", linesLeft-8, int(y(mark))+4, t.mark(mark))
	}
	last := -100.0
	for _, v := range xs {
		if x(v) < last+30 {
			continue // there is no room for two numbers
		}
		last = x(v)
		p.add(`<path class="g" d="M%.1f %dV%d"/>`, last, top, bottom)
		p.text("m", int(last), bottom+16, number(v))
	}
	p.text("m", (linesLeft+linesRight)/2, bottom+34, t.X)

	for n, contender := range t.Contenders {
		var way []string
		for _, r := range t.Rows {
			c := r.Cells[contender]
			if !c.known() {
				continue
			}
			at, high := x(r.X), y(c.figure())
			way = append(way, fmt.Sprintf("%.1f %.1f", at, high))
			if len(c.Of) == 0 && len(c.Values) > 1 {
				p.add(`<path class="w" d="M%.1f %.1fV%.1f"/>`, at, y(c.least()), y(c.most()))
			}
			p.shape(n, at, high)
		}
		if len(way) > 1 {
			p.add(`<path class="c%d l" d="M%s"/>`, n%5, strings.Join(way, "L"))
		}
	}
	p.height = bottom + 46
	return p.whole(t)
}

// legend says whose line is whose, and returns how much room that took.
func (t *Table) legend(p *picture) int {
	x := 16
	for n, contender := range t.Contenders {
		p.shape(n, float64(x), float64(p.height)+6)
		p.text("", x+10, p.height+10, contender)
		x += 40 + 7*len(contender)
	}
	return 26
}

// shape draws a contender's mark.
func (p *picture) shape(n int, x, y float64) {
	switch n % 5 {
	case 0:
		p.add(`<circle class="c0" cx="%.1f" cy="%.1f" r="5"/>`, x, y)
	case 1:
		p.add(`<rect class="c1" x="%.1f" y="%.1f" width="9" height="9"/>`, x-4.5, y-4.5)
	case 2:
		p.add(`<path class="c2" d="M%.1f %.1fl5.5 10h-11z"/>`, x, y-6)
	case 3:
		p.add(`<path class="c3" d="M%.1f %.1fl6 6l-6 6l-6 -6z"/>`, x, y-6)
	case 4:
		p.add(`<path class="c4" d="M%.1f %.1fl5.5 -10h-11z"/>`, x, y+6)
	}
}
