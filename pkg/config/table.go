package config

import (
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Of returns the configuration whose desired state is a table as it is: every service, whoever made it, every server with the
// weight that it has, no checks. Of the settings it takes the timeouts and the sync daemons; of sysctls it says nothing.
func Of(t ipvs.Table, s ipvs.Settings) *Config {
	c := &Config{
		GlobalDefs: GlobalDefs{
			OnStop:        StopLeaves,
			LVSTimeouts:   s.Timeouts,
			LVSSyncDaemon: SyncDaemons{Master: s.Master, Backup: s.Backup},
			LVSSysctl:     Sysctls{Defaults: defaultOf("lvs_sysctl_defaults").(bool)},
			Mail:          usualMail(),
			Metrics:       metrics(nil),
		},
		VirtualServers: make([]*VirtualServer, 0, len(t)),
	}
	for i := range t {
		vs := Virtual(t[i].Service)
		vs.RealServers = make([]RealServer, len(t[i].Destinations))
		for j := range t[i].Destinations {
			vs.RealServers[j].Destination = t[i].Destinations[j].Destination
		}
		c.VirtualServers = append(c.VirtualServers, vs)
	}
	return c
}

// Virtual returns a virtual server without servers for one service, with the defaults of all else.
func Virtual(s ipvs.Service) *VirtualServer {
	return &VirtualServer{
		Name:     s.ServiceKey.String(),
		Services: []ipvs.Service{s},
		Quorum:   health.Quorum{Needed: defaultOf("quorum").(int64), Hysteresis: defaultOf("hysteresis").(int64)},
		OnStop:   StopLeaves,
	}
}
