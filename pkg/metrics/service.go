package metrics

import (
	"slices"

	dto "github.com/prometheus/client_model/go"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// services has a sample for each service.
func services(value func(*status.Service) float64) func(*view, *sink) {
	return func(v *view, s *sink) {
		for i := range v.Services {
			s.add(v.services[i], value(&v.Services[i]))
		}
	}
}

// tabled has a sample for each service that is in the kernel's table.
func tabled(value func(*status.Service) float64) func(*view, *sink) {
	return func(v *view, s *sink) {
		for i := range v.Services {
			if v.Read && v.Services[i].InTable {
				s.add(v.services[i], value(&v.Services[i]))
			}
		}
	}
}

var serviceFamilies = []family{
	gauge("ipvsd_service_info", "A service of the configuration, with the name of its virtual_server_group, if any, and its scheduler.",
		func(v *view, s *sink) {
			for i := range v.Services {
				scheduler := ""
				if options := v.Services[i].Options; len(options) > 0 {
					scheduler = options[0]
				}
				s.add(v.services[i].with(label("group", v.Services[i].Group), label("scheduler", scheduler)), 1)
			}
		}),
	gauge("ipvsd_service_in_table", "Whether the kernel has the service.", func(v *view, s *sink) {
		for i := range v.Services {
			if v.Read {
				s.add(v.services[i], truth(v.Services[i].InTable))
			}
		}
	}),
	gauge("ipvsd_service_servers", "Real servers of the service, as configured.", services(func(v *status.Service) float64 {
		return real(v, func(*status.Server) bool { return true })
	})),
	gauge("ipvsd_service_servers_up", "Real servers of the service whose checks say that they are up.", services(func(v *status.Service) float64 {
		return real(v, func(r *status.Server) bool { return r.Health == health.Up })
	})),
	gauge("ipvsd_service_servers_serving", "Real servers of the service that the kernel sends new clients to.", tabled(func(v *status.Service) float64 {
		serving, _ := v.Count()
		return float64(serving)
	})),
	gauge("ipvsd_service_quorum_up", "Whether the service has its quorum.", services(func(v *status.Service) float64 {
		return truth(v.Quorum.State == health.Up)
	})),
	gauge("ipvsd_service_quorum_live_weight", "Weight of the servers that are up.", services(func(v *status.Service) float64 {
		return float64(v.Quorum.Live)
	})),
	gauge("ipvsd_service_quorum_needed_weight", "Weight that the quorum needs.", services(func(v *status.Service) float64 {
		return float64(v.Quorum.Needed)
	})),
	gauge("ipvsd_service_sorry_servers_serve", "Whether sorry servers have the clients.", services(func(v *status.Service) float64 { return truth(v.Sorry) })),
	gauge("ipvsd_service_fail_open", "Whether so few servers are up that the checks are not believed, and all serve (minimum_healthy).",
		services(func(v *status.Service) float64 { return truth(v.FailOpen) })),
	gauge("ipvsd_service_suspended", "Whether the checks rest because the address is on another host (ha_suspend).",
		services(func(v *status.Service) float64 { return truth(v.Suspended) })),
	gauge("ipvsd_service_active_connections", "Connections of all servers of the service that are established, in the kernel's words active.",
		tabled(func(v *status.Service) float64 {
			return sum(v, func(r *status.Server) uint32 { return r.ActiveConns })
		})),
	gauge("ipvsd_service_inactive_connections", "Connections of all servers of the service in any other state.", tabled(func(v *status.Service) float64 {
		return sum(v, func(r *status.Server) uint32 { return r.InactiveConns })
	})),
	counter("ipvsd_service_connections_total", "Connections that the service had.", ofServices(connections)),
	counter("ipvsd_service_incoming_packets_total", "Packets from clients.", ofServices(inPackets)),
	counter("ipvsd_service_outgoing_packets_total", "Packets to clients; replies under DR and TUN don't pass this host.", ofServices(outPackets)),
	counter("ipvsd_service_incoming_bytes_total", "Bytes from clients, headers of IP included.", ofServices(inBytes)),
	counter("ipvsd_service_outgoing_bytes_total", "Bytes to clients, headers of IP included.", ofServices(outBytes)),
}

// The kernel's counters.
func connections(s *ipvs.Stats) uint64 { return s.Connections }
func inPackets(s *ipvs.Stats) uint64   { return s.InPackets }
func outPackets(s *ipvs.Stats) uint64  { return s.OutPackets }
func inBytes(s *ipvs.Stats) uint64     { return s.InBytes }
func outBytes(s *ipvs.Stats) uint64    { return s.OutBytes }

func ofServices(of func(*ipvs.Stats) uint64) func(*view, *sink) {
	return tabled(func(v *status.Service) float64 { return float64(of(&v.Stats)) })
}

func ofServers(of func(*ipvs.Stats) uint64) func(*view, *sink) {
	return tabledServers(func(r *status.Server) float64 { return float64(of(&r.Stats)) })
}

// real counts the real servers that are so.
func real(v *status.Service, so func(*status.Server) bool) (n float64) {
	for i := range v.Servers {
		if r := &v.Servers[i]; !r.Sorry && so(r) {
			n++
		}
	}
	return n
}

func sum(v *status.Service, of func(*status.Server) uint32) (n float64) {
	for i := range v.Servers {
		n += float64(of(&v.Servers[i]))
	}
	return n
}

// servers calls a function with each server that has series, and its labels.
func servers(each func(s *sink, l labels, r *status.Server)) func(*view, *sink) {
	return func(v *view, s *sink) {
		for i := range v.servers {
			for j := range v.servers[i] {
				each(s, v.servers[i][j], &v.Services[i].Servers[j])
			}
		}
	}
}

// tabledServers has a sample for each server that is in the kernel's table.
func tabledServers(value func(*status.Server) float64) func(*view, *sink) {
	return func(v *view, s *sink) {
		if v.Read {
			servers(func(s *sink, l labels, r *status.Server) {
				if r.InTable {
					s.add(l, value(r))
				}
			})(v, s)
		}
	}
}

var roles = map[bool]*dto.LabelPair{false: label("role", "real"), true: label("role", "sorry")}

var serverFamilies = []family{
	gauge("ipvsd_server_info", "A server of the configuration: a real or a sorry one, and how packets get to it.", servers(func(s *sink, l labels, r *status.Server) {
		s.add(l.with(roles[r.Sorry], label("forward", r.Forward)), 1)
	})),
	gauge("ipvsd_server_up", "Whether the checks of the server say that it is up; 0 as well before they know.", servers(func(s *sink, l labels, r *status.Server) {
		s.add(l, truth(r.Health == health.Up))
	})),
	gauge("ipvsd_server_off", "Whether the configuration has the server down on purpose (checks = off).", servers(func(s *sink, l labels, r *status.Server) {
		s.add(l, truth(r.Off))
	})),
	gauge("ipvsd_server_wish", "What the operator wants of the server: drain, disable, weight; left out if nothing.",
		servers(func(s *sink, l labels, r *status.Server) {
			for i := range r.Wishes {
				what := r.Wishes[i].What
				if !slices.ContainsFunc(r.Wishes[:i], func(w admin.Wish) bool { return w.What == what }) {
					s.add(l.with(label("what", what.String())), 1)
				}
			}
		})),
	gauge("ipvsd_server_weight", "Weight of the server, as configured.", servers(func(s *sink, l labels, r *status.Server) {
		s.add(l, float64(r.Weight))
	})),
	gauge("ipvsd_server_effective_weight", "Weight of the server after what its checks advise, slow start included.", servers(func(s *sink, l labels, r *status.Server) {
		s.add(l, float64(r.EffectiveWeight))
	})),
	gauge("ipvsd_server_in_table", "Whether the kernel has the server in the service.", func(v *view, s *sink) {
		if v.Read {
			servers(func(s *sink, l labels, r *status.Server) { s.add(l, truth(r.InTable)) })(v, s)
		}
	}),
	gauge("ipvsd_server_table_weight", "Weight of the server, as the kernel has it; 0: no new clients.",
		tabledServers(func(r *status.Server) float64 { return float64(r.TableWeight) })),
	gauge("ipvsd_server_active_connections", "Connections that are established, in the kernel's words active.",
		tabledServers(func(r *status.Server) float64 { return float64(r.ActiveConns) })),
	gauge("ipvsd_server_inactive_connections", "Connections in any other state.",
		tabledServers(func(r *status.Server) float64 { return float64(r.InactiveConns) })),
	counter("ipvsd_server_connections_total", "Connections that the server had.", ofServers(connections)),
	counter("ipvsd_server_incoming_packets_total", "Packets from clients.", ofServers(inPackets)),
	counter("ipvsd_server_outgoing_packets_total", "Packets to clients; replies under DR and TUN don't pass this host.", ofServers(outPackets)),
	counter("ipvsd_server_incoming_bytes_total", "Bytes from clients, headers of IP included.", ofServers(inBytes)),
	counter("ipvsd_server_outgoing_bytes_total", "Bytes to clients, headers of IP included.", ofServers(outBytes)),
	gauge("ipvsd_server_series_omitted", "Servers that have no series of their own: they are switched off, or there are too many (global_defs.metrics).",
		one(func(v *view) float64 { return float64(v.omitted) })),
}
