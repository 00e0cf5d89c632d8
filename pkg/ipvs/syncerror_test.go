package ipvs_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

func TestSyncError(t *testing.T) {
	d := ipvs.SyncDaemon{Interface: "eth1"}
	unicast, six, long := d, d, d
	unicast.Group, six.Group = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("ff02::81")
	long.Interface = "a-name-of-16-byt"
	for _, c := range []struct {
		err  ipvs.SyncError
		want string
	}{
		{ipvs.SyncError{Start: true, Role: ipvs.SyncMaster, Daemon: d, Errno: ipvs.EEXIST},
			"start sync daemon master: one runs already: stop it first (EEXIST)"},
		{ipvs.SyncError{Start: true, Role: ipvs.SyncBackup, Daemon: d, Errno: ipvs.ENODEV},
			`start sync daemon backup: no interface "eth1" in this network namespace (ENODEV)`},
		{ipvs.SyncError{Start: true, Role: ipvs.SyncMaster, Daemon: d, Errno: ipvs.EINVAL},
			"start sync daemon master: a server is of another IP family than its service: the sync protocol can't tell backups of those (EINVAL)"},
		{ipvs.SyncError{Start: true, Role: ipvs.SyncMaster, Daemon: unicast, Errno: ipvs.EINVAL},
			"start sync daemon master: 192.0.2.1 is no multicast group (EINVAL)"},
		{ipvs.SyncError{Start: true, Role: ipvs.SyncMaster, Daemon: long, Errno: ipvs.EINVAL, Detail: "Attribute failed policy validation"},
			`start sync daemon master: no interface has a name as long as "a-name-of-16-byt" (EINVAL): Attribute failed policy validation`},
		{ipvs.SyncError{Start: true, Role: 3, Daemon: d, Errno: ipvs.EINVAL}, "start sync daemon role 3: there is no such role (EINVAL)"},
		{ipvs.SyncError{Start: true, Role: ipvs.SyncMaster, Daemon: d, Errno: ipvs.ENETUNREACH},
			"start sync daemon master: interface eth1 is down, or it does not speak the group's IP version (ENETUNREACH)"},
		{ipvs.SyncError{Start: true, Role: ipvs.SyncBackup, Daemon: ipvs.SyncDaemon{Interface: "eth1", Port: 4711}, Errno: ipvs.EADDRINUSE},
			"start sync daemon backup: UDP port 4711 is in use on this host (EADDRINUSE)"},
		{ipvs.SyncError{Role: ipvs.SyncBackup, Errno: ipvs.EPERM}, "stop sync daemon backup: " + ipvs.EPERM.Error()},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("%s, want\n%s", got, c.want)
		}
		if !errors.Is(&c.err, c.err.Errno) {
			t.Errorf("%v does not wrap its number", &c.err)
		}
	}
}

func TestSyncDaemonString(t *testing.T) {
	for _, c := range []struct {
		d    ipvs.SyncDaemon
		want string
	}{
		{ipvs.SyncDaemon{}, "none"},
		{ipvs.SyncDaemon{Interface: "eth1"}, "eth1 id 0"},
		{ipvs.SyncDaemon{Interface: "eth1", SyncID: 255, MaxLen: 1472, Group: ipvs.SyncGroup, Port: ipvs.SyncPort, TTL: ipvs.SyncTTL},
			"eth1 id 255 group 224.0.0.81 port 8848 ttl 1 maxlen 1472"},
	} {
		if got := c.d.String(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
