// Package event is what has happened: an Event, the Ring that remembers the latest, the Query that picks some, and the stream of
// server-sent events in which watchers get them. It sends nothing and asks nobody: package feed shares a Ring between goroutines.
//
// Events are numbered from 1 in an epoch, which is one run of the daemon; a Position is an epoch and a number. Who reads on from a
// Position gets every event after it, or is told how many it missed, or that the epoch is another one. An Event says what changed;
// a watcher that has missed some reads the status for what is.
//
// # The stream
//
// Each frame ends with an empty line. The first has "event: begin" and a Begin as its data. An Event comes without a name, so that a
// browser's EventSource has it as a message, and with its Position as "id:". "event: missed" with a Missed tells that so many are
// gone. A frame with a comment and an id alone keeps the connection alive, and is the Position after all that the filters left out.
// "event: end" closes a stream that was not to be followed: without it, it broke off.
package event

import "time"

// Kind is what an Event is about.
type Kind string

// The kinds, with what From and To are.
const (
	Daemon    Kind = "daemon"    // the daemon: to running, stopping
	Reload    Kind = "reload"    // a configuration, read again: to accepted, rejected
	Server    Kind = "server"    // the health of a server: unchecked, up, down
	Weight    Kind = "weight"    // the weight of a server by advice of its checks: numbers; or to "slow start", and from it
	Quorum    Kind = "quorum"    // of a service: unchecked, up, down
	Sorry     Kind = "sorry"     // the sorry servers of a service: idle, serving
	FailOpen  Kind = "fail-open" // of a service: off, on
	Checks    Kind = "checks"    // of a service with ha_suspend: running, suspended
	Wish      Kind = "wish"      // what an operator wants of a server: drain, disable, weight N
	Router    Kind = "router"    // a VRRP instance: INIT, BACKUP, MASTER, FAULT; to HANDED_OVER and others without a from
	SyncGroup Kind = "group"     // a VRRP sync group, in the same words
	Tracked   Kind = "tracked"   // what virtual routers depend on, such as "interface eth0": up, down, or a number
	SyncRole  Kind = "sync"      // the kernel's daemons that tell other directors of connections
	Drift     Kind = "drift"     // somebody else changed the kernel's table or settings; the reason is what mended it
	Refused   Kind = "refused"   // the kernel refused a change, the first time
	Source    Kind = "source"    // of members: answering, failing
	Members   Kind = "members"   // of a service, by a source: to changed; or to held, since too few would be left
	Table     Kind = "table"     // the kernel's table as a whole: kept, not kept
)

// Kinds are all of them.
var Kinds = []Kind{
	Daemon, Reload, Server, Weight, Quorum, Sorry, FailOpen, Checks, Wish, Router, SyncGroup, Tracked, SyncRole, Drift, Refused, Source, Members, Table,
}

// Event is something that has happened. Which names it has depends on its Kind; absent ones are empty.
type Event struct {
	Epoch    string    `json:"epoch"`    // the run of the daemon
	Sequence uint64    `json:"sequence"` // from 1, without gaps in an epoch
	At       time.Time `json:"at"`
	Kind     Kind      `json:"kind"`
	Service  string    `json:"service,omitempty"`  // the name of a virtual server: "tcp 192.0.2.1:80", "group WEB tcp"
	Server   string    `json:"server,omitempty"`   // address and port of a real or sorry server
	Instance string    `json:"instance,omitempty"` // of VRRP
	Group    string    `json:"group,omitempty"`    // of instances
	Object   string    `json:"object,omitempty"`   // what else it is about: a file, "interface eth0", "master" of sync daemons
	From     string    `json:"from,omitempty"`
	To       string    `json:"to,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Who      string    `json:"who,omitempty"` // the user who wanted it
}

// Position returns where the event is.
func (e *Event) Position() Position { return Position{e.Epoch, e.Sequence} }

// Begin is what a stream begins with.
type Begin struct {
	Epoch     string `json:"epoch"`
	Last      uint64 `json:"last"`                // number of the latest event there is
	Restarted bool   `json:"restarted,omitempty"` // the Position that was asked for is of another epoch: all that is left of this one follows
	Skipped   uint64 `json:"missed,omitempty"`    // so many after that Position are gone
	// Incomplete: there were more events since the moment that was asked for; they are gone.
	Incomplete bool `json:"incomplete,omitempty"`
}

// Missed tells that events are gone which the watcher did not get.
type Missed struct {
	Count uint64 `json:"missed"`
}
