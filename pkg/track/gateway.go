package track

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// fall is after how many questions without an answer a gateway counts as gone. It is asked every interval.
const fall = 3

// gateway is a neighbour that must answer.
type gateway struct {
	addr   netip.Addr
	dev    string // empty: whichever leads there
	silent int    // questions in a row without an answer
}

// answer is what became of the last question.
type answer struct {
	ok  bool
	why string // it can't have been answered: there is no way
}

// step takes an answer. As long as nothing is certain it returns a reading that is not Known.
func (g *gateway) step(a answer) (r vrrp.Reading) {
	switch {
	case a.ok:
		g.silent = 0
		return vrrp.Reading{Known: true, Up: true}
	case a.why != "":
		g.silent = fall
		return vrrp.Reading{Known: true, Reason: a.why}
	}
	if g.silent++; g.silent >= fall {
		g.silent = fall
		r.Known, r.Reason = true, fmt.Sprintf("%s does not answer%s", g.addr, by(g.dev))
	}
	return r
}

// ask returns whether a neighbour has answered the question before, and has the kernel ask it again: by ARP (RFC 826) or neighbour
// solicitation (RFC 4861, 7.2). So the entry that this host's packets need is never older than the question, and a gateway that
// comes to another MAC address is found.
func ask(addr netip.Addr, dev string) answer {
	routes, err := netlink.RouteGetWithOptions(addr.AsSlice(), &netlink.RouteGetOptions{Oif: dev})
	switch {
	case err != nil:
		return answer{why: fmt.Sprintf("there is no way to %s%s: %v", addr, by(dev), err)}
	case len(routes) == 0:
		return answer{why: fmt.Sprintf("there is no way to %s%s", addr, by(dev))}
	case routes[0].Type == unix.RTN_LOCAL:
		return answer{ok: true} // this host itself
	case routes[0].Gw != nil:
		return answer{why: fmt.Sprintf("%s is no neighbour: the way there leads over %s", addr, routes[0].Gw)}
	}
	index := routes[0].LinkIndex
	n, err := neighbour(addr, index)
	if err != nil {
		return answer{why: fmt.Sprintf("%s: the neighbours can't be read: %v", addr, err)}
	}
	if n.State&(unix.NUD_PERMANENT|unix.NUD_NOARP) != 0 {
		return answer{ok: true} // nothing to ask
	}
	question := &netlink.Neigh{LinkIndex: index, Family: familyOf(addr), IP: addr.AsSlice()}
	switch {
	case n.State&(unix.NUD_REACHABLE|unix.NUD_STALE|unix.NUD_DELAY) != 0:
		question.State, question.HardwareAddr = unix.NUD_PROBE, n.HardwareAddr
	case n.State&(unix.NUD_PROBE|unix.NUD_INCOMPLETE) != 0: // the kernel is asking
		return answer{}
	default:
		question.Flags = unix.NTF_USE
	}
	if err := netlink.NeighSet(question); err != nil {
		return answer{why: fmt.Sprintf("%s can't be asked: %v", addr, err)}
	}
	return answer{ok: n.State&unix.NUD_REACHABLE != 0}
}

// neighbour returns an entry of the neighbour table; a zero one if there is none.
func neighbour(addr netip.Addr, index int) (netlink.Neigh, error) {
	req := nl.NewNetlinkRequest(unix.RTM_GETNEIGH, 0)
	req.AddData(&netlink.Ndmsg{Family: uint8(familyOf(addr)), Index: uint32(index)})
	req.AddData(nl.NewRtAttr(unix.NDA_DST, addr.AsSlice()))
	answers, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWNEIGH)
	if errors.Is(err, unix.ENOENT) || err == nil && len(answers) == 0 {
		return netlink.Neigh{}, nil
	}
	if err != nil {
		return netlink.Neigh{}, err
	}
	n, err := netlink.NeighDeserialize(answers[0])
	if err != nil {
		return netlink.Neigh{}, err
	}
	return *n, nil
}
