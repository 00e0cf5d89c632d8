package vipnl

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/vip"
)

// Keeper makes the host as its owners wish, and keeps it so: what somebody else takes away is put back. It compares what is wished with
// what the kernel has, again whenever either changes, and does nothing about what is as wished already: neither a reload nor a new start
// of the daemon touches an address that stays.
//
// All requests of a step go to the kernel in one system call. What is new comes before the old goes, so that an address that moves
// between interfaces is always on one of them.
//
// While an address is on the loopback interface in one role and on another interface in another, that other one has the sysctls
// arp_ignore at 1 and arp_announce at 2 at least: otherwise the host would answer ARP requests for addresses that are another's. They,
// and promote_secondaries, have their old values back at the end.
type Keeper struct {
	Options

	mu     sync.Mutex
	setup  *Setup
	wishes map[string]vip.Wish // by owner, the newest
	order  []string            // of their coming
	wake   chan struct{}
	spoken atomic.Int32 // so many of Together

	working sync.Mutex // held by a step

	// The rest is of the goroutine of Run.
	kernel  rtnetlink
	tables  tables
	lost    bool // the tables lack some news
	entries map[any]*entry
	dirty   map[*entry]bool // to be looked at
	waiting map[*entry]bool // until their time has come
	owners  map[string]*owner
	touched map[string]bool // owners whose addresses are others than before
	bounced time.Time       // when an interface last came, went, or was switched on or off
	serial  uint64
	next    time.Time // when something is to be tried again; zero: nothing is

	denied    []netip.Addr // as the firewall has it
	deny      []netip.Addr // as is wished
	denyAgain attempt
	silence   attempt
	links     []vip.Link
	linksDue  bool
	linkAgain attempt
	sysctls   sysctls
	needed    map[string]int // sysctls
	sysctlDue attempt
}

// Options are what a Keeper works with.
type Options struct {
	Log *slog.Logger
	// Report is called in the goroutine of Run, and must not block. Nil: it is not called.
	Report func(Report)
	// Placed is called in the goroutine of Run when something was done about the addresses of an owner, and must not block. Nil: it is
	// not called.
	Placed func(owner string)
	// The parts that are no rtnetlink objects. Nil: there is none, and what it should do is not done.
	Firewall  Firewall
	Silencer  Silencer
	Announcer Announcer
	Links     Links
	// Record is a file that says what sysctls were before, for a run after one that was killed. Empty: there is none.
	Record string
}

// Setup is what a Keeper needs to know of the configuration.
type Setup struct {
	Links []vip.Link
	// Universe is all that is ours in any role. What of it is on the host and in no wish goes: it is left from before. That of an owner whose
	// wish is Undecided stays.
	Universe []vip.Wish
	Pacing   map[string]vip.Pacing
	// PromoteSecondaries are interfaces whose secondary addresses stay when a primary one goes.
	PromoteSecondaries []string
	// NoReports keeps the kernel from reporting multicast groups of the link (disable_local_igmp).
	NoReports bool
}

// What a Report is about.
type What string

// All of them.
const (
	PutBack  What = "put back" // somebody else had removed or changed it
	Fought   What = "fought"   // somebody removes it again and again: from now on it is put back once a second
	Failed   What = "failed"   // the kernel refused; it is tried again
	Settled  What = "settled"  // what had failed is as wished
	Conflict What = "conflict" // duplicate address detection found another host with it; it is tried again
)

// Report is what happened to an object without any owner's doing.
type Report struct {
	What   What
	Owner  string // who wishes the object, the first if there are several; empty: the static tables, or nobody any more
	Object string // its line, or the name of a part
	Err    error  // of Failed
	Times  int    // of PutBack and Fought: how often, since it has been wished
}

// NewKeeper returns a Keeper. Run makes it do something.
func NewKeeper(o Options) *Keeper {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Keeper{
		Options: o, wake: make(chan struct{}, 1), entries: map[any]*entry{}, dirty: map[*entry]bool{}, owners: map[string]*owner{},
		wishes: map[string]vip.Wish{}, waiting: map[*entry]bool{}, touched: map[string]bool{}, sysctls: sysctls{record: o.Record},
	}
}

// Change says what is configured now. It does not block.
func (k *Keeper) Change(s Setup) {
	k.mu.Lock()
	k.setup = &s
	k.mu.Unlock()
	k.poke()
}

// Wish says what an owner wishes now, in place of what it wished before. It does not block; of several the newest counts.
func (k *Keeper) Wish(w vip.Wish) {
	k.mu.Lock()
	if _, had := k.wishes[w.Owner]; !had {
		k.order = append(k.order, w.Owner)
	}
	k.wishes[w.Owner] = w
	k.mu.Unlock()
	k.poke()
}

// Together calls say, and nothing is done about what that wishes before it returns: then the addresses of a whole sync group go to the
// kernel in one step. Say must not block.
func (k *Keeper) Together(say func()) {
	k.spoken.Add(1)
	say()
	k.spoken.Add(-1)
	k.poke()
}

// Freeze has nothing be done about the host from now on, until thaw is called, which must be once: another process does it.
func (k *Keeper) Freeze() (thaw func()) {
	k.working.Lock()
	return k.working.Unlock
}

func (k *Keeper) poke() {
	if k.spoken.Load() > 0 {
		return
	}
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// Run keeps the host as wished until the context is done. Then it takes away all that is wished and does not stay, in the opposite
// order, and returns.
// It works in the network namespace of the thread that it is called on. The error says why it could not begin.
func (k *Keeper) Run(ctx context.Context) error {
	r, err := openKernel(unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR)
	if err != nil {
		return fmt.Errorf("keep the addresses: %w", err)
	}
	defer func() { _ = r.close() }()
	return k.run(ctx, r)
}

func (k *Keeper) run(ctx context.Context, r rtnetlink) error {
	k.kernel = r
	k.tables.protocols, k.tables.assumed = map[uint8]bool{}, map[netip.Addr]bool{}
	if err := k.tables.load(r); err != nil {
		return fmt.Errorf("keep the addresses: %w", err)
	}
	for ctx.Err() == nil {
		k.working.Lock()
		k.step()
		k.working.Unlock()
		var again <-chan time.Time
		if !k.next.IsZero() {
			again = time.After(time.Until(k.next))
		}
		select {
		case <-ctx.Done():
		case <-k.wake:
		case <-r.news():
		case <-again:
		}
	}
	k.end()
	return nil
}

// settleRounds is how often in a row the kernel's news of a step may make another one necessary.
const settleRounds = 8

// step does what is to be done now.
func (k *Keeper) step() {
	k.next = time.Time{}
	now := time.Now()
	for e := range k.waiting {
		if now.Before(e.at) {
			k.tryAt(e.at)
			continue
		}
		delete(k.waiting, e)
		k.mark(e)
	}
	k.takeMail()
	for range settleRounds {
		k.listen()
		if k.work(time.Now()); len(k.dirty) == 0 {
			return
		}
	}
	k.tryAt(time.Now().Add(time.Second))
}

// tryAt makes Run look again at that time.
func (k *Keeper) tryAt(t time.Time) {
	if k.next.IsZero() || t.Before(k.next) {
		k.next = t
	}
}

func (k *Keeper) takeMail() {
	k.mu.Lock()
	setup, wishes, order := k.setup, k.wishes, k.order
	k.setup, k.wishes, k.order = nil, map[string]vip.Wish{}, nil
	k.mu.Unlock()
	for _, name := range order {
		k.take(wishes[name])
	}
	if setup != nil {
		k.change(*setup)
	}
}

// leftTime is how long what is left from before may stay until somebody wishes it.
const leftTime = 50 * time.Millisecond

// change takes in what is configured.
func (k *Keeper) change(s Setup) {
	k.links, k.linksDue, k.linkAgain = s.Links, true, attempt{}
	if k.Announcer != nil {
		k.Announcer.Pace(vip.Inherit(s.Pacing, s.Links))
	}
	k.needed = neededSysctls(s)
	k.sysctlDue = attempt{due: true}
	for _, w := range s.Universe {
		for _, o := range objects(w) {
			if k.entries[o.id()] == nil {
				e := k.mark(k.entry(o))
				e.left, e.at = true, time.Now().Add(leftTime)
			}
			if e := k.entries[o.id()]; e.left && !slices.Contains(e.heirs, w.Owner) {
				e.heirs = append(e.heirs, w.Owner)
			}
		}
	}
}

// listen takes the kernel's news in.
func (k *Keeper) listen() {
	for {
		news, err := k.kernel.receive()
		if err != nil && !errors.Is(err, unix.ENOBUFS) {
			k.Log.Warn("no news of the kernel, trying again", "err", err)
			k.tryAt(time.Now().Add(time.Second))
			return
		}
		if k.lost = k.lost || err != nil; k.lost { // there was too much
			k.Log.Warn("the kernel had more news than fit, everything is read again", "err", err)
			if err := k.tables.load(k.kernel); err != nil {
				k.Log.Warn("the kernel's addresses can't be read, trying again", "err", err)
				k.tryAt(time.Now().Add(time.Second))
				return
			}
			k.lost = false
			k.again(func(e *entry) bool { return true })
			continue
		}
		var all change
		for _, m := range news {
			all |= k.heard(m)
		}
		if all&stateChange != 0 {
			k.bounced, k.linksDue, k.sysctlDue.due = time.Now(), true, true
			k.linkAgain.at, k.sysctlDue.at = time.Time{}, time.Time{}
			k.again(func(e *entry) bool { e.at = time.Time{}; return true })
		} else if all != 0 {
			// Routes go with an address, unheard, and those that failed may come with one.
			k.again(func(e *entry) bool { return e.object.stage() != addressStage })
		}
		return
	}
}

// heard takes a piece of news in. It returns what that changed.
func (k *Keeper) heard(m message) change {
	if k.tables.concerns(m) {
		return routeChange
	}
	change, a := k.tables.apply(m)
	if e := k.entries[addressID{k.tables.links[a.index].name, a.local, a.mask, a.net}]; e != nil && change != 0 {
		k.mark(e)
	}
	if k.tables.assumed[a.local] {
		delete(k.tables.assumed, a.local)
		for e := range k.waiting {
			if b, ok := e.object.(placedAddress); ok && len(e.claims) == 0 && b.Prefix.Addr() == a.local {
				e.at = time.Time{} // it was waiting for this one
				k.mark(e)
			}
		}
	}
	return change &^ linkChange
}

// again has entries looked at again, and the routes of the kernel if there are any among them.
func (k *Keeper) again(which func(*entry) bool) {
	for _, e := range k.entries {
		if !which(e) {
			continue
		}
		if e.object.stage() != addressStage {
			k.tables.stale = true
			if e.failure != "" {
				e.at = time.Time{}
			}
		}
		k.mark(e)
	}
}

func (k *Keeper) mark(e *entry) *entry {
	k.dirty[e] = true
	return e
}

// end takes everything away but what is to stay.
func (k *Keeper) end() {
	k.takeMail()
	stays := false
	for _, name := range slices.Sorted(maps.Keys(k.owners)) {
		if k.owners[name].wish.Stays {
			stays = true
		} else {
			k.take(vip.Wish{Owner: name})
		}
	}
	for _, e := range k.entries {
		e.at = time.Time{}
	}
	k.linksDue, k.sysctlDue = false, attempt{}
	for range settleRounds {
		k.listen()
		if k.work(time.Now()); len(k.dirty) == 0 {
			break
		}
	}
	if k.Announcer != nil {
		if err := k.Announcer.Close(); err != nil {
			k.Log.Warn("the announcer did not end well", "err", err)
		}
	}
	if k.Firewall != nil {
		if err := k.Firewall.Deny(nil); err != nil {
			k.Log.Warn("the firewall's rules stay", "err", err)
		}
	}
	if k.Links != nil {
		if err := k.Links.Make(slices.DeleteFunc(slices.Clone(k.links), func(l vip.Link) bool { return !k.used(l.Name) })); err != nil {
			k.Log.Warn("interfaces that were made stay", "err", err)
		}
	}
	if stays { // with it the sysctls that keep the host from answering for addresses on lo
		return
	}
	if err := k.sysctls.need(nil); err != nil {
		k.Log.Warn("sysctls stay as we set them", "err", err)
	}
}

// used tells whether an address that is wished is on an interface.
func (k *Keeper) used(dev string) bool {
	for _, o := range k.owners {
		if slices.ContainsFunc(o.wish.Addresses, func(a vip.Address) bool { return a.Dev == dev }) {
			return true
		}
	}
	return false
}
