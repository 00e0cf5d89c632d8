package vrrpio

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// Options are what a Runner needs.
type Options struct {
	Log *slog.Logger
	// Report gets what the router wants done, but for the adverts, which have left by then. It is called by the thread that sends
	// them, so it must not block. The slice is its own.
	Report   func([]vrrp.Action)
	Realtime Realtime
	// LogUnknown has adverts logged whose VRID no instance has: log_unknown_vrids.
	LogUnknown bool
	// Held has it open its sockets and listen, but take part only after Resume: another process still does.
	Held bool
	// Record is where it keeps what a process goes by that comes after this one was killed. Run closes it. Nil: there is none.
	Record *RecordFile
}

// Runner runs a vrrp.Router.
type Runner struct {
	options Options
	network func() (network, error)

	letters    mailbox[func(*loop)]
	change     atomic.Pointer[configuration] // the newest that the thread has not seen
	interfaces atomic.Pointer[hosts]         // the same
	net        atomic.Pointer[network]       // nil: it does not run yet
	thread     atomic.Pointer[Thread]
	ready      chan struct{} // closed when all sockets are open that can be
	ended      chan struct{} // closed at the end of Run
}

// ErrEnded is the answer to who asks a Runner whose Run has ended.
var ErrEnded = errors.New("VRRP does not run any more")

// New returns a runner, which does nothing before Run.
func New(options Options) *Runner {
	return &Runner{options: options, network: newKernel, ready: make(chan struct{}), ended: make(chan struct{})}
}

// Run takes part in VRRP in the network namespace of its caller's thread, until the context is done. Then the other routers are told
// with priority 0 that nobody is active here any more, Report is told, too, and Run returns nil. Any other return is an error of the
// kernel's that leaves no way to go on. It can be called once.
func (r *Runner) Run(ctx context.Context) error {
	defer close(r.ended)
	net, err := r.network()
	if err != nil {
		return err
	}
	defer net.close()
	log := startScribe(r.options.Log)
	defer log.stop()
	porter := newPorter(net, log, r.send)
	l := newLoop(net, log, porter, r.options)
	l.ready = func() { close(r.ready) }
	defer l.leaveRecord()
	r.net.Store(&net)
	defer context.AfterFunc(ctx, func() { r.send((*loop).stop) })()

	over := make(chan error, 1)
	go func() { // which ends its thread, too
		thread, restore := r.options.Realtime.apply(log)
		defer restore()
		r.thread.Store(&thread)
		over <- l.run(&r.letters)
	}()
	return porter.run(over)
}

// send has the thread call a function.
func (r *Runner) send(f func(*loop)) {
	select {
	case <-r.ended:
		return
	default:
	}
	if r.letters.put(f) {
		if net := r.net.Load(); net != nil {
			(*net).wake()
		}
	}
}

// Change takes a whole configuration. The newest counts. It does not wait, and keeps the slices.
func (r *Runner) Change(instances []vrrp.Instance, groups []vrrp.Group) {
	r.change.Store(newConfiguration(instances, groups))
	r.send(func(l *loop) {
		if c := r.change.Swap(nil); c != nil {
			l.change(c)
		}
	})
}

// Interfaces takes those of the host. The newest counts. It does not wait.
func (r *Runner) Interfaces(list []vip.Interface) {
	h := newHosts(list)
	r.interfaces.Store(&h)
	r.send(func(l *loop) {
		if h := r.interfaces.Swap(nil); h != nil {
			l.hosts = *h
			l.place()
		}
	})
}

// Observe takes news of a tracked object. It does not wait.
func (r *Runner) Observe(o vrrp.Object, reading vrrp.Reading) {
	r.send(func(l *loop) { l.step(vrrp.Observed{Object: o, Reading: reading}) })
}

// Placed tells that the addresses of an instance are where its state wants them. It does not wait.
func (r *Runner) Placed(instance string) {
	r.send(func(l *loop) { l.step(vrrp.Placed{Instance: instance}) })
}

// Abandon ends Run without a word to the other routers: the roles stay as they are until they miss the adverts. It does not wait.
func (r *Runner) Abandon() {
	r.send(func(l *loop) { l.over = true })
}

// PutBack counts that somebody else removed what is an instance's, and that it was put back. It does not wait.
func (r *Runner) PutBack(instance string) {
	r.send(func(l *loop) {
		if in := l.named[instance]; in != nil {
			in.counters.PutBack++
		}
	})
}

// Switchover has the active instance, or its group with it, hand over to another router, and returns when that has begun. What comes of
// it is reported: vrrp.HandedOver or vrrp.NotHandedOver. An error says why there is nothing to hand over.
func (r *Runner) Switchover(ctx context.Context, name string) error {
	err, failed := ask(ctx, r, func(l *loop) error {
		err := l.router.Switchable(name)
		if err == nil {
			l.step(vrrp.Switchover{Name: name})
		}
		return err
	})
	if failed != nil {
		return failed
	}
	return err
}

// statusPart is how many instances the thread tells of at once. A thousand would keep it for milliseconds.
const statusPart = 32

// Status returns what is known of all instances and sync groups, in the order of the file. It asks the thread for a few instances
// at a time, so they are not all as of the same moment.
func (r *Runner) Status(ctx context.Context) ([]vrrp.Status, []vrrp.GroupStatus, error) {
	type part struct {
		instances []vrrp.Status
		groups    []vrrp.GroupStatus // in the last part
		changes   int                // of the configuration until then
		last      bool
	}
	var all []vrrp.Status
	changes := 0
	for {
		from := len(all)
		p, err := ask(ctx, r, func(l *loop) (p part) {
			p.changes = l.changes
			p.instances = l.status(from, statusPart)
			if p.last = len(p.instances) < statusPart; p.last {
				p.groups = l.router.GroupStatus()
			}
			return p
		})
		switch {
		case err != nil:
			return nil, nil, err
		case p.changes != changes && from > 0:
			all = nil // they are others now
			continue
		}
		changes, all = p.changes, append(all, p.instances...)
		if p.last {
			return all, p.groups, nil
		}
	}
}

// Thread tells how the thread runs. False: it does not yet.
func (r *Runner) Thread() (Thread, bool) {
	if t := r.thread.Load(); t != nil {
		return *t, true
	}
	return Thread{}, false
}

// ask has the thread answer a question.
func ask[T any](ctx context.Context, r *Runner, question func(*loop) T) (T, error) {
	answer := make(chan T, 1)
	r.send(func(l *loop) { answer <- question(l) })
	var none T
	select {
	case a := <-answer:
		return a, nil
	case <-ctx.Done():
		return none, ctx.Err()
	case <-r.ended:
		return none, ErrEnded
	}
}

// retry is when it is tried again to open a socket.
const retry = time.Second
