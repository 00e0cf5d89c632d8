package config

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Format prints a configuration as TOML that Load reads as an equal one, positions aside. It writes what differs from the
// defaults; settings that all servers share stand with the virtual server. The same Config gives the same bytes.
func Format(c *Config) []byte {
	p := &printer{mails: !unmailed(c.VirtualServers), defs: &c.GlobalDefs}
	p.all(c, func(*VirtualServer) bool { return false })
	return []byte(p.out.String())
}

// all prints everything but virtual servers that are to be passed over.
func (p *printer) all(c *Config, pass func(*VirtualServer) bool) {
	differs(p, "net_namespace", c.GlobalDefs.NetNamespace, "")
	p.root(&c.VRRP)
	p.global(&c.GlobalDefs, &c.VRRP)
	p.webhooks(c.GlobalDefs.Webhooks)
	p.routers(&c.VRRP)
	p.groups(c.VirtualServers)
	for _, vs := range c.VirtualServers {
		if !pass(vs) {
			p.virtualServer(vs)
		}
	}
}

// printer writes tables and their keywords.
type printer struct {
	out      strings.Builder
	indent   string
	lost     bool // the header that is due is still to be written
	due      string
	protocol string // of the virtual server
	defs     *GlobalDefs
	mails    bool            // there is mail about servers that say nothing of it
	shared   map[string]bool // groups of several virtual servers: their marks have the family of each
	objects  *objects        // what is printed goes there; nil: to out
}

// table begins a table; its header is written with its first keyword, or by open.
func (p *printer) table(indent, header string) {
	if p.objects != nil {
		p.objects.table(header)
		return
	}
	p.indent, p.due, p.lost = indent, header, true
}

func (p *printer) open() {
	if !p.lost {
		return
	}
	p.lost = false
	if p.out.Len() > 0 {
		p.out.WriteByte('\n')
	}
	p.out.WriteString(p.indent + p.due + "\n")
}

// set writes a keyword.
func (p *printer) set(name string, value any) {
	if p.objects != nil {
		p.objects.add(name, value, false)
		return
	}
	p.open()
	fmt.Fprintf(&p.out, "%s%s = %s\n", p.indent, name, printed(value))
}

// differs writes a keyword unless its value is what would hold anyway.
func differs[T comparable](p *printer, name string, value, fallback T) {
	switch {
	case p.objects != nil:
		p.objects.add(name, value, value == fallback)
	case value != fallback:
		p.set(name, value)
	}
}

func (p *printer) global(g *GlobalDefs, v *VRRP) {
	p.table("", "[global_defs]")
	differs(p, "router_id", g.RouterID, "")
	differs(p, "on_stop", cmp.Or(g.OnStop, StopLeaves), StopLeaves)
	differs(p, "autoreload", g.AutoReload, false)
	differs(p, "rs_init_notifies", g.RSInitNotifies, false)
	if t := g.LVSTimeouts; t != (ipvs.Timeouts{}) {
		p.set("lvs_timeouts", inline{
			{"tcp", t.TCP, time.Duration(0)}, {"tcpfin", t.TCPFin, time.Duration(0)}, {"udp", t.UDP, time.Duration(0)}})
	}
	switch s := g.LVSSyncDaemon; {
	case v.SyncRole != "":
		p.set("lvs_sync_daemon", following(s.Master, v))
	case s.Master == s.Backup && s.Master.Interface != "":
		p.set("lvs_sync_daemon", syncDaemon(s.Master, roleBoth))
	case s.Master.Interface != "" && s.Backup.Interface != "":
		p.set("lvs_sync_daemon", []inline{syncDaemon(s.Master, roleMaster), syncDaemon(s.Backup, roleBackup)})
	case s.Master.Interface != "":
		p.set("lvs_sync_daemon", syncDaemon(s.Master, roleMaster))
	case s.Backup.Interface != "":
		p.set("lvs_sync_daemon", syncDaemon(s.Backup, roleBackup))
	}
	differs(p, "lvs_sysctl_defaults", g.LVSSysctl.Defaults, defaultOf("lvs_sysctl_defaults").(bool))
	differs(p, "lvs_sysctl_restore", g.LVSSysctl.Restore, defaultOf("lvs_sysctl_restore").(bool))
	differs(p, "max_checks_in_flight", int64(g.Checks.InFlight), 0)
	differs(p, "max_checks_per_second", int64(g.Checks.PerSecond), 0)
	differs(p, "max_check_scripts", int64(g.Checks.Scripts), 0)
	p.mail(&g.Mail)
	differs(p, "smtp_alert_checker", p.mails, true)
	p.fifos(g.FIFOs)
	p.errand("startup_script", g.Startup)
	p.errand("shutdown_script", g.Shutdown)
	p.routerDefs(v)
	p.table("", "[global_defs.metrics]")
	differs(p, "listen", g.Metrics.Listen, netip.AddrPort{})
	differs(p, "per_server", g.Metrics.PerServer, defaultOf("per_server").(bool))
	differs(p, "max_servers", int64(g.Metrics.MaxServers), defaultOf("max_servers").(int64))
	p.api(&g.API)
	p.peers(g.Peers)
	p.wishes(g.Wishes)
	p.table("", "[global_defs.lvs_sysctl]")
	for _, name := range slices.Sorted(maps.Keys(g.LVSSysctl.Values)) {
		if n, err := strconv.ParseInt(g.LVSSysctl.Values[name], 10, 64); err == nil {
			p.set(name, n)
		} else {
			p.set(name, g.LVSSysctl.Values[name])
		}
	}
}

// Roles of lvs_sync_daemon.
const (
	roleMaster = "master"
	roleBackup = "backup"
	roleBoth   = "both"
)

func syncDaemon(d ipvs.SyncDaemon, role string) inline {
	return inline{
		{"interface", d.Interface, ""}, {"role", role, roleBoth}, {"id", int64(d.SyncID), int64(0)},
		{"maxlen", int64(d.MaxLen), int64(0)}, {"group", d.Group, ipvs.SyncGroup},
		{"port", int64(d.Port), int64(ipvs.SyncPort)}, {"ttl", int64(d.TTL), int64(ipvs.SyncTTL)},
	}
}

// following is a sync daemon that follows the role of an instance.
func following(d ipvs.SyncDaemon, v *VRRP) inline {
	words := append(syncDaemon(d, roleBoth), field{"instance", v.SyncRole, nil}, field{"backup_only", v.BackupOnly, false})
	for _, i := range v.Instances {
		if i.Name == v.SyncRole {
			words[2].fallback = int64(i.VRID)
		}
	}
	return words
}

// groups writes the groups that virtual servers are made from, by name.
func (p *printer) groups(virtuals []*VirtualServer) {
	first := make(map[string]*VirtualServer)
	p.shared = make(map[string]bool)
	for _, vs := range virtuals {
		if vs.Group == "" {
			continue
		}
		if first[vs.Group] != nil {
			p.shared[vs.Group] = true
		} else {
			first[vs.Group] = vs
		}
	}
	for _, name := range slices.Sorted(maps.Keys(first)) {
		p.table("", "[virtual_server_group."+bare(name)+"]")
		var marks []any
		for _, s := range first[name].Services {
			switch {
			case s.FWMark == 0:
			case p.shared[name]:
				marks = append(marks, int64(s.FWMark))
			default:
				marks = append(marks, fmt.Sprintf("%d %s", s.FWMark, s.Family))
			}
		}
		if list := ranges(first[name].Services); len(list) > 0 {
			p.set("address", list)
		}
		if len(marks) > 0 {
			p.set("fwmark", marks)
		}
	}
}

// ranges returns the addresses of services as entries of a group, neighbours together.
func ranges(services []ipvs.Service) []string {
	var addrs []netip.AddrPort
	for i := range services {
		if services[i].FWMark == 0 {
			addrs = append(addrs, services[i].Addr)
		}
	}
	slices.SortFunc(addrs, func(a, b netip.AddrPort) int {
		return cmp.Or(cmp.Compare(a.Port(), b.Port()), a.Addr().Compare(b.Addr()))
	})
	var list []string
	for from := 0; from < len(addrs); {
		to := from
		for to+1 < len(addrs) && addrs[to+1] == netip.AddrPortFrom(addrs[to].Addr().Next(), addrs[from].Port()) {
			to++
		}
		list = append(list, entry{from: addrs[from].Addr(), to: addrs[to].Addr(), port: addrs[from].Port()}.String())
		from = to + 1
	}
	return list
}

func (p *printer) virtualServer(vs *VirtualServer) {
	if p.objects != nil {
		p.objects.begin("virtual_server", vs.Name)
	}
	p.table("", "[[virtual_server]]")
	s := &vs.Services[0]
	p.key(vs)
	differs(p, "lb_algo", s.Scheduler, defaultOf("lb_algo").(string))
	names := s.Flags.Names(s.Scheduler)
	fallback := s.Scheduler + "-fallback"
	for _, name := range names {
		if name != fallback || defaultUnder(s.Scheduler, name) != true {
			p.set(name, true)
		}
	}
	if isFallback(fallback) && s.DropsClients() && (defaultUnder(s.Scheduler, fallback) == true || mayTakeNone(vs)) {
		p.set(fallback, false)
	}
	if s.Persistence > 0 {
		p.set("persistence_timeout", s.Persistence)
		for i := range vs.Services {
			if s := &vs.Services[i]; s.Granularity != s.Family.Bits() {
				p.set("persistence_granularity", int64(s.Granularity))
				break
			}
		}
	}
	differs(p, "persistence_engine", s.Engine, "")
	differs(p, "quorum", vs.Quorum.Needed, defaultOf("quorum").(int64))
	differs(p, "hysteresis", vs.Quorum.Hysteresis, defaultOf("hysteresis").(int64))
	p.script("quorum_up", vs.QuorumUp)
	p.script("quorum_down", vs.QuorumDown)
	switch m := vs.MinimumUp; {
	case m.Percent > 0:
		p.set("minimum_healthy", strconv.Itoa(m.Percent)+"%")
	case m.Count > 0:
		p.set("minimum_healthy", int64(m.Count))
	}
	differs(p, "drain_timeout", vs.DrainTimeout, defaultOf("drain_timeout").(time.Duration))
	differs(p, "ha_suspend", vs.HASuspend, false)
	differs(p, "omega", vs.Omega, false)
	differs(p, "on_stop", cmp.Or(vs.OnStop, StopLeaves), cmp.Or(p.defs.OnStop, StopLeaves))
	p.serviceMail(&vs.Mail, &p.defs.Mail)
	if p.objects != nil {
		p.members(vs)
		return
	}
	p.servers(vs)
}

// key writes what a virtual server serves.
func (p *printer) key(vs *VirtualServer) {
	protocol, marked := "", false
	families := make(map[ipvs.Family]bool)
	for i := range vs.Services {
		if s := &vs.Services[i]; s.FWMark == 0 {
			protocol = strings.ToUpper(s.Protocol.String())
		} else {
			marked, families[s.Family] = true, true
		}
	}
	p.protocol = protocol
	switch s := &vs.Services[0]; {
	case vs.Group != "":
		p.set("group", vs.Group)
		marked = marked && p.shared[vs.Group]
	case marked:
		p.set("fwmark", int64(s.FWMark))
	default:
		p.set("address", hostAndPort(s.Addr))
	}
	if protocol != "" {
		p.set("protocol", protocol)
	}
	if family, one := familyOf(vs.RealServers); marked && !(one && families[family] && len(vs.Members) == 0) {
		for family := range families { // it is one, or the marks of the group say it
			p.set("ip_family", family.String())
		}
	}
}

// familyOf returns the family of the servers, as ip_family takes it from them, and false if it can't.
func familyOf(servers []RealServer) (ipvs.Family, bool) {
	family := ipvs.IPv4
	for i := range servers {
		f := ipvs.FamilyOf(servers[i].Destination.Addr.Addr())
		if i > 0 && f != family {
			return 0, false
		}
		family = f
	}
	return family, true
}

func (p *printer) script(name string, s *Script) {
	switch {
	case s == nil:
	case s.User == "":
		p.set(name, joinWords(s.Argv))
	case s.Group == "":
		p.set(name, []string{joinWords(s.Argv), s.User})
	default:
		p.set(name, []string{joinWords(s.Argv), s.User, s.Group})
	}
}

func (p *printer) errand(name string, e Errand) {
	if e.Script != nil {
		p.script(name, e.Script)
		differs(p, name+"_timeout", e.Limit, defaultOf(name+"_timeout").(time.Duration))
	}
}

// inline is a table on one line: names, values, and the values that need not be written.
type inline []field

type field struct {
	name            string
	value, fallback any
}

func (t inline) String() string {
	var fields []string
	for _, f := range t {
		if f.value != f.fallback {
			fields = append(fields, f.name+" = "+printed(f.value))
		}
	}
	if len(fields) == 0 {
		return "{}"
	}
	return "{ " + strings.Join(fields, ", ") + " }"
}

// table is a table on one line whose names are the user's.
type table []field

func (t table) String() string {
	fields := make([]string, len(t))
	for i, f := range t {
		fields[i] = bare(f.name) + " = " + printed(f.value)
	}
	return "{ " + strings.Join(fields, ", ") + " }"
}

// printed returns a value as TOML.
func printed(v any) string {
	switch v := v.(type) {
	case time.Duration:
		if v%time.Second == 0 {
			return strconv.FormatInt(int64(v/time.Second), 10)
		}
		return quoted(v.String())
	case forwarding:
		return quoted(strings.TrimSpace(v.Forward.String() + " " + v.Tunnel.String()))
	case netip.Addr:
		return quoted(v.String())
	case netip.AddrPort:
		return quoted(v.String())
	case string:
		return quoted(v)
	case []string:
		return listed(v)
	case []any:
		return listed(v)
	case []inline:
		return listed(v)
	}
	return fmt.Sprint(v) // a number, a switch, an inline table
}

// listed returns a list as TOML: on one line, or one value a line where that is long.
func listed[T any](list []T) string {
	items := make([]string, len(list))
	for i := range list {
		items[i] = printed(list[i])
	}
	if s := "[" + strings.Join(items, ", ") + "]"; len(s) <= 100 {
		return s
	}
	return "[\n  " + strings.Join(items, ",\n  ") + ",\n]"
}

// quoted returns a text as a basic string of TOML.
func quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"', c == '\\':
			b.WriteString(`\` + string(c))
		case c < ' ', c == 0x7f:
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// bare returns a name as part of a header.
func bare(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	return quoted(s)
}

// hostAndPort returns an address as hostPort reads it; port 0 is none.
func hostAndPort(a netip.AddrPort) string {
	if a.Port() == 0 {
		return a.Addr().String()
	}
	return a.String()
}
