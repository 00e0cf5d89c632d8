package keepalived

import "strings"

// condition reads "@ID text", which stands for the text on the host with this ID, and "@^ID text", which does on the others.
// Unmet: it isn't for this one.
func (r *reader) condition(s source) (rest source, unmet bool) {
	end := strings.IndexAny(s.text, blanks)
	if end < 0 {
		end = len(s.text)
	}
	id, without := strings.CutPrefix(s.text[1:end], "^")
	if (id == r.id) == without {
		return s, true
	}
	return s.cut(end, len(s.text)), false
}
