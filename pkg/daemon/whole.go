package daemon

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/config"
)

// reloadHint is what to do about a reload that is refused for it.
const reloadHint = "if that is what you want, restart ipvsd: the start takes it"

// whole returns a configuration that is to replace the one in force, or nil if its file does not look whole: then the answer says so. A
// file that is read while it is written, or that lost a brace, may still be valid for the tool that it is for, and would take services
// away from their clients. So what names fewer services or servers is refused if more of it is left out than before, or if it is empty. Who means
// it starts the daemon again.
func (o *owner) whole(cfg *config.Config, a *answer, hint string) *config.Config {
	if !a.blank && a.dropped <= o.dropped {
		return cfg
	}
	gone := lost(o.cfg, cfg)
	if len(gone) == 0 {
		return cfg
	}
	refusal := config.Diagnostic{
		Position: config.Position{File: o.files.config, Line: 1, Column: 1}, Width: 1,
		Message: fmt.Sprintf("the file seems incomplete, and would take away %s: it is empty", listed(gone)),
		Hint:    hint,
	}
	if !a.blank {
		refusal.Message = fmt.Sprintf("the file seems incomplete, and would take away %s: parts of it would be left out (%d, %d before), see the warnings",
			listed(gone), a.dropped, o.dropped)
	}
	a.problems = append(slices.Clone(a.problems), refusal)
	a.Rejected, a.Warnings = a.Warnings+refusal.String()+"\nhint: "+refusal.Hint+"\n", ""
	return nil
}

// lost returns which services, servers and virtual routers of a configuration another one has not.
func lost(was, is *config.Config) []string {
	stays := make(map[string]bool)
	for _, name := range named(is) {
		stays[name] = true
	}
	return slices.DeleteFunc(named(was), func(name string) bool { return stays[name] })
}

// named returns what the services, servers and virtual routers of a configuration are called.
func named(c *config.Config) (names []string) {
	for _, vs := range c.VirtualServers {
		for i := range vs.Services {
			names = append(names, vs.Services[i].ServiceKey.String())
		}
		for i := range vs.RealServers {
			if vs.RealServers[i].From == "" { // otherwise the file has no more than a source
				names = append(names, fmt.Sprintf("real_server %s of %s", vs.RealServers[i].Destination.Addr, vs.Name))
			}
		}
	}
	for _, i := range c.VRRP.Instances {
		names = append(names, "vrrp_instance "+i.Name)
	}
	return names
}

// listed names some of many.
func listed(names []string) string {
	const most = 5
	if n := len(names) - most; n > 0 {
		names = append(slices.Clone(names[:most]), fmt.Sprintf("%d more", n))
	}
	return strings.Join(names, ", ")
}
