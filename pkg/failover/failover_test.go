package failover

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/script"
	"github.com/ipvsd/ipvsd/pkg/status"
	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// Nothing runs without a configuration for it, and nothing any more when that is gone.
func TestNothingToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		s.want("without a configuration")
		quiet := instance("VI_1", 51)
		quiet.Notify = config.Notify{}
		s.Change(&config.VRRP{Instances: []*config.Instance{quiet}})
		s.want("with an instance", "setup: 0 links, 3 wishes", "wish :", "wish VI_1:", "instances VI_1", "tracker: 1 instances",
			"runner: 1 interfaces", "tracker: 1 interfaces")
		s.report([]vrrp.Action{became("VI_1", vrrp.Initialize, vrrp.Backup)})
		s.told()
		s.Change(&config.VRRP{})
		s.want("without it again", "setup: 0 links, 1 wishes", "wish :", "instances ", "tracker: 0 instances", "wish VI_1:",
			"runner ends", "keeper ends", "tracker ends", "watch ends")
		<-time.After(time.Hour)
		s.want("later")
		s.stop()
	})
}

// The wish of an instance that becomes active is out before report returns; scripts, events and roles follow, in order.
func TestTransitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		s.Change(&config.VRRP{
			Instances: []*config.Instance{instance("VI_1", 51), instance("VI_2", 52)}, Groups: []*config.Group{groupOf("G1", "VI_1", "VI_2")},
		})
		s.told()
		s.report([]vrrp.Action{
			became("VI_1", vrrp.Initialize, vrrp.Backup), became("VI_2", vrrp.Initialize, vrrp.Backup),
			vrrp.GroupBecame{Group: "G1", From: vrrp.Initialize, To: vrrp.Backup, Reason: "test"},
		})
		s.told()
		s.report([]vrrp.Action{
			became("VI_2", vrrp.Backup, vrrp.Active), became("VI_1", vrrp.Backup, vrrp.Active),
			vrrp.GroupBecame{Group: "G1", From: vrrp.Backup, To: vrrp.Active, Reason: "all members are"},
		})
		s.mu.Lock()
		if got, want := s.journal[:2], []string{"wish VI_2: 192.0.2.52/24", "wish VI_1: 192.0.2.51/24"}; !slices.Equal(got, want) {
			t.Errorf("when report returns: %q, want %q", got, want)
		}
		s.mu.Unlock()
		got := s.told()[2:]
		for _, one := range []string{"VI_1", "VI_2", "G1"} { // each in order, and side by side
			of, priority := "INSTANCE", "100"
			if one == "G1" {
				of, priority = "GROUP", "0"
			}
			want := []string{"script /n " + one + " master", "script /n any " + of + " " + one + " MASTER " + priority}
			mine := slices.DeleteFunc(slices.Clone(got), func(l string) bool { return !strings.Contains(l, " "+one+" ") })
			if !slices.Equal(mine, want) {
				t.Errorf("scripts of %s: %q, want %q", one, mine, want)
			}
		}
		if len(got) != 6 {
			t.Errorf("%d scripts: %q", len(got), got)
		}
		if want := map[string]vrrp.State{"VI_1": vrrp.Active, "VI_2": vrrp.Active}; !cmp.Equal(s.roles, want) {
			t.Errorf("roles %v, want %v", s.roles, want)
		}
		events := s.Events(3)
		if len(events) != 3 || events[0].Instance != "VI_2" || events[0].Kind != "MASTER" || events[0].From != "BACKUP" || events[2].Group != "G1" ||
			events[2].Reason != "all members are" || events[2].Seq != 6 {
			t.Errorf("events %+v", events)
		}
		if !strings.Contains(s.log.String(), `msg="virtual router changed" instance=VI_2 from=BACKUP to=MASTER priority=100 reason=test`) ||
			!strings.Contains(s.log.String(), `msg="sync group changed" group=G1 from=BACKUP to=MASTER reason="all members are"`) {
			t.Errorf("the log says\n%s", s.log)
		}

		s.report([]vrrp.Action{vrrp.Reannounce{Instance: "VI_1"}, vrrp.Noticed{Instance: "VI_1", What: vrrp.RxLowerPriority, Priority: 100}})
		s.want("another active router", "wish VI_1: 192.0.2.51/24 repeat 1", "script /n VI_1 lower")
		s.report([]vrrp.Action{vrrp.Noticed{Instance: "VI_1", What: vrrp.PriorityChanged, Priority: 90}})
		s.want("another priority")
		s.report([]vrrp.Action{became("VI_1", vrrp.Active, vrrp.Fault)})
		s.wantOf("a fault", "wish", "wish VI_1: repeat 1")
		s.stop()
	})
}

// Who yields to another active router keeps the addresses until that one has them; who is at fault doesn't, nor who ends.
func TestYield(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		s.Change(&config.VRRP{Instances: []*config.Instance{instance("VI_1", 51)}})
		s.told()
		const has, hasNot = "wish VI_1: 192.0.2.51/24", "wish VI_1:"
		s.report([]vrrp.Action{became("VI_1", vrrp.Backup, vrrp.Active)})
		s.wantOf("active", "wish", has)
		s.report([]vrrp.Action{became("VI_1", vrrp.Active, vrrp.Backup)})
		<-time.After(linger - 1)
		s.wantOf("it yields", "wish", has)
		<-time.After(1)
		s.wantOf("a moment later", "wish", hasNot)

		s.report([]vrrp.Action{became("VI_1", vrrp.Backup, vrrp.Active), became("VI_1", vrrp.Active, vrrp.Backup)})
		s.report([]vrrp.Action{became("VI_1", vrrp.Backup, vrrp.Active)})
		<-time.After(time.Second)
		s.wantOf("active again in that moment", "wish", has, has, has, has)
		s.report([]vrrp.Action{became("VI_1", vrrp.Active, vrrp.Backup), became("VI_1", vrrp.Backup, vrrp.Fault)})
		s.wantOf("at fault in that moment", "wish", has, hasNot)
		<-time.After(time.Second)
		s.wantOf("later", "wish", hasNot)
		s.stop()
	})
}

// Whoever comes between the making of a wish and its delivery, the last wish is that of the role and the configuration in the end.
func TestWishesCross(t *testing.T) {
	backup, active := became("VI_1", vrrp.Active, vrrp.Backup), became("VI_1", vrrp.Backup, vrrp.Active)
	reload := func(names ...string) func(*stage) {
		return func(s *stage) {
			c := new(config.VRRP)
			for i, name := range names {
				c.Instances = append(c.Instances, instance(name, 51+uint8(i)))
			}
			s.Change(c)
		}
	}
	pass := func(d time.Duration) func(*stage) { return func(*stage) { <-time.After(d) } }
	tell := func(a ...vrrp.Action) func(*stage) { return func(s *stage) { s.report(a) } }
	for _, c := range []struct {
		what           string
		first          func(*stage)
		late, meantime func(*stage) // the first wish of the one is delivered after the other
		want           map[string]int
	}{
		{"active while it stops to linger", tell(active, backup), pass(linger), tell(active), map[string]int{"VI_1": 1}},
		{"it stops to linger while reloaded", tell(active, backup), reload("VI_1"), pass(2 * linger), map[string]int{"VI_1": 0}},
		{"passive while reloaded", tell(active), reload("VI_1"), tell(became("VI_1", vrrp.Active, vrrp.Fault)), map[string]int{"VI_1": 0}},
		{"removed while it becomes active", nil, tell(active), reload(), map[string]int{"VI_1": 0}},
		{"renamed while it becomes active", nil, tell(active), reload("NEW"), map[string]int{"VI_1": 0, "NEW": 1}},
		{"its name taken by another while it becomes active", nil, tell(active), reload("NEW", "VI_1"), map[string]int{"VI_1": 0, "NEW": 1}},
		{"renamed while it lingers", func(s *stage) {
			s.report([]vrrp.Action{active, backup})
			reload("NEW")(s)
		}, reload("NEW", "OTHER"), pass(0), map[string]int{"VI_1": 0, "NEW": 0}},
	} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := play(t)
				reload("VI_1")(s)
				s.told()
				if c.first != nil {
					c.first(s)
				}
				s.told() // nobody waits for a lock, which would stop the clock
				s.mu.Lock()
				s.between = func() { c.meantime(s) }
				s.mu.Unlock()
				c.late(s)
				<-time.After(time.Second)
				s.told()
				for owner, n := range c.want {
					if w := s.wishes[owner]; len(w.Addresses) != n {
						t.Errorf("%d addresses of %s, not %d", len(w.Addresses), owner, n)
					}
				}
				s.stop()
			})
		})
	}
}

// At the end the others know first, then the addresses go, then scripts hear of it.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		one, lo := instance("VI_1", 51), instance("VI_2", 52)
		one.Group, lo.Group = "G1", "G1"
		lo.Idle.Addresses = []vip.Address{{Prefix: netip.MustParsePrefix("192.0.2.52/32"), Dev: "lo"}}
		s.atEnd = []vrrp.Action{became("VI_1", vrrp.Active, vrrp.Initialize), became("VI_2", vrrp.Active, vrrp.Initialize)}
		s.Change(&config.VRRP{
			Instances: []*config.Instance{one, lo, instance("VI_9", 59)}, Groups: []*config.Group{groupOf("G1", "VI_1", "VI_2")},
		})
		synctest.Wait()
		s.report([]vrrp.Action{
			became("VI_1", vrrp.Backup, vrrp.Active), became("VI_2", vrrp.Backup, vrrp.Active), vrrp.GroupBecame{Group: "G1", To: vrrp.Active},
			became("VI_9", vrrp.Backup, vrrp.Active),
		})
		s.told()
		s.stop()
		got := s.told()
		if want := []string{
			"switchover G1", "switchover VI_9", "runner ends", "wish VI_1:", "wish VI_2: 192.0.2.52/32", "keeper ends", "tracker ends", "watch ends",
		}; !cmp.Equal(got[:8], want) {
			t.Errorf("in the end %q, want %q", got[:8], want)
		}
		want := []string{
			"script /n G1 stop", "script /n VI_1 stop", "script /n VI_2 stop", "script /n VI_9 stop", "script /n any GROUP G1 STOP 0",
			"script /n any INSTANCE VI_1 STOP 100", "script /n any INSTANCE VI_2 STOP 100", "script /n any INSTANCE VI_9 STOP 100",
		}
		if got = got[8:]; !cmp.Equal(slices.Sorted(slices.Values(got)), want) {
			t.Errorf("scripts %q, want %q", got, want)
		}
		if want := map[string]vrrp.State{"VI_1": vrrp.Initialize, "VI_2": vrrp.Initialize, "VI_9": vrrp.Initialize}; !cmp.Equal(s.roles, want) {
			t.Errorf("roles %v, want %v", s.roles, want)
		}
	})
}

// The addresses stay until another router has taken over, or should have: whichever is first.
func TestStopHandsOver(t *testing.T) {
	for _, tt := range []struct {
		version  uint8
		interval time.Duration
		relieved time.Duration // 0: never
		want     time.Duration
	}{
		{2, time.Second, 0, time.Second + margin},
		{2, 10 * time.Second, 0, time.Second + margin},
		{2, time.Second, 400 * time.Millisecond, 400*time.Millisecond + linger},
		{3, 100 * time.Millisecond, 0, 100*time.Millisecond + margin},
		{3, 100 * time.Millisecond, 40 * time.Millisecond, 40*time.Millisecond + linger},
		{3, 40 * time.Second, 0, 2*time.Second + margin},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := play(t)
			c := instance("VI_1", 51)
			c.Version, c.AdvertInterval = tt.version, tt.interval
			s.atEnd = []vrrp.Action{became("VI_1", vrrp.Active, vrrp.Initialize)}
			s.Change(&config.VRRP{Instances: []*config.Instance{c}})
			synctest.Wait()
			s.report([]vrrp.Action{became("VI_1", vrrp.Backup, vrrp.Active)})
			s.told()
			if tt.relieved > 0 {
				time.AfterFunc(tt.relieved, func() { s.report([]vrrp.Action{became("VI_1", vrrp.Active, vrrp.Backup)}) })
			}
			start := time.Now()
			s.stop()
			if took := time.Since(start); took != tt.want {
				t.Errorf("%+v: it took %v", tt, took)
			}
			s.wantOf("scripts hear of STOP alone", "script", "script /n VI_1 stop", "script /n any INSTANCE VI_1 STOP 100")
		})
	}
}

// A script that hangs delays the end by a limited time, and the addresses not at all.
func TestStopWithHangingScript(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		s.scripts = script.NewQueues(func(ctx context.Context, _ script.Command) (string, error) {
			<-ctx.Done()
			return "", context.Cause(ctx)
		})
		s.Change(&config.VRRP{Instances: []*config.Instance{instance("VI_1", 51)}})
		synctest.Wait()
		s.report([]vrrp.Action{became("VI_1", vrrp.Backup, vrrp.Active)})
		start := time.Now()
		s.stop()
		if took := time.Since(start); took != time.Second+margin+stopLimit {
			t.Errorf("it took %v, want %v", took, time.Second+margin+stopLimit)
		}
	})
}

// A reload leaves alone what is the same in it, under another name too, and tells of what is gone.
func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		tells := instance("VI_3", 53)
		tells.Notify.TellDeleted = true
		s.Change(&config.VRRP{Instances: []*config.Instance{
			instance("VI_1", 51), instance("VI_2", 52), tells, instance("VI_4", 54), instance("VI_5", 55),
		}})
		synctest.Wait()
		s.report([]vrrp.Action{
			became("VI_1", vrrp.Backup, vrrp.Active), vrrp.Reannounce{Instance: "VI_1"}, became("VI_2", vrrp.Backup, vrrp.Active),
			became("VI_3", vrrp.Backup, vrrp.Active), became("VI_4", vrrp.Initialize, vrrp.Fault), became("VI_5", vrrp.Initialize, vrrp.Backup),
		})
		s.told()
		more := instance("VI_1", 51)
		more.Active.Addresses = append(more.Active.Addresses, vip.Address{Prefix: netip.MustParsePrefix("192.0.2.99/24"), Dev: "eth0"})
		s.Change(&config.VRRP{Instances: []*config.Instance{more, instance("VI_B", 52), instance("VI_6", 56)}})
		got := s.told()
		if want := []string{
			"setup: 0 links, 7 wishes", "wish :", "wish VI_1: 192.0.2.51/24 192.0.2.99/24 repeat 1", "wish VI_B: 192.0.2.52/24", "wish VI_6:",
			"instances VI_1, VI_B, VI_6", "tracker: 3 instances", "wish VI_2:", "wish VI_3:", "wish VI_4:", "wish VI_5:",
		}; !cmp.Equal(got[:len(want)], want) {
			t.Errorf("a reload (-want +got):\n%s", cmp.Diff(want, got[:len(want)]))
		}
		want := []string{ // VI_4 was at fault already
			"script /n VI_3 deleted", "script /n any INSTANCE VI_3 DELETED 100", "script /n any INSTANCE VI_5 FAULT 100",
		}
		if got = slices.Sorted(slices.Values(got[11:])); !cmp.Equal(got, want) {
			t.Errorf("scripts %q, want %q", got, want)
		}
		if want := map[string]vrrp.State{"VI_1": vrrp.Active, "VI_B": vrrp.Active, "VI_6": vrrp.Initialize}; !cmp.Equal(s.roles, want) {
			t.Errorf("roles %v, want %v", s.roles, want)
		}
		// What the Runner said before it heard of the reload.
		s.report([]vrrp.Action{became("VI_2", vrrp.Active, vrrp.Backup), became("VI_3", vrrp.Backup, vrrp.Active)})
		s.wantOf("news of old names", "wish", "wish VI_B: 192.0.2.52/24")
		s.stop()
	})
}

// A transition and a reload at the same moment: whoever comes last, the wish is that of the role under the new configuration.
func TestTransitionDuringReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		s.Change(&config.VRRP{Instances: []*config.Instance{instance("VI_1", 51)}})
		synctest.Wait()
		for n := range 200 {
			role := []vrrp.State{vrrp.Backup, vrrp.Active}[n%2]
			next := instance("VI_1", 51)
			next.Active.Addresses[0].Scope = vip.Scope(n)
			next.Idle.Addresses = []vip.Address{{Dev: "lo", Scope: vip.Scope(n)}}
			var both sync.WaitGroup
			both.Go(func() {
				s.report([]vrrp.Action{became("VI_1", vrrp.Initialize, role), vrrp.Reannounce{Instance: "VI_1"}})
			})
			both.Go(func() { s.Change(&config.VRRP{Instances: []*config.Instance{next}}) })
			both.Wait()
			s.mu.Lock()
			got := s.wishes["VI_1"]
			s.mu.Unlock()
			dev := map[vrrp.State]string{vrrp.Backup: "lo", vrrp.Active: "eth0"}[role]
			if a := got.Addresses[0]; a.Scope != vip.Scope(n) || a.Dev != dev || got.Repeat != uint64(n+1) {
				t.Fatalf("round %d: %+v", n, got)
			}
		}
		s.stop()
	})
}

// When a part fails all end in order, everybody is at fault, and they are started again, later and later.
func TestFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		s.Change(&config.VRRP{Instances: []*config.Instance{instance("VI_1", 51)}, Groups: []*config.Group{groupOf("G1", "VI_1")}})
		synctest.Wait()
		s.report([]vrrp.Action{became("VI_1", vrrp.Backup, vrrp.Active), vrrp.GroupBecame{Group: "G1", From: vrrp.Backup, To: vrrp.Active}})
		s.told()
		s.fails <- errors.New("no sockets")
		got := s.told()
		if want := []string{"runner fails", "keeper ends", "tracker ends", "watch ends"}; !cmp.Equal(got[:4], want) {
			t.Errorf("after a failure %q, want %q", got[:4], want)
		}
		want := []string{"script /n G1 fault", "script /n VI_1 fault", "script /n any GROUP G1 FAULT 0", "script /n any INSTANCE VI_1 FAULT 100"}
		if got = slices.Sorted(slices.Values(got[4:])); !cmp.Equal(got, want) {
			t.Errorf("scripts %q, want %q", got, want)
		}
		if s.roles["VI_1"] != vrrp.Initialize {
			t.Errorf("roles %v", s.roles)
		}
		if !strings.Contains(s.log.String(), `level=ERROR msg="the virtual routers have stopped; they are started again" in=1s err="adverts: no sockets"`) {
			t.Errorf("the log says\n%s", s.log)
		}
		begins := []string{
			"setup: 0 links, 3 wishes", "wish :", "wish VI_1:", "instances VI_1, group G1", "tracker: 1 instances",
			"runner: 1 interfaces", "tracker: 1 interfaces",
		}
		<-time.After(pause - 1)
		s.want("too early")
		<-time.After(1)
		s.want("again", begins...)
		s.fails <- errors.New("no sockets")
		s.told() // nobody is told of the fault twice
		<-time.After(2*pause - 1)
		s.want("too early")
		<-time.After(1)
		s.want("and again", begins...)
		s.stop()
	})
}

// Without the right to, nothing is started, and the status says what is missing. It is tried again.
func TestNotPermitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		assembled, may := s.assemble, atomic.Bool{}
		s.assemble = func(f *Failover) (*parts, error) {
			if !may.Load() {
				return nil, errors.New("virtual routers need CAP_NET_RAW")
			}
			return assembled(f)
		}
		s.Change(&config.VRRP{Instances: []*config.Instance{instance("VI_1", 51)}})
		s.wantOf("without rights", "script", "script /n VI_1 fault", "script /n any INSTANCE VI_1 FAULT 100")
		st, err := s.Status(t.Context())
		if err != nil || st.Error != "virtual routers need CAP_NET_RAW" || st.Instances[0].State != "FAULT" || st.Instances[0].Reason != st.Error {
			t.Errorf("status %+v: %v", st, err)
		}
		if err := s.Switchover(t.Context(), "VI_1"); !errors.Is(err, ErrIdle) {
			t.Errorf("switchover: %v", err)
		}
		may.Store(true)
		<-time.After(pause)
		s.wantOf("with rights", "instances", "instances VI_1")
		if st, err = s.Status(t.Context()); err != nil || st.Error != "" || st.Instances[0].State != "MASTER" || st.Thread.Realtime != 50 {
			t.Errorf("status %+v: %v", st, err)
		}
		s.stop()
	})
}

// Quorums reach those who depend on them, whoever comes first.
func TestServices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		s.Services(map[string]health.State{"tcp 192.0.2.1:80": health.Down, "tcp 192.0.2.2:80": health.Up})
		s.Change(&config.VRRP{Instances: []*config.Instance{withService(instance("VI_1", 51), "tcp 192.0.2.1:80")}})
		s.wantOf("at the start", "observed", "observed virtual_server tcp 192.0.2.1:80: true false")
		s.Services(map[string]health.State{"tcp 192.0.2.1:80": health.Up, "tcp 192.0.2.2:80": health.Down})
		s.want("a change", "observed virtual_server tcp 192.0.2.1:80: true true")
		s.Services(map[string]health.State{"tcp 192.0.2.1:80": health.Up, "tcp 192.0.2.2:80": health.Up})
		s.want("nobody's change")
		s.Change(&config.VRRP{Instances: []*config.Instance{withService(instance("VI_1", 51), "tcp 192.0.2.2:80")}})
		s.wantOf("another dependence", "observed", "observed virtual_server tcp 192.0.2.2:80: true true")
		s.Services(map[string]health.State{"tcp 192.0.2.1:80": health.Up})
		s.want("a virtual server that is gone", "observed virtual_server tcp 192.0.2.2:80: false false")
		s.stop()
	})
}

// The instances wait for the first checks of the virtual servers, but not for ever; and only at the start.
func TestChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t)
		cfg := func() *config.VRRP {
			return &config.VRRP{Instances: []*config.Instance{instance("VI_1", 51)}, WaitForChecks: 5 * time.Second}
		}
		s.Change(cfg())
		s.wantOf("at the start", "observed")
		s.Checked()
		s.want("checked", "observed checks : true true")
		s.Checked()
		s.want("checked again")
		<-time.After(time.Minute)
		s.want("much later")
		s.stop()

		s = play(t)
		s.Change(cfg())
		<-time.After(5*time.Second - 1)
		s.wantOf("before the limit", "observed")
		<-time.After(time.Second)
		s.want("after it", "observed checks : true true")
		s.stop()
	})
}

// Who asks for events gets those that he has not seen, as far as they are kept.
func TestRing(t *testing.T) {
	var r ring
	if r.after(0) != nil || r.latest(5) != nil {
		t.Error("events before there are any")
	}
	for range kept + 10 {
		r.add(status.Event{})
	}
	all := r.after(0)
	if len(all) != kept || all[0].Seq != 11 || all[kept-1].Seq != kept+10 {
		t.Errorf("%d events from %d", len(all), all[0].Seq)
	}
	if rest := r.after(kept + 8); len(rest) != 2 || rest[0].Seq != kept+9 {
		t.Errorf("the rest: %+v", rest)
	}
	if r.after(kept+10) != nil || r.after(kept+500) != nil {
		t.Error("events from the future")
	}
	if last := r.latest(3); len(last) != 3 || last[0].Seq != kept+10 || last[2].Seq != kept+8 {
		t.Errorf("the latest: %+v", last)
	}
	if got := len(r.latest(kept * 2)); got != kept {
		t.Errorf("%d of all", got)
	}
}
