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
	inInstance
	inAuth
	inHMAC
	inSyncGroup
	inScript
	inProcess
	inBFD
	inTrackRoute
	inTrackGroup
	inGARPGroup
	inWebhook
	inMetrics
	inAPI
	inToken
	inCertificateRole
	inPeer
	inWishes
	inVirtual
	inReal
	inSorry
	inMembers
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
	inBFDCheck
	beyond

	// inChecks are the tables of checks.
	inChecks = beyond - inTCP
	// servers are the tables of single servers.
	servers = addressed | inMembers
	// addressed are those of servers that stand in the file.
	addressed = inReal | inSorry
	// serverChecks is where settings of checks may stand; the nearest to the server wins.
	serverChecks = inVirtual | addressed | inChecks
)

// scopes are all kinds of tables.
var scopes = func() (all []scope) {
	for s := inRoot; s < beyond; s <<= 1 {
		all = append(all, s)
	}
	return all
}()

// tableHeaders are the headers of all tables but those of checks.
var tableHeaders = map[scope]string{
	inRoot:            "the top of the file",
	inGlobal:          "[global_defs]",
	inSync:            "lvs_sync_daemon",
	inSysctl:          "[global_defs.lvs_sysctl]",
	inGroup:           "[virtual_server_group.NAME]",
	inSSLDefaults:     "[SSL]",
	inTrackFile:       "[track_file.NAME]",
	inInstance:        "[vrrp_instance.NAME]",
	inAuth:            "authentication",
	inHMAC:            "auth_hmac",
	inSyncGroup:       "[vrrp_sync_group.NAME]",
	inScript:          "[vrrp_script.NAME]",
	inProcess:         "[vrrp_track_process.NAME]",
	inBFD:             "[bfd_instance.NAME]",
	inTrackRoute:      "[track_route.NAME]",
	inTrackGroup:      "[track_group.NAME]",
	inGARPGroup:       "[garp_group.NAME]",
	inWebhook:         "[webhook.NAME]",
	inMetrics:         "[global_defs.metrics]",
	inAPI:             "[global_defs.api]",
	inToken:           "[[global_defs.api.token]]",
	inCertificateRole: "[[global_defs.api.certificate_role]]",
	inPeer:            "[global_defs.peers.NAME]",
	inWishes:          "[global_defs.wishes]",
	inVirtual:         "[[virtual_server]]",
	inReal:            "[[virtual_server.real_server]]",
	inSorry:           "[[virtual_server.sorry_server]]",
	inMembers:         "[[virtual_server.members]]",
	inURL:             "url",
	inHost:            "host",
}

// String returns the table's header, as a user writes it.
func (s scope) String() string {
	if s&inChecks != 0 {
		return s.checkType().name
	}
	return tableHeaders[s]
}

// checkType returns the type of checks whose tables these are.
func (s scope) checkType() *checkType {
	return &checkTypes[bits.TrailingZeros64(uint64(s))-bits.TrailingZeros64(uint64(inTCP))]
}
