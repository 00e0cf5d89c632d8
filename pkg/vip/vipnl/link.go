package vipnl

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"net"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/vip"
)

// alias marks interfaces as made by us, also for a run after one that was killed.
const alias = "ipvsd"

// NewLinks returns Links that has made nothing yet. The record is a file that says what sysctls were before, for a run after one that
// was killed; empty: there is none.
func NewLinks(log *slog.Logger, record string) Links {
	return &links{made: make(map[string]bool), sysctls: sysctls{record: record}, memberships: memberships{log: log}}
}

// links makes VMACs and ipvlans, and sets the sysctls that they and their bases need.
type links struct {
	made        map[string]bool // by name: to be removed when it isn't wanted any more
	looked      bool            // for what a killed run left
	sysctls     sysctls
	memberships memberships
}

func (l *links) Make(want []vip.Link) error {
	var err error
	names := make(map[string]bool, len(want))
	for _, w := range want {
		names[w.Name] = true
	}
	if !l.looked {
		err = l.look()
	}
	for name := range l.made {
		if !names[name] {
			err = errors.Join(err, l.remove(name))
		}
	}
	used := make(map[string]bool) // sysctls
	ipv4 := slices.ContainsFunc(want, func(w vip.Link) bool { return w.Kind == vip.MACVLAN && carries(w, false) })
	if ipv4 {
		err = errors.Join(err, l.sysctls.loosen(func(dev string) bool { return names[dev] }))
	}
	// They come up when all is prepared: the first thing that one says is which multicast groups it wants.
	ready := make([]*pair, len(want))
	var moved []membership
	for i, w := range want {
		p, e := l.prepare(w, used)
		if e != nil {
			err = errors.Join(err, fmt.Errorf("interface %s on %s: %w", w.Name, w.Base, e))
			continue
		}
		if ready[i] = p; w.Kind == vip.MACVLAN {
			moved = append(moved, membership{w.Name, p.link.Attrs().Index, w.Base, p.base.Attrs().Index})
		}
	}
	err = errors.Join(err, l.memberships.move(moved))
	for i, w := range want {
		if p := ready[i]; p != nil {
			if e := p.start(w); e != nil {
				err = errors.Join(err, fmt.Errorf("interface %s on %s: %w", w.Name, w.Base, e))
			}
		}
	}
	return errors.Join(err, l.sysctls.restore(func(path string) bool {
		return used[path] || ipv4 && strings.HasSuffix(path, "/rp_filter")
	}))
}

// look finds what a killed run left.
func (l *links) look() error {
	all, err := netlink.LinkList()
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) { // then something changes, and we are called again
		return fmt.Errorf("look for interfaces of an earlier run: %w", err)
	}
	for _, there := range all {
		if there.Attrs().Alias == alias {
			l.made[there.Attrs().Name] = true
		}
	}
	l.looked = true
	return nil
}

// carries reports whether an interface has addresses of a family.
func carries(w vip.Link, ipv6 bool) bool { return w.IPv6 == ipv6 || w.Both }

// pair is an interface and the one that it was made on.
type pair struct{ link, base netlink.Link }

// prepare sees to it that an interface is there, and all but its address is as it should be.
func (l *links) prepare(w vip.Link, used map[string]bool) (*pair, error) {
	base, err := netlink.LinkByName(w.Base)
	if err != nil {
		return nil, fmt.Errorf("look for %s: %w", w.Base, err)
	}
	link, err := l.obtain(w, base)
	if err != nil {
		return nil, err
	}
	l.made[w.Name] = true
	if w.Kind == vip.MACVLAN && carries(w, false) {
		// Only the VMAC answers for its addresses, not the base beside it. Nor does the base ask in their name, which keepalived does
		// not see to: whom it asks would learn the base's MAC address.
		for key, value := range map[string]int{"arp_ignore": 1, "arp_filter": 1, "arp_announce": 2} {
			path := "ipv4/conf/" + w.Base + "/" + key
			used[path] = true
			if err := l.sysctls.raise(path, value); err != nil {
				return nil, err
			}
		}
	}
	return &pair{link, base}, configure(w, link, base)
}

// start sets an interface up.
func (p *pair) start(w vip.Link) error {
	if p.link.Attrs().Flags&net.FlagUp == 0 {
		if err := netlink.LinkSetUp(p.link); err != nil {
			return fmt.Errorf("set up: %w", err)
		}
	}
	return addAddress(w, p.link, p.base)
}

// obtain returns the interface: the one that is there if it has the right properties, whoever made it, or else a new one.
func (l *links) obtain(w vip.Link, base netlink.Link) (netlink.Link, error) {
	there, err := netlink.LinkByName(w.Name)
	var missing netlink.LinkNotFoundError
	switch {
	case errors.As(err, &missing):
	case err != nil:
		return nil, fmt.Errorf("look for it: %w", err)
	case fits(w, there, base):
		return there, nil
	case !l.made[w.Name] && there.Attrs().Alias != alias:
		return nil, fmt.Errorf("another interface (%s) has this name, and is not ours to be replaced: remove it, or choose another name", there.Type())
	default:
		if err := l.remove(w.Name); err != nil {
			return nil, err
		}
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.ParentIndex = w.Name, base.Attrs().Index
	var fresh netlink.Link
	if w.Kind == vip.IPVLAN {
		fresh = &netlink.IPVlan{LinkAttrs: attrs, Mode: netlink.IPVLAN_MODE_L2, Flag: ipvlanFlag(w.Mode)}
	} else {
		if w.MAC != [6]byte{} {
			attrs.HardwareAddr = w.MAC[:]
		}
		fresh = &netlink.Macvlan{LinkAttrs: attrs, Mode: netlink.MACVLAN_MODE_PRIVATE}
	}
	if err := netlink.LinkAdd(fresh); err != nil {
		return nil, fmt.Errorf("make a %s: %w", fresh.Type(), err)
	}
	l.made[w.Name] = true
	if err := netlink.LinkSetAlias(fresh, alias); err != nil {
		return nil, fmt.Errorf("set its alias: %w", err)
	}
	// As the kernel has it now.
	if fresh, err = netlink.LinkByName(w.Name); err != nil {
		return nil, fmt.Errorf("look for it: %w", err)
	}
	return fresh, nil
}

func ipvlanFlag(m vip.LinkMode) netlink.IPVlanFlag {
	return map[vip.LinkMode]netlink.IPVlanFlag{
		vip.Bridge: netlink.IPVLAN_FLAG_BRIDGE, vip.Private: netlink.IPVLAN_FLAG_PRIVATE, vip.VEPA: netlink.IPVLAN_FLAG_VEPA,
	}[m]
}

// fits reports whether an interface has what can't be changed later.
func fits(w vip.Link, there, base netlink.Link) bool {
	if there.Attrs().ParentIndex != base.Attrs().Index {
		return false
	}
	switch there := there.(type) {
	case *netlink.Macvlan:
		return w.Kind == vip.MACVLAN && there.Mode == netlink.MACVLAN_MODE_PRIVATE &&
			(w.MAC == [6]byte{} || slices.Equal(there.HardwareAddr, w.MAC[:]))
	case *netlink.IPVlan:
		return w.Kind == vip.IPVLAN && there.Mode == netlink.IPVLAN_MODE_L2 && there.Flag == ipvlanFlag(w.Mode)
	}
	return false
}

// configure sets what can be changed, before the interface says anything.
func configure(w vip.Link, link, base netlink.Link) error {
	group := base.Attrs().Group
	if w.GroupSet {
		group = w.Group
	}
	if link.Attrs().Group != group {
		if err := netlink.LinkSetGroup(link, int(group)); err != nil {
			return fmt.Errorf("set its group to %d: %w", group, err)
		}
	}
	set := func(path string, value int) error {
		err := writeSysctl(fmt.Sprintf(path, w.Name), value)
		if errors.Is(err, fs.ErrNotExist) && strings.HasPrefix(path, "ipv6/") && !carries(w, true) {
			return nil // a kernel without IPv6
		}
		return err
	}
	var err error
	if w.Kind == vip.MACVLAN {
		err = set("ipv6/conf/%s/addr_gen_mode", 1)
		if carries(w, false) {
			err = errors.Join(err, set("ipv4/conf/%s/rp_filter", 0), set("ipv4/conf/%s/accept_local", 1), set("ipv4/conf/%s/arp_ignore", 1),
				// An address that goes must not take along the others of its network.
				set("ipv4/conf/%s/promote_secondaries", 1))
		}
	}
	disable := 1
	if carries(w, true) {
		disable = 0
	}
	return errors.Join(err, set("ipv6/conf/%s/disable_ipv6", disable))
}

// addAddress gives an ipvlan its own address. A VMAC of IPv6 gets a link-local one, as source of adverts: if none is said, its base's.
func addAddress(w vip.Link, link, base netlink.Link) error {
	if !w.Addr.IsValid() && (!w.IPv6 || w.Kind == vip.IPVLAN) {
		return nil // the ipvlan has the kernel's
	}
	addr := &netlink.Addr{Scope: unix.RT_SCOPE_UNIVERSE, Broadcast: net.IPv4zero} // none
	if w.Addr.IsValid() {
		addr.IPNet = &net.IPNet{IP: w.Addr.Addr().AsSlice(), Mask: net.CIDRMask(w.Addr.Bits(), w.Addr.Addr().BitLen())}
	} else {
		local, err := linkLocal(base)
		if err != nil {
			return err
		}
		addr.IPNet = local
	}
	if w.Kind == vip.MACVLAN {
		addr.Flags = unix.IFA_F_NODAD
		addr.ValidLft, addr.PreferedLft = math.MaxUint32, 0 // nobody else's source
	}
	if addr.IP.IsLinkLocalUnicast() && addr.IP.To4() == nil {
		addr.Scope = unix.RT_SCOPE_LINK
	}
	there, err := netlink.AddrList(link, netlink.FAMILY_ALL)
	if err != nil {
		return fmt.Errorf("read its addresses: %w", err)
	}
	if slices.ContainsFunc(there, func(a netlink.Addr) bool { return a.IPNet.String() == addr.IPNet.String() }) {
		return nil
	}
	if err := netlink.AddrReplace(link, addr); err != nil {
		return fmt.Errorf("add address %s: %w", addr.IPNet, err)
	}
	return nil
}

func linkLocal(base netlink.Link) (*net.IPNet, error) {
	there, err := netlink.AddrList(base, netlink.FAMILY_V6)
	if err != nil {
		return nil, fmt.Errorf("read the addresses of %s: %w", base.Attrs().Name, err)
	}
	for _, a := range there {
		if a.IP.IsLinkLocalUnicast() && a.Flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) == 0 {
			return a.IPNet, nil
		}
	}
	return nil, fmt.Errorf("%s has no IPv6 link-local address yet, which would be the source of adverts", base.Attrs().Name)
}

// remove removes an interface of ours. That it is gone is success.
func (l *links) remove(name string) error {
	link, err := netlink.LinkByName(name)
	if err == nil {
		err = netlink.LinkDel(link)
	}
	var missing netlink.LinkNotFoundError
	if err != nil && !errors.As(err, &missing) && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("remove interface %s: %w", name, err)
	}
	delete(l.made, name)
	return nil
}
