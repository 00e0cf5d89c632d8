// Package failover joins what makes a pair of directors one: the runner of the protocol (package vrrpio), who keeps the
// addresses (package vipnl), the trackers (package track), and those who are told. One goroutine, Run's caller's, has its state.
package failover
