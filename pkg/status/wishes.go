package status

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Wishes are what the operator wants of servers, and how far that is.
type Wishes struct {
	At       time.Time `json:"at"`
	Wishes   []Wish    `json:"wishes"`
	Warnings []string  `json:"warnings,omitempty"` // what an order did beside what it was to do
	Record   string    `json:"record,omitempty"`   // why they can't be written to the disk
	// Directors are the others that are to know of them.
	Directors []Director `json:"directors,omitempty"`
}

// Wish is one of them, with the servers that it is about.
type Wish struct {
	admin.Wish
	Servers []WishedServer `json:"servers"` // none: the configuration has no such server, or a warning says that they are not known
}

// WishedServer is a server in one service.
type WishedServer struct {
	Service       ipvs.ServiceKey `json:"service"`
	Server        netip.AddrPort  `json:"server"`
	Name          string          `json:"name,omitempty"`
	InTable       bool            `json:"in_table"`
	TableWeight   int32           `json:"table_weight"`
	ActiveConns   uint32          `json:"active_connections"`
	InactiveConns uint32          `json:"inactive_connections"`
	Open          int             `json:"open_connections"` // those that a drain waits for
}

// Open returns how many connections of a server in a service are under way. Of TCP these are the active ones; of everything else the
// kernel calls all entries inactive.
func Open(s *ipvs.Service, active, inactive uint32) int {
	if s.Protocol == ipvs.TCP {
		return int(active)
	}
	return int(active) + int(inactive)
}

// Open returns how many connections there are that a drain waits for.
func (w *Wish) Open() (n int) {
	for i := range w.Servers {
		n += w.Servers[i].Open
	}
	return n
}

// Drained says whether a drain has done what it is for: there are no connections left, and the kernel sends no new ones. It would where it
// has refused the change.
func (w *Wish) Drained() bool {
	return w.Open() == 0 && !slices.ContainsFunc(w.Servers, func(s WishedServer) bool { return s.InTable && s.TableWeight > 0 })
}

// State says in a word or two how far a wish is.
func (w *Wish) State() string {
	switch {
	case len(w.Servers) == 0:
		return "no such server"
	case w.What == admin.Weight:
		return "weight " + strconv.Itoa(int(w.Weight))
	case w.What == admin.Disable, w.Ended:
		return "disabled"
	case w.Drained():
		return "drained"
	}
	return "draining"
}

// Text lists the wishes.
func (s *Wishes) Text(w io.Writer, style Style) error {
	if s.Record != "" {
		if _, err := fmt.Fprintln(w, style.paint(red, printable(notRecorded(s.Record)))); err != nil {
			return err
		}
	}
	for i := range s.Directors {
		d := &s.Directors[i]
		sgr := dim
		if !d.InStep {
			sgr = red
		}
		if _, err := fmt.Fprintln(w, style.paint(sgr, printable(d.Title()+" "+d.State(s.At)))); err != nil {
			return err
		}
	}
	if len(s.Wishes) == 0 {
		_, err := fmt.Fprintln(w, "no server drains, is disabled or has another weight")
		return err
	}
	c := columns{style: style}
	c.row(head("SERVER"), head("NAME"), head("SERVICE"), head("STATE"), headRight("OPEN"), head("BY"), headRight("FOR"), head("WHY"))
	for i := range s.Wishes {
		v := &s.Wishes[i]
		service, open, name := "all", "-", "-"
		if v.Service != "" {
			service = v.Service
		}
		if len(v.Servers) > 0 {
			open = strconv.Itoa(v.Open())
			if v.Servers[0].Name != "" {
				name = v.Servers[0].Name
			}
		}
		state := v.State()
		sgr := yellow
		switch state {
		case "drained":
			sgr = green
		case "no such server":
			sgr = red
		}
		c.row(cell{text: v.Server.String()}, cell{text: name}, cell{text: service}, cell{text: state, sgr: sgr}, cell{text: open, right: true},
			cell{text: v.Owner}, cell{text: since(s.At, v.Since), right: true}, cell{text: strings.Join(terms(&v.Wish, s.At), ", "), sgr: dim})
	}
	return c.write(w, "")
}

func notRecorded(err string) string {
	return "what is wanted of servers can't be written to the disk, and is forgotten if the daemon ends: " + err
}

// terms are the reason of a wish, and how long it holds.
func terms(w *admin.Wish, now time.Time) (list []string) {
	if w.Reason != "" {
		list = append(list, w.Reason)
	}
	switch {
	case w.Ended:
		list = append(list, "disabled at its deadline, connections cut: "+Cut(w.Cut, w.Uncounted))
	case !w.Deadline.IsZero():
		list = append(list, "disabled in "+ahead(now, w.Deadline))
	}
	if !w.Expires.IsZero() {
		list = append(list, "over in "+ahead(now, w.Expires))
	}
	return list
}

// Cut says how many connections ended with the deadline of a drain, as far as that is known.
func Cut(n int, uncounted bool) string {
	switch {
	case !uncounted:
		return strconv.Itoa(n)
	case n == 0:
		return "nobody has counted them"
	}
	return fmt.Sprintf("%d, and those that nobody has counted", n)
}

// phrase says what is wanted, by whom, why and until when: "drain by root: new kernel, over in 2h0m".
func phrase(w *admin.Wish, now time.Time) string {
	text := w.What.String()
	if w.What == admin.Weight {
		text += " " + strconv.Itoa(int(w.Weight))
	}
	if w.Owner != "" {
		text += " by " + w.Owner
	}
	if t := terms(w, now); len(t) > 0 {
		text += ": " + strings.Join(t, ", ")
	}
	return text
}

// wishes prints a line for each wish.
func (s *Snapshot) wishes(line func(sgr, label, format string, args ...any)) {
	if s.WishesRecord != "" {
		line(red, "record", "%s", notRecorded(s.WishesRecord))
	}
	for i := range s.Directors {
		d := &s.Directors[i]
		sgr := ""
		if !d.InStep {
			sgr = red
		}
		if d.Etcd {
			line(sgr, "etcd", "%s %s", d.Address, d.State(s.At))
			continue
		}
		line(sgr, "director", "%s at %s %s", d.Name, d.Address, d.State(s.At))
	}
	served := make(map[admin.Key]bool)
	for i := range s.Services {
		for j := range s.Services[i].Servers {
			for _, w := range s.Services[i].Servers[j].Wishes {
				served[w.Key()] = true
			}
		}
	}
	for i := range s.Wishes {
		w := &s.Wishes[i]
		of := ""
		if w.Service != "" {
			of = " of " + w.Service
		}
		missing := ""
		if !served[w.Key()] {
			missing = "; the configuration has no such server"
		}
		line(yellow, "wish", "%s%s for %s: %s%s", w.Server, of, since(s.At, w.Since), phrase(w, s.At), missing)
	}
}
