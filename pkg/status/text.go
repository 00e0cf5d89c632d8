package status

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// Text prints a summary: what is in force, how the table is, and everything that somebody should look at.
func (s *Snapshot) Text(w io.Writer, style Style) error {
	var b strings.Builder
	line := func(sgr, label, format string, args ...any) {
		text := strings.ReplaceAll(strings.TrimRight(printableLines(fmt.Sprintf(format, args...)), "\n"), "\n", "\n          ")
		fmt.Fprintf(&b, "%s %s\n", style.paint(sgr, fmt.Sprintf("%-9s", label)), text)
	}
	line(bold, "ipvsd", "%s on %s, pid %d, up %s", s.Version, s.RouterID, s.PID, since(s.At, s.Started))
	warnings := "no warnings"
	if s.Config.Warnings > 0 {
		warnings = fmt.Sprintf("warnings: %d, which ipvsctl plan shows", s.Config.Warnings)
	}
	line("", "config", "%s, loaded %s ago, %s", s.Config.File, since(s.At, s.Config.Loaded), warnings)
	if s.Config.Pending != nil {
		line(yellow, "confirm", "%s\n%s", printable(s.Config.Pending.String()), s.Config.Pending.Hint())
	}
	if s.Config.Rejected != "" {
		line(red, "rejected", "a newer configuration, %s ago; the one above is still in force\n%s",
			since(s.At, s.Config.RejectedAt), s.Config.Rejected)
	}
	if s.Table.Error != "" {
		line(red, "table", "%s", s.Table.Error)
	} else {
		changed := "not changed since the start"
		if !s.Table.Changed.IsZero() {
			changed = fmt.Sprintf("changed %s ago; changes: %d, of which repairs of what others changed: %d",
				since(s.At, s.Table.Changed), s.Table.Changes, s.Table.Drift)
		}
		line("", "table", "read %s ago, %s", since(s.At, s.Table.Read), changed)
	}
	if s.Table.Version != "" {
		line("", "kernel", "IPVS %s, %d buckets for connections", s.Table.Version, s.Table.ConnBuckets)
	}
	if s.Settings != nil {
		s.Settings.text(line)
	}
	if s.Table.Record != "" {
		line(red, "record", "what is ours can't be written down: %s\nafter a restart, what left the configuration may stay in the table",
			s.Table.Record)
	}
	if s.AuditLost > 0 {
		text := fmt.Sprintf("entries that are lost since the start: %d", s.AuditLost)
		if s.Audit != "" {
			text = "it can't be written: " + printable(s.Audit) + "\n" + text
		}
		line(red, "audit log", "%s", text)
	}
	s.servers(line)
	s.sources(line)
	s.wishes(line)
	if s.VRRP != nil {
		s.VRRP.summary(line)
	}
	for _, r := range s.Table.Refused {
		line(red, "refused", "%s\nfor %s, attempts: %d, the next in %s", r.Reason, since(s.At, r.Since), r.Attempts,
			r.Next.Sub(s.At).Round(time.Second))
	}
	for _, f := range s.Table.Foreign {
		line(yellow, "foreign", "%s: not ours, left alone", f)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// servers prints the counts and every server and service that is not as one would like it.
func (s *Snapshot) servers(line func(sgr, label, format string, args ...any)) {
	count := map[health.State]int{}
	total, off := 0, 0
	for i := range s.Services {
		for j := range s.Services[i].Servers {
			total++
			if r := &s.Services[i].Servers[j]; r.Off {
				off++
			} else {
				count[r.Health]++
			}
		}
	}
	text := fmt.Sprintf("%d with %d servers: %d up, %d down, %d unchecked", len(s.Services), total, count[health.Up], count[health.Down],
		count[health.Unchecked])
	if off > 0 {
		text += fmt.Sprintf(", %d off", off)
	}
	line("", "services", "%s", text)
	if text := s.atStop(); text != "" {
		line("", "stop", "%s", text)
	}
	s.Engine.text(line)
	told := make(map[string]bool)
	for i := range s.Services {
		v := &s.Services[i]
		if serving, _ := v.Count(); serving == 0 && !v.Sorry {
			line(red, "no server", "%s has none to send clients to", v.Key)
		}
		name := v.Key.String()
		if v.Group != "" {
			name = v.Group
		}
		once := func(sgr, label, text string) {
			if said := label + text; !told[said] { // of another service of the group
				told[said] = true
				line(sgr, label, "%s", text)
			}
		}
		for _, n := range v.Notes() {
			once(yellow, "service", name+": "+n)
		}
		for j := range v.Servers {
			r := &v.Servers[j]
			switch {
			case r.Off:
				once(yellow, "off", fmt.Sprintf("%s of %s", r.Addr, name))
			case r.Health == health.Down:
				once(red, "down", fmt.Sprintf("%s of %s for %s: %s", r.Addr, name, since(s.At, r.Since), printable(r.Error)))
			}
			for k := range r.Checks {
				c := &r.Checks[k]
				if c.State == health.Down && r.Health == health.Up { // others make up for it
					once(yellow, "check", fmt.Sprintf("%s of %s is down for %s: %s", c.label(), r.Addr, since(s.At, c.Since), printable(c.Error)))
				}
				if c.Warning != "" && !c.stale() {
					once(yellow, "warning", fmt.Sprintf("%s of %s: %s", c.label(), r.Addr, printable(c.Warning)))
				}
			}
		}
	}
}
