package track_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/track"
	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// told is what a tracker reported, a line a reading.
type told struct {
	mu    sync.Mutex
	lines []string
}

func (t *told) report(o vrrp.Object, r vrrp.Reading) {
	state := "down"
	switch {
	case !r.Known:
		state = "unknown"
	case o.Kind == vrrp.TrackFile:
		state = fmt.Sprint(r.Value)
	case r.Up:
		state = "up"
	}
	line := strings.TrimSpace(fmt.Sprintf("%s %s %s: %s", o.Kind, o.Name, state, r.Reason))
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, strings.TrimSuffix(line, ":"))
}

func (t *told) take() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := t.lines
	t.lines = nil
	return lines
}

// start runs a tracker until the end of the test.
func start(t *testing.T, opts ...func(*track.Tracker)) (*track.Tracker, *told) {
	t.Helper()
	seen := new(told)
	k := track.New(track.Options{Log: slog.New(slog.DiscardHandler), Report: seen.report})
	for _, o := range opts {
		o(k)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- k.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
	})
	return k, seen
}

// tracking is a configuration of one instance that depends on objects: "interface eth0".
func tracking(objects ...string) *config.VRRP {
	i := &config.Instance{Instance: vrrp.Instance{Name: "VI_1"}}
	for _, o := range objects {
		word, name, _ := strings.Cut(o, " ")
		kind := vrrp.TrackInterface
		for kind.String() != word {
			kind++
		}
		i.Tracks = append(i.Tracks, vrrp.Track{Object: vrrp.Object{Kind: kind, Name: name}})
	}
	return &config.VRRP{Instances: []*config.Instance{i}}
}

func link(name string, up bool, addrs ...string) vip.Interface {
	l := vip.Interface{Name: name, Up: up}
	for _, a := range addrs {
		l.Addrs = append(l.Addrs, netip.MustParsePrefix(a))
	}
	return l
}

func expect(t *testing.T, seen *told, when string, want ...string) {
	t.Helper()
	synctest.Wait()
	got := seen.take()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s: reported\n%s\nwant\n%s", when, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// waitFor waits until just these have been reported.
func waitFor(t *testing.T, seen *told, want ...string) {
	t.Helper()
	slices.Sort(want)
	var got []string
	lab.WaitFor(t, time.Minute, "reports", func() error {
		got = append(got, seen.take()...)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			return fmt.Errorf("reported\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		return nil
	})
}

func TestInterfacesAndAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, seen := start(t)
		c := tracking("interface eth0", "interface eth1", "address 192.0.2.1", "address fe80::1%eth0", "address 192.0.2.2/24")
		k.Change(c)
		expect(t, seen, "before anything is known")
		k.Interfaces([]vip.Interface{link("eth0", true, "192.0.2.1/24"), link("eth2", true, "fe80::1/64", "192.0.2.2/32")})
		expect(t, seen, "at first",
			"interface eth0 up", "interface eth1 down: there is no interface eth1",
			"address 192.0.2.1 up", "address 192.0.2.2/24 up", "address fe80::1%eth0 down: fe80::1 is not on interface eth0")
		k.Interfaces([]vip.Interface{link("eth0", false, "fe80::1/64"), link("eth1", true)})
		expect(t, seen, "other news",
			"interface eth0 down: interface eth0 is down or has no carrier", "interface eth1 up",
			"address 192.0.2.1 down: 192.0.2.1 is not on this host", "address 192.0.2.2/24 down: 192.0.2.2 is not on this host", "address fe80::1%eth0 up")
		k.Interfaces([]vip.Interface{link("eth0", false, "fe80::1/64"), link("eth1", true)})
		k.Change(tracking("interface eth0"))
		expect(t, seen, "nothing new")
		k.Change(c)
		expect(t, seen, "what is tracked again",
			"interface eth1 up", "address 192.0.2.1 down: 192.0.2.1 is not on this host", "address 192.0.2.2/24 down: 192.0.2.2 is not on this host",
			"address fe80::1%eth0 up")
		k.Interfaces(nil)
		expect(t, seen, "no interface at all", "interface eth0 down: there is no interface eth0", "interface eth1 down: there is no interface eth1",
			"address fe80::1%eth0 down: fe80::1 is not on interface eth0")
	})
}

// A group's tracks count like those of its members.
func TestGroupsTrack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, seen := start(t)
		c := tracking("interface eth0")
		c.Groups = []*config.Group{{Group: vrrp.Group{Tracks: []vrrp.Track{{Object: vrrp.Object{Kind: vrrp.TrackInterface, Name: "eth1"}}}}}}
		k.Interfaces([]vip.Interface{link("eth0", true), link("eth1", true)})
		k.Change(c)
		expect(t, seen, "both", "interface eth0 up", "interface eth1 up")
	})
}

// interface_up_down_delays: what does not last is not believed, and the first is at once.
func TestInterfaceDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, seen := start(t)
		c := tracking("interface eth0", "interface eth1")
		c.UpDelay = map[string]config.LinkDelay{"eth0": {Up: 3 * time.Second, Down: time.Second}}
		k.Change(c)
		set := func(up bool) { k.Interfaces([]vip.Interface{link("eth0", up), link("eth1", up)}) }
		const down0, down1 = "interface eth0 down: interface eth0 is down or has no carrier", "interface eth1 down: interface eth1 is down or has no carrier"
		set(true)
		expect(t, seen, "at first", "interface eth0 up", "interface eth1 up")
		set(false)
		time.Sleep(999 * time.Millisecond)
		expect(t, seen, "less than a second", down1)
		set(true)
		time.Sleep(time.Hour)
		expect(t, seen, "it was back in time", "interface eth1 up")
		set(false)
		time.Sleep(500 * time.Millisecond)
		k.Interfaces([]vip.Interface{link("eth1", false)}) // another reason, the same time
		time.Sleep(500 * time.Millisecond)
		expect(t, seen, "a second", down1, "interface eth0 down: there is no interface eth0")
		set(true)
		time.Sleep(3*time.Second - 1)
		expect(t, seen, "not quite three seconds", "interface eth1 up")
		time.Sleep(time.Nanosecond)
		expect(t, seen, "three seconds", "interface eth0 up")
		set(false)
		c2 := *c
		c2.UpDelay = nil
		k.Change(&c2)
		expect(t, seen, "a reload without delays", down0, down1)
	})
}

func scripted(c *config.VRRP, name, path string, p health.Policy) {
	if c.Scripts == nil {
		c.Scripts = make(map[string]health.ID)
	}
	c.Scripts[name] = health.Check{Type: "vrrp_script", Timeout: time.Second, Spec: health.Misc{Argv: health.ListOf(path)}, Policy: p}.ID()
}

// A script's first result decides. After that fall failures take it down, and rise successes bring it back.
func TestScripts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		results := map[string]error{}
		runs := map[string]int{}
		set := func(path string, err error) { mu.Lock(); results[path] = err; mu.Unlock() }
		run := func(_ context.Context, c health.Check) (f health.Finding, err error) {
			mu.Lock()
			defer mu.Unlock()
			for path := range c.Spec.(health.Misc).Argv.All() {
				runs[path]++
				err = results[path]
			}
			return f, err
		}
		k, seen := start(t, func(k *track.Tracker) { track.ProbeBy(k, run) })
		c := tracking("script a", "script b", "script same", "script late")
		every := health.Policy{DelayLoop: time.Second, FastInterval: time.Second, Retry: 1, Rise: 2}
		scripted(c, "a", "/a", every)
		scripted(c, "same", "/a", every)
		scripted(c, "b", "/b", every)
		late := every
		late.Alpha, late.Warmup = true, time.Hour
		scripted(c, "late", "/late", late)
		scripted(c, "idle", "/idle", every) // nobody depends on it
		set("/b", errors.New("exit status 3"))
		k.Change(c)
		time.Sleep(time.Nanosecond)
		expect(t, seen, "first results", "script late down: it has not run yet, and init_fail is set", "script a up", "script b down: exit status 3", "script same up")
		set("/a", errors.New("exit status 1"))
		set("/b", nil)
		time.Sleep(5 * time.Second)
		expect(t, seen, "two of each", "script a down: exit status 1", "script same down: exit status 1", "script b up")
		less := tracking("script a")
		less.Scripts = c.Scripts
		k.Change(less)
		expect(t, seen, "fewer")
		k.Change(c)
		time.Sleep(time.Nanosecond)
		expect(t, seen, "what is tracked again", "script late down: it has not run yet, and init_fail is set", "script same down: exit status 1", "script b up")
		if runs["/idle"] > 0 {
			t.Error("a script that nobody depends on has run")
		}
	})
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(in(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	k, seen := start(t)
	wait := func(want ...string) {
		t.Helper()
		for i := range want {
			want[i] = strings.ReplaceAll(want[i], "DIR", dir)
		}
		waitFor(t, seen, want...)
	}
	write("old", "5\n")
	write("kept", "6\n")
	write("text", "many")
	c := tracking("file absent", "file kept", "file made", "file old", "file text")
	c.Files = map[string]config.TrackFile{
		"absent": {Path: in("absent")}, "text": {Path: in("text")}, "made": {Path: in("made"), Init: true, Value: -3},
		"kept": {Path: in("kept"), Init: true, Value: 7}, "old": {Path: in("old"), Init: true, Value: 8, Overwrite: true},
	}
	track.Initialize(slog.New(slog.DiscardHandler), c.Files, nil)
	k.Change(c)
	wait("file absent 0", "file kept 6", "file made -3", "file old 8", `file text 0: DIR/text counts as 0: "many" is no number`)
	write("old", "9")
	wait("file old 9")
	track.Initialize(slog.New(slog.DiscardHandler), c.Files, c.Files)
	k.Change(c)
	write("absent", "1")
	wait("file absent 1") // nothing else: init_file was for the start
	if err := os.Remove(in("absent")); err != nil {
		t.Fatal(err)
	}
	wait("file absent 0")
	more := tracking("file old", "file proc")
	more.Files = map[string]config.TrackFile{"old": c.Files["old"], "proc": {Path: "/proc/self/oom_score_adj"}}
	k.Change(more)
	wait("file proc 0: /proc/self/oom_score_adj counts as 0: it is on proc, where changes are not told of")
	write("old", "10")
	wait("file old 10")
}

// Processes are counted, whether the kernel tells of them or not.
func TestProcesses(t *testing.T) {
	k, seen := start(t)
	c := tracking("process sleeps", "process none")
	seconds := fmt.Sprintf("%d.5", 100_000+os.Getpid())
	c.Processes = map[string]config.Process{
		"sleeps": {Argv: []string{"sleep", seconds}, Match: "exact", Quorum: 2, QuorumMax: 2},
		"none":   {Argv: []string{"no-such-program"}, QuorumMax: 0},
	}
	k.Change(c)
	waitFor(t, seen, "process none up", "process sleeps down: 0 of sleep run, 2 are needed")
	var running []*exec.Cmd
	begin := func() {
		t.Helper()
		cmd := exec.Command("sleep", seconds)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		running = append(running, cmd)
		t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	}
	begin()
	waitFor(t, seen, "process sleeps down: 1 of sleep run, 2 are needed")
	begin()
	waitFor(t, seen, "process sleeps up")
	begin()
	waitFor(t, seen, "process sleeps down: 3 of sleep run, at most 2 may")
	if err := running[0].Process.Kill(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, seen, "process sleeps up") // a process that nobody has waited for has ended all the same
}
