package daemon

import (
	"os"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// snapshot puts together all there is to know.
func (o *owner) snapshot(now time.Time) *status.Snapshot {
	s := &status.Snapshot{
		Version: o.options.Version, RouterID: routerID(o.cfg), PID: os.Getpid(), Started: o.started, At: now,
		Config: o.config, Table: o.state,
		Services: make([]status.Service, len(o.cfg.VirtualServers)),
	}
	for i := range o.cfg.VirtualServers {
		vs := &o.cfg.VirtualServers[i]
		v := &s.Services[i]
		*v = status.Service{Key: vs.Service.ServiceKey, Options: vs.Service.Options(), Servers: make([]status.Server, len(vs.RealServers))}
		found := o.table.Find(v.Key)
		if found != nil {
			v.InTable, v.Stats = true, found.Stats
		}
		for j := range vs.RealServers {
			v.Servers[j] = o.server(&vs.RealServers[j])
			if found == nil {
				continue
			}
			if d := found.Destination(v.Servers[j].Addr); d != nil {
				r := &v.Servers[j]
				r.InTable, r.TableWeight, r.Stats = true, d.Weight, d.Stats
				r.ActiveConns, r.InactiveConns = d.ActiveConns, d.InactiveConns
			}
		}
	}
	return s
}

func (o *owner) server(rs *config.RealServer) status.Server {
	verdict := o.judge(rs)
	r := status.Server{
		Addr: rs.Destination.Addr, Forward: rs.Destination.Forward.String(), Weight: rs.Destination.Weight,
		Health: verdict.State, Since: verdict.Since, Error: verdict.Err,
	}
	for _, c := range rs.Checks {
		r.Checks = append(r.Checks, checkStatus(c, o.verdicts[c]))
	}
	return r
}

func checkStatus(c health.Check, k health.Checker) status.Check {
	return status.Check{
		Type: c.Type, Target: c.Target, State: k.State, Since: k.Since, LastRun: k.LastRun,
		Took: k.LastResult.Took, Error: k.LastResult.Err, Failures: k.Failures, Probes: k.Probes, Failed: k.Failed,
	}
}

// routerID returns the director's name: the configuration's, or else the host's.
func routerID(cfg *config.Config) string {
	if cfg.GlobalDefs.RouterID != "" {
		return cfg.GlobalDefs.RouterID
	}
	name, err := os.Hostname()
	if err != nil {
		return "?"
	}
	return name
}
