package failover

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ipvsd/ipvsd/pkg/alert"
	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/script"
	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vip/vipnl"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
	"github.com/ipvsd/ipvsd/pkg/vrrp/vrrpio"
)

// stage is a Failover in a bubble, with parts that do nothing but write down what they are told.
type stage struct {
	*Failover
	t    *testing.T
	log  *bytes.Buffer
	stop func()

	mu      sync.Mutex
	journal []string
	wishes  map[string]vip.Wish
	roles   map[string]vrrp.State
	news    []alert.News // since lines was called
	fails   chan error   // ends the runner
	atEnd   []vrrp.Action
	remains *vrrpio.Remains
	ready   chan struct{}
	wentOn  []vrrp.Action  // of Recover
	addrs   []netip.Prefix // of eth0
	between func()         // is called when the keeper is told an instance's wish, before it is taken in
}

func (s *stage) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.journal = append(s.journal, fmt.Sprintf(format, args...))
}

// told returns what was written down since it was called before.
func (s *stage) told() []string {
	s.t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.journal
	s.journal = nil
	return list
}

// lines returns what FIFOs were told since it was called before.
func (s *stage) lines() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, n := range s.news {
		if line := n.Text(); line != "" {
			b.WriteString(line + "\n")
		}
	}
	s.news = nil
	return b.String()
}

func (s *stage) want(when string, want ...string) {
	s.t.Helper()
	if d := cmp.Diff(want, s.told()); d != "" {
		s.t.Errorf("%s (-want +got):\n%s", when, d)
	}
}

// wantOf is want for the lines that begin so.
func (s *stage) wantOf(when, begin string, want ...string) {
	s.t.Helper()
	got := slices.DeleteFunc(s.told(), func(l string) bool { return !strings.HasPrefix(l, begin) })
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		s.t.Errorf("%s (-want +got):\n%s", when, d)
	}
}

type fakeRunner struct{ *stage }

func (r fakeRunner) Run(ctx context.Context) error {
	select {
	case err := <-r.fails:
		r.note("runner fails")
		return err
	case <-ctx.Done():
	}
	r.note("runner ends")
	r.report(r.atEnd)
	return ctx.Err()
}

func (r fakeRunner) Change(instances []vrrp.Instance, groups []vrrp.Group) {
	var names []string
	for _, i := range instances {
		names = append(names, i.Name)
	}
	for _, g := range groups {
		names = append(names, "group "+g.Name)
	}
	r.note("instances %s", strings.Join(names, ", "))
}

func (r fakeRunner) Interfaces(list []vip.Interface) {
	r.note("runner: %d interfaces", len(list))
	if r.remains != nil {
		close(r.ready)
	}
}
func (r fakeRunner) Observe(o vrrp.Object, v vrrp.Reading) {
	r.note("observed %s %s: %v %v", o.Kind, o.Name, v.Known, v.Up)
}
func (r fakeRunner) PutBack(name string) { r.note("put back %s", name) }
func (r fakeRunner) Abandon()            { r.note("abandoned"); r.fails <- nil }
func (r fakeRunner) Switchover(_ context.Context, name string) error {
	r.note("switchover %s", name)
	return nil
}

func (r fakeRunner) Status(context.Context) ([]vrrp.Status, []vrrp.GroupStatus, error) {
	return []vrrp.Status{{Name: "VI_1", State: vrrp.Active}}, []vrrp.GroupStatus{{Name: "G1", State: vrrp.Active}}, nil
}

func (r fakeRunner) Ready() <-chan struct{} { return r.ready }
func (r fakeRunner) Freeze(context.Context) (vrrp.Standing, func(), error) {
	r.note("runner stands still")
	return vrrp.Standing{}, func() { r.note("runner goes on") }, nil
}
func (r fakeRunner) Recover(_ context.Context, _ *vrrpio.Remains, fit map[string]bool) error {
	r.note("runner recovers: %v", fit)
	r.report(r.wentOn)
	return nil
}
func (r fakeRunner) Resume(s vrrp.Standing) {
	r.note("runner goes on with %d instances", len(s.Instances))
}

var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

func (r fakeRunner) Thread() (vrrpio.Thread, bool) { return vrrpio.Thread{Realtime: 50}, true }

type fakeTracker struct{ *stage }

func (r fakeTracker) Run(ctx context.Context) error {
	<-ctx.Done()
	r.note("tracker ends")
	return nil
}
func (r fakeTracker) Change(c *config.VRRP)           { r.note("tracker: %d instances", len(c.Instances)) }
func (r fakeTracker) Interfaces(list []vip.Interface) { r.note("tracker: %d interfaces", len(list)) }

// play starts a Failover without a configuration.
func play(t *testing.T) *stage {
	t.Helper()
	s := prepare(t)
	s.begin()
	return s
}

// prepare does all but begin.
func prepare(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, log: new(bytes.Buffer), wishes: make(map[string]vip.Wish), fails: make(chan error), ready: closed}
	o := Options{
		Log: slog.New(slog.NewTextHandler(s.log, nil)),
		Roles: func(roles map[string]vrrp.State) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.roles = roles
		},
		Tell: func(list ...alert.News) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.news = append(s.news, list...)
		},
	}
	s.Failover = newFailover(o, func(*Failover) (*parts, error) {
		return &parts{remains: s.remains, runner: fakeRunner{s}, keeper: fakeKeeper{s}, tracker: fakeTracker{s}, interfaces: func(ctx context.Context, report func([]vip.Interface, error)) {
			report([]vip.Interface{{Name: "eth0", Addrs: s.addrs}}, nil)
			<-ctx.Done()
			s.note("watch ends")
		}}, nil
	}, func() []vip.Interface { return []vip.Interface{{Name: "eth0", Addrs: s.addrs}} })
	s.scripts = script.NewQueues(func(_ context.Context, c script.Command) (string, error) {
		s.note("script %s", strings.Join(c.Argv, " "))
		return "", nil
	})
	return s
}

// begin begins Run, which stop ends.
func (s *stage) begin() {
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	s.stop = func() {
		s.t.Helper()
		cancel()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
	}
	s.t.Cleanup(cancel)
}

func script1(words ...string) *config.Script { return &config.Script{Argv: words} }

// scriptsOf are one script of every kind for an instance or a group.
func scriptsOf(name string) config.Notify {
	return config.Notify{
		Master: script1("/n", name, "master"), Backup: script1("/n", name, "backup"), Fault: script1("/n", name, "fault"),
		Stop: script1("/n", name, "stop"), Deleted: script1("/n", name, "deleted"), RxLowerPri: script1("/n", name, "lower"),
		Any: script1("/n", "any"),
	}
}

// instance is one with an address of its VRID.
func instance(name string, vrid uint8) *config.Instance {
	c := &config.Instance{Notify: scriptsOf(name)}
	c.Name, c.VRID, c.Interface, c.Priority = name, vrid, "eth0", 100
	c.Active.Owner, c.Idle.Owner = name, name
	c.Active.Addresses = []vip.Address{{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, vrid}), 24), Dev: "eth0"}}
	return c
}

// withService makes an instance depend on a virtual server.
func withService(c *config.Instance, name string) *config.Instance {
	c.Tracks = append(c.Tracks, vrrp.Track{Object: vrrp.Object{Kind: vrrp.TrackService, Name: name}})
	return c
}

func groupOf(name string, members ...string) *config.Group {
	return &config.Group{Group: vrrp.Group{Name: name, Members: members}, Notify: scriptsOf(name)}
}

func became(name string, from, to vrrp.State) vrrp.Became {
	return vrrp.Became{Instance: name, From: from, To: to, Priority: 100, Reason: "test"}
}

type fakeKeeper struct{ *stage }

func (k fakeKeeper) Run(ctx context.Context) error {
	if k.remains != nil {
		k.note("keeper begins")
	}
	<-ctx.Done()
	k.note("keeper ends")
	return nil
}
func (k fakeKeeper) Change(s vipnl.Setup) {
	k.note("setup: %d links, %d wishes", len(s.Links), len(s.Universe))
}

func (fakeKeeper) Together(say func()) { say() }
func (k fakeKeeper) Freeze() func() {
	k.note("keeper stands still")
	return func() { k.note("keeper goes on") }
}

func (k fakeKeeper) Wish(w vip.Wish) {
	k.mu.Lock()
	between := k.between
	if w.Owner != "" {
		k.between = nil
	}
	k.mu.Unlock()
	if between != nil && w.Owner != "" {
		between()
	}
	text := "wish " + w.Owner + ":"
	for _, a := range w.Addresses {
		text += " " + a.Prefix.String()
	}
	if w.Repeat > 0 {
		text += fmt.Sprint(" repeat ", w.Repeat)
	}
	k.mu.Lock()
	k.wishes[w.Owner] = w
	k.mu.Unlock()
	k.note("%s", text)
}
