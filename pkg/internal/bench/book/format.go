package book

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// text says a number of this unit with three digits.
func (u Unit) text(v float64) string {
	switch u {
	case Time:
		return scaled(v, []scale{{1, "s"}, {1e-3, "ms"}, {1e-6, "µs"}, {1e-9, "ns"}})
	case Bytes:
		return scaled(v, []scale{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}, {1, "B"}})
	case Rate:
		return number(v) + "/s"
	case Count:
	}
	return number(v)
}

// more says whether more of it is better.
func (u Unit) more() bool { return u == Rate }

// scale is so much, and what it is called.
type scale struct {
	one  float64
	name string
}

// scaled says a number in the largest of these of which there is one. They get smaller.
func scaled(v float64, scales []scale) string {
	last := scales[len(scales)-1]
	if v == 0 {
		return "0 " + scales[0].name
	}
	for _, s := range scales {
		if v >= s.one*0.9995 {
			last = s
			break
		}
	}
	return digits(v/last.one) + " " + last.name
}

// number writes a whole number as it is, another one with three digits.
func number(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return thousands(strconv.FormatFloat(v, 'f', 0, 64))
	}
	return digits(v)
}

// digits writes three digits, all of those before the point, and commas between thousands.
func digits(v float64) string {
	size := int(math.Floor(math.Log10(math.Abs(v) * 1.0005))) // 0 of 1 to 9.99
	return thousands(strconv.FormatFloat(v, 'f', max(0, 2-size), 64))
}

func thousands(text string) string {
	whole, rest, fraction := strings.Cut(text, ".")
	var groups []string
	for len(strings.TrimPrefix(whole, "-")) > 3 {
		groups = append(groups, whole[len(whole)-3:])
		whole = whole[:len(whole)-3]
	}
	groups = append(groups, whole)
	slices.Reverse(groups)
	text = strings.Join(groups, ",")
	if fraction {
		text += "." + rest
	}
	return text
}

// text says what a cell holds: the figure, with the best and the worst in brackets if there are several.
func (c *Cell) text(u Unit) string {
	if !c.known() {
		return ""
	}
	if len(c.Of) > 0 {
		return fmt.Sprintf("%s of %s", number(sum(c.Values)), number(sum(c.Of)))
	}
	text := u.text(c.figure())
	if len(c.Values) > 1 {
		best, worst := c.least(), c.most()
		if u.more() {
			best, worst = worst, best
		}
		text += fmt.Sprintf(" (%s to %s)", u.text(best), u.text(worst))
	}
	return text
}

// missed says in how many runs there was no value, and why.
func (c *Cell) missed() string {
	switch {
	case c == nil:
		return ""
	case c.Missed == 0:
		return c.Note
	case c.Note == "":
		return fmt.Sprintf("no value in %d of %s", c.Missed, plural(c.Missed+len(c.Values), "run"))
	}
	return fmt.Sprintf("no value in %d of %s: %s", c.Missed, plural(c.Missed+len(c.Values), "run"), c.Note)
}

// better returns how many times better ours is than another: below 1, it is worse. Who never got there is worse than who did. Where there is nothing to
// divide by, known is false.
func (u Unit) better(ours, other *Cell) (times float64, known bool) {
	switch {
	case ours == nil || other == nil:
		return 0, false
	case ours.known() && !other.known():
		return math.Inf(1), other.Missed > 0
	case !ours.known():
		return 0, ours.Missed > 0 && other.known()
	}
	a, b := other.figure(), ours.figure()
	if u.more() {
		a, b = b, a
	}
	switch {
	case a == b:
		return 1, true
	case b == 0:
		return math.Inf(1), true
	}
	return a / b, true
}

// factor is what a table says of it.
func factor(times float64) string {
	switch {
	case math.IsInf(times, 1) || times == 0:
		return ""
	case times >= 10:
		return fmt.Sprintf("%.0f x", times)
	case times >= 0.095:
		return fmt.Sprintf("%.2g x", times)
	}
	return fmt.Sprintf("%.1g x", times)
}

// level is how near to each other two figures have to be for neither to be worse.
const level = 0.02

// touch says whether the spreads of two cells with figures have a part in common.
func touch(a, b *Cell) bool {
	return a.least() <= b.most() && b.least() <= a.most()
}
