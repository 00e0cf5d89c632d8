// Package compat holds ipvsd against keepalived: both run the same keepalived.conf, each on a director of its own that has all
// that the file names, and nobody can tell their kernels and their adverts apart; or contrib/compat/README.md says in what they
// differ, and why.
//
// The files are those of testdata, which have every keyword, and real ones. A director (world) has the interfaces, and a
// neighbour (sink) that is all other hosts at once. What is observed (observation) is what ipvsadm, ip and tcpdump say.
// Servers of the neighbour answer on goroutines of their own until the test is over.
package compat
