// Package track watches what virtual routers depend on besides the protocol: interfaces, scripts, files, processes, routes,
// neighbours, addresses. It says what it sees (vrrp.Reading); what that comes to is package vrrp's arithmetic.
//
// It watches no BFD sessions and no virtual servers: package bfdio and the daemon's owner know those, and their readings go to
// the runner of the protocol by package failover, past this one.
//
// Run's caller has the state. Each kind of object that has to be asked or listened for has goroutines of its own, which put
// what they see in a mailbox and end before Run does.
package track
