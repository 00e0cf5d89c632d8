//go:build kernel

package table

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// syncing is what ipvsadm says of a host's sync daemons.
func syncing(h *lab.Host) string { return ipvsd.Trim(h.Run("ipvsadm", "-Ln", "--daemon")) }

// addDummy gives a host an interface.
func addDummy(h *lab.Host, name, addr string) {
	h.Run("ip", "link", "add", name, "type", "dummy")
	h.LinkUp(name)
	h.AddAddress(name, addr)
	h.AddAddress(name, "fe80::1:1/64")
}

// TestKernelSyncDaemon: each parameter of a sync daemon is seen by ipvsadm, and a reload that changes it starts the daemon anew,
// and the one of the other role not. Somebody else's stays as long as none is configured.
func TestKernelSyncDaemon(t *testing.T) {
	h := lab.NewHost(t, "director")
	addDummy(h, "dummy0", "198.51.100.1/24")
	addDummy(h, "dummy1", "198.51.101.1/24")
	h.Run("ipvsadm", "--start-daemon", "backup", "--mcast-interface", "dummy1", "--syncid", "9")
	const foreign = "backup sync daemon (mcast=dummy1, syncid=9, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)"
	d := ipvsd.Start(t, h, "")
	for range 3 { // rounds
		d.Snapshot()
	}
	if got := syncing(h); got != foreign {
		t.Errorf("somebody else's daemon is %q, want %q", got, foreign)
	}
	master := func(table string) string {
		return "[global_defs]\nlvs_sync_daemon = { role = \"master\", " + table + " }\n"
	}
	for _, e := range []struct{ table, shown string }{
		{`interface = "dummy0"`, "mcast=dummy0, syncid=0, maxlen=1472, group=224.0.0.81, port=8848, ttl=1"},
		{`interface = "dummy0", id = 255`, "mcast=dummy0, syncid=255, maxlen=1472, group=224.0.0.81, port=8848, ttl=1"},
		{`interface = "dummy0", id = 255, maxlen = 65507`, "mcast=dummy0, syncid=255, maxlen=65507, group=224.0.0.81, port=8848, ttl=1"},
		{`interface = "dummy0", id = 255, port = 65535`, "mcast=dummy0, syncid=255, maxlen=1472, group=224.0.0.81, port=65535, ttl=1"},
		{`interface = "dummy0", id = 255, ttl = 255`, "mcast=dummy0, syncid=255, maxlen=1472, group=224.0.0.81, port=8848, ttl=255"},
		{`interface = "dummy0", id = 1, group = "239.1.2.3"`, "mcast=dummy0, syncid=1, maxlen=1472, group=239.1.2.3, port=8848, ttl=1"},
		{`interface = "dummy0", id = 1, group = "ff02::81"`, "mcast=dummy0, syncid=1, maxlen=1452, group=ff02::81, port=8848, ttl=1"},
		{`interface = "dummy0", id = 1, group = "ff02::81", maxlen = 65487`, "mcast=dummy0, syncid=1, maxlen=65487, group=ff02::81, port=8848, ttl=1"},
		{`interface = "dummy1", id = 1`, "mcast=dummy1, syncid=1, maxlen=1472, group=224.0.0.81, port=8848, ttl=1"},
	} {
		changes := d.Load(master(e.table)).Changes
		if got, want := syncing(h), "master sync daemon ("+e.shown+")\n"+foreign; got != want {
			t.Errorf("with %s ipvsadm shows\n%s\nwant\n%s", e.table, got, want)
		}
		for _, c := range changes {
			if !strings.Contains(c, "sync daemon master") {
				t.Errorf("with %s: %q", e.table, c)
			}
		}
		if again := append(d.Load(master(e.table)).Changes, d.Planned().Changes...); len(again) > 0 || len(changes) == 0 {
			t.Errorf("with %s: %q, then %q", e.table, changes, again)
		}
	}
	d.Load("")
	if got := syncing(h); got != foreign {
		t.Errorf("without a daemon of ours ipvsadm shows %q, want %q", got, foreign)
	}
	if n := d.Snapshot().Table.Drift; n != 0 {
		t.Errorf("drift %d", n)
	}
	// One of ours takes the place of somebody else's, and leaves it empty.
	d.Load("[global_defs]\nlvs_sync_daemon = { role = \"backup\", interface = \"dummy0\", maxlen = 2000 }\n")
	if got, want := syncing(h), "backup sync daemon (mcast=dummy0, syncid=0, maxlen=2000, group=224.0.0.81, port=8848, ttl=1)"; got != want {
		t.Errorf("ipvsadm shows %q, want %q", got, want)
	}
	d.Load("")
	if got := syncing(h); got != "" {
		t.Errorf("in the end ipvsadm shows %q", got)
	}
}

// A sync daemon whose interface is removed and made again sends its connections on the new one.
func TestKernelSyncDaemonFollowsItsInterface(t *testing.T) {
	bridge := lab.NewBridge(t, "network", 1500)
	client, h := lab.NewHost(t, "client"), lab.NewHost(t, "director")
	client.Connect(bridge, "eth0", "192.168.1.10/24")
	h.Connect(bridge, "eth0", "192.168.1.101/24")
	addDummy(h, "dummy0", "198.51.100.1/24")
	ipvsd.Echo(t, h, "192.168.1.101:7")
	d := ipvsd.Start(t, h, `
[global_defs]
lvs_sync_daemon = { interface = "dummy0", role = "master" }
lvs_sysctl = { sync_threshold = "1 2" }
[[virtual_server]]
address = "192.168.1.101:7"
protocol = "TCP"
lb_kind = "DR"
TCP_CHECK = false
real_servers = ["192.168.1.101:7"]
`)
	f := ipvsd.OpenFlow(t, client, netip.MustParseAddrPort("192.168.1.101:7"))
	sends := func(when string) {
		t.Helper()
		seen := lab.NewCapture(h, "dummy0", "udp dst port 8848 and dst host 224.0.0.81")
		lab.WaitFor(t, ipvsd.Patience, "packets "+when, func() error {
			f.Ping(when)
			if len(seen.Packets()) == 0 {
				return errors.New("there is none")
			}
			return nil
		})
		seen.Stop()
	}
	sends("from the start")
	h.Run("ip", "link", "delete", "dummy0")
	f.Ping("without the interface")
	addDummy(h, "dummy0", "198.51.100.1/24")
	sends("on the new interface")
	d.WaitStatus("one repair", func(s *status.Snapshot) error {
		if s.Table.Drift != 1 || s.Settings.Master == nil {
			return fmt.Errorf("drift %d, %+v", s.Table.Drift, s.Settings)
		}
		return nil
	})
}
