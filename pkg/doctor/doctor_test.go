package doctor

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/golden"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
)

var (
	addr = netip.MustParseAddr
	at   = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
)

// healthy is a director of two networks, and one TCP service with a server under each method, where nothing is wrong.
func healthy() *Facts {
	server := func(a, forward string) status.KernelServer {
		return status.KernelServer{Addr: netip.MustParseAddrPort(a), Forward: forward, Weight: 1, Stats: ipvs.Stats{Connections: 9, InPackets: 90, OutPackets: 90}}
	}
	tunnelled := server("10.0.100.4:80", "TUN")
	tunnelled.Tunnel = &status.Tunnel{Type: "ipip"}
	return &Facts{
		At: at, Release: "6.1.0", IPVS: true,
		Sysctls: map[string]string{
			"net/ipv4/ip_forward": "1", "net/ipv6/conf/all/forwarding": "0",
			"net/ipv4/conf/all/rp_filter": "0", "net/ipv4/conf/eth0/rp_filter": "1", "net/ipv4/conf/eth1/rp_filter": "1",
			"net/ipv4/conf/all/send_redirects": "1", "net/ipv4/conf/eth0/send_redirects": "1", "net/ipv4/conf/eth1/send_redirects": "1",
			"net/ipv4/conf/all/arp_ignore": "0", "net/ipv4/conf/eth0/arp_ignore": "0", "net/ipv4/conf/eth1/arp_ignore": "0",
			"net/ipv4/conf/all/arp_announce": "0", "net/ipv4/conf/eth0/arp_announce": "0", "net/ipv4/conf/eth1/arp_announce": "0",
			"net/ipv4/vs/conntrack": "0", "net/ipv4/vs/conn_reuse_mode": "1", "net/ipv4/vs/run_estimation": "1", "net/ipv4/vs/sync_version": "1",
			"net/netfilter/nf_conntrack_count": "100", "net/netfilter/nf_conntrack_max": "65536",
		},
		Links: []Link{
			{Name: "lo", Up: true, Loopback: true, MTU: 65536},
			{Name: "eth0", Up: true, Ethernet: true, MTU: 1500, MAC: "02:00:00:00:00:01"},
			{Name: "eth1", Up: true, Ethernet: true, MTU: 9000, MAC: "02:00:00:00:00:02"},
		},
		Addresses: []Address{
			{"lo", netip.MustParsePrefix("127.0.0.1/8")},
			{"eth0", netip.MustParsePrefix("192.168.1.101/24")}, {"eth0", netip.MustParsePrefix("192.168.1.202/32")},
			{"eth1", netip.MustParsePrefix("10.0.100.1/24")},
		},
		Defaults: []DefaultRoute{{Link: "eth0"}},
		Routes: []Route{
			{To: addr("10.0.100.2"), Link: "eth1", Source: addr("10.0.100.1"), MTU: 9000},
			{To: addr("10.0.100.3"), Link: "eth1", Source: addr("10.0.100.1"), MTU: 9000},
			{To: addr("10.0.100.4"), Link: "eth1", Source: addr("10.0.100.1"), MTU: 9000},
		},
		Neighbours: []Neighbour{{"eth1", addr("10.0.100.3"), "02:00:00:00:00:13"}},
		Modules:    map[string]ModuleState{"ip_vs": Loaded, "ip_vs_mh": Loadable, "ip_vs_twos": Missing, "ip_vs_pe_sip": Loadable, "ip_vs_ftp": Loadable},
		Table: &status.Kernel{ConnBuckets: 4096, Services: []status.KernelService{{
			Key: ipvs.AddressKey(ipvs.TCP, netip.MustParseAddrPort("192.168.1.202:80")), Scheduler: "rr",
			Servers: []status.KernelServer{server("10.0.100.2:80", "NAT"), server("10.0.100.3:80", "DR"), tunnelled},
		}}},
		Daemon:    &status.Snapshot{},
		Processes: []Process{{PID: 10, Name: "ipvsd", Unit: "ipvsd.service"}},
		Clock:     Clock{Synchronised: true, Systemd: true},
		Listened:  3 * time.Second,
		Asked:     []netip.Addr{addr("192.168.1.202")},
		Adverts:   []Advert{{Link: "eth0", From: addr("192.168.1.101"), VRID: 51, Priority: 150, Count: 3}},
	}
}

// faults are what can be wrong: how it comes into a healthy machine, and all that is found of it then, as ID, severity and commands.
var faults = []struct {
	name  string
	spoil func(*Facts)
	want  []string
}{
	{"ip_forward", func(f *Facts) { f.Sysctls["net/ipv4/ip_forward"] = "0" }, []string{"ip-forward problem: sysctl -w net.ipv4.ip_forward=1"}},
	{"a server here needs no forwarding", func(f *Facts) { f.Sysctls["net/ipv4/ip_forward"], f.Routes[0].Local = "0", true }, nil},
	{"no answers from here", func(f *Facts) {
		f.Table.Services[0].Servers[0].Stats.OutPackets = 0
		f.Routes[0].Local = true
	}, []string{"nat-return problem"}},
	{"one network, firewall unknown", func(f *Facts) {
		oneNet(f)
		f.Sysctls["net/ipv4/conf/all/send_redirects"], f.Sysctls["net/ipv4/conf/eth1/send_redirects"] = "0", "0"
		f.Unseen = []Unseen{{"vs-conntrack", "no iptables-save"}}
	}, nil},
	{"all VRIDs", func(f *Facts) {
		for id := range 256 {
			f.Adverts = append(f.Adverts, Advert{Link: "eth0", From: addr("192.168.1.7"), VRID: uint8(id), Priority: 100, Count: 2})
		}
	}, []string{"vrid-duplicate problem"}},
	{"name of a link for the shell", func(f *Facts) {
		f.Links = append(f.Links, Link{Name: "a;b'c", Up: true, LRO: true})
	}, []string{`lro problem: ethtool -K 'a;b'\''c' lro off`}},
	{"forwarding of IPv6", func(f *Facts) { f.Table.Services[0].Key.Family = ipvs.IPv6 }, []string{"ip-forward problem: sysctl -w net.ipv6.conf.all.forwarding=1"}},
	{"no NAT needs no forwarding", func(f *Facts) {
		f.Sysctls["net/ipv4/ip_forward"] = "0"
		f.Table.Services[0].Servers = f.Table.Services[0].Servers[1:]
	}, nil},
	{"strict rp_filter", func(f *Facts) { f.Defaults[0].Link = "eth1" }, []string{"rp-filter warning: sysctl -w net.ipv4.conf.eth0.rp_filter=2"}},
	{"loose rp_filter", func(f *Facts) {
		f.Defaults[0].Link = "eth1"
		f.Sysctls["net/ipv4/conf/all/rp_filter"] = "2"
	}, nil},
	{"a service for clients inside", func(f *Facts) {
		f.Addresses = append(f.Addresses, Address{"eth1", netip.MustParsePrefix("10.0.100.200/32")})
		f.Asked = append(f.Asked, addr("10.0.100.200"))
		f.Table.Services = append(f.Table.Services, status.KernelService{Key: ipvs.AddressKey(ipvs.TCP, netip.MustParseAddrPort("10.0.100.200:80"))})
	}, nil},
	{"interface with a dot", func(f *Facts) {
		f.Defaults[0].Link, f.Links[1].Name = "eth1", "eth0.5"
		f.Addresses[1].Link, f.Addresses[2].Link = "eth0.5", "eth0.5"
		f.Sysctls["net/ipv4/conf/eth0.5/rp_filter"] = "1"
	}, []string{"rp-filter warning: sysctl -w net/ipv4/conf/eth0.5/rp_filter=2"}},
	{"no answers", func(f *Facts) { f.Table.Services[0].Servers[0].Stats.OutPackets = 0 },
		[]string{"nat-return problem on 10.0.100.2: ip route replace default via 10.0.100.1"}},
	{"no answers from afar", func(f *Facts) {
		f.Table.Services[0].Servers[0].Stats.OutPackets = 0
		f.Routes[0].Gateway = addr("10.0.100.254")
	}, []string{"nat-return problem"}},
	{"no answers counted", func(f *Facts) {
		f.Table.Services[0].Servers[0].Stats.OutPackets = 0
		f.Table.Frozen = true
	}, nil},
	{"one network", func(f *Facts) { oneNet(f); f.Sysctls["net/ipv4/ip_forward"] = "1" }, []string{
		"nat-one-network warning: sysctl -w net.ipv4.vs.conntrack=1; iptables -t nat -A POSTROUTING -s 10.0.100.0/24 -d 10.0.100.0/24 -j MASQUERADE",
		"send-redirects warning: sysctl -w net.ipv4.conf.all.send_redirects=0; sysctl -w net.ipv4.conf.eth1.send_redirects=0",
	}},
	{"one network, DR", func(f *Facts) { oneNet(f); f.Table.Services[0].Servers = f.Table.Services[0].Servers[1:2] },
		[]string{"send-redirects note: sysctl -w net.ipv4.conf.all.send_redirects=0; sysctl -w net.ipv4.conf.eth1.send_redirects=0"}},
	{"DR through a router", func(f *Facts) { f.Routes[1].Gateway = addr("10.0.100.254") }, []string{"dr-router problem"}},
	{"the end of a tunnel", func(f *Facts) {
		f.Links = append(f.Links, Link{Name: "tunl0", Kind: "ipip", Up: true, MTU: 1480})
		f.Sysctls["net/ipv4/conf/tunl0/rp_filter"] = "1"
	}, []string{"tunnel-rp-filter problem: sysctl -w net.ipv4.conf.tunl0.rp_filter=2"}},
	{"a loose end without address", func(f *Facts) {
		realServer(f)
		f.Sysctls["net/ipv4/conf/all/arp_ignore"], f.Sysctls["net/ipv4/conf/all/arp_announce"] = "1", "2"
		f.Links = append(f.Links, Link{Name: "tunl0", Kind: "ipip", Up: true, MTU: 1480})
		f.Sysctls["net/ipv4/conf/tunl0/rp_filter"] = "2"
	}, []string{"tunnel-rp-filter problem: ip address delete 192.168.1.203/32 dev lo; ipvsctl realserver prepare --vip 192.168.1.203 --method TUN"}},
	{"a loose end", func(f *Facts) {
		f.Links = append(f.Links, Link{Name: "tunl0", Kind: "ipip", Up: true, MTU: 1480})
		f.Sysctls["net/ipv4/conf/tunl0/rp_filter"] = "2"
	}, nil},
	{"tunnel", func(f *Facts) { f.Links[2].MTU, f.Routes[2].MTU = 1500, 1500 }, []string{"tunnel-mtu warning: ip link set dev eth1 mtu 1520"}},
	{"tunnel with room", func(f *Facts) { f.Links[2].MTU, f.Routes[2].MTU = 1520, 1520 }, nil},
	{"tunnel on a route", func(f *Facts) { f.Routes[2].MTU = 1500 }, []string{"tunnel-mtu warning"}},
	{"server answers ARP", func(f *Facts) {
		f.Claims = []Claim{{"eth0", addr("192.168.1.202"), "02:00:00:00:00:13"}, {"eth0", addr("192.168.1.202"), "02:00:00:00:00:13"}}
	}, []string{"vip-claimed problem on 10.0.100.3: ipvsctl realserver prepare --vip 192.168.1.202"}},
	{"server of both families answers ARP", func(f *Facts) {
		f.Table.Services[0].Servers = append(f.Table.Services[0].Servers, status.KernelServer{Addr: netip.MustParseAddrPort("[2001:db8::3]:80"), Forward: "DR"})
		f.Neighbours = append(f.Neighbours, Neighbour{"eth1", addr("2001:db8::3"), "02:00:00:00:00:13"})
		slices.Reverse(f.Neighbours)
		f.Claims = []Claim{{"eth0", addr("192.168.1.202"), "02:00:00:00:00:13"}}
	}, []string{"vip-claimed problem on 10.0.100.3: ipvsctl realserver prepare --vip 192.168.1.202"}},
	{"server of TUN answers ARP", func(f *Facts) {
		f.Neighbours = append(f.Neighbours, Neighbour{"eth1", addr("10.0.100.4"), "02:00:00:00:00:14"})
		f.Claims = []Claim{{"eth0", addr("192.168.1.202"), "02:00:00:00:00:14"}}
	}, []string{"vip-claimed problem on 10.0.100.4: ipvsctl realserver prepare --vip 192.168.1.202 --method TUN"}},
	{"stranger answers ARP", func(f *Facts) { f.Claims = []Claim{{"eth0", addr("192.168.1.202"), "02:00:00:00:00:99"}} }, []string{"vip-claimed problem"}},
	{"another director has it", func(f *Facts) {
		f.Addresses = slices.Delete(f.Addresses, 2, 3)
		f.Claims = []Claim{{"eth0", addr("192.168.1.202"), "02:00:00:00:00:99"}}
	}, nil},
	{"two others have it", func(f *Facts) {
		f.Addresses = slices.Delete(f.Addresses, 2, 3)
		f.Claims = []Claim{{"eth0", addr("192.168.1.202"), "02:00:00:00:00:98"}, {"eth0", addr("192.168.1.202"), "02:00:00:00:00:99"}}
	}, []string{"vip-claimed problem", "vip-claimed problem"}},
	{"a talkative real server", func(f *Facts) { realServer(f) }, []string{
		"arp-ignore problem: sysctl -w net.ipv4.conf.all.arp_ignore=1", "arp-announce problem: sysctl -w net.ipv4.conf.all.arp_announce=2"}},
	{"a silent real server", func(f *Facts) {
		realServer(f)
		f.Sysctls["net/ipv4/conf/all/arp_ignore"], f.Sysctls["net/ipv4/conf/all/arp_announce"] = "1", "2"
	}, nil},
	{"an address of lo that nobody asks for", func(f *Facts) {
		f.Addresses = append(f.Addresses, Address{"lo", netip.MustParsePrefix("203.0.113.1/32")})
	}, nil},
	{"a real server without VIP", func(f *Facts) { f.Prepared = []Prepared{{addr("192.168.1.203"), "DR", "lo"}} },
		[]string{"vip-missing problem: ipvsctl realserver prepare --vip 192.168.1.203"}},
	{"a real server of TUN, or elsewhere than on lo, without VIP", func(f *Facts) {
		f.Prepared = []Prepared{{addr("192.168.1.203"), "TUN", "tunl0"}, {addr("192.168.1.204"), "DR", "dummy0"}}
	}, []string{
		"vip-missing problem: ipvsctl realserver prepare --vip 192.168.1.203 --method TUN",
		"vip-missing problem: ipvsctl realserver prepare --vip 192.168.1.204 --interface dummy0"}},
	{"no IPVS", func(f *Facts) { f.IPVS, f.Table, f.Modules["ip_vs"] = false, nil, Loadable }, []string{"module-ip-vs problem: modprobe ip_vs"}},
	{"no IPVS to be had", func(f *Facts) { f.IPVS, f.Table, f.Modules["ip_vs"] = false, nil, Missing }, []string{"module-ip-vs problem"}},
	{"scheduler", func(f *Facts) {
		f.Daemon.Services = []status.Service{{Options: []string{"mh", "pe sip"}}, {Options: []string{"twos"}}, {Options: []string{"lc"}, InTable: true}}
	}, []string{"module-ip-vs-mh problem: modprobe ip_vs_mh", "module-ip-vs-pe-sip problem: modprobe ip_vs_pe_sip", "module-ip-vs-twos problem"}},
	{"FTP", func(f *Facts) { f.Table.Services[0].Key.Addr = netip.MustParseAddrPort("192.168.1.202:21") },
		[]string{"module-ip-vs-ftp problem: modprobe ip_vs_ftp"}},
	{"connection table", func(f *Facts) { f.Table.Services[0].Servers[0].InactiveConns = 20000 },
		[]string{"conn-table-size warning: echo options ip_vs conn_tab_bits=15 >> /etc/modprobe.d/ip_vs.conf"}},
	{"connection table that grows", func(f *Facts) {
		f.Table.Services[0].Servers[0].InactiveConns = 20000
		f.Sysctls["net/ipv4/vs/conn_lfactor"] = "-4"
	}, nil},
	{"source NAT", func(f *Facts) { f.SNAT = []string{"iptables -A POSTROUTING -j MASQUERADE"} },
		[]string{"vs-conntrack warning: sysctl -w net.ipv4.vs.conntrack=1"}},
	{"ports keep their server", func(f *Facts) { f.Sysctls["net/ipv4/vs/conn_reuse_mode"] = "0" },
		[]string{"conn-reuse warning: sysctl -w net.ipv4.vs.conn_reuse_mode=1"}},
	{"ports wait a second", func(f *Facts) { f.Sysctls["net/ipv4/vs/conntrack"], f.Release = "1", "5.4.0" },
		[]string{"conn-reuse warning: sysctl -w net.ipv4.vs.conn_reuse_mode=0"}},
	{"ports of an old kernel", func(f *Facts) {
		f.Sysctls["net/ipv4/vs/conntrack"], f.Sysctls["net/ipv4/vs/conn_reuse_mode"], f.Release = "1", "0", "5.4.0"
	}, nil},
	{"conntrack nearly full", func(f *Facts) { f.Sysctls["net/netfilter/nf_conntrack_count"] = "60000" },
		[]string{"conntrack-full warning: sysctl -w net.netfilter.nf_conntrack_max=262144"}},
	{"conntrack of a very large machine", func(f *Facts) {
		f.Sysctls["net/netfilter/nf_conntrack_count"], f.Sysctls["net/netfilter/nf_conntrack_max"] = "1000000000", "1000000000"
	}, []string{"conntrack-full problem: sysctl -w net.netfilter.nf_conntrack_max=2147483647"}},
	{"conntrack full", func(f *Facts) { f.Sysctls["net/netfilter/nf_conntrack_count"] = "65536" },
		[]string{"conntrack-full problem: sysctl -w net.netfilter.nf_conntrack_max=262144"}},
	{"counters", func(f *Facts) { f.Sysctls["net/ipv4/vs/run_estimation"] = "0" },
		[]string{"run-estimation warning: sysctl -w net.ipv4.vs.run_estimation=1"}},
	{"LRO", func(f *Facts) { f.Links[1].LRO = true }, []string{"lro problem: ethtool -K eth0 lro off"}},
	{"VRID", func(f *Facts) {
		f.Adverts = append(f.Adverts, Advert{Link: "eth0", From: addr("192.168.1.7"), VRID: 51, Priority: 100, Count: 2})
	}, []string{"vrid-duplicate problem"}},
	{"VRID handed over", func(f *Facts) {
		f.Adverts[0].Priority = 0
		f.Adverts = append(f.Adverts, Advert{Link: "eth0", From: addr("192.168.1.7"), VRID: 51, Priority: 100, Count: 2})
	}, nil},
	{"VRID elsewhere", func(f *Facts) {
		f.Adverts = append(f.Adverts, Advert{Link: "eth1", From: addr("10.0.100.7"), VRID: 51, Priority: 100, Count: 2})
	}, nil},
	{"adverts not believed", func(f *Facts) {
		f.Daemon.VRRP = &status.VRRP{At: at, Instances: []status.VirtualRouter{{Name: "VI", VRID: 51, Interface: "eth0",
			Counters: status.RouterCounters{LastRejected: &status.Rejection{At: at.Add(-time.Second), From: addr("192.168.1.7"), Why: "another password"}}}}}
	}, []string{"vrrp-rejected warning"}},
	{"sync ID", func(f *Facts) { syncing(f, 1, 2, "eth1", 1) },
		[]string{"sync-id problem: ipvsadm --stop-daemon backup; ipvsadm --start-daemon backup --mcast-interface eth1 --syncid 2"}},
	{"sync interface", func(f *Facts) { syncing(f, 1, 1, "eth0", 1) },
		[]string{"sync-interface problem: ipvsadm --stop-daemon backup; ipvsadm --start-daemon backup --mcast-interface eth0 --syncid 1"}},
	{"sync version there", func(f *Facts) { syncing(f, 1, 1, "eth1", 0) },
		[]string{"sync-version warning on 10.0.100.50: sysctl -w net.ipv4.vs.sync_version=1"}},
	{"sync version here", func(f *Facts) { syncing(f, 1, 1, "eth1", 1); f.Sysctls["net/ipv4/vs/sync_version"] = "0" },
		[]string{"sync-version warning: sysctl -w net.ipv4.vs.sync_version=1"}},
	{"sync, heard by a port too", func(f *Facts) {
		syncing(f, 1, 1, "eth0", 1)
		f.Syncs = append(f.Syncs, Sync{Link: "eth1", From: addr("10.0.100.50"), SyncID: 1, Version: 1, Count: 1})
	}, nil},
	{"sync agrees", func(f *Facts) { syncing(f, 1, 1, "eth1", 1) }, nil},
	{"sync takes any", func(f *Facts) { syncing(f, 0, 7, "eth1", 1) }, nil},
	{"sync of one side", func(f *Facts) { syncing(f, 1, 1, "eth1", 1); f.Table.Backup = nil },
		[]string{"sync-one-side problem: ipvsadm --start-daemon backup --mcast-interface eth1 --syncid 1"}},
	{"sync to a master", func(f *Facts) {
		syncing(f, 1, 1, "eth1", 1)
		f.Table.Master, f.Table.Backup = f.Table.Backup, nil
	}, []string{"sync-one-side problem: ipvsadm --start-daemon backup --mcast-interface eth1 --syncid 1"}},
	{"sync with itself", func(f *Facts) {
		syncing(f, 1, 1, "eth1", 1)
		f.Table.Master = &status.SyncDaemon{Interface: "eth1", SyncID: 5}
	}, []string{"sync-own problem: ipvsadm --stop-daemon backup; ipvsadm --start-daemon backup --mcast-interface eth1 --syncid 5"}},
	{"sync on what is down", func(f *Facts) { syncing(f, 1, 1, "eth1", 1); f.Links[2].Up = false },
		[]string{"sync-interface problem: ip link set dev eth1 up"}},
	{"keepalived, too", func(f *Facts) {
		f.Processes = append(f.Processes, Process{PID: 20, Name: "keepalived", Unit: "keepalived.service"}, Process{PID: 21, Name: "keepalived"})
	}, []string{"clash problem: systemctl disable --now keepalived.service"}},
	{"ldirectord without a unit", func(f *Facts) { f.Processes = append(f.Processes, Process{PID: 20, Name: "ldirectord"}) },
		[]string{"clash problem: kill 20"}},
	{"neither is ours", func(f *Facts) { f.Processes = []Process{{PID: 20, Name: "keepalived"}, {PID: 21, Name: "ldirectord"}} },
		[]string{"clash problem", "clash problem"}},
	{"keepalived alone", func(f *Facts) { f.Processes = []Process{{PID: 20, Name: "keepalived"}, {PID: 21, Name: "keepalived"}} }, nil},
	{"a table at boot", func(f *Facts) { f.AtBoot = []string{"ipvsadm.service"} }, []string{"clash-boot warning: systemctl disable ipvsadm.service"}},
	{"clock", func(f *Facts) { f.Clock.Synchronised = false }, []string{"clock warning: timedatectl set-ntp true"}},
	{"clock without systemd", func(f *Facts) { f.Clock = Clock{} }, []string{"clock warning"}},
	{"nothing is known", func(f *Facts) { *f = Facts{IPVS: true, Clock: Clock{Synchronised: true}} }, nil},
}

// oneNet puts the service's address onto the servers' network.
func oneNet(f *Facts) {
	f.Addresses[2] = Address{"eth1", netip.MustParsePrefix("10.0.100.200/32")}
	f.Table.Services[0].Key.Addr = netip.MustParseAddrPort("10.0.100.200:80")
	f.Asked = []netip.Addr{addr("10.0.100.200")}
	f.Defaults[0].Link = "eth1"
}

// realServer makes the machine one, of a service that is not in its table.
func realServer(f *Facts) {
	f.Addresses = append(f.Addresses, Address{"lo", netip.MustParsePrefix("192.168.1.203/32")})
	f.Table.Services = nil
}

func syncing(f *Facts, own, heard uint8, link string, version uint8) {
	f.Table.Backup = &status.SyncDaemon{Interface: "eth1", SyncID: own}
	f.Syncs = []Sync{{Link: link, From: addr("10.0.100.50"), SyncID: heard, Version: version, Count: 1}}
}

func TestFaults(t *testing.T) {
	if found := Examine(healthy()).Findings; len(found) > 0 {
		t.Fatalf("of a healthy machine: %+v", found)
	}
	seen := map[string]bool{}
	for _, c := range faults {
		f := healthy()
		c.spoil(f)
		var got []string
		for _, x := range Examine(f).Findings {
			line := x.ID + " " + string(x.Severity)
			if x.On != "" {
				line += " on " + x.On
			}
			if len(x.Mend) > 0 {
				line += ": " + strings.Join(x.Mend, "; ")
			} else if x.Then == "" {
				t.Errorf("%s: %s says neither a command nor what to do", c.name, x.ID)
			}
			if x.What == "" || x.Why == "" || x.Where == "" {
				t.Errorf("%s: %+v lacks something", c.name, x)
			}
			got = append(got, line)
			seen[x.ID] = true
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: found\n%s\nwant\n%s", c.name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
	if len(seen) < 25 {
		t.Errorf("only %d kinds of findings were seen", len(seen))
	}
}

// What can't be seen is told, and not told any more once it can.
func TestUnseen(t *testing.T) {
	ids := func(f *Facts) (list []string) {
		for _, u := range Examine(f).Unseen {
			list = append(list, u.ID)
		}
		return list
	}
	f := healthy()
	if got := ids(f); !slices.Equal(got, []string{"vip-missing"}) {
		t.Errorf("healthy: %q", got)
	}
	f.Table.Services[0].Servers[0].Stats = ipvs.Stats{}
	f.Asked, f.Table.Backup = nil, &status.SyncDaemon{Interface: "eth1"}
	if got := ids(f); !slices.Equal(got, []string{"nat-return", "vip-claimed", "vip-missing", "sync-id"}) {
		t.Errorf("without clients: %q", got)
	}
	f = healthy()
	f.Listened, f.Unseen = 0, []Unseen{{"x", "y"}}
	if got := ids(f); !slices.Equal(got, []string{"x", "vip-missing", "vrid-duplicate"}) {
		t.Errorf("without listening: %q", got)
	}
}

func TestReport(t *testing.T) {
	f := healthy()
	f.Sysctls["net/ipv4/ip_forward"], f.Sysctls["net/ipv4/vs/run_estimation"] = "0", "0"
	f.Table.Services[0].Servers[0].Stats.OutPackets = 0
	f.Claims = []Claim{{"eth0", addr("192.168.1.202"), "02:00:00:00:00:13"}}
	r := Examine(f)
	var text, none, color bytes.Buffer
	for _, err := range []error{r.Text(&text, false), r.Text(&color, true), Examine(&Facts{IPVS: true, Listened: 1, Clock: Clock{Synchronised: true}}).Text(&none, false)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	golden.Check(t, "testdata/report.txt", text.Bytes())
	if none.String() != "Nothing found.\n" {
		t.Errorf("nothing: %q", none.String())
	}
	if plain := strings.NewReplacer("\x1b[31m", "", "\x1b[33m", "", "\x1b[0m", "").Replace(color.String()); plain != text.String() || plain == color.String() {
		t.Error("colours change more than the colour")
	}
	j, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/report.json", append(j, '\n'))

	// Facts go through JSON unharmed: the daemon and a support case keep them so.
	text.Reset()
	var again Facts
	if err := json.NewEncoder(&text).Encode(f); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text.Bytes(), &again); err != nil {
		t.Fatal(err)
	}
	k, err := json.MarshalIndent(Examine(&again), "", "  ")
	if err != nil || !bytes.Equal(j, k) {
		t.Errorf("after JSON: %v\n%s", err, k)
	}
}

// What others have named comes to the terminal as text only.
func TestTextOfForeignNames(t *testing.T) {
	evil := "a\x1b]0;b\a\nc\u009b"
	var b bytes.Buffer
	r := Report{Findings: []Finding{{ID: "x", Where: evil, What: evil, Why: evil, On: evil, Mend: []string{evil}, Then: evil}}, Unseen: []Unseen{{"x", evil}}}
	if err := r.Text(&b, false); err != nil || strings.ContainsAny(b.String(), "\x1b\a\u009b") || strings.Contains(b.String(), "\nc") {
		t.Errorf("%v, %q", err, b.String())
	}
}
