package pair

import (
	"fmt"
	"slices"
	"strings"
)

// Setup is what one director is told, in words that both tools have.
type Setup struct {
	Instances []Instance
	Group     bool     // all instances are one sync group
	Global    []string // lines of global_defs, in keepalived's words: "vrrp_garp_master_delay 1"
	Services  bool     // web and DNS of the cluster, NAT, TCP_CHECK every 3 s
	Sync      string   // instance whose role the sync daemons follow, on eth1; empty: there are none
	Scripts   []Script
}

// Script is a vrrp_script.
type Script struct {
	Name, Command string
	Weight        int
}

// Instance is a vrrp_instance.
type Instance struct {
	Name, Interface string
	VRID, Priority  int
	State           string   // MASTER or BACKUP
	Interval        string   // advert_int
	Version         int      // 0: the default
	Addresses       []string // address lines
	Excluded        []string
	Auth            string // auth_type; the password is "mypasswd"
	Source          string // unicast_src_ip; with Peers
	Peers           []string
	Scripts         []string // track_script
	VMAC            string   // interface with the virtual router's MAC address, which has the addresses; empty: none
	Words           []string // more lines in keepalived's words: "nopreempt", "preempt_delay 2"
}

// Scenario1 is what scenario 1 of scenarios.md tells a director: the master, or the standby.
func Scenario1(master bool, version int, interval string) Setup {
	state, priority := "BACKUP", 100
	if master {
		state, priority = "MASTER", 150
	}
	auth := "PASS"
	if version == 3 {
		auth = "" // it has none
	}
	instance := func(name, dev string, vrid int, addresses ...string) Instance {
		return Instance{Name: name, Interface: dev, VRID: vrid, Priority: priority, State: state, Interval: interval, Version: version,
			Auth: auth, Addresses: addresses}
	}
	return Setup{
		Instances: []Instance{
			instance("VI_E", "eth0", 51, "192.168.1.200/24", "192.168.1.201/24", "192.168.1.202/24"),
			instance("VI_I", "eth1", 52, "10.0.100.200/24"),
		},
		Group: true, Services: true, Sync: "VI_E",
	}
}

// Keepalived returns the setup as a keepalived.conf.
func (s Setup) Keepalived() string {
	var b strings.Builder
	w := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	w("global_defs {")
	for _, line := range s.Global {
		w("  %s", line)
	}
	if s.Sync != "" {
		w("  lvs_sync_daemon eth1 %s id 7", s.Sync)
	}
	w("}")
	for _, t := range s.Scripts {
		w("vrrp_script %s {\n  script %q\n  interval 1\n  weight %d\n  user root\n}", t.Name, t.Command, t.Weight)
	}
	if s.Group {
		w("vrrp_sync_group VG1 {\n  group {\n    %s\n  }\n}", strings.Join(s.names(), "\n    "))
	}
	for _, i := range s.Instances {
		w("vrrp_instance %s {\n  state %s\n  interface %s\n  virtual_router_id %d\n  priority %d\n  advert_int %s",
			i.Name, i.State, i.Interface, i.VRID, i.Priority, i.Interval)
		if i.Version != 0 {
			w("  version %d", i.Version)
		}
		if i.Auth != "" {
			w("  authentication {\n    auth_type %s\n    auth_pass mypasswd\n  }", i.Auth)
		}
		if len(i.Peers) > 0 {
			w("  unicast_src_ip %s\n  unicast_peer {\n    %s\n  }", i.Source, strings.Join(i.Peers, "\n    "))
		}
		if len(i.Scripts) > 0 {
			w("  track_script {\n    %s\n  }", strings.Join(i.Scripts, "\n    "))
		}
		for _, line := range i.words() {
			w("  %s", line)
		}
		w("  virtual_ipaddress {\n    %s\n  }", strings.Join(i.Addresses, "\n    "))
		if len(i.Excluded) > 0 {
			w("  virtual_ipaddress_excluded {\n    %s\n  }", strings.Join(i.Excluded, "\n    "))
		}
		w("}")
	}
	if s.Services {
		w("virtual_server 192.168.1.202 80 {\n  delay_loop 3\n  lb_algo rr\n  lb_kind NAT\n  protocol TCP\n%s}", keepalivedServers(2, 80))
		w("virtual_server 192.168.1.200 53 {\n  delay_loop 3\n  lb_algo rr\n  lb_kind NAT\n  protocol UDP\n%s}", keepalivedServers(5, 53))
	}
	return b.String()
}

func keepalivedServers(first, port int) string {
	var b strings.Builder
	for n := range 3 {
		fmt.Fprintf(&b, "  real_server 10.0.100.%d %d {\n    weight 1\n    TCP_CHECK {\n      connect_timeout 3\n    }\n  }\n", first+n, port)
	}
	return b.String()
}

func (s Setup) names() (names []string) {
	for _, i := range s.Instances {
		names = append(names, i.Name)
	}
	return names
}

// words are all lines in keepalived's words.
func (i Instance) words() []string {
	if i.VMAC == "" {
		return i.Words
	}
	return slices.Concat([]string{"use_vmac " + i.VMAC}, i.Words)
}

// IPVSD returns the setup as a file of ipvsd.
func (s Setup) IPVSD() string {
	var b strings.Builder
	w := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	w("[global_defs]")
	for _, line := range s.Global {
		w("%s", assignment(line))
	}
	if s.Sync != "" {
		w("lvs_sync_daemon = { interface = \"eth1\", instance = %q, id = 7 }", s.Sync)
	}
	for _, t := range s.Scripts {
		w("[vrrp_script.%s]\nscript = %q\ninterval = 1\nweight = %d\nuser = \"root\"", t.Name, t.Command, t.Weight)
	}
	if s.Group {
		w("[vrrp_sync_group.VG1]\ngroup = %s", quoted(s.names()))
	}
	for _, i := range s.Instances {
		w("[vrrp_instance.%s]\nstate = %q\ninterface = %q\nvirtual_router_id = %d\npriority = %d\nadvert_int = %s",
			i.Name, i.State, i.Interface, i.VRID, i.Priority, i.Interval)
		if i.Version != 0 {
			w("version = %d", i.Version)
		}
		if i.Auth != "" {
			w("authentication = { auth_type = %q, auth_pass = \"mypasswd\" }", i.Auth)
		}
		if len(i.Peers) > 0 {
			w("unicast_src_ip = %q\nunicast_peer = %s", i.Source, quoted(i.Peers))
		}
		if len(i.Scripts) > 0 {
			w("track_script = %s", quoted(i.Scripts))
		}
		for _, line := range i.words() {
			w("%s", assignment(line))
		}
		w("virtual_ipaddress = %s", quoted(i.Addresses))
		if len(i.Excluded) > 0 {
			w("virtual_ipaddress_excluded = %s", quoted(i.Excluded))
		}
	}
	if s.Services {
		for _, v := range []struct{ address, protocol, servers string }{
			{"192.168.1.202:80", "TCP", `"10.0.100.2:80", "10.0.100.3:80", "10.0.100.4:80"`},
			{"192.168.1.200:53", "UDP", `"10.0.100.5:53", "10.0.100.6:53", "10.0.100.7:53"`},
		} {
			w("[[virtual_server]]\naddress = %q\nprotocol = %q\nlb_algo = \"rr\"\nlb_kind = \"NAT\"\ndelay_loop = 3\n"+
				"TCP_CHECK = { connect_timeout = 3 }\nreal_servers = [%s]", v.address, v.protocol, v.servers)
		}
	}
	return b.String()
}

// assignment writes a line of keepalived's in TOML.
func assignment(line string) string {
	key, value, given := strings.Cut(line, " ")
	switch {
	case !given:
		value = "true"
	case strings.Trim(value, "0123456789.") != "":
		value = fmt.Sprintf("%q", strings.Trim(value, `"`))
	}
	return key + " = " + value
}

func quoted(list []string) string { return fmt.Sprintf("[%s]", `"`+strings.Join(list, `", "`)+`"`) }
