package config

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"time"

	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// routers resolves the tables of VRRP, and reports what breaks a rule between them. A rule is silent when a keyword it needs could
// not be read: that has been reported.
type routers struct {
	*report
	*frame
	doc       *document
	v         VRRP
	usual     map[vrrp.Object]weighted // weights of what is tracked, as its own table has it
	made      map[string]bool          // names of interfaces that are made
	instances map[string]*tabled
}

// tabled is an instance with its table, and the group that it is in.
type tabled struct {
	*Instance
	block *block
	group *block
}

// vrrp resolves all of it.
func (r *report) vrrp(f *frame, doc *document) VRRP {
	v := &routers{report: r, frame: f, doc: doc, usual: make(map[vrrp.Object]weighted), instances: make(map[string]*tabled)}
	v.objects()
	v.made = v.namedLinks()
	for _, b := range doc.routers[inInstance] {
		i := v.instance(b)
		v.tracks(b, i)
		v.v.Instances = append(v.v.Instances, i)
		v.instances[i.Name] = &tabled{Instance: i, block: b}
	}
	v.clashes()
	for _, b := range doc.routers[inSyncGroup] {
		v.v.Groups = append(v.v.Groups, v.syncGroup(b))
	}
	v.trackedFiles()
	v.statics()
	v.settings()
	return v.v
}

// items are the readable items of a list, each with where it stands.
func items[T any](b *block, name string) iter.Seq2[T, *value] {
	return func(yield func(T, *value) bool) {
		v := b.value(name)
		if v == nil {
			return
		}
		for i := range v.items {
			if data, ok := v.items[i].data.(T); ok && !yield(data, &v.items[i]) {
				return
			}
		}
	}
}

// unreadable says whether a keyword is there, and could not be read as a whole.
func unreadable(b *block, name string) bool {
	v := b.value(name)
	return v != nil && v.data == nil
}

// unknown reports a name that no table has.
func (r *report) unknown(at spot, what, name string, known []string) {
	hint := fmt.Sprintf("write [%s.%s]", what, bare(name))
	if near := closest(name, known); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	r.fail(at, hint, "there is no %s %q", what, name)
}

// seat is where an address is.
type seat struct {
	dev  string
	addr netip.Addr
}

// clashes reports instances that can't be told apart, and addresses that two of them have.
func (r *routers) clashes() {
	type identity struct {
		dev  string
		vrid uint8
		ipv6 bool
	}
	type station struct {
		base string
		mac  [6]byte
	}
	seen := make(map[identity]*tabled)
	stations := make(map[station]*tabled)
	links := make(map[string]*tabled)
	places := make(map[seat]*tabled)
	for _, i := range r.v.Instances {
		m := r.instances[i.Name]
		id := identity{i.home(), i.VRID, i.IPv6}
		if first := seen[id]; first != nil && id.vrid != 0 {
			r.fail(m.block.value("virtual_router_id").at, r.lineOf(first.block.value("virtual_router_id").at.from)+" has it: each needs its own",
				"%s has the virtual_router_id %d of %s, on the same interface", i.Name, i.VRID, first.Name)
		} else {
			seen[id] = m
		}
		for _, l := range i.links() {
			if first := links[l.Name]; first != nil {
				r.fail(m.block.at(), `give it a name of its own: use_vmac = "vrrp.x"`,
					"%s and %s would both make the interface %s", first.Name, i.Name, l.Name)
			}
			links[l.Name] = m
			if l.Kind != vip.MACVLAN {
				continue
			}
			s := station{l.Base, l.MAC}
			if first := stations[s]; first != nil {
				r.fail(m.block.at(), "give it a MAC address of its own, or another virtual_router_id",
					"%s and %s would both have an interface with the MAC address %s on %s", first.Name, i.Name, hardware(l.MAC), l.Base)
			}
			stations[s] = m
		}
		for _, a := range i.Active.Addresses {
			p := seat{a.Dev, a.Prefix.Addr()}
			if first := places[p]; first != nil && first != m && p.dev != "" {
				r.warn(m.block.at(), "leave it out of one of them, or both take it from each other",
					"%s and %s have the same address %s on %s", first.Name, i.Name, p.addr, p.dev)
			} else {
				places[p] = m
			}
		}
	}
}

// home is the interface of the host that an instance is on: of a VMAC, the one below.
func (i *Instance) home() string {
	if i.Parent != "" {
		return i.Parent
	}
	return i.Interface
}

// links are the interfaces that are made for it.
func (i *Instance) links() []vip.Link {
	if i.Link == nil {
		return i.MoreLinks
	}
	return append([]vip.Link{*i.Link}, i.MoreLinks...)
}

// settings resolves what the keywords of global_defs say of VRRP.
func (r *routers) settings() {
	v := &r.v
	arp, _ := lookup[time.Duration]("vrrp_garp_interval", r.global)
	na, _ := lookup[time.Duration]("vrrp_gna_interval", r.global)
	pace := func(name string, p vip.Pacing) {
		if v.Pacing == nil {
			v.Pacing = make(map[string]vip.Pacing)
		}
		v.Pacing[name] = p
	}
	if arp > 0 || na > 0 {
		pace("", vip.Pacing{ARP: arp, NA: na})
	}
	for _, b := range r.doc.routers[inGARPGroup] {
		r.garpGroup(b, pace)
	}
	root := r.global.parent
	if delays, v := lookup[map[string]LinkDelay]("interface_up_down_delays", root); len(delays) > 0 {
		r.v.UpDelay = delays
		for _, name := range sortedKeys(delays) {
			r.mention(name, v.at)
		}
	}
	for w, v := range items[watched](root, "linkbeat_interfaces") {
		if r.v.Linkbeat == nil {
			r.v.Linkbeat = make(map[string]string)
		}
		if _, twice := r.v.Linkbeat[w.name]; twice {
			r.fail(v.at, "leave one of them out", "the interface %s is there twice", w.name)
		}
		r.v.Linkbeat[w.name] = w.how
		r.mention(w.name, v.at)
	}
	dynamic, _ := lookup[any]("dynamic_interfaces", r.global)
	v.DynamicIfs = dynamic == true || dynamic == "allow_if_changes"
	v.NoReports, _ = lookup[bool]("disable_local_igmp", r.global)
	v.LogUnknown, _ = lookup[bool]("log_unknown_vrids", r.global)
	v.AllStates, _ = lookup[bool]("fifo_write_vrrp_states_on_reload", r.global)
	if len(v.Instances) == 0 {
		return
	}
	v.WaitForChecks, _ = lookup[time.Duration]("vrrp_wait_for_checks", r.global)
	rt, _ := lookup[int64]("vrrp_rt_priority", r.global)
	nice, _ := lookup[int64]("vrrp_priority", r.global)
	v.Realtime.Priority, v.Realtime.Nice = int(rt), int(nice)
	v.Realtime.NoSwap, _ = lookup[bool]("vrrp_no_swap", r.global)
	v.Realtime.CPUs, _ = lookup[[]int]("vrrp_cpu_affinity", r.global)
}

// garpGroup resolves interfaces that share a pace.
func (r *routers) garpGroup(b *block, pace func(string, vip.Pacing)) {
	p := vip.Pacing{Group: b.called()}
	p.ARP, _ = lookup[time.Duration]("garp_interval", b)
	p.NA, _ = lookup[time.Duration]("gna_interval", b)
	if b.lacks("garp_interval", "gna_interval") {
		r.fail(b.at(), "write garp_interval = 0.001", "the garp_group has no interval")
	}
	if b.lacks("interface") {
		r.fail(b.at(), `write interfaces = ["eth0"]`, "the garp_group has no interface")
	}
	for name, v := range items[string](b, "interface") {
		if _, known := r.v.Pacing[name]; known {
			r.fail(v.at, "an interface has one pace", "the interface %s is in another garp_group, or there twice", name)
			continue
		}
		pace(name, p)
	}
}

// statics resolves what is there in any role.
func (r *routers) statics() {
	root := r.global.parent
	groups := make(map[string][]string)
	for _, b := range r.doc.routers[inTrackGroup] {
		if b.lacks("group") {
			r.fail(b.at(), `write group = ["VI_1"]`, "the track_group has no instances")
		}
		for name, v := range items[string](b, "group") {
			if r.instances[name] == nil {
				r.unknown(v.at, "vrrp_instance", name, sortedKeys(r.instances))
				continue
			}
			if slices.Contains(groups[b.called()], name) {
				r.fail(v.at, "leave one of them out", "%s is there twice", name)
			}
			groups[b.called()] = append(groups[b.called()], name)
		}
		if r.v.Tracked == nil {
			r.v.Tracked = make(map[string][]string)
		}
		r.v.Tracked[b.called()] = groups[b.called()]
	}
	seen := make(map[seat]bool)
	for a, v := range items[vip.Address](root, "static_ipaddress") {
		if a.Dev == "" {
			a.Dev, _ = lookup[string]("default_interface", r.global)
		}
		switch {
		case a.Dev == "":
			r.fail(v.at, `write "`+a.String()+` dev eth0", or default_interface in [global_defs]`, "the static address has no interface")
		case a.UseVMAC:
			r.fail(v.at, "leave it out", "use_vmac is for the addresses of an instance")
		default:
			r.mention(a.Dev, v.at)
		}
		at := seat{a.Dev, a.Prefix.Addr()}
		if seen[at] {
			r.fail(v.at, "leave one of them out", "the address %s is there twice", at.addr)
		}
		seen[at] = true
		r.v.Static.Addresses = append(r.v.Static.Addresses, a)
		r.needed(v, a.TrackGroup, vrrp.Object{Kind: vrrp.TrackAddress, Name: a.Prefix.Addr().String()})
	}
	for rt, v := range items[vip.Route](root, "static_routes") {
		r.v.Static.Routes = append(r.v.Static.Routes, rt)
		object := vrrp.Object{Kind: vrrp.TrackRoute, Name: staticRoute(rt)}
		if r.needed(v, rt.TrackGroup, object) {
			r.route(object.Name, TrackRoute{Route: rt.Destination.String(), Dev: rt.Dev})
		}
	}
	for rule, v := range items[vip.Rule](root, "static_rules") {
		r.v.Static.Rules = append(r.v.Static.Rules, rule)
		if rule.TrackGroup != "" {
			r.warn(v.at, "leave it out", "track_group has no effect: a static rule that goes is put back at once")
		}
	}
}

// staticRoute is the name of a static route that instances depend on. No table of the user's has a blank in its name.
func staticRoute(rt vip.Route) string { return "static " + rt.String() }

// needed makes the instances of a track_group depend on an object, and says whether there are any.
func (r *routers) needed(v *value, group string, object vrrp.Object) bool {
	if group == "" {
		return false
	}
	names, known := r.v.Tracked[group]
	if !known {
		r.unknown(v.at, "track_group", group, sortedKeys(r.v.Tracked))
	}
	for _, name := range names {
		i := r.instances[name].Instance
		i.Tracks = track(i.Tracks, vrrp.Track{Object: object})
	}
	return len(names) > 0
}

// route adds an object of track_route.
func (r *routers) route(name string, t TrackRoute) {
	if r.v.Routes == nil {
		r.v.Routes = make(map[string]TrackRoute)
	}
	r.v.Routes[name] = t
}

// mention notes where an interface or a file is named.
func (r *routers) mention(name string, at spot) {
	r.report.outside.add(name, r.diagnostic(Warning, at, "", ""))
}
