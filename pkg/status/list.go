package status

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// List prints the services and their servers: what ipvsadm -Ln tells, and the health of each server, since when, and why.
func (s *Snapshot) List(w io.Writer, style Style) error {
	if s.Table.Error != "" {
		if _, err := fmt.Fprintf(w, "%s %s\n\n", style.paint(red, "The table can't be read:"), s.Table.Error); err != nil {
			return err
		}
	}
	for i := range s.Services {
		if i > 0 {
			if _, err := fmt.Fprintln(w); err != nil {
				return err
			}
		}
		if err := s.Services[i].list(w, style, s.At); err != nil {
			return err
		}
	}
	return nil
}

func (v *Service) list(w io.Writer, style Style, now time.Time) error {
	serving, all := v.Count()
	sgr := green
	switch {
	case serving == 0:
		sgr = red
	case serving < all:
		sgr = yellow
	}
	count := fmt.Sprintf("%d of %d serving", serving, all)
	if !v.InTable {
		count += ", not in the kernel's table"
	}
	count = strings.Join(append([]string{count}, v.Notes()...), ", ")
	name := style.paint(bold, v.Key.String())
	if v.Group != "" {
		name += "  " + v.Group
	}
	if _, err := fmt.Fprintf(w, "%s  %s  %s\n", name, strings.Join(v.Options, " "),
		style.paint(sgr, count)); err != nil {
		return err
	}
	if len(v.Servers) == 0 {
		return nil
	}
	c := columns{style: style}
	c.row(head("SERVER"), head("FORWARD"), headRight("WEIGHT"), headRight("ACTIVE"), headRight("INACTIVE"),
		headRight("CONNECTIONS"), head("HEALTH"), headRight("FOR"), head("WHY"))
	for i := range v.Servers {
		c.row(v.Servers[i].cells(now)...)
	}
	return c.write(w, "  ")
}

// Notes returns what is special about a service now.
func (v *Service) Notes() (notes []string) {
	if v.Quorum.State == health.Down {
		notes = append(notes, fmt.Sprintf("quorum lost: %d of %d", v.Quorum.Live, v.Quorum.Needed))
	}
	if v.Sorry {
		notes = append(notes, "sorry server serves")
	}
	if v.FailOpen {
		notes = append(notes, "fail-open: the checks are not believed, all servers serve")
	}
	if v.Suspended {
		notes = append(notes, "checks suspended: no address of it is on this host")
	}
	return notes
}

func (r *Server) cells(now time.Time) []cell {
	weight, active, inactive, conns := "-", "-", "-", "-"
	sgr := ""
	if r.InTable {
		weight = strconv.Itoa(int(r.TableWeight))
		active = strconv.FormatUint(uint64(r.ActiveConns), 10)
		inactive = strconv.FormatUint(uint64(r.InactiveConns), 10)
		conns = strconv.FormatUint(r.Stats.Connections, 10)
	}
	if !r.InTable || r.TableWeight != r.Weight {
		weight += "/" + strconv.Itoa(int(r.Weight)) // as it is / as it is configured
		sgr = yellow
		if r.Sorry {
			sgr = "" // it waits
		}
	}
	name := r.Addr.String()
	if r.Name != "" {
		name += " " + r.Name
	}
	if r.Sorry {
		name += " (sorry)"
	}
	if r.From != "" {
		name += " (" + r.From + ")"
	}
	state, colour := r.Health.String(), healthColor(r.Health)
	switch {
	case r.Off:
		state, colour = "off", yellow
	case len(r.Checks) == 0:
		state, colour = "no check", dim
	}
	return []cell{
		{text: name}, {text: r.Forward}, {text: weight, sgr: sgr, right: true},
		{text: active, right: true}, {text: inactive, right: true}, {text: conns, right: true},
		{text: state, sgr: colour}, {text: since(now, r.Since), right: true}, {text: strings.Join(r.Why(now), "; "), sgr: dim},
	}
}

// Why returns all there is to say about a server's state and weight.
func (r *Server) Why(now time.Time) (list []string) {
	for i := range r.Wishes {
		list = append(list, phrase(&r.Wishes[i], now))
	}
	if r.Error != "" && !r.Off {
		list = append(list, r.Error)
	}
	if r.WeightReason != "" && r.Health != health.Down {
		list = append(list, r.WeightReason)
	}
	if r.SlowStartUntil.After(now) {
		list = append(list, "slow start, full weight in "+ahead(now, r.SlowStartUntil))
	}
	return list
}

func head(text string) cell      { return cell{text: text, sgr: dim} }
func headRight(text string) cell { return cell{text: text, sgr: dim, right: true} }

func healthColor(h health.State) string {
	switch h {
	case health.Up:
		return green
	case health.Down:
		return red
	case health.Unchecked:
	}
	return yellow
}

// Ago says how long ago t was, in the two largest units: "2m5s"; "-" if t is zero.
func Ago(now, t time.Time) string { return since(now, t) }

// since says how long ago t was, in the two largest units: "3s", "2m5s", "4h10m", "6d3h"; "-" if t is zero.
func since(now, t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	d := max(now.Sub(t), 0).Truncate(time.Second)
	const day = 24 * time.Hour
	switch {
	case d >= day:
		return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return d.String()
}
