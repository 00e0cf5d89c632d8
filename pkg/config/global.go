package config

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// frame is what all virtual servers of a file have in common.
type frame struct {
	global *block
	defs   GlobalDefs
	groups map[string]*group
	user   Script // who scripts are run as that don't say
	files  map[string]trackFile
	ssl    sslDefaults

	// Of a frame that was read by itself:
	text  string
	tree  map[string]any
	found Diagnostics

	vrrp     VRRP
	services []service // that instances depend on

	outside places
}

func newFrame(r *report, doc *document) *frame {
	f := &frame{global: doc.global, groups: make(map[string]*group, len(doc.groups)), files: make(map[string]trackFile, len(doc.files))}
	f.defs.RouterID, _ = lookup[string]("router_id", doc.global)
	f.defs.NetNamespace, _ = lookup[string]("net_namespace", doc.global.parent)
	f.defs.LVSTimeouts, _ = lookup[ipvs.Timeouts]("lvs_timeouts", doc.global)
	f.defs.OnStop = r.onStop(doc.global)
	f.defs.AutoReload, _ = lookup[bool]("autoreload", doc.global)
	f.defs.RSInitNotifies, _ = lookup[bool]("rs_init_notifies", doc.global)
	f.user, _ = lookup[Script]("script_user", doc.global)
	for _, name := range sortedKeys(doc.files) {
		f.files[name] = r.trackFile(doc.files[name])
	}
	f.vrrp = r.vrrp(f, doc)
	f.defs.LVSSyncDaemon = r.syncDaemons(doc.sync, &f.vrrp)
	f.defs.LVSSysctl = r.sysctls(doc, f.defs.LVSSyncDaemon, f.vrrp.SyncRole != "")
	r.syncPorts(doc.sync, f.defs.LVSSysctl.Values)
	for _, name := range sortedKeys(doc.groups) {
		f.groups[name] = r.group(name, doc.groups[name])
	}
	f.ssl = r.sslDefaults(doc.ssl)
	f.defs.Checks = checkLimits(doc.global)
	f.defs.Mail = r.mail(doc.global)
	f.defs.Webhooks = r.webhooks(doc.routers[inWebhook])
	f.defs.FIFOs = f.fifos(r)
	f.defs.Metrics = metrics(doc.metrics)
	f.defs.API = r.api(doc.api, f.defs.Metrics.Listen)
	f.defs.Peers = r.peers(doc.peers)
	f.defs.Wishes = r.wishes(doc.wishes)
	f.defs.Startup = f.errand("startup_script", doc.global)
	f.defs.Shutdown = f.errand("shutdown_script", doc.global)
	return f
}

// errand returns a command that is run once.
func (f *frame) errand(name string, b *block) (e Errand) {
	if e.Script = f.command(name, b); e.Script != nil {
		e.Limit, _ = lookup[time.Duration](name+"_timeout", b)
	}
	return e
}

// metrics resolves the table metrics; nil: there is none.
func metrics(b *block) (m Metrics) {
	m.Listen, _ = lookup[netip.AddrPort]("listen", b)
	m.PerServer, _ = lookup[bool]("per_server", b)
	most, _ := lookup[int64]("max_servers", b)
	m.MaxServers = int(most)
	return m
}

func checkLimits(b *block) CheckLimits {
	flying, _ := lookup[int64]("max_checks_in_flight", b)
	starting, _ := lookup[int64]("max_checks_per_second", b)
	scripts, _ := lookup[int64]("max_check_scripts", b)
	return CheckLimits{InFlight: int(flying), PerSecond: int(starting), Scripts: int(scripts)}
}

// syncs says whether a sync daemon is to run.
func (f *frame) syncs() bool {
	d := f.defs.LVSSyncDaemon
	return d.Master.Interface != "" || d.Backup.Interface != ""
}

// syncDaemons resolves the tables of lvs_sync_daemon, one for each role or one for both. Of one that follows an instance, both
// are there, and the instance's role says which of them runs.
func (r *report) syncDaemons(tables []*block, v *VRRP) (daemons SyncDaemons) {
	var taken [2]*block
	for _, b := range tables {
		var d ipvs.SyncDaemon
		d.Interface, _ = lookup[string]("interface", b)
		id, _ := lookup[int64]("id", b)
		maxLen, _ := lookup[int64]("maxlen", b)
		port, _ := lookup[int64]("port", b)
		ttl, _ := lookup[int64]("ttl", b)
		d.Group, _ = lookup[netip.Addr]("group", b)
		d.SyncID, d.MaxLen, d.Port, d.TTL = uint8(id), uint16(maxLen), uint16(port), uint8(ttl)
		if b.lacks("interface") {
			r.fail(b.at(), `write interface = "eth1"`, "the sync daemon has no interface")
		}
		role, roled := lookup[string]("role", b)
		if i := r.followed(b, v); i != nil {
			if b.value("id") == nil {
				d.SyncID = i.VRID // keepalived's default, so that the others hear it
			}
			if roled != nil && role != roleBoth {
				r.fail(roled.key, "leave one of them out", "the role of the sync daemon is that of the instance %s", i.Name)
			}
		}
		for i, of := range []struct {
			role string
			to   *ipvs.SyncDaemon
		}{{roleMaster, &daemons.Master}, {roleBackup, &daemons.Backup}} {
			switch {
			case role != roleBoth && role != of.role:
			case taken[i] != nil:
				r.fail(b.at(), r.firstAt(taken[i].at()), "there are two sync daemons with the role %s", of.role)
			default:
				taken[i], *of.to = b, d
			}
		}
		r.maxLen(b, d, role)
	}
	return daemons
}

// followed returns the instance whose role a sync daemon follows; nil: none.
func (r *report) followed(b *block, v *VRRP) *Instance {
	name, named := lookup[string]("instance", b)
	only, limited := lookup[bool]("backup_only", b)
	if named == nil {
		if only {
			r.fail(limited.key, `add instance = "VI_1"`, "backup_only follows the role of an instance")
		}
		return nil
	}
	var names []string
	for _, i := range v.Instances {
		if i.Name == name {
			v.SyncRole, v.BackupOnly = name, only
			return i
		}
		names = append(names, i.Name)
	}
	if named.data != nil {
		r.unknown(named.at, "vrrp_instance", name, names)
	}
	return nil
}

// maxLen reports a length that the kernel would change.
func (r *report) maxLen(b *block, d ipvs.SyncDaemon, role string) {
	v := b.value("maxlen")
	if v == nil || v.data == nil {
		return
	}
	_, most := d.Lengths(ipvs.SyncMaster)
	least, _ := d.Lengths(ipvs.SyncBackup)
	switch {
	case d.MaxLen > most:
		r.fail(v.at, "the headers of IPv6 and UDP take the rest", "maxlen must be at most %d with an IPv6 group, not %d", most, d.MaxLen)
	case d.MaxLen < least && role == roleBackup:
		r.warn(v.at, "leave it out", "maxlen has no effect: a backup takes packets of %d bytes at least", least)
	}
}

// syncPorts reports ports of a sync daemon beyond the last one: it takes several in a row.
func (r *report) syncPorts(tables []*block, sysctls ipvs.Sysctls) {
	number, err := strconv.Atoi(sysctls["sync_ports"])
	if err != nil {
		return // the kernel's one
	}
	for _, b := range tables {
		port, v := lookup[int64]("port", b)
		if last := int(port) + number - 1; last > math.MaxUint16 {
			at := b.at()
			if v != nil {
				at = v.at
			}
			r.fail(at, fmt.Sprintf("write %d or less", math.MaxUint16-number+1),
				"the sync daemon would use the ports %d to %d: sync_ports is %d", port, last, number)
		}
	}
}

// sysctls resolves lvs_sysctl and what belongs to it.
func (r *report) sysctls(doc *document, daemons SyncDaemons, follows bool) (s Sysctls) {
	s.Defaults, _ = lookup[bool]("lvs_sysctl_defaults", doc.global)
	s.Restore, _ = lookup[bool]("lvs_sysctl_restore", doc.global)
	if doc.sysctl == nil {
		return s
	}
	for _, v := range doc.sysctl.values {
		if data, ok := v.data.(string); ok {
			if s.Values == nil {
				s.Values = make(ipvs.Sysctls)
			}
			s.Values[v.keyword.name] = data
		}
	}
	if v := doc.sysctl.value("backup_only"); s.Values["backup_only"] == "1" &&
		daemons.Master.Interface != "" && daemons.Backup.Interface != "" && !follows {
		r.warn(v.at, `give lvs_sync_daemon a role, "master" or "backup", or leave backup_only out`,
			"backup_only makes this director balance nothing: its backup daemon runs, as well as the master one")
	}
	return s
}

// command returns a script with the user that it is run as, nil if there is none.
func (f *frame) command(name string, b *block) *Script {
	written, _ := lookup[Script](name, b)
	if written.Argv == nil {
		return nil
	}
	s := written // made here: most servers have none
	if s.User == "" {
		s.User, s.Group = f.user.User, f.user.Group
	}
	return &s
}
