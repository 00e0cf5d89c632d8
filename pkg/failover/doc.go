// Package failover puts the parts of VRRP together: the thread that speaks the protocol (package vrrpio), what keeps the addresses
// (package vipnl), what watches the things that virtual routers depend on (package track), and who is told.
//
//	Runner --actions--> wish of each instance --> Keeper          at once, on the Runner's thread
//	                \-> log, events, alerts, scripts, roles        by the goroutine of Run
//	Tracker, quorums --readings--> Runner
//	interfaces --> Runner, Tracker
//
// An instance that becomes active wishes for its addresses without waiting for anybody: not for scripts, nor for the owner of the
// daemon's state, who swaps the sync daemons when he hears of the role. Clients wait for addresses, and for nothing else: the
// connections of the first milliseconds reach the backup with their next packets. That is also keepalived's order.
//
// Nothing runs without a configuration that has something for it. When a part fails, all of them stop in good order (priority 0,
// addresses gone), every instance is at fault, that is logged and in the status, and they are started again after a pause. The
// health checks know nothing of it, and go on.
//
// At the stop the roles are handed over as by a planned switchover, if there is somebody to take them; then priority 0 is sent, and
// the addresses go, unless Options.Stay says otherwise. Notifications hear of STOP alone.
//
// Run has one goroutine and starts one for each part, which end before it returns; scripts have theirs (package script).
package failover
