// Package vip is what a director has on its interfaces for its clients: virtual addresses, routes and rules, the interfaces
// made for them, and the frames that tell the neighbours. Values can be compared and print as the lines of keepalived.conf.
//
// It touches no interface: package vipnl does.
package vip
