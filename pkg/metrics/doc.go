// Package metrics is the Prometheus view of a status.Snapshot: which metrics there are, with which labels, and their values.
// It makes them, a family at a time, and leaves writing and serving them to package exporter.
//
// Names begin with ipvsd_; units are those of Prometheus: seconds, bytes, and _total for what only grows. Counters of services and
// servers are the kernel's own: they begin again when a service, or a server, is put there anew. What can't be known is left out rather
// than 0: counters while the table can't be read.
//
// Labels are few, and bounded by the configuration: service and server as ipvsctl prints them, type of a check, vrrp_instance and
// vrrp_sync_group (not instance, which is what Prometheus calls its target), kind and name of what is tracked, to of an alert. No
// label has a client's address, a text of an error, or anything else of the network's. Each service has 18 series, each
// server 14: with more servers than Limits.Servers, those of servers are left out, all of them, and ipvsd_server_series_omitted says of how
// many. What the servers of a service come to is with the service, always.
package metrics
