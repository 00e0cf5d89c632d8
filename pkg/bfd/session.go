package bfd

import (
	"fmt"
	"net/netip"
	"time"
)

// Session is one session with a neighbor. Its states, and what the neighbor says that moves it (RFC 5880, 6.2):
//
//	                        +--+
//	                        |  | UP, ADMIN DOWN, TIMER
//	                        |  V
//	                DOWN  +------+  INIT
//	         +------------|      |------------+
//	         |            | DOWN |            |
//	         |  +-------->|      |<--------+  |
//	         |  |         +------+         |  |
//	         |  |                          |  |
//	         |  | ADMIN DOWN,              |  |
//	         |  | TIMER        ADMIN DOWN, |  |
//	         V  |              DOWN, TIMER |  V
//	       +------+                      +------+
//	  +----|      |                      |      |----+
//	DOWN|  | INIT |--------------------->|  UP  |    |INIT, UP
//	  +--->|      | INIT, UP             |      |<---+
//	       +------+                      +------+
//
// It is not safe for concurrent use.
type Session struct {
	config Config
	random func() float64 // spreads the packets, lest routers get into step (6.8.7)

	state State
	diag  Diag
	since time.Time
	my    uint32 // local discriminator

	// Of the neighbor, as it said last.
	your       uint32
	heard      State
	minTx      time.Duration
	minRx      time.Duration
	multiplier uint8

	polling bool          // a poll sequence is under way (6.5)
	desired time.Duration // Desired Min TX Interval that is said
	// What held before a change, as long as the neighbor may not have heard of it (6.8.3).
	txBefore, rxBefore time.Duration
	send               time.Time // next periodic packet; zero: none
	expire             time.Time // end of the detection time; zero: nothing was heard
	sent               uint64
	got                uint64
}

// NewSession returns a session that is down. The discriminator must be nonzero, unique on this host, and not to be guessed.
// Random returns numbers from 0 up to 1.
func NewSession(c Config, discriminator uint32, random func() float64, now time.Time) *Session {
	s := &Session{
		config: c, my: discriminator, random: random,
		since: now, desired: max(c.IdleTx, slow), minRx: time.Microsecond, heard: Down,
	}
	s.state = Down
	if !c.Passive {
		s.send = now
	}
	return s
}

// slow is the least interval of a session that is not up (6.8.3).
const slow = time.Second

// Discriminator returns the session's own.
func (s *Session) Discriminator() uint32 { return s.my }

// State returns the state, and since when.
func (s *Session) State() (State, time.Time) { return s.state, s.since }

// Deadline returns when Tick has something to do; zero: never.
func (s *Session) Deadline() time.Time {
	switch {
	case s.send.IsZero() || !s.expire.IsZero() && s.expire.Before(s.send):
		return s.expire
	}
	return s.send
}

// Change takes another configuration with the same neighbor. While the session is up the neighbor is asked whether it has heard.
func (s *Session) Change(c Config, now time.Time) {
	was := s.config
	s.config = c
	if s.state == Up && (was.MinTx != c.MinTx || was.MinRx != c.MinRx) {
		s.txBefore, s.rxBefore = s.desired, was.MinRx
		s.desired, s.polling, s.send = c.MinTx, true, now
	}
	if was.Passive && !c.Passive && s.send.IsZero() {
		s.send = now
	}
}

// Received takes a packet of the neighbor that Decode has passed. It returns an answer that must leave at once, if any.
func (s *Session) Received(p Packet, now time.Time) (answer *Packet) {
	s.got++
	s.your, s.heard, s.minTx, s.multiplier = p.My, p.State, p.DesiredMinTx, p.Multiplier
	if s.minRx != p.RequiredMinRx {
		s.minRx = p.RequiredMinRx
		s.plan(now)
	}
	if p.Final {
		s.polling, s.txBefore, s.rxBefore = false, 0, 0
	}
	switch {
	case p.State == AdminDown:
		if s.state != Down {
			s.become(Down, NeighborDown, now)
		}
	case s.state == Down && p.State == Down:
		s.become(Init, s.diag, now)
	case s.state == Down && p.State == Init, s.state == Init && p.State >= Init:
		s.become(Up, NoDiagnostic, now)
	case s.state == Up && p.State == Down:
		s.become(Down, NeighborDown, now)
	}
	s.expire = now.Add(s.Detection())
	if s.send.IsZero() && s.minRx > 0 { // it was passive, or the neighbor had wished to hear nothing
		s.send = now
	}
	if p.Poll {
		a := s.packet()
		a.Poll, a.Final = false, true
		return &a
	}
	return nil
}

// Tick does what is due by the time, and returns a packet that is to leave.
func (s *Session) Tick(now time.Time) *Packet {
	if !s.expire.IsZero() && !now.Before(s.expire) {
		s.expire, s.your, s.heard = time.Time{}, 0, Down
		if s.state == Init || s.state == Up {
			s.become(Down, TimeExpired, now)
		}
		if s.config.Passive {
			s.send = time.Time{}
		}
	}
	if s.send.IsZero() || now.Before(s.send) {
		return nil
	}
	s.plan(now)
	s.sent++
	p := s.packet()
	return &p
}

// Stop returns the last packet: the neighbor need not wait for the detection time.
func (s *Session) Stop() Packet {
	s.state, s.diag = AdminDown, AdministrateDown
	s.send, s.expire = time.Time{}, time.Time{}
	return s.packet()
}

// Detection returns the detection time (6.8.4): so long without a packet, and the neighbor is gone.
func (s *Session) Detection() time.Duration {
	return time.Duration(s.multiplier) * max(s.config.MinRx, s.rxBefore, s.minTx)
}

// Reason says why the session is in its state, for people.
func (s *Session) Reason() string {
	switch {
	case s.state == Up:
		return "up"
	case s.diag == TimeExpired:
		return fmt.Sprintf("nothing heard from %s for %v", s.config.Neighbor, s.Detection())
	case s.diag == NeighborDown:
		return fmt.Sprintf("%s says that the session is down", s.config.Neighbor)
	case s.got == 0:
		return fmt.Sprintf("nothing heard from %s", s.config.Neighbor)
	}
	return fmt.Sprintf("being agreed upon with %s", s.config.Neighbor)
}

func (s *Session) become(to State, why Diag, now time.Time) {
	if to != s.state {
		s.since = now
	}
	up := to == Up && s.state != Up
	s.state, s.diag = to, why
	switch {
	case up:
		s.desired, s.polling = s.config.MinTx, true
	case to != Up:
		s.desired, s.polling, s.txBefore, s.rxBefore = max(s.config.IdleTx, slow), false, 0, 0
	}
	if !s.send.IsZero() { // the neighbor hears of it at once
		s.send = now
	}
}

// plan sets when the next periodic packet leaves: up to a quarter earlier than agreed, so that nobody gets into step, and at
// least a tenth with a multiplier of 1, where one packet that is late would be the end (6.8.7).
func (s *Session) plan(now time.Time) {
	if s.minRx == 0 {
		s.send = time.Time{} // the neighbor wishes to hear nothing
		return
	}
	if s.send.IsZero() {
		return
	}
	span := 0.25
	if s.config.Multiplier == 1 {
		span = 0.15
	}
	s.send = now.Add(time.Duration(float64(s.interval()) * (0.75 + span*s.random())))
}

// interval returns the one between packets, before it is spread (6.8.2).
func (s *Session) interval() time.Duration {
	d := s.desired
	if s.txBefore > 0 {
		d = min(d, s.txBefore)
	}
	return max(d, s.minRx)
}

func (s *Session) packet() Packet {
	return Packet{
		Diag: s.diag, State: s.state, Poll: s.polling, Multiplier: s.config.Multiplier,
		My: s.my, Your: s.your, DesiredMinTx: s.desired, RequiredMinRx: s.config.MinRx,
	}
}

// Status is what is known of a session.
type Status struct {
	Name           string
	Neighbor       netip.Addr
	State          State
	Since          time.Time
	Reason         string
	Detection      time.Duration // 0: nothing heard yet
	Interval       time.Duration // between the packets sent
	Sent, Received uint64
}

// Status returns what is known.
func (s *Session) Status() Status {
	return Status{
		Name: s.config.Name, Neighbor: s.config.Neighbor, State: s.state, Since: s.since, Reason: s.Reason(), Detection: s.Detection(),
		Interval: s.interval(), Sent: s.sent, Received: s.got,
	}
}
