package top

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// Update takes a message.
func (m Model) Update(msg Message) (Model, []Action) {
	switch msg := msg.(type) {
	case Size:
		m.size = msg
	case Read:
		m.failed = nil
		if !m.paused {
			m.read(msg.Snapshot)
		}
	case Failed:
		if m.failed == nil {
			m.since = msg.At
		}
		m.failed = msg.Err
	case Happened:
		m.event = &msg.Event
	case Told:
		m.bad, m.message = msg.Err != nil, msg.Text
		if msg.Err != nil {
			m.message = msg.Err.Error()
		}
		return m, []Action{Refresh{}}
	case Key:
		var actions []Action
		m, actions = m.key(msg)
		m.settle()
		return m, actions
	}
	m.settle()
	return m, nil
}

// read takes a snapshot, and reckons what came since the one before. Two of one moment tell no rates.
func (m *Model) read(s *status.Snapshot) {
	if m.snapshot != nil && s.At.After(m.snapshot.At) {
		m.rates = make(map[rowKey]status.Rate)
		list := status.RatesOf(kernelOf(m.snapshot), kernelOf(s)).Services
		for i := range list {
			v := &s.Services[i]
			m.rates[rowKey{service: v.Key}] = list[i].Rate
			for j := range list[i].Servers {
				m.rates[keyOf(v, &v.Servers[j])] = list[i].Servers[j].Rate
			}
		}
	}
	m.snapshot = s
}

// kernelOf returns the counters of a snapshot in the form that rates are reckoned from, in the same order.
func kernelOf(s *status.Snapshot) *status.Kernel {
	k := &status.Kernel{At: s.At, Services: make([]status.KernelService, len(s.Services))}
	for i := range s.Services {
		v := &s.Services[i]
		list := make([]status.KernelServer, len(v.Servers))
		for j := range v.Servers {
			list[j] = status.KernelServer{Addr: v.Servers[j].Addr, Stats: v.Servers[j].Stats}
		}
		k.Services[i] = status.KernelService{Key: v.Key, Stats: v.Stats, Servers: list}
	}
	return k
}

// key does what a key is for. A question is answered first, and what is typed belongs to the filter.
func (m Model) key(k Key) (Model, []Action) {
	switch {
	case k == "ctrl+c":
		return m, []Action{Quit{}}
	case m.help:
		m.help = false
		return m, nil
	case m.asked != nil:
		return m.confirmed(k)
	case m.typing:
		m.edit(k)
		return m, nil
	}
	m.message = ""
	rows := m.rows()
	switch k {
	case "q":
		return m, []Action{Quit{}}
	case "?", "h", "f1":
		m.help = true
	case "up", "k":
		m.move(rows, m.index-1)
	case "down", "j":
		m.move(rows, m.index+1)
	case "pgup":
		m.move(rows, m.index-m.room())
	case "pgdown", " ":
		m.move(rows, m.index+m.room())
	case "home", "g":
		m.move(rows, 0)
	case "end", "G":
		m.move(rows, len(rows)-1)
	case "/":
		m.typing = true
	case "esc":
		m.filter = ""
	case "s", "right":
		m.sort = (m.sort + 1) % columns
	case "S", "left":
		m.sort = (m.sort + columns - 1) % columns
	case "r":
		m.reverse = !m.reverse
	case "v", "tab":
		m.shape = (m.shape + 1) % shapes
	case "p":
		m.paused = !m.paused
		if !m.paused {
			return m, []Action{Refresh{}}
		}
	case "d":
		m.drain(rows)
	case "u":
		m.undrain(rows)
	}
	return m, nil
}

// move puts the cursor on a row, or the nearest that there is.
func (m *Model) move(rows []row, to int) {
	if len(rows) == 0 {
		return
	}
	m.index = min(max(to, 0), len(rows)-1)
	m.at = rows[m.index].key
}

// edit types into the filter.
func (m *Model) edit(k Key) {
	switch k {
	case "enter", "up", "down":
		m.typing = false
	case "esc":
		m.typing, m.filter = false, ""
	case "backspace":
		_, n := utf8.DecodeLastRuneInString(m.filter)
		m.filter = m.filter[:len(m.filter)-n]
	case "ctrl+u":
		m.filter = ""
	default:
		const longest = 64
		if r, n := utf8.DecodeRuneInString(string(k)); n == len(k) && unicode.IsPrint(r) && len(m.filter) < longest {
			m.filter += string(k)
		}
	}
}

// drain asks whether the server of the cursor is to drain.
func (m *Model) drain(rows []row) {
	r := m.selected(rows)
	switch {
	case r == nil || r.server == nil:
		m.say("that is no server: put the cursor on one")
	case serves(r.server) != nil:
		m.say("%s does not serve already: %s", r.server.Addr, strings.Join(r.server.Why(m.snapshot.At), "; "))
	default:
		m.asked = &Order{Drain: true, Server: r.server.Addr.String(), Service: nameOf(r.service)}
		m.all = nil
		if m.services(r.server) > 1 {
			m.all = &Order{Drain: true, Server: r.server.Addr.String()}
		}
	}
}

// undrain asks whether the drain of the server of the cursor is to end.
func (m *Model) undrain(rows []row) {
	r := m.selected(rows)
	if r == nil || r.server == nil {
		m.say("that is no server: put the cursor on one")
		return
	}
	for i := range r.server.Wishes {
		w := &r.server.Wishes[i]
		if w.What == admin.Drain {
			m.asked, m.all = &Order{Server: w.Server.String(), Service: w.Service}, nil
			return
		}
	}
	if w := serves(r.server); w != nil {
		m.say("%s does not drain, it is disabled: ipvsctl enable %s", r.server.Addr, w.Server)
		return
	}
	m.say("%s does not drain", r.server.Addr)
}

// confirmed answers the question.
func (m Model) confirmed(k Key) (Model, []Action) {
	o, all := m.asked, m.all
	m.asked, m.all = nil, nil
	switch {
	case k == "y":
	case k == "a" && all != nil:
		o = all
	default:
		m.say("nothing was done")
		return m, nil
	}
	m.say("...")
	return m, []Action{*o}
}

// question is what is asked.
func (m *Model) question() string {
	where := "all services"
	if m.asked.Service != "" {
		where = m.asked.Service
	}
	switch {
	case !m.asked.Drain:
		return fmt.Sprintf("End the drain of %s for %s?  y: yes, other keys: no", m.asked.Server, where)
	case m.all != nil:
		return fmt.Sprintf("Drain %s?  y: for %s, a: for all services, other keys: no", m.asked.Server, where)
	}
	return fmt.Sprintf("Drain %s of %s?  y: yes, other keys: no", m.asked.Server, where)
}

func (m *Model) say(format string, args ...any) {
	m.message, m.bad = fmt.Sprintf(format, args...), false
}

// serves returns the wish that keeps a server from new clients, nil if there is none.
func serves(r *status.Server) *admin.Wish {
	for i := range r.Wishes {
		if w := &r.Wishes[i]; w.What == admin.Drain || w.What == admin.Disable {
			return w
		}
	}
	return nil
}

// services returns how many services have a server.
func (m *Model) services(r *status.Server) (n int) {
	for i := range m.snapshot.Services {
		for j := range m.snapshot.Services[i].Servers {
			if m.snapshot.Services[i].Servers[j].Addr == r.Addr {
				n++
			}
		}
	}
	return n
}

// nameOf returns the name of the virtual server of a service, as orders have it.
func nameOf(v *status.Service) string {
	if v.Group != "" {
		return v.Group
	}
	return v.Key.String()
}

// settle keeps the cursor on its row if that is still there, else near it, and on the screen.
func (m *Model) settle() {
	rows := m.rows()
	i := slices.IndexFunc(rows, func(r row) bool { return r.key == m.at })
	if i < 0 {
		i = slices.IndexFunc(rows, func(r row) bool { return r.key == rowKey{service: m.at.service} })
	}
	if i < 0 {
		i = m.index
	}
	m.move(rows, i)
	room := m.room()
	m.first = min(max(m.first, m.index-room+1, 0), max(len(rows)-room, 0), m.index)
}
