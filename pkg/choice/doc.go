// Package choice says which server a client would get of an IPVS service, and why: what the kernel does with the first packet of a
// connection (net/netfilter/ipvs/ip_vs_core.c and the schedulers beside it), worked out from what it tells of its table.
//
// It says how certain it is. Connections and persistence that exist are facts. What sh, dh and mh hash is computed as the kernel does it; lc,
// wlc, sed, nq, fo and ovf follow from the counters, until the next connection changes them. Of the others the kernel keeps its place to
// itself: there are candidates and their shares only.
//
// It asks nobody anything and starts no goroutines.
package choice
