package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/engine"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
	"github.com/ipvsd/ipvsd/pkg/script"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// house is a daemon without sockets: owner and engine, a kernel in memory, and servers that are up unless they are down.
type house struct {
	*owner
	t         *testing.T
	kernel    *ipvstest.Kernel
	down      *sync.Map     // of netip.AddrPort
	found     *sync.Map     // health.Finding by netip.AddrPort
	took      *atomic.Int64 // by a probe
	log       *logbook
	ran       *ran
	heard     *heard
	probed    uint64 // see probes
	host      *host
	disk      *disk
	group     *routerGroup
	neighbors *neighbors
	seen      event.Position // see happened
	sources   *sources
	stop      func() // as SIGTERM does, and waits
	kill      func() // as kill -9 does, as far as the kernel and the disk can tell
}

const web = `
[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
lb_algo = "rr"
real_servers = ["198.51.100.1:80", "198.51.100.2:80", "198.51.100.3:80"]
delay_loop = 3
retry = 1
TCP_CHECK = true
`

var (
	webKey               = ipvs.AddressKey(ipvs.TCP, netip.MustParseAddrPort("192.0.2.1:80"))
	first, second, third = addr(1), addr(2), addr(3)
)

func addr(n int) netip.AddrPort { return netip.MustParseAddrPort(fmt.Sprintf("198.51.100.%d:80", n)) }

// logbook is a log that is read while others than the owner may write.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// start starts a daemon in a bubble, with a kernel and a directory that may have seen others before.
func start(t *testing.T, k *ipvstest.Kernel, dir, text string, down ...netip.AddrPort) *house {
	t.Helper()
	h := &house{
		t: t, kernel: k, down: new(sync.Map), found: new(sync.Map), took: new(atomic.Int64), log: new(logbook), ran: new(ran), heard: new(heard), host: new(host), disk: new(disk), group: new(routerGroup),
		neighbors: new(neighbors),
	}
	for _, a := range down {
		h.down.Store(a, true)
	}
	o := Options{
		ConfigFile: filepath.Join(dir, "ipvsd.toml"), StateDir: dir,
		Log: slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	files := filesIn(o)
	owned, err := files.readOwned()
	if err != nil {
		t.Fatal(err)
	}
	h.owner = newOwner(o, files, k, owned)
	if h.settings.changed, err = files.readChanged(); err != nil {
		t.Fatal(err)
	}
	h.wishes = files.recallWishes(o.Log)
	if h.settings.defaults, err = ipvs.SysctlDefaults("6.1"); err != nil {
		t.Fatal(err)
	}
	h.scripts, h.suspension.addresses = script.NewQueues(h.ran.run), h.host
	h.tracked.watch = h.disk.watch
	h.sources = newSources()
	h.members.read, h.members.pools = h.sources.read, files.recallMembers(o.Log)
	h.sessions.runner = h.neighbors
	h.prober = newProber(h.sessions.before(h.probe))
	checks := engine.New(h.sessions.before(h.probe), h.board.post, engine.Random(func() float64 { return 0 }))
	h.checks, h.routers, h.herald = checks, h.group, h.heard
	h.reach, h.memoir.random = wired, func() float64 { return 0 }
	close(h.ended)
	h.write(text)
	cfg, problems := config.Load(o.ConfigFile, []byte(text))
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	h.adopt(cfg, problems, time.Now())

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 3)
	go func() { ended <- h.run(ctx) }()
	go func() { h.directors.Run(ctx); ended <- nil }()
	go func() { <-h.memoir.recalled; ended <- without(context.Canceled, checks.Run(ctx)) }()
	h.stop = func() {
		cancel()
		for range 3 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}
	h.kill = h.stop // without lvs_flush_on_stop, and with nothing to put back, a stop leaves no more traces than a kill
	t.Cleanup(func() {
		cancel()
		<-h.gone // and with it who writes in the directory
	})
	synctest.Wait()
	return h
}

// probe looks at a server of the house.
func (h *house) probe(_ context.Context, c health.Check) (f health.Finding, err error) {
	if took := h.took.Load(); took > 0 {
		<-time.After(time.Duration(took))
	}
	if _, down := h.down.Load(c.Target); down {
		return f, errors.New("connection refused")
	}
	if found, some := h.found.Load(c.Target); some {
		f = found.(health.Finding)
	}
	return f, nil
}

func without(expected, err error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}

func (h *house) write(text string) {
	h.t.Helper()
	if err := os.WriteFile(h.files.config, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// pass lets time pass in the bubble.
func (h *house) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// serving returns the servers of a service that get clients.
func (h *house) serving(key ipvs.ServiceKey) []netip.AddrPort {
	h.t.Helper()
	table, err := h.kernel.Snapshot(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	s := table.Find(key)
	if s == nil {
		return nil
	}
	var up []netip.AddrPort
	for _, d := range s.Destinations {
		if d.Weight > 0 {
			up = append(up, d.Addr)
		}
	}
	return up
}

func (h *house) wantServing(when string, want ...netip.AddrPort) {
	h.t.Helper()
	if got := h.serving(webKey); fmt.Sprint(got) != fmt.Sprint(want) {
		h.t.Errorf("%s: serving %v, want %v", when, got, want)
	}
}

func (h *house) status() *status.Snapshot {
	h.t.Helper()
	s, err := h.Status(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

func (h *house) rounds() uint64 {
	h.t.Helper()
	n, err := ask(h.t.Context(), h.owner, func(context.Context) uint64 { return h.reconciler.Totals().Rounds })
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

func (h *house) reloaded() *status.Answer {
	h.t.Helper()
	a, err := h.Reload(h.t.Context(), false)
	if err != nil {
		h.t.Fatal(err)
	}
	synctest.Wait()
	return a
}
