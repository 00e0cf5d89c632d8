package daemon

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/connection/relay"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

const (
	// preparedTime is how long other directors hear of connections after they were asked to take over: more than it takes.
	preparedTime = 5 * time.Second
	// givenTime is how long they hear of them after one has. Until then this director is no backup for connections: what it heard would
	// come back to the other one as news.
	givenTime = 600 * time.Millisecond
	// takenTime is for how long a director that takes over still hears of connections, and recountedTime is when it tells the others what
	// they have not heard in givenTime, for so long.
	takenTime     = 3 * time.Second
	recountedTime = time.Second
	recountTime   = 100 * time.Millisecond
)

// handover keeps connections going while a virtual router moves between directors that are alive: it is the failover.Handover.
type handover struct {
	relay   *relay.Relay
	sweeper *relay.Sweeper
	changed chan struct{} // the sync daemons are to be others

	mu     sync.Mutex
	given  map[string]time.Time // until when an instance counts as active here, though it has yielded
	taken  map[string]time.Time // until when one that became active hears of connections
	closed bool
}

func newHandover(log *slog.Logger, table string) *handover {
	open := func() (io.ReadCloser, error) { return os.Open(table) }
	return &handover{
		relay: relay.New(log, open), sweeper: relay.NewSweeper(log, open),
		changed: make(chan struct{}, 1), given: make(map[string]time.Time), taken: make(map[string]time.Time),
	}
}

// Prepare tells of all connections.
func (h *handover) Prepare(ctx context.Context) { h.relay.Tell(ctx, preparedTime) }

// Gives is failover.Handover's.
func (h *handover) Gives(instance string) {
	h.relay.Begin(givenTime)
	h.note(h.given, instance, givenTime)
}

// Takes is failover.Handover's.
func (h *handover) Takes(instance string) {
	until := h.note(h.taken, instance, takenTime)
	time.AfterFunc(recountedTime, func() {
		if h.holds(instance, until) {
			h.relay.Begin(recountTime)
		}
	})
}

// holds says whether an instance has been active since it took over, as noted. One that has given the role away meanwhile has nothing
// more to tell: the other director knows better.
func (h *handover) holds(instance string, taken time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.taken[instance].Equal(taken)
}

// note notes until when something is so for an instance, which it returns.
func (h *handover) note(list map[string]time.Time, instance string, long time.Duration) (until time.Time) {
	until = time.Now().Add(long)
	h.mu.Lock()
	delete(h.given, instance)
	delete(h.taken, instance)
	list[instance] = until
	h.mu.Unlock()
	time.AfterFunc(long, func() {
		select {
		case h.changed <- struct{}{}:
		default:
		}
	})
	return until
}

// close has everybody take the roles as they are from now on.
func (h *handover) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
}

// apply returns the roles as the sync daemons have to follow them, and whether the instance that they follow takes over from a director
// that is alive.
func (h *handover) apply(roles map[string]vrrp.State, follow string) (_ map[string]vrrp.State, takes bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if !h.closed && now.Before(h.given[follow]) && roles[follow] == vrrp.Backup {
		roles = maps.Clone(roles)
		roles[follow] = vrrp.Active
	}
	return roles, !h.closed && now.Before(h.taken[follow])
}

// run tells of connections when it is asked to, and forgets those that have ended, until the context is done.
func (h *handover) run(ctx context.Context) {
	var sweeping sync.WaitGroup
	sweeping.Go(func() { h.sweeper.Run(ctx) })
	h.relay.Run(ctx)
	sweeping.Wait()
}

// sweepable returns the sync daemon that hears of new connections in place of ended ones, if there is one; while a virtual router is
// active here the table is in use, and there is none.
func sweepable(want desired.Settings, roles map[string]vrrp.State) (backup ipvs.SyncDaemon) {
	if len(roles) == 0 || slices.Contains(slices.Collect(maps.Values(roles)), vrrp.Active) {
		return backup
	}
	for i := range want {
		if want[i].Want == desired.Present && desired.SyncRoles[want[i].Name] == ipvs.SyncBackup {
			backup = want[i].Daemon.Started(ipvs.SyncBackup)
		}
	}
	return backup
}

// follow takes in what a configuration says of connections that others are to hear of.
func (h *handover) follow(cfg *config.Config) {
	s := relay.Setup{Methods: make(map[netip.AddrPort]ipvs.Forward)}
	if d := cfg.GlobalDefs.LVSSyncDaemon.Master; d.Interface != "" {
		s.Daemon = d.Started(ipvs.SyncMaster)
	}
	for _, vs := range cfg.VirtualServers {
		for _, list := range [][]config.RealServer{vs.RealServers, vs.SorryServers} {
			for i := range list {
				d := &list[i].Destination
				s.Methods[d.Addr] = d.Forward
			}
		}
	}
	h.relay.Change(s)
}

// balanced returns where connections are balanced that other directors tell of.
func balanced(cfg *config.Config) (at []netip.AddrPort) {
	if cfg.GlobalDefs.LVSSyncDaemon.Backup.Interface == "" {
		return nil
	}
	for _, vs := range cfg.VirtualServers {
		for i := range vs.Services {
			if k := &vs.Services[i].ServiceKey; k.Protocol == ipvs.TCP && k.FWMark == 0 && k.Addr.Port() != 0 {
				at = append(at, k.Addr)
			}
		}
	}
	return at
}
