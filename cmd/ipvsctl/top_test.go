package main

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/event/feed"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/status"
	"github.com/ipvsd/ipvsd/pkg/top"
)

// director is a daemon with a service of two servers, which come and go as they are told.
type director struct {
	fake
	mu     sync.Mutex
	drains bool // the first server; guarded by mu
	looks  int  // guarded by mu
}

func (d *director) Status(ctx context.Context) (*status.Snapshot, error) {
	s, err := d.fake.Status(ctx)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s.VRRP = &status.VRRP{Instances: []status.VirtualRouter{{Name: "VI_1", State: "MASTER", Effective: 150}}}
	v := &s.Services[0]
	second := v.Servers[0]
	second.Addr, second.Health, second.TableWeight, second.InTable, second.Error = netip.MustParseAddrPort("198.51.100.2:80"), health.Down, 0, false, "connection refused"
	v.Servers = append(v.Servers, second)
	if first := &v.Servers[0]; d.drains {
		first.TableWeight = 0
		first.Wishes = []admin.Wish{{Server: admin.Server{AddrPort: first.Addr}, What: admin.Drain, Owner: "root", Since: at}}
	}
	v.Servers[0].ActiveConns = 5
	v.Servers[0].Stats.Connections = uint64(700 * d.looks) // as if it were always the same time between two looks
	v.Stats.Connections = uint64(700 * d.looks)
	s.At = at.Add(time.Duration(2*d.looks) * time.Second)
	d.looks++
	return s, nil
}

func (d *director) Order(_ context.Context, o control.Order) (*status.Wishes, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if o.Server != "198.51.100.1:80" {
		return nil, errors.New("which server?")
	}
	d.drains = o.Verb == control.Drain
	return &status.Wishes{}, nil
}

// mirror is a screen that nobody sees but the test.
type mirror struct {
	tcell.SimulationScreen
	drawing sync.Mutex // the cells, which are drawn anew when the size changes, too
	mu      sync.Mutex
	shown   string // guarded by mu
}

func (m *mirror) Sync() {
	m.drawing.Lock()
	defer m.drawing.Unlock()
	m.SimulationScreen.Sync()
}

func (m *mirror) Show() {
	m.drawing.Lock()
	defer m.drawing.Unlock()
	m.SimulationScreen.Show()
	cells, width, _ := m.GetContents()
	var b strings.Builder
	for i, c := range cells {
		if i%width == 0 {
			b.WriteByte('\n')
		}
		b.WriteString(string(c.Runes))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.shown = b.String()
}

func (m *mirror) text() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.shown
}

// The keys reach the daemon, what it says the screen; it may go away and come back.
func TestTop(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	d := &director{fake: fake{feed: feed.New(8)}}
	d.feed.Add(event.Event{At: at, Kind: event.Quorum, Service: "tcp 192.0.2.1:80", From: "up", To: "down"})
	stop := serve(t, socket, d, nil)
	screen := &mirror{SimulationScreen: tcell.NewSimulationScreen("")}
	if err := screen.Init(); err != nil {
		t.Fatal(err)
	}
	screen.SetSize(100, 24)
	ended := make(chan error)
	go func() {
		ended <- (&app{socket: socket, stdout: io.Discard, color: "always"}).top(t.Context(), screen, 10*time.Millisecond)
	}()
	await := func(want string) {
		t.Helper()
		limit := time.After(time.Minute)
		for !strings.Contains(screen.text(), want) {
			select {
			case err := <-ended:
				t.Fatalf("it ended: %v", err)
			case <-limit:
				t.Fatalf("%q is not on the screen:%s", want, screen.text())
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	await("VI_1 MASTER 150")
	await("conn/s 350")
	await("quorum tcp 192.0.2.1:80: up -> down")
	await("connection refused")
	screen.InjectKey(tcell.KeyDown, 0, tcell.ModNone)
	screen.InjectKey(tcell.KeyRune, 'd', tcell.ModNone)
	await("Drain 198.51.100.1:80 of tcp 192.0.2.1:80?")
	screen.InjectKey(tcell.KeyRune, 'y', tcell.ModNone)
	await("198.51.100.1:80 drains")
	await("drains, 5 left")
	screen.InjectKey(tcell.KeyRune, 'u', tcell.ModNone)
	screen.InjectKey(tcell.KeyRune, 'y', tcell.ModNone)
	await("198.51.100.1:80 does not drain any more")
	stop()
	await("the daemon is away since")
	stop = serve(t, socket, d, nil)
	d.feed.Add(event.Event{At: at, Kind: event.Daemon, To: "back"})
	await("daemon back")
	screen.SetSize(44, 12)
	if err := screen.PostEvent(tcell.NewEventResize(44, 12)); err != nil {
		t.Fatal(err)
	}
	await("conn/s ..")
	screen.InjectKey(tcell.KeyRune, 'q', tcell.ModNone)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	stop()
}

// A character of two cells has the one that follows it behind it, and an accent is with its letter.
func TestDrawWide(t *testing.T) {
	screen := &mirror{SimulationScreen: tcell.NewSimulationScreen("UTF-8")}
	if err := screen.Init(); err != nil {
		t.Fatal(err)
	}
	defer screen.Fini()
	screen.SetSize(20, 1)
	draw(screen, []top.Line{{Spans: []top.Span{{Text: "東京|"}, {Text: "e\u0301|", Style: top.Bold}}}}, false)
	cells, _, _ := screen.GetContents()
	for x, want := range map[int]string{0: "東", 2: "京", 4: "|", 5: "e\u0301", 6: "|"} {
		if got := string(cells[x].Runes); got != want {
			t.Errorf("cell %d: %q, want %q", x, got, want)
		}
	}
}

// Without a terminal it says what to use instead.
func TestTopWithoutTerminal(t *testing.T) {
	if code, out, errs := ctl(t, nil, "top"); code != exitUsage || out != "" || !strings.Contains(errs, "ipvsctl list") {
		t.Errorf("%d %q %q", code, out, errs)
	}
	if code, _, errs := ctl(t, nil, "top", "--interval", "1s"); code != exitUsage || !strings.Contains(errs, "every 2s") {
		t.Errorf("%d %q", code, errs)
	}
}

func TestTopPause(t *testing.T) {
	gone := errors.New("no answer")
	for _, c := range []struct {
		interval, took time.Duration
		err            error
		want           time.Duration
	}{
		{2 * time.Second, time.Millisecond, nil, 2 * time.Second},
		{2 * time.Second, 4 * time.Second, nil, 20 * time.Second},
		{2 * time.Second, time.Millisecond, gone, 2 * time.Second},
		{2 * time.Second, topPatience, gone, topPatience},
		{time.Minute, topPatience, gone, time.Minute},
	} {
		if got := topPause(c.interval, c.took, c.err); got != c.want {
			t.Errorf("every %v, after %v, %v: %v, not %v", c.interval, c.took, c.err, got, c.want)
		}
	}
}
