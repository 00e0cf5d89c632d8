package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/status"
)

// syncDaemons asks whether the daemons that tell connections to another director understand each other.
func syncDaemons(f *Facts, r *Report) {
	if f.Table == nil {
		return
	}
	master, backup := f.Table.Master, f.Table.Backup
	for _, role := range []string{"master", "backup"} {
		d := map[string]*status.SyncDaemon{"master": master, "backup": backup}[role]
		if d == nil {
			continue
		}
		if l := f.link(d.Interface); l == nil || !l.Up {
			r.found(Finding{
				ID: "sync-interface", Severity: Problem, Where: "sync daemon, " + role,
				What: fmt.Sprintf("It runs on %s, which is not there or down.", d.Interface),
				Why:  "No connection is told to the other director, or learnt from it: in a failover all of them break.",
				Mend: []string{"ip link set dev " + word(d.Interface) + " up"},
			})
		}
	}
	if master != nil && backup != nil && (master.Interface != backup.Interface || master.SyncID != backup.SyncID && backup.SyncID != 0) {
		r.found(syncMismatch("sync-own", "both roles on this machine",
			fmt.Sprintf("The master runs with ID %d on %s, the backup with ID %d on %s.", master.SyncID, master.Interface, backup.SyncID, backup.Interface),
			restart("backup", backup, master.Interface, master.SyncID)))
	}
	own, role := backup, "backup"
	if own == nil {
		own, role = master, "master"
	}
	for _, s := range f.Syncs {
		if own != nil && s.Link != own.Interface && f.syncsOn(own.Interface, s.From) {
			continue // the same messages, as a bond's port or the like hears them too
		}
		where := fmt.Sprintf("sync messages of %s", s.From)
		switch {
		case own == nil:
			r.found(syncMismatch("sync-one-side", where, fmt.Sprintf("%s tells its connections on %s (ID %d), and no sync daemon runs here.", s.From, s.Link, s.SyncID),
				[]string{fmt.Sprintf("ipvsadm --start-daemon backup --mcast-interface %s --syncid %d", word(s.Link), s.SyncID)}))
		case own.Interface != s.Link:
			r.found(syncMismatch("sync-interface", where, fmt.Sprintf("They come in on %s, and the sync daemon here (%s) listens on %s.", s.Link, role, own.Interface),
				restart(role, own, s.Link, own.SyncID)))
		case own.SyncID != 0 && own.SyncID != s.SyncID:
			r.found(syncMismatch("sync-id", where, fmt.Sprintf("They have the ID %d, and the sync daemon here (%s) has %d.", s.SyncID, role, own.SyncID),
				restart(role, own, own.Interface, s.SyncID)))
		case backup == nil:
			r.found(syncMismatch("sync-one-side", where, fmt.Sprintf("%s tells its connections, and here only a master runs, which does not listen.", s.From),
				[]string{fmt.Sprintf("ipvsadm --start-daemon backup --mcast-interface %s --syncid %d", word(s.Link), s.SyncID)}))
		}
		if version, known := f.sysctl("net/ipv4/vs/sync_version"); known && own != nil && int(s.Version) != version {
			r.found(oldSync(where, &s, version))
		}
	}
	if own != nil && len(f.Syncs) == 0 {
		r.unseen("sync-id", "whether another director's sync daemon agrees with this one's (ID %d on %s): none was heard; they are silent without traffic",
			own.SyncID, own.Interface)
	}
}

// syncsOn says whether sync messages of a director were heard on a link.
func (f *Facts) syncsOn(link string, from netip.Addr) bool {
	return slices.ContainsFunc(f.Syncs, func(s Sync) bool { return s.Link == link && s.From == from })
}

// oldSync is about a director that sends version 0. Both versions are understood by all that can send version 1 (ip_vs_process_message).
func oldSync(where string, s *Sync, here int) Finding {
	found := Finding{
		ID: "sync-version", Severity: Warning, Where: where,
		What: fmt.Sprintf("They are in version %d of the protocol, and net.ipv4.vs.sync_version is %d here.", s.Version, here),
		Why:  "Version 0 has no room for connections of IPv6, of firewall marks and of persistence engines, nor for timeouts: in a failover those are lost.",
		Mend: []string{set("net/ipv4/vs/sync_version", 1)}, Then: kept,
	}
	if s.Version == 0 {
		found.On = s.From.String()
	}
	return found
}

func syncMismatch(id, where, what string, mend []string) Finding {
	return Finding{
		ID: id, Severity: Problem, Where: where, What: what,
		Why:  "Connections of the one director are unknown to the other: in a failover all of them break.",
		Mend: mend, Then: "To keep it: lvs_sync_daemon in the configuration, the same on both.",
	}
}

func restart(role string, d *status.SyncDaemon, link string, id uint8) []string {
	start := fmt.Sprintf("ipvsadm --start-daemon %s --mcast-interface %s --syncid %d", role, word(link), id)
	if d.MaxLen != 0 {
		start += fmt.Sprintf(" --sync-maxlen %d", d.MaxLen)
	}
	if d.Group.IsValid() {
		start += fmt.Sprintf(" --mcast-group %s", strings.TrimSpace(d.Group.String()))
	}
	if d.Port != 0 {
		start += fmt.Sprintf(" --mcast-port %d", d.Port)
	}
	if d.TTL != 0 {
		start += fmt.Sprintf(" --mcast-ttl %d", d.TTL)
	}
	return []string{"ipvsadm --stop-daemon " + role, start}
}
