package vipnl

import (
	"maps"
	"math/bits"
	"net/netip"
	"slices"
	"time"

	"github.com/ipvsd/ipvsd/pkg/vip"
)

// entry is an object that is wished, or was, or may be left from before.
type entry struct {
	object object // as the first of the claims has it
	claims []claim
	serial uint64   // orders entries as wishes came
	left   bool     // it is part of the universe: if it is on the host without being wished, it goes
	heirs  []string // owners in whose universe it is, if it is left
	ours   bool     // it is on the host because it is wished
	was    object   // as which it was on the host when last looked at, nil if it was not
	lost   bool     // somebody else removed or changed it
	given  bool     // it was lost, and is not to be put back
	waited bool     // for what comes in its place
	owner  string   // the first who claims it, or who claimed it last
	ready  bool     // an address: it can be used
	index  int      // of the interface of an address

	back int         // times that it was put back
	late []time.Time // when, lately
	attempt
}

// claim is what one owner wishes.
type claim struct {
	owner  string
	object object
}

// owner is who wishes.
type owner struct {
	wish vip.Wish
	ids  []any // of the objects, in order
	said vip.Announcement
	told map[any]bool // addresses that the neighbours have been told of
}

// attempt is when something is tried again.
type attempt struct {
	due     bool
	failure string
	times   int
	at      time.Time
}

const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 10 * time.Second

	// If something is put back so many times within the span, somebody fights: then it is put back after the pause.
	fightTimes = 5
	fightSpan  = 10 * time.Second
	fightPause = time.Second
)

// failed notes a failure. It returns whether it is another one than before.
func (a *attempt) failed(err error, now time.Time) bool {
	a.at = now.Add(min(firstRetry<<min(a.times, bits.Len(uint(lastRetry/firstRetry))), lastRetry))
	a.times++
	old := a.failure
	a.failure = err.Error()
	return a.failure != old
}

// succeeded returns whether there was a failure before.
func (a *attempt) succeeded() bool {
	had := a.failure != ""
	*a = attempt{}
	return had
}

// objects are those of a wish, in its order.
func objects(w vip.Wish) []object {
	var list []object
	for _, a := range w.Addresses {
		list = append(list, placedAddress{a})
	}
	for _, r := range w.Routes {
		list = append(list, placedRoute{r})
	}
	for _, r := range w.Rules {
		list = append(list, placedRule{r})
	}
	return list
}

// entry returns the object's, which it makes if there is none.
func (k *Keeper) entry(o object) *entry {
	id := o.id()
	e := k.entries[id]
	if e != nil {
		return e
	}
	k.serial++
	e = &entry{object: o, serial: k.serial}
	k.entries[id] = e
	k.follow(o)
	return e
}

// follow makes sure that routes and rules are known once there is one.
func (k *Keeper) follow(o object) {
	protocol := uint8(0)
	switch o := o.(type) {
	case placedRoute:
		protocol = o.protocol()
	case placedRule:
		protocol = tag
	}
	if protocol == 0 || k.tables.protocols[protocol] {
		return
	}
	if len(k.tables.protocols) == 0 {
		if err := k.kernel.join(routeGroups...); err != nil {
			k.Log.Warn("no news of routes and rules", "err", err)
		}
	}
	k.tables.protocols[protocol], k.tables.stale = true, true
}

// take takes a wish in.
func (k *Keeper) take(w vip.Wish) {
	o := k.owners[w.Owner]
	if o == nil {
		o = &owner{told: map[any]bool{}}
		k.owners[w.Owner] = o
	}
	list := objects(w)
	now := make(map[any]bool, len(list))
	old := o.ids
	if o.wish.Undecided && !w.Undecided {
		k.decide(w.Owner)
	}
	denied := !slices.Equal(o.wish.Denied, w.Denied)
	if !slices.Equal(o.wish.Silent, w.Silent) {
		k.silence = attempt{due: true}
	}
	o.wish, o.ids = w, nil
	if denied {
		k.deny = k.wishedDenied()
	}
	k.touched[w.Owner] = true
	for _, x := range list {
		id := x.id()
		if now[id] {
			continue // said twice
		}
		now[id] = true
		o.ids = append(o.ids, id)
		e := k.entry(x)
		i := slices.IndexFunc(e.claims, func(c claim) bool { return c.owner == w.Owner })
		switch {
		case i < 0:
			if len(e.claims) == 0 {
				k.serial++
				e.serial = k.serial
				e.back, e.late = 0, nil
			}
			e.claims = append(e.claims, claim{w.Owner, x})
		case e.claims[i].object != x:
			e.claims[i].object = x
		default:
			continue
		}
		k.claimed(e)
	}
	for _, id := range old {
		if e := k.entries[id]; e != nil && !now[id] {
			e.claims = slices.DeleteFunc(e.claims, func(c claim) bool { return c.owner == w.Owner })
			k.claimed(e)
		}
	}
}

// claimed has an entry looked at whose claims have changed.
func (k *Keeper) claimed(e *entry) {
	if len(e.claims) > 0 {
		e.object, e.owner = e.claims[0].object, e.claims[0].owner
	}
	e.given, e.waited = false, false
	e.attempt = attempt{}
	k.mark(e)
}

// fought notes that the object was lost, and says whether that is so often that it must be put back more slowly.
func (e *entry) fought(now time.Time) bool {
	e.late = slices.DeleteFunc(e.late, func(t time.Time) bool { return now.Sub(t) > fightSpan })
	e.late = append(e.late, now)
	return len(e.late) > fightTimes
}

// wishedDenied is the union of what owners deny.
func (k *Keeper) wishedDenied() []netip.Addr {
	set := map[netip.Addr]bool{}
	for _, o := range k.owners {
		for _, a := range o.wish.Denied {
			set[a] = true
		}
	}
	return slices.SortedFunc(maps.Keys(set), netip.Addr.Compare)
}

func (k *Keeper) undecided(name string) bool {
	o := k.owners[name]
	return o != nil && o.wish.Undecided
}

// decide has what is left for an owner be looked at: it goes without delay if the owner does not wish it.
func (k *Keeper) decide(name string) {
	for _, e := range k.entries {
		if e.left && slices.Contains(e.heirs, name) {
			e.at = time.Time{}
			k.mark(e)
		}
	}
}
