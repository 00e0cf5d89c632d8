package web

import (
	"net/netip"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// demo returns two directors as they are on an ordinary afternoon: a server is down, and the other one has another view of it.
func demo(t testing.TB) (here, there *director) {
	services := func() []status.Service {
		web := virtual(t, "tcp 192.0.2.80:80", "wrr", "10.0.100.2:80", 4)
		tls := virtual(t, "tcp 192.0.2.80:443", "wrr persistent 5m0s", "10.0.100.2:443", 4)
		dns := virtual(t, "udp 192.0.2.53:53", "mh mh-port ops", "10.0.100.11:53", 3)
		dns6 := virtual(t, "udp [2001:db8::53]:53", "mh mh-port ops", "[2001:db8:100::11]:53", 3)
		mail := virtual(t, "tcp 192.0.2.25:25", "lc", "10.0.100.21:25", 2)
		imap := virtual(t, "tcp 192.0.2.25:993", "sh", "10.0.100.21:993", 2)
		api := virtual(t, "tcp 192.0.2.90:8443", "wlc", "10.0.100.31:8443", 6)
		for i := range dns.Servers {
			dns.Servers[i].Name, dns6.Servers[i].Name = "ns"+string(rune('1'+i)), "ns"+string(rune('1'+i))
		}
		dns.Group, dns6.Group = "group DNS udp", "group DNS udp"
		for i := range api.Servers {
			api.Servers[i].Name, api.Servers[i].Tags, api.Servers[i].Weight = "", []string{"api", "rack" + string(rune('1'+i%2))}, 10
		}
		sorry := virtual(t, "tcp 192.0.2.80:80", "wrr", "10.0.100.250:80", 1).Servers[0]
		sorry.Sorry, sorry.Name = true, "maintenance"
		web.Servers = append(web.Servers, sorry)
		return []status.Service{web, tls, dns, dns6, mail, imap, api}
	}
	here, there = newDirector("lb1", services()...), newDirector("lb2", services()...)
	here.moves, there.moves = true, true
	now := here.whole.At
	fail(&here.whole.Services[0].Servers[2], "connection refused", now.Add(-3*time.Minute))
	fail(&there.whole.Services[0].Servers[2], "connection refused", now.Add(-3*time.Minute))
	fail(&there.whole.Services[4].Servers[1], "no answer within 3s", now.Add(-40*time.Second))
	routers := func(state, active string, effective uint8) *status.VRRP {
		v := &status.VRRP{Groups: []status.SyncGroup{{Name: "VG1", State: state, Since: now.Add(-26 * time.Hour), Members: []string{"VI_E", "VI_I"}}}}
		for i, name := range []string{"VI_E", "VI_I"} {
			r := status.VirtualRouter{
				Name: name, Group: "VG1", State: state, Since: now.Add(-26 * time.Hour), Priority: effective, Effective: effective, VRID: uint8(51 + i),
				Interface: "eth" + string(rune('0'+i)), Addresses: []netip.Prefix{netip.MustParsePrefix([]string{"192.0.2.80/24", "10.0.100.1/24"}[i])},
			}
			if active != "" {
				r.ActiveRouter = netip.MustParseAddr(active)
			}
			v.Instances = append(v.Instances, r)
		}
		return v
	}
	here.whole.VRRP, there.whole.VRRP = routers("MASTER", "", 150), routers("BACKUP", "192.0.2.2", 100)
	for _, e := range []event.Event{
		{At: now.Add(-26 * time.Hour), Kind: event.Router, Instance: "VI_E", From: "BACKUP", To: "MASTER", Reason: "no advert for 3.2s"},
		{At: now.Add(-26 * time.Hour), Kind: event.SyncGroup, Group: "VG1", From: "BACKUP", To: "MASTER"},
		{At: now.Add(-50 * time.Minute), Kind: event.Reload, Object: "/etc/ipvsd/ipvsd.toml", To: "accepted"},
		{At: now.Add(-3 * time.Minute), Kind: event.Server, Server: "10.0.100.4:80", Service: "tcp 192.0.2.80:80", From: "up", To: "down", Reason: "connection refused"},
	} {
		here.feed.Add(e)
	}
	return here, there
}
