// Package realserver says what a real server of DR or TUN needs so that it takes packets for the service's address and nobody learns
// that it has it: the address on an interface that is no Ethernet, and silence about it (arp_ignore, arp_announce, a tunnel's interface that
// takes packets by another way than answers leave). What a machine is like goes in, Steps come out.
//
// It changes nothing, which is what its child realserverhost is for, and starts no goroutines. Tunnels are IPIP, of the address's own
// family; GUE, GRE and mixed families need interfaces that the operator makes.
package realserver
