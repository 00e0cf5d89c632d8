package doctorhost

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/doctor"
)

// network reads links, addresses, routes and neighbours.
func network(f *doctor.Facts) error {
	links, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("list interfaces: %w", err)
	}
	names := map[int]string{}
	joins := map[int]bool{0: false} // links that others are ports of; one of a VRF keeps its addresses
	for _, l := range links {
		joins[l.Attrs().Index] = l.Type() != "vrf"
	}
	for _, l := range links {
		a := l.Attrs()
		names[a.Index] = a.Name
		kind := l.Type()
		if kind == "device" {
			kind = ""
		}
		f.Links = append(f.Links, doctor.Link{
			Name: a.Name, Kind: kind, Up: a.Flags&net.FlagUp != 0, Loopback: a.Flags&net.FlagLoopback != 0,
			Ethernet: a.EncapType == "ether" && a.RawFlags&unix.IFF_NOARP == 0, MTU: a.MTU, MAC: a.HardwareAddr.String(), LRO: lro(a.Name), Port: joins[a.MasterIndex],
		})
	}
	addresses, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return fmt.Errorf("list addresses: %w", err)
	}
	for _, a := range addresses {
		ones, _ := a.Mask.Size()
		if ip, ok := netip.AddrFromSlice(a.IP); ok {
			f.Addresses = append(f.Addresses, doctor.Address{Link: names[a.LinkIndex], Prefix: netip.PrefixFrom(ip.Unmap(), ones)})
		}
	}
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		routes, err := netlink.RouteList(nil, family)
		if err != nil {
			return fmt.Errorf("list routes: %w", err)
		}
		for _, r := range routes {
			if r.Dst != nil {
				if ones, _ := r.Dst.Mask.Size(); ones > 0 {
					continue
				}
			}
			hops := []int{r.LinkIndex}
			for _, h := range r.MultiPath {
				hops = append(hops, h.LinkIndex)
			}
			for _, index := range hops {
				if names[index] != "" && names[index] != "lo" {
					f.Defaults = append(f.Defaults, doctor.DefaultRoute{Link: names[index], IPv6: family == netlink.FAMILY_V6})
				}
			}
		}
	}
	for _, a := range servers(f) {
		f.Routes = append(f.Routes, routeTo(a, names))
	}
	neighbours, err := netlink.NeighList(0, netlink.FAMILY_ALL)
	if err != nil {
		return fmt.Errorf("list neighbours: %w", err)
	}
	for _, n := range neighbours {
		if a, ok := netip.AddrFromSlice(n.IP); ok && len(n.HardwareAddr) == 6 {
			f.Neighbours = append(f.Neighbours, doctor.Neighbour{Link: names[n.LinkIndex], Addr: a.Unmap(), MAC: n.HardwareAddr.String()})
		}
	}
	slices.SortFunc(f.Neighbours, func(a, b doctor.Neighbour) int { return a.Addr.Compare(b.Addr) })
	return nil
}

func routeTo(to netip.Addr, names map[int]string) doctor.Route {
	found := doctor.Route{To: to}
	routes, err := netlink.RouteGet(to.AsSlice())
	switch {
	case err != nil:
		found.Error = err.Error()
	case len(routes) == 0:
		found.Error = "no route"
	default:
		r := routes[0]
		found.Link, found.MTU, found.Local = names[r.LinkIndex], r.MTU, r.Type == unix.RTN_LOCAL
		if gateway, ok := netip.AddrFromSlice(r.Gw); ok {
			found.Gateway = gateway.Unmap()
		}
		if source, ok := netip.AddrFromSlice(r.Src); ok {
			found.Source = source.Unmap()
		}
		if link, err := netlink.LinkByName(found.Link); found.MTU == 0 && err == nil {
			found.MTU = link.Attrs().MTU
		}
	}
	return found
}

// lro says whether large receive offload is on. It asks as ethtool does before it had netlink: every kernel knows that.
func lro(link string) bool {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)                             //nolint:errcheck // nothing was written
	value := struct{ command, data uint32 }{0x25, 0} // ETHTOOL_GFLAGS
	request := struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte // of other requests
	}{data: unsafe.Pointer(&value)}
	copy(request.name[:unix.IFNAMSIZ-1], strings.TrimSpace(link))
	const flagLRO = 1 << 15 // ETH_FLAG_LRO
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
	return errno == 0 && value.data&flagLRO != 0
}
