package vipnl

import (
	"errors"
	"io/fs"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"github.com/ipvsd/ipvsd/pkg/vip"
)

// parts does what is due about interfaces and sysctls.
func (k *Keeper) parts(now time.Time) {
	if k.linksDue && k.Links != nil {
		k.linksDue = !k.try(&k.linkAgain, "interfaces", now, func() error { return k.Links.Make(k.links) })
	}
	if k.silence.due && k.Silencer != nil {
		var at []netip.AddrPort
		for _, o := range k.owners {
			at = append(at, o.wish.Silent...)
		}
		k.silence.due = !k.try(&k.silence, "silence", now, func() error { return k.Silencer.Silence(at) })
	}
	if k.sysctlDue.due {
		k.sysctlDue.due = !k.try(&k.sysctlDue, "sysctls", now, func() error { return k.sysctls.need(k.needed) })
	}
}

// setDenied has packets to these addresses dropped.
func (k *Keeper) setDenied(addrs []netip.Addr, now time.Time) {
	if k.Firewall == nil || slices.Equal(addrs, k.denied) {
		return
	}
	if k.try(&k.denyAgain, "firewall", now, func() error { return k.Firewall.Deny(addrs) }) {
		k.denied = addrs
	}
}

// try does something that may fail, if it is time for it. It returns whether it is done.
func (k *Keeper) try(a *attempt, what string, now time.Time, do func() error) bool {
	if now.Before(a.at) {
		k.tryAt(a.at)
		return false
	}
	err := do()
	r := Report{Object: what, Err: err, What: Failed}
	if err == nil {
		if !a.succeeded() {
			return true
		}
		r.What = Settled
	} else {
		changed := a.failed(err, now)
		k.tryAt(a.at)
		if !changed {
			return false
		}
	}
	k.tell(r)
	return err == nil
}

// touch has the owners of an address looked at.
func (k *Keeper) touch(e *entry) {
	for _, c := range e.claims {
		k.touched[c.owner] = true
	}
}

// announce says what the neighbours of owners should know now.
func (k *Keeper) announce() {
	for _, name := range slices.Sorted(maps.Keys(k.touched)) {
		delete(k.touched, name)
		o := k.owners[name]
		if o == nil {
			continue
		}
		now := vip.Announcement{How: o.wish.Announce, Repeat: o.wish.Repeat}
		told := map[any]bool{}
		for _, id := range o.ids {
			e := k.entries[id]
			if e == nil || e.was == nil || !e.ready || now.How == nil {
				continue
			}
			place, _ := k.place(e)
			now.Places = append(now.Places, place)
			if !o.told[id] {
				now.Fresh = append(now.Fresh, place)
			}
			told[id] = true
		}
		o.told = told
		same := len(now.Fresh) == 0 && reflect.DeepEqual(now.How, o.said.How) && now.Repeat == o.said.Repeat && slices.Equal(now.Places, o.said.Places)
		if k.Announcer != nil && !same {
			k.Announcer.Announce(name, now)
		}
		if k.Placed != nil {
			k.Placed(name)
		}
		o.said = now
		if len(o.ids) == 0 && len(o.wish.Denied) == 0 && now.How == nil && !o.wish.Undecided {
			delete(k.owners, name)
		}
	}
}

// need raises sysctls to their values at least, sets those to 0 that are to be 0, and gives those that are needed no more their old
// ones. An interface that does not exist has none.
func (s *sysctls) need(values map[string]int) error {
	err := s.restore(func(path string) bool {
		_, needed := values[path]
		return needed
	})
	for _, path := range slices.Sorted(maps.Keys(values)) {
		change := s.raise
		if values[path] == 0 {
			change = s.set
		}
		if e := change(path, values[path]); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

func promoteSecondaries(dev string) string { return "ipv4/conf/" + dev + "/promote_secondaries" }

// neededSysctls are those that a configuration needs.
func neededSysctls(s Setup) map[string]int {
	needed := map[string]int{}
	for _, dev := range s.PromoteSecondaries {
		needed[promoteSecondaries(dev)] = 1
	}
	if s.NoReports {
		needed["ipv4/igmp_link_local_mcast_reports"] = 0
	}
	loopback := map[netip.Addr]bool{}
	for _, w := range s.Universe {
		for _, a := range w.Addresses {
			if a.Dev == "lo" && a.Prefix.Addr().Is4() {
				loopback[a.Prefix.Addr()] = true
			}
		}
	}
	for _, w := range s.Universe {
		for _, a := range w.Addresses {
			if loopback[a.Prefix.Addr()] && a.Dev != "lo" {
				needed["ipv4/conf/"+a.Dev+"/arp_ignore"], needed["ipv4/conf/"+a.Dev+"/arp_announce"] = 1, 2
			}
		}
	}
	return needed
}
