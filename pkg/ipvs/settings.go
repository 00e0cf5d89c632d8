package ipvs

import (
	"fmt"
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
	MaxLen    uint16     // of a packet's payload in bytes; 0 in a wish: the kernel takes it from the interface's MTU
	Group     netip.Addr // multicast group
	Port      uint16     // UDP
	TTL       uint8
}

// What the kernel takes where a sync daemon's settings leave it open.
const (
	SyncPort = 8848
	SyncTTL  = 1
)

// SyncGroup is the group that the kernel takes by itself.
var SyncGroup = netip.AddrFrom4([4]byte{224, 0, 0, 81})

// String describes a running daemon: "eth1 id 1 group 224.0.0.81 port 8848 ttl 1 maxlen 1464".
func (d SyncDaemon) String() string {
	if d.Interface == "" {
		return "none"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s id %d group %s port %d ttl %d", d.Interface, d.SyncID, d.Group, d.Port, d.TTL)
	if d.MaxLen != 0 {
		fmt.Fprintf(&b, " maxlen %d", d.MaxLen)
	}
	return b.String()
}

// Sysctls are values of the IPVS sysctls, net.ipv4.vs.*, by name without that prefix. What the kernel hasn't got is missing.
type Sysctls map[string]string
