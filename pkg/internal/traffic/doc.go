// Package traffic holds kernel tests of what clients feel: forwarding methods, schedulers, flows that live on, servers that are drained.
package traffic
