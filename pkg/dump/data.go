package dump

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// printer writes lines of " key = value", indented as keepalived does.
type printer struct{ strings.Builder }

func (p *printer) head(text string) { fmt.Fprintf(p, "------< %s >------\n", text) }

func (p *printer) set(indent int, key string, value any) {
	fmt.Fprintf(p, "%*s%s = %v\n", indent, "", key, value)
}

func (p *printer) list(title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(p, "   %s\n", title)
	for _, l := range lines {
		fmt.Fprintf(p, "     %s\n", l)
	}
}

// Global writes keepalived_parent.data: what all parts have in common.
func (s State) Global() string {
	p := new(printer)
	s.global(p)
	return p.String()
}

func (s State) global(p *printer) {
	p.head("Global definitions")
	p.set(1, "Router ID", s.Config.GlobalDefs.RouterID)
}

// Data writes keepalived.data: the virtual routers.
func (s State) Data() string {
	p := new(printer)
	s.global(p)
	p.head("VRRP Topology")
	for _, m := range s.members() {
		s.instance(p, m)
	}
	if len(s.Routers.Groups) > 0 {
		p.head("VRRP Sync groups")
	}
	for _, g := range s.Routers.Groups {
		fmt.Fprintf(p, " VRRP Sync Group = %s, %s\n", g.Name, g.State)
		p.list("VRRP member instances :", g.Members)
	}
	if len(s.Config.VRRP.Scripts) > 0 {
		p.head("VRRP Scripts")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Config.VRRP.Scripts)) {
		s.script(p, name)
	}
	return p.String()
}

func (s State) instance(p *printer, m member) {
	garp := m.announce()
	p.set(1, "VRRP Instance", m.Name)
	p.set(3, "VRRP Version", m.Version)
	if m.Group != "" {
		p.set(3, "Sync group", m.Group)
	}
	p.set(3, "State", m.state())
	p.set(3, "Wantstate", m.wanted())
	p.set(3, "Number of interface and track script faults", len(m.is.Faults))
	p.set(3, "Last transition", fmt.Sprintf("%s (%s)", stamp(m.is.Since), m.is.Since.Format("Mon Jan _2 15:04:05.000000 2006")))
	p.set(3, "Master down timer", fmt.Sprintf("%d usecs", m.is.ActiveDown.Microseconds()))
	p.set(3, "Interface", m.Interface)
	if m.is.Source.IsValid() {
		p.set(3, "Using src_ip", m.is.Source)
	}
	if m.Multicast.IsValid() {
		fmt.Fprintf(p, "   Multicast address %s\n", m.Multicast)
	}
	p.set(3, "Gratuitous ARP delay", seconds(garp.Delay))
	p.set(3, "Gratuitous ARP repeat", garp.Repeat)
	p.set(3, "Gratuitous ARP refresh", seconds(garp.Refresh))
	p.set(3, "Gratuitous ARP refresh repeat", garp.RefreshRepeat)
	p.set(3, "Gratuitous ARP lower priority delay", seconds(garp.LowerDelay))
	p.set(3, "Gratuitous ARP lower priority repeat", garp.LowerRepeat)
	p.set(3, "Down timer adverts", m.DownTimerAdverts)
	p.set(3, "Send advert after receive lower priority advert", !m.LowerPrioNoAdvert)
	p.set(3, "Send advert after receive higher priority advert", m.HigherPrioSendAdvert)
	p.set(3, "Virtual Router ID", m.VRID)
	p.set(3, "Priority", m.Priority)
	p.set(3, "Effective priority", m.is.Effective)
	p.set(3, "Total priority", m.is.Effective)
	p.set(3, "Advert interval", interval(m))
	p.set(3, "Accept", enabled(len(m.Active.Denied) == 0))
	p.set(3, "Preempt", enabled(m.Preempt))
	if m.PreemptDelay > 0 {
		p.set(3, "Preempt delay", fmt.Sprintf("%d secs", seconds(m.PreemptDelay)))
	}
	p.set(3, "Promote_secondaries", enabled(m.PromoteSecondaries))
	if m.Version == 2 {
		n, name := m.auth()
		if p.set(3, "Authentication type", name); n != 0 {
			p.set(3, "Password", hidden)
		}
	}
	carried, excluded := m.addresses()
	p.list(fmt.Sprintf("Virtual IP (%d):", len(carried)), carried)
	p.list("Virtual IP Excluded :", excluded)
	var lines []string
	for _, peer := range m.Peers {
		lines = append(lines, peer.Addr.String())
	}
	p.list("Unicast Peer :", lines)
	lines = nil
	for _, r := range m.Active.Routes {
		lines = append(lines, r.String())
	}
	p.list("Virtual Routes :", lines)
	lines = nil
	for _, r := range m.Active.Rules {
		lines = append(lines, r.String())
	}
	p.list("Virtual Rules :", lines)
	for _, of := range []struct {
		kind  vrrp.ObjectKind
		title string
	}{{vrrp.TrackInterface, "Tracked interfaces :"}, {vrrp.TrackScript, "Tracked scripts :"}, {vrrp.TrackFile, "Tracked files :"},
		{vrrp.TrackProcess, "Tracked processes :"}, {vrrp.TrackBFD, "Tracked BFDs :"}} {
		lines = nil
		for _, t := range m.tracked(of.kind) {
			if t.Name != m.Interface {
				lines = append(lines, weighed(t.Name, t))
			}
		}
		p.list(of.title, lines)
	}
	p.set(3, "Using smtp notification", yes(m.Notify.Mail))
	p.set(3, "Notify priority changes", m.Notify.PriorityChanges)
}

// interval is the advert interval in the unit that keepalived writes it in for a version of VRRP.
func interval(m member) string {
	if m.Version == 2 {
		return fmt.Sprintf("%d sec", seconds(m.AdvertInterval))
	}
	return fmt.Sprintf("%d milli-sec", m.AdvertInterval.Milliseconds())
}

func weighed(name string, t vrrp.Track) string {
	text := fmt.Sprintf("%s weight %d", name, t.Weight)
	if t.Reverse {
		text += " reverse"
	}
	return text
}

func (s State) script(p *printer, name string) {
	c := s.Config.VRRP.Scripts[name].Check()
	p.set(1, "VRRP Script", name)
	p.set(3, "Command", s.command(name))
	p.set(3, "Interval", fmt.Sprintf("%d sec", seconds(c.DelayLoop)))
	p.set(3, "Timeout", fmt.Sprintf("%d sec", seconds(c.Timeout)))
	word, result := "INIT", 0
	for _, o := range s.Routers.Objects {
		if o.Kind == vrrp.TrackScript.String() && o.Name == name && o.Known {
			word = "BAD"
			if o.Up {
				word, result = "GOOD", 1
			}
		}
	}
	p.set(3, "Result", result)
	p.set(3, "Status", word)
	var lines []string
	for _, m := range s.members() {
		for _, t := range m.tracked(vrrp.TrackScript) {
			if t.Name == name {
				lines = append(lines, fmt.Sprintf("%s, weight %d", m.Name, t.Weight))
			}
		}
	}
	p.list("Tracking instances :", lines)
	p.set(3, "State", "idle")
}

// Checks writes keepalived_check.data: the virtual servers.
func (s State) Checks() string {
	p := new(printer)
	s.global(p)
	p.head("LVS Topology")
	known := make(map[ipvs.ServiceKey]*status.Service, len(s.Services))
	for i := range s.Services {
		known[s.Services[i].Key] = &s.Services[i]
	}
	for _, vs := range s.Config.VirtualServers {
		for i := range vs.Services {
			if v := known[vs.Services[i].ServiceKey]; v != nil {
				s.service(p, vs, v)
			}
		}
	}
	p.head("Health checkers")
	for i := range s.Services {
		v := &s.Services[i]
		for j := range v.Servers {
			for _, c := range v.Servers[j].Checks {
				fmt.Fprintf(p, " %s -> %s\n", v.Key, v.Servers[j].Addr)
				p.set(3, "Enabled", yes(!c.Suspended))
				p.set(3, "Up", yes(c.State == health.Up))
				p.set(3, "Has run", yes(c.Probes > 0))
				p.set(3, "Keepalive method", c.Type)
			}
		}
	}
	return p.String()
}

func (s State) service(p *printer, vs *config.VirtualServer, v *status.Service) {
	fmt.Fprintln(p, " ------< Virtual server >------")
	if v.Key.FWMark != 0 {
		p.set(1, "VS FWMARK", v.Key.FWMark)
	} else {
		fmt.Fprintf(p, " VS VIP = %s, VPORT = %d\n", v.Key.Addr.Addr(), v.Key.Addr.Port())
		p.set(3, "protocol", strings.ToUpper(v.Key.Protocol.String()))
	}
	if vs.Group != "" {
		p.set(3, "VS group", vs.Group)
	}
	if len(v.Options) > 0 {
		p.set(3, "lvs_sched", v.Options[0])
	}
	if first := vs.Services[0]; first.Persistence > 0 {
		p.set(3, "persistence timeout", int(first.Persistence/time.Second))
	}
	fmt.Fprintf(p, "   quorum = %d, hysteresis = %d\n", vs.Quorum.Needed, vs.Quorum.Hysteresis)
	_, all := v.Count()
	alive := 0
	for i := range v.Servers {
		if !v.Servers[i].Sorry && v.Servers[i].Health == health.Up {
			alive++
		}
	}
	p.set(3, "alive", number(alive > 0 || all == 0))
	p.set(3, "quorum_state_up", number(v.Quorum.State == health.Up))
	for i := range v.Servers {
		r := &v.Servers[i]
		title := "Real server"
		if r.Sorry {
			title = "Sorry server"
		}
		fmt.Fprintf(p, "   ------< %s >------\n", title)
		fmt.Fprintf(p, "   RIP = %s, RPORT = %d, WEIGHT = %d EFF WEIGHT = %d\n", r.Addr.Addr(), r.Addr.Port(), r.Weight, r.EffectiveWeight)
		p.set(3, "forwarding method", r.Forward)
		p.set(3, "initial weight", r.Weight)
		p.set(3, "effective weight", r.EffectiveWeight)
		p.set(3, "alive", number(r.Health == health.Up))
		failed := 0
		for _, c := range r.Checks {
			if c.State == health.Down {
				failed++
			}
		}
		p.set(3, "num failed checkers", failed)
		p.set(3, "RS set", number(r.InTable))
	}
}
