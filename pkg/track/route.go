package track

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// settle is how long news of routes is collected before they are read: it often comes in dozens.
const settle = 10 * time.Millisecond

// followRoutes watches routes, and asks gateways every second.
func (w *watch) followRoutes(ctx context.Context, wanted map[string]config.TrackRoute, news <-chan struct{}) {
	tell := func(name string, r vrrp.Reading) { w.see(ctx, vrrp.Object{Kind: vrrp.TrackRoute, Name: name}, r) }
	routes, gateways := make(map[string]route), make(map[string]*gateway)
	for name, t := range wanted {
		if t.Route != "" {
			to, err := destinationOf(t.Route)
			if err != nil {
				tell(name, vrrp.Reading{Known: true, Reason: err.Error()})
				continue
			}
			routes[name] = route{to, t.Dev}
			continue
		}
		addr, err := netip.ParseAddr(t.Gateway)
		if err != nil {
			tell(name, vrrp.Reading{Known: true, Reason: err.Error()})
			continue
		}
		gateways[name] = &gateway{addr: addr, dev: t.Dev}
	}
	var asking sync.WaitGroup
	defer asking.Wait()
	asking.Go(func() {
		for len(gateways) > 0 && ctx.Err() == nil {
			for name, g := range gateways {
				if r := g.step(ask(g.addr, g.dev)); r.Known {
					tell(name, r)
				}
			}
			pause(ctx)
		}
	})
	for len(routes) > 0 && ctx.Err() == nil {
		if err := hearRoutes(ctx, routes, news, tell); err != nil {
			for name := range routes {
				tell(name, vrrp.Reading{Known: true, Reason: err.Error()})
			}
			pause(ctx)
		}
	}
}

// route is a track_route's: what must be there.
type route struct {
	to  netip.Prefix
	dev string
}

// destinationOf reads a destination; "default" is IPv4's.
func destinationOf(s string) (netip.Prefix, error) {
	if s == "default" {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0), nil
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err
}

// hearRoutes tells of routes until the context is done, or news was lost: then it returns nil, too, and all is to be read again.
func hearRoutes(ctx context.Context, wanted map[string]route, news <-chan struct{}, tell func(string, vrrp.Reading)) error {
	done := make(chan struct{})
	updates := make(chan netlink.RouteUpdate, 64)
	ours := make(map[netip.Prefix]bool)
	for _, r := range wanted {
		ours[r.to] = true
	}
	if err := netlink.RouteSubscribe(updates, done); err != nil { // before they are read, lest something happens in between
		return fmt.Errorf("routes can't be watched: %w", err)
	}
	defer func() {
		close(done)
		for range updates { // whoever sends must not wait for us for ever
		}
	}()
	for {
		readings, err := readRoutes(wanted)
		if err != nil {
			return fmt.Errorf("routes can't be read: %w", err)
		}
		for name, r := range readings {
			tell(name, r)
		}
		for due := (<-chan time.Time)(nil); ; {
			select {
			case <-ctx.Done():
				return nil
			case u, more := <-updates:
				if !more {
					return nil
				}
				if due == nil && ours[prefixOf(&u.Route)] {
					due = time.After(settle)
				}
				continue
			case <-news: // a route may go with an interface or an address, untold
				if due == nil {
					due = time.After(settle)
				}
				continue
			case <-due:
			}
			break
		}
	}
}

// readRoutes looks for routes among all that there are.
func readRoutes(wanted map[string]route) (map[string]vrrp.Reading, error) {
	readings, families := make(map[string]vrrp.Reading), make(map[int]bool)
	indexes := make(map[string]int)
	for name, want := range wanted {
		readings[name] = vrrp.Reading{Known: true, Reason: fmt.Sprintf("there is no route to %s%s", want.to, by(want.dev))}
		families[familyOf(want.to.Addr())] = true
		if want.dev != "" && indexes[want.dev] == 0 {
			if link, err := netlink.LinkByName(want.dev); err == nil {
				indexes[want.dev] = link.Attrs().Index
			}
		}
	}
	for family := range families {
		err := netlink.RouteListFilteredIter(family, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE, func(r netlink.Route) bool {
			to := prefixOf(&r)
			for name, want := range wanted {
				if want.to != to || want.dev == "" && r.Table != unix.RT_TABLE_MAIN {
					continue
				}
				if readings[name].Up {
					continue
				}
				up, why := usable(&r, want.dev, indexes[want.dev])
				if up || why != "" {
					readings[name] = vrrp.Reading{Known: true, Up: up, Reason: why}
				}
			}
			return true
		})
		if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) { // then more news is on the way
			return nil, err
		}
	}
	return readings, nil
}

// usable says whether packets can leave by a route, by an interface if that is named; and why not, if it is the route that is meant.
func usable(r *netlink.Route, dev string, index int) (bool, string) {
	switch r.Type {
	case unix.RTN_BLACKHOLE, unix.RTN_UNREACHABLE, unix.RTN_PROHIBIT, unix.RTN_THROW:
		return false, fmt.Sprintf("the route to %s leads nowhere: it is of type %s", prefixOf(r), map[int]string{
			unix.RTN_BLACKHOLE: "blackhole", unix.RTN_UNREACHABLE: "unreachable", unix.RTN_PROHIBIT: "prohibit", unix.RTN_THROW: "throw",
		}[r.Type])
	}
	hops := r.MultiPath
	if len(hops) == 0 {
		hops = []*netlink.NexthopInfo{{LinkIndex: r.LinkIndex, Flags: r.Flags}}
	}
	why := ""
	for _, h := range hops {
		switch {
		case dev != "" && h.LinkIndex != index:
		case h.Flags&(unix.RTNH_F_DEAD|unix.RTNH_F_LINKDOWN) != 0:
			why = fmt.Sprintf("the route to %s%s is dead: its interface has no carrier", prefixOf(r), by(dev))
		default:
			return true, ""
		}
	}
	return false, why
}

func prefixOf(r *netlink.Route) netip.Prefix {
	if r.Dst == nil {
		if r.Family == netlink.FAMILY_V6 {
			return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	return prefixFrom(*r.Dst)
}

func prefixFrom(n net.IPNet) netip.Prefix {
	addr, _ := netip.AddrFromSlice(n.IP)
	bits, size := n.Mask.Size()
	if size == 32 {
		addr = addr.Unmap()
	}
	return netip.PrefixFrom(addr, bits)
}

func familyOf(a netip.Addr) int {
	if a.Is6() {
		return netlink.FAMILY_V6
	}
	return netlink.FAMILY_V4
}

func by(dev string) string {
	if dev == "" {
		return ""
	}
	return " by " + dev
}
