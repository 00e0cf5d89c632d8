package reconcile_test

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
	"github.com/ipvsd/ipvsd/pkg/reconcile"
)

// The laws of the table hold for settings too: a second plan is empty, whatever is refused is made up for, what nobody wishes
// is untouched. And what is no longer wished is as it was. The same body runs on a real kernel in kernel_test.go.
func TestSettingsLaws(t *testing.T) {
	settingsLaws(t, 100, "eth1", func(testing.TB) reconcile.Settable { return new(ipvstest.Kernel) })
}

// settingsLaws checks them for so many random histories, with sync daemons on an interface that there is.
func settingsLaws(t *testing.T, histories int, ifname string, open func(testing.TB) reconcile.Settable) {
	for seed := range histories {
		k := open(t)
		before := settings(t, k)
		u := &universe{rand.New(rand.NewPCG(uint64(seed), 2))}
		changed := desired.Changed{}
		for range 4 {
			g := u.global(ifname)
			f := &refusing{Settable: k, after: u.IntN(4)}
			tuner, now := reconcile.NewTuner(f), time.Unix(0, 0)
			tune := func(now time.Time) reconcile.SettingsRound {
				return tune(t, tuner, now, desired.ComputeSettings(&config.Config{GlobalDefs: *g}, nil, false, nil, changed), changed)
			}
			first := tune(now)
			if f.refused != (len(first.Refused) == 1) {
				t.Errorf("refused %t, on record %v", f.refused, first.Refused)
			}
			if again := tune(now); len(again.Taken)+len(again.Refused)+len(again.Drift) != 0 {
				t.Errorf("at once again: %+v", again)
			}
			tune(tuner.Deadline())
			if last := tune(now); len(last.Plan) != 0 || len(tuner.Failures()) != 0 || tuner.Totals().Drift != 0 {
				t.Errorf("in the end %v, failures %v, drift %d", last.Plan, tuner.Failures(), tuner.Totals().Drift)
			}
			inForce(t, settings(t, k), before, g)
		}
		for range 2 { // to put everything back, and to find it so
			want := desired.ComputeSettings(new(config.Config), nil, false, nil, changed)
			tune(t, reconcile.NewTuner(k), time.Unix(0, 0), want, changed)
		}
		if diff := cmp.Diff(before, settings(t, k), addrs); diff != "" || len(changed) != 0 {
			t.Errorf("on record %v, and not as before (-want +got):\n%s", changed, diff)
		}
		if t.Failed() {
			t.Fatalf("with seed %d", seed)
		}
	}
}

var addrs = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// global returns random settings.
func (u *universe) global(ifname string) *config.GlobalDefs {
	g := new(config.GlobalDefs)
	g.LVSTimeouts = ipvs.Timeouts{
		TCP: pick[time.Duration](u, 0, time.Minute, time.Hour), UDP: pick[time.Duration](u, 0, 0, 7*time.Second),
	}
	g.LVSSysctl.Values = ipvs.Sysctls{}
	for _, s := range []struct{ name, value string }{
		{"conntrack", pick(u, "0", "1")}, {"expire_nodest_conn", "1"}, {"sync_threshold", pick(u, "3 50", "2 9")},
		{"drop_entry", pick(u, "1", "2", "3")}, {"am_droprate", pick(u, "10", "11")},
	} {
		if u.IntN(2) == 0 {
			g.LVSSysctl.Values[s.name] = s.value
		}
	}
	for _, d := range []*ipvs.SyncDaemon{&g.LVSSyncDaemon.Master, &g.LVSSyncDaemon.Backup} {
		if u.IntN(2) == 0 {
			*d = ipvs.SyncDaemon{
				Interface: ifname, SyncID: pick[uint8](u, 0, 255), MaxLen: pick[uint16](u, 0, 1, 1100, 65507),
				Port: pick[uint16](u, 0, 9000), TTL: pick[uint8](u, 0, 3),
				Group: pick(u, netip.Addr{}, ipvs.SyncGroup, netip.MustParseAddr("224.0.0.82")),
			}
		}
	}
	return g
}

// inForce checks by a way of its own that the settings are as configured, and otherwise as before.
func inForce(t testing.TB, got, before ipvs.Settings, g *config.GlobalDefs) {
	t.Helper()
	want := before.Timeouts
	if d := g.LVSTimeouts.TCP; d != 0 {
		want.TCP = d
	}
	if d := g.LVSTimeouts.UDP; d != 0 {
		want.UDP = d
	}
	if got.Timeouts != want {
		t.Errorf("timeouts: want %v, got %v", want, got.Timeouts)
	}
	sysctls := maps.Clone(before.Sysctls)
	for name, value := range g.LVSSysctl.Values {
		sysctls[name] = strings.Join(strings.Fields(value), " ")
		if name == "drop_entry" && value == "2" {
			sysctls[name] = "1"
		}
	}
	if got.Sysctls["drop_entry"] == "2" { // memory is short
		got.Sysctls["drop_entry"] = "1"
	}
	if !maps.Equal(got.Sysctls, sysctls) {
		t.Errorf("sysctls: want %v, got %v", sysctls, got.Sysctls)
	}
	for _, d := range []struct{ want, got ipvs.SyncDaemon }{
		{g.LVSSyncDaemon.Master, got.Master}, {g.LVSSyncDaemon.Backup, got.Backup},
	} {
		ok := d.want.Interface == d.got.Interface && d.want.SyncID == d.got.SyncID &&
			(d.want.Port == 0 || d.want.Port == d.got.Port) && (d.want.TTL == 0 || d.want.TTL == d.got.TTL) &&
			(!d.want.Group.IsValid() || d.want.Group == d.got.Group)
		if !ok {
			t.Errorf("sync daemon: want %v, got %v", d.want, d.got)
		}
	}
}

// refusing is a kernel that refuses one change of a setting, after so many others.
type refusing struct {
	reconcile.Settable
	after   int
	refused bool
}

var errRefused = errors.New("refused")

func (f *refusing) change(do func() error) error {
	f.after--
	if f.after == -1 {
		f.refused = true
		return errRefused
	}
	return do()
}

func (f *refusing) SetTimeouts(ctx context.Context, t ipvs.Timeouts) error {
	return f.change(func() error { return f.Settable.SetTimeouts(ctx, t) })
}

func (f *refusing) SetSysctl(ctx context.Context, name, value string) error {
	return f.change(func() error { return f.Settable.SetSysctl(ctx, name, value) })
}

func (f *refusing) StartSyncDaemon(ctx context.Context, role ipvs.SyncRole, d ipvs.SyncDaemon) error {
	return f.change(func() error { return f.Settable.StartSyncDaemon(ctx, role, d) })
}

func (f *refusing) StopSyncDaemon(ctx context.Context, role ipvs.SyncRole) error {
	return f.change(func() error { return f.Settable.StopSyncDaemon(ctx, role) })
}

func settings(t testing.TB, k reconcile.Settable) ipvs.Settings {
	t.Helper()
	s, err := reconcile.ReadSettings(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// tune runs a round as the daemon does, with the record of what was changed.
func tune(t testing.TB, tuner *reconcile.Tuner, now time.Time, want desired.Settings, changed desired.Changed) reconcile.SettingsRound {
	t.Helper()
	changed.Claim(want)
	round, err := tuner.Round(t.Context(), now, want, func(steps []reconcile.SettingStep) {
		for _, s := range steps {
			changed.Note(s.Name, s.Was, s.Is)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range round.Over {
		delete(changed, name)
	}
	return round
}

// What each step says, and that only what differs is touched.
func TestSettingsPlan(t *testing.T) {
	master := ipvs.SyncDaemon{Interface: "eth1", SyncID: 1}
	runs := ipvs.SyncDaemon{Interface: "eth1", SyncID: 1, Group: ipvs.SyncGroup, Port: 8848, TTL: 1, MaxLen: 1472}
	actual := ipvs.Settings{
		Timeouts: ipvs.Timeouts{TCP: 900 * time.Second, TCPFin: 120 * time.Second, UDP: 300 * time.Second},
		Sysctls:  ipvs.Sysctls{"conntrack": "0", "sync_threshold": "3\t50", "drop_entry": "2", "expire_nodest_conn": "0"},
	}
	running := actual
	running.Master = runs
	short, other := master, master
	short.MaxLen, other.TTL = 1000, 7
	for _, tt := range []struct {
		name   string
		actual ipvs.Settings
		want   desired.Setting
		steps  string
	}{
		{"timeout", actual, desired.Setting{Name: "timeout tcp", Value: "120s"}, "set timeout tcp 900s -> 120s"},
		{"timeout as it is", actual, desired.Setting{Name: "timeout udp", Value: "300s"}, ""},
		{"sysctl", actual, desired.Setting{Name: "sysctl expire_nodest_conn", Value: "1"}, "set sysctl expire_nodest_conn 0 -> 1"},
		{"sysctl as it is", actual, desired.Setting{Name: "sysctl sync_threshold", Value: "3 50"}, ""},
		{"defence that is awake", actual, desired.Setting{Name: "sysctl drop_entry", Value: "1"}, ""},
		{"missing", actual, desired.Setting{Name: "sysctl est_nice", Value: "1"}, "set sysctl est_nice to 1"},
		{"missing default", actual, desired.Setting{Name: "sysctl est_nice", Value: "1", Optional: true}, ""},
		{"put back", actual, desired.Setting{Name: "sysctl conntrack", Want: desired.Absent, Value: "0", Was: "1"}, "set sysctl conntrack 0 -> 1"},
		{"put back what others changed", actual, desired.Setting{Name: "sysctl conntrack", Want: desired.Absent, Value: "1", Was: "1"}, ""},
		{"start", actual, desired.Setting{Name: "sync daemon master", Daemon: master},
			"start sync daemon master on eth1 id 1 group 224.0.0.81 port 8848 ttl 1"},
		{"runs", running, desired.Setting{Name: "sync daemon master", Daemon: master}, ""},
		{"runs otherwise", running, desired.Setting{Name: "sync daemon master", Daemon: other},
			"stop sync daemon master on eth1 id 1 group 224.0.0.81 port 8848 ttl 1 maxlen 1472\n" +
				"start sync daemon master on eth1 id 1 group 224.0.0.81 port 8848 ttl 7"},
		{"runs with another length", running, desired.Setting{Name: "sync daemon master", Daemon: short},
			"stop sync daemon master on eth1 id 1 group 224.0.0.81 port 8848 ttl 1 maxlen 1472\n" +
				"start sync daemon master on eth1 id 1 group 224.0.0.81 port 8848 ttl 1 maxlen 1000"},
		{"stop", running, desired.Setting{Name: "sync daemon master", Want: desired.Absent},
			"stop sync daemon master on eth1 id 1 group 224.0.0.81 port 8848 ttl 1 maxlen 1472"},
		{"stopped", actual, desired.Setting{Name: "sync daemon master", Want: desired.Absent}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var steps []string
			for _, s := range reconcile.DiffSettings(&tt.actual, desired.Settings{tt.want}) {
				steps = append(steps, s.String())
			}
			if got := strings.Join(steps, "\n"); got != tt.steps {
				t.Errorf("got\n%s\nwant\n%s", got, tt.steps)
			}
		})
	}
}

// A setting that is refused waits longer each time, and nothing else waits for it.
func TestSettingRefused(t *testing.T) {
	k := new(ipvstest.Kernel)
	k.SetInterfaces("eth1")
	tuner := reconcile.NewTuner(k)
	want := desired.Settings{
		{Name: "sysctl svc_lfactor", Value: "-2"},
		{Name: "timeout tcp", Value: "60s"},
		{Name: "sync daemon master", Daemon: ipvs.SyncDaemon{Interface: "eth7"}},
	}
	now := start
	for attempt, pause := range []time.Duration{1, 2, 4} {
		got := tune(t, tuner, now, want, desired.Changed{})
		if len(got.Refused) != 2 || got.Refused[0].Attempts != attempt+1 || len(got.Drift) != 0 {
			t.Errorf("attempt %d: %+v", attempt, got)
		}
		if d := tuner.Deadline().Sub(now); d != pause*time.Second {
			t.Errorf("attempt %d: the next in %v", attempt, d)
		}
		now = tuner.Deadline()
	}
	failures := tuner.Failures()
	if len(failures) != 2 || !errors.Is(failures[0].Err, ipvs.ENODEV) ||
		failures[1].Err.Error() != "set sysctl svc_lfactor to -2: this kernel has no net.ipv4.vs.svc_lfactor: take it out of lvs_sysctl" {
		t.Errorf("on record: %v", failures)
	}
	if got := settings(t, k).Timeouts.TCP; got != time.Minute {
		t.Errorf("the timeout is %v", got)
	}
	tuner.Retry()
	k.SetInterfaces("eth7")
	if got := tune(t, tuner, now, want, desired.Changed{}); len(got.Taken) != 1 || len(got.Refused) != 1 {
		t.Errorf("once the interface is there: %+v", got)
	}
	tune(t, tuner, now, nil, desired.Changed{})
	if len(tuner.Failures()) != 0 || !tuner.Deadline().IsZero() {
		t.Errorf("on record: %v", tuner.Failures())
	}
}

// A stranger's mixed-family service makes a sync daemon impossible, and the refusal says so. One that can't be stopped isn't
// started again.
func TestSyncDaemonRefused(t *testing.T) {
	k := new(ipvstest.Kernel)
	tuner := reconcile.NewTuner(k)
	want := desired.Settings{{Name: "sync daemon backup", Daemon: ipvs.SyncDaemon{Interface: "eth1"}}}
	s := ipvstest.Service("tcp [2001:db8::1]:80", "rr")
	mixed := ipvs.Destination{Addr: netip.MustParseAddrPort("198.51.100.1:80"), Forward: ipvs.Tun}
	apply(t, k, ipvs.Command{Op: ipvs.NewService, Service: s}, ipvs.Command{Op: ipvs.NewDestination, Service: s, Destination: mixed})
	got := tune(t, tuner, start, want, desired.Changed{})
	if len(got.Refused) != 1 || !strings.Contains(got.Refused[0].Err.Error(), "of another IP family than its service") {
		t.Fatalf("got %+v", got)
	}
	apply(t, k, ipvs.Command{Op: ipvs.DelService, Service: s})
	if got := tune(t, tuner, tuner.Deadline(), want, desired.Changed{}); len(got.Taken) != 1 {
		t.Errorf("without it: %+v", got)
	}
	k.RefuseSettings(func(call string) error {
		if strings.HasPrefix(call, "stop") {
			return errRefused
		}
		return nil
	})
	k.Changes()
	want = desired.Settings{{Name: "sync daemon backup", Daemon: ipvs.SyncDaemon{Interface: "eth1", Port: 9}}}
	for range 3 {
		tune(t, tuner, start, want, desired.Changed{})
	}
	if calls := k.Changes(); len(calls) != 1 {
		t.Errorf("%q", calls)
	}
}

// What others change is put right and counted; what a lost module took along is no drift.
func TestSettingsDrift(t *testing.T) {
	k := new(ipvstest.Kernel)
	tuner := reconcile.NewTuner(k)
	want := desired.Settings{{Name: "timeout udp", Value: "9s"}, {Name: "sysctl conntrack", Value: "1"}}
	tune(t, tuner, start, want, desired.Changed{})
	if err := k.SetSysctl(t.Context(), "conntrack", "0"); err != nil {
		t.Fatal(err)
	}
	if err := k.SetTimeouts(t.Context(), ipvs.Timeouts{TCP: 8 * time.Second}); err != nil { // nobody's
		t.Fatal(err)
	}
	want = append(slices.Clone(want), desired.Setting{Name: "sysctl sloppy_tcp", Value: "1"})
	if got := tune(t, tuner, start, want, desired.Changed{}); len(got.Taken) != 2 || len(got.Drift) != 1 || tuner.Totals().Drift != 1 {
		t.Errorf("got %+v", got)
	}
	k.SetLoaded(false)
	if _, err := tuner.Round(t.Context(), start, want, func([]reconcile.SettingStep) {}); !errors.Is(err, ipvs.ErrUnavailable) {
		t.Error(err)
	}
	k.SetLoaded(true)
	if err := k.SetSysctl(t.Context(), "conntrack", "0"); err != nil {
		t.Fatal(err)
	}
	if got := tune(t, tuner, start, want, desired.Changed{}); len(got.Taken) == 0 || len(got.Drift) != 0 {
		t.Errorf("got %+v", got)
	}
}

// What is put back is on record until it is: here it is refused first, and others change one of the settings meanwhile.
func TestSettingsPutBack(t *testing.T) {
	k := new(ipvstest.Kernel)
	tuner, changed := reconcile.NewTuner(k), desired.Changed{}
	tune(t, tuner, start, desired.Settings{{Name: "sysctl conntrack", Value: "1"}, {Name: "sysctl am_droprate", Value: "7"}}, changed)
	k.RefuseSettings(func(call string) error {
		if call == "set sysctl conntrack 0" {
			return errRefused
		}
		return nil
	})
	if err := k.SetSysctl(t.Context(), "am_droprate", "8"); err != nil {
		t.Fatal(err)
	}
	none := func() desired.Settings { return desired.ComputeSettings(new(config.Config), nil, false, nil, changed) }
	tune(t, tuner, start, none(), changed)
	if len(changed) != 1 || changed["sysctl conntrack"].Was != "0" {
		t.Errorf("on record: %v", changed)
	}
	k.RefuseSettings(nil)
	tune(t, tuner, tuner.Deadline(), none(), changed)
	if s := settings(t, k).Sysctls; s["conntrack"] != "0" || s["am_droprate"] != "8" || len(changed) != 0 {
		t.Errorf("conntrack %s, am_droprate %s, on record %v", s["conntrack"], s["am_droprate"], changed)
	}
}

// Settings that can't be read are one refusal, which ends with the first reading.
func TestSettingsUnreadable(t *testing.T) {
	k := new(ipvstest.Kernel)
	tuner := reconcile.NewTuner(k)
	want := desired.Settings{{Name: "timeout udp", Value: "9s"}}
	k.RefuseSettings(func(call string) error {
		if call == "read sysctls" {
			return errRefused
		}
		return nil
	})
	for attempt := range 3 {
		got := tune(t, tuner, start, want, desired.Changed{})
		if len(got.Refused) != 1 || got.Refused[0].Attempts != attempt+1 || len(tuner.Failures()) != 1 {
			t.Errorf("attempt %d: %+v, on record %v", attempt, got, tuner.Failures())
		}
	}
	k.RefuseSettings(nil)
	if got := tune(t, tuner, start, want, desired.Changed{}); len(got.Taken) != 1 || got.Found.Timeouts.UDP != 9*time.Second || len(tuner.Failures()) != 0 {
		t.Errorf("%+v, on record %v", got, tuner.Failures())
	}
}
