package keepalived

import (
	"fmt"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/config"
)

var fileScope = scope{"track_file", fileKeywords}

var oldFileScope = scope{"vrrp_track_file", fileKeywords}

var fileKeywords = []keyword{
	{"file", Honoured, "", (*translation).file},
	{"weight", Honoured, "", weight(254, false)},
	{"init_file", Honoured, "", (*translation).initFile},
}

var processScope = scope{"vrrp_track_process", []keyword{
	{"process", Honoured, "", (*translation).process},
	{"param_match", Honoured, "", (*translation).paramMatch},
	{"weight", Honoured, "", weight(254, false)},
	{"quorum", Honoured, "", whole(1, 65535)},
	{"quorum_max", Honoured, "", whole(0, 65535)},
	{"delay", Honoured, "", decimal(0.000001, 3600)},
	{"fork_delay", Honoured, "", decimal(0.000001, 3600)},
	{"terminate_delay", Honoured, "", decimal(0.000001, 3600)},
	{"full_command", Honoured, "", flag},
}}

var bfdScope = scope{"bfd_instance", []keyword{
	{"neighbor_ip", Honoured, "", (*translation).bfdAddress},
	{"neighbour_ip", Mapped, "another spelling of neighbor_ip", as("neighbor_ip", (*translation).bfdAddress)},
	{"source_ip", Honoured, "", (*translation).bfdAddress},
	{"min_rx", Honoured, "", decimal(1, 1000000)},
	{"min_tx", Honoured, "", decimal(1, 1000000)},
	{"idle_tx", Honoured, "", decimal(1000, 1000000)},
	{"multiplier", Honoured, "", whole(1, 255)},
	{"passive", Honoured, "", flag},
	{"ttl", Honoured, "", whole(1, 255)},
	{"hoplimit", Mapped, "another name of ttl", as("ttl", whole(1, 255))},
	{"max_hops", Honoured, "", whole(-1, 255)},
	{"multihop", Honoured, "", boolean},
	{"weight", Honoured, "", weight(253, false)},
	{"vrrp", Idle, "a session serves whoever names it", nil},
	{"checker", Idle, "a session serves whoever names it", nil},
}}

func (t *translation) trackFile(n *Node) {
	if !t.first(n) {
		return
	}
	if t.block(n, "file") == nil {
		t.ignored(n.Word, "write file in it", "the track_file %s has no file", n.arg(0))
		return
	}
	t.defined("track_file", n)
	t.table(n, n.header("track_file"), false, 0, func() { t.walk(n) })
}

func (t *translation) file(n *Node) {
	w, ok := t.word(n, "a path")
	if !ok {
		return
	}
	if t.has(n.Text) {
		t.ignored(w, "leave one of them out", "there is a file already")
		return
	}
	path := w.Text
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
		t.Warn(w.At, "write a path that begins with a slash", "keepalived takes %s for %s, since it runs in the directory /", w.Text, path)
	}
	t.put(n, n.Text, path)
}

func (t *translation) initFile(n *Node) {
	value, overwrite := int64(0), false
	for _, w := range n.Args {
		if w.Text == "overwrite" {
			overwrite = true
			continue
		}
		v, rest := leading(w.Text)
		if rest != "" {
			t.ignored(w, "write a number, or overwrite", "%q is neither a number nor overwrite", w.Text)
			continue
		}
		if value = v; v < -254 || v > 254 {
			t.Assume(w.At, "write a number from -254 to 254", "%s is beyond what a priority can be changed by", w.Text)
		}
	}
	switch {
	case overwrite:
		t.put(n, n.Text, fmt.Sprint(value, " overwrite"))
	case value == 0:
		t.put(n, n.Text, true)
	default:
		t.put(n, n.Text, value)
	}
}

func (t *translation) trackProcess(n *Node) {
	if !t.first(n) {
		return
	}
	if t.block(n, "process") == nil {
		t.ignored(n.Word, "write process in it", "the vrrp_track_process %s has no process", n.arg(0))
		return
	}
	t.defined("track_process", n)
	t.table(n, n.header(n.Text), false, 0, func() {
		t.walk(n)
		few, _ := t.value("quorum").(int64)
		if most, ok := t.value("quorum_max").(int64); ok && most < max(few, 1) && (most > 0 || few > 0) {
			t.unset("quorum_max", "write quorum or more", "%d is less than quorum", most)
		}
	})
}

func (t *translation) process(n *Node) {
	if _, ok := t.word(n, "the name of a program"); !ok {
		return
	}
	if t.has(n.Text) {
		t.ignored(n.Word, "leave one of them out", "there is a process already")
		return
	}
	argv := make([]string, len(n.Args))
	for i, w := range n.Args {
		argv[i] = w.Text
	}
	t.put(n, n.Text, config.JoinCommand(argv))
}

func (t *translation) paramMatch(n *Node) {
	switch n.arg(0) {
	case "":
		t.put(n, n.Text, true)
	case "initial", "partial":
		t.put(n, n.Text, n.arg(0))
	default:
		t.Assume(n.Args[0].At, "write initial or partial, or nothing", "%s is no way to match: keepalived takes the exact one", n.arg(0))
		t.put(n, n.Text, true)
	}
}

func (t *translation) bfdInstance(n *Node) {
	if !t.first(n) {
		return
	}
	switch {
	case len(n.arg(0)) > 31:
		t.ignored(n.Args[0], "write 31 characters at most", "the name of the bfd_instance is longer than 31 characters")
		return
	case t.block(n, "neighbor_ip") == nil && t.block(n, "neighbour_ip") == nil:
		t.ignored(n.Word, "write neighbor_ip in it", "the bfd_instance %s has no neighbor_ip", n.arg(0))
		return
	}
	t.defined("track_bfd", n)
	t.table(n, n.header(n.Text), false, 0, func() { t.walk(n) })
}

func (t *translation) bfdAddress(n *Node) {
	if w, ok := t.word(n, "an address"); ok {
		if a, ok := t.host1(w); ok {
			t.put(n, n.Text, a.String())
		}
	}
}
