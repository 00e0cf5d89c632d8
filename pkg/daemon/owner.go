package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/admin/exchange"
	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/config/dialect"
	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/event/feed"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/engine"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/reconcile"
	"github.com/ipvsd/ipvsd/pkg/script"
	"github.com/ipvsd/ipvsd/pkg/status"
	"github.com/ipvsd/ipvsd/pkg/vip/vipnl"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// When rounds are due.
const (
	// debounce is how long after the first piece of news a round waits for more: enough for the verdicts of a rack that
	// lost its power to become one batch, and nothing that a client could notice.
	debounce = 10 * time.Millisecond
	// resync is how often a part of the table is compared without any news, to find what others did to it: all of it in
	// sweep rounds, five seconds. In a large table that takes its time: it gets no more than one part in resyncShare of it. A
	// round that was slow among others that were not does not count.
	resync      = 250 * time.Millisecond
	sweep       = 20
	resyncShare = 20
	// unseen is how long at most nobody looks all the same: a round may have been slow for a reason that has gone. A disk
	// that couldn't be written is tried again after as long.
	unseen = 10 * time.Second
	// turn is how long news may keep the others from being looked at, a part of them at a time.
	turn = time.Second
	// again is when a table that couldn't be read or changed is tried again.
	again = time.Second
	// patience is how long one round may take: less than the watchdog's, whose ticks have to wait for it. The driver gives
	// up on a silent kernel by itself, earlier.
	patience = 20 * time.Second
)

// kernel is what the owner does with the table.
type kernel interface {
	reconcile.Kernel
	reconcile.Settable
	Info(ctx context.Context) (ipvs.Info, error)
}

// checks is the engine that runs the checks.
type checks interface {
	Change(removed, added []health.ID)
	Suspend(checks []health.ID)
	Resume(checks []health.ID)
	Now(checks []health.ID)
	Limit(l engine.Limits)
	Adopt(known map[health.ID]health.Checker)
	Stats() engine.Stats
	Lateness() engine.Histogram
	Types() []engine.TypeStats
}

// owner holds all state of the daemon that changes. Only its own goroutine, in run, touches the fields below the channels,
// except in newOwner and adopt before run starts.
type owner struct {
	options Options
	log     *slog.Logger
	files   files
	keeper  *keeper // writes its records
	kernel  kernel
	checks  checks
	routers routers

	board    *board                                         // what the engine reports
	events   *feed.Feed                                     // what has happened; others add to it, too
	requests chan func(context.Context)                     // see ask
	gone     chan struct{}                                  // closed when run has returned
	memoir   *memoir                                        // of verdicts
	roles    chan map[string]vrrp.State                     // the newest; see hearRoles
	ended    chan struct{}                                  // closed when the virtual routers have
	moved    string                                         // net_namespace of the configuration that the daemon was started with
	reloads  sync.Mutex                                     // held from reading the file until it is in force
	loader   dialect.Loader                                 // guarded by reloads
	read     stamp                                          // guarded by reloads: of the file as it was read last
	made     map[string]config.TrackFile                    // guarded by reloads: of the configuration before
	archive  *archive                                       // guarded by reloads
	awaited  *pending                                       // guarded by reloads; nil: no configuration waits for a confirmation
	inForce  string                                         // guarded by reloads: textHash of the file in force
	stuck    string                                         // guarded by reloads: why the former configuration could not be restored
	shown    atomic.Pointer[pending]                        // awaited, for the status
	armed    chan struct{}                                  // awaited is another one
	upgrade  func(context.Context) (*status.Upgrade, error) // of the Daemon
	uptime   func() (boot string, since time.Duration)
	neighbor func(config.Peer) snapshooter

	cfg        *config.Config
	dropped    int // parts of its file that are left out
	roster     roster
	verdicts   desired.Verdicts
	ledger     desired.Ledger
	outcomes   map[*config.VirtualServer]desired.Outcome // of those of cfg of which nothing has changed since
	quorums    desired.Quorums
	told       map[string]*told                 // by name of the virtual server
	labels     map[*config.VirtualServer]string // in alerts
	fresh      config.Phase                     // of what is told for the first time
	herald     herald
	scripts    *script.Queues
	prober     *prober
	members    members
	suspension suspension
	tracked    tracked
	wishes     admin.State        // what the operator wants of servers
	directors  *exchange.Exchange // the others, which know of them, too
	reach      func(exchange.Party) exchange.Director
	sessions   *sessions
	pace       pace
	want       desired.State // what the outcomes come to
	until      time.Time     // when time alone will change it; zero: never
	alive      int           // real servers, of so many
	servers    int
	stale      bool // outcomes are missing, or the ledger changed
	reconciler *reconcile.Reconciler
	settings   settings
	due        time.Time            // of the next round
	swept      time.Time            // when the last round began that looked at more than the news
	took       engine.Histogram     // rounds
	usual      usual                // the last ones
	expose     func(netip.AddrPort) // has metrics be served at an address, or nowhere
	serve      func(control.Access) // has the API be served by TCP
	audited    func() (lost uint64, fault string)
	owed       bool // such a look, since rounds with news kept it off for longer than turn
	state      status.Table
	config     status.Config
	started    time.Time
}

func newOwner(o Options, f files, k kernel, owned desired.Owned) *owner {
	n := &owner{
		options:    o,
		log:        o.Log,
		files:      f,
		keeper:     newKeeper(o.Log),
		kernel:     k,
		board:      newBoard(),
		events:     feed.New(feed.Size),
		requests:   make(chan func(context.Context)),
		gone:       make(chan struct{}),
		memoir:     newMemoir(),
		roles:      make(chan map[string]vrrp.State, 1),
		ended:      make(chan struct{}),
		archive:    new(archive),
		armed:      make(chan struct{}, 1),
		uptime:     uptime,
		neighbor:   remote,
		cfg:        &config.Config{},
		roster:     newRoster(),
		verdicts:   desired.Verdicts{},
		ledger:     desired.NewLedger(owned),
		outcomes:   make(map[*config.VirtualServer]desired.Outcome),
		quorums:    make(desired.Quorums),
		told:       make(map[string]*told),
		fresh:      config.Starting,
		scripts:    script.NewQueues(script.Run),
		members:    newMembers(),
		suspension: suspension{addresses: vipnl.Namespace{}},
		tracked:    tracked{watch: probe.WatchFiles, paths: make(map[health.ID]string)},
		reconciler: reconcile.New(k),
		settings: settings{
			tuner: reconcile.NewTuner(k), handover: newHandover(o.Log, connectionTable), changed: desired.Changed{}, index: interfaceIndex,
		},
		expose:  func(netip.AddrPort) {},
		serve:   func(control.Access) {},
		audited: func() (uint64, string) { return 0, "" },
		started: time.Now(),
	}
	n.sessions = newSessions(o.Log, func(object vrrp.Object, r vrrp.Reading) { n.routers.Observe(object, r) }, func(ids []health.ID) { n.checks.Now(ids) })
	n.prober = newProber(n.sessions.before(probe.Probe))
	n.reach = reach
	n.directors = exchange.New(o.Log, n, func(p exchange.Party) exchange.Director { return n.reach(p) })
	n.reconciler.Spare(n.spare)
	return n
}

// run is the owner's goroutine.
func (o *owner) run(ctx context.Context) error {
	defer close(o.gone)
	defer o.suspension.watching.Wait()
	defer o.tracked.watching.Wait()
	defer o.members.reads.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	watchdog := watchdogTicks()
	o.keeper.start()
	defer o.keeper.close()
	defer o.memoir.writing.Wait()
	o.watch(ctx)
	o.watchFiles(ctx)
	o.members.run(ctx)
	o.catchUpWishes(ctx)
	o.recall(ctx)
	o.memoir.writing.Go(func() { o.remember(ctx) })
	o.round(ctx, reconcile.Whole)
	o.events.Add(event.Event{Kind: event.Daemon, Object: o.options.Version, To: "running"})
	notify(ready, o.summary())
	if o.options.Ready != nil {
		o.options.Ready()
	}
	go debug.FreeOSMemory() // what it took to read a large file
	for {
		timer.Reset(time.Until(o.due))
		select {
		case <-ctx.Done():
			notify(stopping)
			o.events.Add(event.Event{Kind: event.Daemon, Object: o.options.Version, To: "stopping"})
			o.awaitRouters(watchdog)
			return errors.Join(o.stop(), o.stopSettings())
		case <-o.board.dirty:
			o.takeNews()
		case <-o.members.mail.dirty:
			o.takeMembers(ctx, time.Now())
		case l := <-o.suspension.news:
			o.locate(l)
			o.engage(nil, nil)
		case roles := <-o.roles:
			o.takeRoles(roles)
			o.due = time.Now() // the sync daemons
		case <-o.settings.handover.changed:
			o.due = time.Now() // likewise
		case request := <-o.requests:
			request(ctx)
		case <-timer.C:
			if !time.Now().Before(o.due) {
				o.round(ctx, o.parts())
			}
		case <-watchdog:
			notify(alive)
		}
	}
}

// ask has f run by the owner's goroutine and returns its result, or why the context was done before.
func ask[T any](ctx context.Context, o *owner, f func(context.Context) T) (result T, err error) {
	done := make(chan T, 1)
	select {
	case o.requests <- func(ctx context.Context) { done <- f(ctx) }:
	case <-ctx.Done():
		return result, context.Cause(ctx)
	}
	select {
	case result = <-done:
		return result, nil
	case <-ctx.Done():
		return result, context.Cause(ctx)
	}
}

// insist is ask for what must happen, whoever has gone meanwhile, unless the daemon ends.
func insist[T any](o *owner, f func(context.Context) T) (result T, err error) {
	done := make(chan T, 1)
	select {
	case o.requests <- func(ctx context.Context) { done <- f(ctx) }:
		return <-done, nil
	case <-o.gone:
		return result, errors.New("the daemon ends")
	}
}

// soon has a round happen within debounce.
func (o *owner) soon() {
	if t := time.Now().Add(debounce); t.Before(o.due) {
		o.due = t
	}
}

// adopt makes a valid configuration the one in force. It costs what differs from the one before: what is the same is the same
// object in both.
func (o *owner) adopt(cfg *config.Config, problems config.Diagnostics, now time.Time) {
	o.config = status.Config{File: o.files.config, Loaded: now, Warnings: problems.Count(config.Warning)}
	o.tellProblems(problems)
	o.members.follow(cfg, now)
	if len(o.members.pools) > 0 {
		o.recordMembers()
	}
	o.establish(o.members.join(cfg), now)
}

// establish has a configuration be in force whose virtual servers have their members.
func (o *owner) establish(cfg *config.Config, now time.Time) {
	removed, added := differing(o.cfg, cfg)
	o.cfg = cfg
	o.memoir.cfg.Store(cfg)
	if o.ledger.Follow(removed, added, now) {
		o.record()
	}
	o.quorums = o.quorums.Under(cfg, removed)
	for _, vs := range removed {
		o.roster.remove(vs)
		delete(o.outcomes, vs)
	}
	for _, vs := range added {
		o.roster.add(vs)
	}
	o.catchUp()
	gone, fresh := o.roster.settle()
	o.verdicts.Follow(gone, fresh, now)
	o.board.change(gone, fresh, o.verdicts)
	o.tracked.follow(gone, fresh)
	o.look()
	o.settings.handover.follow(cfg)
	o.routers.Balanced(balanced(cfg))
	o.routers.Change(&cfg.VRRP)
	o.sessions.follow(cfg.VRRP.BFD, gone, fresh) // before a check asks, and after who tracks them can hear
	o.checks.Limit(engine.Limits(cfg.GlobalDefs.Checks))
	o.expose(cfg.GlobalDefs.Metrics.Listen)
	o.serve(accessOf(&cfg.GlobalDefs.API))
	o.directors.Follow(parties(&cfg.GlobalDefs))
	o.engage(gone, fresh)
	o.announceReload(removed, added)
	o.stale = true
}

// differing returns the virtual servers that only one of two configurations has.
func differing(was, is *config.Config) (removed, added []*config.VirtualServer) {
	stays := make(map[*config.VirtualServer]bool, len(was.VirtualServers))
	for _, vs := range was.VirtualServers {
		stays[vs] = false
	}
	for _, vs := range is.VirtualServers {
		if _, before := stays[vs]; before {
			stays[vs] = true
		} else {
			added = append(added, vs)
		}
	}
	for _, vs := range was.VirtualServers {
		if !stays[vs] {
			removed = append(removed, vs)
		}
	}
	return removed, added
}

// tellProblems logs what there is to say about a configuration, a line each.
func (o *owner) tellProblems(problems config.Diagnostics) {
	for _, p := range problems.Once() {
		level := [...]slog.Level{config.Error: slog.LevelError, config.Warning: slog.LevelWarn, config.Note: slog.LevelInfo}[p.Severity]
		args := []any{"problem", p.String()}
		if p.Hint != "" {
			args = append(args, "hint", p.Hint)
		}
		if p.Also != "" {
			args = append(args, "also_on", p.Also)
		}
		o.log.Log(context.Background(), level, "configuration", args...)
	}
}

// record has it be written to the disk what is ours. A round waits for that, but not for long.
func (o *owner) record() {
	o.keeper.put(o.files.record, o.ledger.Owned, "after a restart, what leaves the configuration now may stay in the table")
}
