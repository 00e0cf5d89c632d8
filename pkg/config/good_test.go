package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// accept loads a text that must have no errors, and these warnings.
func accept(t *testing.T, text string, warnings ...string) *Config {
	t.Helper()
	c, found := Load("t.toml", []byte(text))
	var got []string
	for _, d := range found {
		got = append(got, fmt.Sprintf("%d:%d %s: %s", d.Line, d.Column, d.Severity, d.Message))
	}
	if diff := cmp.Diff(warnings, got, cmpopts.EquateEmpty()); c == nil || diff != "" {
		t.Fatalf("diagnostics (-want +got):\n%s", diff)
	}
	if _, inOne := (&Loader{name: "t.toml"}).whole(text); !cmp.Equal(found, inOne) {
		t.Errorf("by parts and in one piece:\n%s", cmp.Diff(found, inOne))
	}
	reloads(t, c)
	return c
}

func TestEveryFieldOfATCPService(t *testing.T) {
	c := accept(t, `
[global_defs]
router_id = "director1"
lvs_flush_on_stop = "VS"
rs_init_notifies = true
autoreload = true
lvs_timeouts = { tcp = 900, udp = "5m" }

[[virtual_server]]
address = "192.168.1.202:80"
protocol = "tcp"
lvs_sched = "MH"
mh-port = true
mh-fallback = true
flag-3 = true
lb_kind = "tun type gue port 6080 csum"
persistence_timeout = "10m"
persistence_granularity = 24
weight = 10
retry = 0

[virtual_server.TCP_CHECK]
connect_timeout = "1500ms"
warmup = 0.25

  [[virtual_server.real_server]]
  address = "[2001:db8::2]:80"
  weight = 2147483647
  uthreshold = 200
  lthreshold = 100
  inhibit_on_failure = true
  retry = 7

    [virtual_server.real_server.TCP_CHECK]
    connect_ip = "10.0.100.2"
    connect_port = 8080
    bindto = "10.0.100.1"
    bind_port = 40000
    bind_if = "eth1"
    fwmark = 4294967295
    alpha = false
    delay_loop = 3
    delay_before_retry = "2s"
    log_all_failures = true

  [[virtual_server.real_server]]
  address = "10.0.100.3"
  lvs_method = "DR"
  inhibit_on_failure = false
`)
	want := &Config{
		GlobalDefs: GlobalDefs{
			Mail:     Mail{ConnectTimeout: 30 * time.Second, TLS: "opportunistic", Format: "keepalived"},
			RouterID: "director1", OnStop: StopRemoves, RSInitNotifies: true, AutoReload: true,
			LVSTimeouts: ipvs.Timeouts{TCP: 15 * time.Minute, UDP: 5 * time.Minute},
			LVSSysctl:   Sysctls{Defaults: true},
			Metrics:     Metrics{PerServer: true, MaxServers: 2000},
		},
		VirtualServers: []*VirtualServer{{
			Name:   "tcp 192.168.1.202:80",
			Quorum: health.Quorum{Needed: 1},
			OnStop: StopRemoves,
			Services: []ipvs.Service{{
				ServiceKey:  ipvs.AddressKey(ipvs.TCP, netip.MustParseAddrPort("192.168.1.202:80")),
				Scheduler:   "mh",
				Flags:       ipvs.MHPort | ipvs.MHFallback | ipvs.Scheduler3,
				Persistence: 10 * time.Minute,
				Granularity: 24,
			}},
			RealServers: []RealServer{{
				Destination: ipvs.Destination{
					Addr:           netip.MustParseAddrPort("[2001:db8::2]:80"),
					Forward:        ipvs.Tun,
					Tunnel:         ipvs.Tunnel{Type: ipvs.GUE, Port: 6080, Flags: ipvs.Csum},
					Weight:         2147483647,
					UpperThreshold: 200, LowerThreshold: 100,
				},
				InhibitOnFailure: true,
				Checks: []health.ID{health.Check{
					Type:      "TCP_CHECK",
					Spec:      health.TCP{},
					Target:    netip.MustParseAddrPort("10.0.100.2:8080"),
					Source:    netip.MustParseAddrPort("10.0.100.1:40000"),
					Interface: "eth1", FWMark: 4294967295,
					Timeout: 1500 * time.Millisecond, LogAllFailures: true,
					Policy: health.Policy{
						DelayLoop: 3 * time.Second, Retry: 7, DelayBeforeRetry: 2 * time.Second,
						Warmup: 250 * time.Millisecond, Alpha: false,
					},
				}.ID()},
			}, {
				Destination: ipvs.Destination{
					Addr: netip.MustParseAddrPort("10.0.100.3:80"), Forward: ipvs.DR, Weight: 10,
				},
				Checks: []health.ID{health.Check{
					Type: "TCP_CHECK", Spec: health.TCP{}, Target: netip.MustParseAddrPort("10.0.100.3:80"), Timeout: 1500 * time.Millisecond,
					Policy: health.Policy{
						DelayLoop: 5 * time.Second, Retry: 0, DelayBeforeRetry: time.Second / 2,
						Warmup: 250 * time.Millisecond, Alpha: true,
					},
				}.ID()},
			}},
		}},
	}
	comparable := cmpopts.EquateComparable(netip.AddrPort{}, netip.Addr{}, netip.Prefix{}, health.ID{})
	if diff := cmp.Diff(want, c, comparable, cmpopts.IgnoreUnexported(Config{})); diff != "" {
		t.Errorf("Config (-want +got):\n%s", diff)
	}
}

// TestOneService shows services of all kinds in the words of package ipvs, and the servers below them.
func TestOneService(t *testing.T) {
	for _, test := range []struct {
		name, text, want string
		warnings         []string
	}{
		{name: "defaults", text: `address = "192.0.2.1:80"
			protocol = "TCP"
			TCP_CHECK = true
			real_servers = ["10.0.0.2"]`,
			want: "tcp 192.0.2.1:80 wlc; 10.0.0.2:80 NAT weight 1"},
		{name: "IPv6", text: `address = "[2001:db8::1]:53"
			protocol = "SCTP"
			persistence_granularity = 64
			TCP_CHECK = {}
			real_servers = ["2001:db8::2", "[2001:db8::3]:5353"]`,
			want: "sctp [2001:db8::1]:53 wlc persistent 6m0s /64; [2001:db8::2]:53 NAT weight 1; " +
				"[2001:db8::3]:5353 NAT weight 1"},
		{name: "ops", text: `address = "192.0.2.1:53"
			protocol = "UDP"
			ops = true
			TCP_CHECK = false
			real_servers = ["10.0.0.2"]`,
			want:     "udp 192.0.2.1:53 wlc ops; 10.0.0.2:53 NAT weight 1",
			warnings: []string{"4:4 warning: with ops clients get no replies from servers under NAT, since the kernel does not rewrite them"}},
		{name: "ops under DR", text: `address = "192.0.2.1:53"
			protocol = "UDP"
			ops = true
			lb_kind = "DR"
			TCP_CHECK = false
			real_servers = ["10.0.0.2"]`,
			want: "udp 192.0.2.1:53 wlc ops; 10.0.0.2:53 DR weight 1"},
		{name: "sip", text: `address = "192.0.2.1:5060"
			protocol = "UDP"
			persistence_timeout = true
			persistence_engine = "sip"
			TCP_CHECK = true
			real_servers = ["10.0.0.2"]`,
			want: "udp 192.0.2.1:5060 wlc persistent 6m0s pe sip; 10.0.0.2:5060 NAT weight 1"},
		{name: "netmask, all ports", text: `address = "192.0.2.1"
			protocol = "TCP"
			persistence_granularity = "255.255.128.0"
			TCP_CHECK = { connect_port = 80 }
			real_servers = ["10.0.0.2"]`,
			want: "tcp 192.0.2.1:0 wlc persistent 6m0s /17; 10.0.0.2:0 NAT weight 1"},
		{name: "persistence switched off", text: `address = "192.0.2.1:80"
			protocol = "TCP"
			persistence_timeout = false
			TCP_CHECK = true
			real_servers = ["10.0.0.2"]`,
			want: "tcp 192.0.2.1:80 wlc; 10.0.0.2:80 NAT weight 1"},
		{name: "fwmark takes the family of its servers", text: `fwmark = 7
			lb_kind = "DR"
			TCP_CHECK = true
			real_servers = ["[2001:db8::2]:80"]`,
			want: "fwmark 7 inet6 wlc; [2001:db8::2]:80 DR weight 1"},
		{name: "fwmark of a given family", text: `fwmark = 4294967295
			ip_family = "inet"
			lb_kind = "TUN type gre csum"
			TCP_CHECK = true
			real_servers = ["10.0.0.2:80", "[2001:db8::2]:80"]`,
			want: "fwmark 4294967295 wlc; 10.0.0.2:80 TUN type gre csum weight 1; " +
				"[2001:db8::2]:80 TUN type gre csum weight 1"},
		{name: "fwmark without servers", text: `fwmark = 7
			protocol = "TCP"`,
			want: "fwmark 7 wlc",
			warnings: []string{
				"1:1 warning: the virtual server has no real servers",
				"3:4 warning: protocol has no effect: a fwmark covers all protocols"}},
		{name: "sh", text: `address = "192.0.2.1:80"
			sh-port = true
			protocol = "TCP"
			lb_algo = "sh"
			TCP_CHECK = true
			real_servers = ["10.0.0.2"]`,
			want: "tcp 192.0.2.1:80 sh sh-port; 10.0.0.2:80 NAT weight 1"},
		{name: "weight 0 and hashing", text: `address = "192.0.2.1:80"
			protocol = "TCP"
			lb_algo = "mh"
			weight = 0
			inhibit_on_failure = true
			TCP_CHECK = true
			real_servers = ["10.0.0.2", "10.0.0.3"]`,
			want: "tcp 192.0.2.1:80 mh mh-fallback; 10.0.0.2:80 NAT weight 0; 10.0.0.3:80 NAT weight 0",
			warnings: []string{"5:13 warning: mh-fallback is set: a server may have weight 0 (weight, inhibit_on_failure), " +
				"and without it mh drops the clients that hash to it"}},
		{name: "no check", text: `address = "192.0.2.1:80"
			protocol = "TCP"
			real_servers = ["10.0.0.2", "10.0.0.3"]
			real_server = [{ address = "10.0.0.4", TCP_CHECK = true }, { address = "10.0.0.5", TCP_CHECK = false }]`,
			want: "tcp 192.0.2.1:80 wlc; 10.0.0.2:80 NAT weight 1; 10.0.0.3:80 NAT weight 1; 10.0.0.4:80 NAT weight 1; " +
				"10.0.0.5:80 NAT weight 1",
			warnings: []string{"1:1 warning: 2 of 4 real servers have no check: they get clients even when they are dead"}},
		{name: "granularity without persistence", text: `address = "192.0.2.1:80"
			protocol = "TCP"
			persistence_timeout = false
			persistence_granularity = 24
			TCP_CHECK = true
			real_servers = ["10.0.0.2"]`,
			want:     "tcp 192.0.2.1:80 wlc; 10.0.0.2:80 NAT weight 1",
			warnings: []string{"5:4 warning: persistence_granularity has no effect: persistence_timeout is false"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := accept(t, "[[virtual_server]]\n"+test.text, test.warnings...)
			vs := c.VirtualServers[0]
			got := []string{vs.Services[0].String()}
			for _, rs := range vs.RealServers {
				got = append(got, rs.Destination.String())
			}
			if s := strings.Join(got, "; "); s != test.want {
				t.Errorf("got  %s\nwant %s", s, test.want)
			}
		})
	}
}

// Checks take each keyword from the nearest table: the server's check, the server, the virtual server's check, the virtual
// server.
func TestInheritance(t *testing.T) {
	c := accept(t, `
[global_defs]
checker_log_all_failures = true

[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
delay_loop = 11
retry = 11
warmup = 11
delay_before_retry = 11
connect_timeout = 11

[virtual_server.TCP_CHECK]
delay_loop = 22
retry = 22
warmup = 22
bind_port = 2222

  [[virtual_server.real_server]]
  address = "10.0.0.2"
  delay_loop = 33
  retry = 33

    [virtual_server.real_server.TCP_CHECK]
    delay_loop = 44
    log_all_failures = false

  [[virtual_server.real_server]]
  address = "10.0.0.3"
  alpha = false

  [[virtual_server.real_server]]
  address = "10.0.0.4"
  [[virtual_server.real_server.TCP_CHECK]]
  connect_port = 81
  [[virtual_server.real_server.TCP_CHECK]]
  connect_port = 82
  [[virtual_server.real_server.TCP_CHECK]]
  connect_port = 82
`, "39:3 warning: the server has this check already")
	var got []string
	for _, rs := range c.VirtualServers[0].RealServers {
		for _, id := range rs.Checks {
			k := id.Check()
			got = append(got, fmt.Sprintf("%s from %s: %v %v %v %v %v alpha %t log %t",
				k.Target, k.Source, k.DelayLoop, k.Retry, k.Warmup, k.DelayBeforeRetry, k.Timeout, k.Alpha, k.LogAllFailures))
		}
	}
	want := []string{
		"10.0.0.2:80 from 0.0.0.0:2222: 44s 33 22s 11s 11s alpha true log false",
		"10.0.0.3:80 from 0.0.0.0:2222: 22s 22 22s 11s 11s alpha false log true",
		"10.0.0.4:81 from 0.0.0.0:2222: 22s 22 22s 11s 11s alpha true log true",
		"10.0.0.4:82 from 0.0.0.0:2222: 22s 22 22s 11s 11s alpha true log true",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("checks (-want +got):\n%s", diff)
	}
}

func TestEmptyFile(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing\n", "[global_defs]\n", "\uFEFF"} {
		c := accept(t, text, "1:1 warning: there is no virtual_server: nothing is balanced")
		if len(c.VirtualServers) != 0 {
			t.Error(c)
		}
	}
}

// A file of 37,000 servers on one line is read in one pass: columns are not counted anew for each of them.
func TestLongLine(t *testing.T) {
	text := strings.Replace(string(generated(1, 20000, false)), `", ]`, `x", ]`, 1)
	_, found := Load("t.toml", []byte(text))
	if len(found) != 1 {
		t.Fatal(found)
	}
	line := strings.Split(text, "\n")[found[0].Line-1]
	if at := strings.LastIndex(line, `"172.`); found[0].Column != at+1 {
		t.Errorf("the last server is at %v, want column %d", found[0].Position, at+1)
	}
}

// Load is a pure function of the name and the text; FuzzLoad checks that for any text, and that diagnostics point into it.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(everyForm))
	f.Add(generated(2, 2, true))
	f.Add([]byte("[[virtual_server]]\nfwmark = 7\nreal_servers = [1, {}, [], \"\"]\nTCP_CHECK = [{}, 1]\n"))
	f.Add([]byte("virtual_server = [{ address = \"192.0.2.1:80\", protocol = \"TCP\", TCP_CHECK = [{ retry = 1 }, {}] }]"))
	f.Add([]byte("a = \"\xff\"\n"))
	f.Add([]byte(everyRouter))
	f.Add([]byte(everyRouter + string(generated(2, 2, true))))
	addFiles(f, "testdata/wrong/*.toml")
	addFiles(f, "../../examples/*.toml")
	f.Fuzz(func(t *testing.T, text []byte) {
		c, found := Load("f", text)
		if (c == nil) != (found.Err() != nil) {
			t.Fatalf("Config %v with error %v", c, found.Err())
		}
		lines := strings.Split(withoutMark(string(text)), "\n")
		for i, d := range found {
			if d.File != "f" || d.Line < 1 || d.Line > len(lines) || d.Column < 1 || d.Width < 1 || d.Message == "" {
				t.Fatalf("%+v is not in the text", d)
			}
			if n := len([]rune(lines[d.Line-1])); d.Column > n+1 || d.Column-1+d.Width > n+1 {
				t.Fatalf("%+v is beyond the %d characters of its line", d, n)
			}
			if i > 0 && (found[i-1].Line > d.Line || found[i-1].Line == d.Line && found[i-1].Column > d.Column) {
				t.Fatalf("%v comes after %v", d, found[i-1])
			}
		}
		_ = found.Format(text)
		again, same := Load("f", text)
		if diff := cmp.Diff(c, again, cmp.AllowUnexported(Config{}), cmpopts.EquateComparable(netip.AddrPort{}, netip.Addr{}, netip.Prefix{}, health.ID{})); diff != "" {
			t.Fatalf("loaded twice:\n%s", diff)
		}
		if diff := cmp.Diff(found, same); diff != "" {
			t.Fatalf("loaded twice:\n%s", diff)
		}
		inOne, same := (&Loader{name: "f"}).whole(withoutMark(string(text)))
		if diff := cmp.Diff(found, same); diff != "" {
			t.Fatalf("by parts and in one piece:\n%s", diff)
		}
		if diff := cmp.Diff(c, inOne, cmp.AllowUnexported(Config{}), cmpopts.EquateComparable(netip.AddrPort{}, netip.Addr{}, netip.Prefix{}, health.ID{})); diff != "" {
			t.Fatalf("by parts and in one piece:\n%s", diff)
		}
		if c == nil {
			return
		}
		seen := make(map[ipvs.ServiceKey]bool)
		names := make(map[string]bool)
		for _, vs := range c.VirtualServers {
			if vs.Name == "" || names[vs.Name] || len(vs.Services) == 0 {
				t.Fatalf("accepted %+v", vs)
			}
			names[vs.Name] = true
			for i, s := range vs.Services {
				if s.ServiceKey == (ipvs.ServiceKey{}) || seen[s.ServiceKey] || !ipvs.KnownScheduler(s.Scheduler) || s.Granularity == 0 {
					t.Fatalf("accepted %+v", s)
				}
				seen[s.ServiceKey] = true
				if i > 0 && vs.Services[i-1].Compare(s.ServiceKey) >= 0 {
					t.Fatalf("%s comes after %s", s.ServiceKey, vs.Services[i-1].ServiceKey)
				}
				if !slices.ContainsFunc(vs.RealServers, func(rs RealServer) bool { _, ok := rs.For(&s); return ok }) && len(vs.RealServers) > 0 {
					t.Fatalf("%s has no server", s)
				}
			}
			if q := vs.Quorum; q.Needed < 1 || q.Hysteresis < 0 || q.Hysteresis >= q.Needed {
				t.Fatalf("accepted %+v", q)
			}
			for rs := range vs.Servers() {
				for _, id := range rs.Checks {
					k := id.Check()
					known := typeNamed[k.Type]
					if (known.aim == atPort || known.aim == elsewhere) && k.Target.Port() == 0 || !k.Target.IsValid() || k.Timeout <= 0 || k.DelayLoop <= 0 || k.Retry < 0 ||
						k.Spec == nil || k.FastInterval >= k.DelayLoop || k.HoldDownMax < k.HoldDown {
						t.Fatalf("accepted %+v", k)
					}
				}
				if rs.Needed > len(rs.Checks) || rs.Off && len(rs.Checks) > 0 {
					t.Fatalf("accepted %+v", rs)
				}
				if d := rs.Destination; !d.Addr.IsValid() || d.Weight < 0 || d.LowerThreshold > d.UpperThreshold {
					t.Fatalf("accepted %+v", d)
				}
			}
		}
		soundRouters(t, &c.VRRP)
		reloads(t, c)
	})
}

// soundRouters holds what the packages that work with VRRP rely on.
func soundRouters(t *testing.T, v *VRRP) {
	names := make(map[string]*Instance)
	for _, i := range v.Instances {
		unit := time.Second
		if i.Version == 3 {
			unit = 10 * time.Millisecond
		}
		if names[i.Name] != nil || i.VRID == 0 || i.Priority == 0 || i.Version < 2 || i.Version > 3 || i.IPv6 && i.Version != 3 ||
			i.AdvertInterval < unit || i.AdvertInterval%unit != 0 || i.DownTimerAdverts < 1 || len(i.Addresses) > 255 ||
			len(i.Addresses) > len(i.Active.Addresses) || i.Multicast.IsValid() == (len(i.Peers) > 0 || i.FaultWithoutPeers) ||
			i.Active.Owner != i.Name || i.Idle.Owner != i.Name || i.Active.Announce == nil || i.Auth.Type != 0 && i.Version != 2 ||
			i.Interface == "" && len(i.Peers) == 0 || i.Initial != vrrp.Active && i.Initial != vrrp.Backup {
			t.Fatalf("accepted %+v", i)
		}
		names[i.Name] = i
		for n, a := range i.Active.Addresses {
			if n < len(i.Addresses) && a.Prefix.Addr() != i.Addresses[n] || a.Dev == "" || a.TrackGroup != "" {
				t.Fatalf("accepted %+v", a)
			}
		}
		if h := i.HMAC; h != nil && h.Keys[h.Active] == nil && i.KeyFiles[h.Active] == "" {
			t.Fatalf("accepted %+v", h)
		}
		soundTracks(t, v, i.Tracks)
	}
	grouped := make(map[string]bool)
	for _, g := range v.Groups {
		if len(g.Members) == 0 {
			t.Fatalf("accepted %+v", g)
		}
		for _, m := range g.Members {
			if grouped[m] || names[m] == nil || names[m].Group != g.Name {
				t.Fatalf("accepted %+v", g)
			}
			grouped[m] = true
		}
		soundTracks(t, v, g.Tracks)
	}
	if v.SyncRole != "" && names[v.SyncRole] == nil {
		t.Fatalf("accepted %s", v.SyncRole)
	}
}

func soundTracks(t *testing.T, v *VRRP, list []vrrp.Track) {
	tables := map[vrrp.ObjectKind][]string{
		vrrp.TrackScript: sortedKeys(v.Scripts), vrrp.TrackFile: sortedKeys(v.Files), vrrp.TrackProcess: sortedKeys(v.Processes),
		vrrp.TrackBFD: sortedKeys(v.BFD), vrrp.TrackRoute: sortedKeys(v.Routes),
	}
	for _, x := range list {
		if names, named := tables[x.Kind]; named && !slices.Contains(names, x.Name) || x.Weight < -254 || x.Weight > 254 {
			t.Fatalf("accepted %+v", x)
		}
	}
}
