package config

import (
	"reflect"
	"strconv"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Load reads a configuration. The name is what the diagnostics call the file; nothing is opened. The Config is nil when
// Diagnostics.Err is not; with warnings alone it can be used.
func Load(name string, source []byte) (*Config, Diagnostics) {
	return new(Loader).Load(name, string(source))
}

// Loader loads one version of a file after the other. A virtual server whose text is the same as before, in a file whose
// other tables are the same, is the same object in both versions: a change of a large file costs little more than what it
// changes. The zero value is ready. It is not safe for concurrent use.
type Loader struct {
	// Line is what messages call a line of the text: "line 7" if it is nil. A text that was made of another file tells by it
	// where in that file the line comes from.
	Line func(line int) string

	name  string
	frame *frame
	parts map[string]part // of the last version that was loaded, by text
}

// Load is the function of that name, for a text that need not be copied.
func (l *Loader) Load(name, text string) (*Config, Diagnostics) {
	text = withoutMark(text)
	if name != l.name {
		*l = Loader{Line: l.Line, name: name}
	}
	if c, found, ok := l.byParts(text); ok {
		return c, found
	}
	return l.whole(text) // what is wrong is told by who sees all of it
}

// whole loads a file in one piece.
func (l *Loader) whole(text string) (*Config, Diagnostics) {
	r := &report{lines: newLines(l.name, text), line: l.Line}
	tree := parse(text, r)
	if tree == nil {
		return nil, r.found
	}
	doc := decoder{r}.root(tree, locate(text))
	f := newFrame(r, doc)
	c := &Config{GlobalDefs: f.defs, VirtualServers: f.resolve(r, doc.virtuals), VRRP: f.vrrp, outside: r.outside}
	r.found = append(r.found, f.unknownServices(c.VirtualServers)...)
	if r.found.Count(Error) > 0 {
		return nil, r.found.arrange()
	}
	return c, append(r.found, f.idleGroups(c.VirtualServers)...).arrange()
}

// part is what became of a part of a file that holds virtual servers only.
type part struct {
	virtuals []*VirtualServer
	found    Diagnostics // warnings, as if it were all of the file
	outside  places
}

// byParts loads a file piece by piece. It declines, and changes nothing, where a piece can't be understood by itself.
func (l *Loader) byParts(text string) (c *Config, found Diagnostics, ok bool) {
	rest, pieces, ok := split(text)
	if !ok {
		return nil, nil, false
	}
	f, known := l.frame, l.parts
	if f == nil || f.text != rest {
		if f, ok = readFrame(l.name, rest); !ok {
			return nil, nil, false
		}
		if l.frame == nil || !reflect.DeepEqual(f.tree, l.frame.tree) {
			known = nil
		}
	}
	c = &Config{GlobalDefs: f.defs, VirtualServers: make([]*VirtualServer, 0, len(pieces)), VRRP: f.vrrp}
	found = append(found, f.found...)
	for path, d := range f.outside {
		c.outside.add(path, d)
	}
	parts := make(map[string]part, len(pieces))
	keys := make(map[ipvs.ServiceKey]bool, len(pieces))
	for _, piece := range pieces {
		p, same := known[piece.text]
		if !same {
			if p, ok = f.read(l.name, piece.text); !ok {
				return nil, nil, false
			}
		}
		parts[piece.text] = p
		for _, d := range p.found {
			found = append(found, d.moved(piece.line, len(c.VirtualServers)))
		}
		for path, d := range p.outside {
			c.outside.add(path, d.moved(piece.line, len(c.VirtualServers)))
		}
		for _, vs := range p.virtuals {
			for i := range vs.Services {
				key := vs.Services[i].ServiceKey
				if keys[key] {
					return nil, nil, false
				}
				keys[key] = true
			}
		}
		c.VirtualServers = append(c.VirtualServers, p.virtuals...)
	}
	if len(c.VirtualServers) == 0 || len(f.unknownServices(c.VirtualServers)) > 0 {
		return nil, nil, false // there is something to say about that
	}
	l.frame, l.parts = f, parts
	return c, append(found, f.idleGroups(c.VirtualServers)...).arrange(), true
}

// readFrame reads all of a file but its virtual servers, and says whether that can be done.
func readFrame(name, text string) (*frame, bool) {
	r := &report{lines: newLines(name, text)}
	tree := parse(text, r)
	if _, virtual := tree["virtual_server"]; tree == nil || virtual {
		return nil, false
	}
	f := newFrame(r, decoder{r}.root(tree, locate(text)))
	f.text, f.tree, f.found, f.outside = text, tree, r.found, r.outside
	return f, r.found.Count(Error) == 0
}

// read reads a part of the file that holds virtual servers, and says whether that can be done.
func (f *frame) read(name, text string) (part, bool) {
	r := &report{lines: newLines(name, text)}
	tree := parse(text, r)
	if tree == nil {
		return part{}, false
	}
	p := part{virtuals: f.resolve(r, decoder{r}.root(tree, locate(text)).virtuals), found: r.found, outside: r.outside}
	return p, r.found.Count(Error) == 0
}

// piece is a part of a file from a header of a virtual server up to the next, and the number of lines before it.
type piece struct {
	text string
	line int
}

// split cuts a file before each [[virtual_server]]. The rest has blank lines in their stead. It declines where a line that
// looks like a header may be part of a text.
func split(text string) (rest string, pieces []piece, ok bool) {
	if strings.Contains(text, `"""`) || strings.Contains(text, `'''`) {
		return "", nil, false
	}
	const header = "[[virtual_server]]"
	var other strings.Builder
	from, fromLine, within := 0, 0, false
	cut := func(at, line int) {
		if within {
			pieces = append(pieces, piece{text[from:at], fromLine})
			other.WriteString(strings.Repeat("\n", line-fromLine))
		} else {
			other.WriteString(text[from:at])
		}
		from, fromLine = at, line
	}
	for at, line := 0, 0; at < len(text); line++ {
		end := len(text)
		if n := strings.IndexByte(text[at:], '\n'); n >= 0 {
			end = at + n + 1
		}
		first := strings.TrimLeft(text[at:end], " \t")
		switch {
		case first == "" || first[0] != '[':
		case strings.HasPrefix(first, header):
			cut(at, line)
			within = true
		case strings.HasPrefix(first, "[[virtual_server.") || strings.HasPrefix(first, "[virtual_server."):
		default:
			cut(at, line)
			within = false
		}
		at = end
		if at == len(text) {
			cut(at, line+1)
		}
	}
	return strings.TrimRight(other.String(), "\n") + "\n", pieces, true // no line may end with half of "\r\n"
}

// moved returns what is said about a part of a file as said about the file: after so many lines and virtual servers.
func (d Diagnostic) moved(lines, virtuals int) Diagnostic {
	d.Line += lines
	const list = "virtual_server["
	if rest, ok := strings.CutPrefix(d.Path, list); ok {
		index, rest, _ := strings.Cut(rest, "]")
		if n, err := strconv.Atoi(index); err == nil {
			d.Path = list + strconv.Itoa(n+virtuals) + "]" + rest
		}
	}
	return d
}
