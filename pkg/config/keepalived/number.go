package keepalived

import (
	"math"
	"strconv"
	"strings"
)

// number reads a whole number as keepalived reads most of IPVS's: up to the first character that is no digit, and 0 if there is
// none. What is out of range doesn't count.
func (t *translation) number(n *Node, lowest, highest int64) (int64, bool) {
	w, ok := t.word(n, "a number")
	if !ok {
		return 0, false
	}
	v, rest := leading(w.Text)
	switch {
	case v < lowest || v > highest:
		t.ignored(w, "", "%s must be %d to %d, not %s", n.Text, lowest, highest, w.Text)
		return 0, false
	case rest != "":
		t.Drop(w.At, "write a number", "%s: keepalived takes %q for %d", n.Text, w.Text, v)
	}
	return v, true
}

// leading returns the number that a text begins with, and what comes behind it.
func leading(s string) (v int64, rest string) {
	sign := 0
	if strings.HasPrefix(s, "-") {
		sign = 1
	}
	end := sign
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	if end == sign {
		return 0, s
	}
	v, err := strconv.ParseInt(s[:end], 10, 64)
	if err != nil {
		v = math.MaxInt64 // or less than any, which is out of range as well
	}
	return v, s[end:]
}

// seconds reads a number of seconds that may have decimals. keepalived makes quite another time of "5s".
func (t *translation) seconds(n *Node, lowest, highest float64) (float64, bool) {
	w, ok := t.word(n, "a number of seconds")
	if !ok {
		return 0, false
	}
	end := strings.IndexFunc(w.Text, func(c rune) bool { return (c < '0' || c > '9') && c != '.' })
	if end < 0 {
		end = len(w.Text)
	}
	v, err := strconv.ParseFloat(w.Text[:end], 64)
	switch {
	case err != nil:
		t.ignored(w, "", "%s: %q is no number of seconds", n.Text, w.Text)
		return 0, false
	case v < lowest || v > highest:
		t.ignored(w, "", "%s must be %s to %s seconds, not %s", n.Text, plain(lowest), plain(highest), w.Text)
		return 0, false
	case end < len(w.Text):
		t.Drop(w.At, "write "+w.Text[:end], "%s: of what is behind the number in %q keepalived makes another time; here it is %s seconds",
			n.Text, w.Text, plain(v))
	}
	return math.Round(v*1e6) / 1e6, true
}

// number is a keyword with a whole number.
func number(lowest, highest int64) func(*translation, *Node) {
	return func(t *translation, n *Node) {
		if v, ok := t.number(n, lowest, highest); ok {
			t.put(n, n.Text, v)
		}
	}
}

// timer is a keyword with a number of seconds. Of what keepalived takes ipvsd takes from a least one up to 31 days.
func timer(lowest, least float64) func(*translation, *Node) {
	return func(t *translation, n *Node) {
		v, ok := t.seconds(n, lowest, 4294967)
		if !ok {
			return
		}
		if in := min(max(v, least), 31*24*3600); in != v {
			t.Note(n.Args[0].At, "write "+plain(in), "%s is %s seconds here", n.Text, plain(in))
			v = in
		}
		t.put(n, n.Text, v)
	}
}
