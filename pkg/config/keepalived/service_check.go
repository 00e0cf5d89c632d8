package keepalived

import (
	"slices"
)

// The settings of checks come from the check, its server and the virtual server, in keepalived as in ipvsd; but what holds where
// nothing is written differs. So what keepalived takes then is written: with the virtual server if it holds for all checks of it
// that say nothing, else with each check.

// standard returns what keepalived takes for a keyword of a check that is written nowhere; nil if that is what ipvsd takes.
func (c *check) standard(key string, loop float64) any {
	retry, pause := int64(1), 1.0
	switch c.kind {
	case "HTTP_GET", "SSL_GET":
		pause = 3
	case "DNS_CHECK":
		retry, pause = 3, loop
	case "MISC_CHECK":
		retry = 0
	case "FILE_CHECK", "BFD_CHECK":
		return nil
	}
	switch {
	case key == "retry" && retry == map[bool]int64{false: 1, true: 0}[c.kind == "MISC_CHECK"]:
		return nil
	case key == "retry":
		return retry
	case key == "delay_before_retry" && pause != min(loop/10, 1):
		return pause
	}
	return nil
}

// loop returns the delay_loop of a check.
func (c *check) loop(s *service, r *server) float64 {
	if v, ok := chained(c, s, r, "delay_loop").(float64); ok {
		return v
	}
	return 60
}

// chained returns what a keyword is for a check, nil if it is written nowhere.
func chained(c *check, s *service, r *server, key string) any {
	for _, f := range []*frame{c.frame, r.frame, s.frame} {
		if l := f.find(key); l != nil {
			return l.value
		}
	}
	return nil
}

// settleChecks writes down what keepalived takes for granted.
func (t *translation) settleChecks(s *service) {
	for _, r := range s.servers {
		t.serverNames(s, r)
	}
	s.grant("delay_loop", func(c *check, _ *server) any {
		if c.kind == "FILE_CHECK" || c.kind == "BFD_CHECK" {
			return nil
		}
		return 60.0
	})
	s.grant("connect_timeout", func(c *check, _ *server) any {
		if c.kind == "FILE_CHECK" || c.kind == "BFD_CHECK" || c.kind == "MISC_CHECK" {
			return nil
		}
		return 5.0
	})
	s.grant("retry", func(c *check, r *server) any { return c.standard("retry", c.loop(s, r)) })
	s.grant("delay_before_retry", func(c *check, r *server) any {
		again := chained(c, s, r, "retry")
		if again == int64(0) || again == nil && c.kind == "MISC_CHECK" {
			return nil
		}
		return c.standard("delay_before_retry", c.loop(s, r))
	})
	for _, r := range s.servers {
		for _, c := range r.checks {
			if c.kind == "DNS_CHECK" && s.text("protocol") == "TCP" {
				c.set(nil, "tcp", false) // keepalived knows UDP only
			}
			slices.SortStableFunc(c.lines, func(a, b line) int { return order(a) - order(b) })
		}
		if l := r.find("weight"); l != nil && l.value == int64(1) && s.find("weight") == nil && !commented(l.node) {
			r.remove("weight")
		}
	}
	s.hoist()
}

// order has what the file doesn't say behind what it says.
func order(l line) int {
	if l.node == nil {
		return 1
	}
	return 0
}

// grant writes the value that a keyword has for each check where it is written nowhere; nil: nothing has to be written.
func (s *service) grant(key string, standard func(*check, *server) any) {
	var open []*check
	var values []any
	for _, r := range s.servers {
		for _, c := range r.checks {
			if chained(c, s, r, key) == nil {
				open, values = append(open, c), append(values, standard(c, r))
			}
		}
	}
	if len(open) == 0 {
		return
	}
	if !slices.ContainsFunc(values, func(v any) bool { return v != values[0] }) {
		if values[0] != nil {
			s.set(nil, key, values[0])
		}
		return
	}
	if key == "delay_loop" || key == "connect_timeout" { // others have no use for it
		for _, v := range values {
			if v != nil {
				s.set(nil, key, v)
				return
			}
		}
	}
	for i, c := range open {
		if values[i] != nil {
			c.set(nil, key, values[i])
		}
	}
}

// hoist makes the checks of all servers those of the virtual server, if they are the same.
func (s *service) hoist() {
	first := s.servers[0].checks
	if len(first) == 0 {
		return
	}
	for i, r := range s.servers {
		if !slices.EqualFunc(first, r.checks, same) || i > 0 && slices.ContainsFunc(r.checks, (*check).commented) {
			return
		}
	}
	s.checks = first
	for _, r := range s.servers {
		r.checks = nil
	}
}

// same says whether two checks mean the same.
func same(a, b *check) bool {
	return a.kind == b.kind && slices.EqualFunc(a.lines, b.lines, sameLine) && slices.EqualFunc(a.urls, b.urls, func(a, b *url) bool {
		return slices.EqualFunc(a.lines, b.lines, sameLine)
	})
}

func sameLine(a, b line) bool {
	x, isList := a.value.([]string)
	y, isAlso := b.value.([]string)
	if isList || isAlso {
		return a.key == b.key && isList && isAlso && slices.Equal(x, y)
	}
	return a.key == b.key && a.value == b.value
}

// commented says whether somebody wrote something about a keyword, or in its block.
func commented(n *Node) bool {
	return n != nil && (len(n.Before) > 0 || n.Behind != "" || len(n.Trailer) > 0)
}

func (c *check) commented() bool {
	lines := slices.Clone(c.lines)
	for _, u := range c.urls {
		if commented(u.node) {
			return true
		}
		lines = append(lines, u.lines...)
	}
	return commented(c.node) || slices.ContainsFunc(lines, func(l line) bool { return commented(l.node) })
}
