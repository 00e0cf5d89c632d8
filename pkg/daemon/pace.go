package daemon

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// How much is logged of one check or server. A server that flaps ten times a second must not fill the disk; the counters and
// ipvsctl checks have it all.
const (
	paceLines  = 20
	paceWithin = time.Minute
)

// pace counts the lines about each object, since a moment.
type pace struct {
	since time.Time
	lines map[about]int
}

// about is what lines are about: a check, or a server of a virtual server.
type about struct {
	check   health.ID
	service string
	server  netip.AddrPort
}

// silent is a log of which nothing is seen.
var silent = slog.New(slog.DiscardHandler)

// renewPace begins to count anew when the time is over. Each round does so: what came up at a start, all at once, is not to be kept for ever.
func (o *owner) renewPace(now time.Time) {
	if now.Sub(o.pace.since) >= paceWithin {
		o.pace = pace{since: now}
	}
}

// paced returns the log for something new of an object, or a silent one if there was too much of it.
func (o *owner) paced(object about, now time.Time, log func() *slog.Logger) *slog.Logger {
	o.renewPace(now)
	if o.pace.lines == nil {
		o.pace.lines = make(map[about]int)
	}
	o.pace.lines[object]++
	switch n := o.pace.lines[object]; {
	case n < paceLines:
		return log()
	case n == paceLines:
		l := log()
		l.Warn("it changes so often that no more of it is logged for now", "until", o.pace.since.Add(paceWithin))
		return l
	}
	return silent
}

// pacedServer is paced for a server of a virtual server.
func (o *owner) pacedServer(service string, server netip.AddrPort, now time.Time) *slog.Logger {
	return o.paced(about{service: service, server: server}, now, func() *slog.Logger {
		return o.log.With("service", service, "server", server.String())
	})
}
