package ipvsnl

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/mdlayher/netlink"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
)

const testFamily = 0x25

// wireKernel is a socket with an ipvstest.Kernel at the other end: it reads requests and writes answers as Linux does.
type wireKernel struct {
	kernel ipvstest.Kernel
	old    bool // Linux before 3.18: no family of destinations, no 64-bit statistics
	part   int  // longest datagram of a dump
	queue  [][]byte
	sends  int
}

func newWireClient() (*Client, *wireKernel) {
	k := &wireKernel{part: 4096}
	return newClient(k, sendBuffer, receiveBuffer), k
}

func TestConformanceOnTheWire(t *testing.T) {
	ipvstest.Conformance(t, func(t *testing.T) ipvstest.Subject {
		c, k := newWireClient()
		k.kernel.SetInterfaces("eth1")
		return ipvstest.Subject{Client: c, Interface: "eth1", Traffic: func(t *testing.T, service ipvs.ServiceKey, server netip.AddrPort) {
			if err := k.kernel.Count(service, server, ipvs.Stats{InPackets: 1 << 40}, 1, 2); err != nil {
				t.Fatal(err)
			}
		}}
	})
}

func (k *wireKernel) family() (uint16, error) {
	_, err := k.kernel.Info(context.Background()) // tells when the module is missing
	return testFamily, err
}

func (k *wireKernel) setDeadline(time.Time) error { return nil }
func (k *wireKernel) close() error                { return nil }

func (k *wireKernel) receive(wait bool) ([][]byte, error) {
	d := k.queue
	k.queue = nil
	if len(d) == 0 && wait {
		return nil, os.ErrDeadlineExceeded
	}
	return d, nil
}

func (k *wireKernel) send(b []byte) error {
	k.sends++
	for len(b) > 0 {
		m, rest, err := cut(b)
		if err != nil {
			return err
		}
		k.handle(m, b[:headerLen])
		b = rest
	}
	return nil
}

func (k *wireKernel) handle(m message, header []byte) {
	ctx := context.Background()
	cmd := m.data[0]
	command, timeouts := parseRequest(m)
	var errno ipvs.Errno
	switch {
	case m.typ != testFamily:
		errno = ipvs.ENOENT
	case cmd == cmdGetService && m.flags&netlink.Dump == netlink.Dump:
		t, _ := k.kernel.Snapshot(ctx)
		var d dump
		for _, s := range t {
			d.add(k, m.seq, cmdNewService, func(w *builder) { w.serviceStatus(s, k.old) })
		}
		d.end(k, m.seq)
		return
	case cmd == cmdGetService:
		t, _ := k.kernel.ReadServices(ctx, []ipvs.ServiceKey{command.Service.ServiceKey})
		if len(t) > 0 {
			k.reply(m.seq, cmdNewService, func(w *builder) { w.serviceStatus(t[0], k.old) })
			return
		}
		errno = ipvs.ESRCH
	case cmd == cmdGetDest && m.flags&netlink.Dump == netlink.Dump:
		t, _ := k.kernel.Snapshot(ctx)
		var d dump
		if s := t.Find(command.Service.ServiceKey); s != nil {
			for _, status := range inRank(s.Destinations) {
				d.add(k, m.seq, cmdNewDest, func(w *builder) { w.destinationStatus(status, k.old) })
			}
		}
		d.end(k, m.seq)
		return
	case cmd == cmdGetDaemon && m.flags&netlink.Dump == netlink.Dump:
		master, backup, _ := k.kernel.SyncDaemons(ctx)
		var d dump
		for role, s := range map[ipvs.SyncRole]ipvs.SyncDaemon{ipvs.SyncMaster: master, ipvs.SyncBackup: backup} {
			if s.Interface != "" {
				d.add(k, m.seq, cmdNewDaemon, func(w *builder) { w.daemonStatus(role, s, k.old) })
			}
		}
		d.end(k, m.seq)
		return
	case cmd == cmdNewDaemon || cmd == cmdDelDaemon:
		if errno = k.changeDaemon(cmd, m); errno == eintr {
			return // without an answer
		}
	case cmd == cmdGetInfo:
		i, _ := k.kernel.Info(ctx)
		k.reply(m.seq, cmdSetInfo, func(w *builder) {
			w.u32(infoVersion, uint32(i.Version))
			w.u32(infoConnTabSize, i.ConnTableSize)
		})
		return
	case cmd == cmdGetConfig:
		t, _ := k.kernel.Timeouts(ctx)
		k.reply(m.seq, cmdSetConfig, func(w *builder) {
			w.u32(attrTimeoutTCP, uint32(t.TCP/time.Second))
			w.u32(attrTimeoutTCPFin, uint32(t.TCPFin/time.Second))
			w.u32(attrTimeoutUDP, uint32(t.UDP/time.Second))
		})
		return
	case cmd == cmdSetConfig:
		if k.kernel.SetTimeouts(ctx, timeouts) != nil {
			errno = ipvs.EINVAL
		}
	default:
		if refused, _ := k.kernel.Apply(ctx, []ipvs.Command{command}); len(refused) > 0 {
			errno = refused[0].Errno
		}
	}
	if errno != 0 || m.flags&netlink.Acknowledge != 0 {
		k.queue = append(k.queue, acknowledgement(header, errno))
	}
}

// inRank returns destinations in the order in which the kernel dumps them.
func inRank(d []ipvs.DestinationStatus) []ipvs.DestinationStatus {
	return slices.SortedFunc(slices.Values(d), func(a, b ipvs.DestinationStatus) int { return a.Rank - b.Rank })
}

// acknowledgement is the kernel's answer to the message with a header, capped as the client asks it to be.
func acknowledgement(header []byte, errno ipvs.Errno) []byte {
	b := native.AppendUint32(nil, uint32(headerLen+4+headerLen))
	b = native.AppendUint16(b, uint16(netlink.Error))
	b = native.AppendUint16(b, uint16(netlink.Capped))
	b = append(b, header[8:12]...)
	b = native.AppendUint32(b, 1234)
	b = native.AppendUint32(b, uint32(-int32(errno)))
	return append(b, header...)
}

func (k *wireKernel) reply(seq uint32, cmd uint8, fill func(*builder)) {
	var w builder
	start := w.begin(testFamily, cmd, 0, seq)
	fill(&w)
	w.end(start)
	k.queue = append(k.queue, w.b)
}

// dump makes the datagrams of a dump.
type dump struct{ w builder }

func (d *dump) add(k *wireKernel, seq uint32, cmd uint8, fill func(*builder)) {
	before := len(d.w.b)
	start := d.w.begin(testFamily, cmd, netlink.Multi, seq)
	fill(&d.w)
	d.w.end(start)
	if len(d.w.b) > k.part && before > 0 {
		k.queue = append(k.queue, d.w.b[:before:before])
		d.w.b = append([]byte(nil), d.w.b[before:]...)
	}
}

func (d *dump) end(k *wireKernel, seq uint32) {
	if len(d.w.b) > 0 {
		k.queue = append(k.queue, d.w.b)
	}
	k.queue = append(k.queue, doneMessage(seq, 0))
}

func doneMessage(seq uint32, errno ipvs.Errno) []byte {
	b := native.AppendUint32(nil, headerLen+4)
	b = native.AppendUint16(b, uint16(netlink.Done))
	b = native.AppendUint16(b, uint16(netlink.Multi))
	b = native.AppendUint32(b, seq)
	b = native.AppendUint32(b, 1234)
	return native.AppendUint32(b, uint32(-int32(errno)))
}

// eintr is what the kernel returns from stopping threads that did not run yet, and what netlink answers nothing to.
const eintr ipvs.Errno = 4

// changeDaemon starts a sync daemon, or stops one whose threads did not run yet.
func (k *wireKernel) changeDaemon(cmd uint8, m message) ipvs.Errno {
	ctx := context.Background()
	payload, _ := m.payload()
	role, daemon := parseDaemon(payload)
	if cmd == cmdNewDaemon {
		if e, ok := errors.AsType[*ipvs.SyncError](k.kernel.StartSyncDaemon(ctx, role, daemon)); ok {
			return e.Errno
		}
		return 0
	}
	master, backup, _ := k.kernel.SyncDaemons(ctx)
	if e, ok := errors.AsType[*ipvs.SyncError](k.kernel.StopSyncDaemon(ctx, role)); ok {
		return e.Errno
	}
	runs := map[ipvs.SyncRole]ipvs.SyncDaemon{ipvs.SyncMaster: master, ipvs.SyncBackup: backup}
	if runs[role].Interface == "" {
		return ipvs.ESRCH
	}
	return eintr
}

// daemonStatus appends a sync daemon in the kernel's order (ip_vs_genl_fill_daemon).
func (w *builder) daemonStatus(role ipvs.SyncRole, d ipvs.SyncDaemon, old bool) {
	nest := w.nest(attrDaemon)
	w.u32(daemonState, uint32(role))
	w.text(daemonInterface, d.Interface)
	w.u32(daemonSyncID, uint32(d.SyncID))
	if !old {
		w.u16(daemonMaxLen, d.MaxLen)
		w.u16(daemonPort, d.Port)
		w.u8(daemonTTL, d.TTL)
		if d.Group.Is6() {
			w.bytes(daemonGroup6, d.Group.AsSlice())
		} else {
			w.bytes(daemonGroup, d.Group.AsSlice())
		}
	}
	w.endNest(nest)
}

// parseDaemon reads a request about a sync daemon as the kernel does.
func parseDaemon(payload []byte) (role ipvs.SyncRole, d ipvs.SyncDaemon) {
	top := attributes{rest: payload}
	for top.next() {
		if top.typ != attrDaemon {
			continue
		}
		a := attributes{rest: top.data}
		for a.next() {
			switch a.typ {
			case daemonState:
				role = ipvs.SyncRole(a.u32())
			case daemonInterface:
				d.Interface = string(a.text())
			case daemonSyncID:
				d.SyncID = uint8(a.u32())
			case daemonMaxLen:
				d.MaxLen = a.u16()
			case daemonGroup, daemonGroup6:
				d.Group, _ = netip.AddrFromSlice(a.data)
			case daemonPort:
				d.Port = a.u16()
			case daemonTTL:
				d.TTL = a.u8()
			}
		}
	}
	return role, d
}

// serviceStatus appends a service in the kernel's order (ip_vs_genl_fill_service).
func (w *builder) serviceStatus(s ipvs.ServiceStatus, old bool) {
	nest := w.nest(attrService)
	w.u16(svcAF, uint16(s.Family))
	if s.FWMark != 0 {
		w.u32(svcFWMark, s.FWMark)
	} else {
		w.u16(svcProtocol, uint16(s.Protocol))
		w.address(svcAddr, s.Addr.Addr())
		w.be16(svcPort, s.Addr.Port())
	}
	w.text(svcScheduler, s.Scheduler)
	if s.Engine != "" {
		w.text(svcEngine, s.Engine)
	}
	flags := s.Flags | ipvs.Hashed
	if s.Persistence > 0 {
		flags |= ipvs.Persistent
	}
	w.attr(svcFlags, 8)
	w.b = native.AppendUint32(native.AppendUint32(w.b, uint32(flags)), ^uint32(0))
	w.u32(svcTimeout, uint32(s.Persistence/time.Second))
	if s.Family == ipvs.IPv6 {
		w.u32(svcNetmask, uint32(s.Granularity))
	} else {
		w.be32(svcNetmask, ^(^uint32(0) >> s.Granularity))
	}
	w.stats(svcStats, s.Stats, false)
	if !old {
		w.stats(svcStats64, s.Stats, true)
	}
	w.endNest(nest)
}

// destinationStatus appends a destination in the kernel's order (ip_vs_genl_fill_dest).
func (w *builder) destinationStatus(d ipvs.DestinationStatus, old bool) {
	nest := w.nest(attrDest)
	w.address(destAddr, d.Addr.Addr())
	w.be16(destPort, d.Addr.Port())
	w.u32(destForward, uint32(d.Forward))
	w.u32(destWeight, uint32(d.Weight))
	if !old {
		w.u8(destTunType, uint8(d.Tunnel.Type))
		w.be16(destTunPort, d.Tunnel.Port)
		w.u16(destTunFlags, uint16(d.Tunnel.Flags))
	}
	w.u32(destUpperThreshold, d.UpperThreshold)
	w.u32(destLowerThreshold, d.LowerThreshold)
	w.u32(destActive, d.ActiveConns)
	w.u32(destInactive, d.InactiveConns)
	w.u32(destPersistent, d.PersistentConns)
	if !old {
		w.u16(destAF, uint16(ipvs.FamilyOf(d.Addr.Addr())))
	}
	w.stats(destStats, d.Stats, false)
	if !old {
		w.stats(destStats64, d.Stats, true)
	}
	w.endNest(nest)
}

// address appends 16 bytes, an IPv4 address in the first four.
func (w *builder) address(typ uint16, a netip.Addr) {
	var b [16]byte
	copy(b[:], a.AsSlice())
	w.bytes(typ, b[:])
}

func (w *builder) stats(typ uint16, s ipvs.Stats, wide bool) {
	nest := w.nest(typ)
	for i, v := range []uint64{
		s.Connections, s.InPackets, s.OutPackets, s.InBytes, s.OutBytes, s.ConnectionsPerSec,
		s.InPacketsPerSecond, s.OutPacketsPerSecond, s.InBytesPerSecond, s.OutBytesPerSecond,
	} {
		if typ := uint16(statsConns + i); wide || typ == statsInBytes || typ == statsOutBytes {
			w.bytes(typ, native.AppendUint64(nil, v))
		} else {
			w.u32(typ, uint32(v))
		}
	}
	w.endNest(nest)
}

// parseRequest reads a request of the client as the kernel does.
func parseRequest(m message) (c ipvs.Command, t ipvs.Timeouts) {
	c.Op = map[uint8]ipvs.Op{
		cmdNewService: ipvs.NewService, cmdSetService: ipvs.SetService, cmdDelService: ipvs.DelService,
		cmdNewDest: ipvs.NewDestination, cmdSetDest: ipvs.SetDestination, cmdDelDest: ipvs.DelDestination,
	}[m.data[0]]
	top := attributes{rest: m.data[genlLen:]}
	for top.next() {
		switch top.typ {
		case attrService:
			c.Service = parseService(top.data)
		case attrDest:
			c.Destination = parseDestination(top.data)
		case attrTimeoutTCP:
			t.TCP = time.Duration(top.u32()) * time.Second
		case attrTimeoutTCPFin:
			t.TCPFin = time.Duration(top.u32()) * time.Second
		case attrTimeoutUDP:
			t.UDP = time.Duration(top.u32()) * time.Second
		}
	}
	return c, t
}

func parseService(b []byte) (s ipvs.Service) {
	var addr netip.Addr
	var port uint16
	var mask []byte
	a := attributes{rest: b}
	for a.next() {
		switch a.typ {
		case svcAF:
			s.Family = ipvs.Family(a.u16())
		case svcProtocol:
			s.Protocol = ipvs.Protocol(a.u16())
		case svcAddr:
			addr, _ = netip.AddrFromSlice(a.data)
		case svcPort:
			port = a.be16()
		case svcFWMark:
			s.FWMark = a.u32()
		case svcScheduler:
			s.Scheduler = string(a.text())
		case svcEngine:
			s.Engine = string(a.text())
		case svcFlags:
			s.Flags = ipvs.ServiceFlags(native.Uint32(a.data) & native.Uint32(a.data[4:]))
		case svcTimeout:
			s.Persistence = time.Duration(a.u32()) * time.Second
		case svcNetmask:
			mask = a.data
		}
	}
	if s.FWMark == 0 {
		s.Addr = netip.AddrPortFrom(addr, port)
	}
	switch {
	case mask == nil:
	case s.Family == ipvs.IPv6:
		s.Granularity = uint8(native.Uint32(mask))
	default:
		for m := binary.BigEndian.Uint32(mask); m != 0; m <<= 1 {
			s.Granularity++
		}
	}
	if s.Flags&ipvs.Persistent == 0 {
		s.Persistence = 0
	}
	s.Flags &^= ipvs.Persistent
	return s
}

func parseDestination(b []byte) (d ipvs.Destination) {
	var addr netip.Addr
	var port uint16
	a := attributes{rest: b}
	for a.next() {
		switch a.typ {
		case destAddr:
			addr, _ = netip.AddrFromSlice(a.data)
		case destPort:
			port = a.be16()
		case destForward:
			d.Forward = ipvs.Forward(a.u32())
		case destWeight:
			d.Weight = int32(a.u32())
		case destUpperThreshold:
			d.UpperThreshold = a.u32()
		case destLowerThreshold:
			d.LowerThreshold = a.u32()
		case destTunType:
			d.Tunnel.Type = ipvs.TunnelType(a.u8())
		case destTunPort:
			d.Tunnel.Port = a.be16()
		case destTunFlags:
			d.Tunnel.Flags = ipvs.TunnelFlags(a.u16())
		}
	}
	d.Addr = netip.AddrPortFrom(addr, port)
	return d
}
