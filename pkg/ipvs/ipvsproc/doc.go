// Package ipvsproc reads and changes the sysctls of IPVS, net.ipv4.vs.*, through /proc/sys. Package ipvs has the table of
// them; what isn't in it is neither read nor written.
//
// It is not the place of anything that netlink does better: services, timeouts and sync daemons are package ipvsnl's. It
// decides nothing, remembers nothing, logs nothing and starts no goroutine. Package ipvstest answers the same calls
// without a kernel.
//
// /proc/sys shows the sysctls of the network namespace of the thread that looks, not of the one that opened something
// there: who changes namespaces keeps a thread for it.
package ipvsproc
