package bfd

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func config() Config {
	return Config{
		Name: "B", Neighbor: netip.MustParseAddr("192.0.2.2"), MinRx: 10 * time.Millisecond, MinTx: 10 * time.Millisecond,
		IdleTx: time.Second, Multiplier: 5,
	}
}

// from is a packet of a neighbor.
func from(state State) Packet {
	return Packet{State: state, Multiplier: 3, My: 9, Your: 1, DesiredMinTx: 20 * time.Millisecond, RequiredMinRx: 30 * time.Millisecond}
}

// in returns a session in a state.
func in(t *testing.T, state State) *Session {
	t.Helper()
	s := NewSession(config(), 1, rand.New(rand.NewPCG(1, 1)).Float64, start)
	switch state {
	case Init:
		s.Received(from(Down), start)
	case Up:
		s.Received(from(Init), start)
	case AdminDown, Down:
	}
	if got, _ := s.State(); got != state {
		t.Fatalf("%v, want %v", got, state)
	}
	return s
}

// RFC 5880, 6.8.6: what is received moves the state.
func TestRFC5880_6_8_6_State(t *testing.T) {
	for _, c := range []struct {
		in, heard, want State
		diag            Diag
	}{
		{Down, AdminDown, Down, NoDiagnostic}, {Down, Down, Init, NoDiagnostic}, {Down, Init, Up, NoDiagnostic}, {Down, Up, Down, NoDiagnostic},
		{Init, AdminDown, Down, NeighborDown}, {Init, Down, Init, NoDiagnostic}, {Init, Init, Up, NoDiagnostic}, {Init, Up, Up, NoDiagnostic},
		{Up, AdminDown, Down, NeighborDown}, {Up, Down, Down, NeighborDown}, {Up, Init, Up, NoDiagnostic}, {Up, Up, Up, NoDiagnostic},
	} {
		s := in(t, c.in)
		s.Received(from(c.heard), start)
		if got, _ := s.State(); got != c.want || s.diag != c.diag {
			t.Errorf("%v hears %v: %v, %d, want %v, %d", c.in, c.heard, got, s.diag, c.want, c.diag)
		}
	}
}

// RFC 5880, 6.8.6: a poll is answered at once, with final, without regard to the timer.
func TestRFC5880_6_8_6_Poll(t *testing.T) {
	s := in(t, Up)
	p := from(Up)
	p.Poll = true
	if a := s.Received(p, start); a == nil || !a.Final || a.Poll || a.Your != 9 {
		t.Errorf("answer %+v", a)
	}
	if a := s.Received(from(Up), start); a != nil {
		t.Errorf("an answer to no poll: %+v", a)
	}
}

// RFC 5880, 6.8.4: after the detection time, which is the neighbor's multiplier times the longer interval, the session is down.
func TestRFC5880_6_8_4_Detection(t *testing.T) {
	for _, state := range []State{Init, Up} {
		s := in(t, state)
		const detection = 3 * 20 * time.Millisecond
		for at := time.Duration(0); at < detection; at += time.Millisecond {
			s.Tick(start.Add(at))
			if got, _ := s.State(); got != state {
				t.Fatalf("%v after %v", got, at)
			}
		}
		p := s.Tick(start.Add(detection))
		if p == nil || p.State != Down || p.Diag != TimeExpired || p.Your != 0 {
			t.Errorf("after the detection time %+v", p)
		}
	}
}

// RFC 5880, 6.8.3: not up, a packet a second at most; up, as agreed; the change is polled until the neighbor has said final.
func TestRFC5880_6_8_3_SlowStartAndPoll(t *testing.T) {
	s := NewSession(config(), 1, rand.New(rand.NewPCG(1, 1)).Float64, start)
	if p := s.Tick(start); p == nil || p.DesiredMinTx != time.Second || p.Poll {
		t.Errorf("first %+v", p)
	}
	if d := s.Deadline().Sub(start); d < 750*time.Millisecond || d > time.Second {
		t.Errorf("the next one in %v", d)
	}
	s.Received(from(Init), start)
	if p := s.Tick(start); p == nil || p.DesiredMinTx != 10*time.Millisecond || !p.Poll || p.State != Up {
		t.Errorf("up: %+v", p)
	}
	if d := s.Deadline().Sub(start); d < 22*time.Millisecond || d > 30*time.Millisecond {
		t.Errorf("the next one in %v: the neighbor takes one in 30 ms", d)
	}
	final := from(Up)
	final.Final = true
	s.Received(final, start)
	if p := s.Tick(start.Add(30 * time.Millisecond)); p == nil || p.Poll {
		t.Errorf("after final %+v", p)
	}
	slower := config()
	slower.MinTx = 50 * time.Millisecond
	at := start.Add(31 * time.Millisecond)
	s.Change(slower, at)
	if p := s.Tick(at); p == nil || !p.Poll || p.DesiredMinTx != 50*time.Millisecond {
		t.Errorf("changed: %+v", p)
	}
	if d := s.Deadline().Sub(at); d > 30*time.Millisecond {
		t.Errorf("slower (%v) before the neighbor knows", d)
	}
	s.Received(final, at)
	at = at.Add(30 * time.Millisecond)
	s.Tick(at)
	if d := s.send.Sub(at); d < 37*time.Millisecond {
		t.Errorf("not slower (%v) when the neighbor knows", d)
	}
}

// RFC 5880, 6.1: the passive one waits, and falls silent when the neighbor does.
func TestRFC5880_6_1_Passive(t *testing.T) {
	c := config()
	c.Passive = true
	s := NewSession(c, 1, rand.New(rand.NewPCG(1, 1)).Float64, start)
	if p := s.Tick(start.Add(time.Hour)); p != nil || !s.Deadline().IsZero() {
		t.Errorf("it speaks first: %+v", p)
	}
	s.Received(from(Down), start)
	if p := s.Tick(start); p == nil || p.State != Init {
		t.Errorf("it does not answer: %+v", p)
	}
	s.Tick(start.Add(time.Minute))
	if p := s.Tick(start.Add(2 * time.Minute)); p != nil {
		t.Errorf("it speaks to nobody: %+v", p)
	}
}

// RFC 5880, 6.8.7: none while the neighbor wants none; spread by up to a quarter, and with a multiplier of 1 by at least a tenth.
func TestRFC5880_6_8_7_Transmission(t *testing.T) {
	s := in(t, Up)
	quiet := from(Up)
	quiet.RequiredMinRx = 0
	s.Received(quiet, start)
	if p := s.Tick(start.Add(50 * time.Millisecond)); p != nil {
		t.Errorf("%+v to one who wants none", p)
	}
	s.Received(from(Up), start)
	if p := s.Tick(start); p == nil {
		t.Error("nothing to one who wants some again")
	}
	for _, multiplier := range []uint8{1, 3} {
		c := config()
		c.Multiplier = multiplier
		s := NewSession(c, 7, rand.New(rand.NewPCG(1, 7)).Float64, start)
		now, least, most := start, time.Hour, time.Duration(0)
		for range 1000 {
			s.Tick(now)
			d := s.Deadline().Sub(now)
			least, most, now = min(least, d), max(most, d), s.Deadline()
		}
		limit := time.Second
		if multiplier == 1 {
			limit = 900 * time.Millisecond
		}
		if least < 750*time.Millisecond || least > 760*time.Millisecond || most > limit || most < limit-10*time.Millisecond {
			t.Errorf("multiplier %d: from %v to %v", multiplier, least, most)
		}
	}
}

// RFC 5880, 6.8.16: a stop is told.
func TestRFC5880_6_8_16_Stop(t *testing.T) {
	s := in(t, Up)
	if p := s.Stop(); p.State != AdminDown || p.Diag != AdministrateDown {
		t.Errorf("%+v", p)
	}
	if !s.Deadline().IsZero() {
		t.Error("it goes on")
	}
}

// Two sessions over a network that loses packets, and at last all of them.
func TestTwoSessions(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		loss := random.Float64() * 0.2
		sessions := [2]*Session{NewSession(config(), 11, rand.New(rand.NewPCG(1, 11)).Float64, start), NewSession(config(), 22, rand.New(rand.NewPCG(1, 22)).Float64, start)}
		now, cut := start, start.Add(10*time.Second)
		type flying struct {
			to int
			at time.Time
			p  Packet
		}
		var air []flying
		send := func(from int, p *Packet) {
			if p == nil || random.Float64() < loss || !now.Before(cut) {
				return
			}
			decoded, err := Decode(p.Encode())
			if err != nil {
				t.Fatal(err)
			}
			air = append(air, flying{1 - from, now.Add(time.Duration(random.IntN(3000)) * time.Microsecond), decoded})
		}
		upAt := time.Time{}
		for now.Before(cut.Add(time.Second)) {
			next := cut.Add(time.Second)
			for _, s := range sessions {
				if d := s.Deadline(); !d.IsZero() && d.Before(next) {
					next = d
				}
			}
			for _, f := range air {
				if f.at.Before(next) {
					next = f.at
				}
			}
			now = next
			rest := air[:0]
			var due []flying
			for _, f := range air {
				if f.at.After(now) {
					rest = append(rest, f)
				} else {
					due = append(due, f)
				}
			}
			air = rest
			for _, f := range due {
				send(f.to, sessions[f.to].Received(f.p, now))
			}
			for i, s := range sessions {
				send(i, s.Tick(now))
			}
			if upAt.IsZero() && sessions[0].state == Up && sessions[1].state == Up {
				upAt = now
			}
			if now.After(cut.Add(60*time.Millisecond)) && (sessions[0].state == Up || sessions[1].state == Up) {
				t.Fatalf("seed %d: up %v after the cut", seed, now.Sub(cut))
			}
		}
		if upAt.IsZero() {
			t.Errorf("seed %d: never up", seed)
		}
	}
}

func ExampleSession_Reason() {
	s := NewSession(config(), 1, rand.New(rand.NewPCG(1, 1)).Float64, start)
	fmt.Println(s.Reason())
	s.Received(from(Init), start)
	fmt.Println(s.Reason())
	s.Tick(start.Add(time.Second))
	fmt.Println(s.Reason())
	// Output:
	// nothing heard from 192.0.2.2
	// up
	// nothing heard from 192.0.2.2 for 60ms
}
