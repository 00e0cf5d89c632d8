package daemon

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ipvsd/ipvsd/pkg/bfd"
	"github.com/ipvsd/ipvsd/pkg/bfd/bfdio"
	"github.com/ipvsd/ipvsd/pkg/failover"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
	"github.com/ipvsd/ipvsd/pkg/status"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// settling is how many idle_tx a session that has begun gets to come up before that it is not is held against servers: it takes
// two. Until then they keep what they have, so that a restart of the daemon takes nobody's clients away.
const settling = 3

// sessions are the BFD sessions of the configuration: what was heard of each last, for the checks that ask, and the virtual routers
// that track them. Its methods may be called from any goroutine.
type sessions struct {
	runner  sessionRunner
	observe func(vrrp.Object, vrrp.Reading)
	hurry   func([]health.ID)

	mu     sync.Mutex
	known  map[string]*session           // those of the configuration, by name
	checks map[string]map[health.ID]bool // that ask, by session
}

// sessionRunner speaks the protocol: bfdio.Runner.
type sessionRunner interface {
	Run(ctx context.Context) error
	Change(configs map[string]*bfd.Config)
	Status(ctx context.Context) ([]bfd.Status, error)
}

type session struct {
	vrrp.Reading
	config *bfd.Config
	began  time.Time
	wasUp  bool
}

// newSessions returns sessions that tell what they hear to two functions, which must not block.
func newSessions(log *slog.Logger, observe func(vrrp.Object, vrrp.Reading), hurry func([]health.ID)) *sessions {
	s := &sessions{observe: observe, hurry: hurry, known: make(map[string]*session), checks: make(map[string]map[health.ID]bool)}
	s.runner = bfdio.New(bfdio.Options{Log: log, Report: s.report})
	return s
}

// report takes news of a session. The checks that ask for it are due at once.
func (s *sessions) report(name string, up bool, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.known[name]
	if k == nil {
		return // a reload has removed it
	}
	if up {
		k.wasUp, reason = true, ""
	}
	k.Reading = vrrp.Reading{Known: true, Up: up, Reason: reason}
	s.observe(objectOf(name), k.Reading)
	s.hurry(slices.Collect(maps.Keys(s.checks[name])))
}

func objectOf(session string) vrrp.Object { return vrrp.Object{Kind: vrrp.TrackBFD, Name: session} }

// follow has the sessions be those of a configuration, after the virtual routers have it. The checks are those that it removes and
// adds.
func (s *sessions) follow(configs map[string]*bfd.Config, removed, added []health.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range removed {
		if b, is := id.Check().Spec.(health.BFD); is {
			delete(s.checks[b.Session], id)
		}
	}
	for _, id := range added {
		if b, is := id.Check().Spec.(health.BFD); is {
			if s.checks[b.Session] == nil {
				s.checks[b.Session] = make(map[health.ID]bool)
			}
			s.checks[b.Session][id] = true
		}
	}
	before := s.known
	s.known = make(map[string]*session, len(configs))
	for _, name := range slices.Sorted(maps.Keys(configs)) {
		k, c := before[name], configs[name]
		if k == nil || !k.config.Continues(c) {
			k = &session{began: time.Now()}
		}
		k.config, s.known[name] = c, k
		if k.Known { // who tracks it from now on has not heard it
			s.observe(objectOf(name), k.Reading)
		}
	}
	s.runner.Change(configs)
}

// before returns a probe that asks the sessions for what they know, and another one for all else.
func (s *sessions) before(next probe.Func) probe.Func {
	return func(ctx context.Context, c health.Check) (health.Finding, error) {
		if b, is := c.Spec.(health.BFD); is {
			return health.Finding{}, s.ask(b.Session)
		}
		return next(ctx, c)
	}
}

// ask returns why a session is not up.
func (s *sessions) ask(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.known[name]
	switch {
	case k == nil:
		return fmt.Errorf("nothing is known of the BFD session %s, which only a daemon that has it in its configuration runs", name)
	case k.Up:
		return nil
	}
	reason := cmp.Or(k.Reason, "nothing heard yet")
	if !k.wasUp && time.Since(k.began) < settling*k.config.IdleTx {
		return fmt.Errorf("BFD session %s: %s: %w", name, reason, probe.ErrEarly)
	}
	return fmt.Errorf("BFD session %s is down: %s", name, reason)
}

// routing is what is known of the virtual routers and of the sessions.
type routing struct {
	*failover.Failover
	sessions *sessions
}

// Status returns all there is to know.
func (r routing) Status(ctx context.Context) (status.VRRP, error) {
	s, err := r.Failover.Status(ctx)
	if err != nil {
		return s, err
	}
	list, err := r.sessions.runner.Status(ctx)
	for i := range list {
		s.Sessions = append(s.Sessions, status.SessionOf(&list[i]))
	}
	return s, err
}
