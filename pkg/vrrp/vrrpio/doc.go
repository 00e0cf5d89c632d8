// Package vrrpio runs a vrrp.Router on sockets and the clock.
//
// One goroutine, on an OS thread of its own, has the router, the sockets and the timer: nothing that the rest of the daemon does
// makes an advert late. Others send it values through a mailbox and never wait for it, nor it for them.
package vrrpio
