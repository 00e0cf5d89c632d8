// Package vrrp is the Virtual Router Redundancy Protocol as a pure machine: version 2 (RFC 3768) and 3 (RFC 9568), IPv4 and IPv6,
// with keepalived's extensions. It holds the configuration of virtual routers and sync groups, the codec with its checks and
// authentication, the state machine, and the arithmetic of tracking. It has no clock, no sockets and no goroutines:
// package vrrpio runs it.
//
// Who is who:
//
//	here        RFC 9568      keepalived
//	Active      Active        MASTER
//	Backup      Backup        BACKUP
//	Fault       -             FAULT: something that the router can't do without is missing
//	Initialize  Initialize    INIT
//	Instance    Virtual Router (its part in this VRRP Router)   vrrp_instance
//	Router      VRRP Router   the vrrp process
//	Group       -             vrrp_sync_group
package vrrp
