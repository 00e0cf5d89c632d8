// Package exporter serves metrics to Prometheus: those of package metrics, and those of the process and of the requests it answers.
// An Exporter is an http.Handler, for the control socket; a Listener serves it on a TCP port, too, and nothing else there.
//
// Run of a Listener is one goroutine. When it returns, the port is free and its connections are closed; what still answers one of
// them ends with its context.
package exporter
