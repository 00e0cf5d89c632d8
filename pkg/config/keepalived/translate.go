package keepalived

import (
	"slices"
	"strconv"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/config/document"
)

// Translate reads a keepalived.conf. The name is what the diagnostics call it, and where its includes are relative to.
func Translate(name string, source []byte, host document.Host, settings document.Settings) *document.Document {
	return translate(name, source, host, settings, normal)
}

func translate(name string, source []byte, host document.Host, settings document.Settings, limits limits) *document.Document {
	t := &translation{Writer: new(document.Writer), host: host, elsewhere: settings.Elsewhere}
	root, sources := t.parse(name, source, settings, newTable(), limits)
	t.root = root.Block
	t.frame(func() {
		t.globalDefs(root.Block)
		t.walk(root)
	})
	t.guard()
	if len(root.Trailer) > 0 {
		t.Gap()
		t.Comment(document.Origin{}, root.Trailer...)
	}
	d := t.Document(name, sources)
	d.Reword = reword
	return d
}

// globalDefs writes the one table that all blocks of global_defs become.
func (t *translation) globalDefs(nodes []*Node) {
	var blocks []*Node
	for _, n := range nodes {
		if n.Text == "global_defs" {
			blocks = append(blocks, n)
		}
	}
	if len(blocks) == 0 {
		if old, _ := t.oldSyncDaemon(); old == nil && !t.serves() {
			return
		}
		blocks = []*Node{{}}
	}
	t.table(blocks[0], "global_defs", false, 0, func() {
		for i, n := range blocks {
			if i > 0 {
				t.Comment(n.At, n.comments()...)
			}
			t.walk(n)
		}
		t.syncsAsBefore()
		t.stopsClean()
	})
}

// frame is a table that is being written: a line a key, as the keywords come; then the tables in it.
type frame struct {
	lines   []line
	after   []func()
	written bool // the lines are
}

// line is a key of a table, with the comments of its keyword.
type line struct {
	node  *Node
	key   string
	value any
}

// table writes a table with the comments of n: body says what it has, by put, walk and after.
//
//	func (t *translation) virtualServer(n *Node) {
//		t.table(n, "virtual_server", true, 0, func() {
//			t.put(n, "address", n.Args[0].Text)
//			t.walk(n) // calls the translate functions of its block: put(n, "delay_loop", 6), after(func() { t.realServer(n) })
//		})
//	}
//
// A table in a table waits until the keys of the outer one are written: TOML has no way back. The top of the file is one, too.
func (t *translation) table(n *Node, header string, array bool, depth int, body func()) {
	if t.open != nil && !t.open.written {
		t.after(func() { t.table(n, header, array, depth, body) })
		return
	}
	t.Table(n.At, header, array, depth, n.comments()...)
	t.frame(body)
	t.Comment(n.At, n.Trailer...)
}

// frame runs body, which fills a frame, and writes what it has put there.
func (t *translation) frame(body func()) {
	f := new(frame)
	outer := t.open
	t.open = f
	body()
	for _, l := range f.lines {
		if _, list := l.value.([]document.Item); l.node != nil && (list || !l.node.Braces) {
			t.Comment(l.node.At, l.node.comments()...)
			l.node.Before, l.node.Behind = nil, "" // a keyword may become several keys
		}
		switch v := l.value.(type) {
		case []document.Item:
			t.List(l.at(), l.key, v)
		default:
			t.Set(l.at(), l.key, v)
		}
	}
	f.written = true
	for i := 0; i < len(f.after); i++ {
		f.after[i]()
	}
	t.open = outer
}

func (l line) at() document.Origin {
	if l.node == nil {
		return document.Origin{}
	}
	return l.node.At
}

// put sets a key of the table that is being written, to a value as of document.Writer.Set or a []document.Item. A key that
// was set before gets the new value, as with keepalived most keywords do when they come twice. The node may be nil.
func (t *translation) put(n *Node, key string, value any) {
	l := line{n, key, value}
	if i := t.index(key); i >= 0 {
		t.open.lines[i] = l
		return
	}
	t.open.lines = append(t.open.lines, l)
}

// has says whether a key of the table that is being written is set.
func (t *translation) has(key string) bool { return t.index(key) >= 0 }

func (t *translation) index(key string) int {
	return slices.IndexFunc(t.open.lines, func(l line) bool { return l.key == key })
}

// after has a function run when all keys of the table are written: it writes tables that belong to it.
func (t *translation) after(f func()) { t.open.after = append(t.open.after, f) }

// walk calls the translate function of each keyword in a block.
func (t *translation) walk(n *Node) { t.nodes(n.Block) }

func (t *translation) nodes(nodes []*Node) {
	for _, n := range nodes {
		k := n.keyword
		switch {
		case k == nil || k.translate == nil && (k.fate == Honoured || k.fate == Mapped): // told already, or done elsewhere
		case k.translate != nil:
			k.translate(t, n)
		case k.fate == Refused:
			t.Error(n.At, k.remark, "%s can't be had", n.Text)
		case k.fate == Idle:
			t.Note(n.At, k.remark, "%s has nothing to act on", n.Text)
		}
	}
}

// comments returns all comments of a node that are outside its block.
func (n *Node) comments() []string {
	if n.Behind == "" {
		return n.Before
	}
	return append(slices.Clip(n.Before), n.Behind)
}

// arg returns the text of an argument of a keyword, empty if there is none.
func (n *Node) arg(i int) string {
	if i >= len(n.Args) {
		return ""
	}
	return n.Args[i].Text
}

// String names a node in messages.
func (n *Node) String() string {
	words := []string{n.Text}
	for _, a := range n.Args {
		words = append(words, a.Text)
	}
	return strconv.Quote(strings.Join(words, " "))
}
