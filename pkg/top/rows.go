package top

import (
	"cmp"
	"slices"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// row is a service, or a server of one.
type row struct {
	key     rowKey
	service *status.Service
	server  *status.Server // nil: it is the service
	rate    status.Rate
	order   int // in the configuration
}

// manyServers is more than a service has.
const manyServers = 1 << 20

func keyOf(v *status.Service, r *status.Server) rowKey { return rowKey{v.Key, r.Addr, r.Sorry} }

// rows returns all that there is to show, sorted.
func (m *Model) rows() (list []row) {
	if m.snapshot == nil {
		return nil
	}
	var groups [][]row // what stays together
	for i := range m.snapshot.Services {
		v := &m.snapshot.Services[i]
		own := row{key: rowKey{service: v.Key}, service: v, order: i}
		own.rate = m.rates[own.key]
		whole := m.filter == "" || m.matches(textOf(v))
		var below []row
		for j := range v.Servers {
			r := row{key: keyOf(v, &v.Servers[j]), service: v, server: &v.Servers[j], order: j}
			if m.shape == servers {
				r.order += i * manyServers
			}
			if r.rate = m.rates[r.key]; whole || m.matches(m.textOfServer(r.server)) {
				below = append(below, r)
			}
		}
		switch {
		case !whole && len(below) == 0:
		case m.shape == services:
			groups = append(groups, []row{own})
		case m.shape == servers:
			for k := range below {
				groups = append(groups, below[k:k+1])
			}
		default:
			slices.SortStableFunc(below, m.compare)
			groups = append(groups, append([]row{own}, below...))
		}
	}
	slices.SortStableFunc(groups, func(a, b []row) int { return m.compare(a[0], b[0]) })
	return slices.Concat(groups...)
}

// compare sorts rows: numbers begin with the greatest, health with the worst.
func (m *Model) compare(a, b row) int {
	c := 0
	switch m.sort {
	case byName:
		c = strings.Compare(a.name(), b.name())
	case byHealth:
		c = cmp.Compare(b.trouble(), a.trouble())
	case byActive:
		c = cmp.Compare(b.active(), a.active())
	case byConnections:
		c = cmp.Compare(b.rate.Connections, a.rate.Connections)
	case byBytes:
		c = cmp.Compare(b.rate.InBytes+b.rate.OutBytes, a.rate.InBytes+a.rate.OutBytes)
	case byOrder, columns:
	}
	if c == 0 {
		c = cmp.Compare(a.order, b.order)
	}
	if m.reverse {
		return -c
	}
	return c
}

func (r *row) name() string {
	if r.server == nil {
		return r.service.Key.String()
	}
	return r.server.Addr.String()
}

// trouble is how bad it is: a server that is down, or how many of a service's are.
func (r *row) trouble() int {
	if r.server != nil {
		return map[health.State]int{health.Down: 2, health.Unchecked: 1}[r.server.Health]
	}
	serving, all := r.service.Count()
	if serving == 0 {
		return 1 << 30
	}
	return all - serving
}

func (r *row) active() (n uint64) {
	if r.server != nil {
		return uint64(r.server.ActiveConns)
	}
	for i := range r.service.Servers {
		n += uint64(r.service.Servers[i].ActiveConns)
	}
	return n
}

func (r *row) inactive() (n uint64) {
	if r.server != nil {
		return uint64(r.server.InactiveConns)
	}
	for i := range r.service.Servers {
		n += uint64(r.service.Servers[i].InactiveConns)
	}
	return n
}

// matches says whether a text has the filter in it, in small letters.
func (m *Model) matches(text string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(m.filter))
}

func textOf(v *status.Service) string {
	return strings.Join(append([]string{v.Key.String(), v.Group}, v.Notes()...), "\n")
}

func (m *Model) textOfServer(r *status.Server) string {
	list := append([]string{r.Addr.String(), r.Name, r.Health.String()}, r.Tags...)
	return strings.Join(append(list, r.Why(m.snapshot.At)...), "\n")
}

// selected returns the row of the cursor, nil if there is none.
func (m *Model) selected(rows []row) *row {
	if m.index < len(rows) {
		return &rows[m.index]
	}
	return nil
}

// left returns how many connections keep a server that drains: of UDP all entries count, until their timeout.
func left(v *status.Service, r *status.Server) uint64 {
	if v.Key.Protocol == ipvs.UDP {
		return uint64(r.ActiveConns) + uint64(r.InactiveConns)
	}
	return uint64(r.ActiveConns)
}
