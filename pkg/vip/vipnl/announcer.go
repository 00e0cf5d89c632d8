package vipnl

import (
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/ipvsd/ipvsd/pkg/vip"
)

// batch is how many frames are sent in one go. In between, an owner can say that it has no address any more: a frame after that would
// lead the neighbours astray.
const batch = 16

// NewAnnouncer returns an Announcer. Conflicts are reported from goroutines of its own; report must not block and must not call it.
func NewAnnouncer(log *slog.Logger, report func(vip.Conflict)) Announcer {
	return newAnnouncer(log, report, openWire)
}

func newAnnouncer(log *slog.Logger, report func(vip.Conflict), open func(ears) (wire, error)) *announcer {
	return &announcer{
		log: log, report: report, open: open, machine: vip.NewAnnouncements(),
		wake: make(chan struct{}, 1), done: make(chan struct{}), silent: make(map[int]bool),
	}
}

type announcer struct {
	log     *slog.Logger
	report  func(vip.Conflict)
	open    func(ears) (wire, error)
	wake    chan struct{} // something may be due
	done    chan struct{} // closed by Close
	running sync.WaitGroup

	mu      sync.Mutex // held while frames are sent
	machine *vip.Announcements
	wire    wire         // nil until there is something to say
	refused string       // why it can't be opened
	changed bool         // what there is to say, since
	heard   []netip.Addr // that the wire listens for
	silent  map[int]bool // interfaces, by index, that frames can't leave by
}

// wire is what an announcer needs of the kernel.
type wire interface {
	// send sends the frame of a notice. One whose interface is down or has no carrier is lost without an error: when that is over, Up
	// will be heard.
	send(vip.Notice) error
	// listen makes the claims of others about these addresses be heard, and few more.
	listen(addrs []netip.Addr) error
	close() error
}

// ears is what a wire tells, in goroutines of its own, which end before its close returns.
type ears struct {
	up      func(index int)              // frames reach the neighbours, after a time when they did not, or there is another MAC
	claimed func(index int, c vip.Claim) // by somebody else
	failed  func(error)                  // it can't hear
}

func (a *announcer) Announce(owner string, now vip.Announcement) {
	a.tell(func() {
		if a.wire == nil && now.How != nil {
			a.connect()
		}
		a.machine.Announce(time.Now(), owner, now)
		a.changed = true
	})
}

// connect opens the wire. It is done by the caller's thread, whose network namespace counts.
func (a *announcer) connect() {
	w, err := a.open(ears{
		up:      func(index int) { a.tell(func() { a.machine.Up(time.Now(), index) }) },
		claimed: func(index int, c vip.Claim) { a.tell(func() { a.machine.Claimed(time.Now(), index, c) }) },
		failed:  func(err error) { a.log.Warn("announcer is deaf", "err", err) },
	})
	switch {
	case err == nil:
		a.wire = w
		a.running.Go(a.run)
	case err.Error() != a.refused:
		a.refused = err.Error()
		a.log.Error("neighbours are not told where addresses are", "err", err)
	}
}

func (a *announcer) Pace(pacing map[string]vip.Pacing) {
	a.tell(func() { a.machine.Pace(pacing) })
}

// tell changes the machine.
func (a *announcer) tell(change func()) {
	a.mu.Lock()
	change()
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

func (a *announcer) Close() error {
	close(a.done)
	a.running.Wait()
	if a.wire == nil {
		return nil
	}
	return a.wire.close() // what it hears until then changes a machine that nobody asks
}

func (a *announcer) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var due <-chan time.Time
		if a.some() {
			timer.Reset(0)
			due = timer.C
		} else if at := a.rest(); !at.IsZero() {
			timer.Reset(time.Until(at))
			due = timer.C
		}
		select {
		case <-a.done:
			return
		case <-a.wake:
		case <-due:
		}
	}
}

// some sends some of the frames that are due, and reports whether there may be more.
func (a *announcer) some() (more bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for range batch {
		n, due := a.machine.Step(time.Now())
		if !due {
			return false
		}
		a.send(n)
	}
	return true
}

func (a *announcer) send(n vip.Notice) {
	err := a.wire.send(n)
	if err == nil {
		delete(a.silent, n.Index)
		return
	}
	a.machine.Failed(time.Now(), n)
	if !a.silent[n.Index] {
		a.silent[n.Index] = true
		a.log.Warn("neighbours not told where an address is, trying on", "router", n.Owner, "err", err)
	}
}

// rest does what has time until frames are sent, and returns when the next one is due.
func (a *announcer) rest() time.Time {
	a.mu.Lock()
	news, at := a.machine.Conflicts(), a.machine.Deadline()
	if a.changed {
		a.changed = false
		a.listen(a.machine.Addresses())
	}
	a.mu.Unlock()
	for _, c := range news {
		a.report(c)
	}
	return at
}

func (a *announcer) listen(addrs []netip.Addr) {
	if slices.Equal(addrs, a.heard) {
		return
	}
	a.heard = addrs
	if err := a.wire.listen(addrs); err != nil {
		a.log.Warn("conflicts of addresses are not noticed", "err", err)
	}
}
