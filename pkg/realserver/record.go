package realserver

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// Record is what was done to a machine, to be undone: kept in a file.
type Record struct {
	VIPs  []VIP          `json:"vips"`
	Was   map[string]int `json:"sysctls_before,omitempty"`
	Set   map[string]int `json:"sysctls_set,omitempty"`
	Added []Address      `json:"addresses_added,omitempty"`
	Up    []string       `json:"links_brought_up,omitempty"`
	Made  []string       `json:"links_made,omitempty"` // brought up, and not there before
}

// Note adds VIPs, and the steps that are about to be taken for them. What an earlier one was before counts.
func (r *Record) Note(vips []VIP, steps []Step, h *Host) {
	if r.Was == nil {
		r.Was = map[string]int{}
	}
	if r.Set == nil { // a file may have one without the other
		r.Set = map[string]int{}
	}
	for _, v := range vips {
		r.VIPs = slices.DeleteFunc(r.VIPs, func(o VIP) bool { return o.Addr == v.Addr })
		r.VIPs = append(r.VIPs, v)
	}
	slices.SortFunc(r.VIPs, func(a, b VIP) int { return a.Addr.Compare(b.Addr) })
	for _, s := range steps {
		switch {
		case s.Sysctl != "":
			if is, there := h.Sysctls[s.Sysctl]; there {
				if _, known := r.Was[s.Sysctl]; !known {
					r.Was[s.Sysctl] = is
				}
			}
			r.Set[s.Sysctl] = s.Value
		case s.Remove:
		case s.Prefix.IsValid():
			if a := (Address{s.Link, s.Prefix}); !slices.Contains(r.Added, a) {
				r.Added = append(r.Added, a)
			}
		default:
			there := slices.ContainsFunc(h.Links, func(l Link) bool { return l.Name == s.Link })
			if !there && !slices.Contains(r.Made, s.Link) {
				r.Made = append(r.Made, s.Link)
			}
			if !slices.Contains(r.Up, s.Link) {
				r.Up = append(r.Up, s.Link)
			}
		}
	}
}

// Undoing is what puts a machine back as it was, in this order.
type Undoing struct {
	Addresses []Address      `json:"addresses,omitempty"` // to be removed
	Down      []string       `json:"links_down,omitempty"`
	Sysctls   map[string]int `json:"sysctls,omitempty"`
	// Left are sysctls that somebody has changed since: they stay.
	Left []string `json:"sysctls_left,omitempty"`
	// LeftUp are links that somebody has given addresses to since: they stay up.
	LeftUp []string `json:"links_left,omitempty"`
}

// Undo takes VIPs out of the record, all without any, and returns what is to be undone: of what several VIPs need, only what no other one
// needs any more. The record keeps nothing of it.
func (r *Record) Undo(addrs []netip.Addr, h *Host) (u Undoing) {
	goes := func(a netip.Addr) bool { return len(addrs) == 0 || slices.Contains(addrs, a) }
	r.VIPs = slices.DeleteFunc(r.VIPs, func(v VIP) bool { return goes(v.Addr) })
	r.Added = slices.DeleteFunc(r.Added, func(a Address) bool {
		if !goes(a.Prefix.Addr()) {
			return false
		}
		if slices.Contains(h.Addresses, a) {
			u.Addresses = append(u.Addresses, a)
		}
		return true
	})
	r.Up = slices.DeleteFunc(r.Up, func(link string) bool {
		if slices.ContainsFunc(r.VIPs, func(v VIP) bool { return v.Link == link }) {
			return false
		}
		switch {
		case !h.up(link):
		case slices.ContainsFunc(h.Addresses, func(a Address) bool {
			return a.Link == link && !a.Prefix.Addr().IsLinkLocalUnicast() && !slices.Contains(u.Addresses, a)
		}):
			u.LeftUp = append(u.LeftUp, link)
		default:
			u.Down = append(u.Down, link)
		}
		return true
	})
	r.Made = slices.DeleteFunc(r.Made, func(link string) bool { return !slices.Contains(r.Up, link) })
	if slices.ContainsFunc(r.VIPs, func(v VIP) bool { return v.Addr.Is4() }) {
		return u
	}
	u.Sysctls = map[string]int{}
	for path, was := range r.Was {
		is, there := h.Sysctls[path]
		switch {
		case !there, is == was: // the interface went with it
		case is != r.Set[path]:
			u.Left = append(u.Left, path)
		default:
			u.Sysctls[path] = was
		}
	}
	slices.SortFunc(u.Left, cmp.Compare[string])
	r.Was, r.Set = nil, nil
	return u
}

// Lines are the commands that undo it, and what is left.
func (u Undoing) Lines() (list []string) {
	for _, a := range u.Addresses {
		list = append(list, fmt.Sprintf("ip address delete %s dev %s", a.Prefix, a.Link))
	}
	for _, link := range u.Down {
		list = append(list, fmt.Sprintf("ip link set dev %s down", link))
	}
	for _, path := range slices.Sorted(maps.Keys(u.Sysctls)) {
		list = append(list, Step{Sysctl: path, Value: u.Sysctls[path]}.String())
	}
	for _, path := range u.Left {
		list = append(list, fmt.Sprintf("# %s was changed by somebody else since, and stays", path))
	}
	for _, link := range u.LeftUp {
		list = append(list, fmt.Sprintf("# %s was given addresses by somebody else since, and stays up", link))
	}
	if len(list) == 0 {
		list = append(list, "There is nothing to undo.")
	}
	return list
}
