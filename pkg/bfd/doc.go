// Package bfd is Bidirectional Forwarding Detection (RFC 5880, 5881, 5883) as a pure machine: the codec, and the state of one
// session in asynchronous mode without authentication and echo, as keepalived has it. It has no clock, no sockets and no
// goroutines: package bfdio runs it.
package bfd
