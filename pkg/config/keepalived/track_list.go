package keepalived

import (
	"slices"
	"strconv"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/config/document"
)

// Blocks whose lines have a form of their own, of instances and of sync groups.
var (
	trackInterfaceLines = scope{"track_interface", nil}
	trackScriptLines    = scope{"track_script", nil}
	trackFileLines      = scope{"vrrp_instance track_file", nil}
	groupFileLines      = scope{"vrrp_sync_group track_file", nil}
	trackProcessLines   = scope{"track_process", nil}
	trackBFDLines       = scope{"track_bfd", nil}
)

// definers are the blocks that the names of a list are of.
var definers = map[string][]string{
	"track_script": {"vrrp_script"}, "track_file": {"track_file", "vrrp_track_file"}, "track_process": {"vrrp_track_process"}, "track_bfd": {"bfd_instance"},
}

// trackList reads what an instance or a sync group depends on. A name has to be defined further up.
func trackList(key string, most int64) func(*translation, *Node) {
	return func(t *translation, n *Node) {
		for _, line := range n.Block {
			if text, ok := t.tracked(line, key, most); ok {
				t.list(n, line, key, text)
			}
		}
	}
}

// tracked reads a line of such a list: a name, perhaps with a weight.
func (t *translation) tracked(line *Node, key string, most int64) (text string, ok bool) {
	name := line.Text
	switch {
	case slices.ContainsFunc(t.items(key), func(i document.Item) bool { return strings.Fields(i.Value.(string))[0] == plainName(name) }):
		t.ignored(line.Word, "leave one of them out", "%s is there twice", name)
		return "", false
	case len(definers[key]) > 0 && !t.vrrp.usable[key+" "+name]:
		for _, keyword := range definers[key] {
			if t.exists(keyword, name) && !t.vrrp.named[keyword+" "+name] {
				t.ignored(line.Word, "move it before what depends on it", "the %s %s stands further down", keyword, name)
				return "", false
			}
		}
		t.ignored(line.Word, "write the name of a "+definers[key][0]+" that can be used", "there is no usable %s %s", definers[key][0], name)
		return "", false
	}
	if len(definers[key]) > 0 {
		name = plainName(name)
	}
	weight, reverse := "", ""
	for i := 0; i < len(line.Args); i++ {
		switch w := line.Args[i]; w.Text {
		case "weight":
			called := Node{Word: w, Args: line.Args[i+1:]}
			if i++; len(called.Args) == 0 {
				t.Error(w.At, "write a number, or leave the word out", "nothing follows weight: keepalived stops here")
				return "", false
			}
			if v, ok := t.whole(&called, -most, most); ok {
				weight = " weight " + strconv.FormatInt(v, 10)
			}
		case "reverse":
			reverse = " reverse"
		case "noreverse", "no_reverse":
			reverse = " noreverse"
		default:
			t.ignored(w, "write weight and a number, reverse or noreverse", "%q is no option of %s", w.Text, key)
		}
	}
	return name + weight + reverse, true
}

// defined notes that something can be tracked from here on.
func (t *translation) defined(list string, n *Node) {
	if t.vrrp.usable == nil {
		t.vrrp.usable = make(map[string]bool)
	}
	t.vrrp.usable[list+" "+n.arg(0)] = true
}

// header returns the header of a table that is called like its block.
func (n *Node) header(keyword string) string { return document.Header(keyword, plainName(n.arg(0))) }
