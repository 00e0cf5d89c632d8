package keepalived

import (
	"math"
	"strconv"
	"strings"
)

// needs says whether a keyword has so many arguments; keepalived doesn't start without them.
func (t *translation) needs(n *Node, arguments int) bool {
	if len(n.Args) >= arguments {
		return true
	}
	t.Error(n.At, "write it, or leave "+n.Text+" out", "%s has no value: keepalived stops here", n.Text)
	return false
}

// whole reads a whole number as keepalived does: up to the first character that is no digit, 0 if there is none. What is out of
// range doesn't count. Of a strict keyword, neither does what is no number.
func (t *translation) whole(n *Node, i int, lowest, highest int64, strict bool) (int64, bool) {
	if !t.needs(n, i+1) {
		return 0, false
	}
	w := n.Args[i]
	digits := strings.TrimPrefix(w.Text, "+")
	end := strings.IndexFunc(strings.TrimPrefix(digits, "-"), func(c rune) bool { return c < '0' || c > '9' })
	if end >= 0 {
		end += len(digits) - len(strings.TrimPrefix(digits, "-"))
		digits = digits[:end]
	}
	v, err := strconv.ParseInt(digits, 10, 64)
	if err != nil && digits != "" && digits != "-" {
		v = math.MaxInt64
		if digits[0] == '-' {
			v = math.MinInt64
		}
	}
	switch {
	case end >= 0 && strict || digits == "" || digits == "-":
		if strict || lowest > 0 {
			t.Warn(w.At, "", "%s: %q is no number; keepalived ignores it", n.Text, w.Text)
			return 0, false
		}
		t.Warn(w.At, "write a number", "%s: %q is no number; keepalived takes it for 0", n.Text, w.Text)
		return 0, true
	case v < lowest || v > highest:
		t.Warn(w.At, "", "%s must be %d to %d, not %s; keepalived ignores it", n.Text, lowest, highest, w.Text)
		return 0, false
	case end >= 0:
		t.Warn(w.At, "", "%s: keepalived takes %q for %d", n.Text, w.Text, v)
	}
	return v, true
}

// seconds reads a number of seconds that may have decimals.
func (t *translation) seconds(n *Node, i int, lowest, highest float64) (float64, bool) {
	if !t.needs(n, i+1) {
		return 0, false
	}
	w := n.Args[i]
	end := strings.IndexFunc(w.Text, func(c rune) bool { return (c < '0' || c > '9') && c != '.' })
	number := w.Text
	if end >= 0 {
		number = w.Text[:end]
	}
	v, err := strconv.ParseFloat(number, 64)
	switch {
	case err != nil:
		t.Warn(w.At, "", "%s: %q is no number of seconds; keepalived ignores it", n.Text, w.Text)
		return 0, false
	case v < lowest || v > highest:
		t.Warn(w.At, "", "%s must be %v to %v seconds, not %s; keepalived ignores it", n.Text, lowest, highest, w.Text)
		return 0, false
	case end >= 0:
		t.Warn(w.At, "write "+number, "%s: %q has something behind the number, which keepalived makes another time of; it is %v seconds now", n.Text, w.Text, v)
	}
	return math.Round(v*1e6) / 1e6, true
}

// onOff reads a boolean; without one it is what the bare keyword means.
func (t *translation) onOff(n *Node, bare bool) (on, ok bool) {
	if len(n.Args) == 0 {
		return bare, true
	}
	switch w := n.Args[0]; w.Text {
	case "true", "on", "yes":
		return true, true
	case "false", "off", "no":
		return false, true
	default:
		t.Warn(w.At, "write on or off", "%s: %q is neither on nor off; keepalived ignores the line", n.Text, w.Text)
		return false, false
	}
}

// flag puts true for a keyword that is on wherever it stands, whatever is behind it.
func flag(t *translation, n *Node) {
	if len(n.Args) > 0 {
		if w := n.Args[0]; w.Text == "off" || w.Text == "no" || w.Text == "false" {
			t.Warn(w.At, "leave "+n.Text+" out", "%s is on: keepalived doesn't read what is behind it", n.Text)
		}
	}
	t.put(n, n.Text, true)
}

// boolean puts what a keyword with an optional boolean says; bare, it is on.
func boolean(t *translation, n *Node) {
	if on, ok := t.onOff(n, true); ok {
		t.put(n, n.Text, on)
	}
}

// whole returns a function that puts a whole number.
func whole(lowest, highest int64, strict bool) func(*translation, *Node) {
	return func(t *translation, n *Node) {
		if v, ok := t.whole(n, 0, lowest, highest, strict); ok {
			t.put(n, n.Text, v)
		}
	}
}

// seconds returns a function that puts a number of seconds.
func seconds(lowest, highest float64) func(*translation, *Node) {
	return func(t *translation, n *Node) {
		if v, ok := t.seconds(n, 0, lowest, highest); ok {
			t.put(n, n.Text, v)
		}
	}
}

// text puts one word.
func text(t *translation, n *Node) {
	if t.needs(n, 1) {
		t.put(n, n.Text, n.Args[0].Text)
	}
}
