package status_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ipvsd/ipvsd/pkg/bfd"
	"github.com/ipvsd/ipvsd/pkg/internal/golden"
	"github.com/ipvsd/ipvsd/pkg/status"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

func track(kind vrrp.ObjectKind, name string, weight int) vrrp.Track {
	return vrrp.Track{Object: vrrp.Object{Kind: kind, Name: name}, Weight: weight}
}

// routers are virtual routers of which everything that can be told is to be told.
func routers() *status.VRRP {
	addr := netip.MustParseAddr
	up, down := vrrp.Reading{Known: true, Up: true}, vrrp.Reading{Known: true, Reason: "exit status 1"}
	config := func(name string, vrid uint8) *vrrp.Instance {
		return &vrrp.Instance{Name: name, VRID: vrid, Version: 3, Interface: "eth0", Preempt: true, DownTimerAdverts: 3}
	}
	external, internal, broken, six := config("VI_E", 51), config("VI_I", 52), config("VI_BROKEN", 53), config("VI_6", 54)
	internal.PreemptDelay, internal.Interface, internal.Version = 30*time.Second, "eth1", 2
	broken.Preempt = false
	six.IPv6, six.Interface, six.Parent = true, "vrrp6.54", "eth0"
	statuses := []vrrp.Status{
		{
			Name: "VI_E", Group: "VG1", State: vrrp.Active, Since: ago(4*time.Hour + 10*time.Minute), Reason: "192.0.2.2 (priority 100) was not heard for 3.4s",
			Base: 150, Effective: 140, Source: addr("192.0.2.1"), Interval: time.Second, Skew: 453 * time.Millisecond, ActiveDown: 3453 * time.Millisecond,
			Waits: "advert", Deadline: in(350 * time.Millisecond),
			Contribs: []vrrp.Contribution{
				{Track: track(vrrp.TrackInterface, "eth0", 0), Reading: up},
				{Track: track(vrrp.TrackInterface, "eth0", 0), Reading: up}, // of the group
				{Track: track(vrrp.TrackScript, "chk_nginx", -20), Reading: down, Adds: -20},
				{Track: track(vrrp.TrackProcess, "haproxy", 10), Reading: up, Adds: 10},
				{Track: vrrp.Track{Object: vrrp.Object{Kind: vrrp.TrackFile, Name: "drain"}, Weight: -1, Reverse: true}, Reading: vrrp.Reading{Known: true, Up: true}},
				{Track: track(vrrp.TrackBFD, "gw", -60), Reading: up},
				{Track: track(vrrp.TrackRoute, "uplink", -60), Reading: vrrp.Reading{}},
				{Track: track(vrrp.TrackService, "WEB", 5), Reading: up, Ignored: true},
			},
			Peers: []vrrp.PeerStatus{
				{Addr: addr("192.0.2.2"), Priority: 100, Interval: time.Second, Last: ago(4*time.Hour + 10*time.Minute), Adverts: 1234},
				{Addr: addr("192.0.2.3"), Interval: time.Second, Last: ago(5 * time.Hour), Adverts: 1},
			},
			Counters: vrrp.Counters{
				Sent: 15000, Received: 1234, BecameActive: 2, LeftIt: 1, PriorityZeroSent: 1, PriorityZeroReceived: 2, LowerWhileActive: 3, SendErrors: 4,
				LastSendError: "network is down", Late: 5, Latest: 400 * time.Millisecond, SteppedDown: 6, PutBack: 7, Mismatched: 8, IntervalMismatched: 9, Unauthenticated: 10,
				Rejected:     map[vrrp.Reject]uint64{vrrp.RejectTTL: 3, vrrp.RejectPassword: 11, vrrp.RejectState: 1},
				LastRejected: vrrp.Rejection{At: ago(time.Second), From: addr("192.0.2.4"), Why: vrrp.RejectPassword},
			},
			Transitions: []vrrp.Transition{
				{At: ago(4*time.Hour + 10*time.Minute), From: vrrp.Backup, To: vrrp.Active, Reason: "192.0.2.2 (priority 100) was not heard for 3.4s"},
				{At: ago(6 * time.Hour), From: vrrp.Initialize, To: vrrp.Backup, Reason: "all that it depends on is there"},
			},
		},
		{
			Name: "VI_I", Group: "VG1", State: vrrp.Backup, Since: ago(time.Minute), Reason: "10.0.0.2 has priority 200, ours is 150", Base: 150, Effective: 150,
			Source: addr("10.0.0.1"), Interval: time.Second, Skew: 414 * time.Millisecond, ActiveDown: 3414 * time.Millisecond, Waits: "preempt delay", Deadline: in(12 * time.Second),
			Heard: addr("10.0.0.2"), HeardPrio: 100, Contribs: []vrrp.Contribution{{Track: track(vrrp.TrackInterface, "eth1", 0), Reading: up}},
			Peers: []vrrp.PeerStatus{
				{Addr: addr("10.0.0.2"), Priority: 100, Interval: time.Second, Last: ago(time.Second / 2), Adverts: 60, Mismatched: true},
				{Addr: addr("10.0.0.3"), Priority: 160, Interval: time.Second, Last: ago(time.Hour), Adverts: 60, Mismatched: true},
			},
			Counters: vrrp.Counters{LastRejected: vrrp.Rejection{At: ago(time.Minute), From: addr("10.0.0.4"), Why: vrrp.RejectTTL}},
		},
		{
			Name: "VI_BROKEN", State: vrrp.Fault, Since: ago(3 * time.Second), Reason: "script chk_dns fails: exit status 1",
			Faults: []string{"script chk_dns fails: exit status 1", "interface eth9 is down: there is no interface \x1b[2Jeth9"}, Base: 100, Effective: 100,
			Interval: 10 * time.Millisecond, Skew: 6 * time.Millisecond, ActiveDown: 36 * time.Millisecond,
			Contribs: []vrrp.Contribution{
				{Track: track(vrrp.TrackScript, "chk_dns", 0), Reading: down, Fault: true},
				{Track: track(vrrp.TrackInterface, "eth9", 0), Reading: vrrp.Reading{Known: true, Reason: "there is no interface \x1b[2Jeth9"}, Fault: true},
			},
			Peers: []vrrp.PeerStatus{{Addr: addr("192.0.2.9"), Priority: 50, Interval: 10 * time.Millisecond, Last: ago(5 * time.Millisecond), Adverts: 3}},
		},
		{
			Name: "VI_6", State: vrrp.Backup, Since: ago(time.Hour), Reason: "handed over to fe80::2", Base: 250, Effective: 250, Yielded: true, Source: addr("fe80::1"),
			Interval: time.Second, Learned: 100 * time.Millisecond, Skew: 2 * time.Millisecond, ActiveDown: 302 * time.Millisecond, Waits: "active down", Deadline: in(250 * time.Millisecond),
			Heard: addr("fe80::2"), HeardPrio: 100, Peers: []vrrp.PeerStatus{{Addr: addr("fe80::2"), Priority: 100, Interval: 100 * time.Millisecond, Last: ago(50 * time.Millisecond), Adverts: 36000}},
			Counters: vrrp.Counters{LastRejected: vrrp.Rejection{At: ago(time.Second), From: addr("fe80::2"), Why: vrrp.RejectInterval}},
		},
	}
	s := &status.VRRP{
		At: now,
		Groups: []status.SyncGroup{status.SyncGroupOf(&vrrp.GroupStatus{
			Name: "VG1", State: vrrp.Active, Since: ago(4 * time.Hour), Reason: "VI_E: no other router is active", Members: []string{"VI_E", "VI_I"},
		})},
		Objects: []status.Tracked{
			status.TrackedOf(vrrp.Object{Kind: vrrp.TrackScript, Name: "chk_nginx"}, down, ago(time.Minute)),
			status.TrackedOf(vrrp.Object{Kind: vrrp.TrackInterface, Name: "eth1"}, up, ago(time.Hour)),
		},
		Sessions: []status.BFDSession{
			status.SessionOf(&bfd.Status{Name: "gw", Neighbor: addr("192.0.2.254"), State: bfd.Up, Since: ago(time.Hour), Reason: "up", Detection: 50 * time.Millisecond, Interval: 10 * time.Millisecond, Sent: 360000, Received: 350000}),
			status.SessionOf(&bfd.Status{Name: "second", Neighbor: addr("2001:db8::fe"), Since: ago(90 * time.Second), State: bfd.Down, Reason: "nothing heard from 2001:db8::fe", Interval: time.Second, Sent: 90}),
			status.SessionOf(&bfd.Status{Name: "third", Neighbor: addr("192.0.2.253"), Since: ago(time.Second), State: bfd.Init, Reason: "being agreed upon with 192.0.2.253", Detection: 5 * time.Second, Interval: time.Second, Sent: 1, Received: 1}),
		},
		Thread: status.Thread{Realtime: 50, MemoryLocked: true, CPUs: []int{0, 1}, Denied: []string{"vrrp_no_swap: operation not permitted"}},
		Events: []status.Event{
			{Seq: 9, At: ago(time.Minute), Instance: "VI_I", Kind: "BACKUP", From: "MASTER", Priority: 150, Reason: "10.0.0.2 has priority 200, ours is 150"},
			{Seq: 8, At: ago(4 * time.Hour), Group: "VG1", Kind: "MASTER", From: "BACKUP"},
			{Seq: 7, At: ago(5 * time.Hour), Instance: "VI_E", Kind: "PUT_BACK", Priority: 140, Reason: "192.0.2.100/24 dev eth0"},
		},
	}
	for i, c := range []*vrrp.Instance{external, internal, broken, six} {
		s.Instances = append(s.Instances, status.VirtualRouterOf(c, &statuses[i]))
	}
	e := &s.Instances[0]
	e.Addresses = []netip.Prefix{netip.MustParsePrefix("192.0.2.100/24"), netip.MustParsePrefix("192.0.2.101/24")}
	e.Held = status.Held{
		Wished: 3, Present: 2, PutBack: []string{"192.0.2.100/24 dev eth0"}, Failed: []string{"198.51.100.0/24 via 192.0.2.9: network is unreachable"},
		Conflicts: []string{"192.0.2.101/24: 02:00:00:00:00:07 says that it is its own"},
	}
	return s
}

func TestVRRPText(t *testing.T) {
	of := func(name string) *status.VRRP {
		one, err := routers().Of(name)
		if err != nil {
			t.Fatal(err)
		}
		return one
	}
	ended := &status.VRRP{At: now, Error: "raw sockets: operation not permitted", Instances: []status.VirtualRouter{}}
	for name, text := range map[string]func(io.Writer, status.Style) error{
		"vrrp":          routers().Text,
		"vrrp-ended":    ended.Text,
		"vrrp-instance": of("VI_E").Details,
		"vrrp-group":    of("VG1").Details,
		"vrrp-fault":    of("VI_BROKEN").Details,
		"vrrp-yielded":  of("VI_6").Details,
		"vrrp-explain":  func(w io.Writer, s status.Style) error { return status.ExplainText(routers().Explain(), w, s) },
		"vrrp-switched": func(w io.Writer, s status.Style) error {
			done := status.Switched{Name: "VI_E", Done: true, By: netip.MustParseAddr("192.0.2.2"), Took: 12345 * time.Microsecond}
			group := status.Switched{Name: "VG1", Done: true, Took: time.Second}
			not := status.Switched{Name: "VI_E", Error: "no other router took over within 3.6s", Took: 3600 * time.Millisecond}
			return errors.Join(done.Text(w, s), group.Text(w, s), not.Text(w, s))
		},
		"vrrp-status": func(w io.Writer, s status.Style) error {
			for _, v := range []*status.VRRP{routers(), ended} {
				if err := (&status.Snapshot{At: now, VRRP: v}).Text(w, s); err != nil {
					return err
				}
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			var plain, color bytes.Buffer
			if err := errors.Join(text(&plain, status.Style{}), text(&color, status.Style{Color: true})); err != nil {
				t.Fatal(err)
			}
			golden.Check(t, "testdata/"+name+".golden", plain.Bytes())
			golden.Check(t, "testdata/"+name+"-color.golden", color.Bytes())
		})
	}
}

// The JSON form is the contract: names don't change, and what is written can be read back.
func TestVRRPJSON(t *testing.T) {
	text, err := json.MarshalIndent(routers(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/vrrp.json.golden", append(text, '\n'))
	back := new(status.VRRP)
	if err := json.Unmarshal(text, back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(routers(), back, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestVRRPOf(t *testing.T) {
	one, err := routers().Of("VI_I")
	if err != nil {
		t.Fatal(err)
	}
	if len(one.Instances) != 1 || len(one.Groups) != 0 || len(one.Objects) != 1 || len(one.Events) != 1 {
		t.Errorf("%+v", one)
	}
	if _, err := routers().Of("VI_X"); err == nil || err.Error() != `there is no instance or sync group "VI_X": there are VG1, VI_E, VI_I, VI_BROKEN, VI_6` {
		t.Errorf("%v", err)
	}
	if _, err := new(status.VRRP).Of("VI_X"); err == nil || !strings.HasSuffix(err.Error(), "there are none") {
		t.Errorf("%v", err)
	}
}

func TestSwitched(t *testing.T) {
	by := netip.MustParseAddr("192.0.2.2")
	router := func(name, state string, handing bool) status.VirtualRouter {
		return status.VirtualRouter{Name: name, State: state, HandingOver: handing, ActiveRouter: by, Reason: "eth0 is down"}
	}
	group := []status.SyncGroup{{Name: "VG", Members: []string{"A", "B"}}}
	for name, test := range map[string]struct {
		s    status.VRRP
		of   string
		want *status.Switched // nil: it goes on
	}{
		"goes on":            {status.VRRP{Instances: []status.VirtualRouter{router("A", "MASTER", true)}}, "A", nil},
		"done":               {status.VRRP{Instances: []status.VirtualRouter{router("B", "MASTER", true), router("A", "BACKUP", false)}}, "A", &status.Switched{Name: "A", Done: true, By: by}},
		"taken back":         {status.VRRP{Instances: []status.VirtualRouter{router("A", "MASTER", false)}}, "A", &status.Switched{Name: "A", Error: "no other router took over: this one serves as before"}},
		"fault":              {status.VRRP{Instances: []status.VirtualRouter{router("A", "FAULT", false)}}, "A", &status.Switched{Name: "A", Error: "A is FAULT: eth0 is down"}},
		"removed":            {status.VRRP{}, "A", &status.Switched{Name: "A", Error: "a reload has removed it"}},
		"group goes on":      {status.VRRP{Groups: group, Instances: []status.VirtualRouter{router("A", "BACKUP", false), router("B", "MASTER", true)}}, "VG", nil},
		"member, with group": {status.VRRP{Groups: group, Instances: []status.VirtualRouter{router("A", "BACKUP", false), router("B", "MASTER", true)}}, "A", nil},
		"group done":         {status.VRRP{Groups: group, Instances: []status.VirtualRouter{router("A", "BACKUP", false), router("B", "BACKUP", false)}}, "VG", &status.Switched{Name: "VG", Done: true, By: by}},
	} {
		got, over := test.s.Switched(test.of)
		if over != (test.want != nil) || over && *got != *test.want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, over, test.want)
		}
	}
}

// Who would win is also told where little is known, and where the priority is not all.
func TestExplainOdd(t *testing.T) {
	addr := netip.MustParseAddr
	router := func(name, state string, change func(*status.VirtualRouter)) status.VirtualRouter {
		v := status.VirtualRouter{
			Name: name, State: state, Version: 3, Interval: time.Second, DownAdverts: 3, Priority: 100, Effective: 100, Preempt: true, Source: addr("192.0.2.1"), Reason: "it started",
		}
		change(&v)
		return v
	}
	up := func(kind, name string, weight int) status.Contributes {
		return status.Contributes{Object: status.Object{Kind: kind, Name: name}, Weight: weight, Known: true, Up: true}
	}
	heard := func(v *status.VirtualRouter) { v.ActiveRouter, v.ActivePriority = addr("192.0.2.2"), 50 }
	s := &status.VRRP{At: now, Instances: []status.VirtualRouter{
		router("alone", "MASTER", func(v *status.VirtualRouter) {
			v.Contribs = []status.Contributes{up("script", "chk", -20), up("bfd", "gw", 10), up("interface", "eth0", 0), up("interface", "eth1", 0)}
			v.Interface, v.Parent, v.Effective = "vrrp.51", "eth0", 110
		}),
		router("owner", "MASTER", func(v *status.VirtualRouter) {
			v.Priority, v.Effective = 255, 255
			w := up("script", "chk", -20)
			w.Ignored = true
			v.Contribs = []status.Contributes{w}
		}),
		router("hands", "MASTER", func(v *status.VirtualRouter) {
			v.HandingOver, v.PreemptDelay = true, time.Minute
			v.Peers = []status.PeerRouter{{Addr: addr("192.0.2.2"), Priority: 50, Last: ago(time.Hour)}}
		}),
		router("new", "BACKUP", func(v *status.VirtualRouter) { v.Waits, v.Deadline = "active down", in(2*time.Second) }),
		router("relieves", "BACKUP", func(v *status.VirtualRouter) { // the active router has just given up
			v.ActiveRouter, v.Deadline = addr("192.0.2.2"), in(609*time.Millisecond)
		}),
		router("nopreempt", "BACKUP", func(v *status.VirtualRouter) { heard(v); v.Preempt = false }),
		router("preempts", "BACKUP", func(v *status.VirtualRouter) {
			heard(v)
			v.Waits, v.Deadline = "active down", in(2*time.Second)
			v.Contribs = []status.Contributes{up("script", "chk", -60), {Object: status.Object{Kind: "file", Name: "f"}, Weight: -300, Known: true}}
		}),
		router("lame", "BACKUP", func(v *status.VirtualRouter) {
			heard(v)
			v.Group, v.Contribs = "VG", []status.Contributes{up("script", "chk", 20)}
			v.Contribs[0].Up = false
		}),
		router("broken", "FAULT", func(v *status.VirtualRouter) {
			v.Group, v.Faults = "VG", []string{"interface eth1 is down"}
			v.Contribs = []status.Contributes{up("interface", "eth1", 0)}
			v.Contribs[0].Up, v.Contribs[0].Fault = false, true
		}),
		router("waits", "INIT", func(v *status.VirtualRouter) { v.Reason = "script chk has not been looked at yet" }),
	}}
	var b bytes.Buffer
	if err := status.ExplainText(s.Explain(), &b, status.Style{}); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/vrrp-explain-odd.golden", b.Bytes())
}

// A stop costs clients what nobody tells the other router of.
func TestCost(t *testing.T) {
	daemon := &status.SyncDaemon{Interface: "eth1"}
	service := []status.Service{{}}
	for _, tt := range []struct {
		name  string
		s     status.Snapshot
		costs bool
	}{
		{"no sync daemon", status.Snapshot{Services: service, Settings: &status.Settings{}}, true},
		{"no services", status.Snapshot{Settings: &status.Settings{}}, false},
		{"not read yet", status.Snapshot{Services: service}, false},
		{"master", status.Snapshot{Services: service, Settings: &status.Settings{Master: daemon}}, false},
		{"backup", status.Snapshot{Services: service, Settings: &status.Settings{Backup: daemon}}, false},
	} {
		all := routers().Explain()
		tt.s.Cost(all)
		said := 0
		for _, o := range all {
			for _, c := range o.Cases {
				if tells := strings.Contains(c.Why, "reset: there is no lvs_sync_daemon"); tells && c.If != "this router stops" {
					t.Errorf("%s: %s, if %s", tt.name, o.Instance, c.If)
				} else if tells {
					said++
				}
			}
		}
		if (said > 0) != tt.costs {
			t.Errorf("%s: said %d times", tt.name, said)
		}
	}
}
