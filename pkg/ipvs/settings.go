package ipvs

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Settings are what the IPVS of a network namespace is set to besides its services.
type Settings struct {
	Timeouts Timeouts
	Master   SyncDaemon // sends the state of connections to backups; zero: it doesn't run
	Backup   SyncDaemon // takes it from a master; zero: it doesn't run
	Sysctls  Sysctls
}

// Timeouts are how long an idle connection is remembered, in whole seconds, for all services of a network namespace.
// Zero in a change keeps what there is.
type Timeouts struct {
	TCP    time.Duration // established
	TCPFin time.Duration // after a FIN
	UDP    time.Duration
}

// SyncRole is which of the two sync daemons of the kernel is meant (IP_VS_STATE_MASTER, IP_VS_STATE_BACKUP).
type SyncRole uint32

// The roles. Both may run at once.
const (
	SyncMaster SyncRole = 1
	SyncBackup SyncRole = 2
)

func (r SyncRole) String() string {
	switch r {
	case SyncMaster:
		return "master"
	case SyncBackup:
		return "backup"
	}
	return "role " + strconv.Itoa(int(r))
}

// SyncDaemon is how a sync daemon runs. It can't be changed while it does, only stopped and started.
type SyncDaemon struct {
	Interface string     // that the multicast packets use; empty: the daemon doesn't run
	SyncID    uint8      // a backup takes only packets with its own; 0 takes all
	MaxLen    uint16     // of a packet's payload in bytes
	Group     netip.Addr // multicast group, without a zone
	Port      uint16     // UDP, the first of sysctl sync_ports ones
	TTL       uint8
}

// What the kernel takes where the wish for a sync daemon leaves it open, that is zero. The length then is what fits into
// 1500 bytes, for a backup into its interface's MTU if that is larger: what a sender may send it should be able to take.
const (
	SyncPort = 8848
	SyncTTL  = 1
)

// SyncGroup is the group that the kernel takes by itself.
var SyncGroup = netip.AddrFrom4([4]byte{224, 0, 0, 81})

// Started returns the daemon as a kernel reports it once it runs: with what is left open filled in, and a length that the
// kernel finds too short or too long made to fit. Only the length of a backup that is left open may be larger (see SyncPort).
func (d SyncDaemon) Started(role SyncRole) SyncDaemon {
	if !d.Group.IsValid() {
		d.Group = SyncGroup
	}
	d.Port, d.TTL = cmp.Or(d.Port, SyncPort), cmp.Or(d.TTL, SyncTTL)
	least, most := d.Lengths(role)
	d.MaxLen = min(max(cmp.Or(d.MaxLen, 1500-d.headers()), least), most)
	return d
}

// Lengths returns the least and the greatest MaxLen that the kernel takes as it is, with the daemon's group.
func (d SyncDaemon) Lengths(role SyncRole) (least, most uint16) {
	least = 1
	if role == SyncBackup {
		least = 1024
	}
	return least, math.MaxUint16 - d.headers()
}

// headers are the bytes of a packet before its payload: those of IP and UDP.
func (d SyncDaemon) headers() uint16 {
	if d.Group.Is6() {
		return 40 + 8
	}
	return 20 + 8
}

// String describes the daemon: "eth1 id 1 group 224.0.0.81 port 8848 ttl 1 maxlen 1472"; what is zero is left out.
func (d SyncDaemon) String() string {
	if d.Interface == "" {
		return "none"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s id %d", d.Interface, d.SyncID)
	if d.Group.IsValid() {
		fmt.Fprintf(&b, " group %s", d.Group)
	}
	for _, n := range []struct {
		name  string
		value uint16
	}{{"port", d.Port}, {"ttl", uint16(d.TTL)}, {"maxlen", d.MaxLen}} {
		if n.value != 0 {
			fmt.Fprintf(&b, " %s %d", n.name, n.value)
		}
	}
	return b.String()
}

// Sysctls are values of the IPVS sysctls, net.ipv4.vs.*, by name without that prefix. What the kernel hasn't got is missing.
type Sysctls map[string]string
