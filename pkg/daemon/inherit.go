package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/failover"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/upgrade"
	"github.com/ipvsd/ipvsd/pkg/upgrade/successor"
)

// The names of files that are handed over.
const (
	handsSocket = "socket"
	handsLock   = "lock"
)

// Inheritance is what a process gets that takes the place of another one.
type Inheritance struct {
	talk   *successor.Conversation
	files  []*os.File
	offer  upgrade.Offer
	charge chan struct{} // closed when this process is the daemon
}

// Inherit returns what this process was started with by the one whose place it is to take; nil if there is none. It is called once, before
// anything else.
func Inherit() (*Inheritance, error) {
	talk, files, err := successor.Inherited()
	if talk == nil || err != nil {
		return nil, err
	}
	return &Inheritance{talk: talk, files: files, charge: make(chan struct{})}, nil
}

// said decodes what the other process says of a kind.
func said[T any](ctx context.Context, hear func(context.Context, string) (json.RawMessage, error), kind string) (T, error) {
	var body T
	text, err := hear(ctx, kind)
	if err == nil {
		err = json.Unmarshal(text, &body)
	}
	return body, err
}

// answered is said, in so much time.
func answered[T any](ctx context.Context, p *successor.Process, kind string, limit time.Duration) (T, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it has not answered within %v", limit))
	defer cancel()
	return said[T](ctx, p.Hear, kind)
}

// open reads the offer.
func (i *Inheritance) open() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), preparePatience)
	defer cancel()
	if i.offer, err = said[upgrade.Offer](ctx, i.talk.Hear, sayOffer); err != nil {
		return fmt.Errorf("the old process: %w", err)
	}
	if err := i.offer.Check(); err != nil {
		return err
	}
	if len(i.offer.Files) != len(i.files) || len(i.named(handsSocket)) != 1 {
		return errors.New("the old process handed over other files than it says")
	}
	return nil
}

func (i *Inheritance) named(name string) (list []*os.File) {
	for n, f := range i.files {
		if i.offer.Files[n] == name {
			list = append(list, f)
		}
	}
	return list
}

// refuse tells the old process why it has to go on.
func (i *Inheritance) refuse(why error) { _ = i.talk.Refuse(why) }

// inCharge says whether this process is the daemon by now.
func (i *Inheritance) inCharge() bool {
	if i == nil {
		return true
	}
	select {
	case <-i.charge:
		return true
	default:
		return false
	}
}

// succeed waits until the old process stands still, and takes in what that knows. It is failover's Await.
func (d *Daemon) succeed(ctx context.Context, failed error) (_ *failover.Standing, err error) {
	i := d.options.Inheritance
	defer func() {
		if err != nil {
			i.refuse(err)
		}
	}()
	if failed != nil {
		return nil, failed
	}
	if err := i.talk.Say(sayReady, upgrade.Ready{Version: d.options.Version}); err != nil {
		return nil, err
	}
	text, err := i.talk.Hear(ctx, sayKnowledge)
	if err != nil {
		return nil, err
	}
	k, err := upgrade.Parse(text)
	if err != nil {
		return nil, err
	}
	d.engine.Adopt(d.owner.inherit(k, time.Now()))
	if err := i.talk.Say(sayKnown, struct{}{}); err != nil {
		return nil, err
	}
	s, err := said[failover.Standing](ctx, i.talk.Hear, sayStanding)
	if err != nil {
		return nil, err
	}
	d.owner.settings.roles = s.Roles()
	return &s, nil
}

// takeCharge has this process be the daemon.
func (d *Daemon) takeCharge() {
	i := d.options.Inheritance
	if err := i.talk.Say(sayServing, struct{}{}); err != nil {
		d.options.Log.Error("upgrade: the old process does not listen any more", "err", err)
	}
	d.sign()
	d.options.Log.Info("upgrade: this process goes on", "from", i.offer.Version, "to", d.options.Version, "old_pid", i.offer.PID)
	close(i.charge)
}

// running tells the old process that it can end.
func (i *Inheritance) running() {
	_ = i.talk.Say(sayRunning, struct{}{})
	_ = i.talk.Close()
}

// inherit goes on with what another process knew, before run. It returns what the engine has to know.
func (o *owner) inherit(k *upgrade.Knowledge, now time.Time) map[health.ID]health.Checker {
	if k.Changed != nil { // of before the first of all these processes
		o.settings.changed = k.Changed
	}
	o.inheritMembers(k.Members, now)
	for key, servers := range k.Owned {
		if _, known := o.ledger.Owned[key]; !known {
			o.ledger.Owned[key] = servers
		}
	}
	// The old process may have found no room on the disk for them.
	o.hold(k.Wishes, nil)
	o.record()
	o.events.Resume(k.Events)
	engine := make(map[health.ID]health.Checker, len(k.Checks))
	for id, r := range k.Of(o.cfg.Subjects()) {
		checker, past := r.Checker(id.Check().Policy, now)
		engine[id], o.verdicts[id] = checker, checker
		o.board.adopt(id, checker, past)
	}
	for _, vs := range o.cfg.VirtualServers {
		if q, known := k.Quorums[vs.Name]; known {
			o.quorums[vs.Name] = q
		}
		u, known := k.Told[vs.Name]
		if !known {
			continue
		}
		t := newTold(vs, o.labels[vs], o.fresh)
		t.inherit(u)
		for i, rs := range all(vs) {
			v := desired.Judge(rs, o.verdicts.Of)
			t.weights[i] = weigh(rs, o.wishes.On(rs.Destination.Addr, vs.Name, now), i < len(vs.RealServers), v, o.verdicts.Of, now)
		}
		o.told[vs.Name] = t
	}
	clear(o.outcomes)
	o.stale = true
	return engine
}

// inheritMembers goes on with the members of another process, whose sources may have said something since this one read the disk.
func (o *owner) inheritMembers(known map[string]upgrade.Pool, now time.Time) {
	if known == nil {
		return
	}
	pools := make(map[string]*pool, len(known))
	for name, p := range known {
		was := pool(p)
		pools[name] = &was
	}
	o.members.pools = usable(pools)
	o.members.follow(o.members.base, now)
	o.recordMembers()
	o.establish(o.members.join(o.members.base), now)
}

// begin runs a part that begins when this process is the daemon, and does not if it never is. That the daemon is to stop decides nothing: the
// virtual routers may be in charge by then, and whoever is has to stop as on_stop says.
func (d *Daemon) begin(f func() error) error {
	if i := d.options.Inheritance; i != nil {
		select {
		case <-i.charge:
		case <-d.owner.ended:
			if !i.inCharge() {
				return nil
			}
		}
	}
	return f()
}

// writePID writes the process id where it is asked for.
func (d *Daemon) writePID() error {
	for _, f := range d.options.PIDFiles {
		if err := os.WriteFile(f, fmt.Appendln(nil, os.Getpid()), 0o644); err != nil {
			return fmt.Errorf("pid file: %w", err)
		}
	}
	return nil
}

// departed says whether another process is the daemon now.
func (d *Daemon) departed() bool {
	select {
	case <-d.departs:
		return true
	default:
		return false
	}
}

// await is failover's Await; nil: this process takes no other one's place.
func (d *Daemon) await() func(context.Context, error) (*failover.Standing, error) {
	if d.options.Inheritance == nil {
		return nil
	}
	return d.succeed
}

// listen opens the control socket.
func (d *Daemon) listen() (*control.Server, error) {
	routers := routing{d.failover, d.owner.sessions}
	if i := d.options.Inheritance; i != nil {
		return control.Inherit(i.named(handsSocket)[0], d.options.Socket, d.owner, routers, d.options.Log)
	}
	return control.Listen(d.options.Socket, d.owner, routers, d.options.Log)
}

// resumeFor returns what waits for a confirmation. Of an upgrade the old process has the locks, and goes back when the time is over.
func (f files) resumeFor(o Options) (*pending, error) {
	if o.Inheritance == nil {
		return f.resumeLocked(o)
	}
	return f.readPending()
}
