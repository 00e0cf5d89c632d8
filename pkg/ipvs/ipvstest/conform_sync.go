package ipvstest

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

func testSyncDaemons(t *testing.T, s Subject) {
	wantSync(t, s, ipvs.SyncDaemon{}, ipvs.SyncDaemon{})
	full := ipvs.SyncDaemon{
		Interface: s.Interface, SyncID: 255, MaxLen: 1400, Group: netip.MustParseAddr("239.1.2.3"), Port: 4711, TTL: 255,
	}
	six := full
	six.SyncID, six.MaxLen, six.Group = 0, 2000, netip.MustParseAddr("ff02::81")
	for _, c := range []struct {
		name       string
		start      ipvs.SyncDaemon
		onMaster   ipvs.SyncDaemon
		backupsLen uint16 // where a backup's differs
	}{
		{"every field", full, full, 0},
		{"IPv6", six, six, 0},
		{"nothing but an interface", ipvs.SyncDaemon{Interface: s.Interface}, ipvs.SyncDaemon{
			Interface: s.Interface, MaxLen: 1472, Group: ipvs.SyncGroup, Port: ipvs.SyncPort, TTL: ipvs.SyncTTL,
		}, 0},
		{"IPv6 by itself", ipvs.SyncDaemon{Interface: s.Interface, Group: six.Group}, ipvs.SyncDaemon{
			Interface: s.Interface, MaxLen: 1452, Group: six.Group, Port: ipvs.SyncPort, TTL: ipvs.SyncTTL,
		}, 0},
		{"short", with(full, 1), with(full, 1), 1024},
		{"long", with(full, 65535), with(full, 65507), 0},
		{"long, IPv6", with(six, 65535), with(six, 65487), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			onBackup := c.onMaster
			if c.backupsLen != 0 {
				onBackup.MaxLen = c.backupsLen
			}
			startSync(t, s, ipvs.SyncMaster, c.start)
			wantSync(t, s, c.onMaster, ipvs.SyncDaemon{})
			startSync(t, s, ipvs.SyncBackup, c.start)
			wantSync(t, s, c.onMaster, onBackup)
			stopSync(t, s, ipvs.SyncMaster)
			wantSync(t, s, ipvs.SyncDaemon{}, onBackup)
			stopSync(t, s, ipvs.SyncBackup)
			stopSync(t, s, ipvs.SyncBackup) // which doesn't run any more
			wantSync(t, s, ipvs.SyncDaemon{}, ipvs.SyncDaemon{})
		})
	}
}

func with(d ipvs.SyncDaemon, maxLen uint16) ipvs.SyncDaemon {
	d.MaxLen = maxLen
	return d
}

// testSyncErrno tries the ways in which a sync daemon is refused, two at once where it tells which is seen first.
func testSyncErrno(t *testing.T, s Subject) {
	good := ipvs.SyncDaemon{Interface: s.Interface}
	absent, unicast, unicast6 := good, good, good
	absent.Interface = "absent"
	unicast.Group, unicast6.Group = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	absentUnicast := unicast
	absentUnicast.Interface = "absent"
	startSync(t, s, ipvs.SyncMaster, good)
	for _, c := range []struct {
		name string
		role ipvs.SyncRole
		d    ipvs.SyncDaemon
		want ipvs.Errno
	}{
		{"runs", ipvs.SyncMaster, good, ipvs.EEXIST},
		{"runs, another", ipvs.SyncMaster, with(good, 1000), ipvs.EEXIST},
		{"runs, no such interface", ipvs.SyncMaster, absent, ipvs.ENODEV},
		{"runs, unicast", ipvs.SyncMaster, unicast, ipvs.EINVAL},
		{"no such interface", ipvs.SyncBackup, absent, ipvs.ENODEV},
		{"no interface", ipvs.SyncBackup, ipvs.SyncDaemon{}, ipvs.ENODEV},
		{"long interface", ipvs.SyncBackup, ipvs.SyncDaemon{Interface: strings.Repeat("x", 15)}, ipvs.ENODEV},
		{"too long interface", ipvs.SyncBackup, ipvs.SyncDaemon{Interface: strings.Repeat("x", 16)}, ipvs.EINVAL},
		{"unicast", ipvs.SyncBackup, unicast, ipvs.EINVAL},
		{"IPv6 unicast", ipvs.SyncBackup, unicast6, ipvs.EINVAL},
		{"unicast, no such interface", ipvs.SyncBackup, absentUnicast, ipvs.EINVAL},
		{"no such role", 0, good, ipvs.EINVAL},
		{"both roles", ipvs.SyncMaster | ipvs.SyncBackup, good, ipvs.EINVAL},
		{"no such role, no such interface", 0, absent, ipvs.ENODEV},
	} {
		t.Run(c.name, func(t *testing.T) { wantSyncRefused(t, s.StartSyncDaemon(t.Context(), c.role, c.d), true, c.want) })
	}
	wantSyncRefused(t, s.StopSyncDaemon(t.Context(), 0), false, ipvs.EINVAL)
	running := good
	running.MaxLen, running.Group, running.Port, running.TTL = 1472, ipvs.SyncGroup, ipvs.SyncPort, ipvs.SyncTTL
	wantSync(t, s, running, ipvs.SyncDaemon{})
}

// testSyncOrMixed shows that sync daemons and servers of another family than their service's exclude each other, whichever
// comes first, and no longer than both are there.
func testSyncOrMixed(t *testing.T, s Subject) {
	d := ipvs.SyncDaemon{Interface: s.Interface}
	web, six := Service("tcp 192.0.2.1:80", "rr"), NAT("[2001:db8::1]:80")
	six.Forward = ipvs.Tun
	add := ipvs.Command{Op: ipvs.NewDestination, Service: web, Destination: six}
	remove := ipvs.Command{Op: ipvs.DelDestination, Service: web, Destination: six}
	wantRefused(t, s, []ipvs.Command{{Op: ipvs.NewService, Service: web}, add})
	for _, role := range []ipvs.SyncRole{ipvs.SyncMaster, ipvs.SyncBackup} {
		wantSyncRefused(t, s.StartSyncDaemon(t.Context(), role, d), true, ipvs.EINVAL)
		wantRefused(t, s, []ipvs.Command{remove})
		startSync(t, s, role, d)
		edit := add
		edit.Op = ipvs.SetDestination
		wantRefused(t, s, []ipvs.Command{add, edit, remove},
			refusal{0, ipvs.EINVAL}, refusal{1, ipvs.EINVAL}, refusal{2, ipvs.ENOENT})
		stopSync(t, s, role)
		wantRefused(t, s, []ipvs.Command{add})
	}
	wantRefused(t, s, []ipvs.Command{{Op: ipvs.DelService, Service: web}})
	startSync(t, s, ipvs.SyncMaster, d)
}

// testRank shows the order in which the kernel walks over servers, through everything that might change it.
func testRank(t *testing.T, s Subject) {
	web := Service("tcp 192.0.2.1:80", "rr")
	a, b, c, d := NAT("198.51.100.1:80"), NAT("198.51.100.2:80"), NAT("198.51.100.3:80"), NAT("198.51.100.4:80")
	run := func(op ipvs.Op, servers ...ipvs.Destination) {
		var commands []ipvs.Command
		for _, d := range servers {
			commands = append(commands, ipvs.Command{Op: op, Service: web, Destination: d})
		}
		wantRefused(t, s, commands)
	}
	want := func(after string, servers ...ipvs.Destination) {
		t.Helper()
		status := find(t, s, web.ServiceKey)
		for i, w := range servers {
			if got := status.Destination(w.Addr); got == nil || got.Rank != i || len(status.Destinations) != len(servers) {
				t.Errorf("after %s: %v is %+v, want rank %d of %d", after, w.Addr, got, i, len(servers))
			}
		}
	}
	wantRefused(t, s, []ipvs.Command{{Op: ipvs.NewService, Service: web}})
	run(ipvs.NewDestination, a, c, b)
	want("adding", b, c, a)
	heavier := c
	heavier.Weight = 7
	run(ipvs.SetDestination, heavier, a)
	want("an edit", b, c, a)
	run(ipvs.DelDestination, c)
	want("deleting", b, a)
	run(ipvs.NewDestination, d, c)
	want("adding another, and the deleted one again", c, d, b, a)
	edited := web
	edited.Scheduler = "mh"
	wantRefused(t, s, []ipvs.Command{{Op: ipvs.SetService, Service: edited}})
	want("another scheduler", c, d, b, a)
	run(ipvs.DelDestination, a, b, c, d)
	run(ipvs.NewDestination, d, c, b, a)
	want("deleting and adding all", a, b, c, d)
}

func startSync(t *testing.T, s Subject, role ipvs.SyncRole, d ipvs.SyncDaemon) {
	t.Helper()
	if err := s.StartSyncDaemon(t.Context(), role, d); err != nil {
		t.Fatal(err)
	}
}

func stopSync(t *testing.T, s Subject, role ipvs.SyncRole) {
	t.Helper()
	if err := s.StopSyncDaemon(t.Context(), role); err != nil {
		t.Fatal(err)
	}
}

func wantSync(t *testing.T, s Subject, master, backup ipvs.SyncDaemon) {
	t.Helper()
	m, b, err := s.SyncDaemons(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if m != master || b != backup {
		t.Errorf("master %v, backup %v; want %v and %v", m, b, master, backup)
	}
}

func wantSyncRefused(t *testing.T, err error, start bool, want ipvs.Errno) {
	t.Helper()
	if e, ok := errors.AsType[*ipvs.SyncError](err); !ok || e.Errno != want || e.Start != start {
		t.Errorf("error is %v, want errno %d", err, uint16(want))
	}
}
