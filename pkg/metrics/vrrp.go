package metrics

import (
	"maps"
	"slices"
	"strconv"

	dto "github.com/prometheus/client_model/go"

	"github.com/ipvsd/ipvsd/pkg/bfd"
	"github.com/ipvsd/ipvsd/pkg/status"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// routerStates are those of an instance and of a sync group.
var routerStates = []*dto.LabelPair{
	label("state", vrrp.Initialize.String()), label("state", vrrp.Backup.String()), label("state", vrrp.Active.String()), label("state", vrrp.Fault.String()),
}

// routers calls a function with each instance, and its labels.
func routers(each func(s *sink, l labels, r *status.VirtualRouter)) func(*view, *sink) {
	return func(v *view, s *sink) {
		for i := range v.routers {
			each(s, v.routers[i], &v.VRRP.Instances[i])
		}
	}
}

// counted is a counter of each instance.
func counted(of func(*status.RouterCounters) uint64) func(*view, *sink) {
	return routers(func(s *sink, l labels, r *status.VirtualRouter) { s.add(l, float64(of(&r.Counters))) })
}

// routing is for what there is only with VRRP.
func routing(each func(s *sink, v *status.VRRP)) func(*view, *sink) {
	return func(v *view, s *sink) {
		if v.VRRP != nil {
			each(s, v.VRRP)
		}
	}
}

var routerFamilies = []family{
	gauge("ipvsd_vrrp_instance_info", "A vrrp_instance.", routers(func(s *sink, l labels, r *status.VirtualRouter) {
		family := "inet"
		if r.IPv6 {
			family = "inet6"
		}
		s.add(l.with(label("vrid", strconv.Itoa(int(r.VRID))), label("family", family), label("version", strconv.Itoa(int(r.Version))),
			label("interface", r.Interface), label("vrrp_sync_group", r.Group)), 1)
	})),
	gauge("ipvsd_vrrp_instance_state", "State of the instance: 1 for the one that it is in.", routers(func(s *sink, l labels, r *status.VirtualRouter) {
		s.states(l, r.State, routerStates...)
	})),
	gauge("ipvsd_vrrp_instance_state_since_timestamp_seconds", "When the instance came into its state.", routers(func(s *sink, l labels, r *status.VirtualRouter) {
		s.moment(l, r.Since)
	})),
	gauge("ipvsd_vrrp_instance_priority", "Priority of the instance, as configured.", routers(func(s *sink, l labels, r *status.VirtualRouter) {
		s.add(l, float64(r.Priority))
	})),
	gauge("ipvsd_vrrp_instance_effective_priority", "Priority of the instance after all that it tracks.", routers(func(s *sink, l labels, r *status.VirtualRouter) {
		s.add(l, float64(r.Effective))
	})),
	gauge("ipvsd_vrrp_instance_peers", "Other routers of the VRID that were ever heard.", routers(func(s *sink, l labels, r *status.VirtualRouter) {
		s.add(l, float64(len(r.Peers)))
	})),
	gauge("ipvsd_vrrp_instance_objects_wished", "Addresses, routes and rules that the instance should have on this host now.",
		routers(func(s *sink, l labels, r *status.VirtualRouter) { s.add(l, float64(r.Held.Wished)) })),
	gauge("ipvsd_vrrp_instance_objects_present", "Those of them that are there.", routers(func(s *sink, l labels, r *status.VirtualRouter) {
		s.add(l, float64(r.Held.Present))
	})),
	gauge("ipvsd_vrrp_instance_objects_refused", "Those of them that the kernel refuses.", routers(func(s *sink, l labels, r *status.VirtualRouter) {
		s.add(l, float64(len(r.Held.Failed)))
	})),
	gauge("ipvsd_vrrp_instance_address_conflicts", "Addresses of the instance that another host says are its own.",
		routers(func(s *sink, l labels, r *status.VirtualRouter) { s.add(l, float64(len(r.Held.Conflicts))) })),
	counter("ipvsd_vrrp_instance_became_master_total", "Changes to MASTER.", counted(func(c *status.RouterCounters) uint64 { return c.BecameActive })),
	counter("ipvsd_vrrp_instance_left_master_total", "Changes from MASTER.", counted(func(c *status.RouterCounters) uint64 { return c.LeftActive })),
	counter("ipvsd_vrrp_instance_stepped_down_total", "Changes from MASTER because this host did not run for too long.",
		counted(func(c *status.RouterCounters) uint64 { return c.SteppedDown })),
	counter("ipvsd_vrrp_instance_objects_put_back_total", "Addresses, routes and rules that somebody else removed.",
		counted(func(c *status.RouterCounters) uint64 { return c.PutBack })),
	counter("ipvsd_vrrp_adverts_sent_total", "Adverts sent.", counted(func(c *status.RouterCounters) uint64 { return c.Sent })),
	counter("ipvsd_vrrp_adverts_received_total", "Adverts received that passed all checks.", counted(func(c *status.RouterCounters) uint64 { return c.Received })),
	counter("ipvsd_vrrp_adverts_rejected_total", "Adverts received that were not believed, by what was wrong with them.",
		routers(func(s *sink, l labels, r *status.VirtualRouter) {
			for _, why := range slices.Sorted(maps.Keys(r.Counters.Rejected)) {
				s.add(l.with(label("reason", why)), float64(r.Counters.Rejected[why]))
			}
		})),
	counter("ipvsd_vrrp_adverts_late_total", "Adverts that left later than a third of the interval.", counted(func(c *status.RouterCounters) uint64 { return c.Late })),
	gauge("ipvsd_vrrp_advert_lateness_max_seconds", "How late an advert left at worst since the instance was configured.",
		routers(func(s *sink, l labels, r *status.VirtualRouter) { s.add(l, r.Counters.Latest.Seconds()) })),
	gauge("ipvsd_vrrp_advert_interval_seconds", "Time between two adverts.", routers(func(s *sink, l labels, r *status.VirtualRouter) {
		s.add(l, r.Interval.Seconds())
	})),
	counter("ipvsd_vrrp_advert_send_errors_total", "Adverts that could not be sent.", counted(func(c *status.RouterCounters) uint64 { return c.SendErrors })),
	counter("ipvsd_vrrp_priority_zero_sent_total", "Adverts sent with priority 0, by which a router gives up.",
		counted(func(c *status.RouterCounters) uint64 { return c.PriorityZeroSent })),
	counter("ipvsd_vrrp_priority_zero_received_total", "Adverts received with priority 0.",
		counted(func(c *status.RouterCounters) uint64 { return c.PriorityZeroReceived })),
	counter("ipvsd_vrrp_lower_priority_received_total", "Adverts of a lower priority that were received while active: there are two active routers.",
		counted(func(c *status.RouterCounters) uint64 { return c.LowerWhileActive })),
	counter("ipvsd_vrrp_addresses_mismatched_total", "Adverts that list other addresses than this router has.",
		counted(func(c *status.RouterCounters) uint64 { return c.Mismatched })),
	counter("ipvsd_vrrp_interval_mismatched_total", "Adverts with another interval than this router's.",
		counted(func(c *status.RouterCounters) uint64 { return c.IntervalMismatched })),
	gauge("ipvsd_vrrp_sync_group_state", "State of a vrrp_sync_group: 1 for the one that it is in.", routing(func(s *sink, v *status.VRRP) {
		for i := range v.Groups {
			s.states(labels{label("vrrp_sync_group", v.Groups[i].Name)}, v.Groups[i].State, routerStates...)
		}
	})),
	gauge("ipvsd_vrrp_tracked_up", "Whether what instances depend on is up; left out before it was looked at.", routing(func(s *sink, v *status.VRRP) {
		for i := range v.Objects {
			if o := &v.Objects[i]; o.Known {
				s.add(labels{label("kind", o.Kind), label("name", o.Name)}, truth(o.Up))
			}
		}
	})),
	gauge("ipvsd_vrrp_running", "Whether the virtual routers that are configured run.", routing(func(s *sink, v *status.VRRP) {
		if len(v.Instances) > 0 || v.Error != "" {
			s.add(nil, truth(v.Error == ""))
		}
	})),
	gauge("ipvsd_vrrp_thread_realtime_priority", "Real-time priority of the thread that sends adverts, as granted; 0: none.",
		routing(func(s *sink, v *status.VRRP) {
			if len(v.Instances) > 0 {
				s.add(nil, float64(v.Thread.Realtime))
			}
		})),
	gauge("ipvsd_bfd_session_up", "Whether a bfd_instance has its neighbor.", routing(func(s *sink, v *status.VRRP) {
		for i := range v.Sessions {
			s.add(labels{label("bfd_instance", v.Sessions[i].Name)}, truth(v.Sessions[i].State == bfd.Up.String()))
		}
	})),
}
