// Package bfdio runs BFD sessions on sockets and the clock. One goroutine, Run's caller's, has all sessions; one more reads each
// receiving socket.
package bfdio
