// Package doctor says what is wrong with a machine that balances, or that is balanced: what costs people nights because nothing
// reports it, such as a forgotten ip_forward or a real server that answers ARP for the service's address. Facts go in, a
// Report of Findings comes out, each with the commands that mend it.
//
// It asks nobody anything, which is what its child doctorhost is for, and starts no goroutines. Each question has a file of its own.
// Nothing here is about ipvsd's own state: a server that is down, or a refused configuration, is package status's.
//
// What can't be seen from where the doctor stands is part of the Report, too: silence must not be taken for health.
package doctor
