package realserver

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Method is how the director sends packets here.
type Method string

// The methods.
const (
	DR  Method = "DR"
	TUN Method = "TUN"
)

// ParseMethod reads a Method in any case.
func ParseMethod(s string) (Method, error) {
	switch m := Method(strings.ToUpper(s)); m {
	case DR, TUN:
		return m, nil
	}
	return "", fmt.Errorf("%q is not DR or TUN: servers under NAT need a route back through the director, and nothing else", s)
}

// The interfaces of the kernel's own that unwrap what comes from any sender.
const (
	tunnel4 = "tunl0"
	tunnel6 = "ip6tnl0"
)

// Host is what a machine is like.
type Host struct {
	Sysctls   map[string]int // by path below /proc/sys
	Links     []Link
	Addresses []Address
}

// Link is an interface.
type Link struct {
	Name     string
	Up       bool
	Ethernet bool // with ARP
}

// Address is one of the machine's own.
type Address struct {
	Link   string       `json:"link"`
	Prefix netip.Prefix `json:"prefix"`
}

// VIP is an address of services that a machine is prepared for.
type VIP struct {
	Addr   netip.Addr `json:"vip"`
	Method Method     `json:"method"`
	Link   string     `json:"link"` // that has it
}

// Prefix is the address as it is given to the link.
func (v VIP) Prefix() netip.Prefix { return netip.PrefixFrom(v.Addr, v.Addr.BitLen()) }

// New returns VIPs for a method. Without a link they are on lo, and under TUN on the tunnel's interface, where they have to be.
func New(addrs []netip.Addr, m Method, link string) ([]VIP, error) {
	if len(addrs) == 0 {
		return nil, errors.New("no address is given")
	}
	var list []VIP
	for _, a := range addrs {
		if a = a.Unmap(); a.IsUnspecified() || a.IsLoopback() || a.IsMulticast() || a.Zone() != "" {
			return nil, fmt.Errorf("%s is no address of services", a)
		}
		v := VIP{Addr: a, Method: m, Link: link}
		own := "lo"
		if m == TUN {
			own = tunnel(a)
		}
		if v.Link == "" {
			v.Link = own
		} else if m == TUN && link != own {
			return nil, fmt.Errorf("%s on %s: under TUN it has to be on %s, or the kernel drops what comes out of the tunnel (rp_filter)", a, link, own)
		}
		if !slices.Contains(list, v) {
			list = append(list, v)
		}
	}
	return list, nil
}

func tunnel(a netip.Addr) string {
	if a.Is4() {
		return tunnel4
	}
	return tunnel6
}

// Step is one thing that a machine lacks: a sysctl, or an address on a link, or else that a link is up.
type Step struct {
	Sysctl string       `json:"sysctl,omitempty"` // path below /proc/sys
	Value  int          `json:"value,omitempty"`
	Link   string       `json:"link,omitempty"`
	Prefix netip.Prefix `json:"prefix,omitzero"`
	// Remove: the address has to go from this link first, which is left to the operator.
	Remove bool `json:"remove,omitempty"`
}

// String is the command that does it.
func (s Step) String() string {
	switch {
	case s.Sysctl != "":
		path := s.Sysctl
		if !strings.Contains(path, ".") {
			path = strings.ReplaceAll(path, "/", ".")
		}
		return fmt.Sprintf("sysctl -w %s=%d", path, s.Value)
	case s.Remove:
		return fmt.Sprintf("ip address delete %s dev %s", s.Prefix, s.Link)
	case !s.Prefix.IsValid():
		return fmt.Sprintf("ip link set dev %s up", s.Link)
	case s.Prefix.Addr().Is6():
		return fmt.Sprintf("ip address add %s dev %s nodad preferred_lft 0", s.Prefix, s.Link)
	}
	return fmt.Sprintf("ip address add %s dev %s", s.Prefix, s.Link)
}

// Fits says whether the VIPs' links are there, or can be made, and are none on which neighbours ask for addresses: no sysctl keeps a machine
// from answering for what is on the interface asked on.
func Fits(vips []VIP, h *Host) error {
	for _, v := range vips {
		i := slices.IndexFunc(h.Links, func(l Link) bool { return l.Name == v.Link })
		switch {
		case i < 0 && v.Link != tunnel4 && v.Link != tunnel6:
			return fmt.Errorf("%s: there is no interface %q", v.Addr, v.Link)
		case i >= 0 && h.Links[i].Ethernet:
			return fmt.Errorf("%s: on %q, an Ethernet interface, this machine would answer for it: take lo or one of the kind dummy", v.Addr, v.Link)
		}
	}
	return nil
}

// Steps returns what a machine lacks, in an order in which it never says that it has the address: silence first. Links that are missing are
// made by raising them.
func Steps(vips []VIP, h *Host) (steps []Step) {
	least := func(path string, value int) {
		if is, known := h.Sysctls[path]; known && is < value {
			steps = append(steps, Step{Sysctl: path, Value: value})
		}
	}
	raised := map[string]bool{}
	for _, v := range vips {
		for _, own := range h.Addresses {
			if own.Prefix.Addr() == v.Addr && own.Link != v.Link {
				steps = append(steps, Step{Link: own.Link, Prefix: own.Prefix, Remove: true})
			}
		}
	}
	if slices.ContainsFunc(vips, func(v VIP) bool { return v.Addr.Is4() }) {
		// The greater of both values counts: with "all" alone it would be enough until somebody puts that back.
		for _, name := range append([]string{"all"}, h.ethernet()...) {
			least("net/ipv4/conf/"+name+"/arp_ignore", 1)   // answer for addresses of the interface asked on
			least("net/ipv4/conf/"+name+"/arp_announce", 2) // ask in the name of such, too
		}
	}
	for _, v := range vips {
		if v.Link != "lo" && !h.up(v.Link) && !raised[v.Link] {
			raised[v.Link] = true
			steps = append(steps, Step{Link: v.Link})
		}
		if v.Method == TUN && v.Addr.Is4() {
			// What comes out of the tunnel has come in by another interface than answers leave by. Loose is the greatest value and counts,
			// whatever "all" has.
			const path, loose = "net/ipv4/conf/" + tunnel4 + "/rp_filter", 2
			if is, known := h.Sysctls[path]; (!known || is != loose) && !slices.ContainsFunc(steps, func(s Step) bool { return s.Sysctl == path }) {
				steps = append(steps, Step{Sysctl: path, Value: loose})
			}
		}
		if !slices.Contains(h.Addresses, Address{v.Link, v.Prefix()}) {
			steps = append(steps, Step{Link: v.Link, Prefix: v.Prefix()})
		}
	}
	return steps
}

func (h *Host) ethernet() (names []string) {
	for _, l := range h.Links {
		if l.Ethernet {
			names = append(names, l.Name)
		}
	}
	return names
}

func (h *Host) up(link string) bool {
	return slices.ContainsFunc(h.Links, func(l Link) bool { return l.Name == link && l.Up })
}
