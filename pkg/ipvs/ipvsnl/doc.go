// Package ipvsnl reads and changes the kernel's IPVS table through generic netlink (family "IPVS", version 1,
// include/uapi/linux/ip_vs.h; the answering side is net/netfilter/ipvs/ip_vs_ctl.c).
//
// It is built for large tables: a Snapshot takes two system calls a service, an Apply one for some hundred commands. It
// decides nothing and remembers nothing of the table. Package ipvstest answers the same calls without a kernel.
//
// Nothing here starts a goroutine, and nothing is called back: the kernel sends no notice of changes to the table.
//
// Of github.com/moby/ipvs it takes constants, and the tests a second opinion. Its calls would not do: it asks for the
// number of the family once in the life of a process, so that it stays deaf when the module comes later; it waits for a
// lost answer for ever; and it reads neither wide weights nor tunnels, persistence engines and 64-bit counters.
//
// # Transactions
//
// Apply is not atomic, as the kernel isn't: every command is done or refused by itself, in order. What it promises is
// that the caller knows which. Where it can't know (an answer was lost) it says so, and a new Snapshot will tell.
//
// # Consistency
//
// The kernel dumps the services first and then, request by request, the destinations of each. A Snapshot begins again
// when the kernel says that a dump was interrupted, when an entry comes twice, or when a service went away meanwhile.
// One thing can't be seen: if somebody else deletes an entry between two parts of a dump (32 kB, about 90 entries), the
// kernel passes over another one. The next Snapshot has it.
package ipvsnl
