package desired

import (
	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// AtStop returns how the table should be when the daemon has stopped. It does not mention the services that are left as they are.
func AtStop(cfg *config.Config, f Facts) State {
	policy := make(map[ipvs.ServiceKey]string, len(f.Owned))
	for _, vs := range cfg.VirtualServers {
		for i := range vs.Services {
			policy[vs.Services[i].ServiceKey] = vs.OnStop
		}
	}
	var state State
	for _, s := range Compute(cfg, f) {
		how, configured := policy[s.ServiceKey]
		if !configured { // an earlier configuration left it, and it could not be removed yet
			how = cfg.GlobalDefs.OnStop
		}
		switch {
		case how == config.StopRemoves:
			state = append(state, Service{Service: ipvs.Service{ServiceKey: s.ServiceKey}, Want: Absent})
		case how == config.StopQuiesces && configured:
			state = append(state, s.quiet())
		}
	}
	return state
}

// quiet returns the service with servers that get no new connections. What is not in the table is not added, since nobody will check it.
func (s Service) quiet() Service {
	servers := make([]Destination, len(s.Destinations))
	for i, d := range s.Destinations {
		switch d.Want {
		case Present, AsFound:
			d.Want, d.Weight = AsFound, 0
		case Kept:
			d.Want = Draining
		case Absent, Draining:
		}
		servers[i] = d
	}
	s.Destinations = servers
	return s
}

// ClearsAtStop says whether the stop leaves no service of ours in the table.
func ClearsAtStop(cfg *config.Config) bool {
	for _, vs := range cfg.VirtualServers {
		if vs.OnStop != config.StopRemoves {
			return false
		}
	}
	return len(cfg.VirtualServers) > 0 || cfg.GlobalDefs.OnStop == config.StopRemoves
}
