package keepalived

import (
	"strconv"
	"strings"
)

var scriptScope = scope{"vrrp_script", []keyword{
	{"script", Honoured, "", nil}, // vrrpScript reads it
	{"interval", Honoured, "", (*translation).scriptTime},
	{"timeout", Honoured, "", (*translation).scriptTime},
	{"weight", Honoured, "", weight(253, true)},
	{"rise", Honoured, "", loose(1, 1<<31-1)},
	{"fall", Honoured, "", loose(1, 1<<31-1)},
	{"user", Honoured, "", (*translation).scriptUser},
	{"init_fail", Idle, "one run decides with keepalived whatever it says, as soon as something depends on the script", nil},
}}

// vrrpScript reads a vrrp_script. One that can't be run nothing depends on.
func (t *translation) vrrpScript(n *Node) {
	if !t.first(n) {
		return
	}
	script := t.block(n, "script")
	if script == nil {
		t.ignored(n.Word, "write script in it", "the vrrp_script %s has no script", n.arg(0))
		return
	}
	if len(script.Args) > 1 {
		t.Warn(script.Args[1].At, "write the command with its arguments in double quotes", "%s is no part of the command: keepalived takes no notice of it", script.Args[1].Text)
		script.Args = script.Args[:1]
	}
	p, ok := t.command(script, script.Args)
	if !ok {
		return
	}
	if p.missing != nil {
		t.Warn(script.Args[0].At, "write where a program is that can be run", "%s: %v: keepalived disables the script, and nothing depends on it", p.argv[0], p.missing)
		return
	}
	if user := t.block(n, "user"); user != nil && !t.account(user.Word, user.arg(0), user.arg(1)) {
		t.Drop(user.At, "write a user, and a group, that this host has", "there is no account %s: keepalived disables the script, and nothing depends on it", strings.TrimSpace(user.arg(0)+" "+user.arg(1)))
		return
	}
	owner := ""
	if user := t.block(n, "user"); user != nil {
		owner = user.arg(0)
	}
	t.runs(script.Args[0], owner)
	t.defined("track_script", n)
	t.table(n, n.header(n.Text), false, 0, func() {
		t.put(script, "script", p.value())
		t.walk(n)
	})
}

// scriptTime is whole seconds, at least one. Newer versions have decimals, 2.2.7 has the number before the point.
func (t *translation) scriptTime(n *Node) {
	if v, ok := t.loose(n, 1, mostSeconds); ok {
		t.put(n, n.Text, v)
	}
}

func (t *translation) scriptUser(n *Node) {
	if _, ok := t.word(n, "a user"); ok {
		t.put(n, n.Text, strings.TrimSpace(n.arg(0)+" "+n.arg(1)))
	}
}

// weight is a number that may be reversed. Beyond the range keepalived ignores it, or complains and takes it.
func weight(most int64, beyond bool) func(*translation, *Node) {
	return func(t *translation, n *Node) {
		w, ok := t.word(n, "a number")
		if !ok {
			return
		}
		v, err := strconv.ParseInt(w.Text, 10, 32)
		switch {
		case err == nil && (v > most || v < -most) && beyond:
			v = max(min(v, most), -most)
			t.Assume(w.At, "write "+strconv.FormatInt(v, 10), "weight %s is beyond %d, which comes to the same: a priority ends at 1 and 254", w.Text, v)
		case err != nil || v > most || v < -most:
			t.ignored(w, "write a number from "+strconv.FormatInt(-most, 10)+" to "+strconv.FormatInt(most, 10), "weight %s is no number from %d to %d", w.Text, -most, most)
			return
		}
		switch {
		case n.arg(1) == "reverse":
			t.put(nil, "reverse", true)
		case n.arg(1) != "":
			t.ignored(n.Args[1], "write reverse, or nothing", "%q behind the weight means nothing", n.arg(1))
		}
		t.put(n, n.Text, v)
	}
}
