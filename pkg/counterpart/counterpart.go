// Package counterpart compares two directors that stand in for each other, from what each tells of itself: what one of them has that the other one
// lacks or has otherwise, in the configuration and in fact, and what of that would leave clients worse off with the other one. It starts no goroutines.
//
// What may differ between directors is no difference: their names, priorities, roles, interfaces, counters.
package counterpart

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// Comparison is how another director differs from this one.
type Comparison struct {
	Here        string       `json:"here"`            // router_id of this director
	There       string       `json:"there"`           // of the other one, or its name in the configuration if it did not answer
	Peer        string       `json:"peer"`            // that name
	Error       string       `json:"error,omitempty"` // why it is not known how the other one is
	At          time.Time    `json:"at,omitzero"`     // when the other one answered, by its clock
	Differences []Difference `json:"differences"`
}

// Comparisons are those with several directors, by name.
type Comparisons struct {
	Peers []Comparison `json:"peers"`
}

// Difference is one thing that is otherwise there.
type Difference struct {
	Object string `json:"object"` // "tcp 192.0.2.1:80", "198.51.100.1:80 of tcp 192.0.2.1:80", "vrrp_instance VI_1", "sync daemon"
	What   string `json:"what"`   // "weight", "health"
	Here   string `json:"here"`   // "-": it isn't there
	There  string `json:"there"`
	Poorer bool   `json:"poorer,omitempty"` // clients would be worse off with the other director
}

const none = "-"

// Compare compares this director with another one.
func Compare(peer string, here, there *status.Snapshot) Comparison {
	c := &Comparison{Here: here.RouterID, There: cmp.Or(there.RouterID, peer), Peer: peer, At: there.At, Differences: []Difference{}}
	c.note("kernel's table", "state", cmp.Or(here.Table.Error, "fine"), cmp.Or(there.Table.Error, "fine"), there.Table.Error != "")
	c.note("configuration", "newest file", verdict(here), verdict(there), false)
	c.services(here, there)
	c.routers(here.VRRP, there.VRRP)
	c.settings(here.Settings, there.Settings)
	c.wishes(here.Wishes, there.Wishes)
	return *c
}

func verdict(s *status.Snapshot) string {
	if s.Config.Rejected != "" {
		return "refused"
	}
	return "taken"
}

// Unknown is the Comparison with a director that did not answer.
func Unknown(peer, here string, err error) Comparison {
	return Comparison{Here: here, There: peer, Peer: peer, Error: err.Error(), Differences: []Difference{}}
}

// Poorer returns the differences that would leave clients worse off with the other director.
func (c *Comparison) Poorer() []Difference {
	list := []Difference{}
	for _, d := range c.Differences {
		if d.Poorer {
			list = append(list, d)
		}
	}
	return list
}

func (c *Comparison) note(object, what, here, there string, poorer bool) {
	if here != there {
		c.Differences = append(c.Differences, Difference{object, what, here, there, poorer})
	}
}

func (c *Comparison) services(here, there *status.Snapshot) {
	other := make(map[string]*status.Service, len(there.Services))
	for i := range there.Services {
		other[there.Services[i].Key.String()] = &there.Services[i]
	}
	for i := range here.Services {
		s := &here.Services[i]
		key := s.Key.String()
		if o := other[key]; o == nil {
			c.note(key, "service", "configured", none, true)
		} else {
			c.service(key, s, o)
		}
		delete(other, key)
	}
	for _, key := range slices.Sorted(maps.Keys(other)) {
		c.note(key, "service", none, "configured", false)
	}
}

// service compares a service that both have.
func (c *Comparison) service(key string, here, there *status.Service) {
	c.note(key, "options", strings.Join(here.Options, " "), strings.Join(there.Options, " "), false)
	c.note(key, "in the table", yes(here.InTable), yes(there.InTable), here.InTable)
	c.note(key, "needed for the quorum", fmt.Sprint(here.Quorum.Needed), fmt.Sprint(there.Quorum.Needed), false)
	suspends := here.Suspended || there.Suspended // where the address isn't, nobody checks, and servers wait for that
	if suspends {
		c.note(key, "checks", suspended(here), suspended(there), false)
	} else {
		c.note(key, "quorum", here.Quorum.State.String(), there.Quorum.State.String(), here.Quorum.State == health.Up)
		c.note(key, "sorry servers serve", yes(here.Sorry), yes(there.Sorry), there.Sorry)
		c.note(key, "fail open", yes(here.FailOpen), yes(there.FailOpen), there.FailOpen)
	}
	n, _ := here.Count()
	m, _ := there.Count()
	c.note(key, "servers with clients", fmt.Sprint(n), fmt.Sprint(m), m < n && !suspends)

	type id struct {
		addr  netip.AddrPort
		sorry bool
	}
	other := make(map[id]*status.Server, len(there.Servers))
	for i := range there.Servers {
		other[id{there.Servers[i].Addr, there.Servers[i].Sorry}] = &there.Servers[i]
	}
	for i := range here.Servers {
		s := &here.Servers[i]
		k := id{s.Addr, s.Sorry}
		name := nameOf(s) + " of " + key
		if o := other[k]; o == nil {
			c.note(name, "server", "configured", none, !s.Sorry && serves(s))
		} else {
			c.server(name, s, o, suspends)
		}
		delete(other, k)
	}
	for i := range there.Servers { // in their order
		if s := &there.Servers[i]; other[id{s.Addr, s.Sorry}] != nil {
			c.note(nameOf(s)+" of "+key, "server", none, "configured", false)
		}
	}
}

// serves says whether a server gets clients.
func serves(s *status.Server) bool { return s.InTable && s.TableWeight > 0 }

func nameOf(s *status.Server) string {
	if s.Sorry {
		return s.Addr.String() + " (sorry)"
	}
	return s.Addr.String()
}

func (c *Comparison) server(name string, here, there *status.Server, unchecked bool) {
	c.note(name, "way", here.Forward, there.Forward, false)
	c.note(name, "weight", fmt.Sprint(here.Weight), fmt.Sprint(there.Weight), false)
	c.note(name, "off", yes(here.Off), yes(there.Off), there.Off)
	c.note(name, "checks", checksOf(here), checksOf(there), false)
	if !unchecked {
		c.note(name, "health", here.Health.String(), there.Health.String(), here.Health == health.Up && there.Health != health.Up)
	}
	if !here.Sorry && !unchecked && here.Health == there.Health && serves(here) != serves(there) { // otherwise the health has said so
		c.note(name, "has clients", yes(serves(here)), yes(serves(there)), serves(here))
	}
}

func checksOf(s *status.Server) string {
	if len(s.Checks) == 0 {
		return none
	}
	list := make([]string, len(s.Checks))
	for i := range s.Checks {
		list[i] = strings.TrimSpace(s.Checks[i].Type + " " + s.Checks[i].What)
	}
	return strings.Join(list, ", ")
}

func suspended(s *status.Service) string {
	if s.Suspended {
		return "suspended"
	}
	return "run"
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// routers compares virtual routers by what other routers know them by: ID and family.
func (c *Comparison) routers(here, there *status.VRRP) {
	var hereErr, thereErr string
	list, others := []status.VirtualRouter(nil), []status.VirtualRouter(nil)
	if here != nil {
		list, hereErr = here.Instances, here.Error
	}
	if there != nil {
		others, thereErr = there.Instances, there.Error
	}
	c.note("virtual routers", "state", cmp.Or(hereErr, "fine"), cmp.Or(thereErr, "fine"), thereErr != "")
	same := func(a, b *status.VirtualRouter) bool { return a.VRID == b.VRID && a.IPv6 == b.IPv6 }
	for i := range list {
		r := &list[i]
		name := "vrrp_instance " + r.Name
		at := slices.IndexFunc(others, func(o status.VirtualRouter) bool { return same(r, &o) && o.Name == r.Name })
		if at < 0 {
			at = slices.IndexFunc(others, func(o status.VirtualRouter) bool { return same(r, &o) })
		}
		if at < 0 {
			c.note(name, fmt.Sprintf("virtual_router_id %d", r.VRID), "configured", none, true)
			continue
		}
		c.router(name, r, &others[at])
	}
	for i := range others {
		if !slices.ContainsFunc(list, func(r status.VirtualRouter) bool { return same(&r, &others[i]) }) {
			c.note("vrrp_instance "+others[i].Name, fmt.Sprintf("virtual_router_id %d", others[i].VRID), none, "configured", false)
		}
	}
}

func (c *Comparison) router(name string, here, there *status.VirtualRouter) {
	const fault = "FAULT"
	c.note(name, "version", fmt.Sprint(here.Version), fmt.Sprint(there.Version), true)
	c.note(name, "advert_int", here.Interval.String(), there.Interval.String(), false)
	c.note(name, "addresses lacking", none, cmp.Or(missing(here.Addresses, there.Addresses), none), true)
	c.note(name, "addresses besides", none, cmp.Or(missing(there.Addresses, here.Addresses), none), false)
	if (here.State == fault) != (there.State == fault) {
		c.note(name, "state", here.State, strings.TrimSpace(there.State+" "+strings.Join(there.Faults, ", ")), there.State == fault)
	}
	c.note(name, "sync group", cmp.Or(here.Group, none), cmp.Or(there.Group, none), false)
}

// missing lists the addresses of one list that another one has not.
func missing(list, in []netip.Prefix) string {
	var lacking []string
	for _, p := range list {
		if !slices.Contains(in, p) {
			lacking = append(lacking, p.String())
		}
	}
	slices.Sort(lacking)
	return strings.Join(lacking, ", ")
}

func (c *Comparison) settings(here, there *status.Settings) {
	if here == nil || there == nil {
		return // one of them has just started
	}
	c.note("lvs_timeouts", "tcp, tcpfin, udp", timeouts(here), timeouts(there), false)
	// What one sends, the other one has to receive: the role may be with either.
	a, b := syncOf(here), syncOf(there)
	c.note("sync daemon", "id, group, port", a, b, a != none)
	for _, name := range slices.Sorted(maps.Keys(here.Sysctls)) {
		if other, kept := there.Sysctls[name]; kept {
			c.note("sysctl "+name, "value", here.Sysctls[name], other, false)
		}
	}
}

func timeouts(s *status.Settings) string {
	return fmt.Sprintf("%v, %v, %v", s.Timeouts.TCP, s.Timeouts.TCPFin, s.Timeouts.UDP)
}

// syncOf is what a director and its counterpart have to share for connections to be known to both, whichever role it has now.
func syncOf(s *status.Settings) string {
	seen := make(map[string]bool)
	for _, d := range []*status.SyncDaemon{s.Master, s.Backup} {
		if d != nil {
			seen[fmt.Sprintf("%d, %v, %d", d.SyncID, d.Group, d.Port)] = true
		}
	}
	if len(seen) == 0 {
		return none
	}
	return strings.Join(slices.Sorted(maps.Keys(seen)), "; ")
}

// wishes compares what the operator wants of servers: a drain that is not known there ends with a switchover.
func (c *Comparison) wishes(here, there []admin.Wish) {
	known := func(list []admin.Wish) map[string]string {
		m := make(map[string]string, len(list))
		for _, w := range list {
			if w.Cleared || w.Expired {
				continue
			}
			object, what := wish(w)
			m[object] = what
		}
		return m
	}
	a, b := known(here), known(there)
	for _, object := range slices.Sorted(maps.Keys(a)) {
		c.note(object, "wanted by the operator", a[object], cmp.Or(b[object], none), b[object] == "")
	}
	for _, object := range slices.Sorted(maps.Keys(b)) {
		if _, both := a[object]; !both {
			c.note(object, "wanted by the operator", none, b[object], false)
		}
	}
}

// wish names what a wish is about, and says what is wanted.
func wish(w admin.Wish) (object, what string) {
	object = "server " + w.Server.String()
	if w.Service != "" {
		object += " of " + w.Service
	}
	what = w.What.String()
	if w.What == admin.Weight {
		object += ", weight"
		what = fmt.Sprint(w.Weight)
	}
	return object, what
}
