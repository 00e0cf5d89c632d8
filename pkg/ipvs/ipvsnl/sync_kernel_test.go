//go:build kernel

package ipvsnl

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// syncInterface makes an interface that multicast packets can leave by, with an MTU of 1500 and no one behind it.
func syncInterface(tb testing.TB) string {
	tb.Helper()
	run(tb, "ip link add sync0 type dummy")
	run(tb, "ip address add 192.0.2.77/24 dev sync0")
	run(tb, "ip link set sync0 up")
	return "sync0"
}

// run runs a command in the namespace of this thread.
func run(tb testing.TB, command string) string {
	tb.Helper()
	args := strings.Fields(command)
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		tb.Fatalf("%s: %v\n%s", command, err, out)
	}
	return string(out)
}

// ipvsadm sees the daemons that we start, and we see those that it starts.
func TestKernelSyncDaemonsAgreeWithIpvsadm(t *testing.T) {
	c := client(t)
	at := syncInterface(t)
	for _, d := range []struct {
		role    ipvs.SyncRole
		options string
		daemon  ipvs.SyncDaemon
		listed  string
	}{
		{ipvs.SyncMaster, "--syncid 7 --sync-maxlen 1400 --mcast-group 239.1.2.3 --mcast-port 4711 --mcast-ttl 5", ipvs.SyncDaemon{
			Interface: at, SyncID: 7, MaxLen: 1400, Group: netip.MustParseAddr("239.1.2.3"), Port: 4711, TTL: 5,
		}, "master sync daemon (mcast=sync0, syncid=7, maxlen=1400, group=239.1.2.3, port=4711, ttl=5)"},
		{ipvs.SyncBackup, "--syncid 255 --sync-maxlen 9000 --mcast-group ff05::81 --mcast-port 65535 --mcast-ttl 255", ipvs.SyncDaemon{
			Interface: at, SyncID: 255, MaxLen: 9000, Group: netip.MustParseAddr("ff05::81"), Port: 65535, TTL: 255,
		}, "backup sync daemon (mcast=sync0, syncid=255, maxlen=9000, group=ff05::81, port=65535, ttl=255)"},
		{ipvs.SyncMaster, "", ipvs.SyncDaemon{
			Interface: at, MaxLen: 1472, Group: ipvs.SyncGroup, Port: ipvs.SyncPort, TTL: ipvs.SyncTTL,
		}, "master sync daemon (mcast=sync0, syncid=0, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)"},
	} {
		if err := c.StartSyncDaemon(t.Context(), d.role, d.daemon); err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(run(t, "ipvsadm -L --daemon")); got != d.listed {
			t.Errorf("ipvsadm sees\n%s, want\n%s", got, d.listed)
		}
		if err := c.StopSyncDaemon(t.Context(), d.role); err != nil {
			t.Fatal(err)
		}
		if got := run(t, "ipvsadm -L --daemon"); got != "" {
			t.Errorf("after stopping ipvsadm sees %s", got)
		}
		run(t, fmt.Sprintf("ipvsadm --start-daemon %s --mcast-interface %s %s", d.role, at, d.options))
		master, backup, err := c.SyncDaemons(t.Context())
		if got := master; err != nil || d.role == ipvs.SyncMaster && got != d.daemon || d.role == ipvs.SyncBackup && backup != d.daemon {
			t.Errorf("ipvsadm started %v, we see master %v, backup %v, %v", d.daemon, master, backup, err)
		}
		run(t, "ipvsadm --stop-daemon "+d.role.String())
	}
}

// What only a real network refuses.
func TestKernelSyncDaemonRefusals(t *testing.T) {
	c := client(t)
	run(t, "ip link add off0 type dummy")
	run(t, "ip link add four0 mtu 600 type dummy") // too small for IPv6
	run(t, "ip link set four0 up")
	run(t, "ip link add taken0 type dummy")
	run(t, "ip link set taken0 up")
	taken, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(taken)
	// Not by package net, which would share the port.
	if err := unix.Bind(taken, &unix.SockaddrInet4{Port: ipvs.SyncPort, Addr: ipvs.SyncGroup.As4()}); err != nil {
		t.Fatal(err)
	}
	six := netip.MustParseAddr("ff02::81")
	for _, r := range []struct {
		role   ipvs.SyncRole
		daemon ipvs.SyncDaemon
		errno  ipvs.Errno
		text   string
	}{
		{ipvs.SyncMaster, ipvs.SyncDaemon{Interface: "off0"}, ipvs.ENETUNREACH,
			"start sync daemon master: interface off0 is down, or it does not speak the group's IP version (ENETUNREACH)"},
		{ipvs.SyncMaster, ipvs.SyncDaemon{Interface: "four0", Group: six}, ipvs.ENETUNREACH,
			"start sync daemon master: interface four0 is down, or it does not speak the group's IP version (ENETUNREACH)"},
		{ipvs.SyncBackup, ipvs.SyncDaemon{Interface: "four0", Group: six}, ipvs.EINVAL,
			"start sync daemon backup: interface four0 does not speak IPv6, or a server is of another IP family than its service: " +
				"the sync protocol can't tell backups of those (EINVAL)"},
		{ipvs.SyncBackup, ipvs.SyncDaemon{Interface: "taken0"}, ipvs.EADDRINUSE,
			"start sync daemon backup: UDP port 8848 is in use on this host (EADDRINUSE)"},
	} {
		wantErr(t, c.StartSyncDaemon(t.Context(), r.role, r.daemon), r.text, r.errno)
	}
	// A backup only listens: it doesn't mind an interface that is down.
	if err := c.StartSyncDaemon(t.Context(), ipvs.SyncBackup, ipvs.SyncDaemon{Interface: "off0", Group: six}); err != nil {
		t.Error(err)
	}
}

// A connection that is opened through a master appears on its backup.
func TestKernelSyncedConnection(t *testing.T) {
	network := lab.NewBridge(t, "network", 1500)
	client, master, backup := lab.NewHost(t, "client"), lab.NewHost(t, "master"), lab.NewHost(t, "backup")
	client.Connect(network, "eth0", "192.0.2.10/24")
	master.Connect(network, "eth0", "192.0.2.1/24", "192.0.2.80/32")
	backup.Connect(network, "eth0", "192.0.2.2/24")
	for host, role := range map[*lab.Host]ipvs.SyncRole{master: ipvs.SyncMaster, backup: ipvs.SyncBackup} {
		var c *Client
		err := host.Do(func() (err error) {
			c, err = Open()
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.StartSyncDaemon(t.Context(), role, ipvs.SyncDaemon{Interface: "eth0", SyncID: 9}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := c.StopSyncDaemon(context.Background(), role); err != nil {
				t.Error(err)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	master.Run("ipvsadm", "-A", "-t", "192.0.2.80:7", "-s", "rr")
	master.Run("ipvsadm", "-a", "-t", "192.0.2.80:7", "-r", "192.0.2.1:7007", "-m")
	l, err := master.Listen("tcp", "192.0.2.1:7007")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := client.DialContext(t.Context(), "tcp", "192.0.2.80:7")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	lab.WaitFor(t, time.Minute, "the connection on the backup", func() error {
		// It is sent with its third packet, and then every fiftieth.
		if _, err := conn.Write([]byte("packet")); err != nil {
			return err
		}
		listing, err := backup.Output("ipvsadm", "-Lnc")
		want := fmt.Sprintf("ESTABLISHED %s 192.0.2.80:7 192.0.2.1:7007", conn.LocalAddr())
		if err == nil && !strings.Contains(strings.Join(strings.Fields(listing), " "), want) {
			err = fmt.Errorf("no %q in\n%s", want, listing)
		}
		return err
	})
}
