package ipvsnl

import (
	"net/netip"
	"time"

	"github.com/mdlayher/netlink"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// maxCommandLen is more than any command takes up in a message.
const maxCommandLen = 512

// command appends the message for a command.
func (w *builder) command(family uint16, seq uint32, c ipvs.Command) (start int) {
	start = w.begin(family, commandNumber(c.Op), 0, seq)
	service := w.nest(attrService)
	w.serviceKey(c.Service.ServiceKey)
	if c.Op == ipvs.NewService || c.Op == ipvs.SetService {
		w.serviceOptions(c.Service)
	}
	w.endNest(service)
	if c.Op.OnDestination() {
		dest := w.nest(attrDest)
		w.destinationKey(c.Destination.Addr)
		if c.Op != ipvs.DelDestination {
			w.destinationOptions(c.Destination)
		}
		w.endNest(dest)
	}
	w.end(start)
	return start
}

func commandNumber(op ipvs.Op) uint8 {
	switch op {
	case ipvs.NewService:
		return cmdNewService
	case ipvs.SetService:
		return cmdSetService
	case ipvs.DelService:
		return cmdDelService
	case ipvs.NewDestination:
		return cmdNewDest
	case ipvs.SetDestination:
		return cmdSetDest
	case ipvs.DelDestination:
		return cmdDelDest
	}
	return 0 // IPVS_CMD_UNSPEC, which the kernel refuses
}

func (w *builder) serviceKey(k ipvs.ServiceKey) {
	w.u16(svcAF, uint16(k.Family))
	if k.FWMark != 0 {
		w.u32(svcFWMark, k.FWMark)
		return
	}
	w.u16(svcProtocol, uint16(k.Protocol))
	w.bytes(svcAddr, k.Addr.Addr().AsSlice())
	w.be16(svcPort, k.Addr.Port())
}

// serviceOptions appends what a new service needs; an edit needs the same, since the kernel replaces all of it. The
// mask keeps flags that are unknown here as they are.
func (w *builder) serviceOptions(s ipvs.Service) {
	w.text(svcScheduler, s.Scheduler)
	if s.Engine != "" {
		w.text(svcEngine, s.Engine)
	}
	seconds := uint32(s.Persistence / time.Second)
	flags := s.Flags & ipvs.Settable
	if seconds > 0 {
		flags |= ipvs.Persistent
	}
	w.attr(svcFlags, 8)
	w.b = native.AppendUint32(w.b, uint32(flags))
	w.b = native.AppendUint32(w.b, uint32(ipvs.Settable|ipvs.Persistent))
	w.u32(svcTimeout, seconds)
	if s.Family == ipvs.IPv6 {
		w.u32(svcNetmask, uint32(s.Granularity))
	} else {
		w.be32(svcNetmask, ^(^uint32(0) >> s.Granularity))
	}
}

// destinationKey appends the address with its family: without the family the kernel assumes the service's.
func (w *builder) destinationKey(a netip.AddrPort) {
	w.bytes(destAddr, a.Addr().AsSlice())
	w.be16(destPort, a.Port())
	w.u16(destAF, uint16(ipvs.FamilyOf(a.Addr())))
}

func (w *builder) destinationOptions(d ipvs.Destination) {
	w.u32(destForward, uint32(d.Forward))
	w.u32(destWeight, uint32(d.Weight))
	w.u32(destUpperThreshold, d.UpperThreshold)
	w.u32(destLowerThreshold, d.LowerThreshold)
	if d.Forward == ipvs.Tun {
		w.u8(destTunType, uint8(d.Tunnel.Type))
		w.be16(destTunPort, d.Tunnel.Port)
		w.u16(destTunFlags, uint16(d.Tunnel.Flags))
	}
}

// dumpServices appends the request for all services.
func (w *builder) dumpServices(family uint16, seq uint32) {
	w.end(w.begin(family, cmdGetService, netlink.Dump, seq))
}

// getService appends the request for one service.
func (w *builder) getService(family uint16, seq uint32, k ipvs.ServiceKey) {
	start := w.begin(family, cmdGetService, 0, seq)
	service := w.nest(attrService)
	w.serviceKey(k)
	w.endNest(service)
	w.end(start)
}

// dumpDestinations appends the request for all destinations of a service.
func (w *builder) dumpDestinations(family uint16, seq uint32, k ipvs.ServiceKey) {
	start := w.begin(family, cmdGetDest, netlink.Dump, seq)
	service := w.nest(attrService)
	w.serviceKey(k)
	w.endNest(service)
	w.end(start)
}

// setTimeouts appends the request to change the timeouts that are not zero.
func (w *builder) setTimeouts(family uint16, seq uint32, t ipvs.Timeouts) {
	start := w.begin(family, cmdSetConfig, netlink.Acknowledge, seq)
	for _, a := range []struct {
		typ uint16
		d   time.Duration
	}{{attrTimeoutTCP, t.TCP}, {attrTimeoutTCPFin, t.TCPFin}, {attrTimeoutUDP, t.UDP}} {
		if a.d != 0 {
			w.u32(a.typ, uint32(a.d/time.Second))
		}
	}
	w.end(start)
}

// get appends a request without arguments.
func (w *builder) get(family uint16, cmd uint8, seq uint32) { w.end(w.begin(family, cmd, 0, seq)) }
