package keepalived

import (
	"hash/fnv"
	"path"
	"regexp"
	"strconv"
	"strings"
)

var (
	definition = regexp.MustCompile(`^\$([A-Za-z_][A-Za-z0-9_]*)=`)
	// reference is ${NAME}, or $NAME before a blank or the end of the line. Some that keepalived defines take arguments.
	reference = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)((?:[ \t]+[^\s{}]+)*)[ \t]*\}|\$([A-Za-z_][A-Za-z0-9_]*)(?:[ \t\r\v\f]|$)`)
)

// define reads "$NAME=value", and the lines that follow as long as there is a backslash at the end. Whether there is one is
// seen before the comment is taken away.
func (r *reader) define(s, raw source) bool {
	m := definition.FindStringSubmatchIndex(s.text)
	if m == nil {
		return false
	}
	name := s.text[m[2]:m[3]]
	value := s.cut(m[1], len(s.text))
	if !continues(raw.text) {
		r.set(name, value)
		return true
	}
	var body []source
	add := func(s source) {
		if before, ok := strings.CutSuffix(s.text, `\`); ok {
			s = s.cut(0, len(before))
		}
		if s.text != "" {
			body = append(body, s)
		}
	}
	add(value)
	for more := true; more; {
		raw, ok := r.stack[len(r.stack)-1].next(r)
		if r.count++; !ok || r.count > r.limits.lines {
			break
		}
		more = continues(raw.text)
		line, _ := r.uncommented(raw)
		add(line)
	}
	r.set(name, body...)
	return true
}

func continues(text string) bool { return strings.HasSuffix(strings.TrimRight(text, blanks), `\`) }

func (r *reader) set(name string, lines ...source) { r.variables[name] = lines }

// replace replaces the variables of a line, once each. One that has several lines counts only at the end; what follows its
// first one is returned as more lines. What isn't defined stays as it is.
func (r *reader) replace(s source) (replaced source, more []source, changed bool) {
	var b strings.Builder
	from := 0
	for from < len(s.text) {
		m := reference.FindStringSubmatchIndex(s.text[from:])
		if m == nil {
			break
		}
		for i := range m {
			if m[i] >= 0 {
				m[i] += from
			}
		}
		name, end, args := "", m[1], ""
		if m[2] >= 0 {
			name, args = s.text[m[2]:m[3]], s.text[m[4]:m[5]]
		} else {
			name, end = s.text[m[6]:m[7]], m[7]
		}
		value, ok := r.predefined(s, name, strings.Fields(args))
		lines, known := r.variables[name]
		if !ok && known && args == "" {
			switch {
			case len(lines) == 0:
				ok = true
			case len(lines) == 1:
				value, ok = lines[0].text, true
			case end == len(s.text):
				value, more, ok = lines[0].text, lines[1:], true
			}
		}
		b.WriteString(s.text[from:m[0]])
		if !ok {
			value = s.text[m[0]:end]
			if !known && m[2] >= 0 && !strings.HasPrefix(name, "_") && !r.missed[name] {
				r.missed[name] = true
				r.say.Note(s.all(), "lines that begin with @ID count where --config-id says so; the host's name if it isn't given",
					"there is no variable %s: its name stays in the text", name)
			}
		}
		b.WriteString(value)
		changed = changed || ok
		from = end
	}
	if !changed {
		return s, nil, false
	}
	b.WriteString(s.text[from:])
	replaced = s.replace(b.String())
	return replaced.cut(0, len(replaced.text)), more, true
}

// predefined returns the value of a variable that keepalived defines.
func (r *reader) predefined(s source, name string, args []string) (value string, ok bool) {
	switch name {
	case "_PWD":
		dir := path.Dir(s.file)
		if !path.IsAbs(dir) && r.host.Getenv("PWD") != "" {
			dir = path.Join(r.host.Getenv("PWD"), dir)
		}
		return dir, len(args) == 0
	case "_INSTANCE":
		return r.id, len(args) == 0
	case "_HASH":
		return "#", len(args) == 0
	case "_BANG":
		return "!", len(args) == 0
	case "_ENV":
		if len(args) != 1 {
			return "", false
		}
		r.say.Note(s.all(), "", "_ENV is a variable of keepalived 2.4; before that the text stays as it is")
		return r.host.Getenv(args[0]), true
	case "_RANDOM":
		return r.draw(s, args)
	}
	return "", false
}

// draw returns a number for ${_RANDOM [MIN [MAX]]}: another one on each host and for each use, and the same whenever the file
// is read, so that reading it again changes nothing.
func (r *reader) draw(s source, args []string) (value string, ok bool) {
	bounds := [2]uint64{0, 32767}
	if len(args) > len(bounds) {
		return "", false
	}
	for i, a := range args {
		v, err := strconv.ParseUint(a, 10, 31)
		if err != nil {
			return "", false
		}
		bounds[i] = v
	}
	if r.random == 0 {
		r.say.Note(s.all(), "", "keepalived draws another number each time it reads the file; ipvsd draws one for this host, and keeps it")
	}
	r.random++
	h := fnv.New64a()
	h.Write([]byte(r.host.Hostname() + "\x00" + strconv.Itoa(r.random)))
	return strconv.FormatUint(bounds[0]+h.Sum64()%(max(bounds[1], bounds[0])-bounds[0]+1), 10), true
}
