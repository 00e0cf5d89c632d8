// Package control is how ipvsd is asked and told at run time: HTTP and JSON over a Unix socket that only root can open, and by TCP for those
// whom an Access names. Server answers for a Backend (the daemon) and its Routers, Client asks. Route says how a call is added.
//
//	GET  /v1/status       status.Snapshot, with the table read for the occasion
//	GET  /v1/table        status.Kernel: the kernel's whole table; with service=KEY, once or more, only those services
//	GET  /v1/connections  connection.Connection, one a line; with summary=1, connection.Summary, and top=N clients in it
//	GET  /v1/checks       status.Checks: the health checks; with history=1, the last results of each
//	POST /v1/probe        status.Probes: runs the checks of a server once, now, and tells each step; counts for no verdict
//	GET  /v1/vrrp         status.VRRP: the virtual routers, their sync groups and what they depend on
//	POST /v1/switchover   {"name": "VI_1"}: the instance or sync group hands over; answered with a counterpart.Handover when that has begun, or
//	                      with status 422 because another director is poorer, unless there is "force": true in it
//	GET  /v1/wishes       status.Wishes: the servers that drain, are disabled or have another weight, and how far that is
//	POST /v1/wishes       an Order, about such a server: answered with the status.Wishes that it made or ended
//	POST /v1/wishes/exchange  admin.Message: another director's wishes; answered with those that are known here
//	GET  /v1/events       what has happened, and happens, as server-sent events: package event
//	POST /v1/plan         status.Answer: what taking the configuration in the body would change, called file=NAME in messages; without
//	                      a file, what the daemon's own would. One that includes others comes as a File, with json=1.
//	                      With a file on the socket only: the daemon reads what it names
//	POST /v1/alert-test   status.Trials: sends a test to all that are alerted, and tells what they answered
//	POST /v1/reload       status.Answer: the daemon's file is read again and taken; with strict=1, unless it has warnings
//	GET  /v1/compare      counterpart.Comparisons: what other directors have otherwise; with peer=NAME, that one
//	POST /v1/apply        status.Answer: an Application takes the place of the daemon's file, perhaps until somebody confirms it; on the socket only
//	POST /v1/confirm      status.Revision: keeps the configuration that waits for that
//	GET  /v1/history      status.History: which configurations were taken
//	POST /v1/revision     {"number": 7}: a File of the history, with its secrets; on the socket only
//	POST /v1/rollback     status.Answer: a Return to one of them
//	GET  /v1/audit        audit.Report: who did what, why, and what came of it
//	GET  /v1/whoami       Who asks, and what they may
//	GET  /v1/openapi.json the same in the words of OpenAPI
//	GET  /metrics         what Prometheus asks for, in its format: package metrics
//
// The words of a status.CheckQuery are parameters of checks and probe: server, service, type, state. The probe has to have a
// server; it takes as long as the timeouts of its checks.
//
// The words of a connection.Query are parameters of connections: service, server, client, state, family. The last line of a list is
// {"entries":N}, or {"error":"why"} if it broke off; without such a line it isn't whole either.
//
// The words of an event.Query are parameters of events: after (a position; a header Last-Event-ID is the same), since (10m, or a time),
// last, service, server, instance, kind, follow.
//
// A configuration that is rejected is an Answer with status 422, a switchover that is refused a Handover. Any other failure is a text of one line.
package control

import (
	"cmp"
	"context"
	"iter"
	"os"

	"github.com/ipvsd/ipvsd/pkg/connection"
	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// Socket is where ipvsd listens unless it is told otherwise.
const Socket = "/run/ipvsd/ipvsd.sock"

// Backend is what the Server asks. Its methods may be called concurrently.
type Backend interface {
	Revisions
	Neighbors
	Exchanger
	Upgrader
	Status(ctx context.Context) (*status.Snapshot, error)
	// Plan returns what a reload would change. With a file it is about that text instead of the daemon's own file.
	Plan(ctx context.Context, file *File) (*status.Answer, error)
	// Reload has the daemon read its file again; strict refuses one with warnings.
	Reload(ctx context.Context, strict bool) (*status.Answer, error)
	// Table returns the kernel's table with its counters, or those services of it. One that isn't there is no error.
	Table(ctx context.Context, services []ipvs.ServiceKey) (*status.Kernel, error)
	// Checks returns the health checks that a query asks for; with last, their last results, too.
	Checks(ctx context.Context, q status.CheckQuery, last bool) (*status.Checks, error)
	// Probe runs the checks that a query asks for once, now, without counting for the verdict.
	Probe(ctx context.Context, q status.CheckQuery) (*status.Probes, error)
	// Wishes returns what the operator wants of servers, and how far that is.
	Wishes(ctx context.Context) (*status.Wishes, error)
	// Order takes what an operator asks for, and returns the wishes that it is about.
	Order(ctx context.Context, o Order) (*status.Wishes, error)
	// Trial sends a test to all that the configuration alerts, and returns what they answered.
	Trial(ctx context.Context) (*status.Trials, error)
	// Connections returns the entries of the kernel's connection table that a query asks for. They are read while they are
	// ranged over; an error, the context's too, is the last thing that comes.
	Connections(ctx context.Context, q connection.Query) iter.Seq2[connection.Connection, error]
	// Events returns what has happened, and what happens until the context is done if the query follows.
	Events(ctx context.Context, q event.Query) iter.Seq2[event.Item, error]
}

// File is a configuration that a client sends.
type File struct {
	Name     string              `json:"name"` // for messages, and where what it includes is looked for
	Text     []byte              `json:"text"`
	ConfigID string              `json:"config_id,omitempty"` // of lines of a keepalived.conf that begin with @; empty: the daemon's
	Texts    map[string][]byte   `json:"texts,omitempty"`     // of the files that it includes, by name
	Globs    map[string][]string `json:"globs,omitempty"`     // their names, by pattern
}

// alone says whether the file is nothing but its text.
func (f *File) alone() bool { return f.ConfigID == "" && len(f.Texts)+len(f.Globs) == 0 }

// The paths of the requests, and the largest configuration that is taken from a client.
const (
	statusPath  = "/v1/status"
	tablePath   = "/v1/table"
	planPath    = "/v1/plan"
	reloadPath  = "/v1/reload"
	metricsPath = "/metrics"
	strictly    = "strict"  // query parameter
	inJSON      = "json"    // query parameter
	fileName    = "file"    // query parameter
	service     = "service" // query parameter
	maxFile     = 64 << 20
)

// SocketFromEnv returns the path in the environment's IPVSD_SOCKET, or else Socket: the default of the --socket flags.
func SocketFromEnv() string { return cmp.Or(os.Getenv("IPVSD_SOCKET"), Socket) }
