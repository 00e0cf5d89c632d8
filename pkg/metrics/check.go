package metrics

import "github.com/ipvsd/ipvsd/pkg/status"

// types calls a function with what became of the probes of each type of check.
func types(each func(s *sink, l labels, t *status.CheckType)) func(*view, *sink) {
	return func(v *view, s *sink) {
		for i := range v.Engine.Types {
			t := &v.Engine.Types[i]
			each(s, labels{label("type", t.Type)}, t)
		}
	}
}

var checkFamilies = []family{
	gauge("ipvsd_checks", "Health checks that are set; servers share equal ones.", one(func(v *view) float64 { return float64(v.Engine.Checks) })),
	gauge("ipvsd_check_probes_running", "Probes under way.", one(func(v *view) float64 { return float64(v.Engine.Running) })),
	gauge("ipvsd_check_probes_waiting", "Probes that are due, and wait because of a limit.", one(func(v *view) float64 { return float64(v.Engine.Waiting) })),
	counter("ipvsd_check_probes_delayed_total", "Probes that had to wait because of a limit.", one(func(v *view) float64 { return float64(v.Engine.Waited) })),
	counter("ipvsd_check_probes_total", "Probes that ended with a result.", types(func(s *sink, l labels, t *status.CheckType) {
		s.add(l, float64(t.Probes))
	})),
	counter("ipvsd_check_probe_failures_total", "Probes that ended with a failure.", types(func(s *sink, l labels, t *status.CheckType) {
		s.add(l, float64(t.Failed))
	})),
	counter("ipvsd_check_probes_skipped_total", "Probes that came to nothing for want of something on this host; they speak against no server.",
		types(func(s *sink, l labels, t *status.CheckType) { s.add(l, float64(t.Skipped)) })),
	histogram("ipvsd_check_probe_duration_seconds", "How long probes took.", types(func(s *sink, l labels, t *status.CheckType) {
		s.durations(l, &t.Took)
	})),
	histogram("ipvsd_check_probe_lateness_seconds", "How late probes were started, compared with their schedule.",
		func(v *view, s *sink) { s.durations(nil, &v.Engine.Lateness) }),
}
