package config

import "math/bits"

// scope is a kind of table in the file; a keyword may be allowed in several.
type scope uint64

const (
	inRoot scope = 1 << iota
	inGlobal
	inSync
	inSysctl
	inGroup
	inSSLDefaults
	inTrackFile
	inVirtual
	inReal
	inSorry
	inURL
	inHost
	inTCP // this and what follows: as in checkTypes
	inPing
	inHTTP
	inSSL
	inSMTP
	inDNS
	inMisc
	inUDP
	inFile
	inFTP
	inIMAP
	inPOP
	inLDAP
	inNNTP
	inMySQL
	inPgSQL
	inRADIUS
	inSIP
	inSimpleTCP
	inGRPC
	inRedis
	inAgent
	beyond

	// inChecks are the tables of checks.
	inChecks = beyond - inTCP
	// servers are the tables of single servers.
	servers = inReal | inSorry
	// serverChecks is where settings of checks may stand; the nearest to the server wins.
	serverChecks = inVirtual | servers | inChecks
)

// scopes are all kinds of tables.
var scopes = func() (all []scope) {
	for s := inRoot; s < beyond; s <<= 1 {
		all = append(all, s)
	}
	return all
}()

// String returns the table's header, as a user writes it.
func (s scope) String() string {
	switch s {
	case inGlobal:
		return "[global_defs]"
	case inSync:
		return "lvs_sync_daemon"
	case inSysctl:
		return "[global_defs.lvs_sysctl]"
	case inGroup:
		return "[virtual_server_group.NAME]"
	case inSSLDefaults:
		return "[SSL]"
	case inTrackFile:
		return "[track_file.NAME]"
	case inVirtual:
		return "[[virtual_server]]"
	case inReal:
		return "[[virtual_server.real_server]]"
	case inSorry:
		return "[[virtual_server.sorry_server]]"
	case inURL:
		return "url"
	case inHost:
		return "host"
	}
	if s&inChecks != 0 {
		return s.checkType().name
	}
	return "the top of the file"
}

// checkType returns the type of checks whose tables these are.
func (s scope) checkType() *checkType {
	return &checkTypes[bits.TrailingZeros64(uint64(s))-bits.TrailingZeros64(uint64(inTCP))]
}
