package ipvstest

import (
	"net/netip"
	"slices"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// The kernel makes room for 16 bytes in both names, and counts a NUL among those of the scheduler's only.
const (
	maxSchedulerLen = 15
	maxEngineLen    = 16
)

// run does one command by the kernel's rules, in the order in which it looks (ip_vs_genl_set_cmd and what it calls in
// net/netfilter/ipvs/ip_vs_ctl.c): where two things are wrong, the error number tells which comes first.
func (k *Kernel) run(c ipvs.Command) ipvs.Errno {
	if c.Op < ipvs.NewService || c.Op > ipvs.DelDestination {
		return ipvs.EOPNOTSUPP
	}
	key := c.Service.ServiceKey
	if key.Family != ipvs.IPv4 && key.Family != ipvs.IPv6 {
		return ipvs.EAFNOSUPPORT
	}
	if c.Op == ipvs.NewService || c.Op == ipvs.SetService {
		if len(c.Service.Scheduler) > maxSchedulerLen || len(c.Service.Engine) > maxEngineLen {
			return ipvs.EINVAL
		}
	}
	s := k.services[key]
	if s == nil && c.Op != ipvs.NewService {
		return ipvs.ESRCH
	}
	if c.Op != ipvs.DelDestination && c.Op.OnDestination() && ipvs.FamilyOf(c.Destination.Addr.Addr()) != key.Family &&
		(c.Destination.Forward != ipvs.Tun || k.settings.syncs()) {
		return ipvs.EINVAL
	}
	switch c.Op {
	case ipvs.NewService:
		if s != nil {
			return ipvs.EEXIST
		}
		return k.newService(c.Service)
	case ipvs.SetService:
		if errno := checkService(c.Service); errno != 0 {
			return errno
		}
		s.Service = stored(c.Service)
	case ipvs.DelService:
		delete(k.services, key)
	case ipvs.NewDestination:
		return s.newDestination(c.Destination)
	case ipvs.SetDestination:
		return s.setDestination(c.Destination)
	case ipvs.DelDestination:
		return s.delDestination(c.Destination.Addr)
	}
	return 0
}

func (k *Kernel) newService(s ipvs.Service) ipvs.Errno {
	if errno := checkService(s); errno != 0 {
		return errno
	}
	if k.services == nil {
		k.services = map[ipvs.ServiceKey]*service{}
	}
	k.services[s.ServiceKey] = &service{
		Service:      stored(s),
		destinations: map[netip.AddrPort]ipvs.DestinationStatus{},
		trash:        map[netip.AddrPort]ipvs.DestinationStatus{},
	}
	return 0
}

func checkService(s ipvs.Service) ipvs.Errno {
	switch {
	case s.Scheduler != "none" && !ipvs.KnownScheduler(s.Scheduler):
		return ipvs.ENOENT
	case !slices.Contains(engines, s.Engine):
		return ipvs.ENOENT
	case s.Family == ipvs.IPv6 && (s.Granularity < 1 || s.Granularity > 128):
		return ipvs.EINVAL
	}
	return 0
}

// stored returns a service as it will be read back.
func stored(s ipvs.Service) ipvs.Service {
	s.Flags &= ipvs.Settable
	s.Persistence = s.Persistence.Truncate(time.Second)
	return s
}

func (s *service) newDestination(d ipvs.Destination) ipvs.Errno {
	if errno := checkDestination(d); errno != 0 {
		return errno
	}
	if _, ok := s.destinations[d.Addr]; ok {
		return ipvs.EEXIST
	}
	status, ok := s.trash[d.Addr]
	if !ok && !assignable(d.Addr.Addr()) {
		return ipvs.EINVAL
	}
	delete(s.trash, d.Addr)
	status.Destination = storedDestination(d)
	s.destinations[d.Addr] = status
	s.order = append(s.order, d.Addr)
	return 0
}

func (s *service) setDestination(d ipvs.Destination) ipvs.Errno {
	if errno := checkDestination(d); errno != 0 {
		return errno
	}
	status, ok := s.destinations[d.Addr]
	if !ok {
		return ipvs.ENOENT
	}
	status.Destination = storedDestination(d)
	s.destinations[d.Addr] = status
	return 0
}

func (s *service) delDestination(a netip.AddrPort) ipvs.Errno {
	status, ok := s.destinations[a]
	if !ok {
		return ipvs.ENOENT
	}
	delete(s.destinations, a)
	s.order = slices.DeleteFunc(s.order, func(o netip.AddrPort) bool { return o == a })
	s.trash[a] = status
	return 0
}

func checkDestination(d ipvs.Destination) ipvs.Errno {
	switch {
	case d.Weight < 0, d.LowerThreshold > d.UpperThreshold:
		return ipvs.ERANGE
	case d.Forward == ipvs.Tun && d.Tunnel.Type == ipvs.GUE && d.Tunnel.Port == 0:
		return ipvs.EINVAL
	}
	return 0
}

// storedDestination returns a destination as it will be read back: a driver sends a tunnel only with Forward Tun.
func storedDestination(d ipvs.Destination) ipvs.Destination {
	if d.Forward != ipvs.Tun {
		d.Tunnel = ipvs.Tunnel{}
	}
	return d
}

// assignable says whether a server may have the address: a unicast one, and of IPv6 none that is only of a link.
func assignable(a netip.Addr) bool {
	if a.Is4() {
		return !a.IsUnspecified() && !a.IsMulticast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
	}
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLinkLocalUnicast() && !a.Is4In6()
}
