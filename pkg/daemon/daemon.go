// Package daemon puts the parts of ipvsd together and runs them: it loads the configuration, keeps the locks, owns the state
// and answers the control socket.
//
// One goroutine, the owner's, holds everything that changes: configuration, verdicts, the record of what is ours, the
// outcome of the last round. The others send it values and never wait for each other: the probe engine's (package probe), those of
// the virtual routers (package failover), that of the BFD sessions (package bfdio), the control server's (package control), and the
// caller's, which turns signals into Reload and the end of the context.
// Every reason to look at the kernel only makes a round due; a round computes what should be and makes it so.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ipvsd/ipvsd/pkg/alert/teller"
	"github.com/ipvsd/ipvsd/pkg/audit/journal"
	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/config/dialect"
	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/failover"
	"github.com/ipvsd/ipvsd/pkg/health/engine"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvsnl"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvsproc"
	"github.com/ipvsd/ipvsd/pkg/metrics/exporter"
	"github.com/ipvsd/ipvsd/pkg/reconcile"
	"github.com/ipvsd/ipvsd/pkg/script"
	"github.com/ipvsd/ipvsd/pkg/status"
	statuspage "github.com/ipvsd/ipvsd/pkg/web"
)

// Where things are unless the command line says otherwise.
const (
	ConfigFile = "/etc/ipvsd/ipvsd.toml"
	StateDir   = "/var/lib/ipvsd"
)

// Options are the command line's part of the configuration.
type Options struct {
	ConfigFile string
	Socket     string
	StateDir   string
	Reading
	PIDFiles    []string     // each gets the process id
	DumpDir     string       // where Dump writes; empty: it doesn't
	JSONVersion int          // of keepalived.json, as in package dump
	Namespace   string       // network namespace that this process was moved to, whatever the configuration says; empty: to none
	Force       bool         // start although keepalived or ldirectord runs here
	KeepTable   bool         // leave the table at the stop whatever the configuration says
	KeepVRRP    bool         // leave virtual addresses, and all that comes with them, at the stop, and tell no other router
	Ready       func()       // called once, when all is as it should be; nil: nobody wants to know
	Program     string       // path of this program, for upgrades; empty: there are none
	Environ     []string     // that an upgrade adds to the environment
	Inheritance *Inheritance // of the process whose place this one takes; nil: there is none
	Version     string
	Log         *slog.Logger
}

// ErrConfig is wrapped by New's error when the configuration is not valid.
var ErrConfig = errors.New("invalid configuration")

// ElsewhereError is New's error when the configuration says that the daemon is to run in another network namespace.
type ElsewhereError struct{ Namespace string }

func (e *ElsewhereError) Error() string {
	return fmt.Sprintf("net_namespace: start ipvsd in it: ip netns exec %s ipvsd", e.Namespace)
}

// Daemon is one ipvsd in one network namespace.
type Daemon struct {
	options  Options
	owner    *owner
	engine   *engine.Engine
	failover *failover.Failover
	teller   *teller.Teller
	locks    []*os.File
	server   *control.Server
	departs  chan struct{}                    // closed when another process is the daemon
	heir     int                              // its id, then
	cleared  map[string]status.RouterCounters // at the last DumpClearStats
	kernel   *ipvsnl.Client
	scrapes  *ipvsnl.Client // reads the table for Prometheus, so that rounds don't wait for that
	exporter *exporter.Exporter
	listener *exporter.Listener
	room     room
}

// New loads the configuration, takes the locks and opens the kernel, changing nothing there. Its errors wrap ErrConfig, ErrRunning
// or an *ElsewhereError where these are the reason. The network namespace is the calling thread's.
func New(o Options) (_ *Daemon, err error) {
	if i := o.Inheritance; i != nil {
		defer func() {
			if err != nil {
				i.refuse(err)
			}
		}()
		if err := i.open(); err != nil {
			return nil, err
		}
		o.Ready = i.running
	}
	files := filesIn(o)
	awaited, err := files.resumeFor(o)
	if err != nil {
		return nil, err
	}
	loader := new(dialect.Loader)
	read := stampOf(o.ConfigFile)
	cfg, answer := o.file(loader, o.ConfigFile)
	if cfg == nil && awaited != nil && !awaited.restored {
		if err := files.restore(awaited, o.Log); err != nil {
			return nil, err
		}
		read = stampOf(o.ConfigFile)
		cfg, answer = o.file(loader, o.ConfigFile)
	}
	if cfg == nil {
		return nil, fmt.Errorf("%w\n%s", ErrConfig, answer.Rejected)
	}
	if name := cfg.GlobalDefs.NetNamespace; name != "" && o.Namespace == "" {
		return nil, &ElsewhereError{name}
	}

	d := &Daemon{options: o, departs: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if o.Inheritance != nil {
		d.locks = o.Inheritance.named(handsLock)
	} else if err := alone(o); err != nil {
		return nil, err
	} else if d.locks, err = takeLocks(o.Socket, o.StateDir); err != nil {
		return nil, err
	}
	outlive("/proc/self/oom_score_adj")
	if d.kernel, err = ipvsnl.Open(); err != nil {
		return nil, err
	}
	owned, err := files.readOwned()
	if err != nil {
		// Starting matters more: what is wrong is only that leftovers of an earlier configuration stay.
		o.Log.Warn("the record of what is ours can't be read; services that left the configuration meanwhile will stay in the table",
			"file", files.record, "err", err)
	}
	d.owner = newOwner(o, files, namespace{d.kernel, ipvsproc.Default}, owned)
	if d.owner.settings.changed, err = files.readChanged(); err != nil {
		o.Log.Warn("the record of what settings were before can't be read; what left the configuration meanwhile stays set",
			"file", files.changed, "err", err)
	}
	d.owner.wishes = files.recallWishes(o.Log)
	d.owner.members.pools = files.recallMembers(o.Log)
	if d.owner.settings.defaults, err = sysctlDefaults(); err != nil {
		o.Log.Warn("sysctls that are not configured stay as they are", "err", err)
	}
	d.owner.loader, d.owner.read = *loader, read
	records, err := namespaceFiles()
	if err != nil {
		return nil, err
	}
	d.teller = teller.New(o.Log)
	d.owner.herald = d.teller
	d.failover = failover.New(failover.Options{Log: o.Log, Roles: d.owner.hearRoles, Tell: d.owner.hearRouters, Observed: d.owner.hearObject, Handover: d.owner.settings.handover, Records: records, Stay: o.KeepVRRP, Await: d.await(), Taken: d.takeCharge})
	d.owner.routers = d.failover
	connector, err := probe.NewConnector()
	if err != nil {
		return nil, err
	}
	d.room = roomHere(o.Log)
	d.engine = engine.New(d.owner.sessions.before(probe.Probe), d.owner.board.post, engine.Places(d.room.probes), engine.ConnectBy(connector))
	d.owner.checks = d.engine
	if d.scrapes, err = ipvsnl.Open(); err != nil {
		return nil, err
	}
	scraper := &scraper{d.scrapes.Snapshot, d.owner, routing{d.failover, d.owner.sessions}, d.teller}
	d.exporter = exporter.New(o.Version, scraper.facts)
	d.listener = exporter.NewListener(d.exporter, o.Log)
	d.owner.expose = d.listener.Follow
	d.owner.moved = cfg.GlobalDefs.NetNamespace
	if o.Inheritance != nil {
		d.owner.made = cfg.VRRP.Files // they were
	}
	d.owner.makeFiles(cfg)
	d.owner.dropped = answer.dropped
	d.owner.adopt(cfg, answer.problems, time.Now())
	d.owner.begin(awaited, answer.read, cfg)
	d.owner.settings.roles = d.failover.Presume() // for the sync daemons, which run
	return d, nil
}

// Run works until the context is done. It returns nil then, and has done with the services what on_stop says.
func (d *Daemon) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, d.close()) }()
	if d.options.Inheritance == nil {
		if err := d.writePID(); err != nil {
			return err
		}
		d.run(ctx, "startup_script", d.owner.cfg.GlobalDefs.Startup)
	}
	defer func() {
		if d.departed() || !d.options.Inheritance.inCharge() {
			return // they are another process's
		}
		d.run(context.WithoutCancel(ctx), "shutdown_script", d.owner.cfg.GlobalDefs.Shutdown)
		for _, f := range d.options.PIDFiles {
			_ = os.Remove(f)
		}
	}()
	server, err := d.listen()
	if err != nil {
		return err
	}
	d.server, d.owner.upgrade = server, d.upgradeUntil(ctx)
	server.Room(d.room.clients)
	server.Measure(d.exporter, d.exporter.Count)
	server.Welcome(statuspage.New(&shown{owner: d.owner, routers: routing{d.failover, d.owner.sessions}}, server.Holds))
	log := journal.New(d.owner.files.audit, d.options.Log)
	server.Audit(log)
	d.owner.audited = log.Trouble
	d.owner.serve = server.Follow
	server.Follow(accessOf(&d.owner.cfg.GlobalDefs.API))
	telling, endTelling := context.WithCancel(context.WithoutCancel(ctx))
	var teller errgroup.Group
	teller.Go(func() error { return d.teller.Run(telling) })
	auditing, endAuditing := context.WithCancel(context.WithoutCancel(ctx))
	teller.Go(func() error {
		log.Run(auditing)
		return nil
	})
	tasks, ctx := errgroup.WithContext(ctx)
	begin := func(f func() error) { tasks.Go(func() error { return d.begin(f) }) }
	begin(func() error { return server.Run(ctx) })
	begin(func() error {
		d.listener.Run(ctx)
		return nil
	})
	begin(func() error {
		select {
		case <-d.owner.memoir.recalled:
			return ended(ctx, d.engine.Run(ctx))
		case <-ctx.Done():
			return nil
		}
	})
	begin(func() error {
		d.owner.directors.Run(ctx)
		return nil
	})
	handover, endHandover := context.WithCancel(context.WithoutCancel(ctx))
	begin(func() error {
		d.owner.settings.handover.run(handover)
		return nil
	})
	sessions, endSessions := context.WithCancel(context.WithoutCancel(ctx))
	tasks.Go(func() error {
		defer endHandover()
		defer endSessions() // a neighbor that is told sooner would go elsewhere while this director still hands over
		defer close(d.owner.ended)
		return d.failover.Run(ctx)
	})
	begin(func() error { return d.owner.sessions.runner.Run(sessions) })
	begin(func() error { return d.owner.run(ctx) })
	begin(func() error {
		d.owner.autoReload(ctx)
		return nil
	})
	begin(func() error {
		d.owner.awaitConfirmations(ctx)
		return nil
	})
	over := make(chan error, 1)
	go func() { over <- tasks.Wait() }()
	select {
	case err = <-over:
	case <-d.departs: // its goroutines stand still for ever
		for _, f := range d.locks {
			_ = f.Close() // the new process has them, too; whatever holds this one up must not hold the next daemon up
		}
		d.locks = nil
		d.part(context.WithoutCancel(ctx))
	}
	endTelling() // there is nobody left who has news
	endAuditing()
	err = errors.Join(err, teller.Wait())
	d.teller.Close(context.WithoutCancel(ctx))
	d.owner.prober.close()
	probe.ClosePlugins()
	return err
}

// run runs a command before the start or after the stop. That it fails is no reason not to go on.
func (d *Daemon) run(ctx context.Context, event string, e config.Errand) {
	if e.Script == nil {
		return
	}
	ctx, cancel := context.WithTimeoutCause(ctx, e.Limit, fmt.Errorf("it ran for more than %v", e.Limit))
	defer cancel()
	script.Logged(d.options.Log.With("event", event, "script", e.Script.Argv[0]))(script.Run(ctx, script.Command(*e.Script)))
}

// Reload makes the running daemon read its file again, as SIGHUP does. What came of it goes to the log and the status. Once another process is
// the daemon, which may have read the file before, it is that one's.
func (d *Daemon) Reload(ctx context.Context) {
	done := make(chan error, 1)
	go func() {
		_, err := d.owner.Reload(ctx, false)
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil && ctx.Err() == nil {
			d.options.Log.Error("reload", "err", err)
		}
	case <-d.departs: // an upgrade keeps it from being taken here for ever
		if err := syscall.Kill(d.heir, syscall.SIGHUP); err != nil {
			d.options.Log.Error("upgrade: the reload can't be handed on to the new process", "pid", d.heir, "err", err)
		}
	}
}

func (d *Daemon) close() error {
	var errs []error
	for _, k := range []*ipvsnl.Client{d.kernel, d.scrapes} {
		if k != nil {
			errs = append(errs, k.Close())
		}
	}
	for _, f := range d.locks {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// ended returns nil for an error that only says that the context is done.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

var _ reconcile.Kernel = (*ipvsnl.Client)(nil)
