package keepalived

import (
	"slices"
	"strconv"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/vip"
)

// numbered puts numbers for the names of iproute2 that package vip doesn't know.
func (t *translation) numbered(s sentence) sentence {
	s = slices.Clone(s)
	for i := 1; i < len(s); i++ {
		value := &s[i].Text
		if s[i-1].Text == "realms" {
			from, to, both := strings.Cut(*value, "/")
			if *value = t.named("realms", from); both {
				*value += "/" + t.named("realms", to)
			}
			continue
		}
		if _, known := nameFiles[s[i-1].Text]; known && !builtIn[*value] {
			*value = t.named(s[i-1].Text, *value)
		}
	}
	return s
}

// builtIn are names that package vip knows.
var builtIn = map[string]bool{
	"main": true, "local": true, "default": true, "global": true, "site": true, "link": true, "host": true, "nowhere": true,
	"kernel": true, "boot": true, "static": true, "keepalived": true,
}

// without returns the sentence without an option and the word behind it.
func (s sentence) without(option string) (sentence, *Word) {
	i := slices.IndexFunc(s, func(w Word) bool { return w.Text == option })
	if i < 0 {
		return s, nil
	}
	w := s[i]
	return slices.Delete(slices.Clone(s), i, min(i+2, len(s))), &w
}

func (s sentence) has(word string) bool {
	return slices.ContainsFunc(s, func(w Word) bool { return w.Text == word })
}

// eaten warns of a word that makes keepalived lose the next one.
func (t *translation) eaten(s sentence) {
	for i, w := range s {
		if (w.Text == "inet" || w.Text == "inet6") && (i == 0 || s[i-1].Text != "via" && s[i-1].Text != "gw") {
			t.Warn(w.At, "look whether it is wanted", "keepalived 2.2.7 loses the word behind %s, and leaves the line out; ipvsd takes it", w.Text)
		}
	}
}

// route reads a line of virtual_routes or static_routes. Not ok is a route that keepalived leaves out.
func (t *translation) route(n *Node, static bool) (sentence, bool) {
	s := t.numbered(n.sentence())
	t.eaten(s)
	if _, w := s.without("track_group"); w != nil && !static {
		t.Drop(w.At, "leave track_group out: the instance depends on its routes anyway", "track_group is for static routes: keepalived leaves the route out")
		return nil, false
	}
	if cut, w := s.without("protocol"); w != nil && !s.has("no_track") {
		t.ignored(*w, "leave it out, or add no_track", "a route that is looked after has the protocol keepalived")
		s = cut
	}
	r, err := vip.ParseRoute(s.String())
	if err != nil {
		t.refuse(s, err, "the route is left out")
		return nil, false
	}
	if r.Dev == "" && !s.has("no_track") {
		t.Assume(s[0].At, "write dev and an interface, or no_track", "the route has no interface: keepalived does not look after it, and ipvsd puts it back when it goes")
	}
	if !r.IPv6 && !r.ScopeSet && r.Type == "" && r.Dev != "" && !r.Via.IsValid() && r.NextHops == "" {
		s = append(slices.Clip(s), Word{Text: "scope"}, Word{Text: "global"}) // ip route, and ipvsd, take link
	}
	return s, true
}

// firstPreference is what keepalived gives the first rule without a preference; the next of its family has one less.
const firstPreference = 16384

// rule returns a line of virtual_rules or static_rules. Not ok is a rule that keepalived leaves out. All are read at once: the
// numbers of those without a preference go by their order in the file.
func (t *translation) rule(n *Node) (sentence, bool) {
	if t.vrrp.rules == nil {
		t.vrrp.rules = make(map[*Node]sentence)
		seen := make(map[string]bool)
		for _, block := range t.root {
			switch {
			case block.Text == "static_rules":
				t.readRules(block, true)
			case block.Text == "vrrp_instance" && !seen[block.arg(0)]:
				seen[block.arg(0)] = true
				for _, k := range block.Block {
					if k.Text == "virtual_rules" {
						t.readRules(k, false)
					}
				}
			}
		}
	}
	s, ok := t.vrrp.rules[n]
	return s, ok
}

func (t *translation) readRules(block *Node, static bool) {
	for _, line := range block.Block {
		if s, ok := t.readRule(line, static); ok {
			t.vrrp.rules[line] = s
		}
	}
}

func (t *translation) readRule(n *Node, static bool) (sentence, bool) {
	s := t.numbered(n.sentence())
	t.eaten(s)
	if cut, w := s.without("track_group"); w != nil && !static {
		t.ignored(*w, "leave it out: the instance depends on its rules anyway", "track_group is for static rules")
		s = cut
	}
	if _, w := s.without("ip_proto"); w != nil {
		t.Drop(w.At, "write ipproto", "keepalived 2.2.7 doesn't know ip_proto, and leaves the rule out")
		return nil, false
	}
	if cut, w := s.without("protocol"); w != nil && !s.has("no_track") {
		t.ignored(*w, "leave it out, or add no_track", "a rule that is looked after has the protocol keepalived")
		s = cut
	}
	for i, w := range s {
		if i == 0 || strings.Contains(w.Text, "-") {
			continue
		}
		switch s[i-1].Text {
		case "sport", "dport":
			t.Assume(w.At, "write "+w.Text+"-"+w.Text, "keepalived 2.2.7 takes ports as FIRST-LAST only, and makes a rule for all of them; here it is for the one that is written")
		case "uidrange":
			t.Drop(w.At, "write "+w.Text+"-"+w.Text, "keepalived takes users as FIRST-LAST only, and leaves the rule out")
			return nil, false
		}
	}
	preferred := s.has("preference") || s.has("priority") || s.has("order")
	if !preferred { // its number is known when its family is, but that of goto has to be higher
		s = append(slices.Clip(s), Word{Text: "preference", At: n.At}, Word{Text: strconv.Itoa(firstPreference), At: n.At})
	}
	rule, err := vip.ParseRule(s.String())
	if err != nil {
		t.refuse(s, err, "the rule is left out")
		return nil, false
	}
	if !preferred {
		next := &t.vrrp.preference[0]
		if rule.IPv6 {
			next = &t.vrrp.preference[1]
		}
		number := strconv.Itoa(firstPreference - *next)
		*next++
		t.Assume(n.At, "write a preference", "the rule has no preference: keepalived gives it %s", number)
		s[len(s)-1].Text = number
	}
	return s, true
}
