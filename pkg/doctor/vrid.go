package doctor

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// duplicateRouters asks whether two routers send adverts for one VRID at the same time. A handover can be a moment of it, so that
// each has to be heard twice.
func duplicateRouters(f *Facts, r *Report) {
	if f.Listened == 0 {
		r.unseen("vrid-duplicate", "whether two routers use one VRID: nobody listened")
		return
	}
	type router struct {
		link string
		vrid uint8
		ipv6 bool
	}
	by := map[router][]netip.Addr{}
	used := map[string][]uint8{}
	for _, a := range f.Adverts {
		used[a.Link] = append(used[a.Link], a.VRID)
		if k := (router{a.Link, a.VRID, a.From.Is6()}); a.Count >= 2 && a.Priority > 0 && !slices.Contains(by[k], a.From) {
			by[k] = append(by[k], a.From)
		}
	}
	var keys []router
	for k, from := range by {
		if len(from) > 1 {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b router) int { return cmp.Or(cmp.Compare(a.link, b.link), cmp.Compare(a.vrid, b.vrid)) })
	for _, k := range keys {
		var names []string
		slices.SortFunc(by[k], netip.Addr.Compare)
		for _, a := range by[k] {
			name := a.String()
			if f.holder(a) != nil {
				name += " (this machine)"
			}
			names = append(names, name)
		}
		free := uint8(1)
		for slices.Contains(used[k.link], free) && free < math.MaxUint8 {
			free++
		}
		other := fmt.Sprintf("in %v nobody used %d on %s.", f.Listened.Round(time.Second), free, k.link)
		if slices.Contains(used[k.link], free) {
			other = "all of them are used on " + k.link + "."
		}
		r.found(Finding{
			ID: "vrid-duplicate", Severity: Problem, Where: fmt.Sprintf("VRID %d on %s", k.vrid, k.link),
			What: strings.Join(names, " and ") + " send adverts at the same time.",
			Why:  "All of them are active: those of one pair don't believe each other (authentication, addresses, version), or two pairs use one number. Addresses are on both.",
			Then: fmt.Sprintf("If they are to be one virtual router, \"ipvsctl vrrp INSTANCE\" tells which adverts are not believed, and why. If not, give one pair another "+
				"virtual_router_id: %s", other),
		})
	}
}

// recent is how long ago an advert that was not believed still matters.
const recent = time.Minute

// rejectedAdverts asks the daemon which adverts it does not believe.
func rejectedAdverts(f *Facts, r *Report) {
	if f.Daemon == nil || f.Daemon.VRRP == nil {
		return
	}
	for _, v := range f.Daemon.VRRP.Instances {
		last := v.Counters.LastRejected
		if last == nil || f.Daemon.VRRP.At.Sub(last.At) > recent {
			continue
		}
		r.found(Finding{
			ID: "vrrp-rejected", Severity: Warning, Where: fmt.Sprintf("%s, VRID %d on %s", v.Name, v.VRID, v.Interface),
			What: fmt.Sprintf("Adverts of %s are not believed: %s.", last.From, last.Why),
			Why:  "To this router the other one does not exist. If it is the other half of the pair, both become active.",
			Then: "Make both configurations agree: auth_type and auth_pass, the addresses and their order, version, advert_int. Or it is another pair's: use another virtual_router_id.",
		})
	}
}
