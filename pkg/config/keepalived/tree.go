package keepalived

import (
	"strings"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/config/document"
)

// parse returns the nodes of a file, and the text of each file that was read.
func (t *translation) parse(name string, source []byte, _ document.Settings) (nodes []*Node, sources map[string]string) {
	known := newTable()
	root := &Node{scope: known[""]}
	stack := []*Node{root}
	var last *Node
	for i, l := range strings.Split(string(source), "\n") {
		if at := strings.IndexAny(l, "#!"); at >= 0 {
			l = l[:at]
		}
		l = strings.NewReplacer("{", " { ", "}", " } ").Replace(l)
		var words []Word
		flush := func() {
			if len(words) == 0 {
				return
			}
			in := stack[len(stack)-1]
			n := &Node{Word: words[0], Args: words[1:]}
			words = nil
			if in.scope != nil && !in.scope.free() {
				n.keyword = in.scope.keyword(n.Text)
				n.scope = known.block(in.scope, n.Text)
			}
			in.Block = append(in.Block, n)
			last = n
		}
		for _, w := range strings.Fields(l) {
			switch w {
			case "{":
				flush()
				last.Braces = true
				stack = append(stack, last)
			case "}":
				flush()
				stack = stack[:max(1, len(stack)-1)]
			default:
				words = append(words, Word{Text: strings.Trim(w, `"`), At: document.Origin{Position: config.Position{File: name, Line: i + 1, Column: 1}, Width: 1}})
			}
		}
		flush()
	}
	return root.Block, map[string]string{name: string(source)}
}
