// Package ipvs names what the kernel's IP virtual server holds: services, destinations, their keys, flags and counters,
// the commands that change them, and the errors they can end in.
//
// It is not a driver: nothing here talks to a kernel (package ipvsnl does) or decides what should be in the table
// (packages desired and reconcile do). All types are plain values; a key, a Service and a Destination can be compared
// with == and used as map keys. Nothing here starts a goroutine.
//
// Words: a service is keepalived's virtual_server, a destination its real_server. Numbers are the kernel's
// (include/uapi/linux/ip_vs.h), so that a driver can convert without tables.
package ipvs
