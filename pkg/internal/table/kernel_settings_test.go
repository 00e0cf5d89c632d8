//go:build kernel

package table

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// tuning is what ipvsadm and sysctl say of a host's settings.
func tuning(h *lab.Host) string {
	daemons := strings.Fields(h.Run("ipvsadm", "-Ln", "--daemon"))
	return fmt.Sprintf("%s | %s | conntrack %s nodest %s template %s",
		strings.TrimPrefix(h.Run("ipvsadm", "-Ln", "--timeout"), "Timeout (tcp tcpfin udp): "), strings.Join(daemons, " "),
		strings.TrimSpace(h.Run("sysctl", "-n", "net.ipv4.vs.conntrack")),
		strings.TrimSpace(h.Run("sysctl", "-n", "net.ipv4.vs.expire_nodest_conn")),
		strings.TrimSpace(h.Run("sysctl", "-n", "net.ipv4.vs.expire_quiescent_template")))
}

// Timeouts, sync daemons and sysctls: as configured, as ipvsadm and sysctl see them, planned before, kept against others, and as
// they were when they leave the configuration, or when the daemon stops if that is asked for.
func TestKernelSettings(t *testing.T) {
	h := lab.NewHost(t, "director")
	h.Run("ip", "link", "add", "dummy0", "type", "dummy")
	h.LinkUp("dummy0")
	h.Run("sysctl", "-w", "net.ipv4.vs.conntrack=1")
	wait := func(what, want string) {
		t.Helper()
		lab.WaitFor(t, ipvsd.Patience, what, func() error {
			if got := strings.Join(strings.Fields(tuning(h)), " "); got != want {
				return fmt.Errorf("got  %s\nwant %s", got, want)
			}
			return nil
		})
	}
	const (
		boot     = "900 120 300 | | conntrack 1 nodest 0 template 0"
		defaults = "900 120 300 | | conntrack 1 nodest 1 template 1"
		tuned    = "900 60 30 | master sync daemon (mcast=dummy0, syncid=7, maxlen=1000, group=224.0.0.82, port=9000, ttl=3) " +
			"backup sync daemon (mcast=dummy0, syncid=7, maxlen=1472, group=224.0.0.81, port=8848, ttl=1) | conntrack 0 nodest 1 template 0"
		config = `[global_defs]
lvs_timeouts = "tcpfin 60 udp 30"
lvs_sysctl = { conntrack = 0, expire_quiescent_template = 0 }
lvs_sync_daemon = [
  { interface = "dummy0", id = 7, role = "master", maxlen = 1000, group = "224.0.0.82", port = 9000, ttl = 3 },
  { interface = "dummy0", id = 7, role = "backup" },
]
`
	)
	wait("a new kernel", boot)
	d := ipvsd.Start(t, h, "")
	wait("the defaults", defaults)

	d.Write(config)
	plan := d.Planned().Changes
	want := []string{
		"set sysctl expire_quiescent_template 1 -> 0",
		"set timeout tcpfin 120s -> 60s",
		"set timeout udp 300s -> 30s",
		"set sysctl conntrack 1 -> 0",
		"start sync daemon master on dummy0 id 7 group 224.0.0.82 port 9000 ttl 3 maxlen 1000",
		"start sync daemon backup on dummy0 id 7 group 224.0.0.81 port 8848 ttl 1",
	}
	slices.Sort(plan)
	slices.Sort(want)
	if !slices.Equal(plan, want) {
		t.Errorf("the plan is\n%s", strings.Join(plan, "\n"))
	}
	if a := d.Load(config); len(a.Changes) != len(want) {
		t.Errorf("the reload did\n%s", strings.Join(a.Changes, "\n"))
	}
	wait("as configured", tuned)
	if a := d.Planned(); len(a.Changes) != 0 {
		t.Errorf("a second plan: %q", a.Changes)
	}

	h.Run("sysctl", "-w", "net.ipv4.vs.conntrack=1")
	h.Run("ipvsadm", "--set", "900", "60", "31")
	h.Run("ipvsadm", "--stop-daemon", "master")
	h.Run("ipvsadm", "--stop-daemon", "backup")
	h.Run("ipvsadm", "--start-daemon", "backup", "--mcast-interface", "dummy0", "--syncid", "9")
	wait("repaired", tuned)
	if s := d.Snapshot(); s.Table.Drift != 5 || s.Settings.Master.Port != 9000 {
		t.Errorf("drift %d, settings %+v", s.Table.Drift, s.Settings)
	}

	// The record of what was there before survives.
	d.Kill()
	d.Start()
	wait("started again", tuned)
	d.Load("[global_defs]\nlvs_sysctl_defaults = false\n")
	wait("nothing is configured", boot)
	if _, err := os.Stat(d.Path("state/settings.json")); err == nil {
		t.Error("there is still a record")
	}

	d.Load(config)
	wait("configured again", tuned)
	d.Stop()
	wait("stopped", strings.Replace(tuned, "900 60 30", "900 120 300", 1))
	d.Write(strings.Replace(config, "[global_defs]", "[global_defs]\nlvs_sysctl_restore = true\nlvs_flush_on_stop = true", 1))
	d.Start()
	wait("started to be cleared away", tuned)
	d.Stop()
	wait("cleared away", boot)
}

// A server that leaves the file with a drain_timeout gets no new connections and finishes the old ones; when they have ended,
// or the time is up, it goes.
func TestKernelDrain(t *testing.T) {
	c := lab.NewWebCluster(t)
	vip := lab.WebVIP.Addr().String() + ":7000"
	config := func(timeout int, servers ...string) string {
		return fmt.Sprintf("[[virtual_server]]\naddress = %q\nprotocol = \"TCP\"\nlb_algo = \"rr\"\ndrain_timeout = %d\nreal_servers = [%s]\n",
			vip, timeout, strings.Join(servers, ", "))
	}
	const stays, leaves = `"10.0.100.2:7000"`, `"10.0.100.3:7000"`
	for _, s := range c.Web[:2] {
		ipvsd.Echo(t, s.Host, s.Addr.Addr().String()+":7000")
	}
	row := func() (r lab.Row, found bool) {
		for _, r := range c.Director.Table() {
			if r.Server == "10.0.100.3:7000" {
				return r, true
			}
		}
		return r, false
	}
	gone := func(what string) {
		t.Helper()
		lab.WaitFor(t, ipvsd.Patience, what, func() error {
			if r, found := row(); found {
				return fmt.Errorf("there is %s", r)
			}
			return nil
		})
	}
	d := ipvsd.Start(t, c.Director, config(3600, stays, leaves))
	to := netip.AddrPortFrom(lab.WebVIP.Addr(), 7000)
	flows := []*ipvsd.Flow{ipvsd.OpenFlow(t, c.Client, to), ipvsd.OpenFlow(t, c.Client, to)}
	d.Load(config(3600, stays))
	for range 4 {
		ipvsd.OpenFlow(t, c.Client, to)
	}
	for range 3 { // rounds
		d.Snapshot()
	}
	if r, found := row(); !found || r.Int(1) != 0 || r.Int(2) != 1 {
		t.Errorf("while it drains: %s", r)
	}
	for _, f := range flows {
		f.Ping("while its server drains")
		_ = f.Close()
	}
	gone("the server to go with its last connection")

	d.Load(config(3600, stays, leaves))
	for range 2 {
		ipvsd.OpenFlow(t, c.Client, to)
	}
	d.Load(config(1, stays))
	gone("the server to go when its time is up")
}
