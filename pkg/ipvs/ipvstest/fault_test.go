package ipvstest_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
)

var (
	web    = ipvstest.Service("tcp 192.0.2.1:80", "rr")
	first  = ipvstest.NAT("198.51.100.1:80")
	second = ipvstest.NAT("198.51.100.2:80")
	fill   = []ipvs.Command{
		{Op: ipvs.NewService, Service: web},
		{Op: ipvs.NewDestination, Service: web, Destination: first},
		{Op: ipvs.NewDestination, Service: web, Destination: second},
	}
)

func servers(t *testing.T, k *ipvstest.Kernel) int {
	t.Helper()
	table, err := k.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, n := table.Len()
	return n
}

func TestRefuseAt(t *testing.T) {
	k := new(ipvstest.Kernel)
	k.RefuseAt(1, ipvs.ENOMEM)
	k.RefuseAt(3, ipvs.EPERM)
	refused, err := k.Apply(t.Context(), fill)
	if err != nil || len(refused) != 1 || refused[0].Index != 1 || refused[0].Errno != ipvs.ENOMEM {
		t.Errorf("refused %v, %v; want command 1 with ENOMEM", refused, err)
	}
	if n := servers(t, k); n != 1 {
		t.Errorf("%d servers, want 1", n)
	}
	// The count goes on in the next call.
	refused, err = k.Apply(t.Context(), fill[1:2])
	if err != nil || len(refused) != 1 || refused[0].Errno != ipvs.EPERM {
		t.Errorf("refused %v, %v; want EPERM", refused, err)
	}
	if refused, err = k.Apply(t.Context(), fill[1:2]); err != nil || len(refused) > 0 {
		t.Errorf("refused %v, %v; want nothing", refused, err)
	}
	if got, want := k.Commands(), append(slices.Clone(fill), fill[1], fill[1]); !slices.Equal(got, want) {
		t.Errorf("commands %v, want %v", got, want)
	}
	if got := k.Commands(); len(got) > 0 {
		t.Errorf("commands %v after they were fetched", got)
	}
}

func TestRefuse(t *testing.T) {
	k := new(ipvstest.Kernel)
	k.Refuse(func(c ipvs.Command) ipvs.Errno {
		if c.Destination == first {
			return ipvs.EINVAL
		}
		return 0
	})
	if refused, err := k.Apply(t.Context(), fill); err != nil || len(refused) != 1 || refused[0].Index != 1 {
		t.Errorf("refused %v, %v; want command 1", refused, err)
	}
	k.Refuse(nil)
	if refused, err := k.Apply(t.Context(), fill[1:2]); err != nil || len(refused) > 0 {
		t.Errorf("refused %v, %v; want nothing", refused, err)
	}
}

func TestLoseReplyAt(t *testing.T) {
	for done, want := range map[bool]int{false: 0, true: 1} {
		k := new(ipvstest.Kernel)
		k.LoseReplyAt(1, done)
		refused, err := k.Apply(t.Context(), fill)
		if len(refused) > 0 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("refused %v, %v; want a lost reply", refused, err)
		}
		if n := servers(t, k); n != want {
			t.Errorf("done %t: %d servers, want %d", done, n, want)
		}
	}
}

func TestSnapshotsFail(t *testing.T) {
	k := new(ipvstest.Kernel)
	mine := errors.New("mine")
	k.InterruptSnapshots(2)
	k.FailSnapshot(mine)
	for i := range 3 {
		if _, err := k.Snapshot(t.Context()); err == nil || errors.Is(err, mine) != (i == 2) {
			t.Errorf("snapshot %d: %v", i, err)
		}
	}
	if _, err := k.Snapshot(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestSetLoaded(t *testing.T) {
	k := new(ipvstest.Kernel)
	if _, err := k.Apply(t.Context(), fill); err != nil {
		t.Fatal(err)
	}
	k.SetLoaded(false)
	if _, err := k.Apply(t.Context(), fill); !errors.Is(err, ipvs.ErrUnavailable) {
		t.Errorf("apply without the module: %v", err)
	}
	if _, err := k.Snapshot(t.Context()); !errors.Is(err, ipvs.ErrUnavailable) {
		t.Errorf("snapshot without the module: %v", err)
	}
	k.SetLoaded(true)
	if n := servers(t, k); n != 0 {
		t.Errorf("%d servers survived the module", n)
	}
}

// Without the module settings are what they were at boot.
func TestSetLoadedForgetsSettings(t *testing.T) {
	k := new(ipvstest.Kernel)
	if err := k.SetSysctl(t.Context(), "conntrack", "1"); err != nil {
		t.Fatal(err)
	}
	if err := k.StartSyncDaemon(t.Context(), ipvs.SyncBackup, ipvs.SyncDaemon{Interface: "eth1"}); err != nil {
		t.Fatal(err)
	}
	k.SetLoaded(false)
	for call, err := range settings(t, k) {
		if !errors.Is(err, ipvs.ErrUnavailable) {
			t.Errorf("%s without the module: %v", call, err)
		}
	}
	k.SetLoaded(true)
	if _, backup, err := k.SyncDaemons(t.Context()); err != nil || backup != (ipvs.SyncDaemon{}) {
		t.Errorf("backup %v, %v; want none", backup, err)
	}
	if all, err := k.Sysctls(t.Context()); err != nil || all["conntrack"] != "0" {
		t.Errorf("conntrack %s, %v; want 0", all["conntrack"], err)
	}
}

// settings makes every call about settings and returns their errors, by what RefuseSettings and Changes call them.
func settings(t *testing.T, k *ipvstest.Kernel) map[string]error {
	t.Helper()
	errs := map[string]error{
		"set timeouts tcp 1h0m0s tcpfin 0s udp 0s": k.SetTimeouts(t.Context(), ipvs.Timeouts{TCP: time.Hour}),
		"start sync daemon master eth1 id 3": k.StartSyncDaemon(t.Context(), ipvs.SyncMaster,
			ipvs.SyncDaemon{Interface: "eth1", SyncID: 3}),
		"stop sync daemon backup":    k.StopSyncDaemon(t.Context(), ipvs.SyncBackup),
		"set sysctl conntrack 1":     k.SetSysctl(t.Context(), "conntrack", "1"),
		"set sysctl sync_threshold ": k.SetSysctl(t.Context(), "sync_threshold", ""),
	}
	_, errs["read timeouts"] = k.Timeouts(t.Context())
	_, _, errs["read sync daemons"] = k.SyncDaemons(t.Context())
	_, errs["read sysctls"] = k.Sysctls(t.Context())
	return errs
}

func TestRefuseSettings(t *testing.T) {
	k := new(ipvstest.Kernel)
	refusals := map[string]error{}
	k.RefuseSettings(func(call string) error {
		refusals[call] = errors.New("refused " + call)
		return refusals[call]
	})
	for call, err := range settings(t, k) {
		if err == nil || !errors.Is(err, refusals[call]) {
			t.Errorf("%s: %v, want %v", call, err, refusals[call])
		}
	}
	if master, backup, err := k.SyncDaemons(t.Context()); err == nil {
		t.Errorf("master %v, backup %v", master, backup)
	}
	got := k.Changes()
	slices.Sort(got)
	want := []string{
		"set sysctl conntrack 1", "set sysctl sync_threshold ", "set timeouts tcp 1h0m0s tcpfin 0s udp 0s",
		"start sync daemon master eth1 id 3", "stop sync daemon backup",
	}
	if !slices.Equal(got, want) {
		t.Errorf("changes %q, want %q", got, want)
	}

	k.RefuseSettings(nil)
	for call, err := range settings(t, k) {
		if (err != nil) != (call == "set sysctl sync_threshold ") {
			t.Errorf("%s: %v", call, err)
		}
	}
	if master, _, err := k.SyncDaemons(t.Context()); err != nil || master.SyncID != 3 {
		t.Errorf("master %v, %v", master, err)
	}
	if got := k.Changes(); len(got) != len(want) {
		t.Errorf("changes %q, want %q", got, want)
	}
	if got := k.Changes(); len(got) > 0 {
		t.Errorf("changes %q after they were fetched", got)
	}
}

// OnChange sees the table after every command that was done, and keeps what it was given.
func TestOnChange(t *testing.T) {
	k := new(ipvstest.Kernel)
	var seen []ipvs.Table
	k.OnChange(func(t ipvs.Table) { seen = append(seen, t) })
	commands := append(slices.Clone(fill), fill[2], ipvs.Command{Op: ipvs.DelDestination, Service: web, Destination: first})
	if _, err := k.Apply(t.Context(), commands); err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, table := range seen {
		_, n := table.Len()
		got = append(got, n)
	}
	if want := []int{0, 1, 2, 1}; !slices.Equal(got, want) {
		t.Errorf("servers after each command: %v, want %v", got, want)
	}
}

func TestCountWithoutServer(t *testing.T) {
	k := new(ipvstest.Kernel)
	if err := k.Count(web.ServiceKey, first.Addr, ipvs.Stats{}, 0, 0); !errors.Is(err, ipvs.ESRCH) {
		t.Errorf("count of no service: %v", err)
	}
	if _, err := k.Apply(t.Context(), fill[:1]); err != nil {
		t.Fatal(err)
	}
	if err := k.Count(web.ServiceKey, first.Addr, ipvs.Stats{}, 0, 0); !errors.Is(err, ipvs.ENOENT) {
		t.Errorf("count of no server: %v", err)
	}
}
