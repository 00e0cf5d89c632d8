package ipvsnl

import (
	"math/bits"
	"net/netip"
	"slices"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// decodeService reads the payload of a message about a service. It keeps nothing of b.
func decodeService(b []byte) (s ipvs.ServiceStatus, err error) {
	nested, err := only(b, attrService)
	if err != nil {
		return s, err
	}
	var (
		address []byte
		port    uint16
		timeout uint32
		netmask [4]byte
		flags   ipvs.ServiceFlags
		old     []byte // the 32-bit statistics
		has64   bool
	)
	a := attributes{rest: nested}
	for a.next() {
		switch a.typ {
		case svcAF:
			s.Family = ipvs.Family(a.u16())
		case svcProtocol:
			s.Protocol = ipvs.Protocol(a.u16())
		case svcAddr:
			address = a.data
		case svcPort:
			port = a.be16()
		case svcFWMark:
			s.FWMark = a.u32()
		case svcScheduler:
			s.Scheduler = name(a.text(), ipvs.Schedulers)
		case svcFlags:
			flags = ipvs.ServiceFlags(a.u32())
		case svcTimeout:
			timeout = a.u32()
		case svcNetmask:
			if a.has(len(netmask)) {
				netmask = [4]byte(a.data)
			}
		case svcEngine:
			s.Engine = name(a.text(), engines)
		case svcStats:
			old = a.data
		case svcStats64:
			s.Stats, err = decodeStats(a.data)
			has64 = true
		}
	}
	if !has64 && err == nil {
		s.Stats, err = decodeStats(old)
	}
	if a.err != nil {
		return s, a.err
	}
	if s.FWMark == 0 {
		addr, ok := decodeAddr(s.Family, address)
		if !ok {
			return s, errMalformed
		}
		s.Addr = netip.AddrPortFrom(addr, port)
	} else {
		s.Protocol = 0
	}
	s.Flags = flags & ipvs.Settable
	if flags&ipvs.Persistent != 0 {
		s.Persistence = time.Duration(timeout) * time.Second
	}
	if s.Family == ipvs.IPv6 {
		s.Granularity = uint8(min(native.Uint32(netmask[:]), uint32(ipvs.IPv6.Bits())))
	} else {
		s.Granularity = prefixLen(netmask)
	}
	return s, err
}

// prefixLen returns the length of the prefix that a mask stands for; of a mask with holes, up to the first.
func prefixLen(mask [4]byte) uint8 {
	for i, b := range mask {
		if b != 0xff {
			return uint8(8*i + bits.LeadingZeros8(^b))
		}
	}
	return 32
}

// decodeDestination reads the payload of a message about a destination of a service whose family is given: old kernels
// don't tell the destination's. It keeps nothing of b.
func decodeDestination(b []byte, family ipvs.Family) (d ipvs.DestinationStatus, err error) {
	nested, err := only(b, attrDest)
	if err != nil {
		return d, err
	}
	var (
		address []byte
		port    uint16
		old     []byte // the 32-bit statistics
		has64   bool
	)
	a := attributes{rest: nested}
	for a.next() {
		switch a.typ {
		case destAddr:
			address = a.data
		case destPort:
			port = a.be16()
		case destAF:
			family = ipvs.Family(a.u16())
		case destForward:
			d.Forward = ipvs.Forward(a.u32() & forwardMask)
		case destWeight:
			d.Weight = int32(a.u32())
		case destUpperThreshold:
			d.UpperThreshold = a.u32()
		case destLowerThreshold:
			d.LowerThreshold = a.u32()
		case destActive:
			d.ActiveConns = a.u32()
		case destInactive:
			d.InactiveConns = a.u32()
		case destPersistent:
			d.PersistentConns = a.u32()
		case destTunType:
			d.Tunnel.Type = ipvs.TunnelType(a.u8())
		case destTunPort:
			d.Tunnel.Port = a.be16()
		case destTunFlags:
			d.Tunnel.Flags = ipvs.TunnelFlags(a.u16())
		case destStats:
			old = a.data
		case destStats64:
			d.Stats, err = decodeStats(a.data)
			has64 = true
		}
	}
	if !has64 && err == nil {
		d.Stats, err = decodeStats(old)
	}
	if a.err != nil {
		return d, a.err
	}
	addr, ok := decodeAddr(family, address)
	if !ok {
		return d, errMalformed
	}
	d.Addr = netip.AddrPortFrom(addr, port)
	return d, err
}

// decodeAddr reads an address, for which the kernel always sends 16 bytes.
func decodeAddr(f ipvs.Family, b []byte) (netip.Addr, bool) {
	switch {
	case f == ipvs.IPv4 && len(b) >= 4:
		return netip.AddrFrom4([4]byte(b)), true
	case f == ipvs.IPv6 && len(b) >= 16:
		return netip.AddrFrom16([16]byte(b)), true
	}
	return netip.Addr{}, false
}

func decodeStats(b []byte) (s ipvs.Stats, err error) {
	a := attributes{rest: b}
	for a.next() {
		switch a.typ {
		case statsConns:
			s.Connections = a.number()
		case statsInPkts:
			s.InPackets = a.number()
		case statsOutPkts:
			s.OutPackets = a.number()
		case statsInBytes:
			s.InBytes = a.number()
		case statsOutBytes:
			s.OutBytes = a.number()
		case statsCPS:
			s.ConnectionsPerSec = a.number()
		case statsInPPS:
			s.InPacketsPerSecond = a.number()
		case statsOutPPS:
			s.OutPacketsPerSecond = a.number()
		case statsInBPS:
			s.InBytesPerSecond = a.number()
		case statsOutBPS:
			s.OutBytesPerSecond = a.number()
		}
	}
	return s, a.err
}

// decodeTimeouts reads the payload of the answer to cmdGetConfig.
func decodeTimeouts(b []byte) (t ipvs.Timeouts, err error) {
	a := attributes{rest: b}
	for a.next() {
		switch a.typ {
		case attrTimeoutTCP:
			t.TCP = time.Duration(a.u32()) * time.Second
		case attrTimeoutTCPFin:
			t.TCPFin = time.Duration(a.u32()) * time.Second
		case attrTimeoutUDP:
			t.UDP = time.Duration(a.u32()) * time.Second
		}
	}
	return t, a.err
}

// decodeInfo reads the payload of the answer to cmdGetInfo.
func decodeInfo(b []byte) (i ipvs.Info, err error) {
	a := attributes{rest: b}
	for a.next() {
		switch a.typ {
		case infoVersion:
			i.Version = ipvs.Version(a.u32())
		case infoConnTabSize:
			i.ConnTableSize = a.u32()
		}
	}
	return i, a.err
}

// only returns the value of the one attribute that the messages about services and destinations consist of.
func only(b []byte, typ uint16) ([]byte, error) {
	a := attributes{rest: b}
	for a.next() {
		if a.typ == typ {
			return a.data, nil
		}
	}
	return nil, errMalformed
}

// engines are the persistence engines of Linux 6.x.
var engines = []string{"sip"}

// name returns a name without allocating it anew if it is one of those that are known.
func name(b []byte, known []string) string {
	if i := slices.IndexFunc(known, func(s string) bool { return s == string(b) }); i >= 0 {
		return known[i]
	}
	return string(b)
}
