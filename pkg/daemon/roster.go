package daemon

import (
	"slices"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/health"
)

// roster is which servers have which check. It is changed by virtual servers, so that a reload costs what it changes.
type roster struct {
	servers map[health.ID][]server
	touched map[health.ID]bool // since the last settle; true: it had servers then
}

// server is a server of the configuration, and the virtual server that it belongs to.
type server struct {
	service *config.VirtualServer
	*config.RealServer
	sorry bool
}

func newRoster() roster {
	return roster{servers: make(map[health.ID][]server), touched: make(map[health.ID]bool)}
}

// add enters the servers of a virtual server.
func (r roster) add(vs *config.VirtualServer) {
	for i, rs := range all(vs) {
		for _, c := range rs.Checks {
			r.touch(c)
			r.servers[c] = append(r.servers[c], server{vs, rs, i >= len(vs.RealServers)})
		}
	}
}

// remove takes the servers of a virtual server out.
func (r roster) remove(vs *config.VirtualServer) {
	for rs := range vs.Servers() {
		for _, c := range rs.Checks {
			r.touch(c)
			left := slices.DeleteFunc(r.servers[c], func(s server) bool { return s.service == vs })
			if len(left) == 0 {
				delete(r.servers, c)
			} else {
				r.servers[c] = left
			}
		}
	}
}

func (r roster) touch(c health.ID) {
	if _, known := r.touched[c]; !known {
		_, had := r.servers[c]
		r.touched[c] = had
	}
}

// settle returns the checks that lost their last server since it was called before, and those that have their first.
func (r roster) settle() (removed, added []health.ID) {
	for c, had := range r.touched {
		switch _, has := r.servers[c]; {
		case had && !has:
			removed = append(removed, c)
		case has && !had:
			added = append(added, c)
		}
	}
	clear(r.touched)
	return removed, added
}
