// Package lab builds small networks of real programs on a real kernel, for kernel tests and the demo: hosts (network
// namespaces, each with an IPVS table of its own), bridges between them, servers (a file each), and the observers ipvsadm and
// tcpdump. NewNATCluster puts together the cluster of two networks that this project exists for, NewDirectCluster one whose
// servers answer past the director.
//
// It needs root on a kernel with IPVS: scripts/lab provides one. It does not know ipvsd, so that what it observes is
// nobody's wishful thinking, and it decides nothing: what can't be set up ends the test through TB. All that it makes is
// gone after the test, also what a test froze or started in the background.
//
// A Host may be used by several goroutines at once; where a function has a TB to fail, only by the one that may fail it.
// Goroutines are started for the time of a call, and one for each Process until it ends.
package lab

// TB is what is needed of a *testing.T; Program is one for programs that are no tests. Fatalf does not return, and the
// functions given to Cleanup run at the end, the last one first. If it has a method Failed, as a *testing.T has, the log
// of every process goes to Logf when that says true.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
	Cleanup(f func())
}

func failed(tb TB) bool {
	f, ok := tb.(interface{ Failed() bool })
	return ok && f.Failed()
}
