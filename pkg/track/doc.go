// Package track watches what virtual routers depend on besides the protocol: interfaces, scripts, files, processes, routes,
// neighbours, addresses. It says what it sees (vrrp.Reading); what that comes to is package vrrp's arithmetic.
package track
