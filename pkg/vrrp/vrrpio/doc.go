// Package vrrpio runs a vrrp.Router on sockets and the clock.
//
// One goroutine, on an OS thread of its own, has the router, the clock and what comes in and goes out: nothing that the rest of the
// daemon does makes an advert late. Others send it values through a mailbox and never wait for it, nor it for them. What may take long
// is done for it by two others: the goroutine of Run opens and closes sockets, which waits for the kernel's lock on all
// interfaces, and one writes the log. All end with Run.
//
// How the thread gets its processor is told in contrib/decisions/0017-vrrp-thread.md.
package vrrpio
