package config

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/bfd"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// fallback returns the default of a keyword that has one.
func fallback[T any](keyword string) T { return defaultOf(keyword).(T) }

// root writes what stands before all tables.
func (p *printer) root(v *VRRP) {
	p.list("static_ipaddress", printedLines(v.Static.Addresses))
	p.list("static_routes", printedLines(v.Static.Routes))
	p.list("static_rules", printedLines(v.Static.Rules))
	var polled []string
	for _, name := range sortedKeys(v.Linkbeat) {
		polled = append(polled, strings.TrimSpace(name+" "+v.Linkbeat[name]))
	}
	p.list("linkbeat_interfaces", polled)
	if len(v.UpDelay) > 0 {
		var delays table
		for _, name := range sortedKeys(v.UpDelay) {
			d := v.UpDelay[name]
			delays = append(delays, field{name, inline{{"down", d.Down, time.Duration(0)}, {"up", d.Up, time.Duration(0)}}, nil})
		}
		p.set("interface_up_down_delays", delays)
	}
}

func printedLines[T fmt.Stringer](list []T) []string {
	texts := make([]string, len(list))
	for i := range list {
		texts[i] = list[i].String()
	}
	return texts
}

// list writes a list, if there is anything in it.
func (p *printer) list(name string, list []string) {
	if len(list) > 0 {
		p.set(name, list)
	}
}

// routerDefs writes what global_defs says of VRRP.
func (p *printer) routerDefs(v *VRRP) {
	differs(p, "dynamic_interfaces", v.DynamicIfs, false)
	differs(p, "disable_local_igmp", v.NoReports, false)
	differs(p, "log_unknown_vrids", v.LogUnknown, false)
	differs(p, "fifo_write_vrrp_states_on_reload", v.AllStates, false)
	pace := v.Pacing[""]
	differs(p, "vrrp_garp_interval", pace.ARP, 0)
	differs(p, "vrrp_gna_interval", pace.NA, 0)
	if len(v.Instances) == 0 {
		return
	}
	differs(p, "vrrp_startup_delay", v.Instances[0].StartupDelay, 0)
	differs(p, "vrrp_delay_after_boot", v.Instances[0].AfterBoot, 0)
	differs(p, "vrrp_wait_for_checks", v.WaitForChecks, fallback[time.Duration]("vrrp_wait_for_checks"))
	rt := v.Realtime
	differs(p, "vrrp_rt_priority", int64(rt.Priority), fallback[int64]("vrrp_rt_priority"))
	differs(p, "vrrp_priority", int64(rt.Nice), fallback[int64]("vrrp_priority"))
	differs(p, "vrrp_no_swap", rt.NoSwap, fallback[bool]("vrrp_no_swap"))
	if len(rt.CPUs) > 0 {
		p.set("vrrp_cpu_affinity", strings.Trim(fmt.Sprint(rt.CPUs), "[]"))
	}
	for _, i := range v.Instances {
		for _, l := range i.MoreLinks {
			prefix := strings.TrimRight(strings.TrimSuffix(l.Name, fmt.Sprintf(".%d", i.VRID)), "0123456789")
			if prefix != fallback[string]("vmac_addr_prefix") {
				p.set("vmac_addr_prefix", prefix)
				return
			}
		}
	}
}

// routers writes the tables of VRRP.
func (p *printer) routers(v *VRRP) {
	for _, name := range sortedKeys(v.Scripts) {
		p.vrrpScript(name, v.Scripts[name].Check())
	}
	for _, name := range sortedKeys(v.Files) {
		f := v.Files[name]
		p.table("", "[track_file."+bare(name)+"]")
		p.set("file", f.Path)
		switch {
		case f.Overwrite:
			p.set("init_file", fmt.Sprintf("%d overwrite", f.Value))
		case f.Value != 0:
			p.set("init_file", int64(f.Value))
		case f.Init:
			p.set("init_file", true)
		}
	}
	for _, name := range sortedKeys(v.Processes) {
		p.process(name, v.Processes[name])
	}
	for _, name := range sortedKeys(v.BFD) {
		p.session(name, v.BFD[name])
	}
	for _, name := range sortedKeys(v.Routes) {
		if !plainName(name) { // of static_routes
			continue
		}
		p.table("", "[track_route."+bare(name)+"]")
		differs(p, "route", v.Routes[name].Route, "")
		differs(p, "gateway", v.Routes[name].Gateway, "")
		differs(p, "dev", v.Routes[name].Dev, "")
	}
	p.garpGroups(v.Pacing)
	groups := make(map[string]*Group)
	for _, g := range v.Groups {
		groups[g.Name] = g
		p.table("", "[vrrp_sync_group."+bare(g.Name)+"]")
		p.open()
		p.list("group", g.Members)
		differs(p, "sync_group_tracking_weight", g.Weights, false)
		p.tracks(g.Tracks, func(vrrp.Track) bool { return false })
		p.notify(&g.Notify)
		differs(p, "notify_priority_changes", g.Notify.PriorityChanges, false)
	}
	for _, i := range v.Instances {
		p.instance(i, groups[i.Group])
	}
	for _, name := range sortedKeys(v.Tracked) {
		p.table("", "[track_group."+bare(name)+"]")
		p.set("group", v.Tracked[name])
	}
}

func (p *printer) vrrpScript(name string, c health.Check) {
	s := c.Spec.(health.Misc)
	p.table("", "[vrrp_script."+bare(name)+"]")
	p.set("script", joinWords(slices.Collect(s.Argv.All())))
	differs(p, "user", strings.TrimSpace(s.User+" "+s.Group), "")
	differs(p, "interval", c.DelayLoop, fallback[time.Duration]("interval"))
	differs(p, "timeout", c.Timeout, c.DelayLoop)
	differs(p, "rise", int64(c.Rise), 1)
	differs(p, "fall", int64(c.Retry+1), 1)
	differs(p, "init_fail", c.Alpha, false)
}

func (p *printer) process(name string, s Process) {
	p.table("", "[vrrp_track_process."+bare(name)+"]")
	p.set("process", joinWords(s.Argv))
	differs(p, "param_match", s.Match, "")
	differs(p, "full_command", s.FullCommand, false)
	usual := 1
	if s.QuorumMax == 0 {
		usual = 0
	}
	differs(p, "quorum", int64(s.Quorum), int64(usual))
	differs(p, "quorum_max", int64(s.QuorumMax), -1)
	differs(p, "fork_delay", s.ForkDelay, 0)
	differs(p, "terminate_delay", s.TerminateDelay, 0)
}

func (p *printer) session(name string, c *bfd.Config) {
	p.table("", "[bfd_instance."+bare(name)+"]")
	p.set("neighbor_ip", c.Neighbor)
	differs(p, "source_ip", c.Source, netip.Addr{})
	for _, t := range []struct {
		name  string
		value time.Duration
	}{{"min_rx", c.MinRx}, {"min_tx", c.MinTx}, {"idle_tx", c.IdleTx}} {
		if t.value != fallback[time.Duration](t.name) {
			p.set(t.name, t.value.String()) // a number would be milliseconds
		}
	}
	differs(p, "multiplier", int64(c.Multiplier), fallback[int64]("multiplier"))
	differs(p, "passive", c.Passive, false)
	differs(p, "ttl", int64(c.TTL), 0)
	differs(p, "max_hops", int64(c.MaxHops), fallback[int64]("max_hops"))
	differs(p, "multihop", c.Multihop, false)
}

func (p *printer) garpGroups(pacing map[string]vip.Pacing) {
	interfaces := make(map[string][]string)
	for _, name := range slices.Sorted(maps.Keys(pacing)) {
		if g := pacing[name].Group; g != "" {
			interfaces[g] = append(interfaces[g], name)
		}
	}
	for _, g := range sortedKeys(interfaces) {
		p.table("", "[garp_group."+bare(g)+"]")
		p.set("interfaces", interfaces[g])
		pace := pacing[interfaces[g][0]]
		if pace.ARP > 0 || pace.NA == 0 {
			p.set("garp_interval", pace.ARP)
		}
		differs(p, "gna_interval", pace.NA, 0)
	}
}

// tracks writes the lists of what is tracked, but for what is tracked anyway.
func (p *printer) tracks(list []vrrp.Track, anyway func(vrrp.Track) bool) {
	for _, l := range trackLists {
		var items []any
		usual := 0
		if l.kind == vrrp.TrackFile {
			usual = 1
		}
		for _, t := range list {
			switch {
			case t.Kind != l.kind || anyway(t):
			case t.Weight == usual && !t.Reverse && !strings.Contains(t.Name, " weight ") && !strings.HasSuffix(t.Name, "reverse"):
				items = append(items, t.Name)
			default:
				items = append(items, inline{{"name", t.Name, nil}, {"weight", int64(t.Weight), int64(usual)}, {"reverse", t.Reverse, false}})
			}
		}
		if len(items) > 0 {
			p.set(l.keyword, items)
		}
	}
}

func (p *printer) notify(n *Notify) {
	p.script("notify_master", n.Master)
	p.script("notify_backup", n.Backup)
	p.script("notify_fault", n.Fault)
	p.script("notify_stop", n.Stop)
	if n.TellDeleted && n.Deleted == nil {
		p.set("notify_deleted", true)
	}
	p.script("notify_deleted", n.Deleted)
	p.script("notify", n.Any)
	p.script("notify_master_rx_lower_pri", n.RxLowerPri)
	differs(p, "smtp_alert", n.Mail, false)
}
