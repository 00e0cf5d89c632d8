package vrrpio

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// interfacesOf reads "eth0 192.0.2.1/24 fe80::1/64; eth1 ...".
func interfacesOf(text string) hosts {
	var list []vip.Interface
	for i, one := range strings.Split(text, ";") {
		fields := strings.Fields(one)
		next := vip.Interface{Name: fields[0], Index: i + 1}
		for _, prefix := range fields[1:] {
			next.Addrs = append(next.Addrs, netip.MustParsePrefix(prefix))
		}
		list = append(list, next)
	}
	return newHosts(list)
}

func TestWhereAdvertsComeFrom(t *testing.T) {
	v6 := func(in *vrrp.Instance) { in.IPv6, in.Multicast = true, netip.MustParseAddr("ff02::12") }
	vmac := func(in *vrrp.Instance) { in.Interface, in.Parent = "vrrp.7", "eth0" }
	for _, c := range []struct {
		name       string
		interfaces string
		change     []func(*vrrp.Instance)
		now        string // source until then; empty: none
		source     string
		device     string
		why        string
	}{
		{name: "the first", interfaces: "eth0 192.0.2.1/24 192.0.2.2/24", source: "192.0.2.1", device: "eth0"},
		{name: "not a virtual one", interfaces: "eth0 203.0.113.7/32 192.0.2.1/24", source: "192.0.2.1", device: "eth0"},
		{name: "but if there is no other", interfaces: "eth0 203.0.113.7/32", source: "203.0.113.7", device: "eth0"},
		{name: "as before", interfaces: "eth0 192.0.2.1/24 192.0.2.2/24", now: "192.0.2.2", source: "192.0.2.2", device: "eth0"},
		{name: "not as before, which is gone", interfaces: "eth0 192.0.2.1/24", now: "192.0.2.2", source: "192.0.2.1", device: "eth0"},
		{name: "not a virtual one as before", interfaces: "eth0 203.0.113.7/32 192.0.2.1/24", now: "203.0.113.7", source: "192.0.2.1", device: "eth0"},
		{
			name: "the configured one", interfaces: "eth0 192.0.2.1/24", source: "192.0.2.9", device: "eth0",
			change: []func(*vrrp.Instance){func(in *vrrp.Instance) { in.Source = netip.MustParseAddr("192.0.2.9") }},
		},
		{name: "IPv6 of this link", interfaces: "eth0 192.0.2.1/24 2001:db8::1/64 fe80::1/64", change: []func(*vrrp.Instance){v6}, source: "fe80::1", device: "eth0"},
		{name: "a VMAC's parent", interfaces: "eth0 192.0.2.1/24; vrrp.7 192.0.2.77/32", change: []func(*vrrp.Instance){vmac}, source: "192.0.2.1", device: "vrrp.7"},
		{name: "a VMAC of IPv6", interfaces: "eth0 fe80::1/64; vrrp.7 fe80::7/64", change: []func(*vrrp.Instance){v6, vmac}, source: "fe80::7", device: "vrrp.7"},
		{name: "a VMAC's parent of IPv6", interfaces: "eth0 fe80::1/64; vrrp.7", change: []func(*vrrp.Instance){v6, vmac}, source: "fe80::1", device: "vrrp.7"},
		{
			name: "vmac_xmit_base", interfaces: "eth0 192.0.2.1/24; vrrp.7", source: "192.0.2.1", device: "eth0",
			change: []func(*vrrp.Instance){vmac, func(in *vrrp.Instance) { in.Base = "eth0" }},
		},
		{name: "no interface", interfaces: "eth1 192.0.2.1/24", why: "there is no interface eth0"},
		{name: "no address", interfaces: "eth0 fe80::1/64", why: "interface eth0 has no IPv4 address that adverts could come from"},
		{name: "no address of IPv6", interfaces: "eth0 2001:db8::1/64", change: []func(*vrrp.Instance){v6}, why: "interface eth0 has no link-local IPv6 address that adverts could come from"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := newConfiguration([]vrrp.Instance{virtual(7, 100, c.change...)}, nil).fresh[0]
			if c.now != "" {
				in.source = netip.MustParseAddr(c.now)
			}
			l := &loop{hosts: interfacesOf(c.interfaces)}
			s := l.wish(in)
			if in.why != c.why {
				t.Errorf("why is %q, want %q", in.why, c.why)
			}
			if c.why != "" {
				return
			}
			if in.source.String() != c.source || s.device != c.device || s.index != l.hosts[c.device].index {
				t.Errorf("%v on %+v, want %s on %s", in.source, s, c.source, c.device)
			}
		})
	}
}

func TestWhatASocketIsBoundTo(t *testing.T) {
	source := netip.MustParseAddr("192.0.2.1")
	for name, c := range map[string]struct {
		change func(*vrrp.Instance)
		want   spec
	}{
		"multicast": {func(*vrrp.Instance) {}, spec{protocol: 112, device: "eth0", index: 1, bound: netip.MustParseAddr("224.0.0.18")}},
		"unicast":   {func(in *vrrp.Instance) { in.Peers = make([]vrrp.Peer, 1) }, spec{protocol: 112, device: "eth0", index: 1, bound: source}},
		"AH": {
			func(in *vrrp.Instance) { in.Version, in.Auth.Type = 2, vrrp.AuthAH },
			spec{protocol: 51, device: "eth0", index: 1, bound: netip.MustParseAddr("224.0.0.18")},
		},
		"any interface": {
			func(in *vrrp.Instance) { in.Interface, in.Source, in.Peers = "", source, make([]vrrp.Peer, 1) },
			spec{protocol: 112, bound: source},
		},
		"VRF": {
			func(in *vrrp.Instance) {
				in.Interface, in.VRF, in.Source, in.Peers = "", "red", source, make([]vrrp.Peer, 1)
			},
			spec{protocol: 112, device: "red", index: 2, bound: source},
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := &loop{hosts: interfacesOf("eth0 192.0.2.1/24; red")}
			if got := l.wish(newConfiguration([]vrrp.Instance{virtual(7, 100, c.change)}, nil).fresh[0]); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}
