// Package ipvsd runs the real ipvsd and ipvsctl on hosts of the lab for kernel tests, and says in few words what those wait for: a table, a
// status, a flow that lives. What there is to see is seen by ipvsadm. Its tests are in pkg/daemon and in the packages beside this one.
package ipvsd
