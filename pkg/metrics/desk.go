package metrics

import (
	"cmp"
	"slices"

	"github.com/ipvsd/ipvsd/pkg/status"
)

// sources has a sample for each source of members: there are as many as the configuration names.
func sources(value func(*status.Source) float64) func(*view, *sink) {
	return func(v *view, s *sink) {
		list := byName(v.Sources)
		for i := range list {
			s.add(labels{label("source", list[i].Source)}, value(&list[i]))
		}
	}
}

// byName makes one of sources that people know by the same name, such as that of two name servers, or of one for IPv4 and for IPv6: two samples with
// the same labels would spoil the whole answer. It answers if all do.
func byName(list []status.Source) (merged []status.Source) {
	for i := range list {
		s := &list[i]
		at := slices.IndexFunc(merged, func(m status.Source) bool { return m.Source == s.Source })
		if at < 0 {
			merged = append(merged, *s)
			continue
		}
		m := &merged[at]
		m.Error = cmp.Or(m.Error, s.Error)
		if s.Answered.Before(m.Answered) {
			m.Answered = s.Answered
		}
		m.Servers += s.Servers
		m.Held, m.Unfit = slices.Concat(m.Held, s.Held), slices.Concat(m.Unfit, s.Unfit)
	}
	return merged
}

// directors has a sample for each other director that the configuration names.
func directors(value func(*status.Director) float64) func(*view, *sink) {
	return func(v *view, s *sink) {
		for i := range v.Directors {
			s.add(labels{label("director", v.Directors[i].Name)}, value(&v.Directors[i]))
		}
	}
}

var deskFamilies = []family{
	gauge("ipvsd_member_source_up", "Whether a source of members could be read the last time.",
		sources(func(v *status.Source) float64 { return truth(v.Error == "" && !v.Answered.IsZero()) })),
	gauge("ipvsd_member_source_answered_timestamp_seconds", "When a source of members last answered; left out if it has not yet.", func(v *view, s *sink) {
		list := byName(v.Sources)
		for i := range list {
			s.moment(labels{label("source", list[i].Source)}, list[i].Answered)
		}
	}),
	gauge("ipvsd_member_source_servers", "Servers of virtual servers that come from a source.",
		sources(func(v *status.Source) float64 { return float64(v.Servers) })),
	gauge("ipvsd_member_source_held", "Servers that a source no longer names, and that stay because too few would be left.",
		sources(func(v *status.Source) float64 { return float64(len(v.Held)) })),
	gauge("ipvsd_member_source_unfit", "Members that a source names and that can't be servers.",
		sources(func(v *status.Source) float64 { return float64(len(v.Unfit)) })),

	gauge("ipvsd_director_reachable", "Whether another director could be told the last time what is wanted of servers.",
		directors(func(d *status.Director) float64 { return truth(d.Error == "" && !d.Reached.IsZero()) })),
	gauge("ipvsd_director_reached_timestamp_seconds", "When another director last answered; left out if it has not yet.", func(v *view, s *sink) {
		for i := range v.Directors {
			s.moment(labels{label("director", v.Directors[i].Name)}, v.Directors[i].Reached)
		}
	}),
	gauge("ipvsd_director_in_step", "Whether another director wants the same of servers.",
		directors(func(d *status.Director) float64 { return truth(d.InStep) })),
	gauge("ipvsd_director_clock_ahead_seconds", "How much another director's clock is ahead; less than some seconds count as 0.",
		directors(func(d *status.Director) float64 { return d.ClockAhead.Seconds() })),

	gauge("ipvsd_config_unconfirmed", "Whether the configuration in force waits for a confirmation.",
		one(func(v *view) float64 { return truth(v.Config.Pending != nil && v.Config.Pending.Unwritten == "") })),
	gauge("ipvsd_config_back_unwritten", "Whether the former configuration is in force again, but can't be written to its file.",
		one(func(v *view) float64 { return truth(v.Config.Pending != nil && v.Config.Pending.Unwritten != "") })),
	gauge("ipvsd_audit_log_written", "Whether the last entry of the audit log could be written.", one(func(v *view) float64 { return truth(v.Audit == "") })),
	counter("ipvsd_audit_entries_lost_total", "Entries of the audit log that could not be written.",
		one(func(v *view) float64 { return float64(v.AuditLost) })),
}
