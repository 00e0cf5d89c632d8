package keepalived

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/config/document"
)

// This file has what the keywords of VRRP take, read as keepalived 2.2.7 reads it: a value that it can't use it takes no notice
// of, with a line in its log. The warning says so at the word.

// truth are the words of a BOOL.
var truth = map[string]bool{"true": true, "on": true, "yes": true, "false": false, "off": false, "no": false}

// flag is a keyword that holds once it is there. What follows it counts for nothing.
func flag(t *translation, n *Node) {
	if on, known := truth[n.arg(0)]; known && !on {
		t.Warn(n.Args[0].At, "leave the line out if it is not to hold", "%s holds: keepalived takes no notice of the word %s behind it", n.Text, n.arg(0))
	}
	t.put(n, n.Text, true)
}

// since is a flag of keepalived 2.2.7 that people write a BOOL behind, as with other keywords and versions: it is what they say.
func since(t *translation, n *Node) {
	on, known := truth[n.arg(0)]
	switch {
	case !known && len(n.Args) > 0:
		if n.Text == "vrrp_min_garp" || n.Text == "skip_check_adv_addr" {
			t.Odd() // for which keepalived wants a BOOL
		}
		t.Warn(n.Args[0].At, "write true or false", "%q is neither true nor false, and %s holds", n.arg(0), n.Text)
	case known && !on:
		t.Warn(n.Args[0].At, "", "keepalived 2.2.7 takes no notice of the word %s, and %s holds there; not so with ipvsd", n.arg(0), n.Text)
	}
	t.put(n, n.Text, on || !known)
}

// boolean is a keyword with a BOOL, or alone.
func boolean(t *translation, n *Node) {
	if on, ok := t.truth(n); ok {
		t.put(n, n.Text, on)
	}
}

func (t *translation) truth(n *Node) (on, ok bool) {
	if len(n.Args) == 0 {
		return true, true
	}
	if on, ok = truth[n.arg(0)]; !ok {
		t.ignored(n.Args[0], "write true or false", "%q is neither true nor false", n.arg(0))
	}
	return on, ok
}

// ignored says what keepalived takes no notice of, and why.
func (t *translation) ignored(w Word, hint, why string, args ...any) {
	t.Drop(w.At, hint, "%s: keepalived takes no notice of it", fmt.Sprintf(why, args...))
}

// skipped is the same of what it says nothing of when it tests the file.
func (t *translation) skipped(w Word, hint, why string, args ...any) {
	t.Skip(w.At, hint, "%s: keepalived takes no notice of it", fmt.Sprintf(why, args...))
}

// word returns the argument that a keyword can't do without. If there is none keepalived doesn't start.
func (t *translation) word(n *Node, what string) (Word, bool) {
	if len(n.Args) > 0 {
		return n.Args[0], true
	}
	t.Error(n.At, "write "+what+" behind it, or leave the line out", "nothing follows %s: keepalived stops here", n.Text)
	return Word{}, false
}

// text is a keyword with a word.
func text(t *translation, n *Node) {
	if w, ok := t.word(n, "a word"); ok {
		t.put(n, n.Text, w.Text)
	}
}

// whole is a keyword with a whole number.
func whole(low, high int64) func(*translation, *Node) {
	return func(t *translation, n *Node) {
		if v, ok := t.whole(n, low, high); ok {
			t.put(n, n.Text, v)
		}
	}
}

func (t *translation) whole(n *Node, low, high int64) (int64, bool) {
	w, ok := t.word(n, "a number")
	if !ok {
		return 0, false
	}
	v, err := strconv.ParseInt(w.Text, 10, 64)
	if err != nil || v < low || v > high {
		t.ignored(w, fmt.Sprintf("write a number from %d to %d", low, high), "%s %s is no whole number from %d to %d", n.Text, w.Text, low, high)
		return 0, false
	}
	return v, true
}

// loose is a whole number of which keepalived takes the digits that it begins with, at least the first of a range.
func (t *translation) loose(n *Node, low, high int64) (int64, bool) {
	w, ok := t.word(n, "a number")
	if !ok {
		return 0, false
	}
	digits := w.Text
	if end := strings.IndexFunc(digits, func(c rune) bool { return c < '0' || c > '9' }); end >= 0 {
		digits = digits[:end]
	}
	v, err := strconv.ParseInt(digits, 10, 64)
	switch {
	case err != nil:
		t.ignored(w, fmt.Sprintf("write a number from %d to %d", low, high), "%s %s is no whole number from %d to %d", n.Text, w.Text, low, high)
		return 0, false
	case v > high:
		if v > math.MaxUint32 {
			t.Odd()
		}
		t.Warn(w.At, fmt.Sprintf("write %d, or less", high), "%s is at most %d with ipvsd, which takes it instead of %s", n.Text, high, w.Text)
		return high, true
	case v < low:
		t.Assume(w.At, fmt.Sprintf("write %d, or more", low), "%s is at least %d, which keepalived takes instead of %s", n.Text, low, w.Text)
		return low, true
	case digits != w.Text:
		t.Assume(w.At, "write a whole number", "%s is a whole number: keepalived takes %d of %s", n.Text, v, w.Text)
	}
	return v, true
}

func loose(low, high int64) func(*translation, *Node) {
	return func(t *translation, n *Node) {
		if v, ok := t.loose(n, low, high); ok {
			t.put(n, n.Text, v)
		}
	}
}

// decimal is a keyword with a number of seconds, or of another unit.
func decimal(low, high float64) func(*translation, *Node) {
	return func(t *translation, n *Node) {
		if v, ok := t.decimal(n, low, high); ok {
			t.put(n, n.Text, v)
		}
	}
}

func (t *translation) decimal(n *Node, low, high float64) (float64, bool) {
	w, ok := t.word(n, "a number")
	if !ok {
		return 0, false
	}
	v, err := strconv.ParseFloat(w.Text, 64)
	if err != nil || !(v >= low && v <= high) { // NaN is neither
		t.ignored(w, fmt.Sprintf("write a number from %s to %s", plain(low), plain(high)), "%s %s is no number from %s to %s",
			n.Text, w.Text, plain(low), plain(high))
		return 0, false
	}
	return v, true
}

func plain(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// as is a keyword that goes by another name.
func as(key string, translate func(*translation, *Node)) func(*translation, *Node) {
	return func(t *translation, n *Node) {
		called := *n
		called.Text = key
		translate(t, &called)
	}
}

// renamed is a keyword that goes by another name, of which keepalived tells.
func renamed(key string, translate func(*translation, *Node)) func(*translation, *Node) {
	return func(t *translation, n *Node) {
		t.Assume(n.At, "write "+key, "%s is the old name of %s", n.Text, key)
		as(key, translate)(t, n)
	}
}

// unused is a keyword that has nothing to act on, and whose value keepalived looks at all the same.
func unused(translate func(*translation, *Node)) func(*translation, *Node) {
	return func(t *translation, n *Node) {
		if len(n.Args) > 0 { // without one nothing is lost
			t.collect(func() { translate(t, n) })
		}
		t.Note(n.At, n.keyword.remark, "%s has nothing to act on", n.Text)
	}
}

// items returns the items of a list that is being written.
func (t *translation) items(key string) []document.Item {
	if i := t.index(key); i >= 0 {
		list, _ := t.open.lines[i].value.([]document.Item)
		return list
	}
	return nil
}

// list adds an item to a list for a line of n's block. A block that is there twice goes on with the list.
func (t *translation) list(n, line *Node, key string, value any) {
	items := t.items(key)
	item := document.Item{At: line.At, Value: value}
	if n != line || len(items) > 0 { // the comments of the node that begins the list stand before it
		item.Comments, item.Behind = line.Before, line.Behind
	}
	if len(items) == 0 {
		t.put(n, key, []document.Item{item})
		return
	}
	l := &t.open.lines[t.index(key)]
	if n != line && n != l.node {
		item.Comments = slices.Concat(n.comments(), item.Comments)
		n.Before, n.Behind = nil, "" // they are with the first line of their block
	}
	l.value = append(items, item)
}

// value returns what a key of the table that is being written has, nil if it isn't there.
func (t *translation) value(key string) any {
	if i := t.index(key); i >= 0 {
		return t.open.lines[i].value
	}
	return nil
}

// node returns the node of a key that is set.
func (t *translation) node(key string) *Node { return t.open.lines[t.index(key)].node }

// drop takes a key out of the table that is being written, and returns the node that it is from, nil if there is none.
func (t *translation) drop(key string) *Node {
	i := t.index(key)
	if i < 0 {
		return nil
	}
	n := t.open.lines[i].node
	t.open.lines = slices.Delete(t.open.lines, i, i+1)
	return n
}
