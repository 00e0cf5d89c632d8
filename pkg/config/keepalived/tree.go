package keepalived

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/config/document"
)

// process is one of keepalived's processes. Each reads the whole file by itself: it knows the keywords of its own blocks, and
// looks in the others for nothing but their closing braces.
type process uint8

const (
	parent process = 1 << iota
	checker
	vrrp
	bfd
	everyone = parent | checker | vrrp | bfd
)

func (p process) String() string {
	return map[process]string{parent: "first process", checker: "process for IPVS", vrrp: "process for VRRP", bfd: "process for BFD"}[p]
}

// readers says which processes read a keyword at the top of a file, beside vrrp, which reads all others.
var readers = map[string]process{
	"global_defs": parent, "net_namespace": parent, "net_namespace_ipvs": parent, "namespace_with_ipsets": parent, "instance": parent,
	"use_pid_dir": parent, "child_wait_time": parent, "random_seed": parent,
	"virtual_server": checker, "virtual_server_group": checker, "SSL": checker,
	"track_file": vrrp | checker, "vrrp_track_file": vrrp | checker,
	"bfd_instance": bfd | vrrp | checker,
}

// starters are the keywords for which the first process starts another.
var starters = map[string]process{
	"vrrp_instance": vrrp, "static_ipaddress": vrrp, "static_routes": vrrp, "static_rules": vrrp, "virtual_server": checker, "bfd_instance": bfd,
}

func readersOf(name string) process {
	return cmp.Or(readers[name], vrrp)
}

// parse returns a node with those of a file, and the text of each file that was read.
func (t *translation) parse(name string, content []byte, settings document.Settings, known table, limits limits) (root *Node, sources map[string]string) {
	text := string(content)
	sources = make(map[string]string)
	reader := func(say *document.Writer) *reader {
		r := &reader{host: t.host, say: say, limits: limits, id: settings.ConfigID, variables: map[string][]source{}, missed: map[string]bool{}, sources: sources}
		if settings.AllIncludes {
			r.check = checkAll
		}
		if r.id == "" && r.host != nil {
			r.id, _, _ = strings.Cut(r.host.Hostname(), ".")
		}
		r.stack = []feed{r.file(name, text)}
		return r
	}
	r := reader(t.Writer)
	whole := &view{say: t.Writer, limits: limits, known: known, reads: everyone}
	whole.begin()
	for s, ok := r.next(); ok; s, ok = r.next() {
		whole.add(s)
	}
	whole.finish()
	if !whole.odd || r.stopped {
		whole.tell()
		return whole.root, sources
	}
	// The braces do not match the keywords: the processes part ways. That is rare, so lines were not kept, and are read once more.
	var statements []statement
	r = reader(new(document.Writer))
	for s, ok := r.next(); ok; s, ok = r.next() {
		s.parts = slices.Clone(s.parts)
		statements = append(statements, s)
	}
	return t.views(known, statements, limits), sources
}

// views reads the file as each of keepalived's processes does, and puts together what they make of it.
func (t *translation) views(known table, statements []statement, limits limits) *Node {
	var found []*numbered
	var views []*view
	starts := process(0)
	for _, p := range []process{parent, checker, vrrp, bfd} {
		v := &view{say: t.Writer, limits: limits, known: known, reads: p}
		v.begin()
		for _, s := range statements {
			v.add(s)
		}
		v.finish()
		if p == parent {
			starts = v.seen
		} else if v.seen&p&^starts != 0 {
			t.Warn(v.first, "close each block", "keepalived starts no %s: in its first one a block is not closed before this", p)
			continue
		}
		views = append(views, v)
		for i, n := range v.root.Block {
			if n.keyword != nil && lowest(readersOf(n.Text)) == p {
				found = append(found, &numbered{n, v.order[i]})
			}
		}
	}
	all := &view{say: t.Writer, limits: limits}
	for _, v := range views {
		all.lost = max(all.lost, v.lost)
		for _, f := range v.found {
			if !slices.ContainsFunc(views, func(other *view) bool { return other != v && other.took.has(f.order) }) {
				all.found = append(all.found, f)
			}
		}
	}
	slices.SortStableFunc(found, func(a, b *numbered) int { return cmp.Compare(a.order, b.order) })
	slices.SortStableFunc(all.found, func(a, b finding) int { return cmp.Compare(a.order, b.order) })
	all.found = slices.CompactFunc(all.found, func(a, b finding) bool { return a.order == b.order && a.message == b.message })
	// A block that is not closed is one mistake, though to its own process it is another one than to those that pass over it.
	every := slices.Clone(all.found)
	all.found = slices.DeleteFunc(all.found, func(f finding) bool {
		return f.passed && slices.ContainsFunc(every, func(other finding) bool { return !other.passed && other.order == f.order && other.at == f.at })
	})
	all.tell()
	root := &Node{Trailer: views[0].root.Trailer}
	for _, n := range found {
		root.Block = append(root.Block, n.Node)
	}
	return root
}

// lowest returns the one process that a keyword is taken from: of those that read it the one that does most with it.
func lowest(p process) process {
	for _, one := range []process{vrrp, checker, bfd, parent} {
		if p&one != 0 {
			return one
		}
	}
	return parent
}

// numbered is a node with its number in the file.
type numbered struct {
	*Node
	order int
}

// stray is an opening brace that no block of keepalived's begins with.
type stray struct {
	of    *Node // the keyword before it, nil if there is none
	ended bool  // to keepalived the keyword's block is at its end already
}

// finding is something to say of the syntax.
type finding struct {
	order   int
	at      document.Origin
	message string
	hint    string
	passed  bool // it is of a block that the process passes over
}

// view is the file as a process sees it.
type view struct {
	say    *document.Writer
	limits limits
	known  table
	reads  process

	root     *Node
	stack    []*Node
	order    []int             // of the nodes of root
	pending  *Node             // has to have a block, whose brace has not come yet
	stray    map[*Node][]stray // braces that are open in a block without being its own
	skipping *Node             // a block of another process
	depth    int               // of braces in it
	comments []string          // that belong to the next node
	last     *Node             // on this line
	words    []Word            // of the segment
	count    int               // of segments
	odd      bool              // braces do not fit
	seen     process           // who has a keyword at the top
	own      bool              // there is one of this process
	first    document.Origin
	unknown  *Node   // the segment before is no keyword here
	took     numbers // of segments that count for this process
	found    []finding
	lost     int // findings beyond the limit
}

// numbers is a set of numbers, a bit each: there may be millions.
type numbers []uint64

func (s *numbers) add(n int) {
	for n/64 >= len(*s) {
		*s = append(*s, 0)
	}
	(*s)[n/64] |= 1 << (n % 64)
}

func (s numbers) has(n int) bool { return n/64 < len(s) && s[n/64]&(1<<(n%64)) != 0 }

func (v *view) begin() {
	v.root, v.stray = &Node{scope: v.known[""]}, map[*Node][]stray{}
	v.stack = []*Node{v.root}
}

// add reads a statement.
func (v *view) add(s statement) {
	v.last = nil
	for _, part := range s.parts {
		v.count++
		switch {
		case v.skipping != nil:
			v.skip(part)
		case part.brace == '{':
			v.open(part)
		case part.brace == '}':
			v.close(part)
		default:
			v.keyword(part)
		}
	}
	switch {
	case s.comment == "":
	case v.last != nil:
		v.last.Behind = strings.TrimSpace(s.comment)
	default:
		v.comments = append(v.comments, s.comment)
	}
}

func (v *view) top() *Node { return v.stack[len(v.stack)-1] }

// keyword reads a line that begins with a keyword, or one of a block without keywords.
func (v *view) keyword(part segment) {
	v.begun()
	if v.skipping != nil { // begun has found another one's keyword
		v.skip(part)
		return
	}
	in := v.top()
	v.words = words(v.words[:0], part.source)
	if len(v.words) == 0 {
		return
	}
	n := &Node{Word: v.words[0], Args: append([]Word(nil), v.words[1:]...)}
	if !in.scope.free() {
		if n.keyword = in.scope.keyword(n.Text); n.keyword == nil {
			v.strange(n)
			return
		}
		if slices.Contains(spelt, n.Text) {
			v.spell(n, part.source)
		}
		n.scope = v.known.block(in.scope, n.Text)
	}
	n.Before, v.comments = v.comments, nil
	v.unknown, v.last = nil, n
	if in == v.root {
		readers := readersOf(n.Text)
		v.seen |= starters[n.Text]
		if v.reads&readers == 0 {
			v.skipping, v.depth = n, 0
			return
		}
		if !v.own {
			v.own, v.first = true, n.At
		}
		v.order = append(v.order, v.count)
	}
	v.took.add(v.count)
	in.Block = append(in.Block, n)
	if n.scope != nil {
		v.pending = n
	}
}

// spell reads the arguments of a keyword that takes quotes of both kinds and backslashes.
func (v *view) spell(n *Node, s source) {
	rest := s.cut(strings.IndexAny(s.text+" ", blanks+`"`), len(s.text))
	found, err := shellWords(rest)
	if n.Args = found; err != "" {
		n.Args = nil
		v.say.Error(rest.all(), "", "%s: keepalived ends here with an error of its own", err)
	}
}

// skip passes over a block of another process.
func (v *view) skip(part segment) {
	switch {
	case part.brace == '{':
		v.depth++
	case v.depth == 0 && part.brace == 0: // it has no block
		v.skipping = nil
		v.keyword(part)
	case part.brace == '}':
		if v.depth == 0 {
			v.skipping = nil
			v.close(part)
		} else if v.depth--; v.depth == 0 {
			v.skipping = nil
		}
	}
}

// begun puts the keyword before this line in force whose brace is missing.
func (v *view) begun() {
	n := v.pending
	if n == nil {
		return
	}
	v.pending = nil
	if !n.scope.free() {
		v.odd = true
		v.tellOf(n.At, "write it behind "+n.Text, "%s has no {: keepalived goes on as if there were one", n)
	}
	n.Braces = true
	v.stack = append(v.stack, n)
}

// open reads an opening brace.
func (v *view) open(part segment) {
	switch in := v.top(); {
	case v.pending != nil:
		v.took.add(v.count)
		v.pending.Braces = true
		v.stack = append(v.stack, v.pending)
		v.pending = nil
	case in.scope.free() && in != v.root:
		v.odd = true
		in.Block = append(in.Block, &Node{Word: Word{Text: "{", At: part.all()}})
	default:
		v.odd = true
		if v.unknown == nil {
			v.tellOf(part.all(), "take the brace out", "no keyword before this brace has a block: keepalived takes no notice of it")
		}
		v.stray[in] = append(v.stray[in], stray{of: v.unknown})
		v.unknown = nil
	}
}

// close reads a closing brace.
func (v *view) close(part segment) {
	v.begun()
	in := v.top()
	strays := v.stray[in]
	if in == v.root {
		v.odd = true
		if len(strays) > 0 {
			v.stray[in] = strays[:len(strays)-1]
		} else {
			v.tellOf(part.all(), "take it out", "nothing is open that this brace could close")
		}
		return
	}
	if len(strays) > 0 {
		what, hint := "that brace", "take the brace out"
		if n := strays[len(strays)-1].of; n != nil {
			what, hint = n.Text, "take "+n.Text+" and its block out"
			if n.keyword != nil {
				hint = ""
			} else if v.root.scope.keyword(n.Text) != nil {
				hint = fmt.Sprintf("write a } for %s before line %d", in, n.At.Line)
			}
		}
		v.tellOf(part.all(), hint, "to keepalived this is the end of %s, not of %s: what follows stands outside of it", in, what)
		outer := v.stack[len(v.stack)-2]
		v.stray[outer] = append(v.stray[outer], stray{in, true})
	}
	v.took.add(v.count)
	if !in.scope.free() { // in a list what is behind the last item belongs to what follows
		in.Trailer, v.comments = v.comments, nil
	}
	v.stack = v.stack[:len(v.stack)-1]
	v.last, v.unknown = in, nil
}

// finish ends the file.
func (v *view) finish() {
	if v.pending != nil {
		v.begun()
	}
	v.count++
	if v.skipping != nil && v.depth > 0 {
		v.odd = true
		v.tellOf(v.skipping.At, "write a } where it ends", "%s is not closed: keepalived's other processes read nothing that follows", v.skipping)
	}
	for _, n := range slices.Backward(v.stack[1:]) {
		v.odd = true
		v.tellOf(n.At, "write a } where it ends", "%s is not closed: keepalived takes all that follows for its own", n)
	}
	v.root.Trailer = v.comments
}

// strange tells of a keyword that is none here.
func (v *view) strange(n *Node) {
	v.unknown = n
	if strays := v.stray[v.root]; v.top() == v.root && len(strays) > 0 && !strays[len(strays)-1].ended {
		return // that was told of the block's beginning
	}
	hint := ""
	if len(v.found) < v.limits.findings { // it takes its time
		hint = v.known.guess(v.top().scope, n.Text)
	}
	if in := v.top(); in != v.root {
		v.tellOf(n.At, hint, "%q is no keyword of %s: keepalived takes no notice of the line", n.Text, in.Text)
		return
	}
	v.tellOf(n.At, hint, "%q is no keyword outside of a block: keepalived takes no notice of it, or of its block", n.Text)
}

func (v *view) tellOf(at document.Origin, hint, format string, args ...any) {
	if len(v.found) >= v.limits.findings {
		v.lost++
		return
	}
	v.found = append(v.found, finding{v.count, at, fmt.Sprintf(format, args...), hint, v.skipping != nil})
}

// tell says what was found.
func (v *view) tell() {
	for i, f := range v.found {
		if i >= v.limits.findings {
			v.lost += len(v.found) - i
			break
		}
		v.say.Drop(f.at, f.hint, "%s", f.message)
	}
	if v.lost > 0 {
		v.say.Warn(v.found[v.limits.findings-1].at, "", "there are %d more like this", v.lost)
	}
}
