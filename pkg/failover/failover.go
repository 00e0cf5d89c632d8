package failover

import (
	"cmp"
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ipvsd/ipvsd/pkg/alert"
	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/script"
	"github.com/ipvsd/ipvsd/pkg/status"
	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

const (
	// pause is how long after a part has failed all are started again; it doubles up to maxPause.
	pause    = time.Second
	maxPause = time.Minute
	// notifyLimit is how long a notification's script may run. The next one of its instance waits for it.
	notifyLimit = time.Minute
	// stopLimit is how long, at the stop, scripts may go on that run or wait, those of notify_stop included.
	stopLimit = 10 * time.Second
)

// Options are what a Failover needs from its owner.
type Options struct {
	Log *slog.Logger
	// Roles gets the states of all instances, by name, whenever one of them has changed. It must not block.
	Roles func(map[string]vrrp.State)
	// Tell gets what is told of instances and groups, in order. It must not block.
	Tell func(...alert.News)
	// Observed gets what instances and groups depend on when it changes, or is down at first. It must not block. Nil: nobody wants to know.
	Observed func(o vrrp.Object, was, is vrrp.Reading)
	// Handover is who tells other directors of connections. Nil: nobody does.
	Handover Handover
	// Records is how the names of files begin that say what sysctls were before, for a run after one that was killed. They are worth
	// nothing after the machine's next start. Empty: there are none.
	Records string
	// Stay has everything of the active instances stay on the host at the stop, and nobody told of it: for a daemon that comes back before
	// other routers miss it. What static tables have goes.
	Stay bool
	// Await has it take part only when another process no longer does. It is called once, when all is prepared, or with the error for which
	// nothing can be, and returns what that one left behind. Its error ends Run. Nil: there is no other process.
	Await func(ctx context.Context, err error) (*Standing, error)
	// Taken is called when it takes part after Await.
	Taken func()
}

// Handover is what keeps connections going while an instance moves between directors that are alive.
type Handover interface {
	// Prepare comes before an instance asks another router to take over. It returns when that one knows the connections of now, and
	// hears of those to come, or when the context is done.
	Prepare(ctx context.Context)
	// Gives says that an instance has yielded to another router, Takes that it takes the role from one that is alive. They are called on
	// the thread that sends the adverts, and must not block.
	Gives(instance string)
	Takes(instance string)
}

// Failover is the virtual routers of one network namespace. New starts nothing, Run does; all other methods may be called at any
// time, from any goroutine, and never wait for the network.
type Failover struct {
	log      *slog.Logger
	roles    func(map[string]vrrp.State)
	handover Handover
	assemble func(*Failover) (*parts, error)
	look     func() []vip.Interface // what this host has now
	records  string
	stay     bool
	begun    bool // once; of Run's goroutine
	taken    func()
	await    func(ctx context.Context, err error) (*Standing, error) // nil: it takes part; of Run's goroutine
	scripts  *script.Queues
	changed  chan struct{} // the configuration is another
	told     func(...alert.News)
	observed func(o vrrp.Object, was, is vrrp.Reading)

	// What the thread that sends the adverts touches: it must not wait for anybody who holds mu.
	desk  atomic.Pointer[desk]            // nil: nothing runs
	inbox inbox                           // what the parts report
	links atomic.Pointer[[]vip.Interface] // as heard last; nil: not yet

	mu       sync.Mutex
	cfg      *config.VRRP
	members  map[string]*member
	groups   map[string]*group
	renamed  map[string]string // from the name that the Runner may still know to the one in cfg
	tracked  map[vrrp.Object]bool
	readings map[vrrp.Object]reading // of what is tracked
	services map[string]health.State
	balanced []netip.AddrPort
	held     map[string]*belongings // by owner
	parts    *parts                 // nil: nothing runs
	news     []news                 // not told yet
	moved    bool                   // the roles are others than those that were told
	events   ring
	stopping bool  // scripts hear of STOP only
	err      error // why nothing runs that should
}

// reading is a Reading and when it was another one last.
type reading struct {
	vrrp.Reading
	since time.Time
}

func newFailover(o Options, assemble func(*Failover) (*parts, error), look func() []vip.Interface) *Failover {
	return &Failover{
		log: o.Log, roles: o.Roles, told: o.Tell, observed: o.Observed, handover: cmp.Or[Handover](o.Handover, alone{}), records: o.Records, stay: o.Stay, await: o.Await, taken: o.Taken,
		assemble: assemble, look: look, scripts: script.NewQueues(script.Run),
		changed: make(chan struct{}, 1), inbox: inbox{dirty: make(chan struct{}, 1)},
		cfg: new(config.VRRP), members: make(map[string]*member), groups: make(map[string]*group),
		readings: make(map[vrrp.Object]reading), services: make(map[string]health.State),
		held: make(map[string]*belongings),
	}
}

// Run runs what the configuration asks for until the context is done. Then no instance is active any more, the others know, and
// nothing of ours is on the host but what Idle wishes say; scripts had their time. It returns nil.
func (f *Failover) Run(ctx context.Context) error {
	defer func() {
		if f.await == nil { // otherwise nothing was told
			f.close()
		}
	}()
	next := pause
	for ctx.Err() == nil {
		if !f.wanted() {
			if err := f.awaitNothing(ctx); err != nil {
				return err
			}
			select {
			case <-ctx.Done():
			case <-f.changed:
			}
			continue
		}
		start := time.Now()
		err := f.session(ctx)
		if f.await != nil {
			return err
		}
		if err == nil || ctx.Err() != nil {
			continue
		}
		if time.Since(start) > maxPause {
			next = pause
		}
		f.fail(err, next)
		f.tell()
		select {
		case <-ctx.Done():
		case <-time.After(next):
		}
		next = min(2*next, maxPause)
	}
	return nil
}

// wanted says whether there is anything to run.
func (f *Failover) wanted() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	static := &f.cfg.Static
	return len(f.cfg.Instances)+len(static.Addresses)+len(static.Routes)+len(static.Rules) > 0
}

// close tells of the stop and gives everybody who was told something the time to act upon it.
func (f *Failover) close() {
	f.sayStop()
	f.tell()
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	f.scripts.Close(ctx)
}

// Services tells of the quorums of virtual servers, by name: those that are missing have none yet.
func (f *Failover) Services(quorums map[string]health.State) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, is := range quorums {
		if was, known := f.services[name]; !known || is != was {
			f.services[name] = is
			f.observe(serviceReading(name, is))
		}
	}
	for name := range f.services {
		if _, still := quorums[name]; !still {
			delete(f.services, name)
			f.observe(serviceReading(name, health.Unchecked))
		}
	}
}

func serviceReading(name string, is health.State) (vrrp.Object, vrrp.Reading) {
	r := vrrp.Reading{Known: is != health.Unchecked, Up: is == health.Up}
	if is == health.Down {
		r.Reason = "the quorum is lost"
	}
	return vrrp.Object{Kind: vrrp.TrackService, Name: name}, r
}

// firstChecks is what all instances wait for, with weight 0: a director that took over before it knew its servers, as one does that has
// just been started and preempts, would have none for the clients.
var firstChecks = vrrp.Object{Kind: vrrp.TrackChecks}

// Balanced tells at which addresses and TCP ports connections are balanced that the other directors tell of, before the Change that
// comes with it.
func (f *Failover) Balanced(at []netip.AddrPort) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.balanced = at
}

// alone is the Handover of who tells nobody.
type alone struct{}

func (alone) Prepare(context.Context) {}
func (alone) Gives(string)            {}
func (alone) Takes(string)            {}

// Checked tells that the virtual servers have been checked once. Nobody waits for it longer than vrrp_wait_for_checks.
func (f *Failover) Checked() { f.Observe(firstChecks, vrrp.Reading{Known: true, Up: true}) }

// Observe tells of a tracked object.
func (f *Failover) Observe(o vrrp.Object, r vrrp.Reading) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.observe(o, r)
}

func (f *Failover) observe(o vrrp.Object, r vrrp.Reading) {
	if !f.tracked[o] {
		return
	}
	was, known := f.readings[o]
	if known && was.Reading == r {
		return
	}
	if f.observed != nil && (known || !r.Up) {
		f.observed(o, was.Reading, r)
	}
	f.readings[o] = reading{r, time.Now()}
	if f.parts != nil {
		f.parts.runner.Observe(o, r)
	}
}

// Events returns what happened after the event with a sequence number, the oldest first; of what was long ago some may be missing.
func (f *Failover) Events(after uint64) []status.Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.events.after(after)
}
