package vipnl

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/bits"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/vip"
)

var routeGroups = []int{unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE}

// work makes one step of all that is due, in the order of vip.Wish: what comes, the announcements, what goes.
func (k *Keeper) work(now time.Time) {
	k.parts(now)
	if err := k.tables.refresh(k.kernel); err != nil {
		k.Log.Warn("the kernel's routes can't be read, trying again", "err", err)
		k.tryAt(now.Add(time.Second))
	}
	var come, leave []*entry
	for e := range k.dirty {
		delete(k.dirty, e)
		delete(k.waiting, e)
		switch k.look(e, now) {
		case comes:
			come = append(come, e)
		case goes:
			leave = append(leave, e)
		case waits:
			k.waiting[e] = true
			k.tryAt(e.at)
		case stays:
		}
	}
	order := func(a, b *entry) int {
		return cmp.Or(cmp.Compare(a.object.stage(), b.object.stage()), cmp.Compare(a.serial, b.serial))
	}
	slices.SortFunc(come, order)
	slices.SortFunc(leave, func(a, b *entry) int { return order(b, a) })

	k.setDenied(union(k.denied, k.deny), now)
	// IPv6 has one route to a destination with a metric: the old one goes first.
	k.request(leave, func(e *entry) bool { return slices.ContainsFunc(come, e.hinders) }, now)
	k.request(come, nil, now)
	k.announce()
	k.request(leave, func(e *entry) bool { return (e.ours || e.left) && !k.follows(e, now) }, now)
	k.setDenied(k.deny, now)
}

// move is what is to be done about an entry.
type move uint8

const (
	stays move = iota
	comes
	goes
	waits
)

// look compares an entry with what the kernel has.
func (k *Keeper) look(e *entry, now time.Time) move {
	state := e.object.state(&k.tables)
	if len(e.claims) == 0 {
		switch {
		case state == absent && !k.lost || !e.ours && !e.left:
			delete(k.entries, e.object.id())
			return stays
		case !e.ours && slices.ContainsFunc(e.heirs, k.undecided):
			return stays
		case now.Before(e.at):
			return waits
		}
		return goes
	}
	e.left = false
	if state == present {
		k.settled(e)
		return stays
	}
	switch a, ok := e.object.(placedAddress); {
	case ok && a.contested(&k.tables):
		if now.Before(e.at) {
			return waits
		}
		if e.was != nil {
			k.absent(e)
			if e.attempt.failed(errContested, now) {
				k.report(e, Conflict, nil)
			}
			return waits
		}
	case e.was == e.object: // no owner has changed its mind
		k.lose(e, now)
	}
	k.absent(e)
	switch {
	case e.given:
		return stays
	case now.Before(e.at):
		return waits
	}
	return comes
}

// followTime is how long an IPv6 address stays where it was because it can't be used yet where it is to be.
const followTime = 200 * time.Millisecond

// follows says that an IPv6 address that is to go waits for the same one on another interface, where it has just come.
func (k *Keeper) follows(e *entry, now time.Time) bool {
	a, ok := e.object.(placedAddress)
	if !ok || e.waited || !k.tables.assumed[a.Prefix.Addr()] {
		return false
	}
	e.waited, e.at, k.waiting[e] = true, now.Add(followTime), true
	k.tryAt(e.at)
	return true
}

// errContested is why an address can't be used: duplicate address detection has found another host with it. It is made again then.
var errContested = errors.New("another host has it")

// absent notes that an object is not on the host, or can't be used. The neighbours are told when it comes back.
func (k *Keeper) absent(e *entry) {
	e.was = nil
	for _, c := range e.claims {
		k.touched[c.owner] = true
		delete(k.owners[c.owner].told, e.object.id())
	}
}

// lose notes that an object is not on the host any more though it is wished.
func (k *Keeper) lose(e *entry, now time.Time) {
	switch {
	case now.Sub(k.bounced) < fightPause: // it went with its interface, as is right
	case e.object.untracked():
		e.given = true
	default:
		e.lost = true
		if e.fought(now) {
			if len(e.late) == fightTimes+1 {
				k.report(e, Fought, nil)
			}
			e.at = now.Add(fightPause)
		}
	}
}

// settled notes that an object is on the host as wished.
func (k *Keeper) settled(e *entry) {
	place, ready := k.place(e)
	if (ready || e.object.stage() != addressStage) && e.succeeded() {
		k.report(e, Settled, nil)
	}
	if e.lost {
		e.lost = false
		e.back++
		k.report(e, PutBack, nil)
	}
	if e.was != e.object || e.ready != ready || e.index != place.Index {
		k.touch(e)
	}
	e.ours, e.was, e.ready, e.index = true, e.object, ready, place.Index
}

// place is where an address is, and whether it can be used.
func (k *Keeper) place(e *entry) (vip.Place, bool) {
	a, ok := e.object.(placedAddress)
	if !ok {
		return vip.Place{}, false
	}
	have, ok := a.is(&k.tables)
	return vip.Place{Addr: have.local, Dev: a.Dev, Index: have.index}, ok && have.ready()
}

// hinders says that another route can't come before this one has gone.
func (e *entry) hinders(other *entry) bool {
	a, ok := e.object.(placedRoute)
	b, ok2 := other.object.(placedRoute)
	return ok && ok2 && a.IPv6 && b.IPv6 && a.Destination == b.Destination && a.From == b.From && a.Table == b.Table && a.VRF == b.VRF &&
		a.Metric == b.Metric
}

// request has the kernel make or remove what is to come or to go. All of it is asked for at once.
func (k *Keeper) request(list []*entry, filter func(*entry) bool, now time.Time) {
	var requests []message
	var of []*entry // of each request
	for _, e := range list {
		if filter != nil && !filter(e) {
			continue
		}
		var some []message
		var err error
		if len(e.claims) > 0 {
			some, err = e.object.add(&k.tables, e.object.state(&k.tables))
		} else {
			some = make([]message, 1)
			some[0], err = e.object.remove(&k.tables)
		}
		if err != nil {
			k.failed(e, err, now)
			continue
		}
		for _, m := range some {
			requests, of = append(requests, m), append(of, e)
		}
	}
	if len(requests) == 0 {
		return
	}
	release := k.promote(requests)
	errs := k.kernel.do(requests)
	release()
	for i, err := range errs {
		e := of[i]
		last := i == len(of)-1 || of[i+1] != e
		done := err == nil || fine(requests[i].kind, err)
		if done {
			k.tables.asked(requests[i])
		}
		switch {
		case !done && last:
			k.failed(e, err, now)
		case done && last && len(e.claims) > 0:
			if e.object.state(&k.tables) == present {
				k.settled(e)
			}
		case done && last:
			e.ours, e.left = false, false
			k.mark(e)
		}
	}
}

// fine says that an error means that it is so already.
func fine(kind uint16, err error) bool {
	switch kind {
	case unix.RTM_NEWROUTE, unix.RTM_NEWRULE:
		return errors.Is(err, unix.EEXIST)
	case unix.RTM_DELADDR:
		return errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.ENODEV)
	case unix.RTM_DELROUTE:
		return errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENODEV)
	case unix.RTM_DELRULE:
		return errors.Is(err, unix.ENOENT)
	}
	return false
}

// failed notes that the kernel refused, and when it is asked again.
func (k *Keeper) failed(e *entry, err error, now time.Time) {
	if e.attempt.failed(err, now) {
		k.report(e, Failed, err)
	}
	k.waiting[e] = true
	k.tryAt(e.at)
}

func (k *Keeper) report(e *entry, what What, err error) {
	k.tell(Report{What: what, Owner: e.owner, Object: e.object.String(), Err: err, Times: e.back})
}

func (k *Keeper) tell(r Report) {
	args := []any{"instance", cmp.Or(r.Owner, "-"), "object", r.Object} // - for static tables
	switch r.What {
	case PutBack:
		level := slog.LevelWarn
		if r.Times > fightTimes && bits.OnesCount(uint(r.Times)) > 1 {
			level = slog.LevelDebug // a fight is told of each time that it has gone on for twice as long
		}
		k.Log.Log(context.Background(), level, "somebody else removed it: put back", append(args, "times", r.Times)...)
	case Fought:
		k.Log.Warn("somebody else removes it again and again: from now on it is put back once a second", args...)
	case Failed:
		k.Log.Warn("the kernel refuses it: it is tried again", append(args, "err", r.Err)...)
	case Settled:
		k.Log.Info("it is there now, after it had been refused", args...)
	case Conflict:
		k.Log.Warn("another host has this address: it is tried again", args...)
	}
	if k.Report != nil {
		k.Report(r)
	}
}

// promote makes the kernel keep the secondary addresses of networks whose primary one is about to be removed, and returns what
// undoes that.
func (k *Keeper) promote(requests []message) func() {
	interfaces := map[string]int{}
	for _, m := range requests {
		if m.kind != unix.RTM_DELADDR {
			continue
		}
		a, _ := decodeAddress(m.body)
		path := promoteSecondaries(k.tables.links[a.index].name)
		if a.local.Is6() || a.mask == a.local.BitLen() || interfaces[path] != 0 || k.tables.addrs[a.addressKey].flags&unix.IFA_F_SECONDARY != 0 {
			continue
		}
		for other := range k.tables.of[a.index] {
			if other != a.addressKey && other.net == a.net {
				interfaces[path] = 1
				break
			}
		}
	}
	if len(interfaces) == 0 {
		return func() {}
	}
	var s sysctls
	if err := s.need(interfaces); err != nil {
		k.Log.Warn("addresses of the same network may go, too", "err", err)
	}
	return func() {
		if err := s.need(nil); err != nil {
			k.Log.Warn("the sysctl stays as we set it", "err", err)
		}
	}
}

func union(a, b []netip.Addr) []netip.Addr {
	all := slices.SortedFunc(slices.Values(slices.Concat(a, b)), netip.Addr.Compare)
	return slices.Compact(all)
}
