package config

import (
	"slices"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// checkWords are checks as they are written: by type, in the order of the first of each.
type checkWords []checksOfType

type checksOfType struct {
	name   string
	tables []inline
}

// String returns the value of the keyword: true, a table or several.
func (w checksOfType) String() string {
	switch {
	case len(w.tables) > 1:
		list := make([]string, len(w.tables))
		for i := range w.tables {
			list[i] = w.tables[i].String()
		}
		return "[" + strings.Join(list, ", ") + "]"
	case w.tables[0].String() == "{}":
		return "true"
	}
	return w.tables[0].String()
}

func (w checkWords) String() string {
	lines := make([]string, len(w))
	for i := range w {
		lines[i] = w[i].name + " = " + w[i].String()
	}
	return strings.Join(lines, "\n")
}

// plain says whether there are checks, and all have the defaults.
func (w checkWords) plain() bool {
	return len(w) > 0 && !slices.ContainsFunc(w, func(t checksOfType) bool { return t.String() != "true" })
}

// longestLine is how many characters checks of a type may have on one line.
const longestLine = 120

func (w checksOfType) long() bool { return len(w.name)+len(" = ")+len(w.String()) > longestLine }

// write writes the checks that fit on a line each.
func (w checkWords) write(p *printer) {
	if len(w) == 0 {
		p.set("TCP_CHECK", false)
	}
	for _, t := range w {
		if !t.long() {
			p.set(t.name, t)
		}
	}
}

// writeTables writes the other checks, as tables of their own. They come after all keywords of the server.
func (w checkWords) writeTables(p *printer, indent, server string) {
	for _, t := range w {
		if !t.long() {
			continue
		}
		name := server + "." + t.name
		header := "[" + name + "]"
		if len(t.tables) > 1 {
			header = "[" + header + "]"
		}
		for _, table := range t.tables {
			urls := table.writeTable(p, indent, header)
			for _, url := range urls {
				url.writeTable(p, indent+"  ", "[["+name+".url]]")
			}
		}
	}
}

// writeTable writes a table, and returns the tables of URLs in it.
func (t inline) writeTable(p *printer, indent, header string) (urls []inline) {
	p.table(indent, header)
	p.open()
	for _, f := range t {
		switch value := f.value.(type) {
		case []inline:
			urls = value
		case inline:
			urls = []inline{value}
		default:
			if f.value != f.fallback {
				p.set(f.name, f.value)
			}
		}
	}
	return urls
}

// checksOf returns the checks of a server as they are written.
func (p *printer) checksOf(rs *RealServer) checkWords {
	var words checkWords
	for _, id := range rs.Checks {
		c := id.Check()
		i := slices.IndexFunc(words, func(w checksOfType) bool { return w.name == c.Type })
		if i < 0 {
			i = len(words)
			words = append(words, checksOfType{name: c.Type})
		}
		words[i].tables = append(words[i].tables, p.inlineCheck(&c, rs))
	}
	return words
}

func (p *printer) inlineCheck(c *health.Check, rs *RealServer) inline {
	server, t := rs.Destination.Addr, typeNamed[c.Type]
	special := t.print(c.Spec, p)
	port := int64(server.Port())
	if port == 0 && server != nowhere {
		port = int64(t.home(modeOf(c.Spec)))
	}
	var usualPort any
	switch t.aim {
	case atPort, atServer:
		usualPort = port
	case atHost:
		usualPort = int64(0)
	case elsewhere: // it is always written
	}
	timeout, usual := "connect_timeout", defaultOf("connect_timeout")
	if t.in == inMisc {
		timeout, usual = "misc_timeout", c.DelayLoop
	}
	list := make(inline, 0, 20+len(special))
	if source := c.Source.Addr(); source.IsValid() && !source.IsUnspecified() {
		list = append(list, field{"bindto", source, nil})
	}
	list = append(list,
		field{"connect_ip", c.Target.Addr(), server.Addr()},
		field{"connect_port", int64(c.Target.Port()), usualPort},
		field{"bind_port", int64(c.Source.Port()), int64(0)},
		field{"bind_if", c.Interface, ""},
		field{"fwmark", int64(c.FWMark), int64(0)})
	list = append(list, special...)
	return append(list,
		field{timeout, c.Timeout, usual},
		field{"delay_loop", c.DelayLoop, t.usual("delay_loop")},
		field{"retry", int64(c.Retry), t.usual("retry")},
		field{"delay_before_retry", c.DelayBeforeRetry, pauseBeforeRetry(c.DelayLoop)},
		field{"warmup", c.Warmup, t.usual("warmup")},
		field{"alpha", c.Alpha, t.usual("alpha")},
		field{"rise", int64(max(c.Rise, 1)), t.usual("rise")},
		field{"fast_interval", c.FastInterval, t.usual("fast_interval")},
		field{"fast_recovery", c.Turns == 0, true},
		field{"hold_down", c.HoldDown, t.usual("hold_down")},
		field{"hold_down_max", c.HoldDownMax, t.longestHold(c.HoldDown)},
		field{"log_all_failures", c.LogAllFailures, t.usual("log_all_failures")})
}

// usual is the default of a keyword for a type.
func (t *checkType) usual(keyword string) any {
	if v := find(defaultsOf[t.name], keyword); v != nil {
		return v
	}
	return defaultOf(keyword)
}

// longestHold is hold_down_max if it is not written.
func (t *checkType) longestHold(hold time.Duration) time.Duration {
	if hold == 0 {
		return 0
	}
	return max(hold, t.usual("hold_down_max").(time.Duration))
}

// sharedChecks returns the checks that stand with the virtual server, and whether they may: all servers with checks have the
// same, or some have one with the defaults, which says nothing for others to inherit.
func (p *printer) sharedChecks(vs *VirtualServer) (shared checkWords, may bool) {
	alike, plain := true, false
	for rs := range vs.Servers() {
		w := p.checksOf(rs)
		if len(w) == 0 {
			continue
		}
		if shared == nil {
			shared = w
		}
		alike = alike && w.String() == shared.String()
		if !plain && w.plain() {
			plain, shared = true, w
		}
	}
	return shared, alike || plain
}
