package desired

import (
	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Quorums are as decided last, by name of the virtual server.
type Quorums map[string]health.State

// Under returns the quorums as far as they are known under another configuration, without these virtual servers. One that has
// a new name takes over what those of its services had that are gone, if it was one and the same: a group that is renamed, split
// or joined does not cross its hysteresis for that.
func (q Quorums) Under(cfg *config.Config, removed []*config.VirtualServer) Quorums {
	former := make(map[ipvs.ServiceKey]health.State)
	for _, vs := range removed {
		for i := range vs.Services {
			former[vs.Services[i].ServiceKey] = q[vs.Name]
		}
	}
	under := make(Quorums, len(cfg.VirtualServers))
	for _, vs := range cfg.VirtualServers {
		state, known := q[vs.Name]
		if !known {
			state = inherited(vs, former)
		}
		under[vs.Name] = state
	}
	return under
}

// inherited returns the state that all services of a virtual server had that had one; Unchecked if they differ.
func inherited(vs *config.VirtualServer, former map[ipvs.ServiceKey]health.State) (common health.State) {
	for i := range vs.Services {
		switch state := former[vs.Services[i].ServiceKey]; {
		case state == health.Unchecked, state == common:
		case common == health.Unchecked:
			common = state
		default:
			return health.Unchecked
		}
	}
	return common
}
