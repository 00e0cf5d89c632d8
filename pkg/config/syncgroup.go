package config

import (
	"slices"

	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// syncGroup resolves one vrrp_sync_group, and what it changes in its members.
func (r *routers) syncGroup(b *block) *Group {
	g := &Group{}
	g.Name = b.called()
	if !plainName(g.Name) {
		r.fail(b.at(), "scripts get it as one word", "the name of a vrrp_sync_group has no blanks and quotes")
	}
	if b.lacks("group") {
		r.fail(b.at(), `write group = ["VI_1", "VI_2"]`, "the vrrp_sync_group has no instances")
	}
	g.Weights, _ = lookup[bool]("sync_group_tracking_weight", b)
	g.Tracks = r.tracked(b)
	g.Notify = r.notify(b)
	g.Notify.PriorityChanges, _ = inherited[bool](r.global, b, "notify_priority_changes", "vrrp_notify_priority_changes")
	for name, v := range items[string](b, "group") {
		m := r.instances[name]
		switch {
		case m == nil:
			r.unknown(v.at, "vrrp_instance", name, sortedKeys(r.instances))
			continue
		case m.group == b:
			r.fail(v.at, "leave one of them out", "%s is there twice", name)
			continue
		case m.group != nil:
			r.fail(v.at, "an instance is in one sync group: make one of both", "%s is in the vrrp_sync_group %s already", name, m.Group)
			continue
		}
		m.group, m.Group = b, g.Name
		g.Members = append(g.Members, name)
		if m.block.value("notify_priority_changes") == nil {
			m.Notify.PriorityChanges = g.Notify.PriorityChanges
		}
		if !g.Weights {
			r.unweighted(m)
		}
	}
	if v := b.value("group"); len(g.Members) == 1 && len(v.items) == 1 {
		r.warn(v.at, "leave the sync group out, or add the other instances", "the sync group has one instance only")
	}
	return g
}

// unweighted reports weights of what a member tracks itself: members of a group keep their priorities. Interfaces and files count as
// if they had none, as with keepalived 2.2.7. What the group tracks is the same for all members, and keeps its weights.
func (r *routers) unweighted(m *tabled) {
	for _, l := range trackLists {
		for t, v := range items[tracking](m.block, l.keyword) {
			n := slices.IndexFunc(m.Tracks, func(o vrrp.Track) bool { return o.Object == vrrp.Object{Kind: l.kind, Name: t.name} })
			if n < 0 || m.Tracks[n].Weight == 0 {
				continue
			}
			comes := "has no effect"
			if l.kind == vrrp.TrackInterface || l.kind == vrrp.TrackFile {
				m.Tracks[n].Weight = 0
				comes = "counts as 0, a FAULT"
			}
			r.warn(v.at, "let the sync group track it, for all alike, or write sync_group_tracking_weight = true there",
				"the weight of %s %s: members of a sync group keep their priorities", t.name, comes)
		}
	}
}

// notify resolves who is told of transitions.
func (r *routers) notify(b *block) Notify {
	deleted, _ := lookup[any]("notify_deleted", b)
	_, script := deleted.(Script)
	return Notify{
		Master: r.command("notify_master", b), Backup: r.command("notify_backup", b), Fault: r.command("notify_fault", b),
		Stop: r.command("notify_stop", b), Deleted: r.command("notify_deleted", b), Any: r.command("notify", b),
		RxLowerPri:  r.command("notify_master_rx_lower_pri", b),
		Mail:        alerts(false, b, r.global, "smtp_alert_vrrp"),
		TellDeleted: script || deleted == true,
	}
}
