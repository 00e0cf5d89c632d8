package track

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// Options are what a Tracker needs.
type Options struct {
	Log *slog.Logger
	// Report is told of every object's first reading and of every other one that differs from the last, one after the other
	// from the goroutine of Run. It must not block for long.
	Report func(vrrp.Object, vrrp.Reading)
}

// Tracker watches objects. Its methods may be called from any goroutine.
type Tracker struct {
	log    *slog.Logger
	report func(vrrp.Object, vrrp.Reading)
	probe  probe.Func // of scripts

	wake chan struct{} // the mailbox has something new
	mu   sync.Mutex
	box  mailbox
}

// mailbox is what is new since Run looked.
type mailbox struct {
	config *config.VRRP    // nil: no news
	links  []vip.Interface // nil: no news
	seen   map[vrrp.Object]vrrp.Reading
}

// New returns a tracker that watches nothing before Change.
func New(o Options) *Tracker {
	return &Tracker{log: o.Log, report: o.Report, probe: probe.Probe, wake: make(chan struct{}, 1)}
}

// Change has the objects be watched that the instances and groups of a configuration depend on, and no others. An object that is in
// it as before goes on as it was. It never blocks; the configuration must not be changed afterwards.
func (t *Tracker) Change(c *config.VRRP) { t.post(func(b *mailbox) { b.config = c }) }

// Interfaces tells of all interfaces of the host. It never blocks; the list must not be changed afterwards.
func (t *Tracker) Interfaces(links []vip.Interface) {
	if links == nil {
		links = []vip.Interface{}
	}
	t.post(func(b *mailbox) { b.links = links })
}

func (t *Tracker) post(put func(*mailbox)) {
	t.mu.Lock()
	put(&t.box)
	t.mu.Unlock()
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// see tells what a watcher saw, unless that one was stopped.
func (t *Tracker) see(ctx context.Context, o vrrp.Object, r vrrp.Reading) {
	t.post(func(b *mailbox) {
		if ctx.Err() != nil {
			return
		}
		if b.seen == nil {
			b.seen = make(map[vrrp.Object]vrrp.Reading)
		}
		b.seen[o] = r
	})
}

// Run watches until the context is done, and returns its error when all that it started has ended. It may be called once.
func (t *Tracker) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	w := watch{
		Tracker: t, objects: make(map[vrrp.Object]*object), host: host{dead: make(map[string]bool)}, scripts: newScripts(ctx, t),
	}
	w.files.of, w.processes.of, w.routes.of, w.beats.of = vrrp.TrackFile, vrrp.TrackProcess, vrrp.TrackRoute, vrrp.TrackInterface
	timer := time.NewTimer(never)
	defer func() {
		cancel()
		timer.Stop()
		w.running.Wait()
		w.scripts.wait()
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.wake:
			w.read(ctx)
		case <-timer.C:
		}
		timer.Reset(w.settle(time.Now()))
	}
}

const never = time.Duration(1<<63 - 1)

// watch is what the goroutine of Run owns.
type watch struct {
	*Tracker
	objects map[vrrp.Object]*object
	host    host
	scripts *scripts
	running sync.WaitGroup // watchers

	files     kind[config.TrackFile]
	processes kind[config.Process]
	routes    kind[config.TrackRoute]
	beats     kind[string] // linkbeat_interfaces
}

// read takes what is in the mailbox.
func (w *watch) read(ctx context.Context) {
	w.mu.Lock()
	news := w.box
	w.box = mailbox{}
	w.mu.Unlock()
	now := time.Now()
	if news.config != nil {
		w.change(ctx, news.config, news.seen)
	}
	if news.links != nil {
		w.host.index(news.links)
		w.routes.poke()
	}
	for o, r := range news.seen {
		if o.Kind == vrrp.TrackInterface {
			w.host.dead[o.Name] = !r.Up
			delete(news.seen, o)
		}
	}
	for _, o := range slices.SortedFunc(maps.Keys(w.objects), compare) {
		r, news := news.seen[o]
		if own, ok := w.host.read(o); ok {
			r, news = own, true
		}
		s := w.objects[o]
		if was := s.told; news && s.see(now, r) {
			w.tell(o, was, s.told)
		}
	}
}

// change begins to watch what a configuration names and nothing did before, and ends it for what it lacks. What was seen by a
// watcher that is replaced means nothing any more.
func (w *watch) change(ctx context.Context, c *config.VRRP, seen map[vrrp.Object]vrrp.Reading) {
	wanted := objectsOf(c)
	for o := range w.objects {
		if !wanted[o] {
			delete(w.objects, o)
		}
	}
	for o := range wanted {
		if w.objects[o] == nil {
			w.objects[o] = new(object)
		}
		w.objects[o].delays = delaysOf(c, o)
	}
	w.scripts.change(wanted, c.Scripts)
	replaced := map[vrrp.ObjectKind]bool{
		vrrp.TrackFile:      w.files.change(ctx, &w.running, wanted, c.Files, w.followFiles),
		vrrp.TrackProcess:   w.processes.change(ctx, &w.running, wanted, c.Processes, w.followProcesses),
		vrrp.TrackRoute:     w.routes.change(ctx, &w.running, wanted, c.Routes, w.followRoutes),
		vrrp.TrackInterface: w.beats.change(ctx, &w.running, wanted, c.Linkbeat, w.followLinks),
	}
	maps.DeleteFunc(seen, func(o vrrp.Object, _ vrrp.Reading) bool { return replaced[o.Kind] })
	if replaced[vrrp.TrackInterface] {
		clear(w.host.dead)
	}
}

// tell reports a reading. The log has no line for one that differs in the reason alone.
func (w *watch) tell(o vrrp.Object, was, r vrrp.Reading) {
	w.report(o, r)
	if was.Reason = r.Reason; was == r {
		return
	}
	args := []any{"object", o.Kind.String() + " " + o.Name, "up", r.Up}
	if o.Kind == vrrp.TrackFile {
		args[2], args[3] = "value", r.Value
	}
	if r.Reason != "" {
		args = append(args, "reason", r.Reason)
	}
	w.log.Info("tracked object", args...)
}

// settle reports what has lasted long enough, and returns how long it is until something else has.
func (w *watch) settle(now time.Time) time.Duration {
	wait := never
	for _, o := range slices.SortedFunc(maps.Keys(w.objects), compare) {
		s := w.objects[o]
		if s.due.IsZero() {
			continue
		}
		if was := s.told; !now.Before(s.due) {
			s.told, s.due = s.next, time.Time{}
			w.tell(o, was, s.told)
		} else {
			wait = min(wait, s.due.Sub(now))
		}
	}
	return wait
}

// objectsOf returns what a configuration depends on.
func objectsOf(c *config.VRRP) map[vrrp.Object]bool {
	objects := make(map[vrrp.Object]bool)
	add := func(tracks []vrrp.Track) {
		for i := range tracks {
			objects[tracks[i].Object] = true
		}
	}
	for _, i := range c.Instances {
		add(i.Tracks)
	}
	for _, g := range c.Groups {
		add(g.Tracks)
	}
	return objects
}

func compare(a, b vrrp.Object) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
}
