// Package config reads ipvsd's configuration: TOML in keepalived's vocabulary. Load turns the text of a file into a Config,
// or into Diagnostics that say, for every mistake at once, where it stands and what to write instead.
//
// A Config is finished: defaults are filled in, what is inherited is resolved, and nobody validates it again. Load is a
// pure function. It opens no file, asks no kernel and resolves no name, so the verdict is the same on every machine.
//
// The stages, a file each:
//
//	syntax      text to a tree of values (the TOML library), or where the syntax is broken
//	position    where each key and value of that tree stands in the text
//	decode      the tree against the table of keywords: unknown keys, wrong types and ranges
//	keyword     that table, with keyword_global for the long tail; scope has the tables, kind... the forms of values
//	default     what holds when nothing is written, and why
//	global, group            what the virtual servers of a file have in common
//	service, server, check   each virtual server by itself: keywords to services, servers and checks, the rules between them
//	check_type, check_...    the types of checks: their keywords, and what each type makes of them
//	served                   what a virtual server serves, and that no two serve the same
//	routers                  VRRP as a whole: what is static, what clashes; the settings of global_defs
//	instance, instance_...   each vrrp_instance: election, addresses, interfaces that are made, signatures
//	tracked, syncgroup       what instances depend on, and with whom they change
//	quorum, fallback         what it takes to have clients; servers with weight 0 under schedulers that hash
//	diagnostic, suggest      what the user sees
//	format                   the way back: a Config as TOML
//
// Words: a virtual_server is the kernel's service, a real_server its destination; both tables and their keywords are
// described in examples/reference.toml. Nothing here starts a goroutine.
package config
