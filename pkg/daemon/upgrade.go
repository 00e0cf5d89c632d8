package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/status"
	"github.com/ipvsd/ipvsd/pkg/upgrade"
	"github.com/ipvsd/ipvsd/pkg/upgrade/successor"
)

// What is said between the two processes of an upgrade, in this order. The old one says an offer and what it knows while its owner and its
// checks stand still, and the standing while its virtual routers do.
const (
	sayOffer     = "offer"
	sayReady     = "ready" // all is open and read, and nothing is done yet
	sayKnowledge = "knowledge"
	sayKnown     = "known"
	sayStanding  = "standing"
	sayRunning   = "running" // after the first round
)

// How long the new process may take. While it does nothing is lost: only before the last of them no adverts leave, until it sends its own.
const (
	preparePatience = time.Minute
	knownPatience   = 10 * time.Second
	runningPatience = 10 * time.Second
	// Of all steps together, so that who asked hears of it whatever hangs.
	upgradePatience = preparePatience + knownPatience + 3*runningPatience + 20*time.Second
	// How long the old process goes on with requests that are under way, and with scripts.
	leavingTime = 2 * time.Second
	partingTime = 10 * time.Second
)

// Upgrade is control.Upgrader's.
func (o *owner) Upgrade(ctx context.Context) (*status.Upgrade, error) {
	if o.upgrade == nil {
		return nil, errors.New("the daemon is about to start, or to stop")
	}
	if !o.reloads.TryLock() {
		return nil, errors.New("a configuration is being taken, or another upgrade is under way: try again")
	}
	u, err := o.upgrade(ctx)
	if err == nil {
		return u, nil // and nobody takes a configuration here any more
	}
	o.reloads.Unlock()
	o.log.Error("not upgraded; this process goes on", "err", err)
	o.events.Add(event.Event{Kind: event.Daemon, Object: o.options.Version, To: "not upgraded", Reason: err.Error()})
	return nil, fmt.Errorf("not upgraded, the daemon goes on as it was: %w", err)
}

// upgrade has a new process take the place of this one.
func (d *Daemon) upgrade(ctx context.Context) (*status.Upgrade, error) {
	if err := d.upgradable(ctx); err != nil {
		return nil, err
	}
	began := time.Now()
	socket, err := d.server.Socket()
	if err != nil {
		return nil, err
	}
	defer func() { _ = socket.Close() }()
	names, files := []string{handsSocket}, []*os.File{socket}
	for _, f := range d.locks {
		names, files = append(names, handsLock), append(files, f)
	}
	p, err := successor.Start(d.options.Program, os.Args, environ(d.options.Environ), files, os.Getenv("NOTIFY_SOCKET") != "")
	if err != nil {
		return nil, err
	}
	u := &status.Upgrade{From: d.options.Version, PID: p.PID(), OldPID: os.Getpid()}
	d.options.Log.Info("upgrade: the new process prepares", "program", d.options.Program, "pid", u.PID)
	var thaws []func()
	if err := d.handOver(ctx, p, names, u, func(thaw func()) { thaws = append(thaws, thaw) }); err != nil {
		p.Kill() // before anything here goes on
		d.sign() // it may have done so already
		for _, thaw := range slices.Backward(thaws) {
			thaw()
		}
		return nil, err
	}
	u.Took = time.Since(began)
	// In one message, before this process ends: systemd reads it before it hears of that.
	notify(fmt.Sprintf("MAINPID=%d", u.PID), ready)
	d.options.Log.Info("upgraded; this process ends", "from", u.From, "to", u.To, "pid", u.PID, "took", u.Took)
	d.depart(u.PID)
	return u, nil
}

// upgradeUntil returns upgrade for a daemon that runs until a context is done. A stop that comes meanwhile ends the upgrade, or it is for the new
// process, too: who stops the daemon may know of this one only.
func (d *Daemon) upgradeUntil(stop context.Context) func(context.Context) (*status.Upgrade, error) {
	return func(ctx context.Context) (*status.Upgrade, error) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		defer context.AfterFunc(stop, func() { cancel(errors.New("the daemon stops")) })()
		ctx, end := context.WithTimeoutCause(ctx, upgradePatience, fmt.Errorf("it took more than %v", upgradePatience))
		defer end()
		u, err := d.upgrade(ctx)
		if err == nil && stop.Err() != nil {
			_ = syscall.Kill(u.PID, syscall.SIGTERM)
		}
		return u, err
	}
}

// depart has this process end, since another one is the daemon.
func (d *Daemon) depart(successor int) {
	d.heir = successor
	close(d.departs)
}

// sign writes the id of this process where it is looked for. Other than in lock files that is only so if it was asked for.
func (d *Daemon) sign() {
	for _, f := range d.locks { // who else starts is told of this process
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			_, _ = f.WriteAt(fmt.Appendf(nil, "%-8d\n", os.Getpid()), 0)
		}
	}
	if err := d.writePID(); err != nil {
		d.options.Log.Error("upgrade: the process id can't be written", "err", err)
	}
}

// upgradable returns why there can't be an upgrade in place.
func (d *Daemon) upgradable(ctx context.Context) error {
	if d.options.Program == "" {
		return errors.New("the daemon doesn't know which program it is: restart it")
	}
	if os.Getpid() == 1 {
		return errors.New("it is the first process of its container, which ends with it: start a new container")
	}
	bfd, err := ask(ctx, d.owner, func(context.Context) bool { return len(d.owner.cfg.VRRP.BFD) > 0 })
	if err == nil && bfd {
		err = errors.New("BFD sessions can't be handed over: systemctl restart ipvsd, after a switchover on a director that is active")
	}
	return err
}

// handOver tells the new process all there is to know, and stands still where that is in charge. What has this process go on is collected.
func (d *Daemon) handOver(ctx context.Context, p *successor.Process, names []string, u *status.Upgrade, collect func(thaw func())) error {
	if err := p.Say(sayOffer, upgrade.Offer{Format: upgrade.Format, Version: u.From, PID: u.OldPID, Files: names}); err != nil {
		return fmt.Errorf("the new process does not listen: %w", err)
	}
	ready, err := answered[upgrade.Ready](ctx, p, sayReady, preparePatience)
	if err != nil {
		return fmt.Errorf("the new process could not prepare: %w", err)
	}
	u.To = ready.Version
	collect(d.server.Pause())
	k, thaw, err := d.freeze(ctx)
	if err != nil {
		return err
	}
	collect(thaw)
	notify(alive) // the owner can't; each step takes less than the unit's WatchdogSec
	if err := p.Say(sayKnowledge, k); err != nil {
		return fmt.Errorf("the new process does not listen: %w", err)
	}
	if _, err := answered[struct{}](ctx, p, sayKnown, knownPatience); err != nil {
		return fmt.Errorf("the new process did not take in what is known: %w", err)
	}
	notify(alive)
	still := time.Now()
	limited, cancel := context.WithTimeoutCause(ctx, runningPatience, fmt.Errorf("they have not stood still within %v", runningPatience))
	defer cancel()
	standing, thaw, err := d.failover.Freeze(limited)
	if err != nil {
		return err
	}
	collect(thaw)
	notify(alive)
	if err := p.Say(sayStanding, standing); err != nil {
		return fmt.Errorf("the new process does not listen: %w", err)
	}
	if _, err := answered[struct{}](ctx, p, sayServing, runningPatience); err != nil {
		return fmt.Errorf("the new process did not go on with the virtual routers: %w", err)
	}
	u.Still = time.Since(still)
	notify(alive)
	if _, err := answered[struct{}](ctx, p, sayRunning, runningPatience); err != nil {
		return fmt.Errorf("the new process failed when it was in charge: %w", err)
	}
	return nil
}

// sayServing is between standing and running: the virtual routers go on.
const sayServing = "serving"

// freeze has the checks and the owner stand still, and returns what they know.
func (d *Daemon) freeze(ctx context.Context) (k *upgrade.Knowledge, thaw func(), err error) {
	goOn := make(chan struct{})
	thaw = func() { close(goOn) }
	checks := make(chan map[health.ID]health.Checker, 1)
	d.engine.Freeze(func(known map[health.ID]health.Checker) {
		checks <- known
		<-goOn
	})
	var known map[health.ID]health.Checker
	select {
	case known = <-checks:
	case <-ctx.Done():
		thaw()
		return nil, nil, context.Cause(ctx)
	}
	answer, failed := make(chan *upgrade.Knowledge, 1), make(chan error, 1)
	select {
	case d.owner.requests <- func(context.Context) {
		k := d.owner.knowledge(known, time.Now())
		write, err := d.owner.keeper.rest(ctx) // two processes would write the same files
		if err != nil {
			failed <- err
			return
		}
		answer <- k
		<-goOn
		write()
	}:
	case <-d.owner.gone:
		thaw()
		return nil, nil, errors.New("the daemon stops")
	case <-ctx.Done():
		thaw()
		return nil, nil, context.Cause(ctx)
	}
	select {
	case k = <-answer:
		return k, thaw, nil
	case err = <-failed:
		thaw()
		return nil, nil, err
	}
}

// knowledge is what another process needs to go on.
func (o *owner) knowledge(known map[health.ID]health.Checker, now time.Time) *upgrade.Knowledge {
	o.takeNews()
	k := &upgrade.Knowledge{
		Records: health.Records{KeyForm: health.KeyForm, Checks: make(map[string]health.Record, len(known))}, Quorums: o.quorums, Told: make(map[string]upgrade.Told, len(o.told)),
		Wishes: o.wishes, Owned: o.ledger.Owned, Events: o.events.Past(), Changed: o.settings.changed,
		Members: make(map[string]upgrade.Pool, len(o.members.pools)),
	}
	for name, p := range o.members.pools {
		k.Members[name] = upgrade.Pool(*p)
	}
	for id, subject := range o.cfg.Subjects() {
		if c, checked := known[id]; checked {
			r := c.Record(o.board.past(id), now)
			r.Subject = subject
			k.Checks[id.Check().Key()] = r
		}
	}
	for name, t := range o.told {
		k.Told[name] = t.forUpgrade()
	}
	return k
}

// forUpgrade returns what was told.
func (t *told) forUpgrade() upgrade.Told {
	u := upgrade.Told{Quorum: t.quorum, Sorry: t.sorry, FailOpen: t.failOpen}
	for i, rs := range all(t.vs) {
		u.Servers = append(u.Servers, upgrade.Server{
			Address: rs.Destination.Addr.String(), Sorry: i >= len(t.vs.RealServers), State: t.servers[i], Checks: t.checks[i],
		})
	}
	return u
}

// inherit goes on with what another process told.
func (t *told) inherit(u upgrade.Told) {
	t.quorum, t.sorry, t.failOpen = u.Quorum, u.Sorry, u.FailOpen
	before := make(map[place]upgrade.Server, len(u.Servers))
	for _, s := range u.Servers {
		if at, err := netip.ParseAddrPort(s.Address); err == nil {
			before[place{at, s.Sorry}] = s
		}
	}
	for i, rs := range all(t.vs) {
		if s, known := before[place{rs.Destination.Addr, i >= len(t.vs.RealServers)}]; known {
			t.servers[i] = s.State
			if len(s.Checks) == len(rs.Checks) {
				t.checks[i] = s.Checks
			}
		}
	}
}

// part ends what another process can't go on with.
func (d *Daemon) part(ctx context.Context) {
	leaving, cancel := context.WithTimeout(ctx, leavingTime)
	defer cancel()
	d.server.Leave(leaving)
	ctx, end := context.WithTimeout(ctx, partingTime)
	defer end()
	d.owner.scripts.Close(ctx)
	d.failover.Part(ctx)
}

// environ is that of the new process: what systemd said to this one alone is not for it.
func environ(more []string) (list []string) {
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "WATCHDOG_PID=") {
			list = append(list, v)
		}
	}
	return append(list, more...)
}
