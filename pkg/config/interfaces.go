package config

import (
	"maps"
	"slices"

	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// Interfaces returns the interfaces of this host that instances and static addresses name, sorted, and without those that are made
// for them. Config.Remark knows where each is named first.
func (v *VRRP) Interfaces() []string {
	names := make(map[string]bool)
	for _, i := range v.Instances {
		names[i.home()] = true
		for _, l := range i.links() {
			names[l.Base] = true
		}
		for _, a := range i.Active.Addresses {
			names[a.Dev] = true
		}
		for _, t := range i.Tracks {
			names[t.Name] = names[t.Name] || t.Kind == vrrp.TrackInterface
		}
	}
	for _, g := range v.Groups {
		for _, t := range g.Tracks {
			names[t.Name] = names[t.Name] || t.Kind == vrrp.TrackInterface
		}
	}
	for _, a := range v.Static.Addresses {
		names[a.Dev] = true
	}
	for _, i := range v.Instances {
		for _, l := range i.links() {
			delete(names, l.Name)
		}
	}
	delete(names, "")
	maps.DeleteFunc(names, func(_ string, wanted bool) bool { return !wanted })
	return slices.Sorted(maps.Keys(names))
}
