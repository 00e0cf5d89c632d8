package bfdio

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/ipvsd/ipvsd/pkg/bfd"
)

// Options are what a Runner works with.
type Options struct {
	Log *slog.Logger
	// Report is told whether a session is up: when it is new, and whenever that changes. It must not block.
	Report func(name string, up bool, reason string)
}

// Runner runs sessions.
type Runner struct {
	options  Options
	network  network
	changes  chan map[string]*bfd.Config
	requests chan chan []bfd.Status
	ended    chan struct{}
	arrived  chan datagram
	sessions map[string]*session
	sockets  map[endpoint]*socket
}

// network is where packets come from and go to.
type network interface {
	listen(at endpoint) (receiver, error)
	dial(c *bfd.Config) (sender, error)
}

// receiver gives packets until it is closed.
type receiver interface {
	receive() (datagram, error)
	Close() error
}

// sender takes packets to one neighbor.
type sender interface {
	Write(packet []byte) (int, error)
	Close() error
}

// endpoint is what receivers differ in.
type endpoint struct {
	ipv6, multihop bool
}

func (e endpoint) port() int {
	if e.multihop {
		return bfd.MultihopPort
	}
	return bfd.Port
}

// datagram is a packet that came in.
type datagram struct {
	at   endpoint
	from netip.Addr
	ttl  int
	data []byte
}

type session struct {
	*bfd.Session
	config *bfd.Config
	to     sender // nil: there was an error, and it is tried again
	failed string // the error
	up     bool
}

type socket struct {
	receiver
	reading sync.WaitGroup
	failed  string
}

// again is when a socket that couldn't be opened is tried again.
const again = time.Second

// New returns a Runner without sessions.
func New(o Options) *Runner {
	return &Runner{
		options: o, network: internet{},
		changes: make(chan map[string]*bfd.Config, 1), requests: make(chan chan []bfd.Status), ended: make(chan struct{}),
		arrived: make(chan datagram, 64), sessions: make(map[string]*session), sockets: make(map[endpoint]*socket),
	}
}

// Change has the sessions be these, by name. One with the same neighbor and addresses goes on as it is.
func (r *Runner) Change(configs map[string]*bfd.Config) {
	for {
		select {
		case r.changes <- configs:
			return
		default:
		}
		select {
		case <-r.changes: // it is old
		default:
		}
	}
}

// Status returns what is known of the sessions, by name; nothing once Run has returned. Its error is the context's.
func (r *Runner) Status(ctx context.Context) ([]bfd.Status, error) {
	answer := make(chan []bfd.Status, 1)
	select {
	case r.requests <- answer:
		return <-answer, nil
	case <-r.ended:
		return nil, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Run works until the context is done; then the neighbors are told. It may be called once.
func (r *Runner) Run(ctx context.Context) error {
	defer close(r.ended)
	defer r.stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(time.Until(r.deadline()))
		select {
		case <-ctx.Done():
			return nil
		case configs := <-r.changes:
			r.change(ctx, configs, time.Now())
		case d := <-r.arrived:
			r.receive(d, time.Now())
		case answer := <-r.requests:
			answer <- r.status()
		case <-timer.C:
			r.tick(ctx, time.Now())
		}
	}
}

// deadline returns when there is something to do.
func (r *Runner) deadline() time.Time {
	next := time.Now().Add(time.Hour)
	for _, s := range r.sessions {
		if d := s.Deadline(); !d.IsZero() && d.Before(next) {
			next = d
		}
	}
	for _, s := range r.sockets {
		if s.receiver == nil {
			next = earliest(next, time.Now().Add(again))
		}
	}
	return next
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func (r *Runner) change(ctx context.Context, configs map[string]*bfd.Config, now time.Time) {
	for name, s := range r.sessions {
		if c := configs[name]; c == nil || !s.config.Continues(c) {
			r.end(s)
			delete(r.sessions, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(configs)) {
		c := configs[name]
		if s := r.sessions[name]; s != nil {
			s.config = c
			s.Change(*c, now)
			continue
		}
		s := &session{Session: bfd.NewSession(*c, r.discriminator(), rand.Float64, now), config: c}
		r.sessions[name] = s
		r.options.Report(name, false, s.Reason())
	}
	r.listen(ctx)
	r.tick(ctx, now)
}

// discriminator returns one that no other session has.
func (r *Runner) discriminator() uint32 {
	for {
		n := rand.Uint32()
		if n != 0 && r.find(n) == nil {
			return n
		}
	}
}

func (r *Runner) find(discriminator uint32) *session {
	for _, s := range r.sessions {
		if s.Discriminator() == discriminator {
			return s
		}
	}
	return nil
}

func of(c *bfd.Config) endpoint { return endpoint{ipv6: c.Neighbor.Is6(), multihop: c.Multihop} }

// listen opens the sockets that sessions need and closes the others.
func (r *Runner) listen(ctx context.Context) {
	needed := make(map[endpoint]bool)
	for _, s := range r.sessions {
		needed[of(s.config)] = true
	}
	for at, s := range r.sockets {
		if !needed[at] {
			s.close()
			delete(r.sockets, at)
		}
	}
	for at := range needed {
		s := r.sockets[at]
		if s == nil {
			s = new(socket)
			r.sockets[at] = s
		}
		if s.receiver != nil {
			continue
		}
		rx, err := r.network.listen(at)
		if err != nil {
			s.tell(r.options.Log, fmt.Sprintf("port %d", at.port()), err)
			continue
		}
		s.receiver, s.failed = rx, ""
		s.reading.Go(func() {
			for {
				d, err := rx.receive()
				if err != nil {
					return
				}
				d.at = at
				select {
				case r.arrived <- d:
				case <-ctx.Done():
					return
				}
			}
		})
	}
}

// tell logs an error that is another one than before.
func (s *socket) tell(log *slog.Logger, what string, err error) {
	if s.failed != err.Error() {
		log.Error("a BFD socket can't be opened; it will be tried again", "socket", what, "err", err)
	}
	s.failed = err.Error()
}

func (s *socket) close() {
	if s.receiver != nil {
		_ = s.Close()
	}
	s.reading.Wait()
}

// receive gives a packet to its session (RFC 5880, 6.8.6; RFC 5881, 5).
func (r *Runner) receive(d datagram, now time.Time) {
	p, err := bfd.Decode(d.data)
	if err != nil {
		r.options.Log.Debug("a BFD packet is dropped", "from", d.from, "err", err)
		return
	}
	var s *session
	if p.Your != 0 {
		s = r.find(p.Your)
	} else {
		for _, candidate := range r.sessions {
			if candidate.config.Neighbor == d.from && of(candidate.config) == d.at {
				s = candidate
			}
		}
	}
	switch {
	case s == nil || s.config.Neighbor != d.from || of(s.config) != d.at:
		r.options.Log.Debug("a BFD packet is dropped", "from", d.from, "err", "no session with it")
	case !near(s.config, d.ttl):
		r.options.Log.Debug("a BFD packet is dropped", "from", d.from, "ttl", d.ttl, "err", "it has come from too far: see max_hops")
	default:
		if a := s.Received(p, now); a != nil {
			r.send(s, *a)
		}
		r.tell(s)
	}
}

// near says whether a packet has come no farther than it may.
func near(c *bfd.Config, ttl int) bool { return c.MaxHops < 0 || ttl >= int(ttlOf(c))-c.MaxHops }

// ttlOf returns the TTL of packets sent, which the neighbor's are expected to have had.
func ttlOf(c *bfd.Config) uint8 {
	switch {
	case c.TTL != 0:
		return c.TTL
	case c.Neighbor.Is6():
		return 64 // keepalived's
	}
	return 255
}

func (r *Runner) tick(ctx context.Context, now time.Time) {
	for _, s := range r.sessions {
		if p := s.Tick(now); p != nil {
			r.send(s, *p)
		}
		r.tell(s)
	}
	for _, s := range r.sockets {
		if s.receiver == nil {
			r.listen(ctx)
			return
		}
	}
}

// tell reports whether a session is up, if that has changed.
func (r *Runner) tell(s *session) {
	state, _ := s.State()
	if up := state == bfd.Up; up != s.up {
		s.up = up
		r.options.Log.Info("BFD session changed", "session", s.config.Name, "to", state.String(), "reason", s.Reason())
		r.options.Report(s.config.Name, up, s.Reason())
	}
}

// send sends a packet. What can't be sent is lost, which the neighbor notices; the address may come yet.
func (r *Runner) send(s *session, p bfd.Packet) {
	err := error(nil)
	if s.to == nil {
		s.to, err = r.network.dial(s.config)
	}
	if err == nil {
		_, err = s.to.Write(p.Encode())
	}
	switch {
	case err == nil:
		s.failed = ""
	case s.failed != err.Error():
		s.failed = err.Error()
		r.options.Log.Warn("a BFD packet can't be sent", "session", s.config.Name, "err", err)
	}
}

func (r *Runner) status() []bfd.Status {
	list := make([]bfd.Status, 0, len(r.sessions))
	for _, name := range slices.Sorted(maps.Keys(r.sessions)) {
		list = append(list, r.sessions[name].Status())
	}
	return list
}

// end tells the neighbor that the session is over.
func (r *Runner) end(s *session) {
	r.send(s, s.Stop())
	if s.to != nil {
		_ = s.to.Close()
	}
}

func (r *Runner) stop() {
	for _, s := range r.sessions {
		r.end(s)
	}
	for _, s := range r.sockets {
		s.close()
	}
}
