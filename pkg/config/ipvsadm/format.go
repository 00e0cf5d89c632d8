package ipvsadm

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Format returns a table and settings as commands: byte for byte what ipvsadm -Sn prints of the services and servers, in its
// order, except where ipvsadm drops something or prints what it doesn't read: thresholds, flag-3 of sh and mh, and firewall
// marks from 2147483648 on (which it prints as negative numbers, and sorts in no fixed order). Then come the timeouts and the
// sync daemons. What ipvsadm has no words for, forwarding methods such as LOCAL, is left out.
func Format(t ipvs.Table, s ipvs.Settings) []byte {
	var b bytes.Buffer
	for _, service := range slices.SortedFunc(slices.Values(t), ipvsadmOrder) {
		on := serviceWords(service.ServiceKey)
		fmt.Fprintf(&b, "-A %s%s\n", on, optionWords(&service.Service))
		for i := range service.Destinations {
			if d := &service.Destinations[i].Destination; methods[d.Forward] != "" {
				fmt.Fprintf(&b, "-a %s -r %s%s\n", on, d.Addr, serverWords(d))
			}
		}
	}
	if s.Timeouts != (ipvs.Timeouts{}) {
		fmt.Fprintf(&b, "--set %d %d %d\n", s.Timeouts.TCP/time.Second, s.Timeouts.TCPFin/time.Second, s.Timeouts.UDP/time.Second)
	}
	daemon(&b, ipvs.SyncMaster, s.Master)
	daemon(&b, ipvs.SyncBackup, s.Backup)
	return b.Bytes()
}

// ipvsadmOrder is the order of ipvsadm -S: the protocol before the address, the two families apart, firewall marks at the end.
func ipvsadmOrder(a, b ipvs.ServiceStatus) int {
	return cmp.Or(
		cmp.Compare(a.FWMark, b.FWMark),
		cmp.Compare(a.Family, b.Family),
		cmp.Compare(a.Protocol, b.Protocol),
		a.Addr.Compare(b.Addr),
	)
}

func serviceWords(k ipvs.ServiceKey) string {
	switch {
	case k.FWMark != 0 && k.Family == ipvs.IPv6:
		return fmt.Sprintf("-f %d -6", k.FWMark)
	case k.FWMark != 0:
		return fmt.Sprintf("-f %d", k.FWMark)
	case k.Protocol == ipvs.TCP:
		return "-t " + k.Addr.String()
	case k.Protocol == ipvs.UDP:
		return "-u " + k.Addr.String()
	}
	return "--sctp-service " + k.Addr.String()
}

func optionWords(s *ipvs.Service) string {
	var b strings.Builder
	b.WriteString(" -s " + s.Scheduler)
	if s.Persistence > 0 {
		fmt.Fprintf(&b, " -p %d", s.Persistence/time.Second)
		if bits := s.Granularity; bits != s.Family.Bits() {
			if s.Family == ipvs.IPv6 {
				fmt.Fprintf(&b, " -M %d", bits)
			} else {
				m := uint32(uint64(math.MaxUint32) << (32 - bits))
				fmt.Fprintf(&b, " -M %d.%d.%d.%d", byte(m>>24), byte(m>>16), byte(m>>8), byte(m))
			}
		}
	}
	if s.Engine != "" {
		b.WriteString(" --pe " + s.Engine)
	}
	if s.Flags&ipvs.OnePacket != 0 {
		b.WriteString(" -o")
	}
	if names := (s.Flags &^ ipvs.OnePacket).Names(s.Scheduler); len(names) > 0 {
		b.WriteString(" -b " + strings.Join(names, ","))
	}
	return b.String()
}

var methods = map[ipvs.Forward]string{ipvs.NAT: " -m", ipvs.DR: " -g", ipvs.Tun: " -i"}

func serverWords(d *ipvs.Destination) string {
	s := fmt.Sprintf("%s -w %d", methods[d.Forward], d.Weight)
	if d.Forward == ipvs.Tun {
		s += " --tun-type " + d.Tunnel.Type.String()
		if d.Tunnel.Type == ipvs.GUE {
			s += fmt.Sprintf(" --tun-port %d", d.Tunnel.Port)
		}
		switch {
		case d.Tunnel.Type == ipvs.IPIP:
		case d.Tunnel.Flags&ipvs.RemCsum != 0:
			s += " --tun-remcsum"
		case d.Tunnel.Flags&ipvs.Csum != 0:
			s += " --tun-csum"
		default:
			s += " --tun-nocsum"
		}
	}
	if d.UpperThreshold != 0 || d.LowerThreshold != 0 {
		s += fmt.Sprintf(" -x %d -y %d", d.UpperThreshold, d.LowerThreshold)
	}
	return s
}

func daemon(b *bytes.Buffer, role ipvs.SyncRole, d ipvs.SyncDaemon) {
	if d.Interface == "" {
		return
	}
	fmt.Fprintf(b, "--start-daemon %s --mcast-interface %s --syncid %d", role, d.Interface, d.SyncID)
	if d.MaxLen != 0 {
		fmt.Fprintf(b, " --sync-maxlen %d", d.MaxLen)
	}
	fmt.Fprintf(b, " --mcast-group %s --mcast-port %d --mcast-ttl %d\n", d.Group, d.Port, d.TTL)
}
