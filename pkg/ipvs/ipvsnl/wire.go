package ipvsnl

import "github.com/moby/ipvs"

// The names and numbers of include/uapi/linux/ip_vs.h that no library exports.
const (
	familyName    = "IPVS"
	familyVersion = 1

	// forwardMask is IP_VS_CONN_F_FWD_MASK, the bits of a forwarding method.
	forwardMask = ipvs.ConnectionFlagFwdMask
)

// The commands (IPVS_CMD_).
const (
	cmdNewService = 1
	cmdSetService = 2
	cmdDelService = 3
	cmdGetService = 4
	cmdNewDest    = 5
	cmdSetDest    = 6
	cmdDelDest    = 7
	cmdGetDest    = 8
	cmdNewDaemon  = 9
	cmdDelDaemon  = 10
	cmdGetDaemon  = 11
	cmdSetConfig  = 12
	cmdGetConfig  = 13
	cmdSetInfo    = 14
	cmdGetInfo    = 15
)

// The attributes of a command (IPVS_CMD_ATTR_).
const (
	attrService       = 1
	attrDest          = 2
	attrDaemon        = 3
	attrTimeoutTCP    = 4
	attrTimeoutTCPFin = 5
	attrTimeoutUDP    = 6
)

// The attributes of a service (IPVS_SVC_ATTR_).
const (
	svcAF        = 1
	svcProtocol  = 2
	svcAddr      = 3
	svcPort      = 4 // network byte order
	svcFWMark    = 5
	svcScheduler = 6
	svcFlags     = 7 // struct ip_vs_flags: flags, mask
	svcTimeout   = 8 // seconds
	svcNetmask   = 9 // IPv4: a mask in network byte order; IPv6: the length of a prefix
	svcStats     = 10
	svcEngine    = 11
	svcStats64   = 12 // Linux 4.1
)

// The attributes of a destination (IPVS_DEST_ATTR_).
const (
	destAddr           = 1
	destPort           = 2 // network byte order
	destForward        = 3
	destWeight         = 4
	destUpperThreshold = 5
	destLowerThreshold = 6
	destActive         = 7
	destInactive       = 8
	destPersistent     = 9
	destStats          = 10
	destAF             = 11 // Linux 3.18
	destStats64        = 12 // Linux 4.1
	destTunType        = 13 // Linux 5.3
	destTunPort        = 14 // network byte order
	destTunFlags       = 15
)

// The attributes of a sync daemon (IPVS_DAEMON_ATTR_).
const (
	daemonState     = 1 // which of the two
	daemonInterface = 2
	daemonSyncID    = 3 // 32 bits for a number of 8
	daemonMaxLen    = 4 // this and the rest: Linux 4.3
	daemonGroup     = 5 // network byte order
	daemonGroup6    = 6
	daemonPort      = 7 // the machine's byte order
	daemonTTL       = 8
)

// The attributes of statistics (IPVS_STATS_ATTR_): 32 or 64 bits, depending on what they are in.
const (
	statsConns    = 1
	statsInPkts   = 2
	statsOutPkts  = 3
	statsInBytes  = 4
	statsOutBytes = 5
	statsCPS      = 6
	statsInPPS    = 7
	statsOutPPS   = 8
	statsInBPS    = 9
	statsOutBPS   = 10
)

// The attributes of the answer to cmdGetInfo (IPVS_INFO_ATTR_).
const (
	infoVersion     = 1
	infoConnTabSize = 2
)
