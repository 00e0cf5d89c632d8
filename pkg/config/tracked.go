package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/ipvsd/ipvsd/pkg/bfd"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// trackLists are the lists of what an instance or a sync group depends on, and the tables that the names are of.
var trackLists = []struct {
	keyword string
	kind    vrrp.ObjectKind
	table   string // empty: of no table
}{
	{"track_interface", vrrp.TrackInterface, ""},
	{"track_script", vrrp.TrackScript, "vrrp_script"},
	{"track_file", vrrp.TrackFile, "track_file"},
	{"track_process", vrrp.TrackProcess, "vrrp_track_process"},
	{"track_bfd", vrrp.TrackBFD, "bfd_instance"},
	{"track_route", vrrp.TrackRoute, "track_route"},
	{"track_virtual_server", vrrp.TrackService, ""},
}

// objects resolves the tables of what can be tracked.
func (r *routers) objects() {
	for _, b := range r.doc.routers[inScript] {
		if r.v.Scripts == nil {
			r.v.Scripts = make(map[string]health.ID)
		}
		r.v.Scripts[b.called()] = r.script(b)
		r.weigh(b, vrrp.TrackScript)
	}
	for _, name := range sortedKeys(r.doc.files) {
		b := r.doc.files[name]
		f, _ := lookup[TrackFile]("init_file", b)
		if f.Path = r.files[name].path; f.Init {
			r.keepFile(name, f)
		}
		w := weighted{weight: 1, reverse: r.files[name].reverse} // keepalived's; FILE_CHECK has another
		if v := b.value("weight"); v != nil {
			w.weight = int(r.files[name].weight)
		}
		r.usual[vrrp.Object{Kind: vrrp.TrackFile, Name: name}] = w
	}
	for _, b := range r.doc.routers[inProcess] {
		if r.v.Processes == nil {
			r.v.Processes = make(map[string]Process)
		}
		r.v.Processes[b.called()] = r.process(b)
		r.weigh(b, vrrp.TrackProcess)
	}
	for _, b := range r.doc.routers[inBFD] {
		if r.v.BFD == nil {
			r.v.BFD = make(map[string]*bfd.Config)
		}
		r.v.BFD[b.called()] = r.session(b)
		r.weigh(b, vrrp.TrackBFD)
	}
	for _, b := range r.doc.routers[inTrackRoute] {
		var t TrackRoute
		t.Route, _ = lookup[string]("route", b)
		gateway, _ := lookup[netip.Addr]("gateway", b)
		if gateway.IsValid() {
			t.Gateway = gateway.String()
		}
		t.Dev, _ = lookup[string]("dev", b)
		if b.lacks("route", "gateway") {
			r.fail(b.at(), `write route = "default", or gateway = "192.0.2.254"`, "the track_route has neither a route nor a gateway")
		}
		if v := b.value("gateway"); v != nil && b.value("route") != nil {
			r.fail(v.key, "make two tables of it", "a track_route has a route or a gateway, one of them")
		}
		if gateway.Is6() && gateway.IsLinkLocalUnicast() && b.lacks("dev") {
			r.fail(b.value("gateway").at, `write dev = "eth0"`, "a link-local gateway needs an interface")
		}
		r.route(b.called(), t)
		r.weigh(b, vrrp.TrackRoute)
	}
}

// trackedFiles notes the files that something depends on. Those that are made at the start are there already.
func (r *routers) trackedFiles() {
	note := func(list []vrrp.Track) {
		for _, t := range list {
			if _, known := r.v.Files[t.Name]; t.Kind == vrrp.TrackFile && !known {
				r.keepFile(t.Name, TrackFile{Path: r.files[t.Name].path})
			}
		}
	}
	for _, i := range r.v.Instances {
		note(i.Tracks)
	}
	for _, g := range r.v.Groups {
		note(g.Tracks)
	}
}

// keepFile notes a file that is tracked or made.
func (r *routers) keepFile(name string, f TrackFile) {
	if r.v.Files == nil {
		r.v.Files = make(map[string]TrackFile)
	}
	r.v.Files[name] = f
}

// weigh notes the weight that a table says for whoever tracks it.
func (r *routers) weigh(b *block, kind vrrp.ObjectKind) {
	if !plainName(b.called()) {
		r.fail(b.at(), `names are words, as in [`+b.in.String()[1:len(b.in.String())-1]+`]`, "the name has blanks or quotes in it")
	}
	w, _ := lookup[weighted]("weight", b)
	if reverse, v := lookup[bool]("reverse", b); v != nil {
		w.reverse = reverse
	}
	r.usual[vrrp.Object{Kind: kind, Name: b.called()}] = w
}

// script resolves a vrrp_script: a check that runs a command.
func (r *routers) script(b *block) health.ID {
	if b.lacks("script") {
		r.fail(b.at(), `write script = "/usr/local/bin/check"`, "the vrrp_script has no script")
	}
	run, written := lookup[Script]("script", b)
	as, named := lookup[Script]("user", b)
	switch {
	case named != nil && run.User != "":
		r.fail(named.key, "write one of them", "script says already that %s runs it", run.User)
	case named != nil:
		run.User, run.Group = as.User, as.Group
	case run.User == "":
		run.User, run.Group = r.frame.user.User, r.frame.user.Group
	}
	_ = written
	interval, _ := lookup[time.Duration]("interval", b)
	c := health.Check{
		Type: "vrrp_script", Timeout: interval,
		Spec: health.Misc{Argv: health.ListOf(run.Argv...), User: run.User, Group: run.Group},
		// Each run begins an interval after the one before, whatever comes of it.
		Policy: health.Policy{DelayLoop: interval, FastInterval: interval, DelayBeforeRetry: interval, Rise: 1},
	}
	if d, v := lookup[time.Duration]("timeout", b); v != nil && v.data != nil {
		c.Timeout = d
	}
	if n, _ := lookup[int64]("rise", b); n > 0 {
		c.Rise = int(n)
	}
	if n, _ := lookup[int64]("fall", b); n > 0 {
		c.Retry = int(n - 1)
	}
	c.Alpha, _ = lookup[bool]("init_fail", b)
	return c.ID()
}

// process resolves a vrrp_track_process.
func (r *routers) process(b *block) (p Process) {
	if b.lacks("process") {
		r.fail(b.at(), `write process = "haproxy"`, "the vrrp_track_process has no process")
	}
	p.Argv, _ = lookup[[]string]("process", b)
	match, _ := lookup[any]("param_match", b)
	if p.Match, _ = match.(string); match == true {
		p.Match = matchExact
	}
	p.FullCommand, _ = lookup[bool]("full_command", b)
	quorum, few := lookup[int64]("quorum", b)
	p.Quorum, p.QuorumMax = int(quorum), -1
	if most, v := lookup[int64]("quorum_max", b); v != nil && v.data != nil {
		p.QuorumMax = int(most)
		switch {
		case most == 0 && few == nil: // none may run
			p.Quorum = 0
		case most < quorum:
			r.fail(v.at, "write quorum_max as high as quorum, or higher", "quorum_max %d is below the quorum of %d", most, quorum)
		}
	}
	both, _ := lookup[time.Duration]("delay", b)
	p.ForkDelay, p.TerminateDelay = both, both
	if d, v := lookup[time.Duration]("fork_delay", b); v != nil {
		p.ForkDelay = d
	}
	if d, v := lookup[time.Duration]("terminate_delay", b); v != nil {
		p.TerminateDelay = d
	}
	return p
}

// session resolves a bfd_instance.
func (r *routers) session(b *block) *bfd.Config {
	c := &bfd.Config{Name: b.called()}
	if b.lacks("neighbor_ip") {
		r.fail(b.at(), `write neighbor_ip = "192.0.2.2"`, "the bfd_instance has no neighbor_ip")
	}
	var v *value
	c.Neighbor, _ = lookup[netip.Addr]("neighbor_ip", b)
	if c.Source, v = lookup[netip.Addr]("source_ip", b); c.Source.IsValid() && c.Neighbor.IsValid() && c.Source.Is6() != c.Neighbor.Is6() {
		r.fail(v.at, "both must be of one family", "source_ip is %s, but neighbor_ip is %s", familyName(c.Source.Is6()), familyName(c.Neighbor.Is6()))
	}
	c.MinRx, _ = lookup[time.Duration]("min_rx", b)
	c.MinTx, _ = lookup[time.Duration]("min_tx", b)
	c.IdleTx, _ = lookup[time.Duration]("idle_tx", b)
	multiplier, _ := lookup[int64]("multiplier", b)
	c.Multiplier = uint8(multiplier)
	c.Passive, _ = lookup[bool]("passive", b)
	if ttl, v := lookup[int64]("ttl", b); v != nil {
		c.TTL = uint8(ttl)
	}
	hops, _ := lookup[int64]("max_hops", b)
	c.MaxHops = int(hops)
	c.Multihop, _ = lookup[bool]("multihop", b)
	for _, other := range r.v.BFD {
		if other.Neighbor == c.Neighbor && other.Source == c.Source && c.Neighbor.IsValid() {
			r.fail(b.value("neighbor_ip").at, "two sessions need two source_ip", "the bfd_instance %s has the same neighbour", other.Name)
		}
	}
	return c
}

// tracks resolves what an instance depends on: what is written, its interface, its source, the interfaces of its addresses.
func (r *routers) tracks(b *block, i *Instance) {
	i.Tracks = r.tracked(b)
	own := vrrp.Object{Kind: vrrp.TrackInterface, Name: i.home()}
	for t, v := range items[tracking](b, "track_interface") {
		if t.name == own.Name {
			r.warn(v.at, "leave it out", "%s has no effect here: it is the instance's own interface, and dont_track_primary says whether its link matters", t.name)
		}
	}
	i.Tracks = slices.DeleteFunc(i.Tracks, func(t vrrp.Track) bool { return t.Object == own })
	if i.Priority == 255 {
		r.unmoved(b, i)
	}
	if alone, _ := lookup[bool]("dont_track_primary", b); !alone && own.Name != "" {
		i.Tracks = track(i.Tracks, vrrp.Track{Object: own})
	}
	for _, name := range i.addressDevs() {
		i.Tracks = track(i.Tracks, vrrp.Track{Object: vrrp.Object{Kind: vrrp.TrackInterface, Name: name}})
	}
	if i.TrackSource && i.Source.IsValid() {
		i.Tracks = track(i.Tracks, vrrp.Track{Object: vrrp.Object{Kind: vrrp.TrackAddress, Name: i.Source.String()}})
	}
}

// unmoved reports weights of the owner of the addresses: its priority never changes. The number in a file counts as with weight 0.
func (r *routers) unmoved(b *block, i *Instance) {
	for _, l := range trackLists {
		for t, v := range items[tracking](b, l.keyword) {
			n := slices.IndexFunc(i.Tracks, func(o vrrp.Track) bool { return o.Object == vrrp.Object{Kind: l.kind, Name: t.name} })
			switch {
			case n < 0 || i.Tracks[n].Weight == 0:
			case l.kind == vrrp.TrackFile:
				r.warn(v.at, "write a lower priority, or weight 0", "the weight of %s counts as 0, a FAULT: priority 255 never changes", t.name)
				i.Tracks[n].Weight = 0
			default:
				r.warn(v.at, "write a lower priority, or weight 0", "the weight of %s has no effect: priority 255 never changes", t.name)
			}
		}
	}
}

// track adds what is tracked, unless it is already. The order is that of kinds and names: what a file says in another order is the same.
func track(list []vrrp.Track, t vrrp.Track) []vrrp.Track {
	i, there := slices.BinarySearchFunc(list, t, func(a, b vrrp.Track) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	if there {
		return list
	}
	return slices.Insert(list, i, t)
}

// addressDevs are the interfaces of the host that addresses are on, but for the instance's own and for those that don't matter.
func (i *Instance) addressDevs() (list []string) {
	links := i.links()
	for _, a := range i.Active.Addresses {
		dev := a.Dev
		for n := range links {
			if links[n].Name == dev {
				dev = links[n].Base
			}
		}
		if dev != "" && dev != i.home() && !a.NoTrack {
			list = append(list, dev)
		}
	}
	return list
}

// tracked resolves the lists of an instance or a sync group.
func (r *routers) tracked(b *block) (list []vrrp.Track) {
	for _, l := range trackLists {
		for t, v := range items[tracking](b, l.keyword) {
			o := vrrp.Object{Kind: l.kind, Name: t.name}
			_, known := r.usual[o]
			switch {
			case l.table != "" && !known:
				r.unknown(v.at, l.table, t.name, r.named(l.kind))
				continue
			case l.kind == vrrp.TrackInterface:
				if _, w := device.read(t.name); w != nil {
					r.fail(v.at, w.hint, "%q is no name of an interface", t.name)
					continue
				}
				r.mention(t.name, v.at)
			case l.kind == vrrp.TrackService:
				r.services = append(r.services, service{t.name, r.diagnostic(Error, v.at, "", "")})
			}
			w := r.weight(l.kind, t)
			n := len(list)
			list = track(list, vrrp.Track{Object: o, Weight: w.weight, Reverse: w.reverse})
			if len(list) == n {
				r.fail(v.at, "leave one of them out", "%s is there twice", t.name)
			}
		}
	}
	return list
}

// named returns the names of the tables of a kind.
func (r *routers) named(kind vrrp.ObjectKind) (names []string) {
	for o := range r.usual {
		if o.Kind == kind {
			names = append(names, o.Name)
		}
	}
	slices.Sort(names)
	return names
}

// weight returns what holds for an item of a list: what it says itself, or its object's table.
func (r *routers) weight(kind vrrp.ObjectKind, t tracking) weighted {
	w := r.usual[vrrp.Object{Kind: kind, Name: t.name}]
	if t.weighs {
		w.weight = t.weight
	}
	if t.turned {
		w.reverse = t.reverse
	}
	return w
}

// service is a virtual server that an instance depends on, and where it says so.
type service struct {
	name string
	at   Diagnostic
}

// unknownServices reports virtual servers that instances depend on, and the file lacks.
func (f *frame) unknownServices(virtuals []*VirtualServer) (found Diagnostics) {
	if len(f.services) == 0 {
		return nil
	}
	names := make(map[string]bool, len(virtuals))
	for _, vs := range virtuals {
		if names[vs.Name] = true; vs.Name == "" {
			return nil // that has been reported, and it might be this one
		}
	}
	for _, s := range f.services {
		if names[s.name] {
			continue
		}
		d := s.at
		d.Message, d.Hint = fmt.Sprintf("there is no virtual server %q", s.name), `they are called "tcp 192.0.2.1:80", "fwmark 7" or "group WEB tcp"`
		if near := closest(s.name, sortedKeys(names)); near != "" {
			d.Hint = fmt.Sprintf("did you mean %q?", near)
		}
		found = append(found, d)
	}
	return found
}
