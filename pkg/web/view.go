package web

import (
	"cmp"
	"net/netip"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// Times in what the browser gets are milliseconds since 1970, which JavaScript calls a date; 0 is never.

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// overview is what the page tells of a director as a whole.
type overview struct {
	Name      string    `json:"name"`
	Version   string    `json:"version"`
	Started   int64     `json:"started"`
	At        int64     `json:"at"`
	Services  int       `json:"services"`
	Unserved  int       `json:"unserved"` // services without a server that may have clients
	Servers   int       `json:"servers"`  // without sorry servers
	Serving   int       `json:"serving"`
	Down      int       `json:"down"`
	Unchecked int       `json:"unchecked"`
	Drained   int       `json:"drained"` // that have a wish: drained or disabled
	Active    uint64    `json:"active"`
	Inactive  uint64    `json:"inactive"`
	Rate      rate      `json:"rate"`
	Problems  []problem `json:"problems"`
	Routers   []router  `json:"routers"`
	Groups    []group   `json:"groups"`
}

type problem struct {
	Label string `json:"label"`
	Text  string `json:"text"`
}

type rate struct {
	Connections uint64 `json:"connections"` // per second
	InBytes     uint64 `json:"in_bytes"`    // per second
	OutBytes    uint64 `json:"out_bytes"`   // per second
}

func rateOf(s *ipvs.Stats) rate {
	return rate{s.ConnectionsPerSec, s.InBytesPerSecond, s.OutBytesPerSecond}
}

// router is a vrrp_instance.
type router struct {
	Name      string   `json:"name"`
	Group     string   `json:"group"`
	State     string   `json:"state"`
	Since     int64    `json:"since"`
	Reason    string   `json:"reason"`
	Priority  uint8    `json:"priority"`
	Effective uint8    `json:"effective"`
	VRID      uint8    `json:"vrid"`
	Interface string   `json:"interface"`
	Active    string   `json:"active"` // address of another router that is
	Addresses []string `json:"addresses"`
}

// group is a vrrp_sync_group.
type group struct {
	Name    string   `json:"name"`
	State   string   `json:"state"`
	Since   int64    `json:"since"`
	Reason  string   `json:"reason"`
	Members []string `json:"members"`
}

// wish is what an operator wants of a server.
type wish struct {
	Server   string `json:"server"`
	Service  string `json:"service"`
	What     string `json:"what"`
	Weight   int32  `json:"weight"`
	Owner    string `json:"owner"`
	Reason   string `json:"reason"`
	Since    int64  `json:"since"`
	Deadline int64  `json:"deadline"`
	Expires  int64  `json:"expires"`
	Ended    bool   `json:"ended"` // its deadline has come
	Cut      int    `json:"cut"`   // connections that ended then
	State    string `json:"state"`
	Open     int    `json:"open"`
}

// service is a virtual server with its servers.
type service struct {
	Key     string          `json:"key"`
	Name    string          `json:"name"`  // as an Order has it
	Group   bool            `json:"group"` // the name is that of several services
	Options string          `json:"options"`
	State   string          `json:"state"` // ok, some or none: which of its servers serve
	Serving int             `json:"serving"`
	All     int             `json:"all"`
	Notes   []string        `json:"notes"`
	Active  uint64          `json:"active"`
	Idle    uint64          `json:"inactive"`
	Rate    rate            `json:"rate"`
	Servers []server        `json:"servers"`
	Peers   map[string]seen `json:"peers"` // how the other directors have it, by their names
}

// seen is a service as another director has it.
type seen struct {
	Serving int `json:"serving"`
	All     int `json:"all"`
}

// server is a real or sorry server of a service.
type server struct {
	Address    string   `json:"address"`
	Name       string   `json:"name"`
	Tags       []string `json:"tags"`
	Forward    string   `json:"forward"`
	State      string   `json:"state"`
	Since      int64    `json:"since"`
	Why        string   `json:"why"`
	Weight     int32    `json:"weight"` // as configured
	Present    bool     `json:"present"`
	Now        int32    `json:"now"` // as the kernel has it, if it is present
	Active     uint32   `json:"active"`
	Idle       uint32   `json:"inactive"`
	Rate       rate     `json:"rate"`
	SlowStart  int64    `json:"slow_start"`
	Wishes     []wish   `json:"wishes"`
	Sorry      bool     `json:"sorry"`
	Elsewhere  []string `json:"elsewhere"` // other directors that have it in another state, and in which
	Restorable bool     `json:"restorable"`
}

// overviewOf returns what the page tells of a director as a whole, without the problems.
func overviewOf(s *status.Snapshot) overview {
	o := overview{
		Name: s.RouterID, Version: s.Version, Started: millis(s.Started), At: millis(s.At), Services: len(s.Services),
		Problems: problemsOf(s), Routers: []router{}, Groups: []group{},
	}
	for i := range s.Services {
		v := &s.Services[i]
		serving, all := v.Count()
		o.Serving += serving
		o.Servers += all
		if serving == 0 && !v.Sorry {
			o.Unserved++
		}
		r := rateOf(&v.Stats)
		o.Rate.Connections += r.Connections
		o.Rate.InBytes += r.InBytes
		o.Rate.OutBytes += r.OutBytes
		for j := range v.Servers {
			r := &v.Servers[j]
			o.Active += uint64(r.ActiveConns)
			o.Inactive += uint64(r.InactiveConns)
			if r.Sorry {
				continue
			}
			switch stateOf(r, v.Key) {
			case "down":
				o.Down++
			case "unchecked":
				o.Unchecked++
			case "draining", "drained", "disabled":
				o.Drained++
			}
		}
	}
	if s.VRRP == nil {
		return o
	}
	for i := range s.VRRP.Instances {
		v := &s.VRRP.Instances[i]
		r := router{
			Name: v.Name, Group: v.Group, State: v.State, Since: millis(v.Since), Reason: v.Reason, Priority: v.Priority, Effective: v.Effective,
			VRID: v.VRID, Interface: v.Interface, Addresses: []string{},
		}
		if len(v.Faults) > 0 {
			r.Reason = strings.Join(v.Faults, "; ")
		}
		if v.ActiveRouter.IsValid() {
			r.Active = v.ActiveRouter.String()
		}
		for _, a := range v.Addresses {
			r.Addresses = append(r.Addresses, a.String())
		}
		o.Routers = append(o.Routers, r)
	}
	for _, g := range s.VRRP.Groups {
		o.Groups = append(o.Groups, group{g.Name, g.State, millis(g.Since), g.Reason, g.Members})
	}
	return o
}

// problemsOf returns what is wrong with a director as a whole.
func problemsOf(s *status.Snapshot) []problem {
	list := []problem{}
	add := func(label, text string) {
		if text != "" {
			list = append(list, problem{label, text})
		}
	}
	add("The table can't be read or changed", s.Table.Error)
	add("The configuration was rejected, an earlier one is in force", s.Config.Rejected)
	if s.Config.Pending != nil {
		add("Not confirmed yet", s.Config.Pending.String())
	}
	for _, r := range s.Table.Refused {
		add("The kernel refuses a change", r.Reason)
	}
	add("The record of what is ours can't be written", s.Table.Record)
	add("Drains can't be written to the disk", s.WishesRecord)
	add("Members can't be written to the disk", s.SourcesRecord)
	add("The audit log can't be written", s.Audit)
	if s.VRRP != nil {
		add("The virtual routers don't run", s.VRRP.Error)
	}
	return list
}

// servicesOf returns the services, in the order of the configuration.
func servicesOf(s *status.Snapshot) []service {
	list := make([]service, len(s.Services))
	for i := range s.Services {
		list[i] = serviceOf(&s.Services[i])
	}
	return list
}

func serviceOf(s *status.Service) service {
	v := service{
		Key: s.Key.String(), Name: cmp.Or(s.Group, s.Key.String()), Group: s.Group != "", Options: strings.Join(s.Options, " "),
		State: "ok", Notes: s.Notes(), Rate: rateOf(&s.Stats), Servers: make([]server, len(s.Servers)), Peers: map[string]seen{},
	}
	v.Serving, v.All = s.Count()
	switch {
	case v.Serving == 0:
		v.State = "none"
	case v.Serving < v.All:
		v.State = "some"
	}
	if v.Notes == nil {
		v.Notes = []string{}
	}
	if !s.InTable {
		v.Notes = append(v.Notes, "not in the kernel's table")
	}
	for i := range s.Servers {
		r := &s.Servers[i]
		v.Active += uint64(r.ActiveConns)
		v.Idle += uint64(r.InactiveConns)
		v.Servers[i] = serverOf(r, s.Key)
	}
	return v
}

func serverOf(r *status.Server, of ipvs.ServiceKey) server {
	v := server{
		Address: r.Addr.String(), Name: r.Name, Tags: r.Tags, Forward: r.Forward, State: stateOf(r, of), Since: millis(r.Since),
		Weight: r.Weight, Present: r.InTable, Now: r.TableWeight, Active: r.ActiveConns, Idle: r.InactiveConns, Rate: rateOf(&r.Stats),
		SlowStart: millis(r.SlowStartUntil), Wishes: []wish{}, Sorry: r.Sorry, Elsewhere: []string{},
	}
	if v.Tags == nil {
		v.Tags = []string{}
	}
	var why []string
	if r.Error != "" && !r.Off {
		why = append(why, r.Error)
	}
	if r.WeightReason != "" && r.Health != health.Down {
		why = append(why, r.WeightReason)
	}
	v.Why = strings.Join(why, "; ")
	for i := range r.Wishes {
		v.Wishes = append(v.Wishes, wishOf(&r.Wishes[i]))
		v.Restorable = v.Restorable || r.Wishes[i].What != admin.Weight
	}
	return v
}

func wishOf(w *admin.Wish) wish {
	return wish{
		Server: w.Server.String(), Service: w.Service, What: w.What.String(), Weight: w.Weight, Owner: w.Owner, Reason: w.Reason,
		Since: millis(w.Since), Deadline: millis(w.Deadline), Expires: millis(w.Expires), Ended: w.Ended, Cut: w.Cut,
	}
}

// stateOf says in a word how a server is: what an operator wants of it comes before what its checks say.
func stateOf(r *status.Server, of ipvs.ServiceKey) string {
	mode := admin.Serves
	for i := range r.Wishes {
		switch w := &r.Wishes[i]; {
		case w.What == admin.Disable, w.Ended:
			mode = admin.Disabled
		case w.What == admin.Drain:
			mode = max(mode, admin.Drains)
		}
	}
	open := status.Open(&ipvs.Service{ServiceKey: of}, r.ActiveConns, r.InactiveConns)
	switch {
	case r.Off:
		return "off"
	case mode == admin.Disabled:
		return "disabled"
	case mode == admin.Drains && open == 0 && (!r.InTable || r.TableWeight == 0):
		return "drained"
	case mode == admin.Drains:
		return "draining"
	case len(r.Checks) == 0 && r.Health == health.Up:
		return "no check"
	}
	return r.Health.String()
}

// wishesOf returns what operators want of servers, with how far it is: what covers a server of a service has its state.
func wishesOf(s *status.Snapshot) []wish {
	far := make(map[admin.Key]*status.Wish, len(s.Wishes))
	list := make([]status.Wish, len(s.Wishes))
	for i := range s.Wishes {
		list[i].Wish = s.Wishes[i]
		far[s.Wishes[i].Key()] = &list[i]
	}
	for i := range s.Services {
		v := &s.Services[i]
		for j := range v.Servers {
			r := &v.Servers[j]
			for k := range r.Wishes {
				if w := far[r.Wishes[k].Key()]; w != nil {
					w.Servers = append(w.Servers, status.WishedServer{
						Service: v.Key, Server: r.Addr, InTable: r.InTable, TableWeight: r.TableWeight,
						Open: status.Open(&ipvs.Service{ServiceKey: v.Key}, r.ActiveConns, r.InactiveConns),
					})
				}
			}
		}
	}
	out := make([]wish, len(list))
	for i := range list {
		out[i] = wishOf(&list[i].Wish)
		out[i].State, out[i].Open = list[i].State(), list[i].Open()
	}
	return out
}

// compare notes in services how another director has them, and returns how many servers are in another state there.
func compare(services []service, name string, there *status.Snapshot) (differ int) {
	type place struct { // a server of a service can be its sorry server, too
		addr  netip.AddrPort
		sorry bool
	}
	known := make(map[string]*status.Service, len(there.Services))
	for i := range there.Services {
		known[there.Services[i].Key.String()] = &there.Services[i]
	}
	for i := range services {
		v := &services[i]
		other := known[v.Key]
		if other == nil {
			differ += len(v.Servers)
			continue
		}
		delete(known, v.Key)
		serving, all := other.Count()
		v.Peers[name] = seen{serving, all}
		states := make(map[place]string, len(other.Servers))
		for j := range other.Servers {
			states[place{other.Servers[j].Addr, other.Servers[j].Sorry}] = stateOf(&other.Servers[j], other.Key)
		}
		for j := range v.Servers {
			r := &v.Servers[j]
			addr, err := netip.ParseAddrPort(r.Address)
			if err != nil {
				continue
			}
			at := place{addr, r.Sorry}
			state := cmp.Or(states[at], "absent")
			if kind(state) != kind(r.State) {
				differ++
				r.Elsewhere = append(r.Elsewhere, name+": "+state)
			}
			delete(states, at)
		}
		differ += len(states)
	}
	for _, other := range known { // which are there alone
		differ += len(other.Servers)
	}
	return differ
}

// kind is what a state comes to where directors are compared: only one of them needs to have the connections that a drain waits for.
func kind(state string) string {
	if state == "drained" {
		return "draining"
	}
	return state
}
