package config

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

func TestSyncDaemons(t *testing.T) {
	plain := ipvs.SyncDaemon{Interface: "eth1", Group: ipvs.SyncGroup, Port: 8848, TTL: 1}
	with := func(change func(*ipvs.SyncDaemon)) ipvs.SyncDaemon {
		d := plain
		change(&d)
		return d
	}
	whole := with(func(d *ipvs.SyncDaemon) {
		d.SyncID, d.MaxLen, d.Port, d.TTL, d.Group = 51, 1400, 8849, 3, netip.MustParseAddr("ff02::81")
	})
	for _, test := range []struct {
		text string
		want SyncDaemons
	}{
		{`"eth1"`, SyncDaemons{plain, plain}},
		{`"eth1 id 51 maxlen 1400 port 8849 ttl 3 group ff02::81"`, SyncDaemons{whole, whole}},
		{`{ interface = "eth1", role = "MASTER" }`, SyncDaemons{Master: plain}},
		{`{ interface = "eth1", role = "backup", id = 51, maxlen = 1400, port = 8849, ttl = 3, group = "ff02::81" }`,
			SyncDaemons{Backup: whole}},
		{`[{ interface = "eth1", role = "backup" }, { interface = "eth1", role = "master", id = 7 }]`,
			SyncDaemons{with(func(d *ipvs.SyncDaemon) { d.SyncID = 7 }), plain}},
	} {
		t.Run(test.text, func(t *testing.T) {
			c := accept(t, web+"[global_defs]\nlvs_sync_daemon = "+test.text)
			if diff := cmp.Diff(test.want, c.GlobalDefs.LVSSyncDaemon, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSysctls(t *testing.T) {
	c := accept(t, web+`[global_defs]
lvs_sysctl_defaults = false
lvs_sysctl_restore = true
lvs_sync_daemon = { interface = "eth1", role = "backup" }
[global_defs.lvs_sysctl]
conntrack = 1
backup_only = 1
sync_threshold = "3  50"
sync_retries = "2"
est_cpulist = ""
`)
	want := Sysctls{Restore: true, Values: ipvs.Sysctls{
		"conntrack": "1", "backup_only": "1", "sync_threshold": "3 50", "sync_retries": "2", "est_cpulist": "",
	}}
	if diff := cmp.Diff(want, c.GlobalDefs.LVSSysctl); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if c := accept(t, web+"[global_defs.lvs_sysctl]"); c.GlobalDefs.LVSSysctl.Values != nil || !c.GlobalDefs.LVSSysctl.Defaults {
		t.Errorf("got %+v", c.GlobalDefs.LVSSysctl)
	}
	accept(t, web+"[global_defs]\nlvs_sync_daemon = { interface = \"eth1\", role = \"backup\", maxlen = 1000 }",
		"7:67 warning: maxlen has no effect: a backup takes packets of 1024 bytes at least")
	accept(t, web+"[global_defs]\nlvs_sync_daemon = { interface = \"eth1\", maxlen = 1000, port = 65528 }\nlvs_sysctl = { sync_ports = 8 }")
	accept(t, web+"[global_defs]\nlvs_sync_daemon = \"eth1\"\nlvs_sysctl = { backup_only = 1 }",
		"8:30 warning: backup_only makes this director balance nothing: its backup daemon runs, as well as the master one")
}

// What is written of metrics is read as the same again.
func TestMetrics(t *testing.T) {
	for text, want := range map[string]Metrics{
		"":                          {PerServer: true, MaxServers: 2000},
		`listen = "127.0.0.1:9110"`: {Listen: netip.MustParseAddrPort("127.0.0.1:9110"), PerServer: true, MaxServers: 2000},
		"listen = \"[::]:9110\"\nper_server = false\nmax_servers = 0": {Listen: netip.MustParseAddrPort("[::]:9110")},
	} {
		c := accept(t, web+"[global_defs.metrics]\n"+text)
		again := accept(t, string(Format(c)))
		if c.GlobalDefs.Metrics != want || again.GlobalDefs.Metrics != want {
			t.Errorf("%q: %+v, written and read again %+v, want %+v", text, c.GlobalDefs.Metrics, again.GlobalDefs.Metrics, want)
		}
	}
}
