package desired_test

import (
	"maps"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

var (
	syncMaster = ipvs.SyncDaemon{Interface: "eth1", SyncID: 7}
	addrs      = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	defaults   = []ipvs.SysctlDefault{{Name: "conntrack", Value: "1"}, {Name: "expire_nodest_conn", Value: "1"}}
)

// What is configured is set, defaults fill the gaps, and what was changed and is neither is put back.
func TestSettings(t *testing.T) {
	present := func(name, value string) desired.Setting { return desired.Setting{Name: name, Value: value} }
	byDefault := func(name string) desired.Setting {
		return desired.Setting{Name: "sysctl " + name, Value: "1", Optional: true}
	}
	for _, tt := range []struct {
		name    string
		global  config.GlobalDefs
		changed desired.Changed
		want    desired.Settings
	}{
		{name: "nothing"},
		{
			name:   "timeouts, without those that are zero",
			global: config.GlobalDefs{LVSTimeouts: ipvs.Timeouts{TCP: 2 * time.Hour, UDP: time.Second}},
			want:   desired.Settings{present("timeout tcp", "7200s"), present("timeout udp", "1s")},
		},
		{
			name:   "sysctls with defaults",
			global: config.GlobalDefs{LVSSysctl: config.Sysctls{Values: ipvs.Sysctls{"sloppy_tcp": "1", "conntrack": "0"}, Defaults: true}},
			want: desired.Settings{
				present("sysctl conntrack", "0"), present("sysctl sloppy_tcp", "1"), byDefault("expire_nodest_conn"),
			},
		},
		{
			name:   "sysctls without defaults",
			global: config.GlobalDefs{LVSSysctl: config.Sysctls{Values: ipvs.Sysctls{"sloppy_tcp": "1"}}},
			want:   desired.Settings{present("sysctl sloppy_tcp", "1")},
		},
		{
			name:   "a sync daemon",
			global: config.GlobalDefs{LVSSyncDaemon: config.SyncDaemons{Master: syncMaster}},
			want:   desired.Settings{{Name: "sync daemon master", Daemon: syncMaster}},
		},
		{
			name:   "what left",
			global: config.GlobalDefs{LVSTimeouts: ipvs.Timeouts{UDP: time.Second}, LVSSyncDaemon: config.SyncDaemons{Master: syncMaster}},
			changed: desired.Changed{
				"timeout udp": {Was: "300s", Is: "9s"}, "timeout tcp": {Was: "900s", Is: "60s"},
				"sysctl conntrack": {Was: "0", Is: "1"}, "sync daemon backup": {}, "sync daemon master": {},
			},
			want: desired.Settings{
				{Name: "sync daemon backup", Want: desired.Absent},
				{Name: "sysctl conntrack", Want: desired.Absent, Value: "1", Was: "0"},
				{Name: "timeout tcp", Want: desired.Absent, Value: "60s", Was: "900s"},
				present("timeout udp", "1s"),
				{Name: "sync daemon master", Daemon: syncMaster},
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := desired.ComputeSettings(&config.Config{GlobalDefs: tt.global}, nil, false, defaults, tt.changed)
			if diff := cmp.Diff(tt.want, got, addrs); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// With an instance one sync daemon runs, that of its role; the other one ends before that, whoever's it is.
func TestSettingsFollowRole(t *testing.T) {
	cfg := config.Config{
		GlobalDefs: config.GlobalDefs{
			LVSSyncDaemon: config.SyncDaemons{Master: syncMaster, Backup: syncMaster},
			LVSSysctl:     config.Sysctls{Values: ipvs.Sysctls{"backup_only": "1", "conntrack": "1"}},
		},
		VRRP: config.VRRP{SyncRole: "VI_1", BackupOnly: true},
	}
	standby := desired.Settings{
		{Name: "sync daemon master", Want: desired.Absent}, {Name: "sysctl conntrack", Value: "1"}, {Name: "sysctl backup_only", Value: "1"},
		{Name: "sync daemon backup", Daemon: syncMaster},
	}
	serving := desired.Settings{
		{Name: "sync daemon backup", Want: desired.Absent}, {Name: "sysctl conntrack", Value: "1"}, {Name: "sysctl backup_only", Value: "0"},
		{Name: "sync daemon master", Daemon: syncMaster},
	}
	for _, tt := range []struct {
		roles map[string]vrrp.State
		takes bool
		want  desired.Settings
	}{
		{nil, false, standby},
		{map[string]vrrp.State{"VI_1": vrrp.Backup, "VI_2": vrrp.Active}, false, standby},
		{map[string]vrrp.State{"VI_1": vrrp.Fault}, false, standby},
		{map[string]vrrp.State{"VI_1": vrrp.Active, "VI_2": vrrp.Backup}, false, serving},
		{map[string]vrrp.State{"VI_1": vrrp.Active}, true, append(serving[1:len(serving):len(serving)], standby[3])},
	} {
		got := desired.ComputeSettings(&cfg, tt.roles, tt.takes, nil, desired.Changed{"sync daemon master": {}, "sync daemon backup": {}})
		if diff := cmp.Diff(tt.want, got, addrs); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tt.roles, diff)
		}
	}
}

// At stop the timeouts are put back, as keepalived does; sysctls only if that is configured; and sync daemons stop with the
// services.
func TestSettingsAtStop(t *testing.T) {
	changed := desired.Changed{"timeout tcp": {Was: "900s", Is: "60s"}, "sysctl conntrack": {Was: "0", Is: "1"}, "sync daemon master": {}}
	for _, tt := range []struct {
		global config.GlobalDefs
		want   []string
	}{
		{config.GlobalDefs{}, []string{"timeout tcp"}},
		{config.GlobalDefs{LVSSysctl: config.Sysctls{Restore: true}}, []string{"sysctl conntrack", "timeout tcp"}},
		{config.GlobalDefs{OnStop: config.StopRemoves}, []string{"sync daemon master", "timeout tcp"}},
	} {
		var names []string
		for _, s := range desired.SettingsAtStop(&config.Config{GlobalDefs: tt.global}, changed) {
			if s.Want != desired.Absent {
				t.Errorf("%+v is not to go", s)
			}
			names = append(names, s.Name)
		}
		if diff := cmp.Diff(tt.want, names); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", tt.global, diff)
		}
	}
}

// What was there before the first change stays on record through all the following ones.
func TestChanged(t *testing.T) {
	c := desired.Changed{}
	for _, tt := range []struct {
		was, is string
		news    bool
	}{{"0", "1", true}, {"0", "1", false}, {"5", "1", false}, {"1", "3", true}} {
		if got := c.Note("sysctl drop_entry", tt.was, tt.is); got != tt.news {
			t.Errorf("%v: news %t", tt, got)
		}
	}
	want := desired.Settings{{Name: "sync daemon master", Daemon: syncMaster}, {Name: "sync daemon backup", Want: desired.Absent}}
	if !c.Claim(want) || c.Claim(want) {
		t.Error("a sync daemon is new once")
	}
	if !maps.Equal(c, desired.Changed{"sysctl drop_entry": {Was: "0", Is: "3"}, "sync daemon master": {}}) {
		t.Errorf("got %v", c)
	}
}
