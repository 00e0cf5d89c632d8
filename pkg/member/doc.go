// Package member decides which real servers a virtual server has that are not in the configuration but in sources: DNS, a directory, etcd,
// Consul. A Source is where members come from, a Report what its reader says of it: always all members, never a change. A Pool is what
// a virtual server's table of members has of them: Step makes the next one of reports, so that a source that fails, or that
// suddenly names too few, takes nobody's servers away.
//
// It is pure. The readers are its children, a goroutine for each Source; who owns pools and makes virtual servers of them is package
// daemon. What a member becomes as a real server, its checks above all, is for package config.
package member
