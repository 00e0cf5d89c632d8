// Package ipvstest holds a kernel's IPVS table in memory, for tests: Kernel answers the calls of ipvsnl.Client with the
// same results and the same error numbers as Linux does, and can be told to fail in the ways that Linux fails.
//
// What it knows of the kernel was found by trying a real one; Conformance is that knowledge as a test, which the fake
// and the real kernel both have to pass. It forwards no packets and knows of no addresses of the host: counters change
// only by Kernel.Count. Nothing here starts a goroutine.
//
// What one wouldn't guess, all shown by Conformance:
//
//   - A server that is deleted and added again comes back with its counters (within two minutes, while the service
//     lives): the kernel takes it out of its trash. If the service was deleted meanwhile, the counters are gone.
//   - A service on port 0 needs no persistence as far as the kernel is concerned; that is ipvsadm's rule.
//   - A lower threshold without an upper one is out of range.
//   - A server's address is looked at only when it is added: multicast, broadcast and link-local ones are invalid.
//   - The scheduler "none" exists always. An edit of a service without persistence engine takes the engine away.
//   - The granularity of an IPv6 service must be 1 to 128, even without persistence; of an IPv4 service, anything goes.
//   - A name of 16 letters is too long for a scheduler but not for a persistence engine.
//   - A server that is deleted and added again is the first of its service's, whatever place it had.
//   - A sync daemon and a server of another family than its service exclude each other, whichever comes first. The kernel's
//     answer is EINVAL, also to an edit.
//   - A sync daemon that runs can't be changed, not even started again as it is: EEXIST.
//   - A master's packets are of 1500 bytes unless told otherwise, whatever its interface could carry.
//
// And what Kernel leaves out, as it has no network and no time:
//
//   - In a network namespace where no interface ever was up, Linux takes every IPv4 address for a broadcast address and
//     refuses servers with EINVAL.
//   - The trash is searched from end to end for each server that is added. With 10,000 servers in it, that made an add
//     30 times slower: edit rather than delete and add.
//   - Multicast and link-local IPv6 addresses are valid where they are the host's own.
//   - A master is not started on an interface that is down (ENETUNREACH), a backup is.
//   - An interface that goes away takes no sync daemon with it: the daemon is still reported as running there, also when
//     another interface with that name comes, and does nothing any more.
package ipvstest
