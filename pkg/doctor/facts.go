package doctor

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// Facts are what was seen of a machine, in one network namespace. What could not be seen is missing, and why is in Unseen.
type Facts struct {
	At      time.Time `json:"at"`
	Release string    `json:"release"` // of the kernel, as uname -r prints it

	// Sysctls by their path below /proc/sys, such as "net/ipv4/ip_forward": names of interfaces may have dots.
	Sysctls    map[string]string `json:"sysctls"`
	Links      []Link            `json:"links"`
	Addresses  []Address         `json:"addresses"`
	Defaults   []DefaultRoute    `json:"default_routes,omitempty"`
	Routes     []Route           `json:"routes_to_servers,omitempty"`
	Neighbours []Neighbour       `json:"neighbours,omitempty"`

	// Modules of IPVS that matter, by name.
	Modules map[string]ModuleState `json:"modules,omitempty"`
	IPVS    bool                   `json:"ipvs"`             // the kernel has it at work
	Table   *status.Kernel         `json:"table,omitempty"`  // absent: it can't be read
	Daemon  *status.Snapshot       `json:"daemon,omitempty"` // absent: no ipvsd answers

	Processes []Process `json:"processes,omitempty"` // those that write to the same table or claim the same addresses
	AtBoot    []string  `json:"at_boot,omitempty"`   // systemd units that load a table when the machine starts
	Clock     Clock     `json:"clock"`
	SNAT      []string  `json:"source_nat,omitempty"` // rules of the firewall that change sources, as lines of iptables or nft

	// What was heard in Listened: nothing, if that is 0.
	Listened time.Duration `json:"listened"`
	Asked    []netip.Addr  `json:"asked,omitempty"`  // whom the neighbours have was asked of these
	Claims   []Claim       `json:"claims,omitempty"` // of others
	Adverts  []Advert      `json:"adverts,omitempty"`
	Syncs    []Sync        `json:"sync_messages,omitempty"`

	Prepared []Prepared `json:"prepared,omitempty"`
	Unseen   []Unseen   `json:"unseen,omitempty"`
}

// Link is a network interface.
type Link struct {
	Name     string `json:"name"`
	Kind     string `json:"kind,omitempty"` // such as bridge, dummy, veth; empty for hardware
	Up       bool   `json:"up"`
	Loopback bool   `json:"loopback,omitempty"`
	Ethernet bool   `json:"ethernet,omitempty"` // with ARP
	MTU      int    `json:"mtu"`                // in bytes, without the link's own header
	MAC      string `json:"mac,omitempty"`
	LRO      bool   `json:"lro,omitempty"`
	Port     bool   `json:"port,omitempty"` // of a bridge or a bond
}

// Address is one of the machine's own.
type Address struct {
	Link   string       `json:"link"`
	Prefix netip.Prefix `json:"prefix"`
}

// DefaultRoute is a route to everywhere of the main table.
type DefaultRoute struct {
	Link string `json:"link"`
	IPv6 bool   `json:"ipv6,omitempty"`
}

// Route is how the kernel would send a packet to a server.
type Route struct {
	To      netip.Addr `json:"to"`
	Link    string     `json:"link,omitempty"`
	Gateway netip.Addr `json:"gateway,omitzero"` // absent: the server is on the link's network
	Source  netip.Addr `json:"source,omitzero"`  // of the machine's own packets
	MTU     int        `json:"mtu"`              // bytes of a packet, header included
	Local   bool       `json:"local,omitempty"`  // the address is the machine's own
	Error   string     `json:"error,omitempty"`  // there is no way
}

// Neighbour is an address and the MAC that has it.
type Neighbour struct {
	Link string     `json:"link"`
	Addr netip.Addr `json:"address"`
	MAC  string     `json:"mac"`
}

// ModuleState says what there is of a kernel module.
type ModuleState string

// The states.
const (
	Loaded   ModuleState = "loaded" // or built in
	Loadable ModuleState = "loadable"
	Missing  ModuleState = "missing"
)

// Process is a program that runs in this network namespace.
type Process struct {
	PID  int    `json:"pid"`
	Name string `json:"name"` // ipvsd, keepalived, ldirectord, pulse, kube-proxy
	Unit string `json:"unit,omitempty"`
}

// Clock is what the kernel knows of the time.
type Clock struct {
	Synchronised bool `json:"synchronised"`
	Systemd      bool `json:"systemd"` // runs this machine
}

// Claim is a neighbour's saying that an address is at its MAC.
type Claim struct {
	Link string     `json:"link"`
	Addr netip.Addr `json:"address"`
	MAC  string     `json:"mac"`
}

// Advert is what was heard of one VRRP router, or sent by this machine.
type Advert struct {
	Link     string     `json:"link"`
	From     netip.Addr `json:"from"`
	VRID     uint8      `json:"vrid"`
	Priority uint8      `json:"priority"` // of the last one
	Count    int        `json:"count"`
}

// Sync is what was heard of another director's sync daemon.
type Sync struct {
	Link    string     `json:"link"`
	From    netip.Addr `json:"from"`
	SyncID  uint8      `json:"syncid"`
	Version uint8      `json:"version"`
	Count   int        `json:"count"`
}

// Prepared is an address that ipvsctl realserver prepare has put onto a link.
type Prepared struct {
	Addr   netip.Addr `json:"vip"`
	Method string     `json:"method"` // DR or TUN
	Link   string     `json:"link"`
}

// Unseen is something that could not be looked at, or can't be from here.
type Unseen struct {
	ID  string `json:"id"` // of the findings that it would have led to
	Why string `json:"why"`
}

// sysctl returns a number; false if the kernel hasn't got it.
func (f *Facts) sysctl(path string) (int, bool) {
	n, err := strconv.Atoi(strings.TrimSpace(f.Sysctls[path]))
	return n, err == nil
}

// strongest returns the greater of an interface's value and that for all, which is what counts of rp_filter, arp_ignore, arp_announce,
// and as a yes or no of send_redirects.
func (f *Facts) strongest(link, name string) (int, bool) {
	all, okAll := f.sysctl("net/ipv4/conf/all/" + name)
	own, okOwn := f.sysctl("net/ipv4/conf/" + link + "/" + name)
	return max(all, own), okAll && okOwn
}

// blind says whether what leads to a finding could not be looked at.
func (f *Facts) blind(id string) bool {
	return slices.ContainsFunc(f.Unseen, func(u Unseen) bool { return u.ID == id })
}

func (f *Facts) link(name string) *Link {
	i := slices.IndexFunc(f.Links, func(l Link) bool { return l.Name == name })
	if i < 0 {
		return nil
	}
	return &f.Links[i]
}

// holder returns the link that has an address, nil if the machine hasn't got it.
func (f *Facts) holder(a netip.Addr) *Link {
	for _, own := range f.Addresses {
		if own.Prefix.Addr() == a {
			return f.link(own.Link)
		}
	}
	return nil
}

func (f *Facts) route(to netip.Addr) *Route {
	i := slices.IndexFunc(f.Routes, func(r Route) bool { return r.To == to })
	if i < 0 || f.Routes[i].Error != "" {
		return nil
	}
	return &f.Routes[i]
}

// network returns the network of a link that an address is in; invalid if the link isn't on it.
func (f *Facts) network(link string, a netip.Addr) netip.Prefix {
	for _, own := range f.Addresses {
		if own.Link == link && !own.Prefix.IsSingleIP() && own.Prefix.Contains(a) {
			return own.Prefix.Masked()
		}
	}
	return netip.Prefix{}
}

// services returns those of the table.
func (f *Facts) services() []status.KernelService {
	if f.Table == nil {
		return nil
	}
	return f.Table.Services
}

// vips returns the addresses of services in the table, each once.
func (f *Facts) vips() (list []netip.Addr) {
	for _, s := range f.services() {
		if a := s.Key.Addr.Addr(); s.Key.FWMark == 0 && !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return list
}

// serves says whether a server of the table, with this method of forwarding, has an address.
func (f *Facts) serves(a netip.Addr, methods ...ipvs.Forward) bool {
	for _, s := range f.services() {
		for _, r := range s.Servers {
			if r.Addr.Addr() == a && forwards(&r, methods...) {
				return true
			}
		}
	}
	return false
}

func forwards(r *status.KernelServer, methods ...ipvs.Forward) bool {
	return slices.ContainsFunc(methods, func(m ipvs.Forward) bool { return m.String() == r.Forward })
}
