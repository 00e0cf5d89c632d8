package track

import (
	"net/netip"

	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// host is the interfaces and addresses of this host, as far as they were told of.
type host struct {
	links map[string]vip.Interface // by name; nil: not told of
	addrs map[netip.Addr]bool      // each as it is, and with its interface as zone
	dead  map[string]bool          // interfaces without a link as they themselves say, by name: linkbeat_interfaces
}

func (h *host) index(links []vip.Interface) {
	h.links, h.addrs = make(map[string]vip.Interface, len(links)), make(map[netip.Addr]bool)
	for _, l := range links {
		h.links[l.Name] = l
		for _, p := range l.Addrs {
			h.addrs[p.Addr()] = true
			h.addrs[p.Addr().WithZone(l.Name)] = true
		}
	}
}

// read returns the reading of an object of the host's; false if it is none, or nothing is known yet.
func (h *host) read(o vrrp.Object) (r vrrp.Reading, known bool) {
	if h.links == nil {
		return r, false
	}
	switch o.Kind {
	case vrrp.TrackInterface:
		switch l, there := h.links[o.Name]; {
		case !there:
			r.Reason = "there is no interface " + o.Name
		case !l.Up:
			r.Reason = "interface " + o.Name + " is down or has no carrier"
		case h.dead[o.Name]:
			r.Reason = "interface " + o.Name + " says that it has no link"
		default:
			r.Up = true
		}
	case vrrp.TrackAddress:
		addr, err := addressOf(o.Name)
		switch {
		case err != nil:
			r.Reason = err.Error()
		case !h.addrs[addr] && addr.Zone() != "":
			r.Reason = addr.WithZone("").String() + " is not on interface " + addr.Zone()
		case !h.addrs[addr]:
			r.Reason = addr.String() + " is not on this host"
		default:
			r.Up = true
		}
	default:
		return r, false
	}
	r.Known = true
	return r, true
}

// addressOf reads an address with or without the length of its network.
func addressOf(name string) (netip.Addr, error) {
	if p, err := netip.ParsePrefix(name); err == nil {
		return p.Addr(), nil
	}
	return netip.ParseAddr(name)
}
