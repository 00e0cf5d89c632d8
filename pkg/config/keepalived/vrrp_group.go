package keepalived

import "github.com/ipvsd/ipvsd/pkg/config/document"

var groupScope = scope{"vrrp_sync_group", []keyword{
	{"group", Honoured, "", nil}, // syncGroup reads it
	{"track_interface", Honoured, "", trackList("track_interface", 253)},
	{"track_script", Honoured, "", trackList("track_script", 253)},
	{"track_file", Honoured, "", trackList("track_file", 254)},
	{"track_process", Honoured, "", trackList("track_process", 254)},
	{"track_bfd", Honoured, "", trackList("track_bfd", 253)},
	{"notify_master", Honoured, "", notify},
	{"notify_backup", Honoured, "", notify},
	{"notify_fault", Honoured, "", notify},
	{"notify_stop", Honoured, "", notify},
	{"notify", Honoured, "", notify},
	{"smtp_alert", Honoured, "", boolean},
	{"notify_priority_changes", Honoured, "", boolean},
	{"sync_group_tracking_weight", Honoured, "", flag},
	{"global_tracking", Mapped, "sync_group_tracking_weight", renamed("sync_group_tracking_weight", flag)},
}}

var groupLines = scope{"vrrp_sync_group group", nil}

// syncGroup reads a vrrp_sync_group. An instance is in the first group that names it.
func (t *translation) syncGroup(n *Node) {
	if !t.first(n) {
		return
	}
	var members []document.Item
	for _, block := range n.Block {
		if block.Text != "group" {
			continue
		}
		for _, w := range block.names() {
			name := plainName(w.Text)
			switch in := t.vrrp.member[name]; {
			case !t.exists("vrrp_instance", w.Text):
				t.ignored(w, "write the name of a vrrp_instance", "there is no vrrp_instance %s", w.Text)
			case in != "":
				t.ignored(w, "make one group of both", "%s is in the vrrp_sync_group %s already", w.Text, in)
			default:
				if t.vrrp.member == nil {
					t.vrrp.member = make(map[string]string)
				}
				t.vrrp.member[name] = n.arg(0)
				members = append(members, document.Item{At: w.At, Value: name})
			}
		}
	}
	if len(members) == 0 {
		t.ignored(n.Word, `write group { VI_1 VI_2 } with a line for each`, "the vrrp_sync_group %s has no instances", n.arg(0))
		return
	}
	if len(members) == 1 {
		t.Odd()
	}
	t.table(n, n.header(n.Text), false, 0, func() {
		t.put(nil, "group", members)
		t.walk(n)
	})
}
