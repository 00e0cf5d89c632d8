package control

import (
	"net/http"
	"slices"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/connection"
	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// Route is a call of the API: all that the server, the check of roles, the audit log and the OpenAPI document know of it.
//
// Who adds one writes a method of Backend (or of Routers) that answers it, one of Client with the same form that asks for it, a handler
// beside that, and an entry in routes. Then go test ./pkg/control -run TestDocument -update writes the document anew, and the tests of
// this package that go through all routes hold the new one to its word: roles, limits, and answers that are what the document says.
type Route struct {
	Method  string // GET for what changes nothing, POST for the rest
	Path    string
	Name    string // what the audit log and the document call it
	Summary string
	Role    Role // that is needed: Read for a GET, Operate for a POST
	Query   []Parameter
	Body    any    // what a body of JSON is decoded into; nil: it is none, or of the type Sends
	Sends   string // media type of the body; empty: JSON, or none without Body
	MaxBody int64  // bytes that it may have
	Answer  any    // what a good answer is encoded from
	Media   string // media type of a good answer; empty: JSON. Otherwise Answer, if there is one, is a line, or the data of an event, of it
	Instead any    // what a good answer is encoded from, as JSON, when the query asks for that
	Refusal any    // what an answer with status 422 is encoded from; nil: there is none
	Streams bool   // it may take any time, and the answer comes bit by bit
	Long    bool   // the answer may be long, and is held whole until it has been read: by TCP there are maxLong at once

	// Here says why a request is answered on the control socket only, whatever the role; empty, or nil: it is by TCP, too.
	Here func(*http.Request) string

	serve http.Handler
}

// Parameter is one of a query.
type Parameter struct {
	Name, Summary string
	Repeats       bool // it may be there several times
	Needed        bool
}

// Media types besides JSON.
const (
	plainText   = "text/plain"
	jsonLines   = "application/x-ndjson"
	eventStream = "text/event-stream"
	anything    = "application/octet-stream"
)

// Routes are all calls of the API, without what answers them.
func Routes() []Route { return table(nil, nil, new(book)) }

// table are all calls of the API.
func table(b Backend, r Routers, log *book) []Route {
	return append(routes(b, r), log.route(), whoRoute, documentRoute)
}

// routes are the calls of the API. All but the document's and those of other packages (Server.Mount, Server.Measure) stand here.
func routes(b Backend, r Routers) []Route {
	list := slices.Concat(
		[]Route{{
			Name: "status", Method: http.MethodGet, Path: statusPath, Role: Read, Long: true, Answer: status.Snapshot{}, serve: statusHandler(b, r),
			Summary: "What the daemon knows, with the kernel's table read for the occasion",
		}, {
			Name: "table", Method: http.MethodGet, Path: tablePath, Role: Read, Long: true, Answer: status.Kernel{}, serve: tableHandler(b),
			Summary: "The kernel's table, with its counters",
			Query:   []Parameter{{Name: service, Summary: "only this service, as it is printed: tcp 192.0.2.1:80", Repeats: true}},
		}, {
			Name: "connections", Method: http.MethodGet, Path: connectionsPath, Role: Read, Answer: connection.Connection{}, Instead: connection.Summary{}, Media: jsonLines, Streams: true,
			serve:   walks{b: b, places: make(chan struct{}, maxWalks)},
			Summary: `Entries of the connection table, one a line, then {"entries": N}, or {"error": "why"} if it broke off; a summary of them with summary=1`,
			Query: []Parameter{
				{Name: "service", Summary: "service, as it is printed"}, {Name: "server", Summary: "address of the server, with or without port"},
				{Name: "client", Summary: "address or network of the client"}, {Name: "state", Summary: "ESTABLISHED and so on"},
				{Name: "family", Summary: "inet or inet6"},
				{Name: "summary", Summary: "1: counts instead of entries"}, {Name: "top", Summary: "so many clients in the summary"},
			},
		}, {
			Name: "checks", Method: http.MethodGet, Path: checksPath, Role: Read, Long: true, Answer: status.Checks{}, serve: checksHandler(b),
			Summary: "The health checks",
			Query:   append(checkParameters(false), Parameter{Name: history, Summary: "1: with the last results of each"}),
		}, {
			Name: "probe", Method: http.MethodPost, Path: probePath, Role: Operate, Answer: status.Probes{}, serve: probeHandler(b),
			Summary: "Runs the checks of a server once, now, and tells each step; counts for no verdict, and takes as long as the timeouts of the checks",
			Query:   checkParameters(true), Streams: true,
		}, {
			Name: "wishes", Method: http.MethodGet, Path: wishesPath, Role: Read, Answer: status.Wishes{}, serve: wishesHandler(b),
			Summary: "The servers that drain, are disabled or have another weight, and how far that is",
		}, {
			Name: "order", Method: http.MethodPost, Path: wishesPath, Role: Operate, Body: Order{}, MaxBody: maxOrder, Answer: status.Wishes{}, serve: orderHandler(b),
			Summary: "Drains, disables or weighs a server, or ends that; answered with the wishes that it made or ended",
		}, {
			Name: "exchange", Method: http.MethodPost, Path: exchangePath, Role: Operate, Body: admin.Message{}, MaxBody: maxMessage, Answer: admin.Message{}, serve: exchangeHandler(b),
			Summary: "Another director tells what is wanted of servers there, and is answered with what is wanted here; of each server the newest holds",
		}, {
			Name: "vrrp", Method: http.MethodGet, Path: vrrpPath, Role: Read, Answer: status.VRRP{}, serve: vrrpHandler(r),
			Summary: "The virtual routers, their sync groups and what they depend on",
		}, {
			Name: "events", Method: http.MethodGet, Path: eventsPath, Role: Read, Answer: event.Event{}, Media: eventStream, Streams: true,
			serve:   watches{b: b, places: make(chan struct{}, maxWatchers)},
			Summary: "What has happened, and happens, as server-sent events",
			Query: []Parameter{
				{Name: "after", Summary: "position of the last event that is known; a header Last-Event-ID is the same"},
				{Name: "since", Summary: "a time, or how long ago: 10m"},
				{Name: "last", Summary: "no more than so many that have happened"}, {Name: "service", Summary: "service, as it is printed"},
				{Name: "server", Summary: "address of the server, with or without port"}, {Name: "instance", Summary: "virtual router or sync group"},
				{Name: "kind", Summary: "kinds of events, with commas", Repeats: true},
				{Name: "follow", Summary: "false: end after what has happened"},
			},
		}, {
			Name: "plan", Method: http.MethodPost, Path: planPath, Role: Operate, Sends: anything, MaxBody: 2 * maxFile, Answer: status.Answer{}, Refusal: status.Answer{}, serve: planHandler(b),
			Summary: "What taking the configuration in the body would change, which is told on the socket only; without parameter file, what the daemon's own file would, by TCP, too",
			Here:    sentFile,
			Query:   []Parameter{{Name: fileName, Summary: "name of the configuration in the body, for messages"}, {Name: inJSON, Summary: "1: the body is a File, with those that it includes"}},
		}, {
			Name: "alert-test", Method: http.MethodPost, Path: trialPath, Role: Operate, Answer: status.Trials{}, Streams: true, serve: trialHandler(b),
			Summary: "Sends a test to all that are alerted, and tells what they answered",
		}, {
			Name: "reload", Method: http.MethodPost, Path: reloadPath, Role: Operate, Answer: status.Answer{}, Refusal: status.Answer{}, serve: reloadHandler(b),
			Summary: "The daemon's file is read again and taken",
			Query:   []Parameter{{Name: strictly, Summary: "1: not if it has warnings"}},
		}},
		revisionRoutes(b), compareRoute(b, r), []Route{switchoverRoute(b, r), upgradeRoute(b)},
	)
	return list
}

// checkParameters are the words of a status.CheckQuery.
func checkParameters(probe bool) []Parameter {
	return []Parameter{
		{Name: "server", Summary: "address of the server, with or without port", Needed: probe}, {Name: "service", Summary: "service, as it is printed"},
		{Name: "type", Summary: "type of the check: TCP_CHECK and so on"}, {Name: "state", Summary: "up, down or unchecked"},
	}
}
